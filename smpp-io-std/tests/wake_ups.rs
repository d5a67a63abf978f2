//! A deadline that another thread moves nearer, and an answer that it gives, act at once: no thread sleeps through them.

mod common;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::{RawPeer, account, account_options, bind, message, messages, octets, watched};
use smpp_proto::account::{AccountEvent, Binds, LinkEvent, Message, Options};
use smpp_proto::session::{CloseReason, Config, Esme, Smsc};
use smpp_proto::{BindMode, BindResp, CommandId, CommandStatus, DeliverSm, Pdu};
use smpp_std::account::{AccountConnector, Arrival};
use smpp_std::{
    Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, Server, Service, start,
};

const SECOND: Duration = Duration::from_secs(1);

/// Far more than a wake-up takes, far less than any timeout of these tests.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Without keep-alive, which would wake threads; with long timeouts.
fn quiet() -> Config {
    Config::default().enquire_link_interval(None).response_timeout(20 * SECOND).drain_timeout(20 * SECOND)
}

fn options(session: Config) -> Options {
    account_options().session(session)
}

fn delivery() -> Vec<u8> {
    messages(&Pdu::DeliverSm(DeliverSm::default()), 1)
}

/// Checks that the function returns at once.
fn at_once<T>(act: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let value = act();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    value
}

#[test]
fn a_shutdown_keeps_its_deadline_with_an_unanswered_delivery() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = Config::default().drain_timeout(SECOND).enquire_link_interval(None);
        let (account, mut arrivals, mut peer) = account(&listener, options(config));
        peer.tcp.write_all(&delivery()).unwrap();
        let held = arrivals.recv().unwrap();
        let answering = thread::spawn(move || {
            while let Some((command, _)) = peer.read() {
                if command == CommandId::UNBIND {
                    peer.tcp.write_all(&octets(&Pdu::UnbindResp, 2)).unwrap();
                }
            }
        });
        // Timers of the bind have begun.
        thread::sleep(Duration::from_millis(200));
        let began = Instant::now();
        account.shutdown(Duration::from_millis(500));
        let took = began.elapsed();
        // The time of `shutdown`, then the drain timeout, in which the application could still answer.
        assert!(took < Duration::from_millis(1_500) + AT_ONCE, "{took:?}");
        drop(held);
        answering.join().unwrap();
    });
}

#[test]
fn a_shutdown_returns_in_time_though_the_smsc_answers_nothing() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = options(quiet()).unbind_timeout(Duration::from_millis(600));
        let (account, _arrivals, mut peer) = account(&listener, options);
        let ticket = account.submit(&Message::submit_sm(&message())).unwrap();
        let reading =
            thread::spawn(move || std::iter::from_fn(|| peer.read()).map(|read| read.0).collect::<Vec<_>>());
        let began = Instant::now();
        assert_eq!(account.shutdown(Duration::from_millis(200)).len(), 1);
        let took = began.elapsed();
        assert!(
            took >= Duration::from_millis(800) && took < Duration::from_millis(800) + AT_ONCE,
            "{took:?}"
        );
        drop(ticket);
        // The unbind is not sent before the request in flight has had its time.
        assert_eq!(reading.join().unwrap(), [CommandId::SUBMIT_SM, CommandId::UNBIND]);
    });
}

#[test]
fn the_last_answer_ends_an_account_bind_that_the_smsc_has_unbound() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
        let connector = AccountConnector::new(&endpoint, options(quiet()));
        let (account, mut arrivals) = connector.start().unwrap();
        let mut closed = account.events().filter_map(|event| match event {
            AccountEvent::Link { event: LinkEvent::Closed { reason, .. }, .. } => Some(reason),
            _ => None,
        });
        let mut peer = RawPeer::new(listener.accept().unwrap().0);
        peer.read().unwrap();
        let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
        peer.tcp.write_all(&octets(&response, 1)).unwrap();
        peer.tcp.write_all(&delivery()).unwrap();
        let Some(Arrival::Message(message)) = arrivals.recv() else { panic!() };
        peer.tcp.write_all(&octets(&Pdu::Unbind, 9)).unwrap();
        // The connection's thread waits in a read. The SMSC keeps the connection open.
        thread::sleep(Duration::from_millis(100));
        at_once(|| {
            message.accept().unwrap();
            assert_eq!(closed.next(), Some(CloseReason::PeerUnbound));
        });
        assert_eq!(peer.read().unwrap().0, CommandId::DELIVER_SM_RESP);
        assert_eq!(peer.read().unwrap().0, CommandId::UNBIND_RESP);
    });
}

