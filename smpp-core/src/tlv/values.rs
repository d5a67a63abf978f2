//! What the values of TLVs mean (SMPP 3.4 §5.3.2).

use super::value::{Inline, Octets, Value};
use crate::pdu::{DataCoding, InterfaceVersion, MessageState, Npi, Ton};
use crate::wire::open_enum;

open_enum! {
    /// Which part of a subscriber's device it is for, or from (SMPP 3.4 §5.3.2.1).
    pub struct AddrSubunit(u8) {
        /// The default.
        UNKNOWN = 0x00,
        /// Display only (flash).
        MS_DISPLAY = 0x01,
        /// Handset.
        MOBILE_EQUIPMENT = 0x02,
        /// SIM.
        SMART_CARD_1 = 0x03,
        /// External terminal.
        EXTERNAL_UNIT_1 = 0x04,
    }
}

open_enum! {
    /// A kind of network (SMPP 3.4 §5.3.2.3).
    pub struct NetworkType(u8) {
        /// Not known.
        UNKNOWN = 0x00,
        /// GSM.
        GSM = 0x01,
        /// ANSI-136, TDMA.
        ANSI136_TDMA = 0x02,
        /// IS-95, CDMA.
        IS95_CDMA = 0x03,
        /// PDC.
        PDC = 0x04,
        /// PHS.
        PHS = 0x05,
        /// iDEN.
        IDEN = 0x06,
        /// AMPS.
        AMPS = 0x07,
        /// Paging network.
        PAGING_NETWORK = 0x08,
    }
}

open_enum! {
    /// A bearer of a network (SMPP 3.4 §5.3.2.5).
    pub struct BearerType(u8) {
        /// Not known.
        UNKNOWN = 0x00,
        /// SMS.
        SMS = 0x01,
        /// Circuit-switched data.
        CSD = 0x02,
        /// Packet data.
        PACKET_DATA = 0x03,
        /// USSD.
        USSD = 0x04,
        /// CDPD.
        CDPD = 0x05,
        /// DataTAC.
        DATATAC = 0x06,
        /// FLEX, ReFLEX.
        FLEX_REFLEX = 0x07,
        /// Cell broadcast.
        CELL_BROADCAST = 0x08,
    }
}

open_enum! {
    /// What the payload is (SMPP 3.4 §5.3.2.10).
    pub struct PayloadType(u8) {
        /// WDP for WAP, otherwise ordinary.
        DEFAULT = 0x00,
        /// WCMP message.
        WCMP = 0x01,
    }
}

open_enum! {
    /// How private a message is (SMPP 3.4 §5.3.2.14).
    pub struct PrivacyIndicator(u8) {
        /// Not restricted.
        NOT_RESTRICTED = 0x00,
        /// Restricted.
        RESTRICTED = 0x01,
        /// Confidential.
        CONFIDENTIAL = 0x02,
        /// Secret.
        SECRET = 0x03,
    }
}

open_enum! {
    /// The kind of a subaddress (SMPP 3.4 §5.3.2.15).
    pub struct SubaddressTag(u8) {
        /// NSAP, even number of digits.
        NSAP_EVEN = 0x80,
        /// NSAP, odd number of digits.
        NSAP_ODD = 0x88,
        /// User specified.
        USER_SPECIFIED = 0xA0,
    }
}

open_enum! {
    /// The language of a text (SMPP 3.4 §5.3.2.19).
    pub struct LanguageIndicator(u8) {
        /// Not specified.
        UNSPECIFIED = 0x00,
        /// English.
        ENGLISH = 0x01,
        /// French.
        FRENCH = 0x02,
        /// Spanish.
        SPANISH = 0x03,
        /// German.
        GERMAN = 0x04,
        /// Portuguese.
        PORTUGUESE = 0x05,
    }
}

open_enum! {
    /// How long a text is to be shown (SMPP 3.4 §5.3.2.26).
    pub struct DisplayTime(u8) {
        /// For a short time.
        TEMPORARY = 0x00,
        /// The default.
        DEFAULT = 0x01,
        /// Until the subscriber closes it.
        INVOKE = 0x02,
    }
}

open_enum! {
    /// How long a device keeps a message (SMPP 3.4 §5.3.2.27).
    pub struct MsValidityBehaviour(u8) {
        /// The default.
        STORE_INDEFINITELY = 0x00,
        /// Until power down.
        POWER_DOWN = 0x01,
        /// Until the registration area changes.
        REGISTRATION_AREA = 0x02,
        /// Display only.
        DISPLAY_ONLY = 0x03,
        /// Relative period given in octets 2-4 (SMPP 5.0).
        RELATIVE = 0x04,
    }
}

