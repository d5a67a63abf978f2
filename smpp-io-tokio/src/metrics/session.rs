//! The metrics of a session.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use smpp_common::metrics::{MIN_INTERVAL, SessionPublisher};
use smpp_proto::session::Role;
use tokio::time::timeout;

use crate::handle::Handle;
use crate::shared::Core;

/// Publishes the metrics of a session at the given interval, and once more when the session has ended. Then the future
/// completes. Spawn it as a task.
///
/// `session` is the value of the label `session`. The interval is 1 ms at least. The future does not keep the session
/// alive. It uses the recorder that is installed when `publish` is called.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn example(client: smpp_tokio::Client) {
/// tokio::spawn(smpp_tokio::metrics::publish(&client, "8x8", Duration::from_secs(10)));
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
    let mut publisher = SessionPublisher::new(R::SIDE, session.into());
    async move {
        loop {
            let mut end = pin!(shared.ended.notified());
            end.as_mut().enable();
            let (state, traffic, counters, ended) = {
                let core = shared.lock();
                let Core { session, telemetry, end, .. } = &*core;
                (session.state(), session.stats(), telemetry.counters.clone(), end.is_some())
            };
            publisher.publish(state, &traffic, &counters);
            if ended {
                return;
            }
            // Waits for the end of the session or of the interval.
            let _ = timeout(interval.max(MIN_INTERVAL), end).await;
        }
    }
}
