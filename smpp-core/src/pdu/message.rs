//! submit_sm and deliver_sm with their responses (SMPP 3.4 §4.4, §4.6).

use super::{
    Address, CommandStatus, DataCoding, EsmClass, PriorityFlag, RegisteredDelivery, ReplaceIfPresent,
    ResponseBody, ServiceType, operation,
};
use crate::tlv::Tlvs;
use crate::wire::{COctets, Octets, Time, wire_struct};

/// `sm_length` and `short_message`: at most 254 octets in SMPP 3.4 (§5.2.21, §5.2.22).
pub type ShortMessage<'a> = Octets<'a, 254>;

wire_struct! {
    /// A message from the ESME (SMPP 3.4 §4.4.1).
    ///
    /// ```
    /// use smpp_core::{Address, RegisteredDelivery, ShortMessage, SubmitSm};
    /// let message = SubmitSm {
    ///     source: Address::alphanumeric("8x8")?,
    ///     destination: Address::international("6591234567")?,
    ///     registered_delivery: RegisteredDelivery::RECEIPT,
    ///     short_message: ShortMessage::new(b"Hello")?,
    ///     ..SubmitSm::default()
    /// };
    /// # assert_eq!(message.short_message.as_bytes(), b"Hello");
    /// # Ok::<(), smpp_core::InvalidOctets>(())
    /// ```
    pub struct SubmitSm<'a> {
        /// The kind of service: at most 5 octets; empty for the SMSC's default.
        pub service_type: ServiceType<'a>,
        /// The sender. Empty: the SMSC supplies it.
        pub source: Address<'a>,
        /// The recipient.
        pub destination: Address<'a>,
        /// Mode, type and features.
        pub esm_class: EsmClass,
        /// TP-PID on GSM.
        pub protocol_id: u8,
        /// How urgent it is.
        pub priority_flag: PriorityFlag,
        /// When to deliver it. Empty: at once.
        pub schedule_delivery_time: Time<'a>,
        /// Until when to try. Empty: as long as the SMSC does by default.
        pub validity_period: Time<'a>,
        /// Which receipts are wanted.
        pub registered_delivery: RegisteredDelivery,
        /// Whether it replaces a pending message of the same addresses and service type.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// How `short_message` is coded.
        pub data_coding: DataCoding,
        /// A text stored at the SMSC, `1..=254`; 0 for none.
        pub sm_default_msg_id: u8,
        /// The text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a submit_sm (SMPP 3.4 §4.4.2).
    pub struct SubmitSmResp<'a> {
        /// The SMSC's name for the message: opaque, at most 64 octets.
        pub message_id: COctets<'a, 65>,
        /// Optional parameters (SMPP 5.0).
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// A message or a receipt from the SMSC (SMPP 3.4 §4.6.1).
    pub struct DeliverSm<'a> {
        /// The kind of service: at most 5 octets.
        pub service_type: ServiceType<'a>,
        /// The sender; in a receipt, the recipient of the message it is about.
        pub source: Address<'a>,
        /// The recipient.
        pub destination: Address<'a>,
        /// Type and features.
        pub esm_class: EsmClass,
        /// TP-PID on GSM.
        pub protocol_id: u8,
        /// How urgent it is.
        pub priority_flag: PriorityFlag,
        /// Empty in SMPP 3.4.
        pub schedule_delivery_time: Time<'a>,
        /// Empty in SMPP 3.4.
        pub validity_period: Time<'a>,
        /// Which acknowledgements are wanted.
        pub registered_delivery: RegisteredDelivery,
        /// Not used in SMPP 3.4.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// How `short_message` is coded.
        pub data_coding: DataCoding,
        /// 0 in SMPP 3.4.
        pub sm_default_msg_id: u8,
        /// The text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a deliver_sm (SMPP 3.4 §4.6.2).
    pub struct DeliverSmResp<'a> {
        /// Not used: empty.
        pub message_id: COctets<'a, 65>,
        /// Optional parameters (SMPP 5.0).
        pub tlvs: Tlvs<'a>,
    }
}

impl<'a> SubmitSm<'a> {
    /// The text: `short_message`, or `message_payload` where that is empty (SMPP 3.4 §5.3.2.32).
    pub fn text(&self) -> &'a [u8] {
        text(self.short_message, self.tlvs)
    }
}

impl<'a> DeliverSm<'a> {
    /// The text: `short_message`, or `message_payload` where that is empty (SMPP 3.4 §5.3.2.32).
    pub fn text(&self) -> &'a [u8] {
        text(self.short_message, self.tlvs)
    }
}

pub(super) fn text<'a>(short_message: ShortMessage<'a>, tlvs: Tlvs<'a>) -> &'a [u8] {
    if short_message.is_empty() {
        tlvs.message_payload().unwrap_or_default()
    } else {
        short_message.as_bytes()
    }
}

operation!(SubmitSm = SUBMIT_SM, SubmitSmResp, CommandStatus::RSYSERR);
operation!(DeliverSm = DELIVER_SM, DeliverSmResp, CommandStatus::RX_T_APPN);

impl ResponseBody for SubmitSmResp<'_> {
    const BODY_ON_ERROR: bool = false;
}

impl ResponseBody for DeliverSmResp<'_> {
    const BODY_ON_ERROR: bool = true;
}
