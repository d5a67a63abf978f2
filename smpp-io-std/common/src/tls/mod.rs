//! TLS configurations for rustls: TLS 1.2 and 1.3. A client verifies the server's certificate for the host name.
//!
//! Every type of rustls in the API of the adapters is in this module. The module `tls` of both adapters has the same items, and `rustls`.

#[cfg(not(feature = "rustls"))]
pub(crate) mod absent;
#[cfg(feature = "rustls")]
mod configuration;
mod error;
#[cfg(feature = "rustls")]
mod exchange;
#[cfg(feature = "rustls")]
mod info;
#[cfg(feature = "rustls")]
mod pem_verifier;
#[cfg(feature = "rustls")]
mod provider;
#[cfg(feature = "rustls")]
mod roots;

#[cfg(feature = "rustls")]
pub use configuration::{
    ca_file, ca_pem, client, client_with_certificate, server, server_files, server_verifying_clients,
};
pub use error::TlsError;
#[cfg(feature = "rustls")]
pub use exchange::{ClientTls, ServerTls};
#[cfg(feature = "rustls")]
pub use info::TlsInfo;
#[cfg(feature = "rustls")]
pub use provider::provider;
#[cfg(feature = "platform-verifier")]
pub use roots::platform_verifier;
#[cfg(feature = "native-roots")]
pub use roots::system_roots;
#[cfg(feature = "webpki-roots")]
pub use roots::webpki_roots;
#[cfg(feature = "rustls")]
#[doc(inline)]
pub use rustls::pki_types::{CertificateDer, PrivateKeyDer};
#[cfg(feature = "rustls")]
#[doc(inline)]
pub use rustls::{ProtocolVersion, RootCertStore};
