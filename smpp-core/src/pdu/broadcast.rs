//! Cell broadcast: broadcast_sm, query_broadcast_sm, cancel_broadcast_sm (SMPP 5.0 §4.4, §4.6).

use super::{
    Address, CommandStatus, DataCoding, PriorityFlag, ReplaceIfPresent, ResponseBody, ServiceType, operation,
};
use crate::tlv::Tlvs;
use crate::wire::{COctets, Time, wire_struct};

wire_struct! {
    /// A message to everyone in an area (SMPP 5.0 §4.4). The text is in `message_payload`.
    pub struct BroadcastSm<'a> needs [
        BROADCAST_AREA_IDENTIFIER,
        BROADCAST_CONTENT_TYPE,
        BROADCAST_FREQUENCY_INTERVAL,
    ] {
        /// The kind of service: at most 5 octets.
        pub service_type: ServiceType<'a>,
        /// The sender.
        pub source: Address<'a>,
        /// Empty; or the broadcast to be replaced.
        pub message_id: COctets<'a, 65>,
        /// How urgent it is.
        pub priority_flag: PriorityFlag,
        /// When to begin. Empty: at once.
        pub schedule_delivery_time: Time<'a>,
        /// Until when to repeat it.
        pub validity_period: Time<'a>,
        /// Whether it replaces a broadcast of the same `message_id`.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// How the text is coded.
        pub data_coding: DataCoding,
        /// A text stored at the message centre, `1..=254`; 0 for none.
        pub sm_default_msg_id: u8,
        /// Optional parameters, and some that must be there: `broadcast_area_identifier` (one or more),
        /// `broadcast_content_type`, `broadcast_frequency_interval`; and, unless `priority_flag` asks for it at
        /// once, `broadcast_rep_num`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a broadcast_sm (SMPP 5.0 §4.4).
    pub struct BroadcastSmResp<'a> {
        /// The message centre's name for the broadcast.
        pub message_id: COctets<'a, 65>,
        /// Areas that failed, `broadcast_area_identifier`, each with a `broadcast_error_status`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Asks for the state of a broadcast (SMPP 5.0 §4.6).
    pub struct QueryBroadcastSm<'a> {
        /// The message centre's name for the broadcast.
        pub message_id: COctets<'a, 65>,
        /// The sender, as it was submitted.
        pub source: Address<'a>,
        /// `user_message_reference`, where it had one.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a query_broadcast_sm (SMPP 5.0 §4.6).
    pub struct QueryBroadcastSmResp<'a> needs [
        MESSAGE_STATE,
        BROADCAST_AREA_IDENTIFIER,
        BROADCAST_AREA_SUCCESS,
    ] {
        /// The message centre's name for the broadcast.
        pub message_id: COctets<'a, 65>,
        /// `message_state`, and each `broadcast_area_identifier` with its `broadcast_area_success`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Cancels a broadcast, or all pending ones of this sender where `message_id` is empty (SMPP 5.0 §4.6).
    pub struct CancelBroadcastSm<'a> {
        /// The kind of service: looked at where `message_id` is empty.
        pub service_type: ServiceType<'a>,
        /// The message centre's name for the broadcast; may be empty.
        pub message_id: COctets<'a, 65>,
        /// The sender, as it was submitted.
        pub source: Address<'a>,
        /// `broadcast_content_type`, `user_message_reference`.
        pub tlvs: Tlvs<'a>,
    }
}

operation!(BroadcastSm = BROADCAST_SM, BroadcastSmResp, CommandStatus::RBCASTFAIL);
operation!(QueryBroadcastSm = QUERY_BROADCAST_SM, QueryBroadcastSmResp, CommandStatus::RBCASTQUERYFAIL);
operation!(CancelBroadcastSm = CANCEL_BROADCAST_SM, NoBody, CommandStatus::RBCASTCANCELFAIL);

impl ResponseBody for BroadcastSmResp<'_> {
    const BODY_ON_ERROR: bool = false;
}

impl ResponseBody for QueryBroadcastSmResp<'_> {
    const BODY_ON_ERROR: bool = false;
}
