//! The values of the optional parameters (SMPP 3.4 §5.3.2), except numbers and broadcast parameters.

use super::value::{Short, ToShort, Value, integer_values, octet_and_u16, octet_enum};
use crate::open_enum::open_enum;

octet_enum! {
    /// A component of the subscriber's device (SMPP 3.4 §5.3.2.1, §5.3.2.2).
    pub struct AddrSubunit {
        /// Unknown. The default.
        UNKNOWN = 0,
        /// The display: the message is shown immediately and not stored ("flash").
        MS_DISPLAY = 1,
        /// The device.
        MOBILE_EQUIPMENT = 2,
        /// The SIM.
        SMART_CARD_1 = 3,
        /// An attached terminal.
        EXTERNAL_UNIT_1 = 4,
    }
}

octet_enum! {
    /// The type of network (SMPP 3.4 §5.3.2.3, §5.3.2.4).
    pub struct NetworkType {
        /// Unknown.
        UNKNOWN = 0,
        /// GSM.
        GSM = 1,
        /// ANSI-136, TDMA.
        ANSI136_TDMA = 2,
        /// IS-95, CDMA.
        IS95_CDMA = 3,
        /// PDC.
        PDC = 4,
        /// PHS.
        PHS = 5,
        /// iDEN.
        IDEN = 6,
        /// AMPS.
        AMPS = 7,
        /// A paging network.
        PAGING_NETWORK = 8,
    }
}

octet_enum! {
    /// The bearer that carries the message through the network (SMPP 3.4 §5.3.2.5, §5.3.2.6).
    pub struct BearerType {
        /// Unknown.
        UNKNOWN = 0,
        /// SMS.
        SMS = 1,
        /// Circuit-switched data.
        CSD = 2,
        /// Packet data.
        PACKET_DATA = 3,
        /// USSD.
        USSD = 4,
        /// CDPD.
        CDPD = 5,
        /// DataTAC.
        DATATAC = 6,
        /// FLEX, ReFLEX.
        FLEX_REFLEX = 7,
        /// Cell broadcast.
        CELL_BROADCAST = 8,
    }
}

octet_enum! {
    /// The protocol of the payload above the bearer (SMPP 3.4 §5.3.2.10).
    pub struct PayloadType {
        /// WDP for WAP applications, no protocol otherwise.
        DEFAULT = 0,
        /// A message of the Wireless Control Message Protocol.
        WCMP = 1,
    }
}

bitflags::bitflags! {
    /// The message waiting indication of the handset (SMPP 3.4 §5.3.2.13). Bits 1 and 0 are a field: compare
    /// [`indicator`](MsMsgWaitFacilities::indicator), not single bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MsMsgWaitFacilities: u8 {
        /// A fax is waiting (bits 1-0). Without these bits: a voice mail.
        const FAX = 0x01;
        /// An e-mail is waiting (bits 1-0).
        const EMAIL = 0x02;
        /// Another message is waiting (bits 1-0).
        const OTHER = 0x03;
        /// Switches the indication on. Without this bit: switches it off.
        const ACTIVE = 0x80;
        const _ = !0;
    }
}

impl MsMsgWaitFacilities {
    /// Returns only bits 1 and 0: the type of message. Empty for voice mail.
    #[must_use]
    pub const fn indicator(self) -> Self {
        Self::from_bits_retain(self.bits() & 0x03)
    }
}

octet_enum! {
    /// The privacy level of a message (SMPP 3.4 §5.3.2.14).
    pub struct PrivacyIndicator {
        /// Level 0.
        NOT_RESTRICTED = 0,
        /// Level 1.
        RESTRICTED = 1,
        /// Level 2.
        CONFIDENTIAL = 2,
        /// Level 3.
        SECRET = 3,
    }
}

octet_enum! {
    /// The language of a text (SMPP 3.4 §5.3.2.19).
    pub struct LanguageIndicator {
        /// Not specified.
        UNSPECIFIED = 0,
        /// English.
        ENGLISH = 1,
        /// French.
        FRENCH = 2,
        /// Spanish.
        SPANISH = 3,
        /// German.
        GERMAN = 4,
        /// Portuguese.
        PORTUGUESE = 5,
    }
}

octet_enum! {
    /// How long the device displays a message (SMPP 3.4 §5.3.2.26).
    pub struct DisplayTime default DEFAULT {
        /// For a limited time.
        TEMPORARY = 0,
        /// As long as the device does by default.
        DEFAULT = 1,
        /// Until the user acts on it.
        INVOKE = 2,
    }
}

octet_enum! {
    /// How long the device keeps a message (SMPP 3.4 §5.3.2.27).
    pub struct MsValidityBehaviour {
        /// Without limit.
        STORE_INDEFINITELY = 0,
        /// Until the device is switched off.
        POWER_DOWN = 1,
        /// Until the registration area changes.
        REGISTRATION_AREA = 2,
        /// The device displays the message and does not store it.
        DISPLAY_ONLY = 3,
        /// For the period in [`MsValidity::period`] (SMPP 5.0).
        RELATIVE = 4,
    }
}

