//! query_sm, cancel_sm and replace_sm (SMPP 3.4 §4.8 to §4.10).

use super::message::ShortMessage;
use super::wire_struct::wire_struct;
use crate::tlv::Tlvs;
use crate::values::{Address, MessageState, RegisteredDelivery, ServiceType};
use crate::wire::{COctets, Time};

wire_struct! {
    /// Requests the state of a submitted message (SMPP 3.4 §4.8.1).
    pub struct QuerySm<'a> {
        /// The message id that the SMSC assigned.
        pub message_id: COctets<'a, 65>,
        /// The sender, exactly as in the submit_sm.
        pub source: Address<'a>,
        /// Optional parameters. The specification defines none.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a query_sm (SMPP 3.4 §4.8.2).
    pub struct QuerySmResp<'a> {
        /// The message id that the SMSC assigned.
        pub message_id: COctets<'a, 65>,
        /// When the message reached its final state. Empty if it has not yet.
        pub final_date: Time<'a>,
        /// The state of the message.
        pub message_state: MessageState,
        /// The error code of the network or the SMSC. 0 if delivery did not fail.
        pub error_code: u8,
        /// Optional parameters. The specification defines none.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Cancels a message, or all pending messages with these addresses if `message_id` is empty (SMPP 3.4 §4.9.1).
    pub struct CancelSm<'a> {
        /// The service type. The SMSC uses it only if `message_id` is empty.
        pub service_type: ServiceType<'a>,
        /// The message id that the SMSC assigned. May be empty.
        pub message_id: COctets<'a, 65>,
        /// The sender, exactly as in the submit_sm.
        pub source: Address<'a>,
        /// The recipient. May be empty if `message_id` is not.
        pub destination: Address<'a>,
        /// Optional parameters. The specification defines none.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Replaces the text and options of a pending message (SMPP 3.4 §4.10.1).
    pub struct ReplaceSm<'a> {
        /// The message id that the SMSC assigned.
        pub message_id: COctets<'a, 65>,
        /// The sender, exactly as in the submit_sm.
        pub source: Address<'a>,
        /// The new delivery time. Empty: unchanged.
        pub schedule_delivery_time: Time<'a>,
        /// The new validity period. Empty: unchanged.
        pub validity_period: Time<'a>,
        /// Which delivery receipts and acknowledgements the ESME requests.
        pub registered_delivery: RegisteredDelivery,
        /// The index of a canned message at the SMSC, `1..=254`. 0 for none.
        pub sm_default_msg_id: u8,
        /// The new text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters: `message_payload` in SMPP 5.0, none in 3.4.
        pub tlvs: Tlvs<'a>,
    }
}
