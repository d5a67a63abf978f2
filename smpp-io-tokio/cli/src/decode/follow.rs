//! TCP connections: which of them speak SMPP, and what they say.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use crate::dump::Dump;
use crate::pdus::{PLAUSIBLE, Pdus, is_plausible};
use crate::stream::{Piece, Reassembly};

/// The ports of SMPP, plain and over TLS: read whatever the stream begins with.
const PORTS: [u16; 2] = [2775, 2776];

/// What to read, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Only this port.
    pub(crate) port: Option<u16>,
    pub(crate) max_pdu: usize,
    pub(crate) resync: bool,
}

/// A captured TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// Since the first packet.
    pub(crate) time: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) octets: &'a [u8],
    /// Octets at its end that were not captured.
    pub(crate) cut: u32,
}

/// Follows each direction of each connection.
///
/// A direction holds at most one PDU and what came out of order. Directions that were closed stay, almost
/// empty, so that a late retransmission is known for what it is.
#[derive(Debug)]
pub(crate) struct Connections {
    options: Options,
    directions: BTreeMap<(SocketAddr, SocketAddr), Direction>,
    /// When the last segment came.
    now: Duration,
    /// How many directions carry what.
    found: BTreeMap<Verdict, u64>,
}

#[derive(Debug)]
struct Direction {
    order: Reassembly,
    /// Whether the SYN was seen.
    whole: bool,
    /// Whether it was found to speak SMPP.
    smpp: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Too few octets to tell.
    Undecided(Vec<u8>),
    Smpp(Pdus),
    /// Something else, of which this many octets were left unread.
    Tls(u64),
    Other(u64),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Smpp,
    Tls,
    Other,
}

impl Connections {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, directions: BTreeMap::new(), now: Duration::ZERO, found: BTreeMap::new() }
    }

    /// Tells what the segment completes.
    pub(crate) fn segment(&mut self, dump: &mut Dump<impl Write>, segment: &Segment<'_>) -> io::Result<()> {
        let Segment { from, to, syn, fin, rst, octets, cut, .. } = *segment;
        if self.options.port.is_some_and(|port| port != from.port() && port != to.port()) {
            return Ok(());
        }
        self.now = segment.time;
        // The SYN takes a number of its own.
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

    /// The end of the capture.
    pub(crate) fn finish(&mut self, dump: &mut Dump<impl Write>) -> io::Result<()> {
        let open: Vec<_> = self.directions.keys().copied().collect();
        for (from, to) in open {
            self.end(dump, from, to)?;
        }
        let count = |verdict| self.found.get(&verdict).copied().unwrap_or_default();
        if count(Verdict::Smpp) > 0 {
            return Ok(());
        }
        let (tls, other) = (count(Verdict::Tls), count(Verdict::Other));
        let found = format_args!("{tls} directions of TCP connections carry TLS, {other} something else");
        dump.failure("", format_args!("no SMPP was found: {found} (--port N reads a port as SMPP)"))
    }

    /// Nothing more comes in either direction.
    fn end(&mut self, dump: &mut Dump<impl Write>, from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        for (from, to) in [(from, to), (to, from)] {
            if let Some(direction) = self.directions.get_mut(&(from, to)) {
                direction.order.end();
                self.read(dump, from, to)?;
            }
        }
        Ok(())
    }

    /// Reads on in one direction, as far as its octets are in order.
    fn read(&mut self, dump: &mut Dump<impl Write>, from: SocketAddr, to: SocketAddr) -> io::Result<()> {
        let Options { port, max_pdu, resync } = self.options;
        let place = place(from, to, self.now);
        let peer_speaks = self.directions.get(&(to, from)).is_some_and(|peer| peer.smpp);
        // With --port, nothing else gets here.
        let known_port = port.is_some() || [from, to].iter().any(|end| PORTS.contains(&end.port()));
        let expected = known_port || peer_speaks;
        let Some(direction) = self.directions.get_mut(&(from, to)) else { return Ok(()) };

        while let Some(mut piece) = direction.order.piece() {
            if let Content::Undecided(first) = &mut direction.content {
                let verdict = match &mut piece {
                    Piece::Octets(octets) => {
                        first.append(octets);
                        verdict(first, expected, max_pdu)
                    }
                    Piece::Lost(_) if expected => Some(Verdict::Smpp),
                    Piece::Lost(_) => Some(Verdict::Other),
                };
                let Some(verdict) = verdict else { continue };
                *self.found.entry(verdict).or_default() += 1;
                direction.smpp = verdict == Verdict::Smpp;
                let octets = first.len() as u64;
                direction.content = match verdict {
                    Verdict::Smpp => {
                        if !direction.whole {
                            dump.note(&place, "begins in mid-stream: the capture has no SYN of it")?;
                        }
                        let mut pdus = Pdus::new(max_pdu, resync);
                        pdus.push(first);
                        Content::Smpp(pdus)
                    }
                    Verdict::Tls if expected => {
                        dump.failure(&place, "is TLS: cannot be read")?;
                        Content::Tls(octets)
                    }
                    Verdict::Tls | Verdict::Other => Content::Other(octets),
                };
            }
            match (&mut direction.content, piece) {
                (Content::Smpp(pdus), Piece::Octets(octets)) => {
                    pdus.push(&octets);
                    dump.pdus(&place, pdus)?;
                }
                (Content::Smpp(pdus), Piece::Lost(lost)) => {
                    dump.pdus(&place, pdus)?;
                    if pdus.lose() {
                        let what = format_args!("{lost} octets are missing from the capture");
                        dump.failure(&place, format_args!("{what}: the stream cannot be read on"))?;
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
            Content::Smpp(pdus) => dump.rest(&place, &pdus),
            Content::Undecided(first) if expected => {
                let mut pdus = Pdus::new(max_pdu, resync);
                pdus.push(&first);
                dump.rest(&place, &pdus)
            }
            Content::Tls(unread) => dump.failure(&place, format_args!("{unread} octets were left unread")),
            Content::Other(unread) if peer_speaks => {
                let why = "they do not begin like the SMPP of the other direction";
                dump.failure(&place, format_args!("{unread} octets were left unread: {why}"))
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

/// What a stream carries that begins so. `None` if that is not enough to tell.
fn verdict(first: &[u8], expected: bool, max_pdu: usize) -> Option<Verdict> {
    match first {
        // Record types of TLS, and its major version (RFC 8446 §5.1).
        [0x14..=0x17, 3, ..] => Some(Verdict::Tls),
        [_, _, ..] if expected => Some(Verdict::Smpp),
        _ if first.len() < PLAUSIBLE => None,
        _ if is_plausible(first, max_pdu) => Some(Verdict::Smpp),
        _ => Some(Verdict::Other),
    }
}

fn place(from: SocketAddr, to: SocketAddr, time: Duration) -> String {
    format!("{from} -> {to}  t={}.{:06}  ", time.as_secs(), time.subsec_micros())
}
