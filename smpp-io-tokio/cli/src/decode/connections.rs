//! TCP connections: which of them carry SMPP, and their PDUs.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use super::dump::{Output, Place};
use super::pdus::{PLAUSIBLE, Pdus, is_plausible};
use super::stream::{Piece, Reassembly};

/// The ports of SMPP, plain and over TLS: their streams are decoded even if they do not begin like SMPP.
const PORTS: [u16; 2] = [2775, 2776];

/// What to decode, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Decode only this port.
    pub(super) port: Option<u16>,
    pub(super) max_pdu: usize,
    pub(super) resync: bool,
}

/// A captured TCP segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    /// The time since the first packet.
    pub(super) time: Duration,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) octets: &'a [u8],
    /// Octets at its end that were not captured.
    pub(super) cut: u32,
}

/// Follows each direction of each connection.
///
/// A direction holds at most one PDU and the segments that arrived out of order. Closed directions are kept, almost
/// empty, so that a late retransmission is recognized.
#[derive(Debug)]
pub(super) struct Connections {
    options: Options,
    directions: BTreeMap<(SocketAddr, SocketAddr), Direction>,
    /// The time of the last segment.
    now: Duration,
    /// How many directions carry SMPP, TLS or something else.
    found: BTreeMap<Protocol, u64>,
}

#[derive(Debug)]
struct Direction {
    order: Reassembly,
    /// Whether the SYN was seen.
    whole: bool,
    /// Whether it carries SMPP.
    smpp: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Too few octets to decide.
    Undecided(Vec<u8>),
    Smpp(Pdus),
    /// TLS, and the number of octets that were skipped.
    Tls(u64),
    /// Something else, and the number of octets that were skipped.
    Other(u64),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Smpp,
    Tls,
    Other,
}

impl Connections {
    pub(super) fn new(options: Options) -> Self {
        Self { options, directions: BTreeMap::new(), now: Duration::ZERO, found: BTreeMap::new() }
    }

    /// Adds a segment and writes what it completes.
    pub(super) fn segment(&mut self, dump: &mut impl Output, segment: &Segment<'_>) -> io::Result<()> {
        let Segment { from, to, syn, fin, rst, octets, cut, .. } = *segment;
        if self.options.port.is_some_and(|port| port != from.port() && port != to.port()) {
            return Ok(());
        }
        self.now = segment.time;
        // The SYN has a sequence number of its own.
        let sequence = segment.sequence.wrapping_add(syn.into());
        if syn && self.directions.get(&(from, to)).is_some_and(|known| known.order.is_other(sequence)) {
            self.end(dump, from, to)?;
            self.directions.remove(&(from, to));
            self.directions.remove(&(to, from));
        }
        let carries = !rst && (!octets.is_empty() || fin || cut > 0);
        if syn || carries {
            let direction = self.directions.entry((from, to)).or_insert_with(|| Direction::new(syn));
            direction.order.segment(sequence, octets, cut, fin);
            self.read(dump, from, to)?;
        }
        if rst { self.end(dump, from, to) } else { Ok(()) }
    }

    /// Writes what is left at the end of the capture.
    pub(super) fn finish(&mut self, dump: &mut impl Output) -> io::Result<()> {
        let open: Vec<_> = self.directions.keys().copied().collect();
        for (from, to) in open {
            self.end(dump, from, to)?;
        }
        let count = |protocol| self.found.get(&protocol).copied().unwrap_or_default();
        if count(Protocol::Smpp) > 0 {
            return Ok(());
        }
        let (tls, other) = (count(Protocol::Tls), count(Protocol::Other));
        let found = format_args!("{tls} directions of TCP connections carry TLS, {other} something else");
        dump.failure(Place::Input, format_args!("no SMPP was found: {found} (--port N reads a port as SMPP)"))
    }

    /// Ends both directions: no more segments arrive.
    fn end(&mut self, dump: &mut impl Output, from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        for (from, to) in [(from, to), (to, from)] {
            if let Some(direction) = self.directions.get_mut(&(from, to)) {
                direction.order.end();
                self.read(dump, from, to)?;
            }
        }
        Ok(())
    }

