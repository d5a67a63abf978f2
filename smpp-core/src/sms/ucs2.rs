//! UCS-2 (`data_coding` 8), which is UTF-16 in network byte order in practice (SMPP 3.4 §5.2.19).
//!
//! A character outside the basic multilingual plane, for example an emoji, takes two units of two octets: a surrogate
//! pair.
//!
//! ```
//! use smpp_proto::sms::ucs2;
//!
//! let mut octets = Vec::new();
//! ucs2::encode("é😀", &mut octets);
//! assert_eq!(octets, [0x00, 0xE9, 0xD8, 0x3D, 0xDE, 0x00]);
//! assert_eq!(ucs2::decode(&octets), "é😀");
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use crate::wire::Sink;

/// Returns the number of UTF-16 units (two octets each) of `text`.
pub fn len(text: &str) -> usize {
    text.as_bytes().chunks(BLOCK).map(block_len).sum()
}

/// The octets that [`block_len`] counts at once.
const BLOCK: usize = 64;

/// Returns the units of the characters that start in a block of UTF-8. The count fits into an octet, so that the processor
/// adds many at once.
fn block_len(block: &[u8]) -> usize {
    // A character of four octets is a surrogate pair.
    let units = |octet: &u8| u8::from(*octet & 0xC0 != 0x80) + u8::from(*octet >= 0xF0);
    block.iter().map(units).sum::<u8>().into()
}

/// Returns how many octets of `text` fit into so many units, and the units that they take.
pub(super) fn fit(text: &str, capacity: usize) -> (usize, usize) {
    let (mut end, mut used) = (0, 0);
    for block in text.as_bytes().chunks(BLOCK) {
        let more = used + block_len(block);
        if more > capacity {
            break;
        }
        (end, used) = (end + block.len(), more);
    }
    // The last block counts the character that it ends in.
    while !text.is_char_boundary(end) {
        end += 1;
    }
    for character in text.get(end..).unwrap_or_default().chars() {
        let more = used + character.len_utf16();
        if more > capacity {
            break;
        }
        (end, used) = (end + character.len_utf8(), more);
    }
    (end, used)
}

/// Appends the encoded `text` to `out`. Every text can be encoded.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len());
    encode_to(text, out);
}

pub(super) fn encode_to<S: Sink>(text: &str, out: &mut S) {
    // A block at a time: an output checks its room for each part that it gets.
    let mut block = [[0; 2]; 70];
    let mut units = text.encode_utf16();
    loop {
        let mut used = 0;
        for (octets, unit) in block.iter_mut().zip(&mut units) {
            *octets = unit.to_be_bytes();
            used += 1;
        }
        match block.get(..used) {
            Some([]) | None => return,
            Some(octets) => out.put(octets.as_flattened()),
        }
    }
}

/// Decodes UTF-16 in network byte order. Never fails: a lone surrogate or an odd octet at the end becomes U+FFFD.
pub fn decode(octets: &[u8]) -> String {
    let (units, odd) = octets.as_chunks();
    let mut text = String::with_capacity(octets.len());
    text.extend(
        char::decode_utf16(units.iter().map(|&unit| u16::from_be_bytes(unit)))
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)),
    );
    if !odd.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn units_are_counted_in_blocks_as_by_characters(text in "[a-zа-я€🎉]{0,150}", capacity in 0..200_usize) {
            prop_assert_eq!(len(&text), text.encode_utf16().count());
            let (mut end, mut units) = (0, 0);
            for character in text.chars() {
                if units + character.len_utf16() > capacity {
                    break;
                }
                (end, units) = (end + character.len_utf8(), units + character.len_utf16());
            }
            prop_assert_eq!(fit(&text, capacity), (end, units));
        }
    }

    #[test]
    fn decoding_never_fails() {
        for (octets, text) in [
            (&[][..], ""),
            (&[0x00], "\u{FFFD}"),
            (&[0x00, 0x41, 0x00], "A\u{FFFD}"),
            (&[0xD8, 0x3D], "\u{FFFD}"),
            (&[0xDE, 0x00, 0x00, 0x41], "\u{FFFD}A"),
            (&[0xD8, 0x3D, 0x00, 0x41], "\u{FFFD}A"),
            (&[0xD8, 0x3D, 0xDE], "\u{FFFD}\u{FFFD}"),
        ] {
            assert_eq!(decode(octets), text, "{octets:02X?}");
        }
    }

    proptest! {
        #[test]
        fn encoded_text_decodes_to_itself(text in prop::collection::vec(any::<char>(), 0..200)) {
            let text: String = text.into_iter().collect();
            let mut octets = Vec::new();
            encode(&text, &mut octets);
            prop_assert_eq!(octets.len(), 2 * len(&text));
            prop_assert_eq!(decode(&octets), text);
        }

        #[test]
        fn any_octets_decode(octets in any::<Vec<u8>>()) {
            prop_assert!(decode(&octets).chars().count() <= octets.len().div_ceil(2));
        }
    }
}
