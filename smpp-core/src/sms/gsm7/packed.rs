//! Septets packed into octets, as they go over the air (3GPP TS 23.038 §6.1.2).
//!
//! Most SMSCs want one septet per octet and pack themselves. Some accounts have it that `data_coding` 0 is packed
//! already; their alphabet is [`Alphabet::Gsm7Packed`](crate::sms::Alphabet::Gsm7Packed).
//!
//! Septets start at a septet boundary of the user data, so up to six fill bits follow its header (3GPP TS 23.040
//! §9.2.3.24).
//!
//! ```
//! use smpp_core::sms::gsm7::packed;
//!
//! let mut octets = Vec::new();
//! packed::pack(b"hellohello", 0, &mut octets);
//! assert_eq!(octets, [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
//! assert_eq!(packed::unpack(&octets, 0), b"hellohello");
//! ```

use alloc::vec::Vec;

use crate::wire::Sink;

/// Fills seven bits that would otherwise read as one more septet, "@".
const CARRIAGE_RETURN: u8 = 0x0D;

/// Fill bits between a header of `header` octets, its length octet included, and the first septet: 0 to 6.
pub const fn fill_bits(header: usize) -> usize {
    (7 - header % 7) % 7
}

/// Octets that `septets` take on the air behind a header of `header` octets, without the header. [`pack`] may need one
/// more, for a carriage return.
pub const fn packed_len(septets: usize, header: usize) -> usize {
    if septets == 0 { 0 } else { (fill_bits(header) + 7 * septets).div_ceil(8) }
}

/// Appends the septets, one per octet in `septets`, as they stand behind a header of `header` octets. The top bit of
/// an octet does not count.
///
/// SMPP counts octets, so seven bits that are left in the last octet could be one more septet: a carriage return
/// fills them. For the same reason a text that ends with a carriage return at the end of an octet gets another one
/// (3GPP TS 23.038 §6.1.2.3.1).
pub fn pack(septets: &[u8], header: usize, out: &mut Vec<u8>) {
    pack_to(septets, header, out);
}

pub(in crate::sms) fn pack_to<S: Sink>(septets: &[u8], header: usize, out: &mut S) {
    let fill = fill_bits(header);
    let bits = fill + 7 * septets.len();
    let ends_with_return = septets.last().is_some_and(|septet| septet & 0x7F == CARRIAGE_RETURN);
    let ends_octet = bits.is_multiple_of(8) && ends_with_return;
    let padding = !septets.is_empty() && (bits % 8 == 1 || ends_octet);
    let (mut pending, mut held) = (0_u16, fill);
    for &septet in septets.iter().chain(padding.then_some(&CARRIAGE_RETURN)) {
        pending |= u16::from(septet & 0x7F) << held;
        held += 7;
        if held >= 8 {
            out.octet(pending as u8);
            pending >>= 8;
            held -= 8;
        }
    }
    if held > 0 && !septets.is_empty() {
        out.octet(pending as u8);
    }
}

/// The septets, one per octet, that stand in `octets` behind a header of `header` octets.
///
/// A carriage return that ends the last octet is padding and dropped: see [`pack`]. Who knows the number of septets
/// from elsewhere uses [`unpack_exactly`].
pub fn unpack(octets: &[u8], header: usize) -> Vec<u8> {
    let fill = fill_bits(header);
    let bits = 8 * octets.len();
    let count = bits.saturating_sub(fill) / 7;
    let mut septets = unpack_exactly(octets, header, count);
    if (fill + 7 * count) == bits && septets.last() == Some(&CARRIAGE_RETURN) {
        septets.pop();
    }
    septets
}

