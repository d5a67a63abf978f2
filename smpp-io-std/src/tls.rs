//! TLS configurations for rustls: TLS 1.2 and 1.3. A client verifies the server's certificate for the host name.
//!
//! The functions return [`rustls`]' own configuration types: any other configuration of rustls works, too. Features choose the cryptography
//! library and the roots; the chapter `tls` of the manual of `smpp-tokio` has them.
//!
//! Every type of rustls in the API of this crate is in this module. A later minor version of this crate may need a later version of
//! rustls; use the one that is re-exported here.
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
//!
//! # Mutual TLS
//!
//! A client shows a certificate with [`client_with_certificate`], a server asks for one with [`server_verifying_clients`]. Both
//! configurations can be replaced while they are in use, when a certificate is renewed: [`ClientTls::replace`], [`ServerTls::replace`].
//! This program is client and server, with certificates that it makes itself:
//!
//! ```
//! use std::thread;
//!
//! use smpp_std::testing::Certificate;
//! use smpp_std::tls::{self, ClientTls};
//! use smpp_std::{Connector, Listener};
//! # use smpp_proto::session::Config;
//! # use smpp_proto::{Bind, COctets, Endpoint};
//!
//! let authority = Certificate::for_localhost()?;
//! let ((server, server_key), (client, client_key)) = (authority.issue("localhost")?, authority.issue("shop")?);
//!
//! let server_tls = tls::server_verifying_clients(server, server_key, authority.roots())?;
//! let listener = Listener::bind("127.0.0.1:0", Config::default())?.tls(server_tls);
//! let endpoint = Endpoint::tls("localhost", listener.local_addr()?.port());
//! let accepting = thread::spawn(move || {
//!     [(), ()].map(|()| {
//!         let request = listener.accept().unwrap().bind_request().unwrap();
//!         let shown = request.tls().and_then(|tls| tls.client_certificate()).cloned().unwrap();
//!         (shown, request.accept(COctets::default()).unwrap())
//!     })
//! });
//!
//! let client_tls = ClientTls::new(tls::client_with_certificate(authority.roots(), client.clone(), client_key)?);
//! let connector = Connector::new().tls(client_tls.clone());
//! connector.bind(&endpoint, &Bind::default())?;
//!
//! // The certificate is renewed: connections from now on use it.
//! let (renewed, renewed_key) = authority.issue("shop")?;
//! client_tls.replace(tls::client_with_certificate(authority.roots(), renewed.clone(), renewed_key)?);
//! connector.bind(&endpoint, &Bind::default())?;
//! assert_eq!(accepting.join().unwrap().map(|(shown, _session)| vec![shown]), [client, renewed]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "rustls")]
pub use smpp_common::rustls;
#[doc(inline)]
pub use smpp_common::tls::*;
pub(crate) use smpp_common::tls_or_none::ClientConfig;
#[cfg(not(feature = "rustls"))]
pub(crate) use smpp_common::tls_or_none::{ClientTls, ServerTls, TlsInfo};
