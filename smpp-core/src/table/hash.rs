//! A keyed hash: SipHash-1-3, so that a peer that does not know the key cannot choose octets that collide.

/// The key of the hash.
#[derive(Clone, Copy)]
pub(crate) struct HashKey([u64; 2]);

impl HashKey {
    /// Derives the key from a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        // Other numbers than those that decide the jitter, which the SMSC can observe.
        Self([splitmix(seed ^ 0x6A09_E667_F3BC_C908), splitmix(seed ^ 0xBB67_AE85_84CA_A73B)])
    }

    /// Returns the hash of the octets.
    pub(crate) fn hash(self, octets: &[u8]) -> u64 {
        let Self([k0, k1]) = self;
        let mut state = [
            k0 ^ 0x736F_6D65_7073_6575,
            k1 ^ 0x646F_7261_6E64_6F6D,
            k0 ^ 0x6C79_6765_6E65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        let (words, rest) = octets.as_chunks();
        for word in words {
            absorb(&mut state, u64::from_le_bytes(*word));
        }
        // The last word has the remaining octets, and the length in its highest octet.
        let last = rest.iter().rev().fold(0, |last, octet| last << 8 | u64::from(*octet));
        absorb(&mut state, last | (octets.len() as u64) << 56);
        let [_, _, v2, _] = &mut state;
        *v2 ^= 0xFF;
        (0..3).for_each(|_| round(&mut state));
        state.into_iter().fold(0, |hash, word| hash ^ word)
    }
}

/// Spreads the bits of a number.
pub(crate) const fn splitmix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

const fn absorb(state: &mut [u64; 4], word: u64) {
    let [_, _, _, v3] = state;
    *v3 ^= word;
    round(state);
    let [v0, ..] = state;
    *v0 ^= word;
}

const fn round([v0, v1, v2, v3]: &mut [u64; 4]) {
    *v0 = v0.wrapping_add(*v1);
    *v2 = v2.wrapping_add(*v3);
    *v1 = v1.rotate_left(13) ^ *v0;
    *v3 = v3.rotate_left(16) ^ *v2;
    *v0 = v0.rotate_left(32);
    *v2 = v2.wrapping_add(*v1);
    *v0 = v0.wrapping_add(*v3);
    *v1 = v1.rotate_left(17) ^ *v2;
    *v3 = v3.rotate_left(21) ^ *v0;
    *v2 = v2.rotate_left(32);
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    /// The standard library's default hasher is SipHash-1-3 with the key 0.
    #[test]
    fn hashes_are_those_of_the_standard_library() {
        use std::hash::Hasher as _;
        let octets: alloc::vec::Vec<u8> = (0..80).collect();
        for length in 0..octets.len() {
            let mut hasher = std::collections::hash_map::DefaultHasher::new();
            hasher.write(&octets[..length]);
            assert_eq!(HashKey([0; 2]).hash(&octets[..length]), hasher.finish(), "{length} octets");
        }
    }

    #[test]
    fn the_seed_changes_the_hash() {
        assert_ne!(HashKey::new(1).hash(b"4711"), HashKey::new(2).hash(b"4711"));
    }
}
