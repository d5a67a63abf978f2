//! The scenarios. `play` is what the application and the SMSC do, in this order; `expected` is what they see.
//!
//! A line begins with the name of the host, the connection or the message that it is about. The last lines are the
//! unresolved messages at the shutdown, and the kinds of the events of the account and of each connection slot.

mod messages;
mod phones;
mod receipts;
mod shape;
mod shutdown;
mod statuses;

use crate::account_scenarios::Scenario;

pub(super) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        shape::SCENARIOS,
        statuses::SCENARIOS,
        messages::SCENARIOS,
        receipts::SCENARIOS,
        phones::SCENARIOS,
        shutdown::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}
