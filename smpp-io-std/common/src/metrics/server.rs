//! The metrics of a server.

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, gauge};
use smpp_proto::server::ServerStats;

use super::gauge::{GaugeShare, add, level};
use super::traffic::with;

/// A counter or a gauge of a server: its name, the name and the value of its label, and the value.
type Value<T> = (&'static str, (&'static str, &'static str), T);

/// The label of a metric that has none.
const NO_LABEL: (&str, &str) = ("", "");

fn gauges(stats: &ServerStats) -> [Value<usize>; 7] {
    let connections = |state, value| ("smpp_server_connections", ("state", state), value);
    [
        connections("bound", stats.bound),
        connections("unbound", stats.unbound),
        connections("closing", stats.closing),
        ("smpp_server_unbound_octets", NO_LABEL, stats.unbound_octets),
        ("smpp_server_accounts", NO_LABEL, stats.accounts),
        ("smpp_server_queued_deliveries", NO_LABEL, stats.deliveries),
        ("smpp_server_queued_octets", NO_LABEL, stats.delivery_octets),
    ]
}

fn counters(stats: &ServerStats) -> [Value<u64>; 9] {
    let counters = &stats.counters;
    let connections = |outcome, value| ("smpp_server_connections_total", ("outcome", outcome), value);
    let binds = |outcome, value| ("smpp_server_binds_total", ("outcome", outcome), value);
    let deliveries = |outcome, value| ("smpp_server_deliveries_total", ("outcome", outcome), value);
    [
        connections("accepted", counters.connected),
        connections("rejected", counters.rejected),
        connections("not_bound", counters.not_bound),
        binds("bound", counters.bound),
        binds("refused", counters.binds_refused),
        binds("ended", counters.ended),
        deliveries("accepted", counters.deliveries_accepted),
        deliveries("failed", counters.deliveries_failed),
        ("smpp_server_throttled_total", NO_LABEL, counters.throttled),
    ]
}

/// Passes the descriptions and units of the metrics of servers to the installed recorder.
pub(super) fn describe() {
    for (name, unit, description) in [
        ("connections", Unit::Count, "connections, by state"),
        ("unbound_octets", Unit::Bytes, "octets that connections without a bind hold"),
        ("accounts", Unit::Count, "accounts with a bind or a delivery"),
        ("queued_deliveries", Unit::Count, "deliveries without an outcome"),
        ("queued_octets", Unit::Bytes, "octets of these deliveries"),
    ] {
        describe_gauge!(format!("smpp_server_{name}"), unit, description);
    }
    for (name, description) in [
        ("connections_total", "connections, by what became of them"),
        ("binds_total", "binds, by outcome"),
        ("deliveries_total", "deliveries, by outcome"),
        ("throttled_total", "how often a bind has reached a rate limit"),
    ] {
        describe_counter!(format!("smpp_server_{name}"), Unit::Count, description);
    }
}

/// The metrics of one server.
#[derive(Debug)]
pub struct ServerPublisher {
    gauges: Vec<GaugeShare>,
    counters: Vec<Counter>,
    /// The values of the last publication.
    published: Vec<u64>,
}

impl ServerPublisher {
    /// Registers the metrics of a server with the recorder that is installed. `server` is the value of a label.
    pub fn new(server: &str) -> Self {
        let labels = |label: (&'static str, &'static str)| {
            let labels = [("server", server.to_owned().into()), (label.0, label.1.into())];
            let labels = if label == NO_LABEL { &labels[..1] } else { &labels };
            with(labels, &[])
        };
        let stats = ServerStats::default();
        let gauge = |(name, label, _)| GaugeShare::new(gauge!(name, labels(label)));
        let counter = |(name, label, _)| counter!(name, labels(label));
        let counters: Vec<_> = counters(&stats).into_iter().map(counter).collect();
        Self {
            gauges: gauges(&stats).into_iter().map(gauge).collect(),
            published: vec![0; counters.len()],
            counters,
        }
    }

    /// Publishes the differences to the last publication.
    pub fn publish(&mut self, stats: &ServerStats) {
        for (gauge, (.., value)) in self.gauges.iter_mut().zip(gauges(stats)) {
            gauge.set(level(value));
        }
        for ((counter, published), (.., value)) in
            self.counters.iter().zip(&mut self.published).zip(counters(stats))
        {
            add(counter, value, std::mem::replace(published, value));
        }
    }
}
