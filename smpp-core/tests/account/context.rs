//! The time, the random numbers and the trace of a simulation.

use smpp_core::session::Instant;

use super::harness::rng::Rng;
use super::harness::{Watch, Witness};

pub(crate) struct Context {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) witness: Witness,
}

impl Context {
    pub(crate) fn new(rng: Rng, watch: Watch) -> Self {
        Self { rng, now: Instant::ZERO, witness: Witness::new(watch) }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        self.witness.count(what);
    }

    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        self.witness.tell(self.now, what);
    }
}
