//! A session that is quiet waits in one read until its next deadline, and keeps the deadlines that are set meanwhile. The
//! transport never returns from such a read by itself: independent of the speed of the machine.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{bind, watched};
use smpp_proto::session::{Config, Esme, UnansweredReason};
use smpp_std::{Duplex, RequestError, start};

#[derive(Default)]
struct State {
    timeout: Duration,
    /// The timeouts of the reads.
    reads: Vec<Duration>,
    closed: bool,
}

/// A transport over which nothing comes. A read of more than ten seconds waits until the transport is closed.
#[derive(Clone, Default)]
struct Silent(Arc<(Mutex<State>, Condvar)>);

impl Duplex for Silent {
    fn receive(&self, _: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().unwrap();
        let timeout = state.timeout;
        state.reads.push(timeout);
        self.0.1.notify_all();
        if timeout > Duration::from_secs(10) {
            drop(self.0.1.wait_while(state, |state| !state.closed).unwrap());
            return Ok(0);
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn transmit(&self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }

    fn transmit_held(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_receive_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.0.lock().unwrap().timeout = timeout.unwrap();
        Ok(())
    }

    fn set_transmit_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.0.lock().unwrap().closed = true;
        self.0.1.notify_all();
        Ok(())
    }
}

#[test]
fn a_quiet_session_waits_in_one_read_and_keeps_the_deadlines_that_are_set_meanwhile() {
    watched(|| {
        let config = Config::default()
            .session_init_timeout(Duration::from_secs(1000))
            .response_timeout(Duration::from_millis(40))
            .enquire_link_interval(None);
        let transport = Silent::default();
        let (client, mut inbox) = start::<Esme, _>(transport.clone(), config).unwrap();
        let receiving = thread::spawn(move || assert!(inbox.recv().is_none()));
        let is_short =
            |state: &mut State| state.reads.last().is_none_or(|wait| *wait < Duration::from_secs(900));
        let state = transport.0.0.lock().unwrap();
        drop(transport.0.1.wait_while(state, is_short).unwrap());
        // The only read waits. The responses time out all the same, each of them.
        for _ in 0..3 {
            let error = client.bind(&bind("secret")).unwrap_err();
            assert_eq!(error, RequestError::Unanswered(UnansweredReason::Timeout));
        }
        let last = *transport.0.0.lock().unwrap().reads.last().unwrap();
        assert!(last > Duration::from_secs(900), "no other thread reads: {last:?}");
        client.abort();
        receiving.join().unwrap();
    });
}
