//! The metrics of what a session sends and receives: of one session, or of all sessions of a connection slot.

use metrics::{
    Counter, Histogram, Label, SharedString, Unit, counter, describe_counter, describe_gauge,
    describe_histogram, gauge, histogram,
};
use smpp_proto::session::{self, Count, Kind, RequestCounts, Stats, Traffic};

use super::gauge::{GaugeShare, add};

/// The most samples that one publication adds to the histogram. Beyond it, the samples of each bucket are reduced in
/// proportion.
const MAX_SAMPLES: u64 = 10_000;

const KINDS: usize = Kind::ALL.len();

const OUTCOMES: usize = 6;

pub(super) type Labels = [(&'static str, SharedString)];

/// Passes the descriptions and units of the metrics with this prefix to the installed recorder.
pub(super) fn describe(prefix: &str) {
    for (name, description) in [
        ("in_flight", "sent requests without an outcome"),
        ("unanswered", "received requests that the application has not responded to"),
    ] {
        describe_gauge!(format!("{prefix}_{name}"), Unit::Count, description);
    }
    for (name, unit, description) in [
        ("pdus_total", Unit::Count, "PDUs read and encoded"),
        ("octets_total", Unit::Bytes, "octets of PDUs read and encoded"),
        ("transmitted_octets_total", Unit::Bytes, "octets that the transport has accepted"),
        ("requests_total", Unit::Count, "completed requests of the application, by outcome"),
        ("timeouts_total", Unit::Count, "requests without a response in time"),
        ("throttled_total", Unit::Count, "requests that the peer throttled"),
        ("refused_total", Unit::Count, "received requests that the session refused"),
        ("malformed_total", Unit::Count, "PDUs that cannot be decoded"),
        ("unknown_commands_total", Unit::Count, "PDUs with an unknown command_id"),
        ("unexpected_responses_total", Unit::Count, "responses without a request in flight"),
        ("quirks_total", Unit::Count, "PDUs with tolerated deviations"),
    ] {
        describe_counter!(format!("{prefix}_{name}"), unit, description);
    }
    let name = format!("{prefix}_response_seconds");
    describe_histogram!(name, Unit::Seconds, "time from a request to its response");
}

/// Returns the common labels and more of them.
pub(super) fn with(common: &Labels, more: &Labels) -> Vec<Label> {
    common.iter().chain(more).map(|(name, value)| Label::new(*name, value.clone())).collect()
}

/// Publishes the counters of sessions.
#[derive(Debug)]
pub(super) struct TrafficPublisher {
    in_flight: GaugeShare,
    unanswered: GaugeShare,
    received: Directed,
    sent: Directed,
    transmitted: Counter,
    outcomes: [Counter; OUTCOMES],
    timeouts: Counter,
    throttled: Counter,
    refused: Counter,
    malformed: Counter,
    unknown_commands: Counter,
    unexpected_responses: Counter,
    quirks: Counter,
    response_times: Histogram,
    /// The values of the last publication.
    published: (Stats, RequestCounts, session::Histogram),
}

/// The PDUs of one direction, by kind.
#[derive(Debug)]
struct Directed([KindCounters; KINDS]);

#[derive(Debug)]
struct KindCounters {
    requests: Counter,
    responses: Counter,
    octets: Counter,
}

impl TrafficPublisher {
    /// Registers the metrics: the prefix, and what they count, for example `smpp_pdus_total`.
    pub(super) fn new(prefix: &str, labels: &Labels) -> Self {
        let with = |more: &Labels| with(labels, more);
        let total = |name: &str| counter!(format!("{prefix}_{name}"), with(&[]));
        let level = |name: &str| GaugeShare::new(gauge!(format!("{prefix}_{name}"), with(&[])));
        let directed = |direction: &'static str| {
            Directed(Kind::ALL.map(|kind| {
                let common: [_; 2] = [("direction", direction.into()), ("kind", name(kind).into())];
                let pdus = |of_type: &'static str| {
                    let [direction, kind] = common.clone();
                    counter!(
                        format!("{prefix}_pdus_total"),
                        with(&[direction, kind, ("type", of_type.into())])
                    )
                };
                KindCounters {
                    requests: pdus("request"),
                    responses: pdus("response"),
                    octets: counter!(format!("{prefix}_octets_total"), with(&common)),
                }
            }))
        };
        Self {
            in_flight: level("in_flight"),
            unanswered: level("unanswered"),
            received: directed("in"),
            sent: directed("out"),
            transmitted: total("transmitted_octets_total"),
            outcomes: RequestCounts::default().by_outcome().map(|(outcome, _)| {
                counter!(format!("{prefix}_requests_total"), with(&[("outcome", outcome.into())]))
            }),
            timeouts: total("timeouts_total"),
            throttled: total("throttled_total"),
            refused: total("refused_total"),
            malformed: total("malformed_total"),
            unknown_commands: total("unknown_commands_total"),
            unexpected_responses: total("unexpected_responses_total"),
            quirks: total("quirks_total"),
            response_times: histogram!(format!("{prefix}_response_seconds"), with(&[])),
            published: Default::default(),
        }
    }

    /// Publishes the differences to the last publication.
    pub(super) fn publish(
        &mut self,
        stats: &Stats,
        requests: &RequestCounts,
        response_times: &session::Histogram,
    ) {
        let (before, requests_before, times_before) =
            std::mem::replace(&mut self.published, (*stats, *requests, *response_times));
        self.in_flight.set(stats.in_flight.into());
        self.unanswered.set(stats.unanswered.into());
        self.received.publish(&stats.received, &before.received);
        self.sent.publish(&stats.sent, &before.sent);
        let outcomes = requests.by_outcome().into_iter().zip(requests_before.by_outcome());
        for (counter, ((_, now), (_, before))) in self.outcomes.iter().zip(outcomes) {
            add(counter, now, before);
        }
        add(&self.transmitted, stats.transmitted, before.transmitted);
        add(&self.timeouts, stats.timeouts, before.timeouts);
        add(&self.throttled, stats.throttled, before.throttled);
        add(&self.refused, stats.refused, before.refused);
        add(&self.malformed, stats.malformed, before.malformed);
        add(&self.unknown_commands, stats.unknown_commands, before.unknown_commands);
        add(&self.unexpected_responses, stats.unexpected_responses, before.unexpected_responses);
        add(&self.quirks, stats.quirks, before.quirks);
        self.publish_response_times(&response_times.since(&times_before));
    }

    /// Records each response with the middle of its bucket.
    fn publish_response_times(&self, times: &session::Histogram) {
        let reduction = times.count().div_ceil(MAX_SAMPLES).max(1);
        for (lower, upper, count) in times.buckets().filter(|(.., count)| *count > 0) {
            let middle = (lower + upper) / 2;
            // At most MAX_SAMPLES and one more for each bucket.
            let samples = count.div_ceil(reduction) as usize;
            self.response_times.record_many(middle.as_secs_f64(), samples);
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
