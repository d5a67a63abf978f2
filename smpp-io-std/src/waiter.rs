//! Parking the current thread until another thread wakes it.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::thread::{self, Thread};

/// How often a thread lets others run before it parks. On a fast connection the response comes meanwhile: then neither the
/// park nor the wake-up needs a system call.
const YIELDS: u32 = 4;

/// A thread that waits, or is about to. It costs no allocation.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    thread: Thread,
    /// Whether the thread was woken since it was registered. It only saves system calls: the wake-up is in the thread's
    /// token for `park`.
    woken: Arc<AtomicU8>,
}

impl Waiter {
    /// Returns the current thread. Store it under the lock that protects what the thread waits for, then call [`park`].
    pub(crate) fn current() -> Self {
        let waiter = Self { thread: thread::current(), woken: thread::woken_flag() };
        waiter.arm();
        waiter
    }

    /// Records that the thread has not been woken since now.
    pub(crate) fn arm(&self) {
        self.woken.store(0, Ordering::Relaxed);
    }

    /// Wakes the thread, also if it has not parked yet. Call it after the lock is released, so that the thread does not
    /// wait for the lock.
    pub(crate) fn wake(&self) {
        self.woken.store(1, Ordering::Release);
        self.thread.unpark();
    }
}

/// Parks the current thread until another thread wakes it, at most for `timeout`. It may return early.
pub(crate) fn park(timeout: Option<Duration>) {
    let woken = thread::woken_flag();
    for _ in 0..YIELDS {
        if woken.load(Ordering::Acquire) != 0 {
            break;
        }
        thread::yield_now();
    }
    match timeout {
        Some(timeout) => thread::park_timeout(timeout),
        None => thread::park(),
    }
}
