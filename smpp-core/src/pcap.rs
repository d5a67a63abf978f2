//! What an [`Observer`] sees as a pcap file, which Wireshark and tshark open: sessions as TCP connections with SMPP inside.
//!
//! The PDUs are those of the session, passwords hidden by asterisks; all below them is made up, so that it reads as one
//! TCP connection: Ethernet, IPv4 or IPv6, and TCP with a handshake, running sequence numbers, acknowledgements and
//! valid checksums. So it also works where nothing else does, inside TLS. A PDU stands in it when it was read or
//! encoded, whatever the network did with it.
//!
//! Any number of sessions write into one file. There is no I/O here: the file is a function that takes octets.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::sync::{Arc, Mutex};
//! use std::time::{SystemTime, UNIX_EPOCH};
//!
//! use smpp_core::Bind;
//! use smpp_core::pcap::Capture;
//! use smpp_core::session::{Config, Direction, Esme, Instant, Session};
//!
//! // A `File` in place of the `Vec`, in a program.
//! let file = Arc::new(Mutex::new(Vec::new()));
//! let capture = Capture::new({
//!     let file = Arc::clone(&file);
//!     move |octets: &[u8]| file.lock().unwrap().extend_from_slice(octets)
//! });
//!
//! let (local, peer) = (SocketAddr::from(([10, 0, 0, 1], 49152)), SocketAddr::from(([10, 0, 0, 2], 2775)));
//! // The wall clock at `Instant::ZERO` of the session.
//! let epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
//! let stream = capture.stream(local, peer, Direction::Out, epoch);
//! // With an adapter: `client.observe(stream)`.
//! let mut session = Session::<Esme, (), _>::with_observer(Config::default(), Instant::ZERO, stream);
//! session.request(Instant::ZERO, &Bind::default(), ()).expect("nothing is in the way of a first bind");
//! drop(session);
//! // The head of the file, three segments of the handshake, the bind of 23 octets, three segments of the end.
//! assert_eq!(file.lock().unwrap().len(), 24 + 7 * (16 + 54) + 23);
//! # Ok::<(), std::time::SystemTimeError>(())
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::session::{Direction, Instant, ObservedPdu, Observer};

/// libpcap's file format, big-endian with nanoseconds: version 2.4, no time zone, packets of 256 KiB at most, Ethernet.
const FILE_HEADER: [u32; 6] = [0xA1B2_3C4D, 0x0002_0004, 0, 0, 0x0004_0000, 1];

/// Octets that an Ethernet frame carries, the headers of IP and TCP included.
const MTU: usize = 1500;
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 20;

/// RFC 9293 §3.1, and the protocol's number (RFC 790).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const TCP_PROTOCOL: u8 = 6;

/// Octets that a side takes before it acknowledges: half of the window that the headers state.
const UNACKNOWLEDGED: u32 = 0x7FFF;
const WINDOW: u16 = 0xFFFF;

/// A pcap file that is being written.
pub struct Capture<W> {
    sink: W,
}

impl<W: FnMut(&[u8]) + Clone> Capture<W> {
    /// Begins a file. `sink` appends octets to it; its clones append to the same file, and each call is to be appended as
    /// a whole: a lock around the file does.
    pub fn new(mut sink: W) -> Self {
        sink(FILE_HEADER.map(u32::to_be_bytes).as_flattened());
        Self { sink }
    }

    /// One connection: the observer of one session.
    ///
    /// `opened` says who has connected: us, [`Direction::Out`], as an ESME does, or the peer. `epoch` is the time since
    /// 1970-01-01 00:00 UTC at the session's [`Instant::ZERO`]; the file's clock ends in 2106. Addresses may be made up. An
    /// IPv4 address beside an IPv6 address is written in its IPv6 form.
    ///
    /// The connection begins with the first PDU, and ends when the observer is dropped.
    pub fn stream(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        opened: Direction,
        epoch: Duration,
    ) -> Stream<W> {
        let (local_ip, peer_ip) = match (local.ip(), peer.ip()) {
            (IpAddr::V4(local), peer @ IpAddr::V6(_)) => (local.to_ipv6_mapped().into(), peer),
            (local @ IpAddr::V6(_), IpAddr::V4(peer)) => (local, peer.to_ipv6_mapped().into()),
            same => same,
        };
        let end = |address, port, mac| End { address, port, mac, sequence: 0, unacknowledged: 0 };
        Stream {
            sink: self.sink.clone(),
            local: end(local_ip, local.port(), 1),
            peer: end(peer_ip, peer.port(), 2),
            opened,
            epoch,
            last: None,
            record: Vec::new(),
        }
    }
}

impl<W> fmt::Debug for Capture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

/// Writes what it observes as one TCP connection: see [`Capture::stream`].
pub struct Stream<W: FnMut(&[u8])> {
    sink: W,
    local: End,
    peer: End,
    opened: Direction,
    epoch: Duration,
    /// When the last PDU was seen.
    last: Option<Instant>,
    record: Vec<u8>,
}

/// One end of the connection.
struct End {
    address: IpAddr,
    port: u16,
    mac: u8,
    /// Of the next octet that it sends.
    sequence: u32,
    /// Octets that it has sent and the other end has not acknowledged.
    unacknowledged: u32,
}

