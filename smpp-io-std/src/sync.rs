//! The locks and threads of sessions and accounts, in one place: the test `schedules` compiles their code with those of a
//! schedule explorer instead.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
}

pub(crate) mod thread {
    pub(crate) use std::thread::{Builder, Thread, current, panicking, park, park_timeout};
}
