//! The fields of a delivery receipt.

use alloc::vec::Vec;
use core::fmt;

use crate::pdu::{EsmClass, MessageState};
use crate::tlv::{NetworkErrorCode, Tlv};

/// A delivery receipt (SMPP 3.4 §2.11, Appendix B).
///
/// Appendix B calls the format of its text vendor specific and gives as typical
///
/// ```text
/// id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E Text: ...
/// ```
///
/// Only `id` and `stat` are sure to be there. Their order, their width, the spelling of the keys and further
/// fields are the SMSC's choice, so all values are kept as they came. TLVs may say the same, better, and win.
///
/// [`of`](Self::of) reads the receipt out of a message; the id names a submission as
/// [`MessageIdPolicy`](super::MessageIdPolicy) says.
///
/// ```
/// use smpp_core::sms::{Detection, MessageIdPolicy, Receipt};
/// use smpp_core::{DeliverSm, EsmClass, MessageState, ShortMessage};
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
///     None => println!("a message from a phone"),
/// }
/// # assert!(matches!(Receipt::of(&message, Detection::ByEsmClass), Some(Ok(_))));
/// # Ok::<(), smpp_core::InvalidOctets>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The message that the receipt is about: the id of its `submit_sm_resp`, perhaps in another notation.
    pub id: &'a [u8],
    /// Where the id is from.
    pub id_source: IdSource<'a>,
    /// Messages submitted.
    pub sub: Option<u32>,
    /// Messages delivered.
    pub dlvrd: Option<u32>,
    /// When it was submitted: `YYMMDDhhmm`, or with seconds or century, or ISO 8601, or no date at all. The
    /// time zone is not told.
    pub submit_date: Option<&'a [u8]>,
    /// When it reached its state, as unsure as [`submit_date`](Self::submit_date).
    pub done_date: Option<&'a [u8]>,
    /// The state, as a word. [`state`](Self::state) knows the common ones.
    pub stat: &'a [u8],
    /// Why, in the SMSC's own codes. Not always a number.
    pub err: Option<&'a [u8]>,
    /// How the message began, usually 20 characters, in the encoding that `data_coding` says. Everything
    /// after the colon, a leading space included.
    pub text: Option<&'a [u8]>,
    /// Why, in the codes of the network (SMPP 3.4 §5.3.2.31). Trust it before [`err`](Self::err). TLV only.
    pub network_error_code: Option<NetworkErrorCode>,
    /// The number that the ESME gave the message (SMPP 3.4 §5.3.2.17). TLV only.
    pub user_message_reference: Option<u16>,
    /// Whether the SMSC calls it an intermediate notification (SMPP 3.4 §2.11, §5.2.12). `esm_class` only.
    pub is_intermediate: bool,
}

/// Where the [id](Receipt::id) of a receipt is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdSource<'a> {
    /// The text.
    #[default]
    Text,
    /// receipted_message_id, which wins over the text (SMPP 3.4 §5.3.2.12).
    Tlv {
        /// The id that the text has; empty if it has none.
        in_text: &'a [u8],
    },
}

/// What a message lacks to be a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// It does not say which message it is about.
    MissingId,
    /// It does not say what became of the message.
    MissingStat,
    /// Its text is UCS-2 throughout, which [`Receipt::of_with_buffer`] reads.
    Ucs2,
}

impl<'a> Receipt<'a> {
    /// The state that `stat` spells, or `None` for a word that is not among the known ones.
    ///
    /// Besides the words of Appendix B, whatever their case, these are understood: the same words in full
    /// (`DELIVERED`), `FAILED` as undeliverable and `SENT` as en route.
    pub fn state(&self) -> Option<MessageState> {
        STATES.iter().find(|(word, _)| word.eq_ignore_ascii_case(self.stat)).map(|(_, state)| *state)
    }

    /// The word of Appendix B for a state: 7 letters. `None` for a reserved one.
    pub fn stat_word(state: MessageState) -> Option<&'static [u8]> {
        STATES.iter().find(|(_, known)| *known == state).map(|(word, _)| *word)
    }

    /// Whether no other receipt will follow for this message.
    ///
    /// Scheduled, en route, unknown and accepted are not final, nor is a word that is not known. SMPP 5.0
    /// counts "accepted" as final, but gateways send it ahead of the delivery.
    pub fn is_final(&self) -> bool {
        let states = [
            MessageState::DELIVERED,
            MessageState::EXPIRED,
            MessageState::DELETED,
            MessageState::UNDELIVERABLE,
            MessageState::REJECTED,
            MessageState::SKIPPED,
        ];
        self.state().is_some_and(|state| states.contains(&state))
    }

    /// Appends the text in the form of Appendix B. Fields that are `None` are left out.
    ///
    /// It reads back the same if `id`, `stat` and `err` are one word each, the dates are not empty, do not
    /// begin or end with white space and have no word in them that is a key, and nothing ends with a NUL.
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

    /// The TLVs that say the same, and those that the text has no room for: `receipted_message_id`,
    /// `message_state`, `network_error_code`, `user_message_reference`.
    ///
    /// Left out is what is not there, a state that is not known, and an id that no TLV takes: above 64 octets,
    /// or with a NUL in it.
    ///
    /// ```
    /// use smpp_core::sms::{Detection, IdSource, Receipt};
    /// use smpp_core::{DeliverSm, ShortMessage, Tlvs};
    ///
    /// let receipt = Receipt { id: b"7F00A1B2", stat: b"DELIVRD", err: Some(b"000"), ..Receipt::default() };
    /// let (mut text, tlvs) = (Vec::new(), receipt.tlvs().collect::<Vec<_>>());
    /// receipt.emit(&mut text);
    /// let message = DeliverSm {
    ///     esm_class: receipt.esm_class(),
    ///     short_message: ShortMessage::new(&text)?,
    ///     tlvs: Tlvs::list(&tlvs),
    ///     ..DeliverSm::default()
    /// };
    /// let read = Receipt { id_source: IdSource::Tlv { in_text: receipt.id }, ..receipt };
    /// assert_eq!(Receipt::of(&message, Detection::ByEsmClass), Some(Ok(read)));
    /// # Ok::<(), smpp_core::InvalidOctets>(())
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

    /// The `esm_class` of the message that carries it: a receipt, or an intermediate notification.
    pub const fn esm_class(&self) -> EsmClass {
        if self.is_intermediate { EsmClass::INTERMEDIATE_NOTIFICATION } else { EsmClass::DELIVERY_RECEIPT }
    }
}

/// The words of `stat`. Where a state has several, Appendix B's comes first.
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

/// A field of at least three decimal digits.
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
            Self::MissingId => "the receipt has no id",
            Self::MissingStat => "the receipt has no stat",
            Self::Ucs2 => "the receipt is in UCS-2",
        })
    }
}

impl core::error::Error for ReceiptError {}
