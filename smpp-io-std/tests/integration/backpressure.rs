//! A peer that sends more requests than the application has answered: bursts, and a peer that closes its side of the
//! connection before it reads the responses.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::common::reads::{Reads, Reported};
use crate::common::{RawPeer, account, account_options as options, bind, message, messages, octets, watched};
use smpp_proto::session::{self, CloseReason, Config, Direction, Esme, ObservedPdu, Observer, Smsc};
use smpp_proto::{
    BindMode, BindResp, CommandId, CommandStatus, DeliverSm, EsmClass, Pdu, ShortMessage, SubmitSmResp,
};
use smpp_std::account::{Arrival, Arrivals};
use smpp_std::{
    Admission, BindRequest, BoundSession, Connection, Duplex, HandleRoute, Inbound, Listener, Server,
    ServerStream, Service, start,
};

const SECOND: Duration = Duration::from_secs(1);
const BURST: u32 = 3_000;

/// Accepts each message: at once, or once the peer has closed its side.
struct Accepting {
    waits_for_end: bool,
    reads: Arc<Reads>,
}

impl Accepting {
    fn new(waits_for_end: bool) -> Self {
        Self { waits_for_end, reads: Arc::default() }
    }
}

impl Service for Accepting {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        if self.waits_for_end {
            self.reads.wait_until(|state| state.is_ended);
        }
        message.respond(Ok(SubmitSmResp::default())).unwrap();
    }

    fn transport(&self, stream: ServerStream) -> Box<dyn Duplex> {
        Box::new(Reported(stream, Arc::clone(&self.reads)))
    }
}

fn server(service: impl Service, config: Config) -> (Server, RawPeer) {
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    let server = Server::builder(service).listen(listener).start().unwrap();
    let peer = RawPeer::new(TcpStream::connect(server.local_addrs()[0]).unwrap());
    (server, peer)
}

fn sockets() -> (TcpStream, RawPeer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, RawPeer::new(there))
}

/// Binds over the socket.
fn bind_esme(peer: &mut RawPeer) {
    peer.tcp.write_all(&octets(&Pdu::Bind(bind("secret")), 1)).unwrap();
    assert_eq!(peer.read(), Some((CommandId::BIND_TRANSCEIVER_RESP, CommandStatus::ROK)));
}

/// Runs an SMSC over the socket in a thread: with a handle, or in one thread. It accepts each request.
fn smsc(tcp: TcpStream, config: Config, uses_handle: bool) -> thread::JoinHandle<CloseReason> {
    tcp.set_nodelay(true).unwrap();
    if uses_handle {
        let (handle, mut inbox) = start::<Smsc, _>(tcp, config).unwrap();
        return thread::spawn(move || {
            while let Some(inbound) = inbox.recv() {
                match inbound {
                    Inbound::Bind(bind) => bind.accept().unwrap(),
                    Inbound::SubmitSm(message) => message.accept().unwrap(),
                    other => drop(other),
                }
            }
            handle.closed().reason
        });
    }
    let mut connection = Connection::<Smsc, _>::new(tcp, config).unwrap();
    thread::spawn(move || {
        loop {
            let _ = match connection.recv(None) {
                Ok(Some(Inbound::Bind(bind))) => connection.accept(bind),
                Ok(Some(Inbound::SubmitSm(message))) => connection.accept(message),
                Ok(_) => panic!("another request"),
                Err(end) => return end.reason,
            };
        }
    })
}

fn receipt() -> Pdu<'static> {
    Pdu::DeliverSm(DeliverSm {
        esm_class: EsmClass::from_bits_retain(4),
        short_message: ShortMessage::new(b"id:1 stat:DELIVRD err:000").unwrap(),
        ..DeliverSm::default()
    })
}

/// Acknowledges every arrival.
fn acknowledge_all(mut arrivals: Arrivals) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut count = 0;
        while let Some(arrival) = arrivals.recv() {
            match arrival {
                Arrival::Receipt(receipt) => receipt.accept().unwrap(),
                Arrival::Message(message) => message.accept().unwrap(),
                _ => continue,
            }
            count += 1;
        }
        count
    })
}

#[test]
fn responses_reach_a_peer_that_has_closed_its_side() {
    for uses_handle in [true, false] {
        watched(move || {
            for round in 0..100 {
                let (tcp, mut peer) = sockets();
                let smsc = smsc(tcp, Config::default(), uses_handle);
                bind_esme(&mut peer);
                peer.tcp.write_all(&messages(&Pdu::SubmitSm(message()), 5)).unwrap();
                peer.tcp.shutdown(Shutdown::Write).unwrap();
                let statuses = peer.statuses(CommandId::SUBMIT_SM_RESP, 6);
                assert_eq!(statuses, [CommandStatus::ROK; 5], "round {round}, handle {uses_handle}");
                assert_eq!(smsc.join().unwrap(), CloseReason::Disconnected);
            }
        });
    }
}