    /// Decodes one direction, as far as its octets are in order.
    fn read(&mut self, dump: &mut impl Output, from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        let Options { port, max_pdu, resync } = self.options;
        let place = Place::Stream { from, to, time: self.now };
        let peer_is_smpp = self.directions.get(&(to, from)).is_some_and(|peer| peer.smpp);
        // With --port, all other segments were skipped.
        let known_port = port.is_some() || [from, to].iter().any(|end| PORTS.contains(&end.port()));
        let expected = known_port || peer_is_smpp;
        let Some(direction) = self.directions.get_mut(&(from, to)) else { return Ok(()) };

        while let Some(mut piece) = direction.order.piece() {
            if let Content::Undecided(first) = &mut direction.content {
                let protocol = match &mut piece {
                    Piece::Octets(octets) => {
                        first.append(octets);
                        protocol(first, expected, max_pdu)
                    }
                    Piece::Lost(_) if expected => Some(Protocol::Smpp),
                    Piece::Lost(_) => Some(Protocol::Other),
                };
                let Some(protocol) = protocol else { continue };
                *self.found.entry(protocol).or_default() += 1;
                direction.smpp = protocol == Protocol::Smpp;
                let octets = first.len() as u64;
                direction.content = match protocol {
                    Protocol::Smpp => {
                        if !direction.whole {
                            dump.note(place, "begins in mid-stream: the capture has no SYN of it")?;
                        }
                        let mut pdus = Pdus::new(max_pdu, resync);
                        pdus.push(first);
                        Content::Smpp(pdus)
                    }
                    Protocol::Tls if expected => {
                        dump.failure(place, "is TLS: cannot be read")?;
                        Content::Tls(octets)
                    }
                    Protocol::Tls | Protocol::Other => Content::Other(octets),
                };
            }
            match (&mut direction.content, piece) {
                (Content::Smpp(pdus), Piece::Octets(octets)) => {
                    pdus.push(&octets);
                    dump.pdus(place, pdus)?;
                }
                (Content::Smpp(pdus), Piece::Lost(lost)) => {
                    dump.pdus(place, pdus)?;
                    if pdus.lose() {
                        let what = format_args!("{lost} octets are missing from the capture");
                        dump.failure(place, format_args!("{what}: the stream cannot be read on"))?;
                    }
                }
                (Content::Tls(unread) | Content::Other(unread), Piece::Octets(octets)) => {
                    *unread += octets.len() as u64;
                }
                (Content::Undecided(_) | Content::Closed, _) | (_, Piece::Lost(_)) => {}
            }
        }

        if !direction.order.is_over() {
            return Ok(());
        }
        match mem::replace(&mut direction.content, Content::Closed) {
            Content::Smpp(pdus) => dump.rest(place, &pdus),
            Content::Undecided(first) if expected => {
                let mut pdus = Pdus::new(max_pdu, resync);
                pdus.push(&first);
                dump.rest(place, &pdus)
            }
            Content::Tls(unread) => dump.failure(place, format_args!("{unread} octets were left unread")),
            Content::Other(unread) if peer_is_smpp => {
                let why = "they do not begin like the SMPP of the other direction";
                dump.failure(place, format_args!("{unread} octets were left unread: {why}"))
            }
            Content::Undecided(_) | Content::Other(_) | Content::Closed => Ok(()),
        }
    }
}

impl Direction {
    fn new(whole: bool) -> Self {
        let content = Content::Undecided(Vec::new());
        Self { order: Reassembly::default(), whole, smpp: false, content }
    }
}

/// Returns what a stream with this beginning carries; `None` if more octets are needed.
fn protocol(first: &[u8], expected: bool, max_pdu: usize) -> Option<Protocol> {
    match first {
        // Record types of TLS, and its major version (RFC 8446 §5.1).
        [0x14..=0x17, 3, ..] => Some(Protocol::Tls),
        [_, _, ..] if expected => Some(Protocol::Smpp),
        _ if first.len() < PLAUSIBLE => None,
        _ if is_plausible(first, max_pdu) => Some(Protocol::Smpp),
        _ => Some(Protocol::Other),
    }
}
