//! Starting an account.

use smpp_proto::account::Options;

use super::AccountError;
use super::arrivals::Arrivals;
use super::background;
use super::connector::AccountConnector;
use super::handle::Account;
use super::shared::Shared;

impl AccountConnector {
    /// Starts the account and waits for its first bind; the other binds follow. A service that must survive an SMSC that is
    /// down at its start calls [`start`](Self::start) instead.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); also [`OptionsError::NoBinds`](smpp_proto::account::OptionsError::NoBinds), [`AccountError::Refused`], [`AccountError::Untrusted`], and [`AccountError::Timeout`]
    /// if there is no bind within [`bind_timeout`](Self::bind_timeout) (60 s). Then the account is shut down.
    pub fn connect(self) -> Result<(Account, Arrivals), AccountError> {
        self.options.check_waits_for_bind().map_err(AccountError::Options)?;
        let timeout = self.bind_timeout;
        let (account, arrivals) = self.start()?;
        account.shared().wait_for_first_bind(timeout)?;
        Ok((account, arrivals))
    }

    /// Starts the account and does not wait. The account queues messages, and sends them once it has a bind.
    ///
    /// # Errors
    ///
    /// [`AccountError::Options`] if the options are not valid or a group of binds has no endpoint,
    /// [`AccountError::Expect`] if the messages of [`expect`](Self::expect) are not valid or too many, and
    /// [`AccountError::Thread`] if the operating system cannot start a thread.
    pub fn start(self) -> Result<(Account, Arrivals), AccountError> {
        let shared = Shared::new(self)?;
        background::start(&shared).map_err(AccountError::Thread)?;
        let account = Account::new(shared);
        Ok((account.clone(), Arrivals::new(account)))
    }
}

impl Account {
    /// Starts an account at `smpp[s]://[SYSTEM_ID[:PASSWORD]@]HOST[:PORT]` and waits for its first bind, at most 60 s. A
    /// service that must survive an SMSC that is down at its start uses [`AccountConnector::start`]. An
    /// [`AccountConnector`] has more settings. A system_id and a password in the URL replace those of the options.
    ///
    /// # Errors
    ///
    /// [`AccountError::Url`] if the URL is not valid; otherwise as [`AccountConnector::connect`] and
    /// [`AccountConnector::start`].
    pub fn connect(url: &str, options: Options) -> Result<(Self, Arrivals), AccountError> {
        let endpoint = url.parse().map_err(AccountError::Url)?;
        AccountConnector::new(&endpoint, options).connect()
    }
}
