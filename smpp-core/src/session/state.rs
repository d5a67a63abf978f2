//! Which side may send what, when (SMPP 3.4 §2.3).

use super::role::Side;
use crate::pdu::{BindMode, CommandId};

/// Where a session stands (SMPP 3.4 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, not bound.
    Open,
    /// The SMSC has sent outbind: the ESME is to bind (SMPP 3.4 §2.2.1).
    Outbound,
    /// Bound.
    Bound(BindMode),
    /// An unbind is under way: no new requests.
    Unbinding,
    /// Over.
    Closed,
}

bitflags::bitflags! {
    #[derive(Clone, Copy)]
    struct In: u8 {
        const OPEN = 1;
        const TX = 1 << 1;
        const RX = 1 << 2;
        const TRX = 1 << 3;
        const UNBINDING = 1 << 4;
        const OUTBOUND = 1 << 5;
        const BINDING = Self::OPEN.bits() | Self::OUTBOUND.bits();
        const SUBMITTING = Self::TX.bits() | Self::TRX.bits();
        const DELIVERING = Self::RX.bits() | Self::TRX.bits();
        const BOUND = Self::TX.bits() | Self::RX.bits() | Self::TRX.bits();
    }
}

bitflags::bitflags! {
    #[derive(Clone, Copy)]
    struct By: u8 {
        const ESME = 1;
        const SMSC = 1 << 1;
    }
}

/// Requests, by whom and in which states they may be sent.
const TABLE: &[(CommandId, By, In)] = &[
    (CommandId::BIND_RECEIVER, By::ESME, In::BINDING),
    (CommandId::BIND_TRANSMITTER, By::ESME, In::BINDING),
    (CommandId::BIND_TRANSCEIVER, By::ESME, In::BINDING),
    (CommandId::OUTBIND, By::SMSC, In::OPEN),
    (CommandId::SUBMIT_SM, By::ESME, In::SUBMITTING),
    (CommandId::SUBMIT_MULTI, By::ESME, In::SUBMITTING),
    (CommandId::QUERY_SM, By::ESME, In::SUBMITTING),
    (CommandId::CANCEL_SM, By::ESME, In::SUBMITTING),
    (CommandId::REPLACE_SM, By::ESME, In::SUBMITTING),
    (CommandId::BROADCAST_SM, By::ESME, In::SUBMITTING),
    (CommandId::QUERY_BROADCAST_SM, By::ESME, In::SUBMITTING),
    (CommandId::CANCEL_BROADCAST_SM, By::ESME, In::SUBMITTING),
    (CommandId::DELIVER_SM, By::SMSC, In::DELIVERING),
    (CommandId::ALERT_NOTIFICATION, By::SMSC, In::DELIVERING),
    (CommandId::DATA_SM, By::all(), In::BOUND),
    // An unbind may cross ours.
    (CommandId::UNBIND, By::all(), In::BOUND.union(In::UNBINDING)),
    (CommandId::ENQUIRE_LINK, By::all(), In::all()),
];

impl State {
    /// Whether `sender` may send the request in this state.
    pub fn allows(self, sender: Side, request: CommandId) -> bool {
        let by = match sender {
            Side::Esme => By::ESME,
            Side::Smsc => By::SMSC,
        };
        let here = match self {
            Self::Open => In::OPEN,
            Self::Outbound => In::OUTBOUND,
            Self::Bound(BindMode::Transmitter) => In::TX,
            Self::Bound(BindMode::Receiver) => In::RX,
            Self::Bound(BindMode::Transceiver) => In::TRX,
            Self::Unbinding => In::UNBINDING,
            Self::Closed => return false,
        };
        TABLE.iter().any(|(command, senders, states)| {
            *command == request && senders.contains(by) && states.contains(here)
        })
    }

    /// Whether the session is bound, in any mode.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Bound(_))
    }
}
