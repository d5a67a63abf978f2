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

#[cfg(feature = "rustls")]
#[doc(inline)]
pub use self::rustls::pki_types::{CertificateDer, PrivateKeyDer};
#[cfg(feature = "rustls")]
#[doc(inline)]
pub use self::rustls::{ProtocolVersion, RootCertStore};
pub(crate) use smpp_common::tls::ClientConfig;
#[doc(inline)]
pub use smpp_common::tls::TlsError;
#[cfg(feature = "platform-verifier")]
#[doc(inline)]
pub use smpp_common::tls::platform_verifier;
#[cfg(feature = "rustls")]
pub use smpp_common::tls::rustls;
#[cfg(feature = "native-roots")]
#[doc(inline)]
pub use smpp_common::tls::system_roots;
#[cfg(feature = "webpki-roots")]
#[doc(inline)]
pub use smpp_common::tls::webpki_roots;
#[cfg(not(feature = "rustls"))]
pub(crate) use smpp_common::tls::{ClientTls, ServerTls, TlsInfo};
#[cfg(feature = "rustls")]
#[doc(inline)]
pub use smpp_common::tls::{
    ClientTls, ServerTls, TlsInfo, ca_file, ca_pem, client, client_with_certificate, provider, server,
    server_files, server_verifying_clients,
};
