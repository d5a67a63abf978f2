//! Every tag of the specification, once: its number, its name, the type of its value, the lengths that it allows
//! (SMPP 3.4 §5.3.2, SMPP 5.0 §4.8.4; where they differ, what either allows).

use core::fmt;

use super::broadcast::{
    BroadcastArea, BroadcastAreaSuccess, BroadcastChannelIndicator, BroadcastContentType,
    BroadcastFrequencyInterval, BroadcastMessageClass,
};
use super::value::{Inline, Value};
use super::values::*;
use super::{Tlv, Tlvs};
use crate::pdu::{CommandStatus, InterfaceVersion, MessageState};
use crate::wire::{DecodeErrorKind, InvalidOctets, Quirks};

/// The tag of an optional parameter (SMPP 3.4 §5.3.2). Any value is kept; vendors use `0x1400..=0x3FFF`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(
    /// The number on the wire.
    pub u16,
);

/// The name of a known tag, or its number.
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

/// What a tag allows.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    least: u16,
    most: u16,
    is_text: bool,
}

/// The types of values: `inline`, in place; `octets`, `text` and `loose`, borrowed, the second with a NUL behind it,
/// the third with or without; `read`, several fields over borrowed octets, which are not built here.
macro_rules! parameters {
    ($($(#[$meta:meta])* $tag:ident = $number:literal, $name:ident: $kind:ident($type:ty), $least:literal..=$most:literal;)+) => {
        impl Tag {
            $($(#[$meta])* pub const $tag: Self = Self($number);)+

            /// The name in the specification: `message_state`.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$tag => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }

        const ENTRIES: &[Entry] = &[
            $(Entry { tag: $number, least: $least, most: $most, is_text: is_text!($kind) },)+
        ];

        /// Typed values, the first one where a tag repeats. `None`: it is absent, or has a length that its tag does
        /// not allow.
        impl<'a> Tlvs<'a> {
            $($(#[$meta])* pub fn $name(&self) -> Option<$type> {
                read!($kind, $type, self.get(Tag::$tag)?)
            })+
        }

        /// Typed parameters.
        impl<'a> Tlv<'a> {
            $(build!($kind, $(#[$meta])* $name, $tag, $type, $least, $most);)+
        }

        /// Writes a value as what its tag says it is.
        pub(super) fn show<'a>(tag: Tag, octets: &'a [u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match tag {
                $(Tag::$tag => show!($kind, $type, octets, f),)+
                _ => write!(f, "\"{}\"", octets.escape_ascii()),
            }
        }
    };
}

macro_rules! is_text {
    (text) => {
        true
    };
    ($kind:ident) => {
        false
    };
}

macro_rules! read {
    (loose, $type:ty, $octets:expr) => {
        read!(text, $type, $octets)
    };
    (text, $type:ty, $octets:expr) => {
        Some($octets).map(|text: &[u8]| text.strip_suffix(&[0]).unwrap_or(text))
    };
    (octets, $type:ty, $octets:expr) => {
        Some($octets)
    };
    ($kind:ident, $type:ty, $octets:expr) => {
        <$type>::read($octets)
    };
}

macro_rules! show {
    (loose, $type:ty, $octets:expr, $f:expr) => {
        show!(text, $type, $octets, $f)
    };
    (text, $type:ty, $octets:expr, $f:expr) => {
        write!($f, "\"{}\"", $octets.strip_suffix(&[0]).unwrap_or($octets).escape_ascii())
    };
    (octets, $type:ty, $octets:expr, $f:expr) => {
        write!($f, "\"{}\"", $octets.escape_ascii())
    };
    ($kind:ident, $type:ty, $octets:expr, $f:expr) => {
        match <$type>::read($octets) {
            Some(value) => fmt::Debug::fmt(&value, $f),
            None => write!($f, "\"{}\" of a length that is not allowed", $octets.escape_ascii()),
        }
    };
}

macro_rules! build {
    (loose, $($rest:tt)*) => {
        build!(octets, $($rest)*);
    };
    (inline, $(#[$meta:meta])* $name:ident, $tag:ident, $type:ty, $least:literal, $most:literal) => {
        $(#[$meta])*
        pub fn $name(value: $type) -> Self {
            Self::inline(Tag::$tag, value.inline())
        }
    };
    (octets, $(#[$meta:meta])* $name:ident, $tag:ident, $type:ty, $least:literal, $most:literal) => {
        $(#[$meta])*
        pub fn $name(value: $type) -> Result<Self, InvalidOctets> {
            Self::borrowed(Tag::$tag, value, $least..=$most)
        }
    };
    (text, $(#[$meta:meta])* $name:ident, $tag:ident, $type:ty, $least:literal, $most:literal) => {
        $(#[$meta])*
        ///
        /// The NUL that ends it on the wire is added.
        pub fn $name(value: $type) -> Result<Self, InvalidOctets> {
            Self::text(Tag::$tag, value, $least - 1..=$most - 1)
        }
    };
    (read, $(#[$meta:meta])* $name:ident, $tag:ident, $type:ty, $least:literal, $most:literal) => {};
}

parameters! {
    /// `dest_addr_subunit`: where in the recipient's device the message goes (SMPP 3.4 §5.3.2.1).
    DEST_ADDR_SUBUNIT = 0x0005, dest_addr_subunit: inline(AddrSubunit), 1..=1;
    /// `dest_network_type`: the recipient's network (SMPP 3.4 §5.3.2.3).
    DEST_NETWORK_TYPE = 0x0006, dest_network_type: inline(NetworkType), 1..=1;
    /// `dest_bearer_type`: the recipient's bearer (SMPP 3.4 §5.3.2.5).
    DEST_BEARER_TYPE = 0x0007, dest_bearer_type: inline(BearerType), 1..=1;
    /// `dest_telematics_id`: the recipient's telematic interworking (SMPP 3.4 §5.3.2.7).
    DEST_TELEMATICS_ID = 0x0008, dest_telematics_id: inline(u16), 2..=2;
    /// `source_addr_subunit`: where in the sender's device the message comes from (SMPP 3.4 §5.3.2.2).
    SOURCE_ADDR_SUBUNIT = 0x000D, source_addr_subunit: inline(AddrSubunit), 1..=1;
    /// `source_network_type`: the sender's network (SMPP 3.4 §5.3.2.4).
    SOURCE_NETWORK_TYPE = 0x000E, source_network_type: inline(NetworkType), 1..=1;
    /// `source_bearer_type`: the sender's bearer (SMPP 3.4 §5.3.2.6).
    SOURCE_BEARER_TYPE = 0x000F, source_bearer_type: inline(BearerType), 1..=1;
    /// `source_telematics_id`: the sender's telematic interworking; some peers send two octets (SMPP 3.4 §5.3.2.8).
    SOURCE_TELEMATICS_ID = 0x0010, source_telematics_id: inline(TelematicsId), 1..=1;
    /// `qos_time_to_live`: seconds to keep the message (SMPP 3.4 §5.3.2.9).
    QOS_TIME_TO_LIVE = 0x0017, qos_time_to_live: inline(u32), 4..=4;
    /// `payload_type`: what the payload is (SMPP 3.4 §5.3.2.10).
    PAYLOAD_TYPE = 0x0019, payload_type: inline(PayloadType), 1..=1;
    /// `additional_status_info_text`: text about a status (SMPP 3.4 §5.3.2.11).
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D, additional_status_info_text: text(&'a [u8]), 1..=256;
    /// `receipted_message_id`: the id of the message that a receipt is about; peers omit the NUL, both are read (SMPP 3.4 §5.3.2.12).
    RECEIPTED_MESSAGE_ID = 0x001E, receipted_message_id: text(&'a [u8]), 1..=65;
    /// `ms_msg_wait_facilities`: which indication of waiting messages to show (SMPP 3.4 §5.3.2.13).
    MS_MSG_WAIT_FACILITIES = 0x0030, ms_msg_wait_facilities: inline(MsMsgWaitFacilities), 1..=1;
    /// `privacy_indicator`: how private the message is (SMPP 3.4 §5.3.2.14).
    PRIVACY_INDICATOR = 0x0201, privacy_indicator: inline(PrivacyIndicator), 1..=1;
    /// `source_subaddress`: the sender's subaddress (SMPP 3.4 §5.3.2.15).
    SOURCE_SUBADDRESS = 0x0202, source_subaddress: read(Subaddress<'a>), 2..=23;
    /// `dest_subaddress`: the recipient's subaddress (SMPP 3.4 §5.3.2.16).
    DEST_SUBADDRESS = 0x0203, dest_subaddress: read(Subaddress<'a>), 2..=23;
    /// `user_message_reference`: a number the ESME gave the message (SMPP 3.4 §5.3.2.17).
    USER_MESSAGE_REFERENCE = 0x0204, user_message_reference: inline(u16), 2..=2;
    /// `user_response_code`: the subscriber's answer (SMPP 3.4 §5.3.2.18).
    USER_RESPONSE_CODE = 0x0205, user_response_code: inline(u8), 1..=1;
    /// `source_port`: the sender's port (SMPP 3.4 §5.3.2.20).
    SOURCE_PORT = 0x020A, source_port: inline(u16), 2..=2;
    /// `destination_port`: the recipient's port (SMPP 3.4 §5.3.2.21).
    DESTINATION_PORT = 0x020B, destination_port: inline(u16), 2..=2;
    /// `sar_msg_ref_num`: which message a segment belongs to (SMPP 3.4 §5.3.2.22).
    SAR_MSG_REF_NUM = 0x020C, sar_msg_ref_num: inline(u16), 2..=2;
    /// `language_indicator`: the language of the text (SMPP 3.4 §5.3.2.19).
    LANGUAGE_INDICATOR = 0x020D, language_indicator: inline(LanguageIndicator), 1..=1;
    /// `sar_total_segments`: how many segments the message has, `1..=255` (SMPP 3.4 §5.3.2.23).
    SAR_TOTAL_SEGMENTS = 0x020E, sar_total_segments: inline(u8), 1..=1;
    /// `sar_segment_seqnum`: which segment this is, `1..=255` (SMPP 3.4 §5.3.2.24).
    SAR_SEGMENT_SEQNUM = 0x020F, sar_segment_seqnum: inline(u8), 1..=1;
    /// `sc_interface_version`: the version the SMSC speaks (SMPP 3.4 §5.3.2.25).
    SC_INTERFACE_VERSION = 0x0210, sc_interface_version: inline(InterfaceVersion), 1..=1;
    /// `callback_num_pres_ind`: whether the callback number is shown; may repeat (SMPP 3.4 §5.3.2.37).
    CALLBACK_NUM_PRES_IND = 0x0302, callback_num_pres_ind: inline(CallbackNumPresInd), 1..=1;
    /// `callback_num_atag`: a name for the callback number; may repeat (SMPP 3.4 §5.3.2.38).
    CALLBACK_NUM_ATAG = 0x0303, callback_num_atag: read(CallbackNumAtag<'a>), 1..=65;
    /// `number_of_messages`: messages that wait, `0..=99` (SMPP 3.4 §5.3.2.39).
    NUMBER_OF_MESSAGES = 0x0304, number_of_messages: inline(u8), 1..=1;
    /// `callback_num`: a number to call back; may repeat (SMPP 3.4 §5.3.2.36).
    CALLBACK_NUM = 0x0381, callback_num: read(CallbackNum<'a>), 4..=19;
    /// `dpf_result`: whether the delivery pending flag was set (SMPP 3.4 §5.3.2.28).
    DPF_RESULT = 0x0420, dpf_result: inline(DpfResult), 1..=1;
    /// `set_dpf`: whether to set the delivery pending flag on failure (SMPP 3.4 §5.3.2.29).
    SET_DPF = 0x0421, set_dpf: inline(SetDpf), 1..=1;
    /// `ms_availability_status`: whether the device can be reached (SMPP 3.4 §5.3.2.30).
    MS_AVAILABILITY_STATUS = 0x0422, ms_availability_status: inline(MsAvailabilityStatus), 1..=1;
    /// `network_error_code`: the network's error (SMPP 3.4 §5.3.2.31).
    NETWORK_ERROR_CODE = 0x0423, network_error_code: inline(NetworkErrorCode), 3..=3;
    /// `message_payload`: the text, when `short_message` is too small for it (SMPP 3.4 §5.3.2.32).
    MESSAGE_PAYLOAD = 0x0424, message_payload: octets(&'a [u8]), 0..=65535;
    /// `delivery_failure_reason`: why it could not be delivered (SMPP 3.4 §5.3.2.33).
    DELIVERY_FAILURE_REASON = 0x0425, delivery_failure_reason: inline(DeliveryFailureReason), 1..=1;
    /// `more_messages_to_send`: whether more messages follow (SMPP 3.4 §5.3.2.34).
    MORE_MESSAGES_TO_SEND = 0x0426, more_messages_to_send: inline(MoreMessagesToSend), 1..=1;
    /// `message_state`: what became of the message (SMPP 3.4 §5.3.2.35).
    MESSAGE_STATE = 0x0427, message_state: inline(MessageState), 1..=1;
    /// `congestion_state`: the peer's load in percent (SMPP 5.0 §4.8.4.18).
    CONGESTION_STATE = 0x0428, congestion_state: inline(CongestionState), 1..=1;
    /// `ussd_service_op`: the operation of USSD (SMPP 3.4 §5.3.2.44).
    USSD_SERVICE_OP = 0x0501, ussd_service_op: inline(UssdServiceOp), 1..=1;
    /// `broadcast_channel_indicator`: the channel of the broadcast (SMPP 5.0 §4.8.4.7).
    BROADCAST_CHANNEL_INDICATOR = 0x0600, broadcast_channel_indicator: inline(BroadcastChannelIndicator), 1..=1;
    /// `broadcast_content_type`: what the broadcast is about (SMPP 5.0 §4.8.4.8).
    BROADCAST_CONTENT_TYPE = 0x0601, broadcast_content_type: inline(BroadcastContentType), 3..=3;
    /// `broadcast_content_type_info`: more about the content type (SMPP 5.0 §4.8.4.6).
    BROADCAST_CONTENT_TYPE_INFO = 0x0602, broadcast_content_type_info: octets(&'a [u8]), 1..=255;
    /// `broadcast_message_class`: the message class of the broadcast (SMPP 5.0 §4.8.4.12).
    BROADCAST_MESSAGE_CLASS = 0x0603, broadcast_message_class: inline(BroadcastMessageClass), 1..=1;
    /// `broadcast_rep_num`: how often to repeat it; 0: as long as it is valid (SMPP 5.0 §4.8.4.13).
    BROADCAST_REP_NUM = 0x0604, broadcast_rep_num: inline(u16), 2..=2;
    /// `broadcast_frequency_interval`: the time between repetitions (SMPP 5.0 §4.8.4.11).
    BROADCAST_FREQUENCY_INTERVAL = 0x0605, broadcast_frequency_interval: inline(BroadcastFrequencyInterval), 3..=3;
    /// `broadcast_area_identifier`: an area to broadcast to, or one that failed; may repeat (SMPP 5.0 §4.8.4.4).
    BROADCAST_AREA_IDENTIFIER = 0x0606, broadcast_area_identifier: read(BroadcastArea<'a>), 1..=101;
    /// `broadcast_error_status`: why an area failed; may repeat (SMPP 5.0 §4.8.4.10).
    BROADCAST_ERROR_STATUS = 0x0607, broadcast_error_status: inline(CommandStatus), 4..=4;
    /// `broadcast_area_success`: in how much of an area it succeeded; may repeat (SMPP 5.0 §4.8.4.5).
    BROADCAST_AREA_SUCCESS = 0x0608, broadcast_area_success: inline(BroadcastAreaSuccess), 1..=1;
    /// `broadcast_end_time`: when the broadcast ended: 16 characters, with or without NUL (SMPP 5.0 §4.8.4.9).
    BROADCAST_END_TIME = 0x0609, broadcast_end_time: loose(&'a [u8]), 16..=17;
    /// `broadcast_service_group`: the group of recipients (SMPP 5.0 §4.8.4.14).
    BROADCAST_SERVICE_GROUP = 0x060A, broadcast_service_group: octets(&'a [u8]), 1..=255;
    /// `billing_identification`: whom to bill (SMPP 5.0 §4.8.4.3).
    BILLING_IDENTIFICATION = 0x060B, billing_identification: read(BillingIdentification<'a>), 1..=1024;
    /// `source_network_id`: the sender's network operator (SMPP 5.0 §4.8.4).
    SOURCE_NETWORK_ID = 0x060D, source_network_id: text(&'a [u8]), 7..=65;
    /// `dest_network_id`: the recipient's network operator (SMPP 5.0 §4.8.4).
    DEST_NETWORK_ID = 0x060E, dest_network_id: text(&'a [u8]), 7..=65;
    /// `source_node_id`: the sender's node: six digits (SMPP 5.0 §4.8.4).
    SOURCE_NODE_ID = 0x060F, source_node_id: octets(&'a [u8]), 6..=6;
    /// `dest_node_id`: the recipient's node: six digits (SMPP 5.0 §4.8.4).
    DEST_NODE_ID = 0x0610, dest_node_id: octets(&'a [u8]), 6..=6;
    /// `dest_addr_np_resolution`: whether number portability was asked about (SMPP 5.0 §4.8.4.22).
    DEST_ADDR_NP_RESOLUTION = 0x0611, dest_addr_np_resolution: inline(NpResolution), 1..=1;
    /// `dest_addr_np_information`: the routing number of a ported number (SMPP 5.0 §4.8.4.21).
    DEST_ADDR_NP_INFORMATION = 0x0612, dest_addr_np_information: octets(&'a [u8]), 10..=10;
    /// `dest_addr_np_country`: the country code of a ported number (SMPP 5.0 §4.8.4.20).
    DEST_ADDR_NP_COUNTRY = 0x0613, dest_addr_np_country: octets(&'a [u8]), 1..=5;
    /// `display_time`: how long to show the text (SMPP 3.4 §5.3.2.26).
    DISPLAY_TIME = 0x1201, display_time: inline(DisplayTime), 1..=1;
    /// `sms_signal`: how to alert the subscriber (SMPP 3.4 §5.3.2.40).
    SMS_SIGNAL = 0x1203, sms_signal: inline(u16), 2..=2;
    /// `ms_validity`: how long the device keeps the message (SMPP 3.4 §5.3.2.27).
    MS_VALIDITY = 0x1204, ms_validity: inline(MsValidity), 1..=4;
    /// `alert_on_message_delivery`: alert the subscriber; without a value: as the device does by default (SMPP 3.4 §5.3.2.41).
    ALERT_ON_MESSAGE_DELIVERY = 0x130C, alert_on_message_delivery: inline(AlertOnMessageDelivery), 0..=1;
    /// `its_reply_type`: how the subscriber is to answer (SMPP 3.4 §5.3.2.42).
    ITS_REPLY_TYPE = 0x1380, its_reply_type: inline(ItsReplyType), 1..=1;
    /// `its_session_info`: where within a session the message stands (SMPP 3.4 §5.3.2.43).
    ITS_SESSION_INFO = 0x1383, its_session_info: inline(ItsSessionInfo), 2..=2;
}

/// A table without collisions: see [`slot`].
const TABLE: [Entry; 128] = {
    let mut table = [Entry { tag: 0, least: 0, most: 0xFFFF, is_text: false }; 128];
    let mut rest = ENTRIES;
    while let [entry, after @ ..] = rest {
        assert!(table[slot(entry.tag)].tag == 0, "two tags in one slot: choose another multiplier");
        table[slot(entry.tag)] = *entry;
        rest = after;
    }
    table
};

/// Where a tag stands in [`TABLE`], if it is there at all. The multiplier was searched for.
#[inline]
const fn slot(tag: u16) -> usize {
    (tag.wrapping_mul(0x1093) >> 9) as usize
}

/// Whether the tag allows such a value: each TLV that is read is looked up.
#[inline(always)]
pub(super) fn fits(tag: Tag, value: &[u8]) -> bool {
    let Some(entry) = TABLE.get(slot(tag.0)) else { return true };
    let length = value.len() as u16;
    let fits = entry.least <= length && length <= entry.most && (!entry.is_text || value.ends_with(&[0]));
    entry.tag != tag.0 || fits
}

/// What is wrong with a value of this tag.
pub(super) fn objection(tag: Tag, value: &[u8]) -> Option<(Quirks, DecodeErrorKind)> {
    let entry = TABLE.get(slot(tag.0)).filter(|entry| entry.tag == tag.0)?;
    let unterminated = entry.is_text && !value.ends_with(&[0]);
    // Only its length can tell that it was meant to end with a NUL.
    let length = value.len() + usize::from(unterminated);
    if !(usize::from(entry.least)..=usize::from(entry.most)).contains(&length) {
        return Some((Quirks::TLV_LENGTH, DecodeErrorKind::TlvLength));
    }
    unterminated.then_some((Quirks::UNTERMINATED_TLV, DecodeErrorKind::TlvUnterminated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_is_found_and_no_other() {
        assert_eq!(ENTRIES.len(), 64);
        let longest = alloc::vec![1; 0xFFFF];
        for number in 0..=u16::MAX {
            let found = ENTRIES.iter().find(|entry| entry.tag == number);
            assert_eq!(found.is_some(), Tag(number).name().is_some());
            // No tag but message_payload allows so many.
            let found = found.filter(|entry| entry.tag != Tag::MESSAGE_PAYLOAD.0);
            assert_eq!(objection(Tag(number), &longest).is_some(), found.is_some(), "{number:#06x}");
            for value in [&longest[..], &longest[..1], &[], &[0], &[0; 3], &[0; 65], &[1; 65]] {
                let objects = objection(Tag(number), value).is_some();
                assert_eq!(fits(Tag(number), value), !objects, "{number:#06x}: {} octets", value.len());
            }
        }
    }
}
