//! The fields of a delivery receipt.

use alloc::vec::Vec;
use core::fmt;

use crate::pdu::{EsmClass, MessageState};
use crate::tlv::{NetworkErrorCode, Tlv};

/// A delivery receipt (DLR): the final or intermediate state of a submitted message (SMPP 3.4 §2.11, Appendix B).
///
/// [`of`](Self::of) reads the receipt from a PDU, and [`MessageIdPolicy`](crate::sms::MessageIdPolicy) matches its id
/// with a submitted message.
///
/// Appendix B calls the format of the text vendor specific, and gives this typical example:
///
/// ```text
/// id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E Text: ...
/// ```
///
/// Only `id` and `stat` are always present. The SMSC chooses the order, the width, the spelling of the keys and
/// additional fields, so all values are returned as received. If TLVs have the same information, they take precedence.
///
/// ```
/// use smpp_proto::sms::{Detection, MessageIdPolicy, Receipt};
/// use smpp_proto::{DeliverSm, EsmClass, MessageState, ShortMessage};
///
/// let text = b"id:bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60 sub:001 dlvrd:000 submit date:2611230102 \
///              done date:2611230103 stat:UNDELIV err:1 Text:Hello";
/// let message = DeliverSm {
///     esm_class: EsmClass::DELIVERY_RECEIPT,
///     short_message: ShortMessage::new(text)?,
///     ..DeliverSm::default()
/// };
/// match Receipt::of(&message, Detection::ByEsmClass) {
///     Some(Ok(receipt)) => {
///         assert_eq!(receipt.state(), Some(MessageState::UNDELIVERABLE));
///         assert!(receipt.is_final());
///         assert_eq!(receipt.err, Some(&b"1"[..]));
///         let submitted = b"bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60";
///         assert!(MessageIdPolicy::EXACT.same(submitted, receipt.id));
///     }
///     Some(Err(error)) => println!("a receipt that cannot be read: {error}"),
///     None => println!("a mobile-originated message"),
/// }
/// # assert!(matches!(Receipt::of(&message, Detection::ByEsmClass), Some(Ok(_))));
/// # Ok::<(), smpp_proto::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt<'a> {
    /// The id of the message, as in its `submit_sm_resp`, but possibly in another notation.
    pub id: &'a [u8],
    /// Whether the id is from the text or from a TLV.
    pub id_source: IdSource<'a>,
    /// The number of submitted messages.
    pub sub: Option<u32>,
    /// The number of delivered messages.
    pub dlvrd: Option<u32>,
    /// When the message was submitted: `YYMMDDhhmm`, possibly with seconds or century, or ISO 8601, or any other text.
    /// Parse it with [`ReportedTime`](crate::sms::time::ReportedTime). The time zone is unknown.
    pub submit_date: Option<&'a [u8]>,
    /// When the message reached its state, in the same formats as [`submit_date`](Self::submit_date).
    pub done_date: Option<&'a [u8]>,
    /// The state as a word, for example `DELIVRD`. [`state`](Self::state) converts the common words.
    pub stat: &'a [u8],
    /// The SMSC's own error code. It is not always a number.
    pub err: Option<&'a [u8]>,
    /// The beginning of the message, usually 20 characters, in the encoding of the `data_coding`. It has everything
    /// after the colon, including a leading space.
    pub text: Option<&'a [u8]>,
    /// The error code of the network (SMPP 3.4 §5.3.2.31), from a TLV. It is more reliable than [`err`](Self::err).
    pub network_error_code: Option<NetworkErrorCode>,
    /// The ESME's own reference of the message (SMPP 3.4 §5.3.2.17), from a TLV.
    pub user_message_reference: Option<u16>,
    /// Whether `esm_class` marks the message as an intermediate notification (SMPP 3.4 §2.11, §5.2.12).
    pub is_intermediate: bool,
}

/// The source of a receipt's [id](Receipt::id).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdSource<'a> {
    /// The text.
    #[default]
    Text,
    /// The TLV receipted_message_id, which takes precedence over the text (SMPP 3.4 §5.3.2.12).
    Tlv {
        /// The id in the text; empty if the text has none.
        in_text: &'a [u8],
    },
}

/// Why a message is not a readable delivery receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The id of the message is missing.
    MissingId,
    /// The state of the message is missing.
    MissingStat,
    /// The whole text is UCS-2: read it with [`Receipt::of_with_buffer`].
    Ucs2,
}

impl<'a> Receipt<'a> {
    /// The states after which no further receipt follows, at most SMSCs.
    pub const FINAL_STATES: [MessageState; 6] = [
        MessageState::DELIVERED,
        MessageState::EXPIRED,
        MessageState::DELETED,
        MessageState::UNDELIVERABLE,
        MessageState::REJECTED,
        MessageState::SKIPPED,
    ];

    /// Returns the state that `stat` means; `None` for an unknown word.
    ///
    /// Known are the words of Appendix B in any case, the same words in full (`DELIVERED`), `FAILED` as undeliverable
    /// and `SENT` as en route.
    #[inline]
    pub fn state(&self) -> Option<MessageState> {
        if self.stat == b"DELIVRD" { Some(MessageState::DELIVERED) } else { state_of(self.stat) }
    }

