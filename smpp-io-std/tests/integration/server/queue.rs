//! The delivery queue of an account, and the events of the server.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use smpp_proto::server::{DeliverError, Delivery, DeliveryOptions, Event};
use smpp_proto::session::{Config, NotSentReason, RequestError};
use smpp_proto::{BindMode, CommandStatus};
use smpp_std::account::Ended;
use smpp_std::{Events, QueuedDelivery, ServerLimits};

use crate::common::watched;
use crate::server::support::{
    TIMEOUT, TRX, bind, connect, deliver, delivered, delivered_until, esme, serve, until,
};

fn next(events: &mut Events, kind: &str) -> Event {
    loop {
        let event = events.recv_until(Instant::now() + TIMEOUT).expect("the server runs");
        let event = event.unwrap_or_else(|| panic!("no event: {kind}"));
        if event.kind() == kind {
            return event;
        }
    }
}

#[test]
fn a_queued_delivery_waits_for_a_bind_and_survives_its_end() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        let queued = server.queue(b"shop", &deliver(b"first")).unwrap();
        assert_eq!(server.binds().stats().deliveries, 1);
        let (client, mut inbox) = esme(address, "shop", BindMode::Receiver);
        let message = delivered(&mut inbox);
        assert_eq!(message.get().text(), b"first");
        client.abort();
        drop(message);
        // A temporary error sends it to the other bind, whichever is first.
        let (_second, second) = esme(address, "shop", TRX);
        let (_third, third) = esme(address, "shop", TRX);
        let mut inboxes = [second, third];
        let mut refused = HashSet::new();
        while refused.len() < 2 {
            for (number, inbox) in inboxes.iter_mut().enumerate() {
                let soon = Instant::now() + Duration::from_millis(5);
                let Some(message) = delivered_until(inbox, soon) else { continue };
                if refused.is_empty() {
                    message.refuse(CommandStatus::RX_T_APPN).unwrap();
                } else {
                    message.accept().unwrap();
                }
                assert!(refused.insert(number), "the same bind twice");
            }
        }
        assert_eq!(queued.wait().to_string(), "accepted");
        assert_eq!(server.binds().stats().counters.deliveries_accepted, 1);
    });
}

#[test]
fn the_first_bind_gets_what_waits() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        for round in 0..50 {
            let account = format!("shop{round}");
            let queue = |_| server.queue(account.as_bytes(), &deliver(b"first")).unwrap();
            let queued: Vec<_> = (0..10).map(queue).collect();
            let (client, mut inbox) = esme(address, &account, TRX);
            for _ in 0..queued.len() {
                delivered(&mut inbox).accept().unwrap();
            }
            for queued in queued {
                assert_eq!(queued.wait().to_string(), "accepted");
            }
            client.unbind();
        }
    });
}

#[test]
fn many_deliveries_reach_their_binds_in_order() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        let (_client, mut inbox) = esme(address, "shop", TRX);
        let texts: Vec<_> = (0..500_u32).map(u32::to_be_bytes).collect();
        let queue = |text: &[u8; 4]| server.queue(b"shop", &deliver(text)).unwrap();
        let queued: Vec<_> = texts.iter().map(queue).collect();
        for text in &texts {
            let message = delivered(&mut inbox);
            assert_eq!(message.get().text(), text);
            message.accept().unwrap();
        }
        assert!(
            queued.into_iter().map(QueuedDelivery::wait).all(|outcome| outcome.to_string() == "accepted")
        );
    });
}

