//! The metrics of a session.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use smpp_core::session::{Role, Side, State};
use tokio::time::timeout;

use super::gauge::{GaugeShare, MIN_INTERVAL};
use super::traffic::{Labels, TrafficPublisher, with};
use crate::handle::Handle;

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
    let role = match R::SIDE {
        Side::Esme => "esme",
        Side::Smsc => "smsc",
    };
    let mut publisher = Publisher::new(&[("role", role.into()), ("session", session.into().into())]);
    async move {
        loop {
            let mut end = pin!(shared.ended.notified());
            end.as_mut().enable();
            let (current, counters, state, ended) = {
                let core = shared.lock();
                let counters = &core.telemetry.counters;
                let counters = (counters.requests, counters.histogram());
                (core.session.stats(), counters, core.session.state(), core.end.is_some())
            };
            publisher.publish_state(state);
            publisher.traffic.publish(&current, &counters.0, &counters.1);
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
    traffic: TrafficPublisher,
}

impl Publisher {
    fn new(labels: &Labels) -> Self {
        let traffic = TrafficPublisher::new("smpp", labels);
        let sessions = |state: &'static str| {
            GaugeShare::new(gauge!("smpp_sessions", with(labels, &[("state", state.into())])))
        };
        Self { open: sessions("open"), bound: sessions("bound"), traffic }
    }

    fn publish_state(&mut self, state: State) {
        self.open.set(matches!(state, State::Open | State::Outbound).into());
        self.bound.set(matches!(state, State::Bound(_) | State::Unbinding).into());
    }
}