#[test]
fn a_service_answers_a_peer_that_has_closed_its_side() {
    for waits_for_end in [false, true] {
        watched(move || {
            for round in 0..100 {
                let (_server, mut peer) = server(Accepting::new(waits_for_end), Config::default());
                bind_esme(&mut peer);
                peer.tcp.write_all(&messages(&Pdu::SubmitSm(message()), 5)).unwrap();
                peer.tcp.shutdown(Shutdown::Write).unwrap();
                let statuses = peer.statuses(CommandId::SUBMIT_SM_RESP, 6);
                assert_eq!(statuses, [CommandStatus::ROK; 5], "round {round}, waits: {waits_for_end}");
            }
        });
    }
}

#[test]
fn an_account_answers_an_smsc_that_has_closed_its_side() {
    watched(|| {
        for round in 0..20 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let (account, arrivals, mut peer) = account(&listener, options());
            let acknowledging = acknowledge_all(arrivals);
            peer.tcp.write_all(&messages(&receipt(), 5)).unwrap();
            peer.tcp.shutdown(Shutdown::Write).unwrap();
            let statuses = peer.statuses(CommandId::DELIVER_SM_RESP, 6);
            assert_eq!(statuses, [CommandStatus::ROK; 5], "round {round}");
            drop(listener);
            account.shutdown(Duration::ZERO);
            assert_eq!(acknowledging.join().unwrap(), 5);
        }
    });
}

#[test]
fn a_session_ends_after_the_drain_timeout_if_the_peer_has_closed_its_side() {
    for uses_handle in [true, false] {
        watched(move || {
            let (tcp, mut peer) = sockets();
            let config = Config::default().drain_timeout(Duration::from_millis(200));
            let (sender, held) = mpsc::channel();
            let ended = thread::spawn(move || {
                if uses_handle {
                    let (handle, mut inbox) = start::<Smsc, _>(tcp, config).unwrap();
                    while let Some(inbound) = inbox.recv() {
                        match inbound {
                            Inbound::Bind(bind) => bind.accept().unwrap(),
                            other => sender.send(other).unwrap(),
                        }
                    }
                    return handle.closed().reason;
                }
                let mut connection = Connection::<Smsc, _>::new(tcp, config).unwrap();
                let mut unanswered = Vec::new();
                loop {
                    match connection.recv(None) {
                        Ok(Some(Inbound::Bind(bind))) => connection.accept(bind).unwrap(),
                        Ok(inbound) => unanswered.push(inbound),
                        Err(end) => return end.reason,
                    }
                }
            });
            bind_esme(&mut peer);
            peer.tcp.write_all(&messages(&Pdu::SubmitSm(message()), 1)).unwrap();
            peer.tcp.shutdown(Shutdown::Write).unwrap();
            let began = Instant::now();
            assert_eq!(peer.read(), None);
            let took = began.elapsed();
            assert!((Duration::from_millis(190)..4 * SECOND).contains(&took), "{took:?}");
            assert_eq!(ended.join().unwrap(), CloseReason::Disconnected);
            drop(held);
        });
    }
}

#[test]
fn a_burst_is_accepted_whole() {
    for uses_handle in [true, false] {
        watched(move || {
            let (tcp, mut peer) = sockets();
            let smsc = smsc(tcp, Config::default(), uses_handle);
            bind_esme(&mut peer);
            peer.tcp.write_all(&messages(&Pdu::SubmitSm(message()), BURST)).unwrap();
            let statuses = peer.statuses(CommandId::SUBMIT_SM_RESP, BURST as usize);
            assert_eq!(statuses, [CommandStatus::ROK; BURST as usize], "handle {uses_handle}");
            drop(peer);
            smsc.join().unwrap();
        });
    }
}

#[test]
fn a_service_accepts_a_burst_whole() {
    // Also if it answers slowly, a small inbox holds no more than it may.
    for max_unanswered in [256, 10] {
        watched(move || {
            let config = Config::default().max_unanswered(max_unanswered);
            let (_server, mut peer) = server(Accepting::new(false), config);
            bind_esme(&mut peer);
            peer.tcp.write_all(&messages(&Pdu::SubmitSm(message()), BURST)).unwrap();
            let statuses = peer.statuses(CommandId::SUBMIT_SM_RESP, BURST as usize);
            assert_eq!(statuses, [CommandStatus::ROK; BURST as usize]);
        });
    }
}

#[test]
fn an_account_accepts_a_burst_of_receipts_whole() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (account, arrivals, mut peer) = account(&listener, options());
        let acknowledging = acknowledge_all(arrivals);
        peer.tcp.write_all(&messages(&receipt(), BURST)).unwrap();
        let statuses = peer.statuses(CommandId::DELIVER_SM_RESP, BURST as usize);
        assert_eq!(statuses, [CommandStatus::ROK; BURST as usize]);
        drop((peer, listener));
        account.shutdown(Duration::ZERO);
        assert_eq!(acknowledging.join().unwrap(), BURST as usize);
    });
}

/// How many messages each thread has passed to the session.
type Passed = Arc<Mutex<HashMap<ThreadId, usize>>>;

struct CountMessages(Passed);

