//! The shutdown of the blocking server keeps its bound, whatever services, observers and peers do. If it does not, such a
//! test hangs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{bind, octets, watched};
use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Instant as SessionInstant, ObservedPdu, Observer, Smsc,
};
use smpp_proto::{Bind, CommandStatus, DeliverSm, Pdu, Tlv, Tlvs};
use smpp_std::{
    Admission, BindRequest, BoundSession, Client, Connector, HandleRoute, Inbound, Inbox, Listener, Server,
    ServerLimits, Service,
};
use socket2::{Domain, Socket, Type};

/// Blocks threads until the test drops the sender, and says that it does.
#[derive(Clone)]
struct Barrier {
    never: Arc<Mutex<mpsc::Receiver<()>>>,
    blocked: mpsc::Sender<()>,
}

impl Barrier {
    fn new() -> (Self, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let (release, never) = mpsc::channel();
        let (blocked, is_blocked) = mpsc::channel();
        (Self { never: Arc::new(Mutex::new(never)), blocked }, release, is_blocked)
    }

    fn block(&self) {
        let _ = self.blocked.send(());
        let _ = self.never.lock().unwrap_or_else(PoisonError::into_inner).recv();
    }
}

/// Blocks in the thread that sends a response, under the session's lock.
struct BlocksAtOutput(Barrier);

impl Observer for BlocksAtOutput {
    fn observe(&mut self, _: SessionInstant, direction: Direction, _: ObservedPdu<'_>) {
        if direction == Direction::Out {
            self.0.block();
        }
    }
}

/// Blocks where the system_id or the text of a message says.
struct Blocks(Barrier);

impl Service for Blocks {
    fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        if request.bind().system_id.as_bytes() == b"bind" {
            self.0.block();
        }
        Ok(Admission::default())
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let Inbound::SubmitSm(message) = request else { return };
        match message.get().short_message.as_bytes() {
            b"request" => self.0.block(),
            b"observer" => bound.peer().observe(BlocksAtOutput(self.0.clone())),
            _ => {}
        }
        let _ = message.accept();
    }
}

fn server(barrier: Barrier, config: Config) -> Server {
    let limits = ServerLimits::default().connections_per_address(1000).binds_per_account(1000);
    let listener = Listener::bind("127.0.0.1:0", config).unwrap();
    Server::builder(Blocks(barrier)).limits(limits).listen(listener).start().unwrap()
}

fn connect(server: &Server) -> (Client, Inbox<Esme>) {
    let endpoint = format!("smpp://{}", server.local_addrs()[0]).parse().unwrap();
    Connector::new().start(&endpoint).unwrap()
}

#[test]
fn services_and_observers_that_do_not_return_delay_no_other_session() {
    watched(|| {
        let (barrier, release, blocked) = Barrier::new();
        let server = server(barrier, Config::default());
        let bound = ["observer", "request", "other"].map(|text| {
            let (client, inbox) = connect(&server);
            client.bind(&bind("secret")).unwrap();
            let sent = client.submit_pipelined(&crate::common::text(text.as_bytes())).unwrap();
            (client, inbox, sent)
        });
        let (deciding, _inbox) = connect(&server);
        let bind = thread::spawn({
            let deciding = deciding.clone();
            move || deciding.bind(&Bind { system_id: "bind".try_into().unwrap(), ..bind("secret") })
        });
        for _ in 0..3 {
            blocked.recv().unwrap();
        }
        let [(observed, ..), (stuck, ..), (other, _other_inbox, answered)] = bound;
        answered.wait().unwrap();
        let mut ended = server.shutdown(Duration::from_millis(500)).ended;
        assert_eq!(other.closed().reason, CloseReason::PeerUnbound);
        // The ESMEs see the end although the threads of the server do not.
        observed.closed();
        stuck.closed();
        deciding.closed();
        assert!(bind.join().unwrap().is_err());
        ended.retain(|(_, end)| end.reason != CloseReason::Unbound);
        let reasons: Vec<_> = ended.iter().map(|(_, end)| end.reason).collect();
        assert_eq!(reasons, [CloseReason::Aborted; 2], "of the observer and of the request");
        // Handles of a session whose lock is held can be dropped.
        drop(ended);
        drop(release);
    });
}

#[test]
fn the_drop_of_a_server_does_not_wait_for_an_observer() {
    watched(|| {
        let (barrier, release, blocked) = Barrier::new();
        let server = server(barrier, Config::default());
        let (client, _inbox) = connect(&server);
        client.bind(&bind("secret")).unwrap();
        drop(client.submit_pipelined(&crate::common::text(b"observer")).unwrap());
        blocked.recv().unwrap();
        drop(server);
        client.closed();
        drop(release);
    });
}

/// Threads of the application fill the sockets, and then wait in their writes.
#[test]
fn many_peers_that_read_nothing_do_not_add_up() {
    const PEERS: usize = 200;
    watched(|| {
        let (barrier, _release, _) = Barrier::new();
        let config = Config::default()
            .response_timeout(Duration::from_secs(600))
            .drain_timeout(Duration::from_secs(600))
            .session_init_timeout(Duration::from_secs(600))
            .enquire_link_interval(None)
            .window(1000);
        let server = server(barrier, config);
        let peers: Vec<_> = (0..PEERS)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                // So that the sockets are soon full.
                socket.set_recv_buffer_size(4096).unwrap();
                socket.connect(&server.local_addrs()[0].into()).unwrap();
                let mut tcp = TcpStream::from(socket);
                tcp.write_all(&octets(&Pdu::Bind(bind("secret")), 1)).unwrap();
                assert!(tcp.read(&mut [0; 64]).unwrap() > 0);
                tcp
            })
            .collect();
        let bound = server.binds().list();
        assert_eq!(bound.len(), PEERS);
        let (sent, progress) = mpsc::channel();
        let delivering: Vec<_> = bound
            .into_iter()
            .map(|bound| {
                let sent = sent.clone();
                thread::spawn(move || {
                    let octets = vec![b'x'; 60_000];
                    let payload = [Tlv::message_payload(&octets).unwrap()];
                    let delivery = DeliverSm { tlvs: Tlvs::list(&payload), ..DeliverSm::default() };
                    let mut pending = Vec::new();
                    while let Ok(delivery) = bound.peer().deliver_pipelined(&delivery) {
                        pending.push(delivery);
                        sent.send(()).unwrap();
                    }
                })
            })
            .collect();
        // Until each thread waits in its write.
        while progress.recv_timeout(Duration::from_millis(500)).is_ok() {}
        let began = Instant::now();
        let ended = server.shutdown(Duration::from_millis(200)).ended;
        let elapsed = began.elapsed();
        assert_eq!(ended.len(), PEERS);
        assert!(ended.iter().all(|(_, end)| end.reason == CloseReason::Aborted));
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?} for the timeout, and a second to abort");
        for thread in delivering {
            thread.join().unwrap();
        }
        drop(peers);
    });
}
