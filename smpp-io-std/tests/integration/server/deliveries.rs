//! Deliveries to the binds of an account.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use smpp_proto::server::Delivery;
use smpp_proto::session::{
    CloseReason, Config, Direction, Instant, NotSentReason, ObservedPdu, Observer, RequestError,
    UnansweredReason,
};
use smpp_proto::{BindMode, CommandStatus};
use smpp_std::{BindRegistry, Inbound, Response, ServerLimits};

use crate::common::watched;
use crate::server::support::{TRX, deliver, delivered, esme, event, serve, submit, until};

type Delivering = thread::JoinHandle<Result<Response, RequestError>>;

/// Delivers in a thread of its own, and waits until the delivery is in the queue.
fn delivering(binds: &BindRegistry, text: &[u8]) -> Delivering {
    let before = binds.stats().deliveries;
    let (delivering, text) = (binds.clone(), text.to_vec());
    let thread = thread::spawn(move || delivering.deliver(b"shop", &deliver(&text)));
    until(|| binds.stats().deliveries > before);
    thread
}

#[test]
fn deliveries_are_spread_over_the_receiving_binds() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        let (_transmitter, mut nothing) = esme(address, "shop", BindMode::Transmitter);
        let error = server.deliver(b"shop", &deliver(b"?")).unwrap_err();
        assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind), "a transmitter receives nothing");
        assert!(error.is_safe_to_resend());

        let (_receiver, mut first) = esme(address, "shop", BindMode::Receiver);
        let (_transceiver, mut second) = esme(address, "shop", TRX);
        let (_other, mut other) = esme(address, "other", TRX);
        let sent: Vec<_> = (0..4).map(|number| delivering(server.binds(), &[number])).collect();
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(delivered(&mut first));
            held.push(delivered(&mut second));
        }
        // The status of the ESME is returned.
        held.pop().unwrap().refuse(CommandStatus::RX_P_APPN).unwrap();
        for message in held {
            message.accept().unwrap();
        }
        let outcomes = sent.into_iter().map(|sent| sent.join().unwrap());
        let outcomes: Vec<_> = outcomes.map(|it| it.map_err(|error| error.status()).map(drop)).collect();
        let refused = Err(Some(CommandStatus::RX_P_APPN));
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 1);
        drop(server);
        assert!(other.recv().is_none() && nothing.recv().is_none(), "no other bind received anything");
    });
}

#[test]
fn a_delivery_moves_to_another_bind_only_if_it_never_left() {
    watched(|| {
        let config = Config::default().window(1);
        let (server, address, _test) = serve(ServerLimits::default(), config);
        let (leaving, mut first) = esme(address, "shop", TRX);
        let sent = delivering(server.binds(), b"sent");
        let held = delivered(&mut first);
        // The window is full.
        let waits = delivering(server.binds(), b"waits");
        let (_staying, mut second) = esme(address, "shop", TRX);
        leaving.abort();
        drop(held);
        let closed = UnansweredReason::Closed(CloseReason::Disconnected);
        let error = sent.join().unwrap().unwrap_err();
        assert_eq!(error, RequestError::Unanswered(closed), "the ESME may have it");
        let message = delivered(&mut second);
        assert_eq!(message.get().text(), b"waits");
        message.accept().unwrap();
        waits.join().unwrap().unwrap();
    });
}

#[test]
fn the_application_shares_the_window_with_the_queue() {
    watched(|| {
        let config = Config::default().window(1);
        let (server, address, _test) = serve(ServerLimits::default(), config);
        let (_client, mut inbox) = esme(address, "shop", TRX);
        let bound = server.binds().of(b"shop").remove(0);
        let own = bound.peer().deliver_pipelined(&deliver(b"own")).unwrap();
        let queued = server.queue(b"shop", &deliver(b"queued")).unwrap();
        for text in [&b"own"[..], b"queued"] {
            let message = delivered(&mut inbox);
            assert_eq!(message.get().text(), text);
            message.accept().unwrap();
        }
        own.wait().unwrap();
        assert_eq!(queued.wait().to_string(), "accepted");
    });
}