#[test]
fn changes_to_an_account_act_at_once() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut options = options(quiet()).connect_interval(Duration::ZERO);
        options.max_binds = 2;
        let (account, arrivals, mut peer) = account(&listener, options);
        thread::sleep(Duration::from_millis(100));
        // More binds, and fewer.
        let mut second = at_once(|| {
            account.set_binds(Binds::transceivers(2)).unwrap();
            RawPeer::new(listener.accept().unwrap().0)
        });
        second.read().unwrap();
        let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
        second.tcp.write_all(&octets(&response, 1)).unwrap();
        thread::sleep(Duration::from_millis(100));
        at_once(|| {
            account.set_binds(Binds::transceivers(1)).unwrap();
            assert_eq!(second.read().unwrap().0, CommandId::UNBIND);
        });
        // The drop of the last handle.
        at_once(|| {
            drop((account, arrivals));
            assert_eq!(peer.read().unwrap().0, CommandId::UNBIND);
        });
    });
}

/// Starts a session of an ESME, and binds it to the returned socket.
fn bound(config: Config) -> (smpp_std::Client, smpp_std::Inbox<Esme>, RawPeer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut peer = RawPeer::new(listener.accept().unwrap().0);
    let (client, inbox) = start::<Esme, _>(there, config).unwrap();
    let binding = client.clone();
    let binding = thread::spawn(move || binding.bind(&bind("secret")).map(drop));
    peer.read().unwrap();
    let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
    peer.tcp.write_all(&octets(&response, 1)).unwrap();
    binding.join().unwrap().unwrap();
    (client, inbox, peer)
}

#[test]
fn the_last_answer_ends_a_session_that_the_peer_has_unbound() {
    watched(|| {
        let (client, mut inbox, mut peer) = bound(quiet());
        peer.tcp.write_all(&delivery()).unwrap();
        let Some(Inbound::DeliverSm(message)) = inbox.recv() else { panic!() };
        peer.tcp.write_all(&octets(&Pdu::Unbind, 9)).unwrap();
        thread::sleep(Duration::from_millis(100));
        at_once(|| {
            message.accept().unwrap();
            assert_eq!(client.closed().reason, CloseReason::PeerUnbound);
        });
    });
}

#[test]
fn a_nearer_deadline_acts_at_once_in_the_background_thread() {
    watched(|| {
        // The drain timeout is far shorter than the other timeouts.
        let config = quiet().drain_timeout(Duration::from_millis(200));
        let (client, mut inbox, mut peer) = bound(config);
        peer.tcp.write_all(&delivery()).unwrap();
        let held = inbox.recv().unwrap();
        // The background thread waits in a read.
        thread::sleep(Duration::from_millis(100));
        at_once(|| {
            drop((client, inbox));
            assert_eq!(peer.read().unwrap().0, CommandId::UNBIND);
        });
        drop(held);
    });
}

/// Calls a function for each request, and never responds.
struct Handler<F>(F);

impl<F: Fn(&BoundSession) + Send + Sync + 'static> Service for Handler<F> {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, bound: &BoundSession, _request: Inbound<HandleRoute<Smsc>>) {
        (self.0)(bound);
    }
}

#[test]
fn a_server_shutdown_keeps_its_bound_with_any_handler() {
    type Behaviour = fn(&BoundSession);
    let handlers: [(&str, Behaviour); 3] = [
        ("blocks", |_| thread::sleep(20 * SECOND)),
        ("panics", |_| panic!("on purpose")),
        ("waits for a response", |bound| drop(bound.peer().deliver(&DeliverSm::default()))),
    ];
    for (name, handler) in handlers {
        watched(move || {
            let listener = Listener::bind("127.0.0.1:0", quiet()).unwrap();
            let server = Server::builder(Handler(handler)).listen(listener).start().unwrap();
            let peers: Vec<_> = (0..3)
                .map(|_| {
                    let mut peer = RawPeer::new(TcpStream::connect(server.local_addrs()[0]).unwrap());
                    peer.tcp.write_all(&octets(&Pdu::Bind(bind("secret")), 1)).unwrap();
                    assert_eq!(peer.read().unwrap().0, CommandId::BIND_TRANSCEIVER_RESP);
                    peer.tcp.write_all(&octets(&Pdu::SubmitSm(message()), 2)).unwrap();
                    peer
                })
                .collect();
            thread::sleep(Duration::from_millis(100));
            let began = Instant::now();
            let ended = server.shutdown(SECOND).ended;
            let took = began.elapsed();
            assert!(took < SECOND + AT_ONCE, "a handler that {name}: {took:?}");
            assert!(name == "panics" || ended.len() == 3, "a handler that {name}: {}", ended.len());
            drop(peers);
        });
    }
}
