//! Every optional parameter of SMPP 3.4 (§5.3.2) and 5.0 (§4.8.4), once: tag, lengths, type.

use core::fmt;
use core::ops::RangeInclusive;

use super::typed::{Value, Write};
use super::{
    AddrSubunit, AlertOnMessageDelivery, BearerType, BillingIdentification, BroadcastAreaIdentifier,
    BroadcastAreaSuccess, BroadcastChannelIndicator, BroadcastContentType, BroadcastFrequencyInterval,
    BroadcastMessageClass, CallbackNum, CallbackNumAtag, CallbackNumPresInd, CongestionState,
    DeliveryFailureReason, DestAddrNpResolution, DisplayTime, DpfResult, ItsReplyType, ItsSessionInfo,
    LanguageIndicator, MoreMessagesToSend, MsAvailabilityStatus, MsMsgWaitFacilities, MsValidity,
    NetworkErrorCode, NetworkType, PayloadType, PrivacyIndicator, SetDpf, Subaddress, Tlv, Tlvs,
    UssdServiceOp,
};
use crate::pdu::{CommandStatus, InterfaceVersion, MessageState};
use crate::wire::{DecodeErrorKind, InvalidOctets, Quirks};

/// The tag of an optional parameter (SMPP 3.4 §5.3.2). Any value is kept; vendors use `0x1400..=0x3FFF`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Tag(
    /// The number on the wire.
    pub u16,
);

/// What the specification says of a tag.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    min: u16,
    max: u16,
    kind: Kind,
    /// Any value of the right length is good.
    plain: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No tag at all.
    Free,
    /// An integer or octets.
    Octets,
    /// Text that ends with NUL.
    Text,
}

/// As many as the upper octet of a product tells apart.
const SLOTS: usize = 256;

/// The entries, each in the slot of its tag: no two tags share one.
struct Table {
    multiplier: u16,
    slots: [Entry; SLOTS],
}

impl Entry {
    /// Fits any length, should its tag be looked up.
    const FREE: Self = Self { tag: 0, min: 0, max: u16::MAX, kind: Kind::Free, plain: true };

    const fn new(tag: Tag, min: u16, max: u16, kind: Kind) -> Self {
        let plain = !matches!(kind, Kind::Text) && !matches!(tag, Tag::MS_VALIDITY | Tag::MESSAGE_PAYLOAD);
        Self { tag: tag.0, min, max, kind, plain }
    }
}

impl Table {
    /// Tries multipliers until one spreads the tags. The compiler does it.
    const fn new() -> Self {
        let mut multiplier = 1;
        loop {
            if let Some(slots) = spread(multiplier) {
                return Self { multiplier, slots };
            }
            multiplier += 2;
        }
    }
}

/// The entries by slot, if each has one of its own.
const fn spread(multiplier: u16) -> Option<[Entry; SLOTS]> {
    let mut slots = [Entry::FREE; SLOTS];
    let mut rest = ENTRIES.as_slice();
    while let [entry, after @ ..] = rest {
        match slots.split_at_mut_checked(slot(entry.tag, multiplier)) {
            Some((_, [free, ..])) if matches!(free.kind, Kind::Free) => *free = *entry,
            _ => return None,
        }
        rest = after;
    }
    Some(slots)
}

#[inline]
const fn slot(tag: u16, multiplier: u16) -> usize {
    (tag.wrapping_mul(multiplier) >> 8) as usize
}

const TABLE: Table = Table::new();
const MULTIPLIER: u16 = TABLE.multiplier;
static ENTRIES_BY_SLOT: [Entry; SLOTS] = TABLE.slots;

/// The entry in the slot of `tag`: that of the tag, if it has one. A multiplication and a load.
#[inline]
fn entry(tag: u16) -> Entry {
    ENTRIES_BY_SLOT.get(slot(tag, MULTIPLIER)).copied().unwrap_or(Entry::FREE)
}

/// Whether the specification allows a value of `length` octets for `tag`. A tag that it does not name may
/// have any length.
#[inline]
pub(crate) fn check(tag: u16, length: usize) -> bool {
    let Entry { tag: found, min, max, .. } = entry(tag);
    // One comparison for both ends: what is below `min` wraps.
    found != tag || length.wrapping_sub(min.into()) <= usize::from(max.wrapping_sub(min))
}

