//! submit_sm and deliver_sm with their responses (SMPP 3.4 §4.4, §4.6).

use super::wire_struct::wire_struct;
use crate::tlv::Tlvs;
use crate::values::{
    Address, DataCoding, EsmClass, PriorityFlag, RegisteredDelivery, ReplaceIfPresent, ServiceType,
};
use crate::wire::{COctets, Octets, Time};

/// `sm_length` and `short_message`: at most 254 octets in SMPP 3.4 (§5.2.21, §5.2.22).
pub type ShortMessage<'a> = Octets<'a, 254>;

wire_struct! {
    /// Submits a message from the ESME to the SMSC (SMPP 3.4 §4.4.1).
    ///
    /// The module [`sms`](crate::sms) encodes texts and splits long ones into segments.
    ///
    /// ```
    /// use smpp_proto::{Address, RegisteredDelivery, ShortMessage, SubmitSm};
    /// let message = SubmitSm {
    ///     source: Address::alphanumeric("8x8")?,
    ///     destination: Address::international("6591234567")?,
    ///     registered_delivery: RegisteredDelivery::RECEIPT,
    ///     short_message: ShortMessage::new(b"Hello")?,
    ///     ..SubmitSm::default()
    /// };
    /// # assert_eq!(message.short_message.as_bytes(), b"Hello");
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub struct SubmitSm<'a> {
        /// The service type: at most 5 octets. Empty for the default of the SMSC.
        pub service_type: ServiceType<'a>,
        /// The sender. Empty: the SMSC inserts a default sender.
        pub source: Address<'a>,
        /// The recipient.
        pub destination: Address<'a>,
        /// Messaging mode, message type and features.
        pub esm_class: EsmClass,
        /// The protocol identifier: TP-PID on GSM.
        pub protocol_id: u8,
        /// The priority.
        pub priority_flag: PriorityFlag,
        /// The delivery time. Empty: the SMSC delivers at once.
        pub schedule_delivery_time: Time<'a>,
        /// How long the SMSC tries to deliver. Empty: the default of the SMSC.
        pub validity_period: Time<'a>,
        /// Which delivery receipts and acknowledgements the ESME requests.
        pub registered_delivery: RegisteredDelivery,
        /// Whether it replaces a pending message with the same addresses and service type.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// The character encoding of `short_message`.
        pub data_coding: DataCoding,
        /// The index of a canned message at the SMSC, `1..=254`. 0 for none.
        pub sm_default_msg_id: u8,
        /// The message text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a submit_sm (SMPP 3.4 §4.4.2).
    pub struct SubmitSmResp<'a> {
        /// The message id that the SMSC assigned: opaque, at most 64 octets.
        pub message_id: COctets<'a, 65>,
        /// Optional parameters (SMPP 5.0).
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// Delivers a mobile-originated (MO) message or a delivery receipt (DLR) from the SMSC to the ESME
    /// (SMPP 3.4 §4.6.1).
    ///
    /// The module [`sms`](crate::sms) decodes texts, reassembles segments and parses delivery receipts.
    ///
    /// ```
    /// use smpp_proto::{DeliverSm, EsmClass, ShortMessage};
    /// let message = DeliverSm {
    ///     esm_class: EsmClass::DELIVERY_RECEIPT,
    ///     short_message: ShortMessage::new(b"id:7 stat:DELIVRD")?,
    ///     ..DeliverSm::default()
    /// };
    /// assert!(message.esm_class.is_receipt());
    /// assert_eq!(message.text(), b"id:7 stat:DELIVRD");
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub struct DeliverSm<'a> {
        /// The service type: at most 5 octets.
        pub service_type: ServiceType<'a>,
        /// The sender. In a delivery receipt: the recipient of the submitted message.
        pub source: Address<'a>,
        /// The recipient. In a delivery receipt: the sender of the submitted message.
        pub destination: Address<'a>,
        /// Message type and features.
        pub esm_class: EsmClass,
        /// The protocol identifier: TP-PID on GSM.
        pub protocol_id: u8,
        /// The priority.
        pub priority_flag: PriorityFlag,
        /// Empty in SMPP 3.4.
        pub schedule_delivery_time: Time<'a>,
        /// Empty in SMPP 3.4.
        pub validity_period: Time<'a>,
        /// Which acknowledgements the SMSC requests.
        pub registered_delivery: RegisteredDelivery,
        /// Not used in SMPP 3.4.
        pub replace_if_present_flag: ReplaceIfPresent,
        /// The character encoding of `short_message`.
        pub data_coding: DataCoding,
        /// 0 in SMPP 3.4.
        pub sm_default_msg_id: u8,
        /// The message text: at most 254 octets.
        pub short_message: ShortMessage<'a>,
        /// Optional parameters.
        pub tlvs: Tlvs<'a>,
    }
}

wire_struct! {
    /// The response to a deliver_sm (SMPP 3.4 §4.6.2).
    pub struct DeliverSmResp<'a> {
        /// Unused: empty.
        pub message_id: COctets<'a, 65>,
        /// Optional parameters (SMPP 5.0).
        pub tlvs: Tlvs<'a>,
    }
}

impl<'a> SubmitSm<'a> {
    /// Returns the message text: `short_message`, or `message_payload` if `short_message` is empty
    /// (SMPP 3.4 §5.3.2.32).
    pub fn text(&self) -> &'a [u8] {
        text(self.short_message, self.tlvs)
    }
}

impl<'a> DeliverSm<'a> {
    /// Returns the message text: `short_message`, or `message_payload` if `short_message` is empty
    /// (SMPP 3.4 §5.3.2.32).
    pub fn text(&self) -> &'a [u8] {
        text(self.short_message, self.tlvs)
    }
}

/// Returns `short_message`, or `message_payload` if `short_message` is empty.
pub(super) fn text<'a>(short_message: ShortMessage<'a>, tlvs: Tlvs<'a>) -> &'a [u8] {
    if short_message.is_empty() {
        tlvs.message_payload().unwrap_or_default()
    } else {
        short_message.as_bytes()
    }
}
