//! The layout that most SMSCs give to the text of a delivery receipt: it is read without a search for its keys.

use super::fields::Receipt;
use super::parse::{ONES, low_octet, number};
use crate::pdu::{DataCoding, DeliverSm, EsmClass};

/// Parses the fields of SMPP 3.4 Appendix B in their order and case, each with one word: no key need be searched. Returns `None`
/// if the text is any other.
#[inline]
pub(super) fn standard_fields(text: &[u8]) -> Option<Receipt<'_>> {
    let (id, rest) = standard_field(text, b"id:")?;
    let (sub, rest) = standard_field(rest, b"sub:")?;
    let (dlvrd, rest) = standard_field(rest, b"dlvrd:")?;
    let (submit_date, rest) = standard_field(rest, b"submit date:")?;
    let (done_date, rest) = standard_field(rest, b"done date:")?;
    let (stat, rest) = standard_field(rest, b"stat:")?;
    let (err, rest) = standard_field(rest, b"err:")?;
    let [b't' | b'T', b'e', b'x', b't', b':', text @ ..] = rest else { return None };
    Some(Receipt {
        id,
        sub: number(sub),
        dlvrd: number(dlvrd),
        submit_date: Some(submit_date),
        done_date: Some(done_date),
        stat,
        err: Some(err),
        text: Some(text),
        ..Receipt::default()
    })
}

/// The fields between the id and the state as most SMSCs write them, up to the key of the state. A zero stands for any digit.
const USUAL: &[u8; 67] = b"sub:000 dlvrd:000 submit date:0000000000 done date:0000000000 stat:";

/// What 8 octets of [`USUAL`] are, and for each what makes its highest bit 1 if it is added to the bits in which another octet
/// differs: 10 or more of a digit, any of the others.
#[derive(Clone, Copy)]
struct UsualWord {
    octets: u64,
    limits: u64,
}

impl UsualWord {
    const fn new(octets: [u8; 8]) -> Self {
        let mut limits = [0x7F; 8];
        let (mut from, mut to): (&[u8], &mut [u8]) = (&octets, &mut limits);
        while let ([octet, octets @ ..], [limit, limits @ ..]) = (from, to) {
            if *octet == b'0' {
                *limit = 0x80 - 10;
            }
            (from, to) = (octets, limits);
        }
        Self { octets: u64::from_le_bytes(octets), limits: u64::from_le_bytes(limits) }
    }

    /// Returns a number in which the highest bit of an octet is 1 if one is wrong, and in none otherwise.
    #[inline(always)]
    const fn wrong(self, octets: [u8; 8]) -> u64 {
        let differs = u64::from_le_bytes(octets) ^ self.octets;
        // Only an octet that is wrong by itself carries over into the next.
        differs.wrapping_add(self.limits) | differs
    }
}

/// The words of [`USUAL`].
static USUAL_WORDS: [UsualWord; 8] = {
    let mut words = [UsualWord::new([0; 8]); 8];
    let (chunks, _) = USUAL.as_chunks();
    let (mut from, mut to): (&[[u8; 8]], &mut [UsualWord]) = (chunks, &mut words);
    while let ([octets, chunks @ ..], [word, words @ ..]) = (from, to) {
        *word = UsualWord::new(*octets);
        (from, to) = (chunks, words);
    }
    words
};

/// The last 8 octets of [`USUAL`].
const USUAL_END: UsualWord = UsualWord::new(*b"00 stat:");

/// Returns whether the fields are those of [`USUAL`], with any digits.
#[inline(always)]
fn is_usual(fields: &[u8; USUAL.len()]) -> bool {
    let (words, _) = fields.as_chunks();
    let all = words.iter().zip(&USUAL_WORDS).fold(0, |all, (octets, word)| all | word.wrong(*octets));
    fields.last_chunk().is_some_and(|last| (all | USUAL_END.wrong(*last)) & (ONES << 7) == 0)
}

/// The fields of a receipt that say which message it is about, and what has become of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UsualReceipt<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) stat: &'a [u8],
    pub(crate) err: &'a [u8],
}

impl<'a> UsualReceipt<'a> {
    /// Reads the receipt in a deliver_sm whose text has the usual fields, and which has no TLVs. Returns `None` for any other. These
    /// are the fields that [`Receipt::of`] returns.
    #[inline(always)]
    pub(crate) fn of(message: &DeliverSm<'a>) -> Option<Self> {
        let is_usual = message.esm_class == EsmClass::DELIVERY_RECEIPT
            && message.data_coding == DataCoding(0)
            && message.tlvs.is_empty();
        if is_usual { Self::parse(message.short_message.as_bytes()) } else { None }
    }

