//! submit_sm and deliver_sm with their responses (SMPP 3.4 §4.4, §4.6).

use super::{Address, CommandStatus, Response, operation};
use crate::tlv::Tlvs;
use crate::wire::{COctets, Octets, Time, octet_field, open_enum, wire_struct};

bitflags::bitflags! {
    /// What kind of message it is (SMPP 3.4 §5.2.12). Bits 5 to 2 are a field: compare
    /// [`message_type`](EsmClass::message_type), not single bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EsmClass: u8 {
        /// Datagram mode (bits 1-0, ESME to SMSC).
        const DATAGRAM = 0x01;
        /// Forward (transaction) mode (bits 1-0, ESME to SMSC).
        const TRANSACTION = 0x02;
        /// Store and forward mode (bits 1-0, ESME to SMSC).
        const STORE_AND_FORWARD = 0x03;
        /// A delivery receipt (bits 5-2, SMSC to ESME).
        const DELIVERY_RECEIPT = 0x04;
        /// A delivery acknowledgement of the subscriber's device (bits 5-2).
        const DELIVERY_ACKNOWLEDGEMENT = 0x08;
        /// An acknowledgement by the subscriber (bits 5-2).
        const USER_ACKNOWLEDGEMENT = 0x10;
        /// An intermediate notification (bits 5-2, SMSC to ESME).
        const INTERMEDIATE_NOTIFICATION = 0x20;
        /// The user data begins with a header (UDHI).
        const UDHI = 0x40;
        /// Reply path.
        const REPLY_PATH = 0x80;
        const _ = !0;
    }
}

impl EsmClass {
    /// Bits 5 to 2 alone.
    #[must_use]
    pub const fn message_type(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x3C)
    }

    /// Whether the message is a delivery receipt of the SMSC.
    pub const fn is_receipt(self) -> bool {
        self.message_type().bits() == Self::DELIVERY_RECEIPT.bits()
    }
}

bitflags::bitflags! {
    /// Which receipts and acknowledgements are wanted (SMPP 3.4 §5.2.17).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RegisteredDelivery: u8 {
        /// A receipt for any final outcome (bits 1-0).
        const RECEIPT = 0x01;
        /// A receipt for a failure alone (bits 1-0).
        const RECEIPT_ON_FAILURE = 0x02;
        /// A receipt for a success alone (bits 1-0; SMPP 5.0).
        const RECEIPT_ON_SUCCESS = 0x03;
        /// A delivery acknowledgement of the subscriber's device (bits 3-2).
        const DELIVERY_ACKNOWLEDGEMENT = 0x04;
        /// An acknowledgement by the subscriber (bits 3-2).
        const USER_ACKNOWLEDGEMENT = 0x08;
        /// Intermediate notifications (bit 4).
        const INTERMEDIATE = 0x10;
        const _ = !0;
    }
}

open_enum! {
    /// How the text is coded (SMPP 3.4 §5.2.19).
    pub struct DataCoding(u8) {
        /// The SMSC's default alphabet: usually, not always, GSM 03.38.
        SMSC_DEFAULT = 0x00,
        /// IA5, ASCII. Some providers mean GSM 03.38.
        IA5 = 0x01,
        /// ISO 8859-1.
        LATIN1 = 0x03,
        /// Octets.
        OCTETS = 0x04,
        /// ISO 8859-5.
        CYRILLIC = 0x06,
        /// ISO 8859-8.
        HEBREW = 0x07,
        /// UCS-2 big-endian; in practice UTF-16.
        UCS2 = 0x08,
    }
}

open_enum! {
    /// What became of a message (SMPP 3.4 §5.2.28).
    pub struct MessageState(u8) {
        /// Waits for its time (SMPP 5.0).
        SCHEDULED = 0,
        /// On its way.
        ENROUTE = 1,
        /// Delivered. Final.
        DELIVERED = 2,
        /// Its validity ended first. Final.
        EXPIRED = 3,
        /// Cancelled. Final.
        DELETED = 4,
        /// Failed for good. Final.
        UNDELIVERABLE = 5,
        /// Taken by the operator; gateways use it on the way.
        ACCEPTED = 6,
        /// Not known.
        UNKNOWN = 7,
        /// Refused. Final.
        REJECTED = 8,
        /// Accepted and not sent, on purpose (SMPP 5.0). Final.
        SKIPPED = 9,
    }
}

open_enum! {
    /// How urgent a message is (SMPP 3.4 §5.2.14).
    pub struct PriorityFlag(u8) {
        /// Bulk.
        LEVEL0 = 0,
        /// Normal priority.
        LEVEL1 = 1,
        /// Urgent.
        LEVEL2 = 2,
        /// Very urgent.
        LEVEL3 = 3,
    }
}

open_enum! {
    /// Whether a message replaces a pending one of the same addresses and service type (SMPP 3.4 §5.2.18).
    pub struct ReplaceIfPresent(u8) {
        /// It does not.
        NO = 0,
        /// It does.
        YES = 1,
    }
}

octet_field! {
    EsmClass = EsmClass::from_bits_retain, |class: EsmClass| class.bits();
    RegisteredDelivery = RegisteredDelivery::from_bits_retain, |wanted: RegisteredDelivery| wanted.bits();
    DataCoding = DataCoding, |coding: DataCoding| coding.0;
    MessageState = MessageState, |state: MessageState| state.0;
    PriorityFlag = PriorityFlag, |flag: PriorityFlag| flag.0;
    ReplaceIfPresent = ReplaceIfPresent, |flag: ReplaceIfPresent| flag.0;
}

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
        pub service_type: COctets<'a, 6>,
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
        pub service_type: COctets<'a, 6>,
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

impl Response for SubmitSmResp<'_> {
    const BODY_ON_ERROR: bool = false;
}

impl Response for DeliverSmResp<'_> {
    const BODY_ON_ERROR: bool = true;
}
