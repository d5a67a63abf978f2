//! What one connection of the ESME did, and the checks of its deadlines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::CommandId;
use smpp_proto::session::{Config, Direction, ObservedPdu, Observer};
use tokio::time::Instant;

use crate::network::Trace;

/// A PDU of the ESME's session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) direction: Direction,
    pub(crate) command: CommandId,
    pub(crate) length: u64,
}

/// One connection of the ESME.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) trace: Arc<Mutex<Trace>>,
    pub(crate) pdus: Arc<Mutex<Vec<Seen>>>,
}

impl Observer for Connection {
    fn observe(&mut self, _: smpp_proto::session::Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        let header = pdu.header();
        self.pdus.lock().unwrap().push(Seen {
            at: Instant::now(),
            direction,
            command: header.command,
            length: header.length.into(),
        });
    }
}

impl Connection {
    /// Returns whether the ESME encoded a PDU with this command at this time.
    pub(crate) fn sent(&self, command: CommandId, at: Instant) -> bool {
        let pdus = self.pdus.lock().unwrap();
        pdus.iter().any(|seen| seen.direction == Direction::Out && seen.command == command && seen.at == at)
    }

    /// Returns whether the network accepted the end of a PDU with this command at this time.
    pub(crate) fn left(&self, command: CommandId, at: Instant) -> bool {
        let trace = self.trace.lock().unwrap();
        let mut end = 0;
        let pdus = self.pdus.lock().unwrap();
        pdus.iter().filter(|seen| seen.direction == Direction::Out).any(|seen| {
            end += seen.length;
            let write = trace.writes.iter().find(|write| write.total >= end);
            seen.command == command && write.is_some_and(|write| write.at == at)
        })
    }

    /// Lists the PDUs, and the time since the last one.
    pub(crate) fn listing(&self) -> String {
        let pdus = self.pdus.lock().unwrap();
        let since = pdus.last().map_or(Duration::ZERO, |seen| seen.at.elapsed());
        format!("{}\n{since:?} ago", listing(&pdus))
    }

    pub(crate) fn check(&self, config: &Config, shutdown: Instant) {
        self.check_writes();
        self.check_keep_alive(config, shutdown);
    }

    /// The session unbinds once it has drained.
    pub(crate) fn check_unbind(&self, by: Instant) {
        let pdus = self.pdus.lock().unwrap();
        let late = pdus.iter().find(|seen| seen.command == CommandId::UNBIND && seen.at > by);
        let is_late = late.is_some_and(|seen| seen.direction == Direction::Out);
        assert!(!is_late, "unbind after {by:?}: {}", listing(&pdus));
    }

    /// Every PDU leaves at the instant at which it is encoded, unless the network accepts nothing.
    fn check_writes(&self) {
        let trace = self.trace.lock().unwrap();
        let mut end = 0;
        for seen in self.pdus.lock().unwrap().iter().filter(|seen| seen.direction == Direction::Out) {
            end += seen.length;
            // The session may end before the network has accepted everything.
            let Some(write) = trace.writes.iter().find(|write| write.total >= end) else { continue };
            let was_blocked = || trace.writes.iter().any(|other| other.at == write.at && other.was_blocked);
            assert!(write.at == seen.at || was_blocked(), "{seen:?} left late: {write:?}");
        }
    }

    /// The session sends enquire_link exactly when the SMSC has been silent for the interval, or when a request times out.
    fn check_keep_alive(&self, config: &Config, shutdown: Instant) {
        let Some(interval) = config.enquire_link_interval else { return };
        let pdus = self.pdus.lock().unwrap();
        let sent = |command, at| {
            let is_it =
                |seen: &Seen| seen.direction == Direction::Out && seen.command == command && seen.at == at;
            pdus.iter().any(is_it)
        };
        let mut last = None;
        for seen in pdus.iter() {
            if seen.direction == Direction::In {
                last = Some(seen.at);
            } else if seen.command == CommandId::ENQUIRE_LINK {
                let due = last.map(|last| last + interval);
                let timed_out = seen.at.checked_sub(config.response_timeout);
                let is_timeout = timed_out.is_some_and(|at| sent(CommandId::SUBMIT_SM, at));
                assert!(
                    due == Some(seen.at) || is_timeout,
                    "enquire_link at {:?}, due at {due:?}: {}",
                    seen.at,
                    listing(&pdus)
                );
            }
        }
        // From the end of the stream on, the session only waits for the application's responses.
        let dropped = self.trace.lock().unwrap().dropped.map_or(shutdown, |at| at - config.drain_timeout);
        let unbound = pdus.iter().find(|seen| matches!(seen.command, CommandId::UNBIND));
        let until = unbound.map_or(shutdown, |seen| seen.at).min(dropped).min(shutdown);
        let heard: Vec<_> =
            pdus.iter().filter(|seen| seen.direction == Direction::In).map(|seen| seen.at).collect();
        for (index, at) in heard.iter().enumerate() {
            let next = heard.get(index + 1).copied().unwrap_or(until).min(until);
            if next > *at + interval + Duration::from_millis(1) {
                let asked = pdus.iter().any(|seen| {
                    seen.direction == Direction::Out
                        && seen.command == CommandId::ENQUIRE_LINK
                        && seen.at >= *at
                        && seen.at <= *at + interval
                });
                assert!(
                    asked,
                    "no enquire_link within the interval after {at:?}, until {until:?}: {}",
                    listing(&pdus)
                );
            }
        }
    }
}

/// Lists the PDUs with the milliseconds since the first.
fn listing(pdus: &[Seen]) -> String {
    let start = pdus.first().map(|seen| seen.at);
    let line = |seen: &Seen| {
        let at = start.map_or(0, |start| (seen.at - start).as_millis());
        format!("\n{at:>8} {:?} {}", seen.direction, seen.command)
    };
    pdus.iter().map(line).collect()
}
