//! The metrics of a server.

use std::future::Future;
use std::time::Duration;

use smpp_common::metrics::{MIN_INTERVAL, ServerPublisher};
use tokio::time::timeout;

use crate::server::BindRegistry;

/// Publishes the metrics of a server at the given interval, and once more when it is shut down. Then the future completes.
/// Spawn it as a task.
///
/// `server` is the value of the label `server`. The interval is 1 ms at least. The future does not keep the server running. It
/// uses the recorder that is installed when `publish_server` is called.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn example(server: smpp_tokio::Server) {
/// tokio::spawn(smpp_tokio::metrics::publish_server(server.binds(), "smsc", Duration::from_secs(10)));
/// # }
/// ```
///
/// # Cancel safety
///
/// A future that is dropped early subtracts what it has added to the gauges.
pub fn publish_server(
    binds: &BindRegistry,
    server: impl Into<String>,
    interval: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let mut publisher = ServerPublisher::new(&server.into());
    let (binds, mut events) = (binds.clone(), binds.events());
    async move {
        let interval = interval.max(MIN_INTERVAL);
        loop {
            publisher.publish(&binds.stats());
            // Waits for the interval, or for the last event.
            let next = timeout(interval, async { while events.recv().await.is_some() {} });
            if next.await.is_ok() {
                publisher.publish(&binds.stats());
                return;
            }
        }
    }
}
