//! Counters, gauges and a histogram for the facade `metrics`, published at intervals from what sessions count anyway.
//!
//! ```no_run
//! use std::time::Duration;
//! use smpp_io_tokio::metrics;
//!
//! # fn example(client: smpp_io_tokio::Client) {
//! metrics::describe();
//! tokio::spawn(metrics::publish(&client, "8x8", Duration::from_secs(10)));
//! # }
//! ```
//!
//! Each has the labels `role`, which is `esme` or `smsc`, and `session`, the name given to [`publish`]. Sessions of one
//! name add up. No label comes from the network.
//!
//! | name | kind | further labels | what it is |
//! | --- | --- | --- | --- |
//! | `smpp_sessions` | gauge | `state`: `open`, `bound` | sessions, before and after the bind; one that ends is in neither |
//! | `smpp_in_flight` | gauge | | requests of ours without an outcome |
//! | `smpp_unanswered` | gauge | | requests of the peer that the application has not answered |
//! | `smpp_pdus_total` | counter | `direction`: `in`, `out`; `kind`; `type`: `request`, `response` | PDUs read and encoded |
//! | `smpp_octets_total` | counter | `direction`, `kind` | their octets |
//! | `smpp_transmitted_octets_total` | counter | | octets handed to the transport |
//! | `smpp_requests_total` | counter | `outcome` | requests of the application that have come to their end |
//! | `smpp_timeouts_total` | counter | | requests not answered in time, the session's own included |
//! | `smpp_throttled_total` | counter | | requests that the peer had no room for |
//! | `smpp_refused_total` | counter | | requests of the peer that the session refused by itself |
//! | `smpp_malformed_total` | counter | | PDUs that could not be read |
//! | `smpp_strays_total` | counter | | responses to nothing |
//! | `smpp_quirks_total` | counter | | PDUs with tolerated deviations |
//! | `smpp_response_seconds` | histogram | | from a request to its response |
//!
//! Those of an account, from [`publish_account`], have the label `account` instead, the name given to it:
//!
//! | name | kind | further labels | what it is |
//! | --- | --- | --- | --- |
//! | `smpp_account_links` | gauge | `state`: `idle`, `connecting`, `bound`, `closing` | the places for connections |
//! | `smpp_account_queued` | gauge | | parts of messages that wait or are in flight |
//! | `smpp_account_awaited` | gauge | | parts that wait for receipts |
//! | `smpp_account_parts_total` | counter | `fate`: `accepted`, `refused`, `nacked`, `never_sent`, `unanswered` | parts of messages that have come to their end |
//! | `smpp_account_delivered_total` | counter | `what`: `message`, `receipt`, `receipt_unmatched` | what the SMSC has delivered |
//! | `smpp_account_binds_total` | counter | `result`: `bound`, `refused`, `unreachable` | tries to bind |
//! | `smpp_account_unreported_total` | counter | | parts whose receipts have not come in time |
//!
//! `kind` is one of [`Kind`]: `bind`, `message`, `manage`, `enquire_link`, `unbind`, `other`. `outcome` is
//! - `accepted`: answered `ESME_ROK`;
//! - `throttled`: answered `ESME_RTHROTTLED` or `ESME_RMSGQFUL`;
//! - `refused`: answered with another status;
//! - `nacked`: not understood, generic_nack;
//! - `never_sent`: it did not leave this process;
//! - `unanswered`: it left, and it is not known what became of it.
//!
//! # Precision
//!
//! Nothing is published per message. Counters are exact as of the last publication, and after the end of the session;
//! gauges are what they were at that moment. The histogram is given the mean of the responses since the publication
//! before, once for each, 1,000 times at most: its mean is right up to that, its quantiles are those of the means, which
//! hide what is slow among much that is fast. For those, take [`Stats::response_times`] or an observer of your own.

mod account;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, SharedString, Unit, counter, describe_counter, describe_gauge,
    describe_histogram, gauge, histogram,
};
use smpp_core::CommandStatus;
use smpp_core::session::{Count, Event, Kind, Outcome, Role, Side, State, Stats, Traffic};
use tokio::time::timeout;