/// Binds, accepts 20 messages, aborts the connection, and starts again.
fn unstable_receiver(address: SocketAddr, seen: &mpsc::Sender<Vec<u8>>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let (client, mut inbox) = esme(address, "shop", BindMode::Receiver);
        for _ in 0..20 {
            let Some(Inbound::DeliverSm(message)) = inbox.recv() else { break };
            let _ = seen.send(message.get().text().to_vec());
            let _ = message.accept();
        }
        client.abort();
    }
}

#[test]
fn unstable_receivers_get_no_message_twice() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        let (sender, seen) = mpsc::channel();
        let stop = AtomicBool::new(false);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let spawn_receiver = |_| {
                let (sender, stop) = (sender.clone(), &stop);
                scope.spawn(move || unstable_receiver(address, &sender, stop))
            };
            let receivers = [0, 1, 2].map(spawn_receiver);
            let threads: Vec<_> = (0..10_u32)
                .map(|thread| {
                    let server = &server;
                    scope.spawn(move || {
                        let texts = (0..50).map(|number| (thread * 50 + number).to_be_bytes());
                        let deliver_one = |text: [u8; 4]| loop {
                            match server.deliver(b"shop", &deliver(&text)) {
                                // Not sent: safe to deliver again.
                                Err(RequestError::NeverSent(_)) => thread::yield_now(),
                                outcome => return (text, outcome.map(drop)),
                            }
                        };
                        texts.map(deliver_one).collect::<Vec<_>>()
                    })
                })
                .collect();
            let outcomes = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            stop.store(true, Ordering::SeqCst);
            // Nothing more arrives: a receiver that waits ends with its session.
            while receivers.iter().any(|receiver| !receiver.is_finished()) {
                let binds = server.binds().list().into_iter();
                binds
                    .filter(|bound| bound.peer().state().is_bound())
                    .for_each(|bound| drop(bound.peer().abort()));
                thread::yield_now();
            }
            outcomes
        });
        drop(sender);
        let mut times = HashMap::new();
        for text in seen {
            *times.entry(text).or_insert(0) += 1;
        }
        for (text, outcome) in &outcomes {
            let times = times.get(&text[..]).copied().unwrap_or(0);
            match outcome {
                Ok(()) => assert_eq!(times, 1, "{text:?}"),
                Err(RequestError::Unanswered(_)) => assert!(times <= 1, "{text:?} was sent {times} times"),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(outcomes.iter().any(|(_, outcome)| outcome.is_ok()));
    });
}

#[test]
fn an_observer_that_panics_on_a_delivery_leaves_nothing() {
    struct Panics;
    impl Observer for Panics {
        fn observe(&mut self, _: Instant, direction: Direction, _: ObservedPdu<'_>) {
            assert_eq!(direction, Direction::In, "expected panic");
        }
    }
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        let (_shop, mut inbox) = esme(address, "shop", TRX);
        let peer = server.binds().of(b"shop")[0].peer().clone();
        peer.observe(Panics);
        let queued = server.queue(b"shop", Delivery::from(&deliver(b"1")).max_attempts(1)).unwrap();
        let outcome = queued.wait();
        assert!(outcome.to_string().starts_with("sent but not answered"), "{outcome}");
        assert_eq!(server.binds().stats().deliveries, 0);
        peer.observe(());
        drop(server.queue(b"shop", &deliver(b"2")).unwrap());
        while delivered(&mut inbox).get().text() != b"2" {}
    });
}

#[test]
fn an_observer_that_panics_ends_only_its_session() {
    struct Panics;
    impl Observer for Panics {
        fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {
            panic!("expected panic");
        }
    }
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let (panics, _inbox) = esme(address, "panics", TRX);
        let (shop, _inbox) = esme(address, "shop", TRX);
        server.binds().of(b"panics")[0].peer().observe(Panics);
        let error = panics.submit(&submit(b"1")).unwrap_err();
        assert!(matches!(error, RequestError::Unanswered(_)), "{error}");
        let events = test.echo();
        event(&events, "ended panics: aborted");
        assert_eq!(shop.submit(&submit(b"2")).unwrap().message_id(), b"2");
        assert_eq!(server.binds().list().len(), 1);
    });
}
