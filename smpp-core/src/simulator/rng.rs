//! What chance there is, from a seed.

/// A sequence of numbers that look random and are the same for the same seed. For tests, not for secrets.
///
/// ```
/// use smpp_core::simulator::Rng;
/// let (mut dice, mut same) = (Rng::new(1), Rng::new(1));
/// assert!((0..100).all(|_| dice.roll() == same.roll()));
/// assert!(dice.percent(100) && !dice.percent(0));
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    rolled: u64,
}

impl Rng {
    /// The sequence of this seed, from its beginning.
    pub const fn new(seed: u64) -> Self {
        Self { seed, rolled: 0 }
    }

    /// The next number, of all that there are.
    pub const fn roll(&mut self) -> u64 {
        self.rolled = self.rolled.wrapping_add(1);
        mix(self.seed ^ mix(self.rolled))
    }

    /// The next number below `end`; 0 if that is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.roll() as u128 * end as u128) >> 64) as u64
    }

    /// Whether the next number is among so many in a hundred; always from 100 on.
    pub const fn percent(&mut self, share: u8) -> bool {
        self.below(100) < share as u64
    }
}

/// Spreads a number over 64 bits.
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
    fn shares_come_out_about_right() {
        for share in [1, 10, 50, 99] {
            let mut dice = Rng::new(share.into());
            let hits = (0..100_000).filter(|_| dice.percent(share)).count();
            let expected = usize::from(share) * 1000;
            assert!(hits.abs_diff(expected) < 500, "{share} %: {hits}");
        }
        assert_eq!(Rng::new(7).below(0), 0);
        assert!((0..100).all(|seed| Rng::new(seed).below(3) < 3));
    }
}
