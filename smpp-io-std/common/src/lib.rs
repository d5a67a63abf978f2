//! What the adapters `smpp-tokio` and `smpp-std` share: TLS configurations, the PROXY protocol, the errors of connecting and
//! accepting, how a session ended, the limits of a server, and seeds. Both adapters export it. Use it through them.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod accept_error;
mod account_error;
#[cfg(feature = "testing")]
mod certificate;
mod connect_error;
mod dial_target;
mod end;
#[cfg(feature = "in-place-smsc")]
#[doc(hidden)]
pub mod in_place_smsc;
mod last_failure;
#[cfg(feature = "metrics")]
#[doc(hidden)]
pub mod metrics;
mod network;
mod option_checks;
mod proxy_protocol;
mod seed;
mod server_limits;
#[doc(hidden)]
pub mod telemetry;
pub mod tls;
#[doc(hidden)]
pub mod tls_or_none;

pub use accept_error::AcceptError;
pub use account_error::AccountError;
#[cfg(feature = "testing")]
pub use certificate::Certificate;
pub use connect_error::{ConnectError, ConnectErrorKind, no_answer};
pub use dial_target::{DialTarget, unresolved};
pub use end::End;
pub use last_failure::LastFailure;
pub use network::{Network, NetworkError};
pub use option_checks::{check_connector, check_limits, check_listener, invalid_input};
pub use proxy_protocol::{Arrival, HeaderProgress, ProxyHeaderReader, ProxyProtocol};
#[cfg(feature = "rustls")]
pub use rustls;
#[doc(hidden)]
pub use seed::seeded;
pub use server_limits::ServerLimits;
