//! The locks and threads of the explorer, under the names that the session's code uses.

use std::fmt;
use std::sync::{Arc, LockResult};
use std::time::Duration;

pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// A condvar whose short timeouts may pass at any time: see [`thread::NEVER`]. The explorer's own never do.
#[derive(Default)]
pub(crate) struct Condvar(Arc<shuttle::sync::Condvar>);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, shuttle::sync::WaitTimeoutResult)> {
        if timeout < thread::NEVER {
            let condvar = Arc::clone(&self.0);
            shuttle::thread::spawn(move || condvar.notify_all());
        }
        self.0.wait_timeout(guard, timeout)
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
}

pub(crate) mod thread {
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::{Arc, PoisonError};
    use std::time::Duration;

    use shuttle::sync::{Condvar, Mutex};

    use shuttle::sync::atomic::AtomicU8;
    pub(crate) use shuttle::thread::{Builder, ThreadId, yield_now};

    /// How often threads have parked without a token, and woken a parked thread: with the operating system, each is a
    /// system call.
    pub(crate) static SYSTEM_CALLS: AtomicUsize = AtomicUsize::new(0);

    /// Timeouts below this may pass at any time. Longer ones never do: a thread that needs one to go on is a deadlock.
    pub(crate) const NEVER: Duration = Duration::from_millis(100);

    /// A thread that can be parked. The explorer's own `park` also returns by itself, which would hide a lost wake-up.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Thread(Arc<(Mutex<Token>, Condvar)>);

    #[derive(Debug, Default)]
    struct Token {
        is_set: bool,
        /// Whether the thread waits for it.
        is_parked: bool,
    }

    shuttle::thread_local! {
        static CURRENT: Thread = Thread::default();
        static WOKEN: Arc<AtomicU8> = Arc::new(AtomicU8::new(0));
        static REGISTRATIONS: Cell<u32> = Cell::new(0);
        /// Whether the thread unwinds. All threads of the explorer are one of the operating system.
        pub(crate) static PANICKING: Cell<bool> = Cell::new(false);
    }

    pub(crate) fn current_id() -> ThreadId {
        shuttle::thread::current().id()
    }

    pub(crate) fn woken_flag() -> Arc<AtomicU8> {
        WOKEN.with(Arc::clone)
    }

    pub(crate) fn registrations(added: u32) -> u32 {
        REGISTRATIONS.with(|count| {
            count.set(count.get().wrapping_add(added));
            count.get()
        })
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            let mut token = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            token.is_set = true;
            if token.is_parked {
                SYSTEM_CALLS.fetch_add(1, Relaxed);
            }
            drop(token);
            self.0.1.notify_all();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Clone::clone)
    }

    pub(crate) fn park() {
        let Thread(current) = current();
        let mut token = current.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !std::mem::take(&mut token.is_set) {
            SYSTEM_CALLS.fetch_add(1, Relaxed);
            token.is_parked = true;
            token = current.1.wait(token).unwrap_or_else(PoisonError::into_inner);
            token.is_parked = false;
        }
    }

    pub(crate) fn park_timeout(timeout: Duration) {
        if timeout >= NEVER {
            return park();
        }
        let Thread(current) = current();
        let had_token = std::mem::take(&mut current.0.lock().unwrap_or_else(PoisonError::into_inner).is_set);
        if !had_token {
            shuttle::thread::yield_now();
        }
    }

    pub(crate) fn panicking() -> bool {
        PANICKING.with(Cell::get)
    }
}
