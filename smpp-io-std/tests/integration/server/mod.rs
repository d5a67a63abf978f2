//! The blocking server: binds and limits, requests and deliveries, shutdown. The scenarios are those of the server of
//! `smpp-tokio`, and some of threads.

mod accounts;
mod blocked;
mod certificates;
mod connections;
mod deliveries;
mod ends;
mod no_files;
mod order;
mod proxy_protocol;
mod queue;
mod shared_sockets;
mod support;
#[cfg(unix)]
mod transports;
mod unbind_response;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::common::{RawPeer, bind, message, watched};
use smpp_proto::session::{CloseReason, Config, Esme, Smsc};
use smpp_proto::{Bind, BindMode, COctets, CommandStatus, DeliverSm, Endpoint, Pdu, SubmitSmResp};
use smpp_std::{
    Admission, BindRequest, BoundSession, Client, ConnectErrorKind, Connector, HandleRoute, Inbound,
    InboundRequest, Inbox, Listener, NotSentReason, RequestError, Server, ServerBuilder, ServerLimits,
    Service, Shutdown, tls,
};

const SECOND: Duration = Duration::from_secs(1);

/// Accepts one password, and handles each message as its text says.
#[derive(Default)]
struct Shop {
    held: Mutex<Vec<InboundRequest<smpp_proto::SubmitSm<'static>, HandleRoute<Smsc>>>>,
    /// Blocks the handler until something is sent, or the sender is dropped.
    stuck: Option<Mutex<mpsc::Receiver<()>>>,
    /// The sessions that have asked for a panic.
    kept: Mutex<Vec<BoundSession>>,
}

impl Service for Shop {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        assert!(request.peer_addr().ip().is_loopback());
        let known = request.bind().password.equals(b"secret");
        if known { Ok(Admission::default()) } else { Err(CommandStatus::RINVPASWD) }
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        let text = message.get().short_message.as_bytes().to_vec();
        match &text[..] {
            b"hold" => self.held.lock().unwrap().push(message),
            b"panic" => {
                self.kept.lock().unwrap().push(bound.clone());
                panic!("on purpose");
            }
            b"stick" => drop(self.stuck.as_ref().map(|stuck| stuck.lock().unwrap().recv())),
            _ => {
                let message_id = COctets::new(bound.system_id()).unwrap();
                message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
            }
        }
    }
}

fn running(
    shop: Shop,
    config: Config,
    set: impl FnOnce(ServerBuilder<Shop>) -> ServerBuilder<Shop>,
) -> Server {
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    set(Server::builder(shop)).listen(listener).start().unwrap()
}

fn server(limits: ServerLimits) -> Server {
    running(Shop::default(), Config::default(), |builder| builder.limits(limits))
}

fn endpoint(address: SocketAddr) -> Endpoint {
    format!("smpp://{address}").parse().unwrap()
}

fn connect(server: &Server) -> (Client, Inbox<Esme>) {
    Connector::new().start(&endpoint(server.local_addrs()[0])).unwrap()
}

fn bound(server: &Server) -> (Client, Inbox<Esme>) {
    let (client, inbox) = connect(server);
    client.bind(&bind("secret")).unwrap();
    (client, inbox)
}

#[test]
fn the_server_responds_delivers_and_returns_how_sessions_ended() {
    watched(|| {
        let name = COctets::new(b"acme").unwrap();
        let server = running(Shop::default(), Config::default(), |builder| builder.system_id(name));
        let (client, mut inbox) = connect(&server);
        let answer = client.bind(&bind("secret")).unwrap();
        assert_eq!(answer.bind_resp().system_id.as_bytes(), b"acme");
        assert_eq!(client.submit(&message()).unwrap().message_id(), b"shop");
        std::thread::scope(|scope| {
            let delivering = scope.spawn(|| server.deliver(b"shop", &DeliverSm::default()).map(drop));
            let Some(Inbound::DeliverSm(delivery)) = inbox.recv() else { panic!() };
            delivery.accept().unwrap();
            assert_eq!(delivering.join().unwrap(), Ok(()));
        });
        let no_bind = server.deliver(b"other", &DeliverSm::default()).unwrap_err();
        assert_eq!(no_bind, RequestError::NeverSent(NotSentReason::NoBind));
        assert_eq!(server.binds().list().len(), 1);
        let mut not_bound = RawPeer::new(TcpStream::connect(server.local_addrs()[0]).unwrap());
        not_bound.tcp.write_all(&crate::common::octets(&Pdu::EnquireLink, 1)).unwrap();
        not_bound.read().unwrap();
        let Shutdown { ended, not_bound: closed, .. } = server.shutdown(10 * SECOND);
        assert_eq!((ended.len(), closed), (1, 1));
        assert_eq!((ended[0].0.system_id(), ended[0].1.reason), (&b"shop"[..], CloseReason::Unbound));
        assert_eq!(client.closed().reason, CloseReason::PeerUnbound);
    });
}

#[test]
fn the_server_accepts_tls_and_refuses_a_wrong_password() {
    watched(|| {
        let crate::common::Certificates { ca_pem, server } = crate::common::certificates();
        let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap().tls(server);
        let server =
            Server::builder(Shop::default()).interface_version(None).listen(listener).start().unwrap();
        let endpoint = format!("smpps://localhost:{}", server.local_addrs()[0].port()).parse().unwrap();
        let connector = Connector::new().tls(tls::ca_pem(ca_pem.as_bytes()).unwrap());
        let (client, _inbox) = connector.start(&endpoint).unwrap();
        let accepted = client.bind(&bind("secret")).unwrap();
        assert_eq!(accepted.tlvs().sc_interface_version(), None);
        assert_eq!(client.submit(&message()).unwrap().message_id(), b"shop");
        let error = connector.bind(&endpoint, &bind("hunter2")).unwrap_err();
        assert!(matches!(
            error.kind,
            ConnectErrorKind::Bind(RequestError::Refused { status: CommandStatus::RINVPASWD, .. })
        ));
    });
}

