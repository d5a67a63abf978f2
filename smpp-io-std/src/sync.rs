//! The locks and threads of sessions and accounts, in one place: the test `schedules` compiles their code with those of a
//! schedule explorer instead.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
}

pub(crate) mod thread {
    use std::sync::Arc;

    pub(crate) use std::thread::{
        Builder, Thread, ThreadId, current, panicking, park, park_timeout, yield_now,
    };

    use super::atomic::AtomicU8;

    thread_local! {
        static WOKEN: Arc<AtomicU8> = Arc::default();
    }

    /// Returns the id of the current thread.
    pub(crate) fn current_id() -> ThreadId {
        current().id()
    }

    /// Returns the flag of the current thread for a wake-up.
    pub(crate) fn woken_flag() -> Arc<AtomicU8> {
        WOKEN.with(Arc::clone)
    }
}