impl<W: FnMut(&[u8])> Observer for Stream<W> {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        if self.last.is_none() {
            self.segment(at, self.opened, SYN, &[]);
            self.segment(at, opposite(self.opened), SYN | ACK, &[]);
            self.segment(at, self.opened, ACK, &[]);
        }
        self.last = Some(at);
        let octets = pdu.octets();
        let mut segments = octets.chunks(self.payload_limit()).peekable();
        while let Some(octets) = segments.next() {
            // The last one pushes what the receiver holds to its application.
            let flags = if segments.peek().is_some() { ACK } else { ACK | PSH };
            if self.segment(at, direction, flags, octets) > UNACKNOWLEDGED {
                self.segment(at, opposite(direction), ACK, &[]);
            }
        }
    }
}

impl<W: FnMut(&[u8])> Drop for Stream<W> {
    fn drop(&mut self) {
        if let Some(at) = self.last {
            self.segment(at, self.opened, FIN | ACK, &[]);
            self.segment(at, opposite(self.opened), FIN | ACK, &[]);
            self.segment(at, self.opened, ACK, &[]);
        }
    }
}

impl<W: FnMut(&[u8])> Stream<W> {
    fn payload_limit(&self) -> usize {
        MTU - TCP - if self.local.address.is_ipv4() { IPV4 } else { IPV6 }
    }

    /// Writes one segment, and gives how many octets of its sender are not acknowledged yet.
    fn segment(&mut self, at: Instant, direction: Direction, flags: u8, octets: &[u8]) -> u32 {
        let (from, to) = match direction {
            Direction::Out => (&mut self.local, &mut self.peer),
            Direction::In => (&mut self.peer, &mut self.local),
        };
        let record = &mut self.record;
        record.clear();
        // Each is far below 64 KiB.
        let segment = (TCP + octets.len()) as u16;
        let network = if from.address.is_ipv4() { IPV4 } else { IPV6 };
        let length = (ETHERNET + network) as u32 + u32::from(segment);
        let time = self.epoch.saturating_add(at - Instant::ZERO);
        let head = [time.as_secs() as u32, time.subsec_nanos(), length, length];
        record.extend_from_slice(head.map(u32::to_be_bytes).as_flattened());

        // Addresses of a locally administered kind.
        record.extend_from_slice(&[2, 0, 0, 0, 0, to.mac, 2, 0, 0, 0, 0, from.mac]);
        let pseudo_header = ip(record, from.address, to.address, segment);

        let acknowledged = if flags & ACK == 0 { 0 } else { to.sequence };
        let (sequence, acknowledged) = (halves(from.sequence), halves(acknowledged));
        let header = |checksum| {
            // Five words of 32 bits, and the flags.
            let flags = 0x5000 | u16::from(flags);
            let words = [
                from.port,
                to.port,
                sequence.0,
                sequence.1,
                acknowledged.0,
                acknowledged.1,
                flags,
                WINDOW,
                checksum,
                0,
            ];
            words.map(u16::to_be_bytes)
        };
        let checksum = !folded(pseudo_header + sum(header(0).as_flattened()) + sum(octets));
        record.extend_from_slice(header(checksum).as_flattened());
        record.extend_from_slice(octets);
        (self.sink)(record);

        let sent = octets.len() as u32;
        from.sequence = from.sequence.wrapping_add(sent + u32::from(flags & (SYN | FIN) != 0));
        from.unacknowledged += sent;
        to.unacknowledged = 0;
        from.unacknowledged
    }
}

impl<W: FnMut(&[u8])> fmt::Debug for Stream<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: &End| SocketAddr::new(end.address, end.port);
        f.debug_struct("Stream")
            .field("local", &end(&self.local))
            .field("peer", &end(&self.peer))
            .finish_non_exhaustive()
    }
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::In => Direction::Out,
        Direction::Out => Direction::In,
    }
}

/// Writes the EtherType and the header of a packet with so many octets of TCP, and gives the sum of what TCP's checksum
/// covers of it (RFC 9293 §3.1, RFC 8200 §8.1).
fn ip(out: &mut Vec<u8>, from: IpAddr, to: IpAddr, length: u16) -> u32 {
    let addresses = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let addresses = [from.octets(), to.octets()];
            out.extend_from_slice(&[0x08, 0x00]);
            let total = (IPV4 as u16 + length).to_be_bytes();
            // Version 4, five words; the packet is not to be fragmented; 64 hops.
            let head = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, TCP_PROTOCOL];
            let checksum = !folded(sum(&head) + sum(addresses.as_flattened()));
            out.extend_from_slice(&head);
            out.extend_from_slice(&checksum.to_be_bytes());
            out.extend_from_slice(addresses.as_flattened());
            sum(addresses.as_flattened())
        }
        (from, to) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            let addresses = [octets(from), octets(to)];
            out.extend_from_slice(&[0x86, 0xDD, 0x60, 0, 0, 0]);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&[TCP_PROTOCOL, 64]);
            out.extend_from_slice(addresses.as_flattened());
            sum(addresses.as_flattened())
        }
    };
    addresses + u32::from(TCP_PROTOCOL) + u32::from(length)
}

const fn halves(number: u32) -> (u16, u16) {
    ((number >> 16) as u16, number as u16)
}

/// The sum of the 16-bit words; an octet that is left over is the high one of a word (RFC 1071). Of 64 KiB at most, it
/// stays below 2^31.
fn sum(octets: &[u8]) -> u32 {
    octets
        .chunks(2)
        .map(|word| match *word {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(high) << 8,
            _ => 0,
        })
        .sum()
}

/// With the carries added in.
const fn folded(sum: u32) -> u16 {
    let once = (sum >> 16) + (sum & 0xFFFF);
    ((once >> 16) + (once & 0xFFFF)) as u16
}
