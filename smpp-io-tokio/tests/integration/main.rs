//! The tests of the public interface that need no process of their own: one binary, so that it is built and linked once.
//! `cargo test -p smpp-tokio --test integration sessions::` runs those of one module.

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
mod options;
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
