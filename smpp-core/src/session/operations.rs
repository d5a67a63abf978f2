//! The set of operations that the peer offers.

use crate::pdu::CommandId;

bitflags::bitflags! {
    /// A set of requests: those that a provider offers, or that an application may send.
    ///
    /// enquire_link, unbind, outbind and alert_notification are always allowed and have no bit.
    ///
    /// ```
    /// use smpp_proto::session::{Config, Operations};
    /// let only = Operations::BINDS | Operations::SUBMIT_SM;
    /// let config = Config::default().operations(only);
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Operations: u16 {
        /// bind_receiver.
        const BIND_RECEIVER = 1;
        /// bind_transmitter.
        const BIND_TRANSMITTER = 1 << 1;
        /// bind_transceiver.
        const BIND_TRANSCEIVER = 1 << 2;
        /// submit_sm.
        const SUBMIT_SM = 1 << 3;
        /// submit_multi.
        const SUBMIT_MULTI = 1 << 4;
        /// deliver_sm.
        const DELIVER_SM = 1 << 5;
        /// data_sm.
        const DATA_SM = 1 << 6;
        /// query_sm.
        const QUERY_SM = 1 << 7;
        /// cancel_sm.
        const CANCEL_SM = 1 << 8;
        /// replace_sm.
        const REPLACE_SM = 1 << 9;
        /// broadcast_sm (SMPP 5.0).
        const BROADCAST_SM = 1 << 10;
        /// query_broadcast_sm (SMPP 5.0).
        const QUERY_BROADCAST_SM = 1 << 11;
        /// cancel_broadcast_sm (SMPP 5.0).
        const CANCEL_BROADCAST_SM = 1 << 12;
        /// The three binds.
        const BINDS = Self::BIND_RECEIVER.bits() | Self::BIND_TRANSMITTER.bits() | Self::BIND_TRANSCEIVER.bits();
    }
}

impl Operations {
    /// Returns the set of only this request. It is empty for a request that is always allowed.
    pub const fn of(command: CommandId) -> Self {
        match command {
            CommandId::BIND_RECEIVER => Self::BIND_RECEIVER,
            CommandId::BIND_TRANSMITTER => Self::BIND_TRANSMITTER,
            CommandId::BIND_TRANSCEIVER => Self::BIND_TRANSCEIVER,
            CommandId::SUBMIT_SM => Self::SUBMIT_SM,
            CommandId::SUBMIT_MULTI => Self::SUBMIT_MULTI,
            CommandId::DELIVER_SM => Self::DELIVER_SM,
            CommandId::DATA_SM => Self::DATA_SM,
            CommandId::QUERY_SM => Self::QUERY_SM,
            CommandId::CANCEL_SM => Self::CANCEL_SM,
            CommandId::REPLACE_SM => Self::REPLACE_SM,
            CommandId::BROADCAST_SM => Self::BROADCAST_SM,
            CommandId::QUERY_BROADCAST_SM => Self::QUERY_BROADCAST_SM,
            CommandId::CANCEL_BROADCAST_SM => Self::CANCEL_BROADCAST_SM,
            _ => Self::empty(),
        }
    }
}