    #[inline(always)]
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (id, rest) = standard_field(text, b"id:")?;
        let (fields, rest) = rest.split_first_chunk()?;
        if !is_usual(fields) {
            return None;
        }
        let (stat, rest) = standard_field(rest, b"")?;
        let (err, rest) = standard_field(rest, b"err:")?;
        matches!(rest, [b't' | b'T', b'e', b'x', b't', b':', ..]).then_some(Self { id, stat, err })
    }
}

/// Parses a field with this key, of one word and a space. Returns the word and the input after the space.
#[inline(always)]
fn standard_field<'a, const N: usize>(input: &'a [u8], key: &[u8; N]) -> Option<(&'a [u8], &'a [u8])> {
    let (_, value) = input.split_first_chunk().filter(|(first, _)| *first == key)?;
    let (word, [b' ', rest @ ..]) = value.split_at_checked(low_octet(value))? else { return None };
    // Separators belong to no value.
    if matches!(word, [] | [.., b',' | b';']) { None } else { Some((word, rest)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse::{any_fields, any_key, parse_fields};
    use super::*;
    use crate::pdu::ShortMessage;
    use crate::sms::Detection;

    #[test]
    fn the_text_of_appendix_b_is_read_as_standard_fields() {
        let text =
            b"id:1 sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:";
        let receipt =
            standard_fields(text).map(|receipt| (receipt.id, receipt.stat, receipt.sub, receipt.text));
        assert_eq!(receipt, Some((&b"1"[..], &b"DELIVRD"[..], Some(1), Some(&b""[..]))));
    }

    #[test]
    fn usual_fields_have_any_digits_and_nothing_else() {
        assert!(is_usual(USUAL));
        for (index, octet) in USUAL.iter().enumerate() {
            for other in 0..=u8::MAX {
                let mut fields = *USUAL;
                fields[index] = other;
                let expected = other == *octet || *octet == b'0' && other.is_ascii_digit();
                assert_eq!(is_usual(&fields), expected, "{index}: {other}");
            }
        }
        let text =
            b"id:7 sub:012 dlvrd:345 submit date:2601020304 done date:2605060708 stat:DELIVRD err:9 text:x";
        let receipt = UsualReceipt { id: b"7", stat: b"DELIVRD", err: b"9" };
        assert_eq!(UsualReceipt::parse(text), Some(receipt));
    }

    proptest! {
        #[test]
        fn fields_of_usual_lengths_are_those_that_any_text_has(
            fields in "(001|0;1|[ -~]{3})( dlvrd:)(000|[ -~]{3})( submit date:)([0-9]{10}|[ -~]{10})( done date:)([0-9]{10}|[ -~]{10})",
            (id, stat, err) in ("[!-~]{1,9}", "([A-Z]{7}|[ -~]{0,9})", "([0-9]{3}|[ -~]{0,3})"),
        ) {
            let text = alloc::format!("id:{id} sub:{fields} stat:{stat} err:{err} Text:x");
            let message = DeliverSm {
                esm_class: EsmClass::DELIVERY_RECEIPT,
                short_message: ShortMessage::new(text.as_bytes()).unwrap(),
                ..DeliverSm::default()
            };
            if let Some(usual) = UsualReceipt::of(&message) {
                let Some(Ok(Receipt { id, stat, err: Some(err), .. })) = Receipt::of(&message, Detection::ByEsmClass)
                else {
                    panic!("{text:?}")
                };
                prop_assert_eq!(usual, UsualReceipt { id, stat, err }, "{:?}", text);
            }
        }

        #[test]
        fn standard_fields_are_those_that_any_text_has(
            values in prop::array::uniform7("([!-~]{1,9}|[0-9]{1,12}|[!-~]{0,3}[,; \\t][!-~]{0,3})"),
            last in "(text|Text|txt):[ -~]{0,9}",
        ) {
            let [id, sub, dlvrd, submitted, done, stat, err] = values;
            let text = alloc::format!(
                "id:{id} sub:{sub} dlvrd:{dlvrd} submit date:{submitted} done date:{done} stat:{stat} err:{err} {last}"
            );
            let mut all = Receipt::default();
            any_fields(&mut all, any_key(text.as_bytes()));
            prop_assert_eq!(parse_fields(text.as_bytes()), all, "{:?}", text);
        }
    }
}
