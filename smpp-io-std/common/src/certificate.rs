//! Certificates that are made at run time and never stored.

use std::fmt;
use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::tls::{self, ClientTls, ServerTls};

/// A certificate for `localhost` with its private key, and the certificate authority that signed it.
///
/// ```
/// use smpp_common::Certificate;
///
/// let certificate = Certificate::for_localhost()?;
/// let (server, client) = (certificate.server_tls(), certificate.client_tls());
/// # let _ = (server, client);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Certificate {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    authority: Arc<CertifiedIssuer<'static, KeyPair>>,
    ca_pem: String,
}

impl Certificate {
    /// Makes an authority and a certificate for `localhost` that it signs.
    ///
    /// # Errors
    ///
    /// The operating system gives no random numbers.
    pub fn for_localhost() -> io::Result<Self> {
        let mut ca = CertificateParams::default();
        // The certificates need different names: one with the same subject and issuer counts as self-signed.
        ca.distinguished_name.push(DnType::CommonName, "SMPP test authority");
        ca.key_usages.push(KeyUsagePurpose::KeyCertSign);
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let authority = CertifiedIssuer::self_signed(ca, key).map_err(io::Error::other)?;

        let ca_pem = authority.pem();
        let (chain, key) = issue(&authority, "localhost")?;
        Ok(Self {
            server: tls::server(chain, key).map_err(io::Error::other)?,
            client: tls::ca_pem(ca_pem.as_bytes()).map_err(io::Error::other)?,
            authority: Arc::new(authority),
            ca_pem,
        })
    }

    /// Returns a server configuration with this certificate, for `Listener::tls`.
    pub fn server_tls(&self) -> ServerTls {
        ServerTls::new(Arc::clone(&self.server))
    }

    /// Returns a client configuration that trusts the authority, for `Connector::tls`.
    pub fn client_tls(&self) -> ClientTls {
        ClientTls::new(Arc::clone(&self.client))
    }

    /// Makes another certificate that the authority signs, for a server of this name or for a client (mutual TLS). Returns the
    /// chain, which is this certificate alone, and its private key.
    ///
    /// ```
    /// use smpp_common::Certificate;
    /// use smpp_common::tls;
    ///
    /// let certificate = Certificate::for_localhost()?;
    /// let (chain, key) = certificate.issue("shop")?;
    /// let client = tls::client_with_certificate(certificate.roots(), chain, key)?;
    /// # let _ = client;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The name is not ASCII.
    #[doc(alias = "client certificate")]
    #[doc(alias = "mTLS")]
    pub fn issue(&self, name: &str) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        issue(&self.authority, name)
    }

    /// Returns the authority as the only trusted root.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates([CertificateDer::from(self.authority.der().to_vec())]);
        roots
    }

    /// Returns the certificate of the authority in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

/// Without the private keys.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("ca_pem", &self.ca_pem).finish_non_exhaustive()
    }
}

fn issue(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let mut parameters = CertificateParams::new([name.into()]).map_err(io::Error::other)?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = parameters.signed_by(&key, authority).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
    Ok((vec![certificate.der().clone()], key))
}
