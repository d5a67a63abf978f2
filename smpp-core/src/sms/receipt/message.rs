//! Reading the delivery receipt of a PDU.

use alloc::vec::Vec;
use core::fmt;

use super::fields::{Receipt, ReceiptError};
use super::parse;
use crate::pdu::{DataCoding, DataSm, DeliverSm, EsmClass};
use crate::sms::{Alphabet, Codings, udh};
use crate::tlv::Tlvs;

/// An optional first unit of UTF-16 text, which identifies its octet order.
const BYTE_ORDER_MARK: u16 = 0xFEFF;

/// Which messages count as delivery receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detection {
    /// Messages that `esm_class` marks as a receipt or as an intermediate notification. The SMSC sets `esm_class`, so
    /// the sender of a mobile-originated message cannot forge a receipt.
    #[default]
    ByEsmClass,
    /// Additionally ordinary messages (`esm_class` 0) with the TLVs `receipted_message_id` and `message_state`, whatever
    /// their text.
    ///
    /// Use it for SMSCs that do not set `esm_class`, if they let no sender of a mobile-originated message set TLVs.
    ByTlvs,
    /// Additionally ordinary messages (`esm_class` 0) with the content of a receipt: the text starts with a field or is
    /// empty, and text and TLVs have an id and a state; or the TLVs have both.
    ///
    /// Use it for SMSCs that do not set `esm_class`. **Anyone who can send a message to the account can forge
    /// receipts.**
    ByContent,
}

/// The fields of a `deliver_sm` or `data_sm` that can carry a delivery receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiptCarrier<'a> {
    /// Marks the message as a receipt, and its user data as starting with a header.
    pub esm_class: EsmClass,
    /// Whether the text may be UCS-2.
    pub data_coding: DataCoding,
    /// The `short_message` or `message_payload`, including its header if there is one.
    pub user_data: &'a [u8],
    /// The TLVs, which may add to the text.
    pub tlvs: Tlvs<'a>,
}

/// A function that reads receipts in a format of the provider's own, as
/// [`ReceiptDialect::parser`](crate::provider::ReceiptDialect::parser).
///
/// It gets each `deliver_sm` and `data_sm`, also mobile-originated messages, before the built-in parser, which reads
/// those for which it returns `None`. Check [`esm_class`](ReceiptCarrier::esm_class), so that the sender of a
/// mobile-originated message cannot forge a receipt. It must be fast: the account waits for it.
///
/// ```
/// use smpp_proto::provider::ReceiptDialect;
/// use smpp_proto::sms::{Receipt, ReceiptCarrier, ReceiptParser};
/// use smpp_proto::{DeliverSm, EsmClass, MessageState, ShortMessage};
///
/// /// Reads `code,done date,id`.
/// fn commas<'a>(message: &ReceiptCarrier<'a>) -> Option<Receipt<'a>> {
///     let mut values = message.text().split(|octet| *octet == b',');
///     let (code, done_date, id) = (values.next()?, values.next()?, values.next()?);
///     let stat: &[u8] = if code == b"00" { b"DELIVRD" } else { b"UNDELIV" };
///     let receipt = Receipt::default().id(id).stat(stat).err(code).done_date(done_date);
///     message.esm_class.is_receipt().then_some(receipt)
/// }
///
/// let dialect = ReceiptDialect::UNSTATED.parser(ReceiptParser(commas));
/// let message = DeliverSm {
///     esm_class: EsmClass::DELIVERY_RECEIPT,
///     short_message: ShortMessage::new(b"00,2509011201,4711")?,
///     ..DeliverSm::default()
/// };
/// let mut buffer = Vec::new();
/// let receipt = dialect.read(&message, &mut buffer).ok_or("not a receipt")??;
/// assert_eq!((receipt.id, receipt.state()), (&b"4711"[..], Some(MessageState::DELIVERED)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct ReceiptParser(
    /// Returns the receipt in the message; `None` if it is not one of the format that the function reads.
    pub for<'a> fn(&ReceiptCarrier<'a>) -> Option<Receipt<'a>>,
);

/// Two parsers are equal if they are the same function. The compiler may merge equal functions, or copy one.
impl PartialEq for ReceiptParser {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for ReceiptParser {}

impl fmt::Debug for ReceiptParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptParser")
    }
}

impl<'a> Receipt<'a> {
    /// Reads the delivery receipt in a [`DeliverSm`] or [`DataSm`]. Returns `None` if the message is not a receipt.
    ///
    /// The receipt is the text in `short_message` or `message_payload` (after a user data header if `esm_class` has the
    /// UDHI bit), the TLVs, or both: see [`parse_with`](Self::parse_with). Nothing is copied.
    ///
    /// Reassemble a receipt in several segments first, with a [`Reassembler`](crate::sms::Reassembler).
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] if `esm_class` marks the message as a receipt (0x04), but it is not readable. A text that is
    /// UCS-2 from its first character is not read: if the TLVs do not suffice, the error is [`ReceiptError::Ucs2`].
    ///
    /// An intermediate notification (0x20) that is not readable may be about something else, and returns `None`.
    pub fn of(
        message: impl Into<ReceiptCarrier<'a>>,
        detection: Detection,
    ) -> Option<Result<Self, ReceiptError>> {
        message.into().receipt(detection, &[], None)
    }

    /// Like [`of`](Self::of), but also reads a text that is UCS-2 from its first character.
    ///
    /// The function clears the buffer and fills it with such a text, converted to ISO 8859-1 with half as many octets.
    /// For any other text it neither reads nor writes the buffer. The field [`text`](Self::text) stays in UCS-2.
    pub fn of_with_buffer(
        message: impl Into<ReceiptCarrier<'a>>,
        detection: Detection,
        buffer: &'a mut Vec<u8>,
    ) -> Option<Result<Self, ReceiptError>> {
        message.into().receipt(detection, &[], Some(buffer))
    }
}