impl Observer for CountMessages {
    fn observe(&mut self, _: session::Instant, direction: Direction, _: ObservedPdu<'_>) {
        if direction == Direction::In {
            *self.0.lock().unwrap().entry(thread::current().id()).or_default() += 1;
        }
    }
}

/// Answers messages in another thread than the one that receives them.
struct Passing {
    requests: mpsc::Sender<(Inbound<HandleRoute<Smsc>>, ThreadId)>,
    unanswered: Arc<AtomicUsize>,
}

impl Service for Passing {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, _: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        self.unanswered.fetch_add(1, Ordering::SeqCst);
        self.requests.send((request, thread::current().id())).unwrap();
    }
}

#[test]
fn an_answer_of_another_thread_resumes_reading_at_once() {
    watched(|| {
        let (sender, requests) = mpsc::channel();
        let (unanswered, passed) = (Arc::new(AtomicUsize::new(0)), Passed::default());
        let config = Config::default().max_unanswered(1).backpressure_timeout(30 * SECOND);
        let listener = Listener::bind("127.0.0.1:0", config).unwrap();
        let service = Passing { requests: sender, unanswered: Arc::clone(&unanswered) };
        let counted = Arc::clone(&passed);
        let server = Server::builder(service).observe(move |_| CountMessages(Arc::clone(&counted)));
        let server = server.listen(listener).start().unwrap();
        let mut peer = RawPeer::new(TcpStream::connect(server.local_addrs()[0]).unwrap());
        bind_esme(&mut peer);
        peer.tcp.write_all(&messages(&Pdu::SubmitSm(message()), 50)).unwrap();
        let answering = thread::spawn(move || {
            let mut receiver = None;
            for (request, thread) in requests.iter().take(50) {
                assert!(unanswered.load(Ordering::SeqCst) <= 2, "more than max_unanswered");
                let Inbound::SubmitSm(message) = request else { panic!() };
                // The thread that receives has the time to go to rest.
                let pause = Instant::now();
                while pause.elapsed() < Duration::from_micros(200) {
                    thread::yield_now();
                }
                // The count goes down later than the response: it may be one too high.
                message.accept().unwrap();
                unanswered.fetch_sub(1, Ordering::SeqCst);
                receiver = Some(thread);
            }
            receiver.unwrap()
        });
        assert_eq!(peer.statuses(CommandId::SUBMIT_SM_RESP, 50), [CommandStatus::ROK; 50]);
        // The answer wakes the thread that receives. Otherwise the background thread, which looks every 5 ms, reads all but one or
        // two. It reads some on a busy machine.
        let receiver = answering.join().unwrap();
        let passed = passed.lock().unwrap();
        assert!(passed.get(&receiver).is_some_and(|count| *count > 10), "{passed:?}");
    });
}

#[test]
fn an_application_that_waits_for_its_response_before_it_answers_does_not_wait_for_ever() {
    for uses_handle in [true, false] {
        watched(move || {
            let (tcp, mut peer) = sockets();
            let config = Config::default()
                .max_unanswered(8)
                .backpressure_timeout(Duration::from_millis(300))
                .response_timeout(20 * SECOND);
            let smsc = thread::spawn(move || {
                // Deliveries come before the response to the message.
                let statuses = |peer: &mut RawPeer| {
                    peer.tcp.write_all(&messages(&receipt(), 20)).unwrap();
                    let response = Pdu::SubmitSmResp(Some(SubmitSmResp::default()));
                    peer.tcp.write_all(&octets(&response, 2)).unwrap();
                    peer.statuses(CommandId::DELIVER_SM_RESP, 20)
                };
                assert_eq!(peer.read().unwrap().0, CommandId::BIND_TRANSCEIVER);
                let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
                peer.tcp.write_all(&octets(&response, 1)).unwrap();
                assert_eq!(peer.read().unwrap().0, CommandId::SUBMIT_SM);
                statuses(&mut peer)
            });
            let began = Instant::now();
            let took = if uses_handle {
                let (client, mut inbox) = start::<Esme, _>(tcp, config).unwrap();
                client.bind(&bind("secret")).unwrap();
                client.submit(&message()).unwrap();
                let took = began.elapsed();
                for _ in 0..8 {
                    let Some(Inbound::DeliverSm(receipt)) = inbox.recv() else { panic!() };
                    receipt.accept().unwrap();
                }
                took
            } else {
                let mut connection = Connection::<Esme, _>::new(tcp, config).unwrap();
                connection.bind(&bind("secret")).unwrap();
                connection.submit(&message()).unwrap();
                let took = began.elapsed();
                for _ in 0..8 {
                    let Some(Inbound::DeliverSm(receipt)) = connection.recv(None).unwrap() else { panic!() };
                    connection.accept(receipt).unwrap();
                }
                took
            };
            assert!((Duration::from_millis(300)..10 * SECOND).contains(&took), "{took:?}");
            let throttled =
                smsc.join().unwrap().into_iter().filter(|status| *status == CommandStatus::RTHROTTLED);
            assert_eq!(throttled.count(), 12);
        });
    }
}
