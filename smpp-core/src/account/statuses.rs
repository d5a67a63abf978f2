//! What the account does about each status with which the SMSC refuses a message or a bind.

use alloc::collections::BTreeMap;

use crate::pdu::CommandStatus;
use crate::provider::{BindAction, StatusTable, SubmitAction};

/// What an account does about each `command_status` of a submit_sm_resp and of a bind response: the provider's
/// [`StatusTable`], with the changes of the user. Set it in [`Options::statuses`](super::Options::statuses).
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::CommandStatus;
/// use smpp_proto::account::{Credentials, Options};
/// use smpp_proto::provider::{BindAction, Provider, SubmitAction};
///
/// let mut options = Options::new(Credentials::new("shop", "s3cret"), &Provider::EIGHT_BY_EIGHT);
/// // One-time passwords: a full subscriber queue is worth one more attempt.
/// let once = SubmitAction::Retry { times: 1, delay: Duration::from_secs(5) };
/// options.statuses = options
///     .statuses
///     .on_submit(CommandStatus::RMSGQFUL, once)
///     .on_submit(CommandStatus::RSYSERR, SubmitAction::Refuse)
///     .on_bind(CommandStatus::RBINDFAIL, BindAction::Stop);
/// assert_eq!(options.statuses.submit_action(CommandStatus::RMSGQFUL), once);
/// assert!(matches!(options.statuses.submit_action(CommandStatus::RTHROTTLED), SubmitAction::Pause { .. }));
/// assert_eq!(options.statuses.bind_action(CommandStatus::RALYBND), BindAction::Retry);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    table: StatusTable,
    submit: BTreeMap<CommandStatus, SubmitAction>,
    bind: BTreeMap<CommandStatus, BindAction>,
}

/// The table of a provider that gives each status its usual meaning: [`StatusTable::DEFAULT`].
impl Default for Statuses {
    fn default() -> Self {
        Self::new(&StatusTable::UNSTATED)
    }
}

impl Statuses {
    /// Takes a provider's table.
    pub const fn new(table: &StatusTable) -> Self {
        Self { table: *table, submit: BTreeMap::new(), bind: BTreeMap::new() }
    }

    /// Sets what the account does when a submit is refused with this status.
    #[must_use]
    pub fn on_submit(mut self, status: CommandStatus, action: SubmitAction) -> Self {
        self.submit.insert(status, action);
        self
    }

    /// Sets what the account does when a bind is refused with this status.
    #[must_use]
    pub fn on_bind(mut self, status: CommandStatus, action: BindAction) -> Self {
        self.bind.insert(status, action);
        self
    }

    /// Returns what the account does when a submit is refused with this status.
    pub fn submit_action(&self, status: CommandStatus) -> SubmitAction {
        self.submit.get(&status).copied().unwrap_or_else(|| self.table.submit_action(status))
    }

    /// Returns what the account does when a bind is refused with this status.
    pub fn bind_action(&self, status: CommandStatus) -> BindAction {
        self.bind.get(&status).copied().unwrap_or_else(|| self.table.bind_action(status))
    }
}