/// The first `count` septets, or as many as there are.
pub fn unpack_exactly(octets: &[u8], header: usize, count: usize) -> Vec<u8> {
    let fill = fill_bits(header);
    let available = (8 * octets.len()).saturating_sub(fill) / 7;
    let count = count.min(available);
    let mut septets = Vec::with_capacity(count);
    let mut octets = octets.iter().copied();
    // The fill bits are the low ones of the first octet.
    let mut pending = octets.next().map_or(0, u16::from) >> fill;
    let mut held = 8 - fill;
    while septets.len() < count {
        if held < 7 {
            pending |= octets.next().map_or(0, u16::from) << held;
            held += 8;
        }
        septets.push((pending & 0x7F) as u8);
        pending >>= 7;
        held -= 7;
    }
    septets
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn packed(septets: &[u8], header: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        pack(septets, header, &mut octets);
        octets
    }

    #[test]
    fn known_vectors() {
        let words: [(&[u8], &[u8]); 7] = [
            (b"", &[]),
            (b"1", &[0x31]),
            (b"12", &[0x31, 0x19]),
            (b"hello", &[0xE8, 0x32, 0x9B, 0xFD, 0x06]),
            (b"hellohello", &[0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]),
            (b"12345678", &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x70]),
            // The example of the specification: seven characters and a carriage return for the last seven bits.
            (b"1234567", &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x1A]),
        ];
        for (septets, octets) in words {
            assert_eq!(packed(septets, 0), octets, "{septets:?}");
            assert_eq!(unpack(octets, 0), septets, "{octets:02X?}");
        }
    }

    #[test]
    fn septets_begin_at_a_septet_boundary() {
        for (header, fill) in [(0, 0), (4, 3), (5, 2), (6, 1), (7, 0), (9, 5), (12, 2)] {
            assert_eq!(fill_bits(header), fill, "a header of {header} octets");
            assert_eq!((8 * header + fill) % 7, 0);
        }
        assert_eq!(packed(b"1", 6), [0x31 << 1], "one fill bit behind an 8-bit concatenation");
        assert_eq!(packed(b"hello", 7), packed(b"hello", 0), "none behind a 16-bit one");
        // "Hi" behind a header of six octets: 1 fill bit, then 48 69 in seven bits each, low ones first.
        assert_eq!(packed(b"Hi", 6), [0x90, 0x69]);
        assert_eq!(unpack(&[0x90, 0x69], 6), b"Hi");
    }

    #[test]
    fn a_carriage_return_is_padding_at_the_end_of_an_octet_alone() {
        assert_eq!(packed(b"1234567\r", 0).len(), 8, "another one follows");
        assert_eq!(packed(b"1234567\x8D", 0), packed(b"1234567\r", 0), "the top bit does not count");
        assert_eq!(
            unpack(&packed(b"1234567\r", 0), 0),
            b"1234567\r\r",
            "a receiver returns the carriage twice"
        );
        assert_eq!(unpack(&packed(b"123456\r", 0), 0), b"123456\r");
        assert_eq!(unpack(&packed(b"12345\r", 0), 0), b"12345\r");
        assert_eq!(packed(&[0; 7], 0), [0, 0, 0, 0, 0, 0, 0x1A], "seven @, not eight");
    }

    #[test]
    fn the_count_may_be_known() {
        let octets = packed(b"1234567", 0);
        assert_eq!(unpack_exactly(&octets, 0, 7), b"1234567");
        assert_eq!(unpack_exactly(&octets, 0, 8), b"1234567\r");
        assert_eq!(unpack_exactly(&octets, 0, 9), b"1234567\r", "there are no more");
        assert_eq!(unpack_exactly(&[], 6, 1), b"");
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(septets in prop::collection::vec(0..0x80_u8, 0..200), header in 0..20_usize) {
            let octets = packed(&septets, header);
            prop_assert_eq!(unpack_exactly(&octets, header, septets.len()), &septets[..]);
            let read = unpack(&octets, header);
            // A text that ends with a carriage return may have one more.
            let once_more = [&septets[..], b"\r"].concat();
            prop_assert!(read == septets || (septets.ends_with(b"\r") && read == once_more));
        }

        #[test]
        fn packing_is_shifting_into_one_long_number(septets in prop::collection::vec(0..0x80_u8, 1..17), header in 0..20_usize) {
            let fill = fill_bits(header);
            let mut number = 0_u128;
            for septet in septets.iter().rev() {
                number = number << 7 | u128::from(*septet);
            }
            let expected = (number << fill).to_le_bytes();
            let length = packed_len(septets.len(), header);
            let octets = packed(&septets, header);
            let spare = 8 * length - fill - 7 * septets.len();
            let last = if spare == 7 { 0x0D << 1 } else { 0 };
            let mut expected = expected[..length].to_vec();
            if let Some(octet) = expected.last_mut() {
                *octet |= last;
            }
            prop_assert_eq!(&octets[..length], &expected[..]);
        }

        #[test]
        fn any_octets_are_unpacked(octets in any::<Vec<u8>>(), header in any::<u8>(), count in any::<usize>()) {
            prop_assert!(unpack(&octets, header.into()).iter().all(u8::is_ascii));
            prop_assert!(unpack_exactly(&octets, header.into(), count).len() <= octets.len() * 8 / 7);
        }
    }

    #[test]
    fn nothing_takes_no_octets() {
        for header in 0..20 {
            assert_eq!((packed(&[], header), packed_len(0, header)), (vec![], 0));
        }
    }
}
