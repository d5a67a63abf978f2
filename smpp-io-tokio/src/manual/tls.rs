//! How do I use TLS: smpps, my own certificate authority, client certificates, the server side?
//!
//! **Short answer.** Write `smpps://` in the URL: the connection speaks TLS 1.2 or 1.3 from the first octet, and the
//! server's certificate must be valid for the host in the URL and signed by an authority that the operating system
//! trusts. For another authority pass [`tls::ca_file`] to `.tls(...)`; for anything else pass your own
//! `rustls::ClientConfig`.
//!
//! # Ports and versions
//!
//! | URL | port unless given | transport |
//! | --- | --- | --- |
//! | `smpp://host` | 2775 | plain TCP |
//! | `smpps://host` | 2776 | TLS from the first octet; there is no STARTTLS in SMPP |
//!
//! Both sides offer TLS 1.2 and 1.3 with the safe defaults of [`rustls`] (0.23) and its `ring` provider. There is no
//! option to turn off the verification of the certificate: for a self-signed certificate or your own CA use `ca_file`.
//!
//! # Trust your own certificate authority
//!
//! ```no_run
//! use smpp_proto::account::{Credentials, Options};
//! use smpp_proto::provider::Provider;
//! use smpp_proto::{Bind, Endpoint};
//! use smpp_tokio::account::AccountConnector;
//! use smpp_tokio::{Connector, tls};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let trusted = tls::ca_file("company-ca.pem".as_ref())?; // only this authority, not the system's
//! let endpoint: Endpoint = "smpps://smsc.example:3550".parse()?;
//!
//! let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
//! let (account, _arrivals) = AccountConnector::new(&endpoint, options).tls(trusted.clone()).connect().await?;
//!
//! // The same for a single session.
//! let (client, _inbox) = Connector::new().tls(trusted).connect(&endpoint).await?;
//! # let _ = (account, client.bind(&Bind::default()).await);
//! # Ok(())
//! # }
//! ```
//!
//! | function | trusts |
//! | --- | --- |
//! | [`tls::system_roots`] (used when `.tls` is not called) | the authorities of the operating system |
//! | [`tls::ca_file`], [`tls::ca_pem`] | the certificates in a PEM file or in memory, and no others: authorities, or a server's own self-signed certificate |
//! | [`tls::client`] | a `rustls::RootCertStore` of yours |
//!
//! A self-signed server certificate may be in the file too: it is accepted for the names in it, while its dates are valid.
//! Only a certificate in the file that is an authority (basicConstraints with `cA` true) may sign others.
//!
//! All connections of a connector and of its clones share one configuration, which lets rustls resume TLS sessions. The
//! system's certificates are read for the first connection, in a thread that may block.
//!
//! # Client certificates, or only TLS 1.3: your own `ClientConfig`
//!
//! Add the same version of rustls to your program (`cargo add rustls@0.23 --no-default-features --features
//! ring,std,tls12`).
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use rustls::pki_types::pem::PemObject;
//! use rustls::pki_types::{CertificateDer, PrivateKeyDer};
//! use rustls::{ClientConfig, RootCertStore};
//! use smpp_tokio::Connector;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut roots = RootCertStore::empty();
//! for certificate in CertificateDer::pem_file_iter("provider-ca.pem")? {
//!     roots.add(certificate?)?;
//! }
//! let chain = CertificateDer::pem_file_iter("client.pem")?.collect::<Result<Vec<_>, _>>()?;
//! let key = PrivateKeyDer::from_pem_file("client.key")?;
//! let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
//!     .with_protocol_versions(&[&rustls::version::TLS13])?
//!     .with_root_certificates(roots)
//!     .with_client_auth_cert(chain, key)?;
//! let connector = Connector::new().tls(Arc::new(config));
//! # drop(connector);
//! # Ok(())
//! # }
//! ```
//!
//! # Which host name is verified
//!
//! The host of the URL, also if you resolve it to addresses of your own
//! ([`AccountConnector::resolver`](crate::account::AccountConnector::resolver)). If the URL has an IP address, the
//! certificate must list that address.
//!
//! # Server side
//!
//! ```no_run
//! use smpp_proto::session::Config;
//! use smpp_tokio::{Listener, Server, Service, tls};
//!
//! # async fn example(service: impl Service) -> Result<(), Box<dyn std::error::Error>> {
//! let tls = tls::server_files("chain.pem".as_ref(), "key.pem".as_ref())?; // the server's own certificate first
//! let server = Server::builder(service)
//!     .listen(Listener::bind("0.0.0.0:2776", Config::default()).await?.tls(tls))
//!     .start()?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! [`tls::server`] takes certificates and key from memory. [`Listener::tls`](crate::Listener::tls) accepts any `rustls::ServerConfig`. The
//! handshake and the bind together have
//! [`Config::session_init_timeout`](smpp_proto::session::Config::session_init_timeout) (10 s).
//! [`BindRequest::is_tls`](crate::BindRequest::is_tls) lets a [`Service`](crate::Service) refuse binds without TLS.
//!
//! # Replace a certificate while the server runs
//!
//! ```no_run
//! use smpp_proto::session::Config;
//! use smpp_tokio::tls::{self, ServerTls};
//! use smpp_tokio::{Listener, Server, Service};
//!
//! # async fn example(service: impl Service) -> Result<(), Box<dyn std::error::Error>> {
//! let files = || tls::server_files("chain.pem".as_ref(), "key.pem".as_ref());
//! let server_tls = ServerTls::new(files()?);
//! let listener = Listener::bind("0.0.0.0:2776", Config::default()).await?.tls(server_tls.clone());
//! let server = Server::builder(service).listen(listener).start()?;
//! // When the files have changed, for example at a signal:
//! server_tls.replace(files()?);
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! Handshakes that begin later use the new certificate; sessions go on with theirs. Check the files first: if they cannot be used, the `?`
//! keeps the certificate of before. `smpp smsc` does this at SIGHUP.
//!
//! # Client certificates
//!
//! [`tls::server_verifying_clients`] requires a certificate of an authority that you trust. It does not say who may bind as whom:
//! [`BindRequest::tls`](crate::BindRequest::tls) gives the chain that the client has shown to your [`Service`](crate::Service), with the
//! host name that it asked for (SNI), the application protocol (ALPN) and the version of TLS. Its documentation has a service that accepts
//! a system_id only with the certificate that belongs to it. To accept clients without a certificate as well, build the
//! `rustls::ServerConfig` with a `WebPkiClientVerifier` that allows it.
//!
//! A client shows a certificate with [`tls::client_with_certificate`].
//!
//! # Errors and what to do
//!
//! | error | text | cause | do |
//! | --- | --- | --- | --- |
//! | [`TlsError::Certificate`] | the peer's certificate was rejected: and why, with the names that it is for, or since when it has expired | unknown authority, self-signed, expired, or for another host | `ca_file` with the authority or the self-signed certificate; check the host in the URL and the clock |
//! | [`TlsError::Protocol`] with an invalid message | the peer does not speak TLS on this port | plain port | use `smpp://`, or the TLS port |
//! | [`TlsError::Protocol`] | the peer offers neither TLS 1.2 nor TLS 1.3 | the server has only TLS 1.1 or older | ask the provider |
//! | [`TlsError::Protocol`] | rustls' own text | an alert of the server (for example: client certificate required), or nothing in common | own `ClientConfig` |
//! | [`TlsError::Io`] | the I/O error | the server closed the connection, often for an address that is not on its allow-list, or did not respond in time | ask the provider; check the port |
//! | [`TlsError::NoRoots`] | no trusted certificate authority | minimal container | install `ca-certificates`, or `ca_file` |
//! | [`TlsError::ServerName`] | neither a DNS name nor an IP address | bad host in the URL | fix it |
//! | `TlsError::Pem` | the path and the cause | PEM file missing, or PEM data without certificates or key | fix it |
//!
//! Where they appear:
//!
//! | API | as |
//! | --- | --- |
//! | [`Connector::connect`](crate::Connector::connect), [`Connector::bind`](crate::Connector::bind) | [`ConnectError`](crate::ConnectError) with [`ConnectErrorKind::Handshake`](crate::ConnectErrorKind::Handshake), or [`Tls`](crate::ConnectErrorKind::Tls) if there is no configuration |
//! | [`AccountConnector::connect`](crate::account::AccountConnector::connect) | [`AccountError::Untrusted`](crate::account::AccountError::Untrusted) if every address was tried and the certificate of the last one was rejected, or if there is no TLS configuration; after other failures it is tried again, and [`AccountError::Timeout`](crate::account::AccountError::Timeout) has the last error |
//! | a running account | [`LinkEvent::ConnectFailed`](smpp_proto::account::LinkEvent::ConnectFailed) with `failure: Untrusted` or `Network` and the error as `detail`; the account goes on trying |
//! | [`Server`](crate::Server) | [`ServerEvent::NotBound`](crate::ServerEvent::NotBound) with [`AcceptError::Tls`](crate::AcceptError::Tls) |
//!
//! # Test TLS on your machine
//!
//! ```sh
//! cargo run --bin smpp -- smsc --tls-listen 127.0.0.1:2776 --tls-ca ca.pem --account shop:s3cret
//! ```
//!
//! makes a certificate for `localhost` and writes its authority to `ca.pem`: connect to `smpps://localhost` with
//! `ca_file`. What is inside TLS can still be captured: [`observability`](super::observability).
//!
//! # Blocking crate
//!
//! `smpp_std::tls` has the same functions, `system_roots` with the feature `native-roots`, which is on by default.
//! `Connector::tls`, `AccountConnector::tls` and `Listener::tls` take the same rustls types. Both crates have the same `ServerTls`,
//! `TlsInfo`, `BindRequest::tls`, `ConnectError` and `TlsError`.
//!
//! [`TlsError::Certificate`]: crate::TlsError::Certificate
//! [`TlsError::Io`]: crate::TlsError::Io
//! [`TlsError::NoRoots`]: crate::TlsError::NoRoots
//! [`TlsError::Protocol`]: crate::TlsError::Protocol
//! [`TlsError::ServerName`]: crate::TlsError::ServerName
//! [`tls::ca_file`]: crate::tls::ca_file
//! [`tls::ca_pem`]: crate::tls::ca_pem
//! [`tls::client`]: crate::tls::client
//! [`tls::client_with_certificate`]: crate::tls::client_with_certificate
//! [`tls::server`]: crate::tls::server
//! [`tls::server_verifying_clients`]: crate::tls::server_verifying_clients
//! [`tls::system_roots`]: crate::tls::system_roots