octet_enum! {
    /// The unit of an [`MsValidityPeriod`] (SMPP 5.0 §4.8.4).
    pub struct MsValidityUnit {
        /// Seconds.
        SECONDS = 0,
        /// Minutes.
        MINUTES = 1,
        /// Hours.
        HOURS = 2,
        /// Days.
        DAYS = 3,
        /// Weeks.
        WEEKS = 4,
        /// Months.
        MONTHS = 5,
        /// Years.
        YEARS = 6,
    }
}

/// How long the device keeps a message: one octet in SMPP 3.4 (§5.3.2.27), one or four in SMPP 5.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MsValidity {
    /// When the device drops the message.
    pub behaviour: MsValidityBehaviour,
    /// The period for [`RELATIVE`](MsValidityBehaviour::RELATIVE) (SMPP 5.0).
    pub period: Option<MsValidityPeriod>,
}

/// A period: a number of units of time (SMPP 5.0 §4.8.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MsValidityPeriod {
    /// The unit.
    pub unit: MsValidityUnit,
    /// The number of units.
    pub count: u16,
}

impl From<MsValidityBehaviour> for MsValidity {
    fn from(behaviour: MsValidityBehaviour) -> Self {
        Self { behaviour, period: None }
    }
}

impl Value<'_> for MsValidity {
    fn read(octets: &[u8]) -> Option<Self> {
        let (behaviour, period) = match octets {
            [behaviour] => (behaviour, None),
            [behaviour, unit, high, low] => {
                let (unit, count) = (MsValidityUnit(*unit), u16::from_be_bytes([*high, *low]));
                (behaviour, Some(MsValidityPeriod { unit, count }))
            }
            _ => return None,
        };
        Some(Self { behaviour: MsValidityBehaviour(*behaviour), period })
    }
}

impl ToShort for MsValidity {
    fn to_short(self) -> Short {
        let Some(MsValidityPeriod { unit, count }) = self.period else { return self.behaviour.to_short() };
        let [high, low] = count.to_be_bytes();
        Short::u32(u32::from_be_bytes([self.behaviour.0, unit.0, high, low]))
    }
}

octet_enum! {
    /// Whether the delivery pending flag was set (SMPP 3.4 §5.3.2.28).
    pub struct DpfResult {
        /// The flag was not set.
        NOT_SET = 0,
        /// The flag was set: an alert_notification follows when the subscriber can be reached.
        SET = 1,
    }
}

octet_enum! {
    /// Whether to set the delivery pending flag if delivery fails (SMPP 3.4 §5.3.2.29).
    pub struct SetDpf default REQUESTED {
        /// Do not set the flag.
        NOT_REQUESTED = 0,
        /// Set the flag.
        REQUESTED = 1,
    }
}

octet_enum! {
    /// Whether the subscriber can be reached (SMPP 3.4 §5.3.2.30).
    pub struct MsAvailabilityStatus {
        /// The subscriber can be reached.
        AVAILABLE = 0,
        /// The subscriber is suspended or has no SMS service.
        DENIED = 1,
        /// The subscriber cannot be reached.
        UNAVAILABLE = 2,
    }
}

octet_enum! {
    /// The network that defines an error code (SMPP 3.4 §5.3.2.31).
    pub struct NetworkErrorType {
        /// ANSI-136 reasons for denied access.
        ANSI136_ACCESS_DENIED = 1,
        /// IS-95 reasons for denied access.
        IS95_ACCESS_DENIED = 2,
        /// GSM.
        GSM = 3,
        /// ANSI-136 cause codes (SMPP 5.0).
        ANSI136_CAUSE = 4,
        /// IS-95 cause codes (SMPP 5.0).
        IS95_CAUSE = 5,
        /// ANSI-41 (SMPP 5.0).
        ANSI41 = 6,
        /// SMPP (SMPP 5.0).
        SMPP = 7,
        /// Specific to the message centre (SMPP 5.0).
        MC_SPECIFIC = 8,
    }
}

octet_and_u16! {
    /// The error code of a network for a failed delivery (SMPP 3.4 §5.3.2.31).
    pub struct NetworkErrorCode {
        /// The network that defines the code.
        pub network: NetworkErrorType,
        /// The code.
        pub code: u16,
    }
}

octet_enum! {
    /// Why a message was not delivered (SMPP 3.4 §5.3.2.33).
    pub struct DeliveryFailureReason {
        /// The recipient cannot be reached.
        DESTINATION_UNAVAILABLE = 0,
        /// The address of the recipient is invalid.
        DESTINATION_INVALID = 1,
        /// A permanent network error.
        PERMANENT_NETWORK = 2,
        /// A temporary network error.
        TEMPORARY_NETWORK = 3,
    }
}