#[test]
fn connections_and_binds_above_the_limits_are_rejected() {
    watched(|| {
        let server = server(
            ServerLimits::default()
                .connections_per_address(3)
                .binds_per_account(2)
                .binds_status(CommandStatus::RBINDFAIL),
        );
        let first = bound(&server);
        let second = bound(&server);
        // The third bind of the account is above the limit.
        let (third, _inbox) = connect(&server);
        let refused = third.bind(&bind("secret")).unwrap_err();
        assert_eq!(refused.status(), Some(CommandStatus::RBINDFAIL));
        third.closed();
        // A connection that has ended makes room for another.
        drop(second);
        while server.binds().list().len() > 1 {
            std::thread::yield_now();
        }
        let _second = bound(&server);
        let (held, _held_inbox) = connect(&server);
        held.bind(&Bind { system_id: "other".try_into().unwrap(), ..bind("secret") }).unwrap();
        let mut tcp = TcpStream::connect(server.local_addrs()[0]).unwrap();
        tcp.set_read_timeout(Some(10 * SECOND)).unwrap();
        assert!(!matches!(tcp.read(&mut [0; 1]), Ok(1)), "the fourth connection is closed");
        drop(first);
    });
}

#[test]
fn handshake_and_bind_together_have_the_session_init_timeout() {
    watched(|| {
        let config = Config::default().session_init_timeout(Duration::from_millis(100));
        let tls = crate::common::certificates().server;
        let listener = Listener::bind("127.0.0.1:0", config).unwrap();
        let secure = Listener::bind("127.0.0.1:0", config).unwrap().tls(tls);
        let server = Server::builder(Shop::default()).listen(listener).listen(secure).start().unwrap();
        for address in server.local_addrs() {
            let mut tcp = TcpStream::connect(address).unwrap();
            tcp.set_read_timeout(Some(10 * SECOND)).unwrap();
            let began = Instant::now();
            while matches!(tcp.read(&mut [0; 64]), Ok(1..)) {}
            assert!(began.elapsed() < 5 * SECOND);
        }
    });
}

#[test]
fn the_server_delivers_only_to_binds_that_receive() {
    watched(|| {
        let server = server(ServerLimits::default());
        let (transmitter, _inbox) = connect(&server);
        transmitter.bind(&Bind { mode: BindMode::Transmitter, ..bind("secret") }).unwrap();
        let no_bind = server.deliver(b"shop", &DeliverSm::default()).unwrap_err();
        assert!(no_bind.is_safe_to_resend());
        let (receiver, mut inbox) = connect(&server);
        receiver.bind(&Bind { mode: BindMode::Receiver, ..bind("secret") }).unwrap();
        std::thread::scope(|scope| {
            let delivering = scope.spawn(|| server.deliver(b"shop", &DeliverSm::default()).map(drop));
            let Some(Inbound::DeliverSm(delivery)) = inbox.recv() else { panic!() };
            delivery.accept().unwrap();
            assert_eq!(delivering.join().unwrap(), Ok(()));
        });
    });
}

#[test]
fn a_panic_of_the_service_affects_one_request() {
    watched(|| {
        let server = server(ServerLimits::default());
        let (client, _inbox) = bound(&server);
        let (other, _other_inbox) = bound(&server);
        let kept = client.submit(&crate::common::text(b"panic")).unwrap_err();
        assert_eq!(kept.status(), Some(CommandStatus::RSYSERR));
        for client in [client, other] {
            assert_eq!(client.submit(&message()).unwrap().message_id(), b"shop");
        }
    });
}

#[test]
fn shutdown_waits_for_requests_in_flight_and_then_aborts() {
    watched(|| {
        let (never, stuck) = mpsc::channel();
        let shop = Shop { stuck: Some(Mutex::new(stuck)), ..Shop::default() };
        let config = Config::default().drain_timeout(Duration::from_millis(100));
        let server = running(shop, config, |builder| builder);
        let (client, _inbox) = bound(&server);
        let stuck_request = client.submit_pipelined(&crate::common::text(b"stick")).unwrap();
        let held = client.submit_pipelined(&crate::common::text(b"hold")).unwrap();
        while server.binds().list().iter().all(|bound| bound.peer().stats().unanswered < 2) {
            std::thread::yield_now();
        }
        let shutdown = server.shutdown(Duration::from_millis(500));
        assert_eq!((shutdown.ended.len(), shutdown.aborted()), (1, 0));
        assert!(!stuck_request.wait().unwrap_err().is_safe_to_resend());
        assert!(held.wait().is_err());
        client.closed();
        drop(never);
    });
}

#[test]
fn dropping_the_server_closes_its_sessions_and_its_address() {
    watched(|| {
        let server = server(ServerLimits::default());
        let (client, _inbox) = bound(&server);
        let address = server.local_addrs()[0];
        drop(server);
        assert_eq!(client.closed().reason, CloseReason::Disconnected);
        assert!(Connector::new().connect(&endpoint(address)).is_err(), "the address is closed");
    });
}
