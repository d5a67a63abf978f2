//! The metrics of a session.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Histogram, SharedString, counter, gauge, histogram};
use smpp_core::session::{Count, Kind, Role, Side, State, Stats, Traffic};
use tokio::time::timeout;

use super::gauge::{GaugeShare, MIN_INTERVAL, add};
use crate::handle::Handle;
use crate::telemetry::counters::{REQUEST_OUTCOMES, RequestCounters};

/// How often the histogram gets one mean at most.
const MAX_SAMPLES: u64 = 1000;

const KINDS: usize = Kind::ALL.len();

/// Publishes the metrics of a session at the given interval, and once more when the session has ended. Then the future
/// completes. Spawn it as a task.
///
/// `session` is the value of the label `session`. The interval is 1 ms at least. The future does not keep the session
/// alive. It uses the recorder that is installed when `publish` is called.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn example(client: smpp_io_tokio::Client) {
/// tokio::spawn(smpp_io_tokio::metrics::publish(&client, "8x8", Duration::from_secs(10)));
/// # }
/// ```
///
/// # Cancel safety
///
/// A future that is dropped early subtracts what it has added to the gauges.
pub fn publish<R: Role>(
    handle: &Handle<R>,
    session: impl Into<String>,
    interval: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let shared = Arc::clone(&handle.shared);
    let mut publisher = Publisher::new(R::SIDE, &session.into().into());
    async move {
        loop {
            let mut end = pin!(shared.ended.notified());
            end.as_mut().enable();
            let (current, state, ended) = {
                let core = shared.lock();
                ((core.session.stats(), core.telemetry.requests), core.session.state(), core.end.is_some())
            };
            publisher.publish(&current, state);
            if ended {
                return;
            }
            // Waits for the end of the session or of the interval.
            let _ = timeout(interval.max(MIN_INTERVAL), end).await;
        }
    }
}

/// The metrics of one session.
struct Publisher {
    open: GaugeShare,
    bound: GaugeShare,
    in_flight: GaugeShare,
    unanswered: GaugeShare,
    received: Directed,
    sent: Directed,
    transmitted: Counter,
    outcomes: [Counter; REQUEST_OUTCOMES.len()],
    timeouts: Counter,
    throttled: Counter,
    refused: Counter,
    malformed: Counter,
    unknown_commands: Counter,
    unexpected_responses: Counter,
    quirks: Counter,
    response_times: Histogram,
    /// The values of the last publication.
    published: (Stats, RequestCounters),
}

/// The PDUs of one direction, by kind.
struct Directed([KindCounters; KINDS]);

struct KindCounters {
    requests: Counter,
    responses: Counter,
    octets: Counter,
}

impl Publisher {
    fn new(side: Side, session: &SharedString) -> Self {
        let role = match side {
            Side::Esme => "esme",
            Side::Smsc => "smsc",
        };
        let total = |name: &'static str| counter!(name, "role" => role, "session" => session.clone());
        let level =
            |name: &'static str| GaugeShare::new(gauge!(name, "role" => role, "session" => session.clone()));
        let sessions = |state: &'static str| {
            GaugeShare::new(
                gauge!("smpp_sessions", "role" => role, "session" => session.clone(), "state" => state),
            )
        };
        let directed = |direction: &'static str| {
            Directed(Kind::ALL.map(|kind| {
                let kind = name(kind);
                let pdus = |of_type: &'static str| {
                    counter!(
                        "smpp_pdus_total", "role" => role, "session" => session.clone(),
                        "direction" => direction, "kind" => kind, "type" => of_type
                    )
                };
                KindCounters {
                    requests: pdus("request"),
                    responses: pdus("response"),
                    octets: counter!(
                        "smpp_octets_total", "role" => role, "session" => session.clone(),
                        "direction" => direction, "kind" => kind
                    ),
                }
            }))
        };
        Self {
            open: sessions("open"),
            bound: sessions("bound"),
            in_flight: level("smpp_in_flight"),
            unanswered: level("smpp_unanswered"),
            received: directed("in"),
            sent: directed("out"),
            transmitted: total("smpp_transmitted_octets_total"),
            outcomes: REQUEST_OUTCOMES.map(|outcome| {
                counter!(
                    "smpp_requests_total", "role" => role, "session" => session.clone(), "outcome" => outcome
                )
            }),
            timeouts: total("smpp_timeouts_total"),
            throttled: total("smpp_throttled_total"),
            refused: total("smpp_refused_total"),
            malformed: total("smpp_malformed_total"),
            unknown_commands: total("smpp_unknown_commands_total"),
            unexpected_responses: total("smpp_unexpected_responses_total"),
            quirks: total("smpp_quirks_total"),
            response_times: histogram!("smpp_response_seconds", "role" => role, "session" => session.clone()),
            published: Default::default(),
        }
    }

    /// Publishes the differences to the last publication.
    fn publish(&mut self, current: &(Stats, RequestCounters), state: State) {
        let (counts, outcomes) = current;
        let (before, outcomes_before) = std::mem::replace(&mut self.published, *current);
        self.open.set(matches!(state, State::Open | State::Outbound).into());
        self.bound.set(matches!(state, State::Bound(_) | State::Unbinding).into());
        self.in_flight.set(counts.in_flight.into());
        self.unanswered.set(counts.unanswered.into());
        self.received.publish(&counts.received, &before.received);
        self.sent.publish(&counts.sent, &before.sent);
        for ((counter, now), before) in self.outcomes.iter().zip(outcomes.0).zip(outcomes_before.0) {
            add(counter, now, before);
        }
        add(&self.transmitted, counts.transmitted, before.transmitted);
        add(&self.timeouts, counts.timeouts, before.timeouts);
        add(&self.throttled, counts.throttled, before.throttled);
        add(&self.refused, counts.refused, before.refused);
        add(&self.malformed, counts.malformed, before.malformed);
        add(&self.unknown_commands, counts.unknown_commands, before.unknown_commands);
        add(&self.unexpected_responses, counts.unexpected_responses, before.unexpected_responses);
        add(&self.quirks, counts.quirks, before.quirks);
        let (now, before) = (counts.response_times, before.response_times);
        let count = now.count().saturating_sub(before.count());
        if count > 0 {
            let total = now.total().saturating_sub(before.total());
            // The quotient fits: `total` has 64 bits of nanoseconds.
            let mean = Duration::from_nanos((total.as_nanos() / u128::from(count)) as u64);
            self.response_times.record_many(mean.as_secs_f64(), count.min(MAX_SAMPLES) as usize);
        }
    }
}

impl Directed {
    fn publish(&self, now: &Traffic, before: &Traffic) {
        for (counters, kind) in self.0.iter().zip(Kind::ALL) {
            let (now, before): (Count, Count) = (now.of(kind), before.of(kind));
            add(&counters.requests, now.requests, before.requests);
            add(&counters.responses, now.responses, before.responses);
            add(&counters.octets, now.octets, before.octets);
        }
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bind => "bind",
        Kind::Message => "message",
        Kind::Manage => "manage",
        Kind::EnquireLink => "enquire_link",
        Kind::Unbind => "unbind",
        _ => "other",
    }
}