open_enum! {
    /// The unit of the period in `ms_validity` (SMPP 5.0 §4.8.4).
    pub struct MsValidityUnit(u8) {
        /// Seconds.
        SECONDS = 0x00,
        /// Minutes.
        MINUTES = 0x01,
        /// Hours.
        HOURS = 0x02,
        /// Days.
        DAYS = 0x03,
        /// Weeks.
        WEEKS = 0x04,
        /// Months.
        MONTHS = 0x05,
        /// Years.
        YEARS = 0x06,
    }
}

open_enum! {
    /// Whether the delivery pending flag was set (SMPP 3.4 §5.3.2.28).
    pub struct DpfResult(u8) {
        /// Flag not set.
        NOT_SET = 0x00,
        /// Flag set.
        SET = 0x01,
    }
}

open_enum! {
    /// Whether the delivery pending flag is to be set on failure (SMPP 3.4 §5.3.2.29).
    pub struct SetDpf(u8) {
        /// No request.
        NOT_REQUESTED = 0x00,
        /// Set flag on delivery failure.
        REQUESTED = 0x01,
    }
}

open_enum! {
    /// Whether a device can be reached (SMPP 3.4 §5.3.2.30).
    pub struct MsAvailabilityStatus(u8) {
        /// The default.
        AVAILABLE = 0x00,
        /// Suspended or no SMS service.
        DENIED = 0x01,
        /// It cannot be reached.
        UNAVAILABLE = 0x02,
    }
}

open_enum! {
    /// Whose error code it is (SMPP 3.4 §5.3.2.31).
    pub struct NetworkErrorType(u8) {
        /// ANSI-136.
        ANSI136_ACCESS_DENIED = 0x01,
        /// IS-95.
        IS95_ACCESS_DENIED = 0x02,
        /// GSM.
        GSM = 0x03,
        /// ANSI-136 cause code (SMPP 5.0).
        ANSI136_CAUSE = 0x04,
        /// IS-95 cause code (SMPP 5.0).
        IS95_CAUSE = 0x05,
        /// ANSI-41 error (SMPP 5.0).
        ANSI41 = 0x06,
        /// SMPP error (SMPP 5.0).
        SMPP = 0x07,
        /// Message centre specific (SMPP 5.0).
        MC_SPECIFIC = 0x08,
    }
}

open_enum! {
    /// Why a data_sm could not be delivered (SMPP 3.4 §5.3.2.33).
    pub struct DeliveryFailureReason(u8) {
        /// It cannot be reached.
        DESTINATION_UNAVAILABLE = 0x00,
        /// Address invalid.
        DESTINATION_INVALID = 0x01,
        /// Permanent network fault.
        PERMANENT_NETWORK = 0x02,
        /// Temporary network fault.
        TEMPORARY_NETWORK = 0x03,
    }
}

open_enum! {
    /// Whether more messages follow for the same recipient (SMPP 3.4 §5.3.2.34).
    pub struct MoreMessagesToSend(u8) {
        /// Last one.
        NO = 0x00,
        /// More follow (default).
        YES = 0x01,
    }
}

open_enum! {
    /// How the subscriber is to answer (SMPP 3.4 §5.3.2.42).
    pub struct ItsReplyType(u8) {
        /// A digit.
        DIGIT = 0x00,
        /// A number.
        NUMBER = 0x01,
        /// A telephone number.
        TELEPHONE_NO = 0x02,
        /// A password.
        PASSWORD = 0x03,
        /// A line of characters.
        CHARACTER_LINE = 0x04,
        /// A choice from a menu.
        MENU = 0x05,
        /// A date.
        DATE = 0x06,
        /// A time.
        TIME = 0x07,
        /// Nothing: go on.
        CONTINUE = 0x08,
    }
}

open_enum! {
    /// An operation of USSD (SMPP 3.4 §5.3.2.44).
    pub struct UssdServiceOp(u8) {
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
        /// USSR confirm.
        USSR_CONFIRM = 0x12,
        /// USSN confirm.
        USSN_CONFIRM = 0x13,
    }
}

open_enum! {
    /// Whether number portability was asked about (SMPP 5.0 §4.8.4.22).
    pub struct NpResolution(u8) {
        /// No query done (default).
        NOT_QUERIED = 0x00,
        /// Queried, not ported.
        NOT_PORTED = 0x01,
        /// Queried, ported.
        PORTED = 0x02,
    }
}

open_enum! {
    /// How a device alerts its subscriber. 3.4 has the default alone (SMPP 3.4 §5.3.2.41).
    pub struct AlertOnMessageDelivery(u8) {
        /// Handset default (SMPP 5.0).
        DEFAULT = 0x00,
        /// Low priority (SMPP 5.0).
        LOW = 0x01,
        /// Medium priority (SMPP 5.0).
        MEDIUM = 0x02,
        /// High priority (SMPP 5.0).
        HIGH = 0x03,
    }
}