/// Whether a value is as the specification wants it, in a PDU whose `short_message` has a text or not: each TLV that
/// is read is looked up.
#[inline]
pub(super) fn fits(tag: Tag, value: &[u8], has_text: bool) -> bool {
    let Entry { tag: found, min, max, plain, .. } = entry(tag.0);
    if found != tag.0 {
        return true;
    }
    let has_length = value.len().wrapping_sub(min.into()) <= usize::from(max.wrapping_sub(min));
    has_length
        && (plain
            || match tag {
                Tag::MESSAGE_PAYLOAD => !has_text || value.is_empty(),
                Tag::MS_VALIDITY => value.len() == 1 || value.len() == 4,
                Tag::BROADCAST_END_TIME => true,
                _ => value.ends_with(&[0]),
            })
}

/// What is wrong with a value, if it does not fit.
pub(super) fn objection(tag: Tag, value: &[u8]) -> Option<(Quirks, DecodeErrorKind)> {
    let unterminated = ends_with_nul(tag) && !value.ends_with(&[0]);
    // Only its length can tell that it was meant to end with a NUL.
    let between = tag == Tag::MS_VALIDITY && !matches!(value.len(), 1 | 4);
    if between || !check(tag.0, value.len() + usize::from(unterminated)) {
        return Some((Quirks::TLV_LENGTH, DecodeErrorKind::TlvLength));
    }
    unterminated.then_some((Quirks::UNTERMINATED_TLV, DecodeErrorKind::TlvUnterminated))
}

/// Whether the specification wants a NUL at the end. Of `broadcast_end_time` it says both (SMPP 5.0 §4.8.4).
#[inline]
fn ends_with_nul(tag: Tag) -> bool {
    tag.is_text() && tag != Tag::BROADCAST_END_TIME
}

impl Tag {
    /// How many octets the value may have: what SMPP 3.4 or 5.0 allows, the NUL of a text included. `None` for
    /// a tag that neither names.
    pub fn lengths(self) -> Option<RangeInclusive<usize>> {
        let Entry { tag, min, max, kind, .. } = entry(self.0);
        (tag == self.0 && kind != Kind::Free).then_some(min.into()..=max.into())
    }

    /// Whether the value is text that ends with NUL. Peers omit the NUL: the accessors of [`Tlvs`] read both.
    pub fn is_text(self) -> bool {
        let Entry { tag, kind, .. } = entry(self.0);
        tag == self.0 && kind == Kind::Text
    }
}

/// The name in the specification, or `Tag(0x1501)`.
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Tag({:#06x})", self.0),
        }
    }
}

/// The value up to its NUL, if it has one, of a length between the two.
fn text(octets: &[u8], least: usize, most: usize) -> Option<&[u8]> {
    let text = octets.split(|octet| *octet == 0).next().unwrap_or_default();
    (least..=most).contains(&text.len()).then_some(text)
}

/// The octets that a typed value of this tag is read from, if their number is right; of a text, those before the NUL.
pub(super) fn content(tag: Tag, octets: &[u8]) -> Option<&[u8]> {
    let Entry { tag: found, min, max, kind, .. } = entry(tag.0);
    if found == tag.0 && kind == Kind::Text {
        return text(octets, usize::from(min).saturating_sub(1), usize::from(max).saturating_sub(1));
    }
    check(tag.0, octets.len()).then_some(octets)
}