    /// Returns the word of Appendix B for a state: 7 letters. `None` for a reserved state.
    pub fn stat_word(state: MessageState) -> Option<&'static [u8]> {
        STATES.iter().find(|(_, known)| *known == state).map(|(word, _)| *word)
    }

    /// Returns whether the state is final, so that no further receipt follows for this message.
    ///
    /// Scheduled, en route, unknown and accepted are not final, nor is an unknown word. SMPP 5.0 counts "accepted" as
    /// final, but gateways send it before the delivery. [`ReceiptDialect`](crate::provider::ReceiptDialect::is_final) has
    /// settings for providers that differ.
    pub fn is_final(&self) -> bool {
        self.state().is_some_and(|state| Self::FINAL_STATES.contains(&state))
    }

    /// Appends the text in the format of Appendix B, without fields that are `None`.
    ///
    /// The text parses to an equal receipt under these conditions: `id`, `stat` and `err` are one word each; the dates
    /// are not empty, do not start or end with white space, and contain no key; and no value ends with a NUL, a comma or a
    /// semicolon.
    pub fn emit(&self, out: &mut Vec<u8>) {
        field(out, "id:", Some(self.id));
        number(out, " sub:", self.sub);
        number(out, " dlvrd:", self.dlvrd);
        field(out, " submit date:", self.submit_date);
        field(out, " done date:", self.done_date);
        field(out, " stat:", Some(self.stat));
        field(out, " err:", self.err);
        field(out, " Text:", self.text);
    }

    /// Returns the TLVs of the receipt: `receipted_message_id`, `message_state`, `network_error_code` and
    /// `user_message_reference`.
    ///
    /// A TLV is left out if its value is missing, if the state is unknown, or if the id is invalid in a TLV (above 64
    /// octets, or with a NUL).
    ///
    /// ```
    /// use smpp_proto::sms::{Detection, IdSource, Receipt};
    /// use smpp_proto::{DeliverSm, ShortMessage, Tlvs};
    ///
    /// let receipt = Receipt::default().id(b"7F00A1B2").stat(b"DELIVRD").err(b"000");
    /// let (mut text, tlvs) = (Vec::new(), receipt.tlvs().collect::<Vec<_>>());
    /// receipt.emit(&mut text);
    /// let message = DeliverSm {
    ///     esm_class: receipt.esm_class(),
    ///     short_message: ShortMessage::new(&text)?,
    ///     tlvs: Tlvs::list(&tlvs),
    ///     ..DeliverSm::default()
    /// };
    /// let read = receipt.id_source(IdSource::Tlv { in_text: receipt.id });
    /// assert_eq!(Receipt::of(&message, Detection::ByEsmClass), Some(Ok(read)));
    /// # Ok::<(), smpp_proto::InvalidOctets>(())
    /// ```
    pub fn tlvs(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        [
            Tlv::receipted_message_id(self.id).ok(),
            self.state().map(Tlv::message_state),
            self.network_error_code.map(Tlv::network_error_code),
            self.user_message_reference.map(Tlv::user_message_reference),
        ]
        .into_iter()
        .flatten()
    }

    /// Returns the `esm_class` of the PDU that carries the receipt: delivery receipt or intermediate notification.
    pub const fn esm_class(&self) -> EsmClass {
        if self.is_intermediate { EsmClass::INTERMEDIATE_NOTIFICATION } else { EsmClass::DELIVERY_RECEIPT }
    }

    crate::setters! {
        const id: &'a [u8],
        const id_source: IdSource<'a>,
        const sub: Some(u32),
        const dlvrd: Some(u32),
        const submit_date: Some(&'a [u8]),
        const done_date: Some(&'a [u8]),
        const stat: &'a [u8],
        const err: Some(&'a [u8]),
        const text: Some(&'a [u8]),
        const network_error_code: Some(NetworkErrorCode),
        const user_message_reference: Some(u16),
        const is_intermediate: bool,
    }
}

/// Returns the state that a word means; `None` for an unknown word.
#[inline(never)]
fn state_of(stat: &[u8]) -> Option<MessageState> {
    STATES.iter().find(|(word, _)| word.eq_ignore_ascii_case(stat)).map(|(_, state)| *state)
}

/// The words of `stat`. The word of Appendix B is the first of each state.
static STATES: [(&[u8], MessageState); 19] = [
    (b"SCHEDLD", MessageState::SCHEDULED),
    (b"SCHEDULED", MessageState::SCHEDULED),
    (b"ENROUTE", MessageState::ENROUTE),
    (b"SENT", MessageState::ENROUTE),
    (b"DELIVRD", MessageState::DELIVERED),
    (b"DELIVERED", MessageState::DELIVERED),
    (b"EXPIRED", MessageState::EXPIRED),
    (b"DELETED", MessageState::DELETED),
    (b"UNDELIV", MessageState::UNDELIVERABLE),
    (b"UNDELIVERABLE", MessageState::UNDELIVERABLE),
    (b"UNDELIVERED", MessageState::UNDELIVERABLE),
    (b"UNDELIVRD", MessageState::UNDELIVERABLE),
    (b"FAILED", MessageState::UNDELIVERABLE),
    (b"ACCEPTD", MessageState::ACCEPTED),
    (b"ACCEPTED", MessageState::ACCEPTED),
    (b"UNKNOWN", MessageState::UNKNOWN),
    (b"REJECTD", MessageState::REJECTED),
    (b"REJECTED", MessageState::REJECTED),
    (b"SKIPPED", MessageState::SKIPPED),
];

fn field(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value);
    }
}

/// Appends a field with at least three decimal digits.
fn number(out: &mut Vec<u8>, key: &str, value: Option<u32>) {
    if let Some(value) = value {
        let units = (0..10).rev().map(|power| 10_u32.pow(power)).filter(|&unit| unit <= value.max(100));
        out.extend_from_slice(key.as_bytes());
        out.extend(units.map(|unit| b'0' + (value / unit % 10) as u8));
    }
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingId => "the delivery receipt has no message id",
            Self::MissingStat => "the delivery receipt has no state",
            Self::Ucs2 => "the text of the delivery receipt is UCS-2: read it with a buffer",
        })
    }
}

impl core::error::Error for ReceiptError {}
