//! Corrupted octets: between two PDUs of one direction of a connection comes what is no correct PDU, or octets of a PDU of the
//! account or the SMSC are changed.
//!
//! The models can judge what follows. The receiver closes the connection if the length is impossible. Otherwise it goes on, and
//! cannot know the PDU for what it was: it is lost, and its sender hears at most that it was refused.

use smpp_proto::{Frame, SequenceNumber, Tolerance, frame};

use super::super::context::Context;
use super::super::harness::rng::Rng;
use super::super::log::{ConnectionId, request_index, segment_of_pdu};
use super::super::messages::{Seen, Verdict};
use super::{Connection, Smsc};

/// No session of a scenario sends so many requests: a response to such a PDU belongs to none of them.
const SEQUENCE: u32 = 0x7FFF_FF00;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Junk {
    /// A header with an impossible length.
    Length(u32),
    /// A request that does not exist.
    Request,
    /// A response that does not exist.
    Response,
    /// An alert_notification with a malformed body.
    Body,
    /// Octets of the next PDU are changed.
    Within(Change),
}

/// Which octets of a PDU are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// To a command that does not exist: a request if it was one, otherwise a response.
    Command,
    /// To a sequence number that the receiver does not know.
    Sequence,
    /// All octets of the body of a request, so that no field ends.
    Body,
}

impl Change {
    /// Changes a PDU, and returns whether it has such octets.
    fn apply(self, rng: &mut Rng, pdu: &mut [u8]) -> bool {
        let (header, body) = pdu.split_at_mut(16);
        match self {
            Self::Command => header[5..8].copy_from_slice(&[0, 0x07, 0x77]),
            Self::Sequence => {
                let sequence = SEQUENCE + 1 + rng.index(200) as u32;
                header[12..].copy_from_slice(&sequence.to_be_bytes());
            }
            // The tolerance of the receiver could take such a response for one with another id.
            Self::Body if body.is_empty() || header[4] != 0 => return false,
            Self::Body => body.fill(0xFF),
        }
        true
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Sequence => "sequence number",
            Self::Body => "fields",
        }
    }
}

impl Junk {
    /// Returns what comes between two PDUs; `None` if it changes one.
    fn octets(self) -> Option<Vec<u8>> {
        let (length, command, body): (_, u32, &[u8]) = match self {
            Self::Within(_) => return None,
            Self::Length(length) => (length, 0x0000_0005, &[]),
            Self::Request => (19, 0x0000_0777, &[0xFF; 3]),
            Self::Response => (19, 0x8000_0777, &[0xFF; 3]),
            Self::Body => (19, 0x0000_0102, &[0xFF; 3]),
        };
        let header = [length, command, 0, SEQUENCE].map(u32::to_be_bytes);
        Some([header.as_flattened(), body].concat())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Length(_) => "length",
            Self::Request => "request",
            Self::Response => "response",
            Self::Body => "body",
            Self::Within(change) => change.name(),
        }
    }
}

/// The connections with an impossible length: only these may be closed for that.
#[derive(Default)]
pub(crate) struct Corrupted {
    up: Vec<ConnectionId>,
    down: Vec<ConnectionId>,
    /// The PDUs of the account of which octets were changed.
    changed: Vec<(ConnectionId, SequenceNumber)>,
    /// The requests about messages that the SMSC cannot read.
    requests: Vec<usize>,
}

impl Corrupted {
    /// Checks that the SMSC may close the connection because of its framing.
    pub(super) fn check_up(&self, connection: ConnectionId) {
        assert!(self.up.contains(&connection), "the SMSC closes connection {connection}");
    }

    /// Checks that the SMSC may be unable to read a PDU of the account.
    pub(super) fn check_changed(&self, connection: ConnectionId, sequence: SequenceNumber) {
        let is_changed = self.changed.contains(&(connection, sequence));
        assert!(is_changed, "the account sends correct PDUs on {connection}");
    }

    /// Returns whether octets of a request about a message were changed.
    pub(crate) fn has_changed(&self, request: usize) -> bool {
        self.requests.contains(&request)
    }

    /// Checks that the account may close the connection because of its framing.
    pub(crate) fn check_down(&self, connection: ConnectionId) {
        assert!(self.down.contains(&connection), "the account closes connection {connection}");
    }
}

impl Connection {
    /// Draws what comes next in one of the directions.
    pub(super) fn corrupt(&mut self, rng: &mut Rng) {
        let length = rng.pick(&[0, 1, 15, 0x0100_0000, u32::MAX]);
        let is_up = rng.chance(500);
        let change = rng.pick(&[Change::Command, Change::Sequence, Change::Body]);
        let junk = if rng.chance(500) {
            Junk::Within(change)
        } else {
            rng.pick(&[Junk::Length(length), Junk::Request, Junk::Response, Junk::Body])
        };
        *(if is_up { &mut self.junk_up } else { &mut self.junk_down }) = Some(junk);
    }

