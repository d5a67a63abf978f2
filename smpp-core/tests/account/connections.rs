//! Places for connections: what the adapter does in each, and when the account may use it.

use std::net::SocketAddr;
use std::time::Duration;

use smpp_core::account::{Backoff, LinkEvent, Options};
use smpp_core::session::{CloseReason, Instant};

use super::log::ConnectionId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Idle,
    /// The account has just been told what came of it, and may connect at once.
    Between(Instant),
    Resolving(Instant),
    IncomingConnection(SocketAddr, Instant),
    Open(ConnectionId),
    Closing(Instant),
}

pub(crate) struct Place {
    pub(crate) doing: Doing,
    /// Since when it is bound, as far as was told.
    pub(crate) bound: Option<Instant>,
    refused: bool,
    not_before: Instant,
    failures: u32,
    /// Addresses of the host that are to be tried.
    untried: Vec<SocketAddr>,
}

pub(crate) struct Places {
    pub(crate) all: Vec<Place>,
    options: Options,
    last_start: Option<Instant>,
    /// Failures without any bind.
    failures: u32,
    blocked_until: Instant,
    /// The address of the last bind.
    good: Option<SocketAddr>,
    pub(crate) stopped: bool,
}

/// The wait after so many failures, before a random part of it is left out.
fn whole(backoff: Backoff, failures: u32) -> Duration {
    let doubled = (1..failures).fold(backoff.initial, |wait, _| (wait * 2).min(backoff.max));
    doubled.min(backoff.max)
}

impl Places {
    pub(crate) fn new(options: &Options) -> Self {
        let place = || Place {
            doing: Doing::Idle,
            bound: None,
            refused: false,
            not_before: Instant::ZERO,
            failures: 0,
            untried: Vec::new(),
        };
        Self {
            all: (0..options.max_binds).map(|_| place()).collect(),
            options: options.clone(),
            last_start: None,
            failures: 0,
            blocked_until: Instant::ZERO,
            good: None,
            stopped: false,
        }
    }

    /// The account wants the host resolved: a new bind begins.
    pub(crate) fn resolve(&mut self, now: Instant, index: usize, due: Instant) {
        assert!(!self.stopped, "it tries again after wrong credentials");
        let any_bound = self.all.iter().any(|place| place.bound.is_some());
        let is_idle = |place: &Place| matches!(place.doing, Doing::Idle | Doing::Between(_));
        assert!(is_idle(&self.all[index]), "a place that is used: {:?}", self.all[index].doing);
        if !any_bound {
            assert!(self.all.iter().all(is_idle), "two look for the way");
            assert!(now >= self.blocked_until, "what was in the way of one is in the way of all");
        }
        assert!(now >= self.all[index].not_before, "it does not wait");
        let staggered = self.last_start.is_none_or(|last| now - last >= self.options.connect_interval);
        assert!(staggered, "binds begin too close to each other");
        self.last_start = Some(now);
        self.all[index].doing = Doing::Resolving(due);
    }

    /// The host has these addresses.
    pub(crate) fn resolved(&mut self, now: Instant, index: usize, addresses: &[SocketAddr]) {
        let place = &mut self.all[index];
        place.doing = Doing::Between(now);
        place.untried = addresses.to_vec();
        // The last good one first.
        place.untried.sort_by_key(|address| Some(*address) != self.good);
    }

    /// It wants a connection to an address.
    pub(crate) fn connect(&mut self, now: Instant, index: usize, address: SocketAddr, due: Instant) {
        assert!(!self.stopped, "it connects again after wrong credentials");
        let place = &mut self.all[index];
        assert_eq!(place.doing, Doing::Between(now), "a connection out of turn");
        assert_eq!(place.untried.first(), Some(&address), "an address out of turn");
        place.untried.retain(|other| *other != address);
        place.doing = Doing::IncomingConnection(address, due);
        place.refused = false;
        let connections = |place: &&Place| {
            matches!(place.doing, Doing::IncomingConnection(..) | Doing::Open(_) | Doing::Closing(_))
        };
        assert!(self.all.iter().filter(connections).count() <= usize::from(self.options.max_binds));
    }

    pub(crate) fn close(&mut self, index: usize, due: Instant) -> Option<ConnectionId> {
        let was = std::mem::replace(&mut self.all[index].doing, Doing::Closing(due));
        match was {
            Doing::Open(connection) => Some(connection),
            Doing::Resolving(_) | Doing::IncomingConnection(..) => None,
            other => panic!("there is nothing to close: {other:?}"),
        }
    }

    pub(crate) fn told(&mut self, now: Instant, index: usize, change: LinkEvent) {
        let backoff = self.options.backoff;
        match change {
            LinkEvent::Bound { address, .. } => {
                assert!(self.all[index].bound.is_none(), "bound twice");
                self.good = Some(address);
                self.all[index].bound = Some(now);
            }
            LinkEvent::BindRefused { .. } => self.all[index].refused = true,
            LinkEvent::Closed { reason, retry_at: retry, .. } => {
                let place = &mut self.all[index];
                let lived = place.bound.take().map(|since| now - since);
                if lived.is_some_and(|lived| lived >= backoff.reset_after) {
                    place.failures = 0;
                    self.failures = 0;
                }
                if reason == CloseReason::Unbound && !place.refused && retry == Some(now) {
                    return;
                }
                self.failed(now, index, retry);
            }
            LinkEvent::ResolveFailed { retry_at: retry } => self.failed(now, index, Some(retry)),
            LinkEvent::ConnectFailed { retry_at: retry, .. } => {
                let untried = !self.all[index].untried.is_empty();
                assert_eq!(retry.is_none(), untried, "every address is tried");
                self.failed(now, index, retry);
            }
            _ => {}
        }
    }

    fn failed(&mut self, now: Instant, index: usize, retry: Option<Instant>) {
        let Some(retry) = retry else { return };
        let backoff = self.options.backoff;
        let alone = self.all.iter().all(|place| place.bound.is_none());
        let place = &mut self.all[index];
        let delay = retry - now;
        let failures = if alone { place.failures.max(self.failures) } else { place.failures } + 1;
        let most = whole(backoff, failures);
        assert!(delay >= most / 2 && delay <= most, "{delay:?} after {failures} failures");
        (place.failures, place.not_before) = (failures, retry);
        if alone {
            (self.failures, self.blocked_until) = (failures, retry);
        }
    }
}
