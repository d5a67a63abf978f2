//! What all of a simulation share: the time, chance, and what has happened.

use std::collections::BTreeMap;

use smpp_core::session::Instant;

use super::rng::Rng;

/// What is looked at besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Nothing,
    /// How often what happens.
    Counts,
    /// Each step.
    Steps,
}

/// How often something happened.
pub(crate) type Coverage = BTreeMap<String, u64>;

pub(crate) struct Scene {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) coverage: Coverage,
    watch: Watch,
}

impl Scene {
    pub(crate) fn new(rng: Rng, watch: Watch) -> Self {
        Self { rng, now: Instant::ZERO, coverage: Coverage::new(), watch }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        if self.watch == Watch::Counts {
            *self.coverage.entry(what()).or_default() += 1;
        }
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.watch == Watch::Steps {
            eprintln!("{:>12} {}", self.now.as_nanos() / 1_000, what());
        }
    }
}
