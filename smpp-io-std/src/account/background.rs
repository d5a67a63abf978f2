//! The background thread of an account: it keeps the time, and writes where a transport takes nothing at present.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smpp_proto::session::Instant;

use super::shared::Shared;
use crate::sync::thread;

/// Starts the background thread. It runs until the account has ended.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let background = thread::Builder::new().name("smpp account".into());
    background.spawn(move || {
        if catch_unwind(AssertUnwindSafe(|| run(&shared))).is_err() {
            // An observer has panicked. End the account, so that no thread waits without limit.
            let end = || shared.with(|state, _| shared.end(state));
            let mut panicked = catch_unwind(AssertUnwindSafe(end)).is_err();
            // A transport may panic as well when it is closed. Each pass has taken a batch of threads off the lists.
            while panicked {
                let wake = || _ = shared.unlock(shared.lock());
                panicked = catch_unwind(AssertUnwindSafe(wake)).is_err();
            }
        }
    })?;
    Ok(())
}

fn run(shared: &Arc<Shared>) {
    // Starts the first connection.
    shared.with(|_, _| ());
    let mut state = shared.lock();
    while !state.router.is_over() {
        let now = shared.now();
        let deadline = state.next_deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            state.advance_clock(now);
            shared.process_and_unlock(state, now);
            state = shared.lock();
        } else if !state.deferred.is_empty() && state.write_left_at.is_some() {
            // A write of deferred output may wait for the transport: what threads have left does not wait for it, nor what they
            // submit meanwhile.
            state = shared.write_output(state, now);
        } else if let Some(index) = state.next_deferred() {
            state.may_leave = false;
            state = shared.write_link(state, index, shared.now());
            state.may_leave = true;
            // Wakes the threads that have something to fetch.
            shared.unlock(state);
            state = shared.lock();
        } else {
            state.background_sleeps_until = deadline;
            state = shared.wait(&shared.background_wakeup, state, deadline);
            // While this thread is awake, it checks the deadlines itself before it sleeps.
            state.background_sleeps_until = Some(Instant::ZERO);
            let now = shared.now();
            shared.dispatch(&mut state, now);
            if state.write_left_at.is_none() {
                state = shared.write_output(state, now);
            }
            shared.unlock(state);
            state = shared.lock();
        }
    }
}
