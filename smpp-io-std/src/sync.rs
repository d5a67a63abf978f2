//! The locks and threads of sessions and accounts, in one place: the test `schedules` compiles their code with those of a
//! schedule explorer instead.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
}

pub(crate) mod thread {
    use std::cell::Cell;
    use std::sync::Arc;

    pub(crate) use std::thread::{
        Builder, Thread, ThreadId, current, panicking, park, park_timeout, yield_now,
    };

    use super::atomic::AtomicU8;

    thread_local! {
        static WOKEN: Arc<AtomicU8> = Arc::default();
        static REGISTRATIONS: Cell<u32> = const { Cell::new(0) };
    }

    /// Returns the id of the current thread.
    pub(crate) fn current_id() -> ThreadId {
        current().id()
    }

    /// Returns the flag of the current thread for a wake-up.
    pub(crate) fn woken_flag() -> Arc<AtomicU8> {
        WOKEN.with(Arc::clone)
    }

    /// Adds to the number of times that the current thread was registered to be woken, and returns it. It wraps.
    pub(crate) fn registrations(added: u32) -> u32 {
        let count = REGISTRATIONS.get().wrapping_add(added);
        REGISTRATIONS.set(count);
        count
    }
}
