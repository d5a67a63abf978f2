//! The time, the random numbers and the trace of a simulation.

use smpp_proto::session::Instant;

use super::harness::rng::Rng;
use super::harness::{Recorder, Verbosity};

pub(crate) struct Context {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    pub(crate) recorder: Recorder,
}

impl Context {
    pub(crate) fn new(rng: Rng, verbosity: Verbosity) -> Self {
        Self { rng, now: Instant::ZERO, recorder: Recorder::new(verbosity) }
    }

    pub(crate) fn count(&mut self, what: impl FnOnce() -> String) {
        self.recorder.count(what);
    }

    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        self.recorder.print(self.now, what);
    }
}
