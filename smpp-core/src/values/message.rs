//! The types of message fields (SMPP 3.4 §5.2).

use crate::wire::{COctets, octet_field, open_enum};

/// `service_type`: the service type of a message, at most 5 octets. Empty for the default of the SMSC
/// (SMPP 3.4 §5.2.11).
///
/// The module [`service_type`] has the values of the specification. Other values are specific to the SMSC.
pub type ServiceType<'a> = COctets<'a, 6>;

/// The service types that the specification defines (SMPP 3.4 §5.2.11).
pub mod service_type {
    use super::{COctets, ServiceType};

    /// The default of the SMSC.
    pub const DEFAULT: ServiceType<'static> = COctets::EMPTY;
    /// Cellular messaging.
    pub const CELLULAR_MESSAGING: ServiceType<'static> = named(b"CMT");
    /// Cellular paging.
    pub const CELLULAR_PAGING: ServiceType<'static> = named(b"CPT");
    /// Voice mail notification.
    pub const VOICE_MAIL_NOTIFICATION: ServiceType<'static> = named(b"VMN");
    /// Voice mail alerting.
    pub const VOICE_MAIL_ALERTING: ServiceType<'static> = named(b"VMA");
    /// Wireless Application Protocol.
    pub const WAP: ServiceType<'static> = named(b"WAP");
    /// Unstructured Supplementary Services Data.
    pub const USSD: ServiceType<'static> = named(b"USSD");
    /// Cell broadcast (SMPP 5.0).
    pub const CELL_BROADCAST: ServiceType<'static> = named(b"CBS");
    /// Generic UDP transport (SMPP 5.0).
    pub const GUTS: ServiceType<'static> = named(b"GUTS");

    /// Returns a name that is known to be short enough.
    const fn named(name: &'static [u8]) -> ServiceType<'static> {
        match COctets::new(name) {
            Ok(name) => name,
            Err(_) => COctets::EMPTY,
        }
    }
}

bitflags::bitflags! {
    /// Messaging mode, message type and features (SMPP 3.4 §5.2.12). Bits 5 to 2 are a field: compare
    /// [`message_type`](EsmClass::message_type), not single bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EsmClass: u8 {
        /// Datagram mode (bits 1-0, ESME to SMSC).
        const DATAGRAM = 0x01;
        /// Forward (transaction) mode (bits 1-0, ESME to SMSC).
        const TRANSACTION = 0x02;
        /// Store and forward mode (bits 1-0, ESME to SMSC).
        const STORE_AND_FORWARD = 0x03;
        /// A delivery receipt, DLR (bits 5-2, SMSC to ESME).
        const DELIVERY_RECEIPT = 0x04;
        /// A delivery acknowledgement by the subscriber's device (bits 5-2).
        const DELIVERY_ACKNOWLEDGEMENT = 0x08;
        /// A manual acknowledgement by the subscriber (bits 5-2).
        const USER_ACKNOWLEDGEMENT = 0x10;
        /// A conversation abort (bits 5-2, SMSC to ESME; Korean CDMA).
        const CONVERSATION_ABORT = 0x18;
        /// An intermediate notification (bits 5-2, SMSC to ESME).
        const INTERMEDIATE_NOTIFICATION = 0x20;
        /// UDHI: the user data begins with a user data header (UDH).
        const UDHI = 0x40;
        /// The reply path is set (GSM).
        const REPLY_PATH = 0x80;
        const _ = !0;
    }
}

impl EsmClass {
    /// Returns only bits 5 to 2: the message type.
    #[must_use]
    pub const fn message_type(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x3C)
    }

    /// Returns whether the message is a delivery receipt from the SMSC.
    pub const fn is_receipt(self) -> bool {
        self.message_type().bits() == Self::DELIVERY_RECEIPT.bits()
    }
}

bitflags::bitflags! {
    /// Which delivery receipts and acknowledgements the sender requests (SMPP 3.4 §5.2.17).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RegisteredDelivery: u8 {
        /// A delivery receipt for success and for failure (bits 1-0).
        const RECEIPT = 0x01;
        /// A delivery receipt only for failure (bits 1-0).
        const RECEIPT_ON_FAILURE = 0x02;
        /// A delivery receipt only for success (bits 1-0; SMPP 5.0).
        const RECEIPT_ON_SUCCESS = 0x03;
        /// A delivery acknowledgement by the subscriber's device (bits 3-2).
        const DELIVERY_ACKNOWLEDGEMENT = 0x04;
        /// A manual acknowledgement by the subscriber (bits 3-2).
        const USER_ACKNOWLEDGEMENT = 0x08;
        /// Intermediate notifications (bit 4).
        const INTERMEDIATE = 0x10;
        const _ = !0;
    }
}

