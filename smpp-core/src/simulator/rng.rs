//! A seeded random number generator.

/// A pseudo-random number generator: the same seed gives the same sequence. For tests, not for secrets.
///
/// ```
/// use smpp_proto::simulator::Rng;
/// let (mut rng, mut same) = (Rng::new(1), Rng::new(1));
/// assert!((0..100).all(|_| rng.next_u64() == same.next_u64()));
/// assert!(rng.percent(100) && !rng.percent(0));
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    /// Creates a generator at the start of the seed's sequence.
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// Returns the next number, uniform over all 64-bit values.
    pub const fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.seed ^ mix(self.counter))
    }

    /// Returns a number from 0 to `end - 1`; 0 if `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.next_u64() as u128 * end as u128) >> 64) as u64
    }

    /// Returns true with a probability of `percent` in a hundred; always if `percent` is 100 or more.
    pub const fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < percent as u64
    }
}

/// Mixes the bits of a number (splitmix64).
pub(super) const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_about_right() {
        for percent in [1, 10, 50, 99] {
            let mut rng = Rng::new(percent.into());
            let hits = (0..100_000).filter(|_| rng.percent(percent)).count();
            let expected = usize::from(percent) * 1000;
            assert!(hits.abs_diff(expected) < 500, "{percent} %: {hits}");
        }
        assert_eq!(Rng::new(7).below(0), 0);
        assert!((0..100).all(|seed| Rng::new(seed).below(3) < 3));
    }
}
