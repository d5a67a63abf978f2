//! The thread that reads and keeps time while nobody else does.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use smpp_core::session::Role;

use crate::locked::Keeper;
use crate::shared::Shared;

/// How often it looks, while others do the work, whether they still do: they leave a program for so long without a
/// reader, and what may wait for company for so long unwritten.
const GUARD: Duration = Duration::from_millis(5);

/// Sees to it that the session is never left alone. However it stops, the session has an end, and nobody waits for
/// ever.
pub(crate) struct Watch<R: Role>(pub(crate) Arc<Shared<R>>);

impl<R: Role> Watch<R> {
    /// Runs until the session has ended.
    ///
    /// It leaves the reading to those who wait, from the moment it has read something for one of them, and takes it
    /// up again when nobody has read for a while: a thread that sends and waits, again and again, reads its answers
    /// itself.
    pub(crate) fn run(self) {
        let shared = &self.0;
        shared.keep();
        let mut seen = None;
        let mut core = shared.lock();
        loop {
            core.keeper = Keeper::Busy;
            let idle = seen == Some(core.turns);
            let (next, rests) = if idle { shared.work(core) } else { (shared.write_rest(core), Some(true)) };
            core = next;
            if core.end.is_some() {
                break;
            }
            seen = Some(core.turns);
            let Some(rests) = rests else {
                // Who reads will wake it.
                core.keeper = Keeper::Asleep;
                shared.unlock(core);
                thread::park_timeout(shared.look);
                core = shared.lock();
                seen = None;
                continue;
            };
            if rests {
                core.keeper = Keeper::OnGuard;
                shared.unlock(core);
                thread::park_timeout(GUARD);
                core = shared.lock();
            }
        }
        shared.unlock(core);
    }
}

impl<R: Role> Drop for Watch<R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.with(|core, _| core.abort());
        }
    }
}
