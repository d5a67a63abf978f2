//! Corrupted octets: between two PDUs of one direction of a connection comes what is no correct PDU.
//!
//! No PDU of the test is changed, so the models can judge what follows: the receiver closes the connection if the length is
//! impossible, and otherwise goes on.

use super::super::context::Context;
use super::super::harness::rng::Rng;
use super::super::log::ConnectionId;
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
}

impl Junk {
    fn octets(self) -> Vec<u8> {
        let (length, command, body): (_, u32, &[u8]) = match self {
            Self::Length(length) => (length, 0x0000_0005, &[]),
            Self::Request => (19, 0x0000_0777, &[0xFF; 3]),
            Self::Response => (19, 0x8000_0777, &[0xFF; 3]),
            Self::Body => (19, 0x0000_0102, &[0xFF; 3]),
        };
        let header = [length, command, 0, SEQUENCE].map(u32::to_be_bytes);
        [header.as_flattened(), body].concat()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Length(_) => "length",
            Self::Request => "request",
            Self::Response => "response",
            Self::Body => "body",
        }
    }
}

/// The connections with an impossible length: only these may be closed for that.
#[derive(Default)]
pub(crate) struct Corrupted {
    up: Vec<ConnectionId>,
    down: Vec<ConnectionId>,
}

impl Corrupted {
    /// Checks that the SMSC may close the connection because of its framing.
    pub(super) fn check_up(&self, connection: ConnectionId) {
        assert!(self.up.contains(&connection), "the SMSC closes connection {connection}");
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
        let junk = rng.pick(&[Junk::Length(length), Junk::Request, Junk::Response, Junk::Body]);
        *(if is_up { &mut self.junk_up } else { &mut self.junk_down }) = Some(junk);
    }
}

impl Smsc {
    /// Corrupts what the account sends next: no part of a PDU waits for the connection.
    pub(crate) fn corrupt_up(&mut self, context: &mut Context, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.iter_mut().find(|it| it.id == id) else { return false };
        let Some(junk) = connection.junk_up.filter(|_| connection.output.is_empty()) else { return false };
        if !connection.up.inject(context.now, junk.octets()) {
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

    /// Corrupts what the SMSC sends next on each connection.
    pub(super) fn corrupt_down(&mut self, context: &mut Context) -> bool {
        let mut any = false;
        for connection in &mut self.connections {
            let Some(junk) = connection.junk_down.filter(|_| connection.server_output.is_empty()) else {
                continue;
            };
            if connection.closed_by_account || !connection.down.inject(context.now, junk.octets()) {
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
