//! The lines for people: a thread prints them, so that nothing else waits for who reads the standard output.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;

/// The most lines that wait to be printed.
const MAX_LINES: usize = 1024;

/// The most octets of the lines that wait to be printed.
const MAX_OCTETS: usize = 1 << 20;

/// How long the end of the command waits for the lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// Prints lines in a thread. Lines that nobody reads are left out and counted. Dropping it prints what waits, within a second.
pub(super) struct Printer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// The lines that wait.
#[derive(Default)]
struct Queue {
    lines: VecDeque<String>,
    octets: usize,
    /// Lines that the thread prints, or reports as left out.
    in_hand: u64,
    /// Lines after these that were left out. While there are any, further ones are left out too.
    left_out: u64,
    /// No more lines are added.
    is_closed: bool,
    /// The thread has ended, or cannot print any more.
    has_ended: bool,
}

impl Printer {
    /// Starts the thread, which prints to the standard output.
    pub(super) fn start() -> Result<Self, Failure> {
        let shared = Arc::new(Shared::default());
        let printing = Arc::clone(&shared);
        let thread = thread::Builder::new().spawn(move || printing.print(&mut io::stdout()));
        thread.map_err(|error| Failure::other(format_args!("cannot start a thread: {error}")))?;
        Ok(Self(shared))
    }

    /// Adds a line. Never waits for the standard output.
    pub(super) fn line(&self, line: String) {
        self.0.lock().push(line);
        self.0.changed.notify_all();
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        let Self(shared) = self;
        shared.lock().is_closed = true;
        shared.changed.notify_all();
        let waited = shared.changed.wait_timeout_while(shared.lock(), PATIENCE, |queue| !queue.has_ended);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !queue.has_ended {
            eprintln!("{}", notice(queue.in_hand + queue.lines.len() as u64 + queue.left_out));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints until the queue is closed and empty, or the output is closed.
    fn print(&self, out: &mut impl Write) {
        // The lock is not held while it prints. A closed pipe (`| head`) is no failure.
        while let Some(line) = self.next() {
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                break;
            }
        }
        self.lock().end();
        self.changed.notify_all();
    }

    /// Waits for the next line. `None` if no more will come.
    fn next(&self) -> Option<String> {
        let mut queue = self.lock();
        loop {
            let next = queue.pop();
            if next.is_some() || queue.is_closed {
                return next;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queue {
    fn push(&mut self, line: String) {
        if self.has_ended {
            return;
        }
        let is_full = self.lines.len() >= MAX_LINES || self.octets + line.len() > MAX_OCTETS;
        if is_full || self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        self.octets += line.len();
        self.lines.push_back(line);
    }

    /// Returns the next line, or how many were left out here.
    fn pop(&mut self) -> Option<String> {
        let Some(line) = self.lines.pop_front() else {
            self.in_hand = std::mem::take(&mut self.left_out);
            return (self.in_hand > 0).then(|| notice(self.in_hand));
        };
        self.in_hand = 1;
        self.octets -= line.len();
        Some(line)
    }

    /// Nothing is printed any more.
    fn end(&mut self) {
        *self = Self { has_ended: true, ..Self::default() };
    }
}

fn notice(left_out: u64) -> String {
    format!("... {left_out} lines left out: the output is not read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_in_lines_and_octets() {
        for (length, fits) in [(1, MAX_LINES), (MAX_OCTETS / 4, 4)] {
            let mut queue = Queue::default();
            let line = "x".repeat(length);
            for _ in 0..fits + 7 {
                queue.push(line.clone());
            }
            assert_eq!((queue.lines.len(), queue.octets, queue.left_out), (fits, fits * length, 7));
            // The gap stays one, and in its place.
            assert_eq!(queue.pop().as_ref(), Some(&line));
            queue.push(line.clone());
            for _ in 1..fits {
                assert_eq!(queue.pop().as_ref(), Some(&line));
            }
            assert_eq!(queue.pop().unwrap(), "... 8 lines left out: the output is not read");
            assert_eq!((queue.pop(), queue.octets), (None, 0));
            queue.push(line.clone());
            assert_eq!(queue.pop(), Some(line));
        }
    }

    #[test]
    fn a_closed_output_keeps_nothing() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let shared = Shared::default();
        shared.lock().push("one".into());
        shared.lock().push("two".into());
        shared.print(&mut Closed);
        let mut queue = shared.lock();
        queue.push("three".into());
        assert!(queue.has_ended && queue.lines.is_empty() && queue.left_out == 0);
    }
}
