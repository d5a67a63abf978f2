//! Writes the PDUs of sessions to a pcap file, which Wireshark and tshark can open. Feature `pcap`.
//!
//! A [`CaptureStream`] is the [`Observer`] of one session, and writes the session as one TCP connection. The PDUs are
//! the real ones, with passwords replaced by asterisks. The layers below are synthetic: Ethernet, IPv4 or IPv6, and TCP
//! with handshake, sequence numbers, acknowledgements and valid checksums. So a capture also works for sessions over
//! TLS, where a network capture is encrypted.
//!
//! A PDU is written when the session decodes or encodes it. The file does not show what the network did with the PDU.
//!
//! Several sessions can write to one file. The module does no I/O: the caller passes a function that appends octets to
//! the file.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::sync::{Arc, Mutex};
//! use std::time::{SystemTime, UNIX_EPOCH};
//!
//! use smpp_proto::Bind;
//! use smpp_proto::pcap::Capture;
//! use smpp_proto::session::{Config, Direction, Esme, Instant, Session};
//!
//! // A program uses a `File` instead of the `Vec`.
//! let file = Arc::new(Mutex::new(Vec::new()));
//! let capture = Capture::new({
//!     let file = Arc::clone(&file);
//!     move |octets: &[u8]| file.lock().unwrap().extend_from_slice(octets)
//! });
//!
//! let (local, peer) = (SocketAddr::from(([10, 0, 0, 1], 49152)), SocketAddr::from(([10, 0, 0, 2], 2775)));
//! // The system time at `Instant::ZERO` of the session.
//! let epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
//! let stream = capture.stream(local, peer, Direction::Out, epoch);
//! // With an adapter: `client.observe(stream)`.
//! let mut session = Session::<Esme, (), _>::with_observer(Config::default(), Instant::ZERO, stream);
//! session.request(Instant::ZERO, &Bind::default(), ()).expect("a new session accepts a bind");
//! drop(session);
//! // The file header, three TCP segments of the handshake, the bind of 23 octets, three segments that close.
//! assert_eq!(file.lock().unwrap().len(), 24 + 7 * (16 + 54) + 23);
//! # Ok::<(), std::time::SystemTimeError>(())
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::session::{Direction, Instant, ObservedPdu, Observer};

/// The file header of libpcap, big-endian with nanosecond timestamps: version 2.4, UTC, packets of at most 256 KiB,
/// Ethernet.
const FILE_HEADER: [u32; 6] = [0xA1B2_3C4D, 0x0002_0004, 0, 0, 0x0004_0000, 1];

/// The maximum octets of an IP packet in an Ethernet frame, including the headers of IP and TCP.
const MTU: usize = 1500;
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 20;

/// The TCP flags (RFC 9293 §3.1), and the protocol number of TCP (RFC 790).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const TCP_PROTOCOL: u8 = 6;

/// After more than this many octets a side acknowledges: half of the window in the headers.
const MAX_UNACKNOWLEDGED: u32 = 0x7FFF;
const WINDOW: u16 = 0xFFFF;

/// A pcap file that sessions write to.
pub struct Capture<W> {
    sink: W,
}

impl<W: FnMut(&[u8]) + Clone> Capture<W> {
    /// Starts a file: passes the file header to `sink`.
    ///
    /// `sink` must append its argument to the file. Every [`CaptureStream`] gets a clone of it, and all clones must
    /// append to the same file. The octets of one call must stay together, so protect the file with a lock.
    pub fn new(mut sink: W) -> Self {
        sink(FILE_HEADER.map(u32::to_be_bytes).as_flattened());
        Self { sink }
    }

