//! A pcap or pcapng file to TCP segments.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::connections::{Connections, Options, Segment};
use super::dump::{Output, Place};

/// Octets that are read at once. A block may be larger, up to [`LIMIT`].
const CAPACITY: usize = 1 << 16;
const LIMIT: usize = 1 << 26;

/// Returns whether a file with this head is a capture: pcap in either byte order and resolution, or pcapng.
pub(super) fn is_capture(head: &[u8]) -> bool {
    matches!(
        head,
        [0xA1, 0xB2, 0xC3, 0xD4, ..]
            | [0xD4, 0xC3, 0xB2, 0xA1, ..]
            | [0xA1, 0xB2, 0x3C, 0x4D, ..]
            | [0x4D, 0x3C, 0xB2, 0xA1, ..]
            | [0x0A, 0x0D, 0x0D, 0x0A, ..]
    )
}

/// Reads the head of an input: enough octets to recognize a capture, and the whole header of one.
pub(super) fn head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(12).read_to_end(&mut head)?;
    let length = match head[..] {
        // A block begins with its type and its length; the byte order follows.
        [0x0A, 0x0D, 0x0D, 0x0A, a, b, c, d, 0x4D, ..] => u32::from_le_bytes([a, b, c, d]).into(),
        [0x0A, 0x0D, 0x0D, 0x0A, a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]).into(),
        _ if is_capture(&head) => 24,
        _ => 0,
    };
    let rest = u64::min(length, CAPACITY as u64).saturating_sub(head.len() as u64);
    input.take(rest).read_to_end(&mut head)?;
    Ok(head)
}

/// Prints the PDUs in all TCP streams of a capture that begins with `head`.
pub(super) fn read(
    head: &[u8],
    input: impl Read + Send,
    options: Options,
    dump: &mut impl Output,
) -> Result<(), Box<dyn Error>> {
    let mut reader = create_reader(CAPACITY, head.chain(input)).map_err(|error| describe(&error))?;
    let mut packets = Packets::new(options);
    let mut capacity = CAPACITY;
    loop {
        match reader.next() {
            Ok((length, block)) => {
                packets.block(&block, dump)?;
                drop(block);
                reader.consume(length);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::UnexpectedEof) => {
                if !reader.data().is_empty() {
                    dump.failure(Place::Input, "the capture ends inside a packet")?;
                }
                break;
            }
            Err(error @ (PcapError::Incomplete(_) | PcapError::BufferTooSmall)) => {
                if matches!(error, PcapError::BufferTooSmall) {
                    capacity *= 2;
                    if capacity > LIMIT {
                        dump.failure(Place::Input, "the capture is damaged: a packet of more than 64 MiB")?;
                        break;
                    }
                    reader.grow(capacity);
                }
                reader.refill().map_err(|error| describe(&error))?;
            }
            Err(error) => {
                let error = describe(&error);
                dump.failure(Place::Input, format_args!("the capture cannot be read on: {error}"))?;
                break;
            }
        }
    }
    packets.finish(dump)
}

/// Describes an error without the octets that the parser's text would show.
fn describe(error: &PcapError<&[u8]>) -> String {
    match error {
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => {
            format!("a damaged block ({kind:?})")
        }
        PcapError::Incomplete(_) | PcapError::HeaderNotRecognized => {
            "the capture has no whole header".to_owned()
        }
        error => error.to_string(),
    }
}

/// The state of reading the blocks of a capture.
struct Packets {
    connections: Connections,
    /// The interfaces of the current section.
    interfaces: Vec<Interface>,
    /// The time of the first packet.
    first: Option<Duration>,
    /// The time of the last packet.
    now: Duration,
    /// Packets that were skipped, by link type.
    unknown_links: BTreeMap<i32, u64>,
    /// IP fragments that were skipped.
    fragments: u64,
}

#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Clock ticks a second.
    resolution: u64,
    /// Seconds to add to each timestamp.
    offset: i64,
}

impl Interface {
    fn time(&self, ticks: u64) -> Duration {
        let fraction = u128::from(ticks % self.resolution) * 1_000_000_000 / u128::from(self.resolution);
        let seconds = (ticks / self.resolution).saturating_add_signed(self.offset);
        // Less than a second.
        Duration::new(seconds, fraction as u32)
    }
}

impl Packets {
    fn new(options: Options) -> Self {
        Self {
            connections: Connections::new(options),
            interfaces: Vec::new(),
            first: None,
            now: Duration::ZERO,
            unknown_links: BTreeMap::new(),
            fragments: 0,
        }
    }

