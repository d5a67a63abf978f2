//! What becomes of a message at the SMSC: query_sm, cancel_sm, replace_sm (SMPP 3.4 §4.8 to §4.10).

use super::{
    Address, CommandStatus, MessageState, RegisteredDelivery, ResponseBody, ServiceType, ShortMessage,
    operation,
};
use crate::tlv::Tlvs;
use crate::wire::{COctets, Time, wire_struct};

wire_struct! {
    /// Asks for the state of a message (SMPP 3.4 §4.8.1).
    pub struct QuerySm<'a> {
        /// The SMSC's name for the message.
        pub message_id: COctets<'a, 65>,
        /// The sender, as it was submitted.
        pub source: Address<'a>,
        /// Optional parameters: none in the specification.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a query_sm (SMPP 3.4 §4.8.2).
    pub struct QuerySmResp<'a> {
        /// The SMSC's name for the message.
        pub message_id: COctets<'a, 65>,
        /// When it came to its end. Empty: it has not yet.
        pub final_date: Time<'a>,
        /// What became of it.
        pub message_state: MessageState,
        /// Why it failed, as the network or the SMSC puts it. 0: it did not.
        pub error_code: u8,
        /// Optional parameters: none in the specification.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Cancels a message, or all pending ones of these addresses where `message_id` is empty (SMPP 3.4 §4.9.1).
    pub struct CancelSm<'a> {
        /// The kind of service: looked at where `message_id` is empty.
        pub service_type: ServiceType<'a>,
        /// The SMSC's name for the message; may be empty.
        pub message_id: COctets<'a, 65>,
        /// The sender, as it was submitted.
        pub source: Address<'a>,
        /// The recipient; may be empty where `message_id` is not.
        pub destination: Address<'a>,
        /// Optional parameters: none in the specification.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Replaces a pending message (SMPP 3.4 §4.10.1).
    pub struct ReplaceSm<'a> {
        /// The SMSC's name for the message.
        pub message_id: COctets<'a, 65>,
        /// The sender, as it was submitted.
        pub source: Address<'a>,
        /// When to deliver it. Empty: unchanged.
        pub schedule_delivery_time: Time<'a>,
        /// Until when to try. Empty: unchanged.
        pub validity_period: Time<'a>,
        /// Which receipts are wanted.
        pub registered_delivery: RegisteredDelivery,
        /// A text stored at the SMSC, `1..=254`; 0 for none.
        pub sm_default_msg_id: u8,
        /// The new text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters: `message_payload` in SMPP 5.0, none in 3.4.
        pub tlvs: Tlvs<'a>,
    }
}

operation!(QuerySm = QUERY_SM, QuerySmResp, CommandStatus::RQUERYFAIL);
operation!(CancelSm = CANCEL_SM, NoBody, CommandStatus::RCANCELFAIL);
operation!(ReplaceSm = REPLACE_SM, NoBody, CommandStatus::RREPLACEFAIL);

impl ResponseBody for QuerySmResp<'_> {
    const BODY_ON_ERROR: bool = false;
}
