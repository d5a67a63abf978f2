//! Handles and inboxes over loopback: several threads use one session.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{bind, message, watched};
use smpp_proto::session::{CloseReason, Config, Esme, Rate, Smsc, UnansweredReason};
use smpp_proto::{AlertNotification, COctets, CommandId, CommandStatus, DeliverSm, SubmitSmResp};
use smpp_std::{Client, DeadlineError, End, Inbound, Inbox, Peer, RequestError, start};

/// Starts a session on each end of a connection, and binds the ESME.
fn pair(esme: Config, smsc: Config) -> ((Client, Inbox<Esme>), (Peer, Inbox<Smsc>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let here = listener.accept().unwrap().0;
    there.set_nodelay(true).unwrap();
    here.set_nodelay(true).unwrap();
    let (client, inbox) = start::<Esme, _>(there, esme).unwrap();
    let (peer, mut requests) = start::<Smsc, _>(here, smsc).unwrap();
    let binding = thread::spawn(move || {
        client.bind(&bind("secret")).unwrap();
        (client, inbox)
    });
    let Some(Inbound::Bind(request)) = requests.recv() else { panic!("no bind") };
    request.accept().unwrap();
    (binding.join().unwrap(), (peer, requests))
}

/// Accepts messages until the session ends. The message id is the text of the message.
fn serve(mut requests: Inbox<Smsc>) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut served = 0;
        while let Some(inbound) = requests.recv() {
            let Inbound::SubmitSm(message) = inbound else { continue };
            let text = message.get().short_message.as_bytes().to_vec();
            let message_id = COctets::new(&text).unwrap();
            message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
            served += 1;
        }
        served
    })
}

