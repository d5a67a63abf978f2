//! Keyed hashes, so that a peer that does not know the key cannot choose octets that collide: SipHash-1-3, and a faster one
//! for a table in which a peer cannot add an entry by itself.

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

impl HashKey {
    /// Returns a hash of the octets that takes one multiplication for 8 octets: a quarter of the time of [`hash`](Self::hash).
    ///
    /// Both the state and the factor are secret, so a peer cannot compute which octets collide. The hash is not a
    /// cryptographic one: use it only where the hashes stay secret, and where an entry costs the peer more than a PDU.
    #[inline(always)]
    pub(crate) fn fast_hash(self, octets: &[u8]) -> u64 {
        let Self([state, factor]) = self;
        // An odd factor loses no bit of what it multiplies.
        let fold = |state: u64, word: u64| {
            let product = u128::from(state ^ word) * u128::from(factor | 1);
            product as u64 ^ (product >> 64) as u64
        };
        let (words, rest) = octets.as_chunks();
        let state = words.iter().fold(state, |state, word| fold(state, u64::from_le_bytes(*word)));
        // The last 8 octets again, or all if they are fewer.
        let last = match octets.last_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => rest.iter().fold(0, |last, octet| last << 8 | u64::from(*octet)),
        };
        let length = octets.len() as u64;
        fold(fold(state, last).rotate_left(32), length)
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
        assert_ne!(HashKey::new(1).fast_hash(b"4711"), HashKey::new(2).fast_hash(b"4711"));
    }

    /// Whatever system the ids of an SMSC have, they are spread over the buckets as random numbers would be.
    #[test]
    fn fast_hashes_of_ids_that_resemble_each_other_are_spread() {
        use alloc::vec::Vec;
        /// Makes an id of a number.
        type Id = fn(u64) -> Vec<u8>;
        const COUNT: u64 = 1 << 14;
        let systems: [(&str, Id); 8] = [
            ("decimal", |number| alloc::format!("{number}").into_bytes()),
            ("hexadecimal", |number| alloc::format!("{number:016X}").into_bytes()),
            ("the end of a UUID", |number| {
                alloc::format!("bda7b1bd-4c04-4c1c-9b2e-{number:012x}").into_bytes()
            }),
            ("the start of a UUID", |number| {
                alloc::format!("{number:08x}-4c04-4c1c-9b2e-1b2c3d4e5f60").into_bytes()
            }),
            ("the high bits", |number| (number << 50).to_be_bytes().to_vec()),
            ("the high bits of the first word", |number| {
                [(number << 50).to_le_bytes(), [0; 8], [0; 8]].concat()
            }),
            ("the same word twice", |number| [number.to_le_bytes(), number.to_le_bytes()].concat()),
            ("zeros", |number| alloc::vec![0; number as usize % 512 + 1 + (number as usize / 512) * 512]),
        ];
        for (name, id) in systems {
            for seed in [0, 1, 7, u64::MAX] {
                let key = HashKey::new(seed);
                let count = if name == "zeros" { 2048 } else { COUNT };
                let hashes: Vec<u64> = (0..count).map(|number| key.fast_hash(&id(number))).collect();
                // One table uses the lowest bits of the hashes, another one the highest ones of 32 bits.
                for is_high in [false, true] {
                    let mut buckets = alloc::vec![0_u32; 2 * count as usize];
                    for hash in &hashes {
                        let high = (u64::from(*hash as u32) * (2 * count)) >> 32;
                        buckets[if is_high { high } else { hash % (2 * count) } as usize] += 1;
                    }
                    let empty = buckets.iter().filter(|nodes| **nodes == 0).count() as u64;
                    let longest = buckets.iter().max();
                    // Of random hashes e^-0.5 of the buckets are empty: 60.7 %.
                    assert!((118..125).contains(&(empty * 100 / count)), "{name}, {seed}: {empty} are empty");
                    assert!(longest <= Some(&9), "{name}, {seed}: {longest:?} in one bucket");
                }
            }
        }
    }

    #[test]
    fn every_octet_and_the_length_change_the_fast_hash() {
        let key = HashKey::new(7);
        let octets: alloc::vec::Vec<u8> = (0..80).collect();
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..=octets.len() {
            assert!(seen.insert(key.fast_hash(&octets[..length])), "{length} octets");
            for at in 0..length {
                let mut other = octets[..length].to_vec();
                other[at] ^= 0x80;
                assert!(seen.insert(key.fast_hash(&other)), "octet {at} of {length}");
            }
        }
    }
}
