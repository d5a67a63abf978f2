//! TLS 1.2 and 1.3 with rustls. Clients verify the server's certificate for the host name.
//!
//! A [`Connector`](crate::Connector) and an [`AccountConnector`](crate::account::AccountConnector) trust the root
//! certificates of the operating system unless they are given a configuration; a [`Listener`](crate::Listener) accepts TLS
//! once it is given one. Any [`rustls`] configuration works; the functions here build the usual ones. Features choose the cryptography
//! library and the roots: the [manual](crate::manual::tls) has them, with mutual TLS and the exchange of certificates at run time.
//!
//! Every type of rustls in the API of this crate is in this module. A later minor version of this crate may need a later version of
//! rustls; use the one that is re-exported here.
//!
//! ```no_run
//! use smpp_proto::session::Config;
//! use smpp_tokio::{Connector, Listener, tls};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // A client that trusts the CA of the SMSC's operator.
//! let connector = Connector::new().tls(tls::ca_file("ca.pem".as_ref())?);
//! // A server with its own certificate.
//! let config = tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?;
//! let listener = Listener::bind("0.0.0.0:2776", Config::default()).await?.tls(config);
//! # drop((connector, listener));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "rustls")]
pub use smpp_common::rustls;
#[doc(inline)]
pub use smpp_common::tls::*;
pub(crate) use smpp_common::tls_or_none::ClientConfig;
#[cfg(not(feature = "rustls"))]
pub(crate) use smpp_common::tls_or_none::{ClientTls, ServerTls, TlsInfo};