    /// Returns the observer of one session, which writes one TCP connection.
    ///
    /// - `local` and `peer` are the addresses in the file. They need not be real. If only one of them is IPv4, it is
    ///   written in its IPv6-mapped form.
    /// - `opened` states which side opened the connection: [`Direction::Out`] for this side, as an ESME does,
    ///   [`Direction::In`] for the peer.
    /// - `epoch` is the time from 1970-01-01 00:00 UTC to [`Instant::ZERO`] of the session. The timestamps of the file
    ///   format end in 2106.
    ///
    /// The TCP handshake is written with the first PDU, the end of the connection when the observer is dropped.
    pub fn stream(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        opened: Direction,
        epoch: Duration,
    ) -> CaptureStream<W> {
        let (local_ip, peer_ip) = match (local.ip(), peer.ip()) {
            (IpAddr::V4(local), peer @ IpAddr::V6(_)) => (local.to_ipv6_mapped().into(), peer),
            (local @ IpAddr::V6(_), IpAddr::V4(peer)) => (local, peer.to_ipv6_mapped().into()),
            same => same,
        };
        let side = |address, port, mac| Side { address, port, mac, sequence: 0, unacknowledged: 0 };
        CaptureStream {
            sink: self.sink.clone(),
            local: side(local_ip, local.port(), 1),
            peer: side(peer_ip, peer.port(), 2),
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

/// An observer that writes one session as one TCP connection. See [`Capture::stream`].
pub struct CaptureStream<W: FnMut(&[u8])> {
    sink: W,
    local: Side,
    peer: Side,
    opened: Direction,
    epoch: Duration,
    /// The time of the last PDU. `None` before the first.
    last: Option<Instant>,
    record: Vec<u8>,
}

/// One side of the TCP connection.
struct Side {
    address: IpAddr,
    port: u16,
    mac: u8,
    /// The sequence number of the next octet that this side sends.
    sequence: u32,
    /// The octets that this side sent and the other side has not acknowledged.
    unacknowledged: u32,
}

impl<W: FnMut(&[u8])> Observer for CaptureStream<W> {
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
            // The last TCP segment of a PDU has the push flag.
            let flags = if segments.peek().is_some() { ACK } else { ACK | PSH };
            if self.segment(at, direction, flags, octets) > MAX_UNACKNOWLEDGED {
                self.segment(at, opposite(direction), ACK, &[]);
            }
        }
    }
}

impl<W: FnMut(&[u8])> Drop for CaptureStream<W> {
    fn drop(&mut self) {
        if let Some(at) = self.last {
            self.segment(at, self.opened, FIN | ACK, &[]);
            self.segment(at, opposite(self.opened), FIN | ACK, &[]);
            self.segment(at, self.opened, ACK, &[]);
        }
    }
}

impl<W: FnMut(&[u8])> CaptureStream<W> {
    /// Returns the maximum payload of a TCP segment, in octets.
    fn payload_limit(&self) -> usize {
        MTU - TCP - if self.local.address.is_ipv4() { IPV4 } else { IPV6 }
    }

    /// Writes one TCP segment. Returns how many octets of its sender are not acknowledged.
    fn segment(&mut self, at: Instant, direction: Direction, flags: u8, octets: &[u8]) -> u32 {
        let (from, to) = match direction {
            Direction::Out => (&mut self.local, &mut self.peer),
            Direction::In => (&mut self.peer, &mut self.local),
        };
        let record = &mut self.record;
        record.clear();
        // Each segment is far below 64 KiB.
        let segment = (TCP + octets.len()) as u16;
        let network = if from.address.is_ipv4() { IPV4 } else { IPV6 };
        let length = (ETHERNET + network) as u32 + u32::from(segment);
        let time = self.epoch.saturating_add(at - Instant::ZERO);
        let head = [time.as_secs() as u32, time.subsec_nanos(), length, length];
        record.extend_from_slice(head.map(u32::to_be_bytes).as_flattened());

        // Locally administered MAC addresses.
        record.extend_from_slice(&[2, 0, 0, 0, 0, to.mac, 2, 0, 0, 0, 0, from.mac]);
        let pseudo_header = ip(record, from.address, to.address, segment);

        let acknowledged = if flags & ACK == 0 { 0 } else { to.sequence };
        let (sequence, acknowledged) = (halves(from.sequence), halves(acknowledged));
        let header = |checksum| {
            // The header length, five words of 32 bits, and the flags.
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
        let checksum = !fold(pseudo_header + sum(header(0).as_flattened()) + sum(octets));
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

impl<W: FnMut(&[u8])> fmt::Debug for CaptureStream<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |side: &Side| SocketAddr::new(side.address, side.port);
        f.debug_struct("CaptureStream")
            .field("local", &address(&self.local))
            .field("peer", &address(&self.peer))
            .finish_non_exhaustive()
    }
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::In => Direction::Out,
        Direction::Out => Direction::In,
    }
}

/// Writes the EtherType and the IP header of a packet with `length` octets of TCP. Returns the checksum of the
/// pseudo-header, which is part of the TCP checksum (RFC 9293 §3.1, RFC 8200 §8.1).
fn ip(out: &mut Vec<u8>, from: IpAddr, to: IpAddr, length: u16) -> u32 {
    let addresses = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let addresses = [from.octets(), to.octets()];
            out.extend_from_slice(&[0x08, 0x00]);
            let total = (IPV4 as u16 + length).to_be_bytes();
            // Version 4, header length of five words, "do not fragment", 64 hops.
            let head = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, TCP_PROTOCOL];
            let checksum = !fold(sum(&head) + sum(addresses.as_flattened()));
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

/// Splits a number into its upper and its lower half.
const fn halves(number: u32) -> (u16, u16) {
    ((number >> 16) as u16, number as u16)
}

/// Returns the sum of the 16-bit words. A last single octet counts as the high octet of a word (RFC 1071). For at most
/// 64 KiB the sum stays below 2^31.
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

/// Folds the carries into 16 bits.
const fn fold(sum: u32) -> u16 {
    let once = (sum >> 16) + (sum & 0xFFFF);
    ((once >> 16) + (once & 0xFFFF)) as u16
}