#[test]
fn many_threads_share_a_session() {
    watched(|| {
        let ((client, inbox), (peer, requests)) = pair(Config::default().window(7), Config::default());
        let serving = serve(requests);
        let threads: Vec<_> = (0..12)
            .map(|thread| {
                let client = client.clone();
                thread::spawn(move || {
                    for number in 0..200 {
                        let text = format!("{thread}-{number}");
                        let message = crate::common::text(text.as_bytes());
                        assert_eq!(client.submit(&message).unwrap().message_id(), text.as_bytes());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(inbox);
        assert_eq!(client.unbind().reason, CloseReason::Unbound);
        assert_eq!(serving.join().unwrap(), 12 * 200);
        assert_eq!(peer.closed().reason, CloseReason::PeerUnbound);
    });
}

#[test]
fn each_pending_response_has_its_own_outcome_in_any_order() {
    watched(|| {
        let ((client, _inbox), (_peer, requests)) = pair(Config::default().window(50), Config::default());
        serve(requests);
        for _ in 0..20 {
            let mut pending: Vec<_> = (0..120)
                .map(|number| {
                    let text = number.to_string();
                    (client.submit_pipelined(&crate::common::text(text.as_bytes())).unwrap(), text)
                })
                .collect();
            pending.reverse();
            for (pending, text) in pending {
                assert_eq!(pending.wait().unwrap().message_id(), text.as_bytes());
            }
        }
    });
}

#[test]
fn a_pending_response_completes_while_no_thread_waits() {
    watched(|| {
        let ((client, _inbox), (_peer, requests)) = pair(Config::default(), Config::default());
        serve(requests);
        let mut pending = client.submit_pipelined(&message()).unwrap();
        loop {
            match pending.try_outcome() {
                Ok(answer) => break assert!(answer.is_ok()),
                Err(still_pending) => pending = still_pending,
            }
            thread::yield_now();
        }
    });
}

#[test]
fn a_deadline_returns_the_pending_response() {
    watched(|| {
        let config = Config::default().window(1);
        let ((client, _inbox), (_peer, mut requests)) = pair(config, Config::default());
        let soon = || Instant::now() + Duration::from_millis(30);
        let Err(DeadlineError::InFlight(pending)) = client.submit_until(&message(), soon()) else {
            panic!("answered")
        };
        let Err(DeadlineError::NeverSent) = client.submit_until(&message(), soon()) else {
            panic!("the window is full")
        };
        let pending = pending.wait_until(soon()).unwrap_err();
        let Some(Inbound::SubmitSm(request)) = requests.recv() else { panic!() };
        request.refuse(CommandStatus::RTHROTTLED).unwrap();
        assert_eq!(pending.wait().unwrap_err().status(), Some(CommandStatus::RTHROTTLED));
    });
}

#[test]
fn requests_arrive_in_order_and_are_answered_in_any_thread() {
    watched(|| {
        let ((_client, mut inbox), (peer, _requests)) = pair(Config::default(), Config::default());
        let (sender, receiver) = mpsc::channel();
        let answering = thread::spawn(move || {
            while let Some(Inbound::DeliverSm(delivery)) = inbox.recv() {
                sender.send(delivery).unwrap();
            }
        });
        let pending: Vec<_> =
            (0..10).map(|_| peer.deliver_pipelined(&DeliverSm::default()).unwrap()).collect();
        let deliveries: Vec<_> = (0..10).map(|_| receiver.recv().unwrap()).collect();
        let sequences: Vec<_> =
            deliveries.iter().map(|delivery| delivery.frame().header().sequence.0).collect();
        assert!(sequences.is_sorted());
        for delivery in deliveries.into_iter().rev() {
            delivery.accept().unwrap();
        }
        for pending in pending {
            drop(pending.wait().unwrap());
        }
        assert_eq!(peer.unbind().reason, CloseReason::Unbound);
        answering.join().unwrap();
    });
}

#[test]
fn a_request_that_is_dropped_is_refused_with_a_temporary_error() {
    watched(|| {
        let ((_client, mut inbox), (peer, _requests)) = pair(Config::default(), Config::default());
        let refused = Err(Some(CommandStatus::RX_T_APPN));
        let status = |answer: Result<smpp_std::Response, RequestError>| {
            answer.map(drop).map_err(|error| error.status())
        };
        let pending = peer.deliver_pipelined(&DeliverSm::default()).unwrap();
        drop(inbox.recv().unwrap());
        assert_eq!(status(pending.wait()), refused);
        // Also a request that waits in the inbox when the inbox is dropped, and a later one.
        let pending = peer.deliver_pipelined(&DeliverSm::default()).unwrap();
        while peer.stats().sent.total().requests < 2 {}
        drop(inbox);
        assert_eq!(status(pending.wait()), refused);
        assert_eq!(status(peer.deliver(&DeliverSm::default())), refused);
    });
}

#[test]
fn dropping_the_last_handle_unbinds() {
    watched(|| {
        let ((client, inbox), (peer, requests)) = pair(Config::default(), Config::default());
        let clone = client.clone();
        drop(client);
        drop(inbox);
        assert!(clone.state().is_bound());
        drop(clone);
        drop(requests);
        assert_eq!(peer.closed().reason, CloseReason::PeerUnbound);
    });
}

#[test]
fn the_end_of_the_session_wakes_every_waiting_thread() {
    watched(|| {
        let ((client, mut inbox), (_peer, mut requests)) =
            pair(Config::default().window(1), Config::default());
        let submitting = [client.clone(), client.clone(), client.clone()]
            .map(|client| thread::spawn(move || client.submit(&message()).unwrap_err()));
        let receiving = thread::spawn(move || inbox.recv().is_none());
        let waiting = client.clone();
        let waiting = thread::spawn(move || waiting.closed());
        let request = requests.recv().unwrap();
        let End { reason, .. } = client.abort();
        assert_eq!(reason, CloseReason::Aborted);
        assert_eq!(waiting.join().unwrap().reason, CloseReason::Aborted);
        assert!(receiving.join().unwrap());
        let errors = submitting.map(|thread| thread.join().unwrap());
        let unanswered = RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Aborted));
        assert_eq!(errors.iter().filter(|error| **error == unanswered).count(), 1);
        assert_eq!(errors.iter().filter(|error| error.is_safe_to_resend()).count(), 2);
        drop(request);
    });
}

#[test]
fn threads_share_the_rate_limit() {
    watched(|| {
        let config = Config::default().rate(Rate::per_second(50));
        let ((client, _inbox), (_peer, requests)) = pair(config, Config::default());
        serve(requests);
        let began = Instant::now();
        let threads = [client.clone(), client.clone(), client.clone(), client].map(|client| {
            thread::spawn(move || {
                client.submit(&message()).unwrap();
                client.submit_pipelined(&message()).unwrap().wait().unwrap();
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(began.elapsed() >= Duration::from_millis(133), "seven intervals of 20.16 ms, less 8 ms");
    });
}

#[test]
fn a_request_that_reaches_its_deadline_leaves_the_queue() {
    watched(|| {
        let config = Config::default().window(1);
        let ((client, _inbox), (_peer, mut requests)) = pair(config, Config::default());
        let first = client.submit_pipelined(&message()).unwrap();
        let waiting = client.clone();
        let waiting = thread::spawn(move || waiting.submit(&crate::common::text(b"second")).map(drop));
        // It may be ahead of the other thread in the queue, or behind it.
        let soon = Instant::now() + Duration::from_millis(30);
        assert!(matches!(client.submit_until(&message(), soon), Err(DeadlineError::NeverSent)));
        for _ in 0..2 {
            let Some(Inbound::SubmitSm(request)) = requests.recv() else { panic!() };
            request.accept().unwrap();
        }
        first.wait().unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(()));
        assert_eq!(client.stats().sent.of(smpp_proto::session::Kind::Message).requests, 2);
    });
}

#[test]
fn a_notification_arrives_and_needs_no_response() {
    watched(|| {
        let ((_client, mut inbox), (peer, _requests)) = pair(Config::default(), Config::default());
        peer.notify(&AlertNotification::default()).unwrap();
        let Some(Inbound::Notification(frame)) = inbox.recv() else { panic!() };
        assert_eq!(frame.header().command, CommandId::ALERT_NOTIFICATION);
        let soon = Instant::now() + Duration::from_millis(10);
        assert!(inbox.recv_until(soon).unwrap().is_none());
        peer.abort();
        let end = inbox.recv_until(Instant::now() + Duration::from_secs(20)).unwrap_err();
        assert_eq!(end.reason, CloseReason::Disconnected);
    });
}
