//! Septets packed into octets, as on the air interface (3GPP TS 23.038 §6.1.2).
//!
//! Most SMSCs expect one septet per octet and pack the septets themselves. If `data_coding` 0 means packed septets for
//! an account, use [`Alphabet::Gsm7Packed`](crate::sms::Alphabet::Gsm7Packed).
//!
//! Septets start at a septet boundary of the user data, so up to six fill bits follow the user data header (3GPP TS
//! 23.040 §9.2.3.24).
//!
//! ```
//! use smpp_proto::sms::gsm7::packed;
//!
//! let mut octets = Vec::new();
//! packed::pack(b"hellohello", 0, &mut octets);
//! assert_eq!(octets, [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
//! assert_eq!(packed::unpack(&octets, 0), b"hellohello");
//! ```

use alloc::vec::Vec;

use crate::wire::Sink;

/// The padding of seven unused bits, which would otherwise be read as one more septet ("@").
const CARRIAGE_RETURN: u8 = 0x0D;

/// Returns the fill bits (0 to 6) between a header of `header` octets, its length octet included, and the first septet.
pub const fn fill_bits(header: usize) -> usize {
    (7 - header % 7) % 7
}

/// Returns the octets that `septets` take after a header of `header` octets, without the header. [`pack`] may need one
/// more for a carriage return.
pub const fn packed_len(septets: usize, header: usize) -> usize {
    if septets == 0 { 0 } else { (fill_bits(header) + 7 * septets).div_ceil(8) }
}

/// Packs septets (one per octet, the top bit ignored) and appends them, aligned for a header of `header` octets.
///
/// The length of user data in SMPP is in octets, so seven unused bits at the end could be read as another septet: a
/// carriage return fills them. For the same reason, a carriage return that ends exactly at an octet boundary is doubled
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
    let (mut pending, mut bits_pending) = (0_u16, fill);
    for &septet in septets.iter().chain(padding.then_some(&CARRIAGE_RETURN)) {
        pending |= u16::from(septet & 0x7F) << bits_pending;
        bits_pending += 7;
        if bits_pending >= 8 {
            out.octet(pending as u8);
            pending >>= 8;
            bits_pending -= 8;
        }
    }
    if bits_pending > 0 && !septets.is_empty() {
        out.octet(pending as u8);
    }
}

/// Unpacks the septets that follow a header of `header` octets, one septet per octet.
///
/// A carriage return that ends the last octet is dropped as padding: see [`pack`]. Use [`unpack_exactly`] if the number
/// of septets is known.
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

/// Unpacks the first `count` septets, or as many as there are.
pub fn unpack_exactly(octets: &[u8], header: usize, count: usize) -> Vec<u8> {
    let fill = fill_bits(header);
    let available = (8 * octets.len()).saturating_sub(fill) / 7;
    let count = count.min(available);
    let mut septets = Vec::with_capacity(count);
    let mut octets = octets.iter().copied();
    // The fill bits are the low bits of the first octet.
    let mut pending = octets.next().map_or(0, u16::from) >> fill;
    let mut bits_pending = 8 - fill;
    while septets.len() < count {
        if bits_pending < 7 {
            pending |= octets.next().map_or(0, u16::from) << bits_pending;
            bits_pending += 8;
        }
        septets.push((pending & 0x7F) as u8);
        pending >>= 7;
        bits_pending -= 7;
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
            // The example of the specification: seven characters, and a carriage return for the last seven bits.
            (b"1234567", &[0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x1A]),
        ];
        for (septets, octets) in words {
            assert_eq!(packed(septets, 0), octets, "{septets:?}");
            assert_eq!(unpack(octets, 0), septets, "{octets:02X?}");
        }
    }

    #[test]
    fn septets_start_at_a_septet_boundary() {
        for (header, fill) in [(0, 0), (4, 3), (5, 2), (6, 1), (7, 0), (9, 5), (12, 2)] {
            assert_eq!(fill_bits(header), fill, "a header of {header} octets");
            assert_eq!((8 * header + fill) % 7, 0);
        }
        assert_eq!(packed(b"1", 6), [0x31 << 1], "one fill bit after an 8-bit reference");
        assert_eq!(packed(b"hello", 7), packed(b"hello", 0), "no fill bits after a 16-bit reference");
        // "Hi" after a header of six octets: 1 fill bit, then 48 and 69 in seven bits each, low bits first.
        assert_eq!(packed(b"Hi", 6), [0x90, 0x69]);
        assert_eq!(unpack(&[0x90, 0x69], 6), b"Hi");
    }

    #[test]
    fn only_a_carriage_return_at_an_octet_boundary_is_padding() {
        assert_eq!(packed(b"1234567\r", 0).len(), 8, "the carriage return is doubled");
        assert_eq!(packed(b"1234567\x8D", 0), packed(b"1234567\r", 0), "the top bit is ignored");
        assert_eq!(
            unpack(&packed(b"1234567\r", 0), 0),
            b"1234567\r\r",
            "the receiver reads two carriage returns"
        );
        assert_eq!(unpack(&packed(b"123456\r", 0), 0), b"123456\r");
        assert_eq!(unpack(&packed(b"12345\r", 0), 0), b"12345\r");
        assert_eq!(packed(&[0; 7], 0), [0, 0, 0, 0, 0, 0, 0x1A], "seven @, not eight");
    }

    #[test]
    fn unpack_exactly_returns_the_given_count() {
        let octets = packed(b"1234567", 0);
        assert_eq!(unpack_exactly(&octets, 0, 7), b"1234567");
        assert_eq!(unpack_exactly(&octets, 0, 8), b"1234567\r");
        assert_eq!(unpack_exactly(&octets, 0, 9), b"1234567\r", "there are only eight septets");
        assert_eq!(unpack_exactly(&[], 6, 1), b"");
    }

    proptest! {
        #[test]
        fn packed_septets_unpack_to_themselves(septets in prop::collection::vec(0..0x80_u8, 0..200), header in 0..20_usize) {
            let octets = packed(&septets, header);
            prop_assert_eq!(unpack_exactly(&octets, header, septets.len()), &septets[..]);
            let read = unpack(&octets, header);
            // A text that ends with a carriage return may have another one.
            let with_another_return = [&septets[..], b"\r"].concat();
            prop_assert!(read == septets || (septets.ends_with(b"\r") && read == with_another_return));
        }

        #[test]
        fn packing_equals_shifting_into_one_long_number(septets in prop::collection::vec(0..0x80_u8, 1..17), header in 0..20_usize) {
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
        fn any_octets_unpack(octets in any::<Vec<u8>>(), header in any::<u8>(), count in any::<usize>()) {
            prop_assert!(unpack(&octets, header.into()).iter().all(u8::is_ascii));
            prop_assert!(unpack_exactly(&octets, header.into(), count).len() <= octets.len() * 8 / 7);
        }
    }

    #[test]
    fn no_septets_take_no_octets() {
        for header in 0..20 {
            assert_eq!((packed(&[], header), packed_len(0, header)), (vec![], 0));
        }
    }
}
