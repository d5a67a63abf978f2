//! The locks and threads of the explorer, under the names that the session's code uses.

pub(crate) use shuttle::sync::{Mutex, MutexGuard};

pub(crate) mod thread {
    use std::cell::Cell;
    use std::time::Duration;

    pub(crate) use shuttle::thread::{Builder, Thread, current, park};

    /// Timeouts below this may pass at any time. Longer ones never do: a thread that needs one to go on is a deadlock.
    pub(crate) const NEVER: Duration = Duration::from_millis(100);

    pub(crate) fn park_timeout(timeout: Duration) {
        if timeout < NEVER { shuttle::thread::yield_now() } else { park() }
    }

    shuttle::thread_local! {
        /// Whether the thread unwinds. All threads of the explorer are one of the operating system.
        pub(crate) static PANICKING: Cell<bool> = Cell::new(false);
    }

    pub(crate) fn panicking() -> bool {
        PANICKING.with(Cell::get)
    }
}
