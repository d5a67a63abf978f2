//! Threads for work on a session that may block: an observer runs under the lock of its session, and need not return.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a further thread waits for work before it ends.
const IDLE_TIME: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// One thread that stays, and further ones while there is more work than threads that are free. There are at most as many
/// jobs as connections.
#[derive(Default)]
pub(super) struct Workers {
    queue: Mutex<Queue>,
    added: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// The threads that wait for a job.
    idle: usize,
    is_closed: bool,
}

impl Workers {
    /// Starts the thread that stays until [`close`](Self::close).
    pub(super) fn start() -> io::Result<Arc<Self>> {
        let workers = Arc::new(Self::default());
        workers.spawn(None)?;
        Ok(workers)
    }

    /// A poisoned lock is used as it is: no job runs under it.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the job in a thread that is free, or in a new one. If there can be no new one, it waits for a thread.
    pub(super) fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.lock();
        queue.jobs.push_back(Box::new(job));
        let is_enough = queue.jobs.len() <= queue.idle;
        drop(queue);
        if is_enough {
            self.added.notify_one();
        } else {
            let _ = self.spawn(Some(IDLE_TIME));
        }
    }

    /// Lets the thread that stays end when it has nothing to do.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.added.notify_all();
    }

    fn spawn(self: &Arc<Self>, idle_time: Option<Duration>) -> io::Result<()> {
        let workers = Arc::clone(self);
        let work = move || {
            while let Some(job) = workers.next(idle_time) {
                // A panic of an observer, for example. The job has a guard that reports it.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        };
        thread::Builder::new().name("smpp worker".into()).spawn(work).map(drop)
    }

    /// Waits for a job. Returns `None` if the thread ends.
    fn next(&self, idle_time: Option<Duration>) -> Option<Job> {
        let until = idle_time.map(|idle_time| Instant::now() + idle_time);
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if queue.is_closed || left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            queue.idle += 1;
            queue = match left {
                Some(left) => self.added.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.added.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_job_that_blocks_or_panics_delays_no_other() {
        let workers = Workers::start().unwrap();
        let (release, blocked) = mpsc::channel::<()>();
        let (done, ran) = mpsc::channel();
        workers.run(move || _ = blocked.recv());
        workers.run(|| panic!("expected panic"));
        for number in 0..100 {
            let done = done.clone();
            workers.run(move || done.send(number).unwrap());
        }
        let mut numbers: Vec<_> = ran.iter().take(100).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
        drop(release);
        workers.close();
        let ended = Arc::downgrade(&workers);
        drop(workers);
        while ended.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
