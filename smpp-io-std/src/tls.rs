//! TLS configurations for rustls: TLS 1.2 and 1.3. A client verifies the server's certificate for the host name.
//!
//! The functions return rustls' own configuration types. For client certificates, pinned versions or another cryptography
//! provider, make a configuration yourself.
//!
//! ```no_run
//! use std::path::Path;
//! use smpp_std::{Connector, Listener, tls};
//! use smpp_proto::session::Config;
//!
//! // A client that trusts one certificate authority.
//! let connector = Connector::new().tls(tls::ca_file(Path::new("ca.pem"))?);
//! // A server with its certificate chain and key.
//! let server = tls::server_files(Path::new("chain.pem"), Path::new("key.pem"))?;
//! let listener = Listener::bind("0.0.0.0:2776", Config::default())?.tls(server);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
#[doc(inline)]
pub use rustls::{ProtocolVersion, RootCertStore};
#[cfg(feature = "native-roots")]
#[doc(inline)]
pub use smpp_common::tls::system_roots;
#[doc(inline)]
pub use smpp_common::tls::{
    ServerTls, TlsInfo, ca_file, ca_pem, client, client_with_certificate, server, server_files,
    server_verifying_clients,
};