/// What the kinds of parameters differ in: the entry, the type, how it is read and how it is made.
macro_rules! kind {
    (entry text) => { Kind::Text };
    (entry time) => { Kind::Text };
    (entry $kind:ident) => { Kind::Octets };

    (type value $type:ty) => { $type };
    (type parts $type:ty) => { $type };
    (type telematics $type:ty) => { u16 };
    (type $octets:ident) => { &'a [u8] };

    (read $tlvs:ident $tag:ident $min:literal $max:literal value $type:ty) => {
        $tlvs.get(Tag::$tag).and_then(Value::read)
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal parts $type:ty) => {
        $tlvs.get(Tag::$tag).filter(|octets| check(Tag::$tag.0, octets.len())).and_then(Value::read)
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal octets) => {
        $tlvs.get(Tag::$tag).filter(|octets| check(Tag::$tag.0, octets.len()))
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal text) => {
        $tlvs.get(Tag::$tag).and_then(|octets| text(octets, $min - 1, $max - 1))
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal time) => {
        $tlvs.get(Tag::$tag).and_then(|octets| text(octets, 16, 16))
    };
    (read $tlvs:ident $tag:ident $min:literal $max:literal telematics $type:ty) => {
        $tlvs.get(Tag::$tag).and_then(|octets| u8::read(octets).map(u16::from).or_else(|| u16::read(octets)))
    };

    (make $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal value $type:ty) => {
        $(#[$doc])*
        pub fn $method(value: $type) -> Self {
            Self::short(Tag::$tag, value.write())
        }
    };
    (make $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal telematics $type:ty) => {
        $(#[$doc])*
        pub fn $method(value: $type) -> Self {
            Self::short(Tag::$tag, value.write())
        }
    };
    (make $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal octets) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = concat!("An error unless it has ", $min, " to ", $max, " octets.")]
        pub const fn $method(octets: &'a [u8]) -> Result<Self, InvalidOctets> {
            Self::octets(Tag::$tag, octets, $min, $max)
        }
    };
    (make $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal text) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = "The NUL is added. An error if the text has too few octets, too many, or a NUL inside."]
        pub const fn $method(text: &'a [u8]) -> Result<Self, InvalidOctets> {
            Self::text(Tag::$tag, text, $min - 1, $max - 1)
        }
    };
    (make $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal time) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = "The NUL is added. An error unless the text has 16 octets, none of them NUL."]
        pub const fn $method(text: &'a [u8]) -> Result<Self, InvalidOctets> {
            Self::text(Tag::$tag, text, 16, 16)
        }
    };
    (make $(#[$doc:meta])* $tag:ident $method:ident $min:literal $max:literal parts $type:ty) => {};
}

/// Each parameter once: constant, name, number, lengths, kind.
macro_rules! tags {
    ($($(#[$doc:meta])* $tag:ident $name:ident = $number:literal, $min:literal..=$max:literal,
        $kind:ident $(($type:ty))?;)+) => {
        /// In tag order.
        const ENTRIES: [Entry; Tag::ALL.len()] = [
            $(Entry::new(Tag::$tag, $min, $max, kind!(entry $kind)),)+
        ];

        #[cfg(test)]
        const CONSTANTS: [&str; Tag::ALL.len()] = [$(stringify!($tag)),+];

        impl Tag {
            $($(#[$doc])* pub const $tag: Self = Self($number);)+

            /// Every tag that SMPP 3.4 or 5.0 names, in ascending order.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$tag),+];

            /// The name in the specification: `message_state`.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$tag => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }

        /// The typed value of the first parameter with the tag; `None` too if its length is wrong.
        impl<'a> Tlvs<'a> {
            $($(#[$doc])* pub fn $name(&self) -> Option<kind!(type $kind $($type)?)> {
                kind!(read self $tag $min $max $kind $($type)?)
            })+
        }

        /// One parameter from its typed value. Those made of parts and of more than four octets are made by
        /// [`Tlv::new`] from the `to_vec` of their value.
        impl<'a> Tlv<'a> {
            $(kind!(make $(#[$doc])* $tag $name $min $max $kind $($type)?);)+
        }

        /// Writes the typed value of the only parameter in `tlvs`; `None` if it has none.
        pub(super) fn show(tag: Tag, tlvs: &Tlvs<'_>, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
            match tag {
                $(Tag::$tag => tlvs.$name().map(|value| value.show(f)),)+
                _ => None,
            }
        }
    };
}

tags! {
    /// The part of the device that the message is for (SMPP 3.4 §5.3.2.1).
    DEST_ADDR_SUBUNIT dest_addr_subunit = 0x0005, 1..=1, value(AddrSubunit);
    /// The recipient's kind of network (SMPP 3.4 §5.3.2.3).
    DEST_NETWORK_TYPE dest_network_type = 0x0006, 1..=1, value(NetworkType);
    /// What carries the message to the recipient (SMPP 3.4 §5.3.2.5).
    DEST_BEARER_TYPE dest_bearer_type = 0x0007, 1..=1, value(BearerType);
    /// The recipient's telematic interworking (SMPP 3.4 §5.3.2.7).
    DEST_TELEMATICS_ID dest_telematics_id = 0x0008, 2..=2, value(u16);
    /// The part of the device that the message is from (SMPP 3.4 §5.3.2.2).
    SOURCE_ADDR_SUBUNIT source_addr_subunit = 0x000D, 1..=1, value(AddrSubunit);
    /// The sender's kind of network (SMPP 3.4 §5.3.2.4).
    SOURCE_NETWORK_TYPE source_network_type = 0x000E, 1..=1, value(NetworkType);
    /// What carried the message from the sender (SMPP 3.4 §5.3.2.6).
    SOURCE_BEARER_TYPE source_bearer_type = 0x000F, 1..=1, value(BearerType);
    /// The sender's telematic interworking (SMPP 3.4 §5.3.2.8).
    /// One octet; two, as some peers send it, are read too.
    SOURCE_TELEMATICS_ID source_telematics_id = 0x0010, 1..=1, telematics(u8);
    /// Seconds to keep the message (SMPP 3.4 §5.3.2.9).
    QOS_TIME_TO_LIVE qos_time_to_live = 0x0017, 4..=4, value(u32);
    /// The protocol above the bearer (SMPP 3.4 §5.3.2.10).
    PAYLOAD_TYPE payload_type = 0x0019, 1..=1, value(PayloadType);
    /// Text about the status of the response (SMPP 3.4 §5.3.2.11).
    ADDITIONAL_STATUS_INFO_TEXT additional_status_info_text = 0x001D, 1..=256, text;
    /// The id of the message that a receipt is about (SMPP 3.4 §5.3.2.12).
    RECEIPTED_MESSAGE_ID receipted_message_id = 0x001E, 1..=65, text;
    /// An indication on the handset that messages wait (SMPP 3.4 §5.3.2.13).
    MS_MSG_WAIT_FACILITIES ms_msg_wait_facilities = 0x0030, 1..=1, value(MsMsgWaitFacilities);
    /// How private the message is (SMPP 3.4 §5.3.2.14).
    PRIVACY_INDICATOR privacy_indicator = 0x0201, 1..=1, value(PrivacyIndicator);
    /// The sender's subaddress (SMPP 3.4 §5.3.2.15).
    SOURCE_SUBADDRESS source_subaddress = 0x0202, 2..=23, parts(Subaddress<'a>);
    /// The recipient's subaddress (SMPP 3.4 §5.3.2.16).
    DEST_SUBADDRESS dest_subaddress = 0x0203, 2..=23, parts(Subaddress<'a>);
    /// A number that the ESME gave the message (SMPP 3.4 §5.3.2.17).
    USER_MESSAGE_REFERENCE user_message_reference = 0x0204, 2..=2, value(u16);
    /// The user's answer (SMPP 3.4 §5.3.2.18).
    USER_RESPONSE_CODE user_response_code = 0x0205, 1..=1, value(u8);
    /// The sender's port (SMPP 3.4 §5.3.2.20).
    SOURCE_PORT source_port = 0x020A, 2..=2, value(u16);
    /// The recipient's port; SMPP 5.0 says dest_port (SMPP 3.4 §5.3.2.21).
    DESTINATION_PORT destination_port = 0x020B, 2..=2, value(u16);
    /// Which message a segment belongs to (SMPP 3.4 §5.3.2.22).
    SAR_MSG_REF_NUM sar_msg_ref_num = 0x020C, 2..=2, value(u16);
    /// The language of the text (SMPP 3.4 §5.3.2.19).
    LANGUAGE_INDICATOR language_indicator = 0x020D, 1..=1, value(LanguageIndicator);
    /// How many segments the message has, `1..=255` (SMPP 3.4 §5.3.2.23).
    SAR_TOTAL_SEGMENTS sar_total_segments = 0x020E, 1..=1, value(u8);
    /// Which segment this is, `1..=255` (SMPP 3.4 §5.3.2.24).
    SAR_SEGMENT_SEQNUM sar_segment_seqnum = 0x020F, 1..=1, value(u8);
    /// The version that the SMSC speaks (SMPP 3.4 §5.3.2.25).
    SC_INTERFACE_VERSION sc_interface_version = 0x0210, 1..=1, value(InterfaceVersion);
    /// Whether the callback number may be shown (SMPP 3.4 §5.3.2.37).
    /// May repeat: [`Tlvs::all`] gives each.
    CALLBACK_NUM_PRES_IND callback_num_pres_ind = 0x0302, 1..=1, value(CallbackNumPresInd);
    /// The name that goes with the callback number (SMPP 3.4 §5.3.2.38).
    /// May repeat: [`Tlvs::all`] gives each.
    CALLBACK_NUM_ATAG callback_num_atag = 0x0303, 1..=65, parts(CallbackNumAtag<'a>);
    /// How many messages wait in the mailbox, `0..=99` (SMPP 3.4 §5.3.2.39).
    NUMBER_OF_MESSAGES number_of_messages = 0x0304, 1..=1, value(u8);
    /// A number to call back (SMPP 3.4 §5.3.2.36).
    /// May repeat: [`Tlvs::all`] gives each.
    CALLBACK_NUM callback_num = 0x0381, 4..=19, parts(CallbackNum<'a>);
    /// Whether the delivery pending flag was set (SMPP 3.4 §5.3.2.28).
    DPF_RESULT dpf_result = 0x0420, 1..=1, value(DpfResult);
    /// Whether to set the delivery pending flag if delivery fails (SMPP 3.4 §5.3.2.29).
    SET_DPF set_dpf = 0x0421, 1..=1, value(SetDpf);
    /// Whether the subscriber can be reached (SMPP 3.4 §5.3.2.30).
    MS_AVAILABILITY_STATUS ms_availability_status = 0x0422, 1..=1, value(MsAvailabilityStatus);
    /// What the network said when delivery failed (SMPP 3.4 §5.3.2.31).
    NETWORK_ERROR_CODE network_error_code = 0x0423, 3..=3, value(NetworkErrorCode);
    /// The text, when `short_message` is too small for it (SMPP 3.4 §5.3.2.32).
    MESSAGE_PAYLOAD message_payload = 0x0424, 0..=65535, octets;
    /// Why the message was not delivered (SMPP 3.4 §5.3.2.33).
    DELIVERY_FAILURE_REASON delivery_failure_reason = 0x0425, 1..=1, value(DeliveryFailureReason);
    /// Whether more messages for the same recipient follow (SMPP 3.4 §5.3.2.34).
    MORE_MESSAGES_TO_SEND more_messages_to_send = 0x0426, 1..=1, value(MoreMessagesToSend);
    /// What became of the message (SMPP 3.4 §5.3.2.35).
    MESSAGE_STATE message_state = 0x0427, 1..=1, value(MessageState);
    /// The peer's load (SMPP 5.0 §4.8.4).
    CONGESTION_STATE congestion_state = 0x0428, 1..=1, value(CongestionState);
    /// The operation of a USSD dialogue (SMPP 3.4 §5.3.2.44).
    USSD_SERVICE_OP ussd_service_op = 0x0501, 1..=1, value(UssdServiceOp);
    /// The channel of a cell broadcast (SMPP 5.0 §4.8.4).
    BROADCAST_CHANNEL_INDICATOR broadcast_channel_indicator = 0x0600, 1..=1, value(BroadcastChannelIndicator);
    /// What the broadcast is about (SMPP 5.0 §4.8.4).
    BROADCAST_CONTENT_TYPE broadcast_content_type = 0x0601, 3..=3, value(BroadcastContentType);
    /// More about what the broadcast is about (SMPP 5.0 §4.8.4).
    BROADCAST_CONTENT_TYPE_INFO broadcast_content_type_info = 0x0602, 1..=255, octets;
    /// The message class of the broadcast (SMPP 5.0 §4.8.4).
    BROADCAST_MESSAGE_CLASS broadcast_message_class = 0x0603, 1..=1, value(BroadcastMessageClass);
    /// How often to broadcast; 0: as long as it is valid (SMPP 5.0 §4.8.4).
    BROADCAST_REP_NUM broadcast_rep_num = 0x0604, 2..=2, value(u16);
    /// The time from one broadcast to the next (SMPP 5.0 §4.8.4).
    BROADCAST_FREQUENCY_INTERVAL broadcast_frequency_interval = 0x0605, 3..=3,
        value(BroadcastFrequencyInterval);
    /// Where the broadcast goes; in a response, where it does not (SMPP 5.0 §4.8.4).
    /// May repeat: [`Tlvs::all`] gives each.
    BROADCAST_AREA_IDENTIFIER broadcast_area_identifier = 0x0606, 1..=101, parts(BroadcastAreaIdentifier<'a>);
    /// Why the broadcast does not go to an area (SMPP 5.0 §4.8.4).
    /// May repeat: [`Tlvs::all`] gives each.
    BROADCAST_ERROR_STATUS broadcast_error_status = 0x0607, 4..=4, value(CommandStatus);
    /// How many of an area's subscribers were reached (SMPP 5.0 §4.8.4).
    /// May repeat: [`Tlvs::all`] gives each.
    BROADCAST_AREA_SUCCESS broadcast_area_success = 0x0608, 1..=1, value(BroadcastAreaSuccess);
    /// When the broadcast ended: 16 characters, absolute (SMPP 5.0 §4.8.4, SMPP 3.4 §7.1).
    BROADCAST_END_TIME broadcast_end_time = 0x0609, 16..=17, time;
    /// The subscribers that the broadcast is for (SMPP 5.0 §4.8.4).
    BROADCAST_SERVICE_GROUP broadcast_service_group = 0x060A, 1..=255, octets;
    /// Whom to bill (SMPP 5.0 §4.8.4).
    BILLING_IDENTIFICATION billing_identification = 0x060B, 1..=1024, parts(BillingIdentification<'a>);
    /// The sender's network; goes with `source_node_id` (SMPP 5.0 §4.8.4).
    SOURCE_NETWORK_ID source_network_id = 0x060D, 7..=65, text;
    /// The recipient's network; goes with `dest_node_id` (SMPP 5.0 §4.8.4).
    DEST_NETWORK_ID dest_network_id = 0x060E, 7..=65, text;
    /// The sender's node: six decimal digits (SMPP 5.0 §4.8.4).
    SOURCE_NODE_ID source_node_id = 0x060F, 6..=6, octets;
    /// The recipient's node: six decimal digits (SMPP 5.0 §4.8.4).
    DEST_NODE_ID dest_node_id = 0x0610, 6..=6, octets;
    /// What is known about the porting of the recipient's number (SMPP 5.0 §4.8.4).
    DEST_ADDR_NP_RESOLUTION dest_addr_np_resolution = 0x0611, 1..=1, value(DestAddrNpResolution);
    /// The location routing number of a ported number (SMPP 5.0 §4.8.4).
    DEST_ADDR_NP_INFORMATION dest_addr_np_information = 0x0612, 10..=10, octets;
    /// The country of a ported number (SMPP 5.0 §4.8.4).
    DEST_ADDR_NP_COUNTRY dest_addr_np_country = 0x0613, 1..=5, octets;
    /// How long the message is displayed (SMPP 3.4 §5.3.2.26).
    DISPLAY_TIME display_time = 0x1201, 1..=1, value(DisplayTime);
    /// The alert signal (SMPP 3.4 §5.3.2.40).
    SMS_SIGNAL sms_signal = 0x1203, 2..=2, value(u16);
    /// How long the device keeps the message (SMPP 3.4 §5.3.2.27).
    MS_VALIDITY ms_validity = 0x1204, 1..=4, value(MsValidity);
    /// How the device tells that the message arrived (SMPP 3.4 §5.3.2.41).
    ALERT_ON_MESSAGE_DELIVERY alert_on_message_delivery = 0x130C, 0..=1, value(AlertOnMessageDelivery);
    /// What reply the sender expects (SMPP 3.4 §5.3.2.42).
    ITS_REPLY_TYPE its_reply_type = 0x1380, 1..=1, value(ItsReplyType);
    /// Where the message belongs in an interactive session (SMPP 3.4 §5.3.2.43).
    ITS_SESSION_INFO its_session_info = 0x1383, 2..=2, value(ItsSessionInfo);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_named_like_their_tags() {
        for (constant, tag) in CONSTANTS.iter().zip(Tag::ALL) {
            assert_eq!(Some(constant.to_lowercase().as_str()), tag.name());
        }
        assert!(Tag::ALL.is_sorted());
    }

    #[test]
    fn every_tag_and_no_other_has_its_limits() {
        let mut found = 0;
        for number in 0..=u16::MAX {
            let listed = ENTRIES.iter().find(|entry| entry.tag == number);
            let (tag, limits) = (Tag(number), listed.map(|entry| (entry.min.into(), entry.max.into())));
            assert_eq!(tag.lengths().map(RangeInclusive::into_inner), limits, "{tag:?}");
            assert_eq!(tag.is_text(), listed.is_some_and(|entry| entry.kind == Kind::Text), "{tag:?}");
            assert_eq!(tag.name().is_some(), listed.is_some(), "{tag:?}");
            let (min, max) = limits.unwrap_or((0, 0xFFFF));
            assert!(check(number, min) && check(number, max), "{tag:?}");
            assert!(listed.is_none() || !check(number, max + 1), "{tag:?}");
            assert!(min == 0 || !check(number, min - 1), "{tag:?}");
            for value in [&[1; 4096][..], &[1], &[], &[0], &[0; 3], &[0; 65], &[1; 65], &[1; 2], &[1; 4]] {
                assert_eq!(
                    fits(tag, value, false),
                    objection(tag, value).is_none(),
                    "{tag:?}: {} octets",
                    value.len()
                );
            }
            found += usize::from(listed.is_some());
        }
        assert_eq!(found, Tag::ALL.len());
    }
}
