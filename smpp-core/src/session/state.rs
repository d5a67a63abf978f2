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

/// Returns the sides that may send a request, and the states in which they may.
#[inline(always)]
const fn senders_and_states(request: CommandId) -> (Senders, States) {
    match request {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
            (Senders::ESME, States::BINDING)
        }
        CommandId::OUTBIND => (Senders::SMSC, States::OPEN),
        CommandId::SUBMIT_SM
        | CommandId::SUBMIT_MULTI
        | CommandId::QUERY_SM
        | CommandId::CANCEL_SM
        | CommandId::REPLACE_SM
        | CommandId::BROADCAST_SM
        | CommandId::QUERY_BROADCAST_SM
        | CommandId::CANCEL_BROADCAST_SM => (Senders::ESME, States::SUBMITTING),
        CommandId::DELIVER_SM | CommandId::ALERT_NOTIFICATION => (Senders::SMSC, States::DELIVERING),
        CommandId::DATA_SM => (Senders::all(), States::BOUND),
        // The unbinds of both sides may cross.
        CommandId::UNBIND => (Senders::all(), States::BOUND.union(States::UNBINDING)),
        CommandId::ENQUIRE_LINK => (Senders::all(), States::all()),
        _ => (Senders::empty(), States::empty()),
    }
}

impl State {
    /// Returns whether `sender` may send the request in this state.
    #[inline(always)]
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
        let (senders, states) = senders_and_states(request);
        senders.contains(sender) && states.contains(state)
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
