//! PDUs without a body: unbind, enquire_link, generic_nack (SMPP 3.4 §4.2, §4.3, §4.11).

use super::{CommandId, CommandStatus, Operation, Pdu, ResponseBody};
use crate::wire::{Emit, Sink};

/// Asks whether the other side is alive (SMPP 3.4 §4.11.1). A session sends it by itself when idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnquireLink;

/// Announces the end of the session (SMPP 3.4 §4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unbind;

/// The body of a response that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoBody;

impl Emit for NoBody {
    fn emit<S: Sink>(&self, _: &mut S) {}
}

impl ResponseBody for NoBody {
    const BODY_ON_ERROR: bool = false;
}

macro_rules! bodiless {
    ($($name:ident = $command:ident;)+) => {$(
        impl Emit for $name {
            fn emit<S: Sink>(&self, _: &mut S) {}
        }

        impl Operation for $name {
            type Response<'r> = NoBody;
            type View<'a> = Self;

            const UNANSWERED: CommandStatus = CommandStatus::RSYSERR;

            fn command(&self) -> CommandId {
                CommandId::$command
            }

            fn view(pdu: Pdu<'_>) -> Option<Self> {
                matches!(pdu, Pdu::$name).then_some(Self)
            }
        }
    )+};
}

bodiless! {
    EnquireLink = ENQUIRE_LINK;
    Unbind = UNBIND;
}
