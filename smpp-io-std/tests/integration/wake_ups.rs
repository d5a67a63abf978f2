//! A deadline that another thread moves nearer, and an answer that it gives, act at once: no thread sleeps through them.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::reads::{Reads, Reported};
use crate::common::{RawPeer, account_options, bind, message, messages, octets, watched};
use smpp_proto::account::{AccountEvent, Binds, LinkEvent, Message, Options};
use smpp_proto::session::{CloseReason, Config, Esme, Smsc, UnansweredReason};
use smpp_proto::{BindMode, BindResp, CommandId, CommandStatus, DeliverSm, Pdu};
use smpp_std::account::{Account, AccountConnector, Arrival, Arrivals};
use smpp_std::{
    Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, RequestError, Server, Service,
    start,
};

const SECOND: Duration = Duration::from_secs(1);

/// Far more than a wake-up takes on a busy machine, far less than any timeout of these tests.
const AT_ONCE: Duration = Duration::from_secs(5);

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

/// The SMSC of a session whose transport reports its reads.
struct Peer {
    raw: RawPeer,
    sent: usize,
    reads: Arc<Reads>,
}

impl Peer {
    fn new(tcp: TcpStream, reads: Arc<Reads>) -> Self {
        Self { raw: RawPeer::new(tcp), sent: 0, reads }
    }

    fn send(&mut self, octets: &[u8]) {
        self.raw.tcp.write_all(octets).unwrap();
        self.sent += octets.len();
    }

    fn read(&mut self) -> Option<CommandId> {
        self.raw.read().map(|(command, _)| command)
    }

    /// Reads the bind and accepts it.
    fn accept_bind(&mut self) {
        assert_eq!(self.read(), Some(CommandId::BIND_TRANSCEIVER));
        self.send(&octets(&Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())), 1));
    }

    /// Waits until the session has received all octets, and a thread of it waits in a read.
    fn wait_for_read(&self) {
        self.reads.wait_until(|state| state.is_waiting && state.received == self.sent);
    }
}

/// Returns a connector of an account, and a function that accepts its next connection.
fn connector(options: Options) -> (AccountConnector, impl FnMut() -> Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (dialed, dials) = channel();
    let connector = AccountConnector::new(&endpoint, options).dial(move |target| {
        let reads = Arc::new(Reads::default());
        let socket = TcpStream::connect(target.address)?;
        dialed.send(Arc::clone(&reads)).unwrap();
        Ok(Reported(socket, reads))
    });
    // The connections are accepted in the order in which they are dialed.
    (connector, move || Peer::new(listener.accept().unwrap().0, dials.recv().unwrap()))
}

/// Starts an account with one bind, and a function that accepts further connections.
fn account(options: Options) -> (Account, Arrivals, Peer, impl FnMut() -> Peer) {
    let (connector, mut next) = connector(options);
    let (account, arrivals) = connector.start().unwrap();
    let mut peer = next();
    peer.accept_bind();
    (account, arrivals, peer, next)
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
        let config = Config::default().drain_timeout(SECOND).enquire_link_interval(None);
        let (account, mut arrivals, mut peer, _next) = account(options(config));
        peer.send(&delivery());
        let held = arrivals.recv().unwrap();
        // Timers of the bind have begun.
        peer.wait_for_read();
        let answering = thread::spawn(move || {
            while let Some(command) = peer.read() {
                if command == CommandId::UNBIND {
                    peer.send(&octets(&Pdu::UnbindResp, 2));
                }
            }
        });
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
        let options = options(quiet()).unbind_timeout(Duration::from_millis(600));
        let (account, _arrivals, mut peer, _next) = account(options);
        let ticket = account.submit(&Message::submit_sm(&message())).unwrap();
        let reading = thread::spawn(move || std::iter::from_fn(|| peer.read()).collect::<Vec<_>>());
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
        let (connector, mut next) = connector(options(quiet()));
        let (account, mut arrivals) = connector.start().unwrap();
        let mut closed = account.events().filter_map(|event| match event {
            AccountEvent::Link { event: LinkEvent::Closed { reason, .. }, .. } => Some(reason),
            _ => None,
        });
        let mut peer = next();
        peer.accept_bind();
        peer.send(&delivery());
        let Some(Arrival::Message(message)) = arrivals.recv() else { panic!() };
        peer.send(&octets(&Pdu::Unbind, 9));
        // The SMSC keeps the connection open.
        peer.wait_for_read();
        at_once(|| {
            message.accept().unwrap();
            assert_eq!(closed.next(), Some(CloseReason::PeerUnbound));
        });
        assert_eq!(peer.read(), Some(CommandId::DELIVER_SM_RESP));
        assert_eq!(peer.read(), Some(CommandId::UNBIND_RESP));
    });
}