open_enum! {
    /// The character encoding of the message text (SMPP 3.4 §5.2.19).
    ///
    /// Values from `0x10` on are the data coding scheme of GSM (3GPP TS 23.038 §4). The usual ones have names here.
    /// SMPP reserves `0x10..=0xBF` and `0xE0..=0xEF`; SMSCs pass them on to the network.
    pub struct DataCoding(u8) {
        /// The default alphabet of the SMSC: usually, but not always, GSM 03.38.
        SMSC_DEFAULT = 0x00,
        /// IA5 (ASCII). Some providers use it for GSM 03.38.
        IA5 = 0x01,
        /// Octets (8-bit binary) in TDMA and CDMA networks.
        OCTETS_TDMA_CDMA = 0x02,
        /// ISO 8859-1.
        LATIN1 = 0x03,
        /// Octets (8-bit binary).
        OCTETS = 0x04,
        /// JIS X 0208-1990.
        JIS = 0x05,
        /// ISO 8859-5.
        CYRILLIC = 0x06,
        /// ISO 8859-8.
        HEBREW = 0x07,
        /// UCS-2 big-endian; in practice UTF-16.
        UCS2 = 0x08,
        /// Pictograms.
        PICTOGRAM = 0x09,
        /// ISO-2022-JP, music codes.
        ISO2022JP_MUSIC = 0x0A,
        /// JIS X 0212-1990.
        EXTENDED_KANJI_JIS = 0x0D,
        /// KS C 5601.
        KS_C_5601 = 0x0E,
        /// GSM 7-bit, class 0: shown immediately ("flash"). General data coding group.
        GSM_GENERAL_7BIT_CLASS0 = 0x10,
        /// Octets, class 0: shown immediately. General data coding group.
        GSM_GENERAL_8BIT_CLASS0 = 0x14,
        /// UCS-2, class 0: the usual way to send a flash message with characters outside GSM 7-bit. General data coding
        /// group.
        GSM_GENERAL_UCS2_CLASS0 = 0x18,
        /// UCS-2, class 1: for the device. General data coding group.
        GSM_GENERAL_UCS2_CLASS1 = 0x19,
        /// GSM 7-bit, class 0: shown immediately ("flash").
        GSM_7BIT_CLASS0 = 0xF0,
        /// GSM 7-bit, class 1: for the device.
        GSM_7BIT_CLASS1 = 0xF1,
        /// GSM 7-bit, class 2: for the SIM.
        GSM_7BIT_CLASS2 = 0xF2,
        /// GSM 7-bit, class 3: for an attached terminal.
        GSM_7BIT_CLASS3 = 0xF3,
        /// Octets, class 0: shown immediately.
        GSM_8BIT_CLASS0 = 0xF4,
        /// Octets, class 1: for the device, as WAP push.
        GSM_8BIT_CLASS1 = 0xF5,
        /// Octets, class 2: for the SIM, as over-the-air updates.
        GSM_8BIT_CLASS2 = 0xF6,
        /// Octets, class 3: for an attached terminal.
        GSM_8BIT_CLASS3 = 0xF7,
    }
}

impl DataCoding {
    /// Returns the message class of the values `0x10..=0x1F` and `0xF0..=0xFF`. Other values have no class.
    pub const fn message_class(self) -> Option<MessageClass> {
        match self.0 {
            0x10..=0x1F | 0xF0.. => Some(match self.0 & 3 {
                0 => MessageClass::Flash,
                1 => MessageClass::Device,
                2 => MessageClass::Sim,
                _ => MessageClass::Terminal,
            }),
            _ => None,
        }
    }

    /// Returns whether the value switches a message waiting indication. The device discards the text for `0xC0..=0xCF`
    /// and stores it for `0xD0..=0xEF`. The text is in UCS-2 for `0xE0..=0xEF`.
    pub const fn is_message_waiting(self) -> bool {
        matches!(self.0, 0xC0..=0xEF)
    }
}

/// The message class: where the phone shows and stores a message (3GPP TS 23.038 §4). The `data_coding` states it.
///
/// ```
/// use smpp_proto::{DataCoding, MessageClass};
/// assert_eq!(DataCoding::GSM_GENERAL_UCS2_CLASS0.message_class(), Some(MessageClass::Flash));
/// assert_eq!(DataCoding::UCS2.message_class(), None);
/// assert_eq!(MessageClass::Sim as u8, 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageClass {
    /// Class 0, a flash message: the phone shows it immediately, and usually does not store it.
    #[doc(alias = "class 0")]
    Flash = 0,
    /// Class 1: the phone stores it in the device.
    Device = 1,
    /// Class 2: the phone stores it on the SIM.
    Sim = 2,
    /// Class 3: the phone passes it on to an attached terminal.
    Terminal = 3,
}

open_enum! {
    /// The state of a message (SMPP 3.4 §5.2.28).
    pub struct MessageState(u8) {
        /// Scheduled: its delivery time has not come (SMPP 5.0).
        SCHEDULED = 0,
        /// En route to the recipient.
        ENROUTE = 1,
        /// Delivered to the recipient. Final.
        DELIVERED = 2,
        /// The validity period ended before delivery. Final.
        EXPIRED = 3,
        /// Cancelled or deleted. Final.
        DELETED = 4,
        /// Delivery failed permanently. Final.
        UNDELIVERABLE = 5,
        /// Accepted by an operator, on behalf of the subscriber. Some gateways report it while the message is en route.
        ACCEPTED = 6,
        /// Unknown or invalid state.
        UNKNOWN = 7,
        /// Rejected. Final.
        REJECTED = 8,
        /// Accepted, but deliberately not sent (SMPP 5.0). Final.
        SKIPPED = 9,
    }
}

impl core::fmt::Display for MessageState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(self, f)
    }
}

open_enum! {
    /// The priority of a message (SMPP 3.4 §5.2.14).
    pub struct PriorityFlag(u8) {
        /// Lowest priority: bulk.
        LEVEL0 = 0,
        /// Normal priority.
        LEVEL1 = 1,
        /// Urgent.
        LEVEL2 = 2,
        /// Very urgent.
        LEVEL3 = 3,
        /// Background priority of a cell broadcast (SMPP 5.0).
        CBS_BACKGROUND = 4,
    }
}

open_enum! {
    /// Whether a message replaces a pending message with the same addresses and service type (SMPP 3.4 §5.2.18).
    pub struct ReplaceIfPresent(u8) {
        /// The SMSC keeps both messages.
        NO = 0,
        /// The message replaces the pending one.
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
