//! Cell broadcast: broadcast_sm, query_broadcast_sm, cancel_broadcast_sm (SMPP 5.0 §4.4, §4.6).

use super::wire_struct::wire_struct;
use crate::tlv::Tlvs;
use crate::values::{Address, DataCoding, PriorityFlag, ReplaceIfPresent, ServiceType};
use crate::wire::{COctets, Time};

wire_struct! {
    /// A message to all subscribers in an area (SMPP 5.0 §4.4). The text is in `message_payload`.
    pub struct BroadcastSm<'a> requires [
        BROADCAST_AREA_IDENTIFIER,
        BROADCAST_CONTENT_TYPE,
        BROADCAST_FREQUENCY_INTERVAL,
    ] {
        /// The service type: at most 5 octets.
        pub service_type: ServiceType<'a>,
        /// The sender.
        pub source: Address<'a>,
        /// The id of the broadcast to replace, or empty.
        pub message_id: COctets<'a, 65>,
        /// The priority.
        pub priority_flag: PriorityFlag,
        /// When the broadcast begins. Empty: at once.
        pub schedule_delivery_time: Time<'a>,
        /// How long the broadcast is repeated.
        pub validity_period: Time<'a>,
        /// Whether it replaces the broadcast with the same `message_id`.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// The character encoding of the text.
        pub data_coding: DataCoding,
        /// The index of a canned message at the message centre, `1..=254`. 0 for none.
        pub sm_default_msg_id: u8,
        /// TLVs. Required are `broadcast_area_identifier` (one or more), `broadcast_content_type`,
        /// `broadcast_frequency_interval`, and, unless `priority_flag` requests an immediate broadcast,
        /// `broadcast_rep_num`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a broadcast_sm (SMPP 5.0 §4.4).
    pub struct BroadcastSmResp<'a> {
        /// The id that the message centre assigned to the broadcast.
        pub message_id: COctets<'a, 65>,
        /// The areas that failed: `broadcast_area_identifier`, each with a `broadcast_error_status`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Requests the state of a broadcast (SMPP 5.0 §4.6).
    pub struct QueryBroadcastSm<'a> {
        /// The id that the message centre assigned to the broadcast.
        pub message_id: COctets<'a, 65>,
        /// The sender, exactly as in the broadcast_sm.
        pub source: Address<'a>,
        /// Optional parameters: `user_message_reference`, if the broadcast has one.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a query_broadcast_sm (SMPP 5.0 §4.6).
    pub struct QueryBroadcastSmResp<'a> requires [
        MESSAGE_STATE,
        BROADCAST_AREA_IDENTIFIER,
        BROADCAST_AREA_SUCCESS,
    ] {
        /// The id that the message centre assigned to the broadcast.
        pub message_id: COctets<'a, 65>,
        /// TLVs: `message_state`, and each `broadcast_area_identifier` with its `broadcast_area_success`.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Cancels a broadcast, or all pending broadcasts of this sender if `message_id` is empty (SMPP 5.0 §4.6).
    pub struct CancelBroadcastSm<'a> {
        /// The service type. The message centre uses it only if `message_id` is empty.
        pub service_type: ServiceType<'a>,
        /// The id that the message centre assigned to the broadcast. May be empty.
        pub message_id: COctets<'a, 65>,
        /// The sender, exactly as in the broadcast_sm.
        pub source: Address<'a>,
        /// Optional parameters: `broadcast_content_type`, `user_message_reference`.
        pub tlvs: Tlvs<'a>,
    }
}