#[test]
fn a_full_queue_refuses_and_makes_deliver_wait() {
    watched(|| {
        let deliveries = DeliveryOptions::default().capacity(1).octets(100);
        let limits = ServerLimits::default().deliveries(deliveries);
        let (server, address, _test) = serve(limits, Config::default());
        let (client, mut inbox) = esme(address, "shop", TRX);
        let queued = server.queue(b"shop", &deliver(b"1")).unwrap();
        assert_eq!(server.queue(b"shop", &deliver(b"2")).err(), Some(DeliverError::Full));
        let large = server.deliver(b"shop", &deliver(&[b'3'; 100])).unwrap_err();
        assert_eq!(large, RequestError::NeverSent(NotSentReason::TooLong));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| server.deliver(b"shop", &deliver(b"3")));
            delivered(&mut inbox).accept().unwrap();
            assert_eq!(queued.wait().to_string(), "accepted");
            let message = delivered(&mut inbox);
            assert_eq!(message.get().text(), b"3");
            message.refuse(CommandStatus::RX_T_APPN).unwrap();
            let error = waiting.join().unwrap().unwrap_err();
            assert_eq!(error.status(), Some(CommandStatus::RX_T_APPN), "`deliver` sends once");
        });
        // It stays in the queue. Without a bind, none waits for its place.
        drop(server.queue(b"shop", &deliver(b"4")).unwrap());
        let message = delivered(&mut inbox);
        thread::scope(|scope| {
            let (begin, begun) = mpsc::channel();
            let waiting = scope.spawn(move || {
                begin.send(()).unwrap();
                server.deliver(b"shop", &deliver(b"5"))
            });
            begun.recv().unwrap();
            client.abort();
            drop(message);
            let error = waiting.join().unwrap().unwrap_err();
            assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind));
        });
    });
}

#[test]
fn queued_deliveries_end_with_the_server() {
    watched(|| {
        let (server, _address, _test) = serve(ServerLimits::default(), Config::default());
        let queued = server.queue(b"shop", &deliver(b"1")).unwrap();
        let early = queued.wait_until(Instant::now() + Duration::from_millis(1)).unwrap_err();
        let expiring = Delivery::from(&deliver(b"2")).max_age(Duration::from_millis(1));
        let expiring = server.queue(b"shop", expiring).unwrap();
        assert_eq!(expiring.wait().to_string(), "not sent: no bind in time");
        let binds = server.binds().clone();
        server.shutdown(TIMEOUT);
        assert_eq!(early.wait().to_string(), "not sent: the server shut down");
        assert_eq!(binds.queue(b"shop", &deliver(b"3")).err(), Some(DeliverError::ShutDown));
    });
}

#[test]
fn events_are_one_ordered_stream() {
    watched(|| {
        let (server, address, test) = serve(ServerLimits::default(), Config::default());
        let _echo = test.echo();
        let mut events = server.binds().events();
        let (client, _inbox) = esme(address, "shop", TRX);
        let (guesser, _inbox) = connect(address);
        bind(&guesser, "shop", "guessed", TRX).unwrap_err();
        guesser.closed();
        until(|| server.binds().stats().counters.not_bound == 1);
        client.unbind();
        until(|| server.binds().stats().counters.ended == 1);
        let binds = server.binds().clone();
        server.shutdown(TIMEOUT);
        let kinds: Vec<_> = std::iter::from_fn(|| events.recv()).map(|event| event.kind()).collect();
        let expected = ["connected", "bound", "connected", "bind_refused", "not_bound", "ended", "closed"];
        assert_eq!(kinds, expected);
        assert_eq!(events.recv_until(Instant::now()), Err(Ended), "it was the last event");
        assert_eq!(binds.events().recv(), None);
    });
}

#[test]
fn each_receiver_gets_every_event() {
    watched(|| {
        let (server, address, _test) = serve(ServerLimits::default(), Config::default());
        let mut receivers = [(); 2].map(|()| server.binds().events());
        assert_eq!(receivers[0].recv_until(Instant::now()), Ok(None));
        let (_client, _inbox) = esme(address, "shop", TRX);
        for events in &mut receivers {
            let bound = next(events, "bound");
            assert!(bound.to_string().contains("shop bound as transceiver"), "{bound}");
        }
    });
}
