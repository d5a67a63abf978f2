//! What a provider means with each `command_status`, as data.

use core::time::Duration;

use crate::pdu::CommandStatus;

/// What an [`Account`](crate::account::Account) does when the SMSC refuses a segment with a certain `command_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubmitAction {
    /// Reports the refusal. The account sends no further segment of the message.
    Refuse,
    /// Sends the message again after `delay`, for refusals that concern this message, such as a full queue of its subscriber.
    /// Other messages are not delayed.
    ///
    /// If the same bind refuses a message to another destination like that, and accepts none in between, the refusals
    /// concern the bind: then it pauses for `delay`. A response counts for that if it comes within the session's
    /// [`response_timeout`](crate::session::Config::response_timeout).
    Retry {
        /// How many times a segment is sent again at most. After that it is refused.
        times: u16,
        /// How long the message waits.
        delay: Duration,
    },
    /// The bind sends nothing for `delay`, for refusals that concern its rate. The segment returns to its old position in
    /// the queue; another bind may send it at once.
    Pause {
        /// How many times a segment is sent again at most. After that it is refused.
        times: u16,
        /// How long the bind sends nothing.
        delay: Duration,
    },
    /// Sends the segment on another bind, or after 1 s if there is none or the message names its bind. A bind that refuses
    /// two segments in a row like that is dead for the SMSC: the account unbinds and binds again, with back-off.
    Rebind {
        /// How many times a segment is sent again at most. After that it is refused.
        times: u16,
    },
    /// The account stops: [`Event::Stopped`](crate::account::Event::Stopped). It reports the refusal, and ends the queued
    /// messages without sending them. Its binds stay, for receipts.
    Stop,
}

/// What an [`Account`](crate::account::Account) does when the SMSC refuses a bind with a certain `command_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindAction {
    /// Binds again after the back-off.
    Retry,
    /// Makes no further bind: [`Event::Stopped`](crate::account::Event::Stopped). For wrong credentials, because repeated
    /// attempts may lock the account.
    Stop,
}

/// What a provider means with each `command_status`. An account uses it through
/// [`Statuses`](crate::account::Statuses), where the user can override it.
///
/// It lists the statuses whose meaning at this provider differs from [`DEFAULT`](Self::DEFAULT). For the others the
/// default applies, and for a status that is not there either, [`SubmitAction::Refuse`] and [`BindAction::Retry`].
///
/// ```
/// use core::time::Duration;
/// use smpp_proto::CommandStatus;
/// use smpp_proto::provider::{BindAction, Provider, StatusTable, SubmitAction};
///
/// /// Status 4 means "invalid number" at this provider, 0x0450 "no credit", and 0x0451 "too fast".
/// const ACME: Provider = Provider::UNSTATED.name("Acme").statuses(
///     StatusTable::UNSTATED
///         .submit(&[
///             (CommandStatus::RINVBNDSTS, SubmitAction::Refuse),
///             (CommandStatus(0x450), SubmitAction::Stop),
///             (CommandStatus(0x451), SubmitAction::Pause { times: 20, delay: Duration::from_millis(500) }),
///         ])
///         .bind(&[(CommandStatus(0x460), BindAction::Stop)]),
/// );
/// assert_eq!(ACME.statuses.submit_action(CommandStatus::RINVBNDSTS), SubmitAction::Refuse);
/// assert_eq!(ACME.statuses.bind_action(CommandStatus::RINVPASWD), BindAction::Stop);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusTable {
    /// The statuses of a submit_sm_resp, or of a generic_nack to a submit_sm. The first row of a status applies.
    pub submit: &'static [(CommandStatus, SubmitAction)],
    /// The statuses of a bind response. The first row of a status applies.
    pub bind: &'static [(CommandStatus, BindAction)],
}

const SECOND: Duration = Duration::from_secs(1);

impl StatusTable {
    /// A provider that gives each status its usual meaning: the table is empty, and [`DEFAULT`](Self::DEFAULT) applies.
    pub const UNSTATED: Self = Self { submit: &[], bind: &[] };

    /// What the statuses usually mean.
    ///
    /// | status of a submit | action |
    /// | --- | --- |
    /// | `ESME_RTHROTTLED` | pause the bind for 1 s, up to 10 times for a segment |
    /// | `ESME_RMSGQFUL` | retry the message after 1 s, up to 10 times |
    /// | `ESME_RINVBNDSTS` | send it on another bind, up to 3 times; rebind if it is repeated |
    /// | `ESME_RSYSERR`, `ESME_RX_T_APPN` | retry the message after 1 s, up to 3 times |
    /// | any other | refuse |
    ///
    /// | status of a bind | action |
    /// | --- | --- |
    /// | `ESME_RINVPASWD`, `ESME_RINVSYSID`, `ESME_RINVSYSTYP`, `ESME_RPROHIBITED` | stop |
    /// | any other | back off and retry |
    pub const DEFAULT: Self = Self {
        submit: &[
            (CommandStatus::RTHROTTLED, SubmitAction::Pause { times: 10, delay: SECOND }),
            (CommandStatus::RMSGQFUL, SubmitAction::Retry { times: 10, delay: SECOND }),
            (CommandStatus::RINVBNDSTS, SubmitAction::Rebind { times: 3 }),
            (CommandStatus::RSYSERR, SubmitAction::Retry { times: 3, delay: SECOND }),
            (CommandStatus::RX_T_APPN, SubmitAction::Retry { times: 3, delay: SECOND }),
        ],
        bind: &[
            (CommandStatus::RINVPASWD, BindAction::Stop),
            (CommandStatus::RINVSYSID, BindAction::Stop),
            (CommandStatus::RINVSYSTYP, BindAction::Stop),
            (CommandStatus::RPROHIBITED, BindAction::Stop),
        ],
    };

    /// Returns what an account does when a submit is refused with this status.
    pub fn submit_action(&self, status: CommandStatus) -> SubmitAction {
        find(self.submit, status).or(find(Self::DEFAULT.submit, status)).unwrap_or(SubmitAction::Refuse)
    }

    /// Returns what an account does when a bind is refused with this status.
    pub fn bind_action(&self, status: CommandStatus) -> BindAction {
        find(self.bind, status).or(find(Self::DEFAULT.bind, status)).unwrap_or(BindAction::Retry)
    }

    crate::setters! {
        const submit: &'static [(CommandStatus, SubmitAction)],
        const bind: &'static [(CommandStatus, BindAction)],
    }
}

fn find<A: Copy>(rows: &[(CommandStatus, A)], status: CommandStatus) -> Option<A> {
    rows.iter().find(|(row, _)| *row == status).map(|(_, action)| *action)
}
