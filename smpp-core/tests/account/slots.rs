//! A model of the connection slots: what the adapter does in each, and when the account may connect again.

use std::net::SocketAddr;
use std::time::Duration;

use smpp_core::account::{Backoff, LinkEvent, Options};
use smpp_core::session::{CloseReason, Instant};

use super::log::ConnectionId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    Idle,
    /// The adapter has just reported a result, and the account may connect at this time.
    Reported(Instant),
    Resolving(Instant),
    Connecting(SocketAddr, Instant),
    Open(ConnectionId),
    Closing(Instant),
}

pub(crate) struct Slot {
    pub(crate) state: SlotState,
    /// When the account emitted `Bound`.
    pub(crate) bound: Option<Instant>,
    refused: bool,
    not_before: Instant,
    failures: u32,
    /// Addresses of the host that the account has not tried yet.
    untried: Vec<SocketAddr>,
}

pub(crate) struct Slots {
    pub(crate) all: Vec<Slot>,
    options: Options,
    last_start: Option<Instant>,
    /// Failures while the account had no bind.
    failures: u32,
    blocked_until: Instant,
    /// The address of the last accepted bind.
    last_good_address: Option<SocketAddr>,
    pub(crate) stopped: bool,
}

/// Returns the longest back-off delay after this many failures.
fn max_delay(backoff: Backoff, failures: u32) -> Duration {
    let doubled = (1..failures).fold(backoff.initial, |wait, _| (wait * 2).min(backoff.max));
    doubled.min(backoff.max)
}

impl Slots {
    pub(crate) fn new(options: &Options) -> Self {
        let slot = || Slot {
            state: SlotState::Idle,
            bound: None,
            refused: false,
            not_before: Instant::ZERO,
            failures: 0,
            untried: Vec::new(),
        };
        Self {
            all: (0..options.max_binds).map(|_| slot()).collect(),
            options: options.clone(),
            last_start: None,
            failures: 0,
            blocked_until: Instant::ZERO,
            last_good_address: None,
            stopped: false,
        }
    }

    /// Checks that the account may resolve the host for a new connection.
    pub(crate) fn resolve(&mut self, now: Instant, index: usize, due: Instant) {
        assert!(!self.stopped, "it reconnects after refused credentials");
        let any_bound = self.all.iter().any(|slot| slot.bound.is_some());
        let is_idle = |slot: &Slot| matches!(slot.state, SlotState::Idle | SlotState::Reported(_));
        assert!(is_idle(&self.all[index]), "the slot is in use: {:?}", self.all[index].state);
        if !any_bound {
            assert!(self.all.iter().all(is_idle), "two connections at a time without a bind");
            assert!(now >= self.blocked_until, "a connection during the shared back-off");
        }
        assert!(now >= self.all[index].not_before, "a connection during the back-off");
        let is_spaced = self.last_start.is_none_or(|last| now - last >= self.options.connect_interval);
        assert!(is_spaced, "a connection within connect_interval");
        self.last_start = Some(now);
        self.all[index].state = SlotState::Resolving(due);
    }

    /// Records the addresses of the host.
    pub(crate) fn resolved(&mut self, now: Instant, index: usize, addresses: &[SocketAddr]) {
        let slot = &mut self.all[index];
        slot.state = SlotState::Reported(now);
        slot.untried = addresses.to_vec();
        // The address of the last accepted bind goes first.
        slot.untried.sort_by_key(|address| Some(*address) != self.last_good_address);
    }

    /// Checks that the account may connect to the address.
    pub(crate) fn connect(&mut self, now: Instant, index: usize, address: SocketAddr, due: Instant) {
        assert!(!self.stopped, "it connects after refused credentials");
        let slot = &mut self.all[index];
        assert_eq!(slot.state, SlotState::Reported(now), "a connection that was not expected");
        assert_eq!(slot.untried.first(), Some(&address), "not the next address");
        slot.untried.retain(|other| *other != address);
        slot.state = SlotState::Connecting(address, due);
        slot.refused = false;
        let connections = |slot: &&Slot| {
            matches!(slot.state, SlotState::Connecting(..) | SlotState::Open(_) | SlotState::Closing(_))
        };
        assert!(self.all.iter().filter(connections).count() <= usize::from(self.options.max_binds));
    }

    pub(crate) fn close(&mut self, index: usize, due: Instant) -> Option<ConnectionId> {
        let was = std::mem::replace(&mut self.all[index].state, SlotState::Closing(due));
        match was {
            SlotState::Open(connection) => Some(connection),
            SlotState::Resolving(_) | SlotState::Connecting(..) => None,
            other => panic!("nothing to close: {other:?}"),
        }
    }

    pub(crate) fn handle_link_event(&mut self, now: Instant, index: usize, event: &LinkEvent) {
        let backoff = self.options.backoff;
        match *event {
            LinkEvent::Bound { address, .. } => {
                assert!(self.all[index].bound.is_none(), "bound twice");
                self.last_good_address = Some(address);
                self.all[index].bound = Some(now);
            }
            LinkEvent::BindRefused { .. } => self.all[index].refused = true,
            LinkEvent::Closed { reason, retry_in, .. } => {
                let slot = &mut self.all[index];
                let lived = slot.bound.take().map(|since| now - since);
                if lived.is_some_and(|lived| lived >= backoff.reset_after) {
                    slot.failures = 0;
                    self.failures = 0;
                }
                if reason == CloseReason::Unbound && !slot.refused && retry_in == Some(Duration::ZERO) {
                    return;
                }
                self.back_off(now, index, retry_in);
            }
            LinkEvent::ResolveFailed { retry_in, .. } => self.back_off(now, index, retry_in),
            LinkEvent::ConnectFailed { retry_in, .. } => {
                let has_untried = !self.all[index].untried.is_empty();
                assert_eq!(retry_in.is_none(), has_untried, "every address is tried before the back-off");
                self.back_off(now, index, retry_in);
            }
            _ => {}
        }
    }

    fn back_off(&mut self, now: Instant, index: usize, retry_in: Option<Duration>) {
        let Some(delay) = retry_in else { return };
        let retry_at = now + delay;
        let backoff = self.options.backoff;
        let is_unbound = self.all.iter().all(|slot| slot.bound.is_none());
        let slot = &mut self.all[index];
        let failures = if is_unbound { slot.failures.max(self.failures) } else { slot.failures } + 1;
        let max = max_delay(backoff, failures);
        assert!(delay >= max / 2 && delay <= max, "{delay:?} after {failures} failures");
        (slot.failures, slot.not_before) = (failures, retry_at);
        if is_unbound {
            (self.failures, self.blocked_until) = (failures, retry_at);
        }
    }
}