octet_enum! {
    /// Whether more messages for the same recipient follow (SMPP 3.4 §5.3.2.34).
    pub struct MoreMessagesToSend default YES {
        /// This is the last one.
        NO = 0,
        /// More follow.
        YES = 1,
    }
}

octet_enum! {
    /// The load of a peer, in percent of its capacity (SMPP 5.0 §4.8.4). The optimum is 80 to 90.
    pub struct CongestionState {
        /// No load.
        IDLE = 0,
        /// Full load.
        CONGESTED = 100,
    }
}

impl CongestionState {
    /// Returns the level of the load, or `None` above 100. The specification lists 90 twice: it counts as
    /// [`Optimum`](Load::Optimum).
    pub const fn load(self) -> Option<Load> {
        Some(match self.0 {
            0 => Load::Idle,
            1..=29 => Load::Low,
            30..=49 => Load::Medium,
            50..=79 => Load::High,
            80..=90 => Load::Optimum,
            91..=99 => Load::NearingCongestion,
            100 => Load::Congested,
            _ => return None,
        })
    }
}

/// The level of the load of a peer (SMPP 5.0 §4.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Load {
    /// 0 percent.
    Idle,
    /// 1 to 29 percent.
    Low,
    /// 30 to 49 percent.
    Medium,
    /// 50 to 79 percent.
    High,
    /// 80 to 90 percent.
    Optimum,
    /// 91 to 99 percent.
    NearingCongestion,
    /// 100 percent.
    Congested,
}

open_enum! {
    /// How the device alerts the user to the message. In SMPP 3.4 (§5.3.2.41) the parameter has no octets: its
    /// presence requests the alert. SMPP 5.0 adds one octet. [`DEFAULT`](Self::DEFAULT) is decoded from no octets or a
    /// zero, and encoded as no octets.
    pub struct AlertOnMessageDelivery(u8) {
        /// As the device does by default.
        DEFAULT = 0,
        /// Low priority (SMPP 5.0).
        LOW = 1,
        /// Medium priority (SMPP 5.0).
        MEDIUM = 2,
        /// High priority (SMPP 5.0).
        HIGH = 3,
    }
}

impl Value<'_> for AlertOnMessageDelivery {
    fn read(octets: &[u8]) -> Option<Self> {
        match octets {
            [] => Some(Self::DEFAULT),
            [priority] => Some(Self(*priority)),
            _ => None,
        }
    }
}

impl ToShort for AlertOnMessageDelivery {
    fn to_short(self) -> Short {
        if self == Self::DEFAULT { Short::EMPTY } else { Short::u8(self.0) }
    }
}

octet_enum! {
    /// The kind of reply that the sender expects (SMPP 3.4 §5.3.2.42).
    pub struct ItsReplyType {
        /// A digit.
        DIGIT = 0,
        /// A number.
        NUMBER = 1,
        /// A telephone number.
        TELEPHONE_NO = 2,
        /// A password.
        PASSWORD = 3,
        /// A line of text.
        CHARACTER_LINE = 4,
        /// A choice from a menu.
        MENU = 5,
        /// A date.
        DATE = 6,
        /// A time.
        TIME = 7,
        /// No reply: continue.
        CONTINUE = 8,
    }
}

/// The position of a message in an interactive session (SMPP 3.4 §5.3.2.43).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItsSessionInfo {
    /// The number of the session.
    pub session: u8,
    /// The number of the message in the session: `0..=127`. The highest bit is not sent.
    pub sequence: u8,
    /// Whether the message ends the session.
    pub ends: bool,
}

impl Value<'_> for ItsSessionInfo {
    fn read(octets: &[u8]) -> Option<Self> {
        let [session, rest] = octets else { return None };
        Some(Self { session: *session, sequence: rest >> 1, ends: rest & 1 == 1 })
    }
}

impl ToShort for ItsSessionInfo {
    fn to_short(self) -> Short {
        Short::u16(u16::from_be_bytes([self.session, self.sequence << 1 | u8::from(self.ends)]))
    }
}

octet_enum! {
    /// The operation of a USSD dialogue (SMPP 3.4 §5.3.2.44). Values from `0x20` on are vendor-specific.
    pub struct UssdServiceOp {
        /// PSSD indication.
        PSSD_INDICATION = 0x00,
        /// PSSR indication.
        PSSR_INDICATION = 0x01,
        /// USSR request.
        USSR_REQUEST = 0x02,
        /// USSN request.
        USSN_REQUEST = 0x03,
        /// PSSD response.
        PSSD_RESPONSE = 0x10,
        /// PSSR response.
        PSSR_RESPONSE = 0x11,
        /// USSR confirmation.
        USSR_CONFIRM = 0x12,
        /// USSN confirmation.
        USSN_CONFIRM = 0x13,
    }
}

integer_values! {
    MsMsgWaitFacilities, u8 = MsMsgWaitFacilities::from_bits_retain, |bits: MsMsgWaitFacilities| bits.bits();
}
