//! A certificate that is made at run time and never stored.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::tls;

/// A certificate for `localhost` with its private key, and the certificate authority that signed it.
///
/// ```
/// use smpp_tokio::testing::Certificate;
///
/// let certificate = Certificate::for_localhost()?;
/// let (server, client) = (certificate.server_config(), certificate.client_config());
/// # let _ = (server, client);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Certificate {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    roots: RootCertStore,
    ca_pem: String,
}

impl Certificate {
    /// Makes an authority and a certificate for `localhost` that it signs.
    pub fn for_localhost() -> io::Result<Self> {
        let mut ca = CertificateParams::default();
        // The two certificates need different names: one with the same subject and issuer counts as self-signed.
        ca.distinguished_name.push(DnType::CommonName, "SMPP test authority");
        ca.key_usages.push(KeyUsagePurpose::KeyCertSign);
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().map_err(io::Error::other)?;
        let ca = CertifiedIssuer::self_signed(ca, ca_key).map_err(io::Error::other)?;

        let mut localhost = CertificateParams::new(["localhost".into()]).map_err(io::Error::other)?;
        localhost.distinguished_name.push(DnType::CommonName, "localhost");
        localhost.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = localhost.signed_by(&key, &ca).map_err(io::Error::other)?;

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.der().to_vec())).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        Ok(Self {
            server: tls::server(vec![certificate.der().clone()], key).map_err(io::Error::other)?,
            client: tls::client(roots.clone()).map_err(io::Error::other)?,
            roots,
            ca_pem: ca.pem(),
        })
    }

    /// Returns a server configuration with this certificate, for [`Listener::tls`](crate::Listener::tls).
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// Returns a client configuration that trusts the authority, for [`Connector::tls`](crate::Connector::tls).
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// Returns the authority as the only trusted root.
    pub fn roots(&self) -> RootCertStore {
        self.roots.clone()
    }

    /// Returns the certificate of the authority in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}