    /// Records that so many octets of the account have left. Returns the segment that was changed, if all its octets have.
    pub(crate) fn leave(&mut self, octets: usize) -> Option<Seen> {
        let (left, message, segment) = self.changed.take()?;
        if octets < left {
            self.changed = Some((left - octets, message, segment));
            return None;
        }
        Some(Seen { message, segment, verdict: Verdict::Corrupted })
    }

    /// Changes octets in one of the PDUs that the SMSC sends next, if it is to.
    pub(super) fn change_down(&mut self, context: &mut Context) {
        if change_pdu(context, &mut self.server_output, self.junk_down).is_some() {
            self.junk_down = None;
            context.trace(|| format!("  corrupted on {}, down", self.id));
            context.count(|| "corrupted PDU down".into());
        }
    }
}

/// Changes one of the PDUs in `output`, which begins with a whole one. Returns the PDU as it was, and where it ends.
fn change_pdu(
    context: &mut Context,
    output: &mut [u8],
    junk: Option<Junk>,
) -> Option<(Change, Vec<u8>, usize)> {
    let Some(Junk::Within(change)) = junk else { return None };
    let mut whole = Vec::new();
    let mut rest = &output[..];
    while let Ok(Some((frame, after))) = frame::split(rest, 100_000) {
        whole.push((output.len() - rest.len(), frame.octets().len()));
        rest = after;
    }
    let (at, length) = *whole.get(context.rng.index(whole.len().max(1)))?;
    let pdu = &mut output[at..at + length];
    let before = pdu.to_vec();
    if !change.apply(&mut context.rng, pdu) {
        return None;
    }
    context.trace(|| format!("  {} changed of {:02X?}", change.name(), &before[..16]));
    context.count(|| format!("corrupted {} of a PDU", change.name()));
    Some((change, before, at + length))
}

impl Smsc {
    /// Corrupts what the account sends next: no part of a PDU waits for the connection.
    pub(crate) fn corrupt_up(&mut self, context: &mut Context, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.iter_mut().find(|it| it.id == id) else { return false };
        let Some(junk) = connection.junk_up.filter(|_| connection.output.is_empty()) else { return false };
        let Some(octets) = junk.octets() else { return false };
        if !connection.up.inject(context.now, octets) {
            return false;
        }
        connection.junk_up = None;
        if let Junk::Length(_) = junk {
            self.corrupted.up.push(id);
        }
        context.trace(|| format!("  corrupted on {id}, up: {junk:?}"));
        context.count(|| format!("corrupted {} up", junk.name()));
        true
    }

    /// Changes octets in one of the PDUs that the account sends next, if it is to.
    pub(crate) fn change_up(&mut self, context: &mut Context, id: ConnectionId) {
        let Some(connection) = self.connections.iter_mut().find(|it| it.id == id) else { return };
        let Some((change, before, end)) = change_pdu(context, &mut connection.output, connection.junk_up)
        else {
            return;
        };
        connection.junk_up = None;
        context.trace(|| format!("  corrupted on {id}, up"));
        context.count(|| "corrupted PDU up".into());
        let Some(frame) = Frame::new(&before[..]) else { return };
        let changed = (id, frame.header().sequence);
        self.corrupted.changed.push(changed);
        if let Some(host) = &self.host {
            host.log.borrow_mut().corrupted.push(changed);
        }
        let pdu = frame.into_pdu(Tolerance::STRICT).ok();
        let Some((pdu, _)) = pdu.filter(|_| change != Change::Sequence) else { return };
        self.corrupted.requests.extend(request_index(&pdu));
        if let Some((message, segment)) = segment_of_pdu(&pdu) {
            connection.changed = Some((end, message, segment));
        }
    }

    /// Corrupts what the SMSC sends next on each connection.
    pub(super) fn corrupt_down(&mut self, context: &mut Context) -> bool {
        let mut any = false;
        for connection in &mut self.connections {
            let Some(junk) = connection.junk_down.filter(|_| connection.server_output.is_empty()) else {
                continue;
            };
            let Some(octets) = junk.octets() else { continue };
            if connection.closed_by_account || !connection.down.inject(context.now, octets) {
                continue;
            }
            connection.junk_down = None;
            let id = connection.id;
            if let Junk::Length(_) = junk {
                self.corrupted.down.push(id);
            }
            context.trace(|| format!("  corrupted on {id}, down: {junk:?}"));
            context.count(|| format!("corrupted {} down", junk.name()));
            any = true;
        }
        any
    }
}
