//! How do I use TLS: smpps, my own certificate authority, client certificates (mutual TLS), the server side, another cryptography library?
//!
//! **Short answer.** Write `smpps://` in the URL: the connection speaks TLS 1.2 or 1.3 from the first octet, and the
//! server's certificate must be valid for the host in the URL and signed by an authority that the operating system
//! trusts. For another authority pass [`tls::ca_file`] to `.tls(...)`; for anything else pass your own
//! [`rustls::ClientConfig`](crate::tls::rustls::ClientConfig). All of it is in the module [`tls`](crate::tls), which also
//! re-exports `rustls`: no dependency of your own has to match its version.
//!
//! # Ports and versions
//!
//! | URL | port unless given | transport |
//! | --- | --- | --- |
//! | `smpp://host` | 2775 | plain TCP |
//! | `smpps://host` | 2776 | TLS from the first octet; there is no STARTTLS in SMPP |
//!
//! Both sides offer TLS 1.2 and 1.3 with the safe defaults of [`rustls`](crate::tls::rustls) (0.23). There is no
//! option to turn off the verification of the certificate: for a self-signed certificate or your own CA use `ca_file`.
//!
//! # Choose the cryptography library and the roots
//!
//! | feature | default | what it is | a build needs |
//! | --- | --- | --- | --- |
//! | `rustls` | yes | TLS itself; the features below turn it on | |
//! | `ring` | yes | cryptography: `ring` | a C compiler |
//! | `aws-lc-rs` | no | cryptography: AWS-LC, with post-quantum key exchange | a C compiler; CMake on some targets |
//! | `fips` | no | cryptography: the module of AWS-LC that is certified for FIPS 140-3 | a C compiler, CMake, Go |
//! | `native-roots` | yes | roots: the files or the store of the operating system | |
//! | `platform-verifier` | no | roots: the verifier of the operating system, with its revocation lists and an administrator's rules | |
//! | `webpki-roots` | no | roots: Mozilla's, compiled in; for containers without any | |
//!
//! ```toml
//! # aws-lc-rs instead of ring
//! smpp-tokio = { version = "0.1", default-features = false, features = ["aws-lc-rs", "native-roots"] }
//! # no TLS at all: half of the dependencies, no C compiler
//! smpp-tokio = { version = "0.1", default-features = false }
//! ```
//!
//! **Cryptography.** If the process has a default provider of rustls
//! ([`CryptoProvider::install_default`](crate::tls::rustls::crypto::CryptoProvider::install_default)), every configuration uses it: an
//! application on `aws-lc-rs` that has installed it needs no feature here, and two libraries never mix. Otherwise it is the first of `fips`,
//! `aws-lc-rs` and `ring` that is on. Nothing is installed as the default of the process, and nothing panics if two libraries are built in:
//! [`tls::provider`] returns the one in use. For FIPS, check the result: a default of the process that is not certified is used all the same.
//!
//! ```
//! use smpp_tokio::tls;
//!
//! let provider = tls::provider()?;
//! println!("FIPS: {}", provider.fips()); // also of a configuration: `tls::system_roots()?.fips()`
//! # Ok::<(), tls::TlsError>(())
//! ```
//!
//! **Roots**, when `.tls(...)` is not called: the first of `platform-verifier`, `native-roots` and `webpki-roots` that is on and has an
//! authority. So `webpki-roots` beside `native-roots` counts only where the operating system has none.
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
//! | [`tls::system_roots`] (the default when `.tls` is not called) | the authorities of the operating system |
//! | [`tls::platform_verifier`], [`tls::webpki_roots`] | what the operating system's verifier accepts; Mozilla's authorities |
//! | [`tls::ca_file`], [`tls::ca_pem`] | the certificates in a PEM file or in memory, and no others: authorities, or a server's own self-signed certificate |
//! | [`tls::client`] | a `rustls::RootCertStore` of yours |
//!
//! A self-signed server certificate may be in the file too: it is accepted for the names in it, while its dates are valid.
//! Only a certificate in the file that is an authority (basicConstraints with `cA` true) may sign others.
//!
//! All connections of a connector and of its clones share one configuration, which lets rustls resume TLS sessions. The
//! system's certificates are read for the first connection, in a thread that may block.
//!
//! # Only TLS 1.3, or anything else: your own `ClientConfig`
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use smpp_tokio::tls::rustls::pki_types::pem::PemObject;
//! use smpp_tokio::tls::rustls::{ClientConfig, version};
//! use smpp_tokio::tls::{self, CertificateDer, RootCertStore};
//! use smpp_tokio::Connector;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut roots = RootCertStore::empty();
//! for certificate in CertificateDer::pem_file_iter("provider-ca.pem")? {
//!     roots.add(certificate?)?;
//! }
//! let config = ClientConfig::builder_with_provider(tls::provider()?)
//!     .with_protocol_versions(&[&version::TLS13])?
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
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
//! A client does the same with a [`tls::ClientTls`]: its next connection uses the new configuration, also the reconnects of an account.
//! To bind again with it now, shut down the account or the session, or wait for the SMSC to end it.
//!
//! # Mutual TLS: client certificates
//!
//! A client shows a certificate with [`tls::client_with_certificate`], a server asks for one with [`tls::server_verifying_clients`]. This
//! program is both, with certificates that it makes itself, and renews that of the client while the connector is in use:
//!
//! ```
//! use smpp_tokio::testing::Certificate;
//! use smpp_tokio::tls::{self, ClientTls};
//! use smpp_tokio::{Connector, Listener};
//! # use smpp_proto::session::Config;
//! # use smpp_proto::{COctets, Endpoint};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Certificate::for_localhost()?;
//! let ((server, server_key), (client, client_key)) = (authority.issue("localhost")?, authority.issue("shop")?);
//!
//! let server_tls = tls::server_verifying_clients(server, server_key, authority.roots())?;
//! let listener = Listener::bind("127.0.0.1:0", Config::default()).await?.tls(server_tls);
//! let endpoint = Endpoint::tls("localhost", listener.local_addr()?.port());
//!
//! let client_tls = ClientTls::new(tls::client_with_certificate(authority.roots(), client.clone(), client_key)?);
//! let connector = Connector::new().tls(client_tls.clone());
//! # let bind = smpp_proto::Bind::default();
//! let accept = async || {
//!     let request = listener.accept().await?.bind_request().await?;
//!     let shown = request.tls().and_then(|tls| tls.client_certificate()).cloned();
//!     let session = request.accept(COctets::default())?;
//!     Ok::<_, Box<dyn std::error::Error>>((shown, session))
//! };
//! let (bound, accepted) = tokio::join!(connector.bind(&endpoint, &bind), accept());
//! assert_eq!(accepted?.0.as_ref(), client.first());
//! # bound?;
//!
//! // The certificate is renewed: connections from now on use it.
//! let (renewed, renewed_key) = authority.issue("shop")?;
//! client_tls.replace(tls::client_with_certificate(authority.roots(), renewed.clone(), renewed_key)?);
//! let (bound, accepted) = tokio::join!(connector.bind(&endpoint, &bind), accept());
//! assert_eq!(accepted?.0.as_ref(), renewed.first());
//! # bound?;
//! # Ok(())
//! # }
//! ```
//!
//! With certificates in files, read them with `CertificateDer::pem_file_iter` and `PrivateKeyDer::from_pem_file`, as above.
//! [`tls::server_verifying_clients`] requires a certificate of an authority that you trust. It does not say who may bind as whom:
//! [`BindRequest::tls`](crate::BindRequest::tls) gives the chain that the client has shown to your [`Service`](crate::Service), with the
//! host name that it asked for (SNI), the application protocol (ALPN) and the version of TLS. Its documentation has a service that accepts
//! a system_id only with the certificate that belongs to it. To accept clients without a certificate as well, build the
//! `rustls::ServerConfig` with a `WebPkiClientVerifier` that allows it.
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
//! | [`TlsError::NoRoots`] | no trusted certificate authority | minimal container, or no feature for roots | install `ca-certificates`, or the feature `webpki-roots`, or `ca_file` |
//! | [`TlsError::NoProvider`] | no cryptography library | neither `ring` nor `aws-lc-rs` is on, and the process has no default | turn one on, or install a default |
//! | [`TlsError::NotBuilt`] | the program is built without TLS | `default-features = false` | turn on `ring` and `native-roots` |
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
//! `smpp_std` has the same features, and `smpp_std::tls` the same functions and types: `ClientTls`, `ServerTls`, `TlsInfo`, `TlsError`.
//! `Connector::tls`, `AccountConnector::tls`, `Listener::tls`, `BindRequest::tls` and `ConnectError` are the same, too.
//!
//! [`TlsError::Certificate`]: crate::tls::TlsError::Certificate
//! [`TlsError::Io`]: crate::tls::TlsError::Io
//! [`TlsError::NoProvider`]: crate::tls::TlsError::NoProvider
//! [`TlsError::NotBuilt`]: crate::tls::TlsError::NotBuilt
//! [`TlsError::NoRoots`]: crate::tls::TlsError::NoRoots
//! [`TlsError::Protocol`]: crate::tls::TlsError::Protocol
//! [`TlsError::ServerName`]: crate::tls::TlsError::ServerName
//! [`tls::ClientTls`]: crate::tls::ClientTls
//! [`tls::ca_file`]: crate::tls::ca_file
//! [`tls::ca_pem`]: crate::tls::ca_pem
//! [`tls::client`]: crate::tls::client
//! [`tls::client_with_certificate`]: crate::tls::client_with_certificate
//! [`tls::platform_verifier`]: crate::tls::platform_verifier
//! [`tls::provider`]: crate::tls::provider
//! [`tls::server`]: crate::tls::server
//! [`tls::server_verifying_clients`]: crate::tls::server_verifying_clients
//! [`tls::system_roots`]: crate::tls::system_roots
//! [`tls::webpki_roots`]: crate::tls::webpki_roots
