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
    /// Whether the thread was woken since it was registered. The thread's token for `park` does not say so: a transport or
    /// an observer of the application may have consumed it.
    woken: Arc<AtomicU8>,
}

/// Says which registration of the current thread is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration(u32);

impl Registration {
    /// Returns the last registration of the current thread. Call it before anything of the application runs.
    pub(crate) fn last() -> Self {
        Self(thread::registrations(0))
    }

    /// Registers the current thread once more, under the lock that protects what it waits for: see [`Waiter::arm`].
    pub(crate) fn renew() -> Self {
        thread::woken_flag().store(0, Ordering::Relaxed);
        Self(thread::registrations(1))
    }
}

impl Waiter {
    /// Returns the current thread. Store it under the lock that protects what the thread waits for, then call [`park`].
    pub(crate) fn current() -> Self {
        let waiter = Self { thread: thread::current(), woken: thread::woken_flag() };
        waiter.arm();
        waiter
    }

    /// Registers the current thread, whose waiter this is, once more: it has not been woken since now.
    pub(crate) fn arm(&self) {
        self.woken.store(0, Ordering::Relaxed);
        thread::registrations(1);
    }

    /// Wakes the thread, also if it has not parked yet. Call it after the lock is released, so that the thread does not
    /// wait for the lock.
    pub(crate) fn wake(&self) {
        self.woken.store(1, Ordering::Release);
        self.thread.unpark();
    }
}

/// Parks the current thread until another thread wakes it, at most for `timeout`. It may return early.
///
/// Between its `registration` and this call the thread may have run code of the application, which may park as well, and may
/// even wait for another session or account. Then the wake-up is no longer in the thread's token.
pub(crate) fn park(registration: Registration, timeout: Option<Duration>) {
    if registration != Registration::last() {
        // The thread has waited for something else since, and its flag says nothing of this registration: look again.
        return;
    }
    let woken = thread::woken_flag();
    for _ in 0..YIELDS {
        if woken.load(Ordering::Acquire) != 0 {
            break;
        }
        thread::yield_now();
    }
    if woken.load(Ordering::Acquire) != 0 {
        // Consumes the token if it is still there, so that a later call does not return early.
        return thread::park_timeout(Duration::ZERO);
    }
    match timeout {
        Some(timeout) => thread::park_timeout(timeout),
        None => thread::park(),
    }
}
