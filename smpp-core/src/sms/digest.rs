//! A 64-bit digest of octets that are not stored.

/// Returns the FNV-1a hash of 64 bits. It does not resist deliberate collisions: a sender who causes one can only lose
/// messages of its own.
pub(crate) fn digest(octets: impl IntoIterator<Item = u8>) -> u64 {
    octets.into_iter().fold(0xCBF2_9CE4_8422_2325, |digest, octet| {
        (digest ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        assert_eq!(digest(*b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(digest(*b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(digest(*b"foobar"), 0x8594_4171_F739_67E8);
    }
}