use crate::client::Handle;

pub(crate) use account::Tally;
pub use account::publish_account;

/// The shortest interval.
const TICK: Duration = Duration::from_millis(1);

/// How often the histogram is given one mean, at most.
const WEIGHT: u64 = 1000;

const KINDS: usize = Kind::ALL.len();
const OUTCOMES: [&str; 6] = ["accepted", "throttled", "refused", "nacked", "never_sent", "unanswered"];

/// Tells the recorder what the metrics mean, and their units.
pub fn describe() {
    describe_gauge!("smpp_sessions", Unit::Count, "sessions, before and after the bind");
    describe_gauge!("smpp_in_flight", Unit::Count, "requests of ours without an outcome");
    describe_gauge!("smpp_unanswered", Unit::Count, "requests of the peer not answered yet");
    describe_counter!("smpp_pdus_total", Unit::Count, "PDUs read and encoded");
    describe_counter!("smpp_octets_total", Unit::Bytes, "octets of PDUs read and encoded");
    describe_counter!("smpp_transmitted_octets_total", Unit::Bytes, "octets handed to the transport");
    describe_counter!("smpp_requests_total", Unit::Count, "requests of the application, by their outcome");
    describe_counter!("smpp_timeouts_total", Unit::Count, "requests not answered in time");
    describe_counter!("smpp_throttled_total", Unit::Count, "requests that the peer had no room for");
    describe_counter!("smpp_refused_total", Unit::Count, "requests of the peer that the session refused");
    describe_counter!("smpp_malformed_total", Unit::Count, "PDUs that could not be read");
    describe_counter!("smpp_strays_total", Unit::Count, "responses to nothing");
    describe_counter!("smpp_quirks_total", Unit::Count, "PDUs with tolerated deviations");
    describe_gauge!("smpp_account_links", Unit::Count, "places for connections, by what they do");
    describe_gauge!("smpp_account_queued", Unit::Count, "parts of messages that wait or are in flight");
    describe_gauge!("smpp_account_awaited", Unit::Count, "parts of messages that wait for receipts");
    describe_counter!("smpp_account_parts_total", Unit::Count, "parts of messages, by how they ended");
    describe_counter!("smpp_account_delivered_total", Unit::Count, "what the SMSC has delivered");
    describe_counter!("smpp_account_binds_total", Unit::Count, "tries to bind, by how they ended");
    describe_counter!("smpp_account_unreported_total", Unit::Count, "parts whose receipts have not come");
    describe_histogram!("smpp_response_seconds", Unit::Seconds, "from a request to its response");
}

/// Publishes what a session counts, `every` so often and once more when it has ended; the future is done then. Spawn it.
///
/// It does not keep the session alive. Dropped before the end, it takes back what it has added to the gauges. The
/// recorder is the one that is installed when `publish` is called.
pub fn publish<R: Role>(
    handle: &Handle<R>,
    session: impl Into<String>,
    every: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let shared = Arc::clone(&handle.shared);
    let mut publisher = Publisher::new(R::SIDE, &session.into().into());
    async move {
        loop {
            let mut ended = pin!(shared.ended.notified());
            ended.as_mut().enable();
            let (counted, state, over) = {
                let core = shared.lock();
                ((core.session.stats(), core.watch.outcomes), core.session.state(), core.end.is_some())
            };
            publisher.publish(&counted, state);
            if over {
                return;
            }
            // Whichever comes first.
            let _ = timeout(every.max(TICK), ended).await;
        }
    }
}

/// How requests ended, in the order of `OUTCOMES`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcomes([u64; OUTCOMES.len()]);

