//! The tests of the public interface that need no process of their own: one binary, so that it is built and linked once.
//! `cargo test -p smpp-tokio --test integration sessions::` runs those of one module.

use std::pin::Pin;

use tokio::task::JoinHandle;

mod account;
mod account_edge_cases;
mod account_faults;
mod account_requests;
mod account_shape;
mod dialects;
mod drivers;
mod faults;
#[cfg(all(feature = "metrics", feature = "tracing"))]
mod observability;
mod refusals;
mod requests;
mod server;
#[cfg(all(feature = "metrics", feature = "tracing"))]
mod server_observability;
mod sessions;
mod sockets;
#[cfg(feature = "stream")]
mod streams;
mod testing;
mod tls_write_failure;
mod tokio_with_std;
mod wait_queue;

/// Spawns a task. Its future is boxed: then a task is compiled once for each result, not for each future.
fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let future: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(future);
    tokio::spawn(future)
}