impl<'a> ReceiptCarrier<'a> {
    /// Reads the receipt; also from messages whose type in `esm_class` is one of `esm_classes`.
    pub(crate) fn receipt(
        self,
        detection: Detection,
        esm_classes: &[EsmClass],
        buffer: Option<&'a mut Vec<u8>>,
    ) -> Option<Result<Receipt<'a>, ReceiptError>> {
        let class = self.esm_class.message_type();
        let (is_receipt, is_intermediate) =
            (class == EsmClass::DELIVERY_RECEIPT, class == EsmClass::INTERMEDIATE_NOTIFICATION);
        let is_marked =
            is_receipt || is_intermediate || esm_classes.iter().any(|other| other.message_type() == class);
        let by_tlvs = || {
            self.tlvs.receipted_message_id().is_some_and(|id| !id.is_empty())
                && self.tlvs.message_state().is_some()
        };
        let text = self.text();
        let (is_all_ucs2, has_no_buffer) = (self.is_all_ucs2(text), buffer.is_none());
        let is_by_content = match detection {
            _ if is_marked => false,
            Detection::ByEsmClass => return None,
            _ if !class.is_empty() => return None,
            Detection::ByTlvs if !by_tlvs() => return None,
            Detection::ByContent => !by_tlvs(),
            Detection::ByTlvs => false,
        };
        let latin1 = match buffer {
            _ if !is_all_ucs2 => text,
            Some(buffer) => to_latin1(text, buffer),
            None => &[],
        };
        if is_by_content && !text.is_empty() && !parse::begins_with_key(latin1) {
            return None;
        }
        match Receipt::parse_with(latin1, self.tlvs) {
            Ok(mut receipt) => {
                receipt.is_intermediate = is_intermediate;
                if self.is_ucs2() || is_all_ucs2 {
                    receipt.text =
                        receipt.text.and_then(|value| ucs2_value(value, latin1, text, is_all_ucs2));
                }
                Some(Ok(receipt))
            }
            Err(_) if !is_receipt => None,
            Err(_) if is_all_ucs2 && has_no_buffer => Some(Err(ReceiptError::Ucs2)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Returns the text after the user data header.
    ///
    /// Some SMSCs copy the UDHI bit from the submitted message although the receipt has no header. So a text that
    /// starts with a key, or whose header is malformed, has no header.
    pub fn text(&self) -> &'a [u8] {
        let whole = self.user_data;
        if !self.esm_class.contains(EsmClass::UDHI)
            || parse::begins_with_key(whole)
            || self.is_all_ucs2(whole)
        {
            return whole;
        }
        match udh::split(whole) {
            Ok((header, text)) if header.elements().all(|element| element.is_ok()) => text,
            _ => whole,
        }
    }

    /// Returns whether the text is UCS-2 from its first character. With the `data_coding` of UCS-2 it may also be only
    /// the value of `text:`, which is from the submitted message. With any other `data_coding` it begins with two
    /// characters of ISO 8859-1, since it may also begin with a NUL.
    fn is_all_ucs2(&self, text: &[u8]) -> bool {
        match text {
            [0, 1..=0xFF, 0, 1..=0xFF, ..] => true,
            [0, 1..=0xFF, ..] | [0xFE, 0xFF, ..] => self.is_ucs2(),
            _ => false,
        }
    }

    fn is_ucs2(&self) -> bool {
        // Most receipts have the SMSC's default alphabet.
        self.data_coding != DataCoding(0)
            && Codings::default().alphabet(self.data_coding) == Some(Alphabet::Ucs2)
    }

    crate::setters! {
        const esm_class: EsmClass,
        const data_coding: DataCoding,
        const user_data: &'a [u8],
        const tlvs: Tlvs<'a>,
    }
}

/// Converts UCS-2 to ISO 8859-1: one octet per character, `?` for characters above U+00FF.
fn to_latin1<'a>(ucs2: &[u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let (units, _) = ucs2.as_chunks();
    buffer.clear();
    buffer.extend(units.iter().map(|&unit| match u16::from_be_bytes(unit) {
        BYTE_ORDER_MARK => b' ',
        unit => u8::try_from(unit).unwrap_or(b'?'),
    }));
    buffer
}

/// Returns the octets of `whole` at the position of `value`, the last value of `latin1`, extended to whole UTF-16
/// units.
fn ucs2_value<'a>(value: &[u8], latin1: &[u8], whole: &'a [u8], is_all_ucs2: bool) -> Option<&'a [u8]> {
    let end = parse::without_nuls(latin1).len();
    let start = end - value.len();
    if is_all_ucs2 {
        return whole.get(2 * start..2 * end);
    }
    // A NUL at the end may be half of the last character.
    whole.get(start..whole.len().min(end + value.len() % 2))
}

impl<'a> From<&DeliverSm<'a>> for ReceiptCarrier<'a> {
    fn from(message: &DeliverSm<'a>) -> Self {
        let &DeliverSm { esm_class, data_coding, tlvs, .. } = message;
        Self { esm_class, data_coding, user_data: message.text(), tlvs }
    }
}

impl<'a> From<&DataSm<'a>> for ReceiptCarrier<'a> {
    fn from(message: &DataSm<'a>) -> Self {
        let &DataSm { esm_class, data_coding, tlvs, .. } = message;
        Self { esm_class, data_coding, user_data: message.text(), tlvs }
    }
}
