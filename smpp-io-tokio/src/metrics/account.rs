//! The metrics of an account.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, SharedString, counter, gauge};
use smpp_core::account::{Event, LinkEvent, LinkState, SegmentOutcome};
use smpp_core::session::State;
use tokio::time::timeout;

use super::{Level, TICK, add};
use crate::account::Account;

const FATES: [&str; 5] = ["accepted", "refused", "nacked", "never_sent", "unanswered"];
const DELIVERED: [&str; 3] = ["message", "receipt", "receipt_unmatched"];
const BINDS: [&str; 3] = ["bound", "refused", "unreachable"];
const STATES: [&str; 4] = ["idle", "connecting", "bound", "closing"];

/// What an account has told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    fates: [u64; FATES.len()],
    delivered: [u64; DELIVERED.len()],
    binds: [u64; BINDS.len()],
    unreported: u64,
}

impl Tally {
    pub(crate) fn note(&mut self, event: &Event) {
        let [message, receipt, unmatched] = &mut self.delivered;
        let [bound, refused, unreachable] = &mut self.binds;
        match event {
            Event::Outcome { outcome, .. } => outcome.segments.iter().for_each(|fate| self.count(fate)),
            Event::Receipt { matched: Some(_), .. } => *receipt += 1,
            Event::Receipt { matched: None, .. } => *unmatched += 1,
            Event::Message { .. } => *message += 1,
            Event::ReceiptsExpired { ids, .. } => self.unreported += ids.len() as u64,
            Event::Link { event: change, .. } => match change {
                LinkEvent::Bound { .. } => *bound += 1,
                LinkEvent::BindRefused { .. } => *refused += 1,
                LinkEvent::ConnectFailed { .. } | LinkEvent::ResolveFailed { .. } => *unreachable += 1,
                _ => {}
            },
            _ => {}
        }
    }

    fn count(&mut self, fate: &SegmentOutcome) {
        let [accepted, refused, nacked, never_sent, unanswered] = &mut self.fates;
        match fate {
            SegmentOutcome::Accepted(_) => *accepted += 1,
            SegmentOutcome::Refused(_) => *refused += 1,
            SegmentOutcome::Nacked(_) => *nacked += 1,
            SegmentOutcome::NeverSent(_) => *never_sent += 1,
            SegmentOutcome::Unanswered(_) => *unanswered += 1,
            _ => {}
        }
    }
}

/// Publishes what an account counts, `every` so often and once more when it has ended; the future is done then. Spawn
/// it.
///
/// It does not keep the account alive. Dropped before the end, it takes back what it has added to the gauges. The recorder
/// is the one that is installed when it is called.
pub fn publish_account(
    account: &Account,
    name: impl Into<String>,
    every: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let shared = Arc::clone(account.shared());
    let mut publisher = Publisher::new(&name.into().into());
    async move {
        loop {
            let mut ended = pin!(shared.ended.notified());
            ended.as_mut().enable();
            let (counted, over) = {
                let inner = shared.lock();
                let mut states = [0_u32; STATES.len()];
                inner.account.links().for_each(|(_, state)| count(&mut states, state));
                let account = &inner.account;
                let levels = (account.queued(), account.pending_receipts());
                ((states, levels, inner.watch.tally), inner.desk.is_over())
            };
            publisher.publish(counted);
            if over {
                return;
            }
            // Whichever comes first.
            let _ = timeout(every.max(TICK), ended).await;
        }
    }
}

fn count(states: &mut [u32; STATES.len()], state: LinkState) {
    let [idle, connecting, bound, closing] = states;
    *match state {
        LinkState::Open(_, State::Bound(_)) => bound,
        LinkState::Resolving | LinkState::Connecting(_) | LinkState::Open(..) => connecting,
        LinkState::Closing => closing,
        LinkState::Idle => idle,
    } += 1;
}

/// A gauge holds no more than it can hold exactly.
fn level(parts: usize) -> f64 {
    u32::try_from(parts).unwrap_or(u32::MAX).into()
}

/// The metrics of one account.
struct Publisher {
    states: [Level; STATES.len()],
    queued: Level,
    awaited: Level,
    fates: [Counter; FATES.len()],
    delivered: [Counter; DELIVERED.len()],
    binds: [Counter; BINDS.len()],
    unreported: Counter,
    published: Tally,
}

impl Publisher {
    fn new(account: &SharedString) -> Self {
        let level = |name: &'static str| Level::new(gauge!(name, "account" => account.clone()));
        let counters = |name: &'static str, label: &'static str, value: &'static str| counter!(name, "account" => account.clone(), label => value);
        Self {
            states: STATES.map(|state| {
                Level::new(gauge!("smpp_account_links", "account" => account.clone(), "state" => state))
            }),
            queued: level("smpp_account_queued"),
            awaited: level("smpp_account_awaited"),
            fates: FATES.map(|fate| counters("smpp_account_parts_total", "fate", fate)),
            delivered: DELIVERED.map(|what| counters("smpp_account_delivered_total", "what", what)),
            binds: BINDS.map(|result| counters("smpp_account_binds_total", "result", result)),
            unreported: counter!("smpp_account_unreported_total", "account" => account.clone()),
            published: Tally::default(),
        }
    }

    /// Adds what has come about since the last time.
    fn publish(&mut self, counted: ([u32; STATES.len()], (usize, usize), Tally)) {
        let (states, (queued, awaited), tally) = counted;
        let before = std::mem::replace(&mut self.published, tally);
        self.states.iter_mut().zip(states).for_each(|(level, count)| level.set(count.into()));
        self.queued.set(level(queued));
        self.awaited.set(level(awaited));
        let all = [
            (&self.fates[..], &tally.fates[..], &before.fates[..]),
            (&self.delivered, &tally.delivered, &before.delivered),
            (&self.binds, &tally.binds, &before.binds),
        ];
        for (counters, now, before) in all {
            for ((counter, now), before) in counters.iter().zip(now).zip(before) {
                add(counter, *now, *before);
            }
        }
        add(&self.unreported, tally.unreported, before.unreported);
    }
}
