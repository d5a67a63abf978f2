//! A connection in memory. A read waits until there are octets, a write takes a few, or none for a while.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread;

use crate::sync::thread::NEVER;
use crate::transport::Duplex;

/// The most octets that one write takes.
const WRITE: usize = 40;

/// One of so many writes takes nothing.
const PAUSE: u32 = 8;

/// Ignores poisoning: while one thread unwinds, each other one that holds a lock seems to.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Pipe {
    pauses: bool,
    octets: Mutex<(VecDeque<u8>, bool)>,
    moved: Condvar,
}

impl Pipe {
    fn close(&self) {
        lock(&self.octets).1 = true;
        self.moved.notify_all();
    }
}

#[derive(Clone)]
pub(crate) struct End {
    from: Arc<Pipe>,
    to: Arc<Pipe>,
    timeout: Arc<Mutex<Duration>>,
}

/// Returns the two ends of a connection. If it `pauses`, some writes take nothing.
pub(crate) fn connection(pauses: bool) -> (End, End) {
    let [one, other] = [(); 2].map(|()| Arc::new(Pipe { pauses, ..Pipe::default() }));
    let end = |from: &Arc<Pipe>, to: &Arc<Pipe>| End {
        from: Arc::clone(from),
        to: Arc::clone(to),
        timeout: Arc::new(Mutex::new(Duration::MAX)),
    };
    (end(&one, &other), end(&other, &one))
}

impl End {
    /// Closes the direction to the other end.
    pub(crate) fn finish(&self) {
        self.to.close();
    }
}

impl Duplex for End {
    fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        let may_wait = *lock(&self.timeout) >= NEVER;
        if !may_wait {
            thread::yield_now();
        }
        let mut octets = lock(&self.from.octets);
        while octets.0.is_empty() && !octets.1 {
            if !may_wait {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            octets = self.from.moved.wait(octets).unwrap_or_else(PoisonError::into_inner);
        }
        octets.0.read(space)
    }

    fn transmit(&self, new: &[u8]) -> io::Result<usize> {
        let mut octets = lock(&self.to.octets);
        if octets.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.to.pauses && thread_rng().gen_range(0..PAUSE) == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = new.len().min(WRITE);
        octets.0.extend(&new[..taken]);
        self.to.moved.notify_all();
        Ok(taken)
    }

    fn transmit_held(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        *lock(&self.timeout) = timeout.unwrap();
        Ok(())
    }

    fn set_transmit_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.from.close();
        self.to.close();
        Ok(())
    }
}
