//! The lock of an account. A task that finds it locked lets its thread run other tasks, and is woken when it is released.
//!
//! On a runtime with several threads, a thread that waits for a lock sleeps, and whoever releases the lock has to wake it: that
//! costs more than what either does under the lock. Tasks that are woken instead run on the thread that had the lock,
//! where the account's memory is.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Waker};

/// A value behind a lock. A poisoned lock is used as it is: a call of the account that panics leaves it consistent.
#[derive(Default)]
pub(crate) struct Lock<T> {
    value: Mutex<T>,
    refused: Refused,
}

/// The tasks that have found the lock taken. A task may be there several times.
#[derive(Default)]
struct Refused {
    wakers: Mutex<Vec<Waker>>,
    /// Set after a waker is added.
    any: AtomicBool,
}

/// The locked value. When it is dropped, the tasks are woken that have found the lock taken.
pub(crate) struct Guard<'a, T> {
    // Dropped in this order.
    value: MutexGuard<'a, T>,
    _wake: WakeRefused<'a>,
}

struct WakeRefused<'a>(&'a Refused);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), refused: Refused::default() }
    }

    /// Waits for the lock in the current thread.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.guard(self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the lock, unless another thread has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.value.try_lock() {
            Ok(value) => Some(self.guard(value)),
            Err(TryLockError::Poisoned(poisoned)) => Some(self.guard(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes the lock, unless another thread has it: then the task is woken when that releases it.
    pub(crate) fn poll_lock(&self, cx: &Context<'_>) -> Option<Guard<'_, T>> {
        self.try_lock().or_else(|| {
            self.refused.add(cx.waker().clone());
            // It may have been released before the waker was there to be seen.
            self.try_lock()
        })
    }

    const fn guard<'a>(&'a self, value: MutexGuard<'a, T>) -> Guard<'a, T> {
        Guard { value, _wake: WakeRefused(&self.refused) }
    }
}

impl Refused {
    #[cold]
    fn add(&self, waker: Waker) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
        self.any.store(true, Ordering::Relaxed);
        // Either the next attempt to lock sees the release, or the release sees the flag.
        fence(Ordering::SeqCst);
    }

    #[cold]
    fn wake(&self) {
        // Before the wakers are taken: one that is added later sets it again.
        self.any.store(false, Ordering::SeqCst);
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for WakeRefused<'_> {
    fn drop(&mut self) {
        fence(Ordering::SeqCst);
        if self.0.any.load(Ordering::Relaxed) {
            self.0.wake();
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;
    use std::thread;

    use super::*;
    use crate::wait::tests::{task, woken};

    #[test]
    fn a_task_that_finds_the_lock_taken_is_woken_when_it_is_released() {
        let lock = Lock::new(7);
        let ((first, first_waker), (second, second_waker)) = (task(), task());
        assert_eq!(lock.poll_lock(&Context::from_waker(&first_waker)).as_deref(), Some(&7));
        assert_eq!(woken(&first), 0, "it had the lock");
        let guard = lock.lock();
        for waker in [&first_waker, &second_waker] {
            assert!(lock.poll_lock(&Context::from_waker(waker)).is_none());
        }
        assert_eq!((woken(&first), woken(&second)), (0, 0));
        drop(guard);
        assert_eq!((woken(&first), woken(&second)), (1, 1));
        drop(lock.lock());
        assert_eq!((woken(&first), woken(&second)), (1, 1), "each is woken once");
    }

    #[test]
    fn a_lock_whose_holder_has_panicked_is_used_as_it_is() {
        let lock = Lock::new(7);
        thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _guard = lock.lock();
                panic!("under the lock");
            });
            assert!(panicking.join().is_err());
        });
        assert_eq!(lock.try_lock().as_deref(), Some(&7));
        assert_eq!(*lock.lock(), 7);
    }

    /// If a wake-up were lost, a task would wait for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_wake_up_is_lost_between_threads() {
        let lock = Arc::new(Lock::new(0_u32));
        let tasks = (0..8).map(|_| {
            let lock = Arc::clone(&lock);
            tokio::spawn(async move {
                for _ in 0..2_000 {
                    let count = |cx: &mut Context<'_>| match lock.poll_lock(cx) {
                        Some(mut count) => {
                            *count += 1;
                            Poll::Ready(())
                        }
                        None => Poll::Pending,
                    };
                    poll_fn(count).await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(*lock.lock(), 16_000);
    }
}
