//! The states of a session, and which side may send which request in them (SMPP 3.4 §2.3).

use core::fmt;

use super::role::Side;
use crate::pdu::{BindMode, CommandId};

/// The state of a session (SMPP 3.4 §2.2). The [crate documentation](crate) has the state diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The connection is open and no bind has been accepted.
    Open,
    /// The SMSC has sent outbind, and the ESME must bind (SMPP 3.4 §2.2.1).
    Outbound,
    /// The SMSC has accepted the bind, in this mode. A session that drains before its own unbind is still bound.
    Bound(BindMode),
    /// One side has sent unbind. No new requests are allowed.
    Unbinding,
    /// The session has ended.
    Closed,
}

bitflags::bitflags! {
    #[derive(Clone, Copy)]
    struct States: u8 {
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
    struct Senders: u8 {
        const ESME = 1;
        const SMSC = 1 << 1;
    }
}

/// Each request, the sides that may send it, and the states in which they may.
const TABLE: &[(CommandId, Senders, States)] = &[
    (CommandId::BIND_RECEIVER, Senders::ESME, States::BINDING),
    (CommandId::BIND_TRANSMITTER, Senders::ESME, States::BINDING),
    (CommandId::BIND_TRANSCEIVER, Senders::ESME, States::BINDING),
    (CommandId::OUTBIND, Senders::SMSC, States::OPEN),
    (CommandId::SUBMIT_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::SUBMIT_MULTI, Senders::ESME, States::SUBMITTING),
    (CommandId::QUERY_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::CANCEL_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::REPLACE_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::BROADCAST_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::QUERY_BROADCAST_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::CANCEL_BROADCAST_SM, Senders::ESME, States::SUBMITTING),
    (CommandId::DELIVER_SM, Senders::SMSC, States::DELIVERING),
    (CommandId::ALERT_NOTIFICATION, Senders::SMSC, States::DELIVERING),
    (CommandId::DATA_SM, Senders::all(), States::BOUND),
    // The unbinds of both sides may cross.
    (CommandId::UNBIND, Senders::all(), States::BOUND.union(States::UNBINDING)),
    (CommandId::ENQUIRE_LINK, Senders::all(), States::all()),
];

impl State {
    /// Returns whether `sender` may send the request in this state.
    pub fn allows(self, sender: Side, request: CommandId) -> bool {
        let sender = match sender {
            Side::Esme => Senders::ESME,
            Side::Smsc => Senders::SMSC,
        };
        let state = match self {
            Self::Open => States::OPEN,
            Self::Outbound => States::OUTBOUND,
            Self::Bound(BindMode::Transmitter) => States::TX,
            Self::Bound(BindMode::Receiver) => States::RX,
            Self::Bound(BindMode::Transceiver) => States::TRX,
            Self::Unbinding => States::UNBINDING,
            Self::Closed => return false,
        };
        TABLE.iter().any(|(command, senders, states)| {
            *command == request && senders.contains(sender) && states.contains(state)
        })
    }

    /// Returns whether the session is bound, in any mode.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Bound(_))
    }
}

/// The state in words, such as `bound as transceiver`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "not bound",
            Self::Outbound => "not bound after outbind",
            Self::Bound(BindMode::Transmitter) => "bound as transmitter",
            Self::Bound(BindMode::Receiver) => "bound as receiver",
            Self::Bound(BindMode::Transceiver) => "bound as transceiver",
            Self::Unbinding => "unbinding",
            Self::Closed => "closed",
        })
    }
}