    fn block(&mut self, block: &PcapBlockOwned<'_>, dump: &mut impl Output) -> Result<(), Box<dyn Error>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                self.interfaces = vec![Interface { link: header.network, resolution, offset: 0 }];
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                let resolution = interface.ts_resolution().ok_or("an interface with an impossible clock")?;
                let (link, offset) = (interface.linktype, interface.ts_offset());
                self.interfaces.push(Interface { link, resolution, offset });
            }
            PcapBlockOwned::Legacy(packet) => {
                let interface = self.interface(0)?;
                let ticks = u64::from(packet.ts_sec) * interface.resolution + u64::from(packet.ts_usec);
                let cut = packet.origlen.saturating_sub(packet.caplen);
                self.packet(interface.link, interface.time(ticks), packet.data, cut, dump)?;
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = self.interface(packet.if_id)?;
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let cut = packet.origlen.saturating_sub(packet.caplen);
                self.packet(interface.link, interface.time(ticks), packet.packet_data(), cut, dump)?;
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                // It has no timestamp: the packet before it gives the time.
                let (interface, now) = (self.interface(0)?, self.now);
                let data = packet.packet_data();
                let cut = packet.origlen.saturating_sub(data.len() as u32);
                self.packet(interface.link, now, data, cut, dump)?;
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn interface(&self, index: u32) -> Result<Interface, &'static str> {
        let interface = self.interfaces.get(index as usize).copied();
        interface.ok_or("the capture is damaged: a packet of an interface that was not described")
    }

    /// Handles one packet; `cut` octets at its end were not captured.
    fn packet(
        &mut self,
        link: Linktype,
        time: Duration,
        data: &[u8],
        cut: u32,
        dump: &mut impl Output,
    ) -> Result<(), Box<dyn Error>> {
        self.now = time;
        let time = time.saturating_sub(*self.first.get_or_insert(time));
        let Ok(packet) = slice(link, data) else {
            *self.unknown_links.entry(link.0).or_default() += 1;
            return Ok(());
        };
        let Some(LaxSlicedPacket { net: Some(net), transport, .. }) = packet else { return Ok(()) };
        if net.ip_payload_ref().is_some_and(|payload| payload.fragmented) {
            self.fragments += 1;
        }
        let (Some((from, to)), Some(TransportSlice::Tcp(tcp))) = (addresses(&net), transport) else {
            return Ok(());
        };
        let segment = Segment {
            time,
            from: SocketAddr::new(from, tcp.source_port()),
            to: SocketAddr::new(to, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            octets: tcp.payload(),
            cut,
        };
        Ok(self.connections.segment(dump, &segment)?)
    }

    fn finish(mut self, dump: &mut impl Output) -> Result<(), Box<dyn Error>> {
        self.connections.finish(dump)?;
        for (link, packets) in self.unknown_links {
            dump.failure(
                Place::Input,
                format_args!("{packets} packets were not read: link type {link} is not known"),
            )?;
        }
        if self.fragments > 0 {
            dump.failure(
                Place::Input,
                format_args!("{} fragments of IP packets were not read", self.fragments),
            )?;
        }
        Ok(())
    }
}

/// The link type is not known.
struct UnknownLink;

/// Parses the headers of a packet, as far as they were captured.
fn slice(link: Linktype, data: &[u8]) -> Result<Option<LaxSlicedPacket<'_>>, UnknownLink> {
    let ether_type = |at: usize, length: usize| {
        let [high, low] = *data.get(at..)?.first_chunk()?;
        let ether_type = EtherType(u16::from_be_bytes([high, low]));
        Some(LaxSlicedPacket::from_ether_type(ether_type, data.get(length..)?))
    };
    Ok(match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(data).ok(),
        // The address family is in the byte order of the capturing machine, which is unknown: skip it.
        Linktype::NULL | Linktype::LOOP => data.get(4..).and_then(|data| LaxSlicedPacket::from_ip(data).ok()),
        // "Linux cooked": the EtherType is at the end of the header, or at its beginning in version 2.
        Linktype::LINUX_SLL => ether_type(14, 16),
        Linktype::LINUX_SLL2 => ether_type(0, 20),
        _ => return Err(UnknownLink),
    })
}

fn addresses(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        LaxNetSlice::Arp(_) => None,
    }
}
