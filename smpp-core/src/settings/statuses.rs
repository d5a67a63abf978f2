//! What the statuses of submits and binds mean.

use alloc::vec::Vec;
use serde::Deserialize;

use super::duration::Span;
use super::names::Named;
use super::number::AnyNumber;
use super::value::{Items, Value};
use crate::account::Statuses;
use crate::pdu::CommandStatus;
use crate::provider::{BindAction, StatusTable, SubmitAction};

/// The actions for the statuses of a provider, or of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusLists {
    #[serde(default)]
    submit: Vec<SubmitRow>,
    #[serde(default)]
    bind: Vec<BindRow>,
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum SubmitRow {
    Refuse { status: Named<CommandStatus> },
    Retry { status: Named<CommandStatus>, times: AnyNumber<u16>, delay: Span },
    Pause { status: Named<CommandStatus>, times: AnyNumber<u16>, delay: Span },
    Rebind { status: Named<CommandStatus>, times: AnyNumber<u16> },
    Stop { status: Named<CommandStatus> },
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum BindRow {
    Retry { status: Named<CommandStatus> },
    Stop { status: Named<CommandStatus> },
}

impl Value for SubmitRow {
    type Field = (CommandStatus, SubmitAction);

    fn value(self) -> Self::Field {
        match self {
            Self::Refuse { status } => (status.value(), SubmitAction::Refuse),
            Self::Retry { status, times, delay } => {
                (status.value(), SubmitAction::Retry { times: times.get(), delay: delay.value() })
            }
            Self::Pause { status, times, delay } => {
                (status.value(), SubmitAction::Pause { times: times.get(), delay: delay.value() })
            }
            Self::Rebind { status, times } => (status.value(), SubmitAction::Rebind { times: times.get() }),
            Self::Stop { status } => (status.value(), SubmitAction::Stop),
        }
    }
}

impl Value for BindRow {
    type Field = (CommandStatus, BindAction);

    fn value(self) -> Self::Field {
        match self {
            Self::Retry { status } => (status.value(), BindAction::Retry),
            Self::Stop { status } => (status.value(), BindAction::Stop),
        }
    }
}

impl Value for StatusLists {
    type Field = StatusTable;

    fn value(self) -> StatusTable {
        StatusTable { submit: Items(self.submit).value(), bind: Items(self.bind).value() }
    }
}

impl StatusLists {
    /// Adds the actions to those of the provider.
    pub(super) fn add_to(self, mut statuses: Statuses) -> Statuses {
        for (status, action) in self.submit.into_iter().map(Value::value) {
            statuses = statuses.on_submit(status, action);
        }
        for (status, action) in self.bind.into_iter().map(Value::value) {
            statuses = statuses.on_bind(status, action);
        }
        statuses
    }
}