#[test]
fn changes_to_an_account_act_at_once() {
    watched(|| {
        let mut options = options(quiet()).connect_interval(Duration::ZERO);
        options.max_binds = 2;
        let (account, arrivals, mut peer, mut next) = account(options);
        peer.wait_for_read();
        // More binds, and fewer.
        let mut second = at_once(|| {
            account.set_binds(Binds::transceivers(2)).unwrap();
            next()
        });
        second.accept_bind();
        second.wait_for_read();
        at_once(|| {
            account.set_binds(Binds::transceivers(1)).unwrap();
            assert_eq!(second.read(), Some(CommandId::UNBIND));
        });
        // The drop of the last handle.
        at_once(|| {
            drop((account, arrivals));
            assert_eq!(peer.read(), Some(CommandId::UNBIND));
        });
    });
}

/// Starts a session of an ESME, and binds it to the returned socket.
fn bound(config: Config) -> (smpp_std::Client, smpp_std::Inbox<Esme>, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let reads = Arc::new(Reads::default());
    let mut peer = Peer::new(listener.accept().unwrap().0, Arc::clone(&reads));
    let (client, inbox) = start::<Esme, _>(Reported(there, reads), config).unwrap();
    let binding = client.clone();
    let binding = thread::spawn(move || binding.bind(&bind("secret")).map(drop));
    peer.accept_bind();
    binding.join().unwrap().unwrap();
    (client, inbox, peer)
}

#[test]
fn the_last_answer_ends_a_session_that_the_peer_has_unbound() {
    watched(|| {
        let (client, mut inbox, mut peer) = bound(quiet());
        peer.send(&delivery());
        let Some(Inbound::DeliverSm(message)) = inbox.recv() else { panic!() };
        peer.send(&octets(&Pdu::Unbind, 9));
        peer.wait_for_read();
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
        peer.send(&delivery());
        let held = inbox.recv().unwrap();
        // It is the background thread: no other one uses the session now.
        peer.wait_for_read();
        at_once(|| {
            drop((client, inbox));
            assert_eq!(peer.read(), Some(CommandId::UNBIND));
        });
        drop(held);
    });
}

#[test]
fn timeouts_fire_while_no_thread_waits() {
    watched(|| {
        // On a busy machine, the bind takes less.
        let timeout = Duration::from_millis(500);
        let config = quiet().response_timeout(timeout).drain_timeout(Duration::from_millis(50));
        let (client, inbox, mut peer) = bound(config);
        // The background thread has begun a read before there is a deadline.
        peer.wait_for_read();
        let mut response = client.submit_pipelined(&message()).unwrap();
        let answer = loop {
            match response.try_outcome() {
                Ok(answer) => break answer,
                Err(still_pending) => response = still_pending,
            }
            thread::yield_now();
        };
        assert_eq!(answer.unwrap_err(), RequestError::Unanswered(UnansweredReason::Timeout));
        // The last handle is dropped with a request in flight, which delays the unbind by the drain timeout.
        let response = client.submit_pipelined(&message()).unwrap();
        drop((client, inbox, response));
        let commands = [CommandId::SUBMIT_SM, CommandId::SUBMIT_SM, CommandId::UNBIND];
        assert_eq!(commands.map(Some), [peer.read(), peer.read(), peer.read()]);
    });
}

/// Reports each request, calls a function, and never responds.
struct Handler<F>(Sender<()>, F);

impl<F: Fn(&BoundSession) + Send + Sync + 'static> Service for Handler<F> {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, bound: &BoundSession, _request: Inbound<HandleRoute<Smsc>>) {
        self.0.send(()).unwrap();
        (self.1)(bound);
    }
}

#[test]
fn a_server_shutdown_keeps_its_bound_with_any_handler() {
    type Behaviour = fn(&BoundSession);
    let handlers: [(&str, Behaviour); 3] = [
        ("blocks", |_| {
            loop {
                thread::park();
            }
        }),
        ("panics", |_| panic!("on purpose")),
        ("waits for a response", |bound| drop(bound.peer().deliver(&DeliverSm::default()))),
    ];
    let all = handlers.map(|(name, handler)| {
        let test = move || {
            let listener = Listener::bind("127.0.0.1:0", quiet()).unwrap();
            let (called, calls) = channel();
            let server =
                Server::builder(Arc::new(Handler(called, handler))).listen(listener).start().unwrap();
            let peers: Vec<_> = (0..3)
                .map(|_| {
                    let mut peer = RawPeer::new(TcpStream::connect(server.local_addrs()[0]).unwrap());
                    peer.tcp.write_all(&octets(&Pdu::Bind(bind("secret")), 1)).unwrap();
                    assert_eq!(peer.read().unwrap().0, CommandId::BIND_TRANSCEIVER_RESP);
                    peer.tcp.write_all(&octets(&Pdu::SubmitSm(message()), 2)).unwrap();
                    peer
                })
                .collect();
            calls.iter().take(peers.len()).for_each(drop);
            let began = Instant::now();
            let ended = server.shutdown(SECOND).ended;
            let took = began.elapsed();
            assert!(took < SECOND + AT_ONCE, "a handler that {name}: {took:?}");
            assert!(name == "panics" || ended.len() == 3, "a handler that {name}: {}", ended.len());
            drop(peers);
        };
        thread::spawn(move || watched(test))
    });
    for test in all {
        test.join().unwrap();
    }
}