impl Outcomes {
    #[inline]
    pub(crate) fn note<T>(&mut self, event: &Event<'_, T>) {
        let Event::Outcome { outcome, .. } = event else { return };
        let [accepted, throttled, refused, nacked, never_sent, unanswered] = &mut self.0;
        *match outcome {
            Outcome::Accepted(_) => accepted,
            Outcome::Refused { status: CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL, .. } => throttled,
            Outcome::Refused { .. } => refused,
            Outcome::Nacked(_) => nacked,
            Outcome::NeverSent(_) => never_sent,
            Outcome::Unanswered(_) => unanswered,
        } += 1;
    }
}

/// The metrics of one session.
struct Publisher {
    open: Level,
    bound: Level,
    in_flight: Level,
    unanswered: Level,
    received: Directed,
    sent: Directed,
    transmitted: Counter,
    outcomes: [Counter; OUTCOMES.len()],
    timeouts: Counter,
    throttled: Counter,
    refused: Counter,
    malformed: Counter,
    unexpected_responses: Counter,
    quirks: Counter,
    response_times: Histogram,
    /// What has been published.
    published: (Stats, Outcomes),
}

/// A gauge to which others add as well.
struct Level {
    gauge: Gauge,
    added: f64,
}

/// What goes one way, by kind.
struct Directed([OfKind; KINDS]);

struct OfKind {
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
            |name: &'static str| Level::new(gauge!(name, "role" => role, "session" => session.clone()));
        let sessions = |state: &'static str| {
            Level::new(
                gauge!("smpp_sessions", "role" => role, "session" => session.clone(), "state" => state),
            )
        };
        let directed = |direction: &'static str| {
            Directed(Kind::ALL.map(|kind| {
                let kind = name(kind);
                let pdus = |what: &'static str| {
                    counter!(
                        "smpp_pdus_total", "role" => role, "session" => session.clone(),
                        "direction" => direction, "kind" => kind, "type" => what
                    )
                };
                OfKind {
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
            outcomes: OUTCOMES.map(|outcome| {
                counter!(
                    "smpp_requests_total", "role" => role, "session" => session.clone(), "outcome" => outcome
                )
            }),
            timeouts: total("smpp_timeouts_total"),
            throttled: total("smpp_throttled_total"),
            refused: total("smpp_refused_total"),
            malformed: total("smpp_malformed_total"),
            unexpected_responses: total("smpp_strays_total"),
            quirks: total("smpp_quirks_total"),
            response_times: histogram!("smpp_response_seconds", "role" => role, "session" => session.clone()),
            published: Default::default(),
        }
    }

    /// Adds what has come about since the last time.
    fn publish(&mut self, counted: &(Stats, Outcomes), state: State) {
        let (counts, outcomes) = counted;
        let (before, outcomes_before) = std::mem::replace(&mut self.published, *counted);
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
        add(&self.unexpected_responses, counts.unexpected_responses, before.unexpected_responses);
        add(&self.quirks, counts.quirks, before.quirks);
        let (now, before) = (counts.response_times, before.response_times);
        let count = now.count().saturating_sub(before.count());
        if count > 0 {
            let taken = now.total().saturating_sub(before.total());
            // No more than what was divided, which is 64 bits of nanoseconds.
            let mean = Duration::from_nanos((taken.as_nanos() / u128::from(count)) as u64);
            self.response_times.record_many(mean.as_secs_f64(), count.min(WEIGHT) as usize);
        }
    }
}

impl Level {
    fn new(gauge: Gauge) -> Self {
        Self { gauge, added: 0.0 }
    }

    fn set(&mut self, value: f64) {
        self.gauge.increment(value - self.added);
        self.added = value;
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.set(0.0);
    }
}

impl Directed {
    fn publish(&self, now: &Traffic, before: &Traffic) {
        for (of_kind, kind) in self.0.iter().zip(Kind::ALL) {
            let (now, before): (Count, Count) = (now.of(kind), before.of(kind));
            add(&of_kind.requests, now.requests, before.requests);
            add(&of_kind.responses, now.responses, before.responses);
            add(&of_kind.octets, now.octets, before.octets);
        }
    }
}

fn add(counter: &Counter, now: u64, before: u64) {
    counter.increment(now.saturating_sub(before));
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
