//! What stands for TLS in a program that is built without it. No value of [`ClientConfig`], [`ServerTls`] and [`TlsInfo`] exists.

use std::sync::Arc;

use super::TlsError;

/// There is no configuration of a client.
#[derive(Clone, Debug)]
pub enum ClientConfig {}

/// There is no configuration of a server.
#[derive(Clone, Debug)]
pub enum ServerTls {}

/// There is no handshake.
#[derive(Clone, Debug)]
pub enum TlsInfo {}

/// The settings of a client that cannot connect over TLS.
#[derive(Clone, Debug, Default)]
pub struct ClientTls(());

impl ClientTls {
    /// Fails.
    pub const fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Returns `None`.
    pub const fn loaded(&self) -> Option<Arc<ClientConfig>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_features_to_turn_on() {
        let error = ClientTls::default().config().unwrap_err();
        assert!(
            error.is_untrusted() && error.to_string().contains("features `ring` and `native-roots`"),
            "{error}"
        );
    }
}
