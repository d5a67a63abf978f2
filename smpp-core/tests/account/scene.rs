//! What all of a simulation share: the time, chance, and what has happened.

use smpp_core::session::Instant;

use super::harness::rng::Rng;
use super::harness::{Recorder, Verbosity};

pub(crate) struct Scene {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) witness: Recorder,
}

impl Scene {
    pub(crate) fn new(rng: Rng, watch: Verbosity) -> Self {
        Self { rng, now: Instant::ZERO, witness: Recorder::new(watch) }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        self.witness.count(what);
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        self.witness.print(self.now, what);
    }
}
