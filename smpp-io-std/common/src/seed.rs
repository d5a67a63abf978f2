//! Seeds for the random numbers of accounts.

use std::hash::{BuildHasher, Hasher, RandomState};

use smpp_proto::account::Options;

/// Returns the options with a random [`seed`](Options::seed), unless they have one.
///
/// The seed comes from the hash keys of the standard library, [`RandomState`]: the operating system gives each thread random
/// keys, and each new state of the thread changes them. So seeds differ between threads, processes and calls, and are spread
/// evenly over 64 bits. They are not made for secrets.
pub fn seeded(options: Options) -> Options {
    let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    options.seed(seed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use smpp_proto::account::Credentials;
    use smpp_proto::provider::Provider;

    use super::*;

    #[test]
    fn seeds_differ_unless_they_are_given() {
        let options = Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED);
        let seed = |seed| seeded(options.clone().seed(seed)).seed.unwrap();
        let seeds: Vec<u64> = (0..1_000).map(|_| seed(None)).collect();
        assert_eq!(seeds.iter().collect::<HashSet<_>>().len(), 1_000);
        let references: HashSet<u16> = seeds.iter().map(|seed| *seed as u16).collect();
        assert!(references.len() > 900, "{} references", references.len());
        assert_eq!((seed(Some(7)), seed(Some(0))), (7, 0));
    }
}
