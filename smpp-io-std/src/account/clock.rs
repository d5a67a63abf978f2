//! The thread that keeps the account's time, and writes where a transport takes nothing for now.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{io, thread};

use smpp_core::session::Instant;

use super::shared::Shared;

/// Starts it. It runs until the account is over.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let clock = thread::Builder::new().name("smpp account".into());
    clock.spawn(move || {
        if catch_unwind(AssertUnwindSafe(|| run(&shared))).is_err() {
            // In what is told of the connections. Nobody waits for ever.
            shared.with(|inner, _| inner.end(&shared));
        }
    })?;
    Ok(())
}

fn run(shared: &Arc<Shared>) {
    // It wants its first bind.
    shared.with(|_, _| ());
    let mut turn = 0;
    let mut inner = shared.lock();
    while !inner.desk.is_over() {
        let now = shared.now();
        let deadline = inner.deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            inner.keep_time(&shared.connector, now);
            shared.see_to(inner);
            inner = shared.lock();
        } else if let Some(index) = inner.next_left(turn) {
            turn = index + 1;
            inner = shared.write(inner, index).0;
        } else {
            inner.sleeps_until = deadline;
            inner = shared.wait(&shared.changed, inner, deadline);
            // While it is awake it looks by itself before it sleeps.
            inner.sleeps_until = Some(Instant::ZERO);
            shared.see_to(inner);
            inner = shared.lock();
        }
    }
}