bitflags::bitflags! {
    /// Whether messages wait, and of what kind (SMPP 3.4 §5.3.2.13). Bits 1-0 are a field.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MsMsgWaitFacilities: u8 {
        /// Faxes (bits 1-0); voicemail where neither bit is set.
        const FAX = 0x01;
        /// E-mail (bits 1-0).
        const EMAIL = 0x02;
        /// Others (bits 1-0).
        const OTHER = 0x03;
        /// The indication is to be shown.
        const ACTIVE = 0x80;
        const _ = !0;
    }
}

bitflags::bitflags! {
    /// Whether a callback number is shown, and whether it was checked (SMPP 3.4 §5.3.2.37). Bits 3-2 and bits 1-0
    /// are fields.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CallbackNumPresInd: u8 {
        /// Given by the user, checked and found right (bits 1-0); not checked where neither bit is set.
        const VERIFIED_PASSED = 0x01;
        /// Given by the user, checked and found wrong (bits 1-0).
        const VERIFIED_FAILED = 0x02;
        /// Given by the network (bits 1-0).
        const NETWORK_PROVIDED = 0x03;
        /// To be hidden (bits 3-2); to be shown where neither bit is set.
        const PRESENTATION_RESTRICTED = 0x04;
        /// Not available (bits 3-2).
        const NUMBER_NOT_AVAILABLE = 0x08;
        const _ = !0;
    }
}

open_enum! {
    /// How the digits of a callback number are coded (SMPP 3.4 §5.3.2.36, bit 0).
    pub struct DigitMode(u8) {
        /// Two digits an octet, as in telephony.
        TBCD = 0,
        /// ASCII.
        ASCII = 1,
    }
}

/// The load of the peer in percent, `0..=100` (SMPP 5.0 §4.8.4.18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CongestionState(
    /// Percent; above 100 is reserved.
    pub u8,
);

impl CongestionState {
    /// Nothing to do.
    pub const IDLE: Self = Self(0);
    /// Where the peer works best begins here, and ends at 90.
    pub const OPTIMUM: Self = Self(80);
    /// It can take no more.
    pub const CONGESTED: Self = Self(100);
}

/// An error code, and whose it is (SMPP 3.4 §5.3.2.31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NetworkErrorCode {
    /// Whose code it is.
    pub network: NetworkErrorType,
    /// The code.
    pub code: u16,
}

/// How long a device keeps a message (SMPP 3.4 §5.3.2.27; with a period, SMPP 5.0 §4.8.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MsValidity {
    /// What ends it.
    pub behaviour: MsValidityBehaviour,
    /// The unit and the number of units of a relative period.
    pub period: Option<(MsValidityUnit, u16)>,
}

/// Where within a session a message stands (SMPP 3.4 §5.3.2.43).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItsSessionInfo {
    /// Which session it belongs to.
    pub session: u8,
    /// Its place in the session, `0..=127`.
    pub sequence: u8,
    /// Whether the session ends with it.
    pub ends: bool,
}

/// A subaddress (SMPP 3.4 §5.3.2.15, §5.3.2.16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subaddress<'a> {
    /// Its kind.
    pub tag: SubaddressTag,
    /// At most 22 octets.
    pub octets: &'a [u8],
}

/// A number to call back (SMPP 3.4 §5.3.2.36).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallbackNum<'a> {
    /// How `digits` are coded.
    pub digit_mode: DigitMode,
    /// Type of number.
    pub ton: Ton,
    /// Numbering plan.
    pub npi: Npi,
    /// The digits: 1 to 16 octets.
    pub digits: &'a [u8],
}

/// A name for a callback number (SMPP 3.4 §5.3.2.38).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallbackNumAtag<'a> {
    /// How the text is coded.
    pub data_coding: DataCoding,
    /// At most 64 octets.
    pub text: &'a [u8],
}

/// What `source_telematics_id` holds: one octet (SMPP 3.4 §5.3.2.8), though some peers send two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TelematicsId(
    /// The value; sent as one octet where it fits.
    pub u16,
);

/// Whom to bill (SMPP 5.0 §4.8.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BillingIdentification<'a> {
    /// The format; with bit 7 set, a vendor's own.
    pub format: u8,
    /// At most 1023 octets.
    pub octets: &'a [u8],
}

/// Values of one octet: `Type = from octet, to octet`.
macro_rules! octet_values {
    ($($name:ty = $from:expr, |$value:ident| $to:expr;)+) => {$(
        impl Value<'_> for $name {
            fn read(octets: &[u8]) -> Option<Self> {
                u8::read(octets).map($from)
            }
        }

        impl Inline for $name {
            fn inline(self) -> Octets {
                let $value = self;
                $to.inline()
            }
        }
    )+};
}
pub(super) use octet_values;

