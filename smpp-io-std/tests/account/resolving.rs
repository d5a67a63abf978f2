//! Resolvers that are slow or hang, and addresses that do not answer.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use smpp_proto::MessageState;
use smpp_proto::account::{Binds, LinkState};
use smpp_std::account::AccountConnector;

use crate::smsc::Server;
#[cfg(target_os = "linux")]
use crate::threads;
use crate::{alone, bound, fast, text, until};

#[test]
fn the_next_address_is_used_if_one_never_answers() {
    alone(|| {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::start("127.0.0.1:0");
        let addresses = [silent.local_addr().unwrap(), server.address];
        let mut options = fast(Binds::transceivers(1));
        options.session.response_timeout = Duration::from_secs(1);
        let connector = AccountConnector::new(&server.endpoint(), options);
        let (account, _arrivals) = connector.resolver(move |_| Ok(addresses.to_vec())).connect().unwrap();
        assert_eq!(account.send(&text("Hello")).unwrap().receipt(), Ok(MessageState::DELIVERED));
    });
}

#[test]
fn a_resolver_that_hangs_times_out_and_does_not_delay_the_shutdown() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let address = server.address;
        let (gate, passed) = mpsc::channel::<()>();
        let passed = Mutex::new(passed);
        let options = fast(Binds::transceivers(2)).connect_timeout(Duration::from_millis(50));
        let connector = AccountConnector::new(&server.endpoint(), options).resolver(move |_| {
            // Once the gate is dropped, this returns at once.
            let _ = passed.lock().unwrap().recv();
            Ok(vec![address])
        });
        let (account, _arrivals) = connector.start().unwrap();
        let mut events = account.events().map(|event| event.to_string());
        let mut next_is_failure =
            || events.next().unwrap().starts_with("link 0: cannot resolve the host: timed out;");
        for _ in 0..3 {
            assert!(next_is_failure());
        }
        #[cfg(target_os = "linux")]
        assert_eq!(threads(), 2, "one thread for the connection, after any number of attempts");
        // The next attempt waits until the resolver returns.
        until(|| account.links()[0].1 == LinkState::Resolving);
        gate.send(()).unwrap();
        assert!(next_is_failure(), "a late result is dropped");
        let other = account.clone();
        assert_eq!(account.shutdown(Duration::ZERO), []);
        assert!(other.closed_until(Instant::now()));
        drop(gate);
    });
}

#[test]
fn a_slow_resolver_of_one_connection_delays_no_other() {
    alone(|| {
        let server = Server::start("127.0.0.1:0");
        let address = server.address;
        let (gate, passed) = mpsc::channel::<()>();
        let passed = Mutex::new(passed);
        let asked = AtomicU64::new(0);
        let connector = AccountConnector::new(&server.endpoint(), fast(Binds::transceivers(3)));
        let connector = connector.resolver(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) == 1 {
                let _ = passed.lock().unwrap().recv();
            }
            Ok(vec![address])
        });
        let (account, _arrivals) = connector.connect().unwrap();
        until(|| bound(&account) == 2);
        assert!(account.links().iter().any(|(_, state, _)| *state == LinkState::Resolving));
        drop(gate);
        until(|| bound(&account) == 3);
    });
}
