//! From a whole message to the receipt that it carries, if it does.

use alloc::vec::Vec;

use super::fields::{Receipt, ReceiptError};
use super::parse;
use crate::pdu::{DataCoding, DataSm, DeliverSm, EsmClass};
use crate::sms::{Alphabet, Codings, udh};
use crate::tlv::Tlvs;

/// What some put before UTF-16 to tell the order of its octets.
const BYTE_ORDER_MARK: u16 = 0xFEFF;

/// Which messages are receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Detection {
    /// Those whose `esm_class` says so: anyone with a phone can write a text that looks like a receipt, but not
    /// set `esm_class`, which is the SMSC's to do.
    #[default]
    ByEsmClass,
    /// Also ordinary messages (`esm_class` 0) that read as a receipt: their text begins with a field or is
    /// empty, and text and TLVs have an id and a state.
    ///
    /// For SMSCs that do not set `esm_class`. **Whoever may send a message to the account can forge receipts.**
    ByContent,
}

/// What may carry a receipt: the parts of a `deliver_sm` or `data_sm` that tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiptCarrier<'a> {
    /// Says whether it is a receipt, and whether a header precedes the text.
    pub esm_class: EsmClass,
    /// Says whether the text may be UCS-2.
    pub data_coding: DataCoding,
    /// The text, behind its header if it has one: `short_message` or `message_payload`.
    pub user_data: &'a [u8],
    /// What may say more than the text.
    pub tlvs: Tlvs<'a>,
}

impl<'a> Receipt<'a> {
    /// The receipt that a [`DeliverSm`] or [`DataSm`] carries; `None` if it carries none.
    ///
    /// The text is in `short_message` or `message_payload`, behind a user data header if `esm_class` tells of
    /// one, or there is no text and the TLVs say it all: [`parse_with`](Self::parse_with) says what is read.
    /// With `esm_class` 0x04 a message that does not read is an error; an intermediate notification (0x20) may
    /// be about something else, and is `None` then.
    ///
    /// Nothing is copied. Of a text that is UCS-2 throughout nothing is read: if the TLVs do not suffice, that
    /// is [`ReceiptError::Ucs2`]. A receipt in several segments has to be put together first.
    pub fn of(
        message: impl Into<ReceiptCarrier<'a>>,
        detection: Detection,
    ) -> Option<Result<Self, ReceiptError>> {
        message.into().receipt(detection, None)
    }

    /// As [`of`](Self::of), and reads a text that is UCS-2 throughout, too.
    ///
    /// The buffer then takes the text as ISO 8859-1, half as many octets; what was in it is lost. For any other
    /// text it is neither read nor written. [`text`](Self::text) stays in UCS-2.
    pub fn of_with_buffer(
        message: impl Into<ReceiptCarrier<'a>>,
        detection: Detection,
        buffer: &'a mut Vec<u8>,
    ) -> Option<Result<Self, ReceiptError>> {
        message.into().receipt(detection, Some(buffer))
    }
}

impl<'a> ReceiptCarrier<'a> {
    fn receipt(
        self,
        detection: Detection,
        buffer: Option<&'a mut Vec<u8>>,
    ) -> Option<Result<Receipt<'a>, ReceiptError>> {
        let class = self.esm_class.message_type();
        let (is_receipt, is_intermediate) =
            (class == EsmClass::DELIVERY_RECEIPT, class == EsmClass::INTERMEDIATE_NOTIFICATION);
        let by_content = class.is_empty() && detection == Detection::ByContent;
        if !(is_receipt || is_intermediate || by_content) {
            return None;
        }
        let text = self.text();
        let (is_wide, is_unread) = (self.is_wide(text), buffer.is_none());
        let narrow = match buffer {
            _ if !is_wide => text,
            Some(buffer) => narrowed(text, buffer),
            None => &[],
        };
        if by_content && !text.is_empty() && !parse::begins_with_key(narrow) {
            return None;
        }
        match Receipt::parse_with(narrow, self.tlvs) {
            Ok(mut receipt) => {
                receipt.is_intermediate = is_intermediate;
                if self.is_ucs2() {
                    receipt.text = receipt.text.and_then(|began| in_ucs2(began, narrow, text, is_wide));
                }
                Some(Ok(receipt))
            }
            Err(_) if !is_receipt => None,
            Err(_) if is_wide && is_unread => Some(Err(ReceiptError::Ucs2)),
            Err(error) => Some(Err(error)),
        }
    }

    /// What follows the user data header. Some SMSCs repeat the UDHI bit of the message that the receipt is
    /// about, without a header: a text that begins as it should has none, nor has one whose elements do not add up.
    fn text(&self) -> &'a [u8] {
        let whole = self.user_data;
        if !self.esm_class.contains(EsmClass::UDHI) || parse::begins_with_key(whole) || self.is_wide(whole) {
            return whole;
        }
        match udh::split(whole) {
            Ok((header, text)) if header.elements().all(|element| element.is_ok()) => text,
            _ => whole,
        }
    }

    /// Whether the text is UCS-2 from its first character on. With the `data_coding` of UCS-2 only what follows
    /// `text:` may be, which is the message's own.
    fn is_wide(&self, text: &[u8]) -> bool {
        matches!(text, [0, 1..=0xFF, ..] | [0xFE, 0xFF, ..]) && self.is_ucs2()
    }

    fn is_ucs2(&self) -> bool {
        Codings::default().alphabet(self.data_coding) == Some(Alphabet::Ucs2)
    }
}

/// The characters up to U+00FF, one octet each.
fn narrowed<'a>(wide: &[u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let (units, _) = wide.as_chunks();
    buffer.clear();
    buffer.extend(units.iter().map(|&unit| match u16::from_be_bytes(unit) {
        BYTE_ORDER_MARK => b' ',
        unit => u8::try_from(unit).unwrap_or(b'?'),
    }));
    buffer
}

/// The octets of `whole`, all of them of whole characters, that stand where `began` ends `narrow`.
fn in_ucs2<'a>(began: &[u8], narrow: &[u8], whole: &'a [u8], is_wide: bool) -> Option<&'a [u8]> {
    let end = parse::without_nuls(narrow).len();
    let start = end - began.len();
    if is_wide {
        return whole.get(2 * start..2 * end);
    }
    // One of the NULs at the end may be half of the last character.
    whole.get(start..whole.len().min(end + began.len() % 2))
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
