//! The values of a message's fields (SMPP 3.4 §5.2).

use crate::wire::{COctets, octet_field, open_enum};

/// `service_type`: the kind of service, at most 5 octets; empty for the SMSC's default (SMPP 3.4 §5.2.11).
///
/// [`service_type`] has the names that the specification gives; others are the SMSC's own.
pub type ServiceType<'a> = COctets<'a, 6>;

/// The service types that have names (SMPP 3.4 §5.2.11).
pub mod service_type {
    use super::{COctets, ServiceType};

    /// The SMSC's default.
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

    /// A name that fits, as all of these do.
    const fn named(name: &'static [u8]) -> ServiceType<'static> {
        match COctets::new(name) {
            Ok(name) => name,
            Err(_) => COctets::EMPTY,
        }
    }
}

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
        /// A conversation was aborted (bits 5-2, SMSC to ESME; Korean CDMA).
        const CONVERSATION_ABORT = 0x18;
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
    ///
    /// From `0x10` on it is the data coding scheme of GSM (3GPP TS 23.038 §4), of which the usual values have
    /// names; SMPP reserves `0x10..=0xBF` and `0xE0..=0xEF`, SMSCs pass them on.
    pub struct DataCoding(u8) {
        /// The SMSC's default alphabet: usually, not always, GSM 03.38.
        SMSC_DEFAULT = 0x00,
        /// IA5, ASCII. Some providers mean GSM 03.38.
        IA5 = 0x01,
        /// Octets, in TDMA and CDMA networks.
        OCTETS_TDMA_CDMA = 0x02,
        /// ISO 8859-1.
        LATIN1 = 0x03,
        /// Octets.
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
        /// GSM 7-bit, shown at once ("flash"), of the general group.
        GSM_GENERAL_7BIT_CLASS0 = 0x10,
        /// Octets, shown at once, of the general group.
        GSM_GENERAL_8BIT_CLASS0 = 0x14,
        /// UCS-2, shown at once: the usual way to ask for a flash message beyond GSM 7-bit.
        GSM_GENERAL_UCS2_CLASS0 = 0x18,
        /// UCS-2 for the device, of the general group.
        GSM_GENERAL_UCS2_CLASS1 = 0x19,
        /// GSM 7-bit, shown at once ("flash").
        GSM_7BIT_CLASS0 = 0xF0,
        /// GSM 7-bit for the device.
        GSM_7BIT_CLASS1 = 0xF1,
        /// GSM 7-bit for the SIM.
        GSM_7BIT_CLASS2 = 0xF2,
        /// GSM 7-bit for an attached terminal.
        GSM_7BIT_CLASS3 = 0xF3,
        /// Octets, shown at once.
        GSM_8BIT_CLASS0 = 0xF4,
        /// Octets for the device: WAP push.
        GSM_8BIT_CLASS1 = 0xF5,
        /// Octets for the SIM: its updates over the air.
        GSM_8BIT_CLASS2 = 0xF6,
        /// Octets for an attached terminal.
        GSM_8BIT_CLASS3 = 0xF7,
    }
}

impl DataCoding {
    /// The message class, `0..=3`, of `0x10..=0x1F` and `0xF0..=0xFF`: 0 is a flash message.
    pub const fn message_class(self) -> Option<u8> {
        match self.0 {
            0x10..=0x1F | 0xF0.. => Some(self.0 & 3),
            _ => None,
        }
    }

    /// Whether it switches a message-waiting indication: `0xC0..=0xCF` discards the text, `0xD0..=0xDF` and
    /// `0xE0..=0xEF` store it, the last in UCS-2.
    pub const fn is_message_waiting(self) -> bool {
        matches!(self.0, 0xC0..=0xEF)
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
        /// Background, of a cell broadcast (SMPP 5.0).
        CBS_BACKGROUND = 4,
    }
}

open_enum! {
    /// Whether a message replaces a pending one of the same addresses and service type (SMPP 3.4 §5.2.18).
    pub struct ReplaceIfPresent(u8) {
        /// Both are kept.
        NO = 0,
        /// It replaces the other.
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