octet_values! {
    AddrSubunit = AddrSubunit, |value| value.0;
    NetworkType = NetworkType, |value| value.0;
    BearerType = BearerType, |value| value.0;
    PayloadType = PayloadType, |value| value.0;
    PrivacyIndicator = PrivacyIndicator, |value| value.0;
    LanguageIndicator = LanguageIndicator, |value| value.0;
    DisplayTime = DisplayTime, |value| value.0;
    DpfResult = DpfResult, |value| value.0;
    SetDpf = SetDpf, |value| value.0;
    MsAvailabilityStatus = MsAvailabilityStatus, |value| value.0;
    DeliveryFailureReason = DeliveryFailureReason, |value| value.0;
    MoreMessagesToSend = MoreMessagesToSend, |value| value.0;
    ItsReplyType = ItsReplyType, |value| value.0;
    UssdServiceOp = UssdServiceOp, |value| value.0;
    NpResolution = NpResolution, |value| value.0;
    MsMsgWaitFacilities = MsMsgWaitFacilities::from_bits_retain, |value| value.bits();
    CallbackNumPresInd = CallbackNumPresInd::from_bits_retain, |value| value.bits();
    CongestionState = CongestionState, |value| value.0;
    MessageState = MessageState, |value| value.0;
    InterfaceVersion = InterfaceVersion, |value| value.0;
}

impl Value<'_> for TelematicsId {
    fn read(octets: &[u8]) -> Option<Self> {
        u8::read(octets).map(u16::from).or_else(|| u16::read(octets)).map(Self)
    }
}

impl Inline for TelematicsId {
    fn inline(self) -> Octets {
        Octets::new(self.0.into(), if self.0 > 0xFF { 2 } else { 1 })
    }
}

/// Presence alone is a value: the default alert.
impl Value<'_> for AlertOnMessageDelivery {
    fn read(octets: &[u8]) -> Option<Self> {
        match octets {
            [] => Some(Self::DEFAULT),
            [alert] => Some(Self(*alert)),
            _ => None,
        }
    }
}

impl Inline for AlertOnMessageDelivery {
    fn inline(self) -> Octets {
        Octets::new(self.0.into(), u8::from(self != Self::DEFAULT))
    }
}

impl Value<'_> for NetworkErrorCode {
    fn read(octets: &[u8]) -> Option<Self> {
        let [network, high, low] = *octets else { return None };
        Some(Self { network: NetworkErrorType(network), code: u16::from_be_bytes([high, low]) })
    }
}

impl Inline for NetworkErrorCode {
    fn inline(self) -> Octets {
        Octets::new(u32::from(self.network.0) << 16 | u32::from(self.code), 3)
    }
}

impl Value<'_> for MsValidity {
    fn read(octets: &[u8]) -> Option<Self> {
        let (behaviour, period) = match *octets {
            [behaviour] => (behaviour, None),
            [behaviour, unit, high, low] => {
                (behaviour, Some((MsValidityUnit(unit), u16::from_be_bytes([high, low]))))
            }
            _ => return None,
        };
        Some(Self { behaviour: MsValidityBehaviour(behaviour), period })
    }
}

impl Inline for MsValidity {
    fn inline(self) -> Octets {
        match self.period {
            None => self.behaviour.0.inline(),
            Some((unit, count)) => {
                let [high, low] = count.to_be_bytes();
                Octets { octets: [self.behaviour.0, unit.0, high, low], length: 4 }
            }
        }
    }
}

impl Value<'_> for ItsSessionInfo {
    fn read(octets: &[u8]) -> Option<Self> {
        let [session, place] = *octets else { return None };
        Some(Self { session, sequence: place >> 1, ends: place & 1 == 1 })
    }
}

impl Inline for ItsSessionInfo {
    fn inline(self) -> Octets {
        u16::from_be_bytes([self.session, self.sequence << 1 | u8::from(self.ends)]).inline()
    }
}

impl<'a> Value<'a> for Subaddress<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let (tag, octets) = octets.split_first()?;
        Some(Self { tag: SubaddressTag(*tag), octets })
    }
}

impl<'a> Value<'a> for CallbackNum<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let ([mode, ton, npi], digits) = octets.split_first_chunk()?;
        Some(Self { digit_mode: DigitMode(mode & 1), ton: Ton(*ton), npi: Npi(*npi), digits })
    }
}

impl<'a> Value<'a> for CallbackNumAtag<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let (coding, text) = octets.split_first()?;
        Some(Self { data_coding: DataCoding(*coding), text })
    }
}

impl<'a> Value<'a> for BillingIdentification<'a> {
    fn read(octets: &'a [u8]) -> Option<Self> {
        let (format, octets) = octets.split_first()?;
        Some(Self { format: *format, octets })
    }
}
