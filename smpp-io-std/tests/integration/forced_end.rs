//! An end of the session in the middle of a write, over a transport whose write a test holds: independent of the speed of
//! the machine.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{bind, message, octets, watched};
use smpp_proto::session::{CloseReason, Config, Esme, UnansweredReason};
use smpp_proto::{BindMode, BindResp, Pdu};
use smpp_std::{Duplex, NotSentReason, RequestError, start};

/// How a write ends that the test holds.
#[derive(Clone, Copy, Debug)]
enum WriteEnd {
    /// The transport takes all octets.
    Taken,
    /// The transport takes all octets but one.
    TakenInPart,
    Failed,
}

#[derive(Default)]
struct State {
    received: VecDeque<u8>,
    written: usize,
    closed: bool,
    /// Whether the next write waits for its end.
    holds: bool,
    /// Whether a write waits.
    is_writing: bool,
    end: Option<WriteEnd>,
}

/// A transport in memory.
#[derive(Clone, Default)]
struct Held(Arc<(Mutex<State>, Condvar)>);

impl Held {
    /// Waits until the function returns something.
    fn until<T>(&self, mut poll: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.0.0.lock().unwrap();
        loop {
            if let Some(value) = poll(&mut state) {
                self.0.1.notify_all();
                return value;
            }
            state = self.0.1.wait(state).unwrap();
        }
    }

    /// Changes the state.
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }
}

impl Duplex for Held {
    fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        let state = self.0.0.lock().unwrap();
        let is_empty = |state: &mut State| state.received.is_empty() && !state.closed;
        let timeout = Duration::from_millis(100);
        let (mut state, _) = self.0.1.wait_timeout_while(state, timeout, is_empty).unwrap();
        if is_empty(&mut state) { Err(io::ErrorKind::WouldBlock.into()) } else { state.received.read(space) }
    }

    fn transmit(&self, new: &[u8]) -> io::Result<usize> {
        let end = self.until(|state| {
            if !state.holds {
                return Some(WriteEnd::Taken);
            }
            state.is_writing = true;
            // Wakes the test.
            self.0.1.notify_all();
            state.end
        });
        let taken = match end {
            WriteEnd::Taken => new.len(),
            WriteEnd::TakenInPart => new.len() - 1,
            WriteEnd::Failed => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        self.set(|state| state.written += taken);
        Ok(taken)
    }

    fn transmit_held(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_receive_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_transmit_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.set(|state| state.closed = true);
        Ok(())
    }
}

#[test]
fn a_request_that_is_being_written_at_the_end_is_not_reported_as_never_sent() {
    for end in [WriteEnd::Taken, WriteEnd::TakenInPart, WriteEnd::Failed] {
        watched(move || {
            let transport = Held::default();
            let (client, _inbox) = start::<Esme, _>(transport.clone(), Config::default()).unwrap();
            let binding = thread::spawn({
                let client = client.clone();
                move || client.bind(&bind("secret")).map(drop)
            });
            transport.until(|state| (state.written > 0).then_some(()));
            let response = octets(&Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())), 1);
            transport.set(|state| state.received.extend(&response));
            binding.join().unwrap().unwrap();
            transport.set(|state| state.holds = true);
            let submitting = thread::spawn({
                let client = client.clone();
                move || client.submit(&message()).unwrap_err()
            });
            transport.until(|state| state.is_writing.then_some(()));
            // The session has been aborted once the transport is closed. Only then the write ends.
            let aborting = thread::spawn(move || client.abort().reason);
            transport.until(|state| state.closed.then_some(()));
            transport.set(|state| state.end = Some(end));
            let expected = match end {
                WriteEnd::Taken => RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Aborted)),
                WriteEnd::TakenInPart | WriteEnd::Failed => {
                    RequestError::NeverSent(NotSentReason::Closed(CloseReason::Aborted))
                }
            };
            assert_eq!(submitting.join().unwrap(), expected, "{end:?}");
            assert_eq!(aborting.join().unwrap(), CloseReason::Aborted);
        });
    }
}
