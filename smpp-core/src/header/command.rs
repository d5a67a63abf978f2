//! `command_id` (SMPP 3.4 §5.1.2.1).

use core::fmt;

use super::version::InterfaceVersion;
use crate::open_enum::open_enum;

open_enum! {
    /// The `command_id` of a PDU: its operation, and in bit 31 whether it is a response (SMPP 3.4 §5.1.2.1).
    pub struct CommandId(u32) {
        /// bind_receiver.
        BIND_RECEIVER = 0x0000_0001,
        /// bind_receiver_resp.
        BIND_RECEIVER_RESP = 0x8000_0001,
        /// bind_transmitter.
        BIND_TRANSMITTER = 0x0000_0002,
        /// bind_transmitter_resp.
        BIND_TRANSMITTER_RESP = 0x8000_0002,
        /// query_sm.
        QUERY_SM = 0x0000_0003,
        /// query_sm_resp.
        QUERY_SM_RESP = 0x8000_0003,
        /// submit_sm.
        SUBMIT_SM = 0x0000_0004,
        /// submit_sm_resp.
        SUBMIT_SM_RESP = 0x8000_0004,
        /// deliver_sm.
        DELIVER_SM = 0x0000_0005,
        /// deliver_sm_resp.
        DELIVER_SM_RESP = 0x8000_0005,
        /// unbind.
        UNBIND = 0x0000_0006,
        /// unbind_resp.
        UNBIND_RESP = 0x8000_0006,
        /// replace_sm.
        REPLACE_SM = 0x0000_0007,
        /// replace_sm_resp.
        REPLACE_SM_RESP = 0x8000_0007,
        /// cancel_sm.
        CANCEL_SM = 0x0000_0008,
        /// cancel_sm_resp.
        CANCEL_SM_RESP = 0x8000_0008,
        /// bind_transceiver.
        BIND_TRANSCEIVER = 0x0000_0009,
        /// bind_transceiver_resp.
        BIND_TRANSCEIVER_RESP = 0x8000_0009,
        /// outbind, which has no response.
        OUTBIND = 0x0000_000B,
        /// enquire_link.
        ENQUIRE_LINK = 0x0000_0015,
        /// enquire_link_resp.
        ENQUIRE_LINK_RESP = 0x8000_0015,
        /// submit_multi.
        SUBMIT_MULTI = 0x0000_0021,
        /// submit_multi_resp.
        SUBMIT_MULTI_RESP = 0x8000_0021,
        /// alert_notification, which has no response.
        ALERT_NOTIFICATION = 0x0000_0102,
        /// data_sm.
        DATA_SM = 0x0000_0103,
        /// data_sm_resp.
        DATA_SM_RESP = 0x8000_0103,
        /// broadcast_sm (SMPP 5.0).
        BROADCAST_SM = 0x0000_0111,
        /// broadcast_sm_resp (SMPP 5.0).
        BROADCAST_SM_RESP = 0x8000_0111,
        /// query_broadcast_sm (SMPP 5.0).
        QUERY_BROADCAST_SM = 0x0000_0112,
        /// query_broadcast_sm_resp (SMPP 5.0).
        QUERY_BROADCAST_SM_RESP = 0x8000_0112,
        /// cancel_broadcast_sm (SMPP 5.0).
        CANCEL_BROADCAST_SM = 0x0000_0113,
        /// cancel_broadcast_sm_resp (SMPP 5.0).
        CANCEL_BROADCAST_SM_RESP = 0x8000_0113,
        /// generic_nack: the response to a PDU that cannot be read or is not supported. It has no request.
        GENERIC_NACK = 0x8000_0000,
    }
}

/// The bit that marks a response.
const RESPONSE: u32 = 0x8000_0000;

impl CommandId {
    /// Returns whether the PDU is a response or a generic_nack: bit 31 is set.
    pub const fn is_response(self) -> bool {
        self.0 & RESPONSE != 0
    }

    /// Returns the response that belongs to this request. A response returns itself.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | RESPONSE)
    }

    /// Returns the request that belongs to this response. A request returns itself. generic_nack returns 0, which
    /// is not a command.
    #[must_use]
    pub const fn request(self) -> Self {
        Self(self.0 & !RESPONSE)
    }

    /// Returns the protocol version that introduced the command, or 3.3 if it is older or unknown
    /// (SMPP 3.4 §3.4).
    pub const fn since(self) -> InterfaceVersion {
        match self.request() {
            Self::BIND_TRANSCEIVER | Self::OUTBIND | Self::DATA_SM | Self::ALERT_NOTIFICATION => {
                InterfaceVersion::V3_4
            }
            Self::BROADCAST_SM | Self::QUERY_BROADCAST_SM | Self::CANCEL_BROADCAST_SM => {
                InterfaceVersion::V5_0
            }
            _ => InterfaceVersion::V3_3,
        }
    }

    /// Returns whether the PDU is a request that carries a message. A [`Rate`](crate::session::Rate) limits these
    /// requests.
    pub const fn is_message(self) -> bool {
        matches!(
            self,
            Self::SUBMIT_SM | Self::SUBMIT_MULTI | Self::DELIVER_SM | Self::DATA_SM | Self::BROADCAST_SM
        )
    }

    /// Returns whether the PDU is a request that has a response: all have one but outbind and alert_notification.
    pub const fn has_response(self) -> bool {
        !self.is_response() && !matches!(self, Self::OUTBIND | Self::ALERT_NOTIFICATION)
    }

    /// Returns whether the PDU is one of the three bind requests or their responses.
    pub const fn is_bind(self) -> bool {
        matches!(
            self.response(),
            Self::BIND_RECEIVER_RESP | Self::BIND_TRANSMITTER_RESP | Self::BIND_TRANSCEIVER_RESP
        )
    }
}

/// The name in the specification, such as `submit_sm_resp`. An unknown command shows its number.
impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => name.chars().try_for_each(|c| write!(f, "{}", c.to_ascii_lowercase())),
            None => write!(f, "command {:#010x}", self.0),
        }
    }
}
