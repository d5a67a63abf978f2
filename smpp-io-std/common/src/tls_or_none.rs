//! The types of TLS that the adapters name, also in a program that is built without TLS: there are no values of them then.

#[cfg(not(feature = "rustls"))]
pub use crate::tls::absent::{ClientConfig, ClientTls, ServerTls, TlsInfo};
#[cfg(feature = "rustls")]
pub use crate::tls::{ClientTls, ServerTls, TlsInfo};
#[cfg(feature = "rustls")]
pub use rustls::ClientConfig;
