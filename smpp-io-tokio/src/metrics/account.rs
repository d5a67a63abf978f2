//! The metrics of an account.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, SharedString, counter, gauge};
use smpp_core::account::LinkState;
use smpp_core::session::State;
use tokio::time::timeout;

use super::gauge::{GaugeShare, MIN_INTERVAL, add};
use crate::account::Account;
use crate::telemetry::counters::{AccountCounters, BIND_OUTCOMES, DELIVERY_TYPES, SEGMENT_OUTCOMES};

/// The values of the label `state`.
const LINK_STATES: [&str; 4] = ["idle", "connecting", "bound", "closing"];

/// Publishes the metrics of an account at the given interval, and once more when the account has ended. Then the future
/// completes. Spawn it as a task.
///
/// `name` is the value of the label `account`. The interval is 1 ms at least. The future does not keep the account alive.
/// It uses the recorder that is installed when `publish_account` is called.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn example(account: smpp_io_tokio::account::Account) {
/// tokio::spawn(smpp_io_tokio::metrics::publish_account(&account, "8x8", Duration::from_secs(10)));
/// # }
/// ```
///
/// # Cancel safety
///
/// A future that is dropped early subtracts what it has added to the gauges.
pub fn publish_account(
    account: &Account,
    name: impl Into<String>,
    interval: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let shared = Arc::clone(account.shared());
    let mut publisher = Publisher::new(&name.into().into());
    async move {
        loop {
            let mut end = pin!(shared.ended.notified());
            end.as_mut().enable();
            let (current, ended) = {
                let inner = shared.lock();
                let mut states = [0_u32; LINK_STATES.len()];
                inner.account.links().for_each(|(_, state)| count(&mut states, state));
                let account = &inner.account;
                let segments = (account.queued(), account.pending_receipts());
                ((states, segments, inner.telemetry.counters), inner.router.is_over())
            };
            publisher.publish(current);
            if ended {
                return;
            }
            // Waits for the end of the account or of the interval.
            let _ = timeout(interval.max(MIN_INTERVAL), end).await;
        }
    }
}

fn count(states: &mut [u32; LINK_STATES.len()], state: LinkState) {
    let [idle, connecting, bound, closing] = states;
    *match state {
        LinkState::Open(_, State::Bound(_)) => bound,
        LinkState::Resolving | LinkState::Connecting(_) | LinkState::Open(..) => connecting,
        LinkState::Closing => closing,
        LinkState::Idle => idle,
    } += 1;
}

/// Converts a number of segments to the value of a gauge, which is exact up to 32 bits.
fn level(segments: usize) -> f64 {
    u32::try_from(segments).unwrap_or(u32::MAX).into()
}

/// The metrics of one account.
struct Publisher {
    states: [GaugeShare; LINK_STATES.len()],
    queued: GaugeShare,
    pending_receipts: GaugeShare,
    segments: [Counter; SEGMENT_OUTCOMES.len()],
    delivered: [Counter; DELIVERY_TYPES.len()],
    binds: [Counter; BIND_OUTCOMES.len()],
    receipts_expired: Counter,
    /// The values of the last publication.
    published: AccountCounters,
}

impl Publisher {
    fn new(account: &SharedString) -> Self {
        let gauge = |name: &'static str| GaugeShare::new(gauge!(name, "account" => account.clone()));
        let counter = |name: &'static str, label: &'static str, value: &'static str| counter!(name, "account" => account.clone(), label => value);
        Self {
            states: LINK_STATES.map(|state| {
                GaugeShare::new(gauge!("smpp_account_links", "account" => account.clone(), "state" => state))
            }),
            queued: gauge("smpp_account_queued_segments"),
            pending_receipts: gauge("smpp_account_pending_receipts"),
            segments: SEGMENT_OUTCOMES
                .map(|outcome| counter("smpp_account_segments_total", "outcome", outcome)),
            delivered: DELIVERY_TYPES.map(|of_type| counter("smpp_account_delivered_total", "type", of_type)),
            binds: BIND_OUTCOMES.map(|outcome| counter("smpp_account_binds_total", "outcome", outcome)),
            receipts_expired: counter!("smpp_account_receipts_expired_total", "account" => account.clone()),
            published: AccountCounters::default(),
        }
    }

    /// Publishes the differences to the last publication.
    fn publish(&mut self, current: ([u32; LINK_STATES.len()], (usize, usize), AccountCounters)) {
        let (states, (queued, pending_receipts), counters) = current;
        let before = std::mem::replace(&mut self.published, counters);
        self.states.iter_mut().zip(states).for_each(|(gauge, count)| gauge.set(count.into()));
        self.queued.set(level(queued));
        self.pending_receipts.set(level(pending_receipts));
        let all = [
            (&self.segments[..], &counters.segments[..], &before.segments[..]),
            (&self.delivered, &counters.delivered, &before.delivered),
            (&self.binds, &counters.binds, &before.binds),
        ];
        for (counters, now, before) in all {
            for ((counter, now), before) in counters.iter().zip(now).zip(before) {
                add(counter, *now, *before);
            }
        }
        add(&self.receipts_expired, counters.receipts_expired, before.receipts_expired);
    }
}
