//! The metrics of a session.

use metrics::gauge;
use smpp_proto::session::{Side, State, Stats};

use super::gauge::GaugeShare;
use super::traffic::{Labels, TrafficPublisher, with};
use crate::telemetry::SessionCounters;

/// The metrics of one session.
#[derive(Debug)]
pub struct SessionPublisher {
    open: GaugeShare,
    bound: GaugeShare,
    traffic: TrafficPublisher,
}

impl SessionPublisher {
    /// Registers the metrics of a session with the recorder that is installed. `session` is the value of a label.
    pub fn new(side: Side, session: String) -> Self {
        let role = match side {
            Side::Esme => "esme",
            Side::Smsc => "smsc",
        };
        let labels: &Labels = &[("role", role.into()), ("session", session.into())];
        let traffic = TrafficPublisher::new("smpp", labels);
        let sessions = |state: &'static str| {
            GaugeShare::new(gauge!("smpp_sessions", with(labels, &[("state", state.into())])))
        };
        Self { open: sessions("open"), bound: sessions("bound"), traffic }
    }

    /// Publishes the differences to the last publication.
    pub fn publish(&mut self, state: State, traffic: &Stats, counters: &SessionCounters) {
        self.publish_state(state);
        self.traffic.publish(traffic, &counters.requests, &counters.histogram());
    }

    fn publish_state(&mut self, state: State) {
        self.open.set(matches!(state, State::Open | State::Outbound).into());
        self.bound.set(matches!(state, State::Bound(_) | State::Unbinding).into());
    }
}
