//! The locks and threads of a session, in one place: the test `schedules` compiles the session's code with those of a
//! schedule explorer instead.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
}

pub(crate) mod thread {
    pub(crate) use std::thread::{Builder, Thread, current, panicking, park, park_timeout};
}
