//! A short name for octets that are not kept.

/// FNV-1a of 64 bits. Not for telling octets apart that someone has made to collide: whoever does so has only messages of
/// their own to lose.
pub(super) fn digest(octets: impl IntoIterator<Item = u8>) -> u64 {
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
