//! SMSCs that a test can kill, mute or block: plain TCP, one thread for each connection.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{
    Address, BindResp, COctets, CommandStatus, DataSmResp, DeliverSm, Endpoint, EsmClass, List, MessageState,
    NoBody, Pdu, QuerySmResp, SequenceNumber, ShortMessage, SubmitMultiResp, SubmitSmResp, Tag, Tlv, Tlvs,
    UnsuccessSme,
};
use smpp_std::{Connection, End, Inbound};

/// The TLV of the price in a response.
pub(crate) const PRICE: Tag = Tag(0x1400);

/// An SMSC over plain TCP that a test can kill.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Served>,
    accepting: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
pub(crate) struct Served {
    streams: Mutex<Vec<TcpStream>>,
    dead: AtomicBool,
    pub(crate) ids: AtomicU64,
    /// Whether to leave messages unanswered.
    pub(crate) mute: AtomicBool,
    pub(crate) received: AtomicU64,
    /// Whether the response to a message states its price.
    pub(crate) is_pricing: AtomicBool,
}

impl Server {
    pub(crate) fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Served::default());
        let serving = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.streams.lock().unwrap().push(stream.try_clone().unwrap());
                if serving.dead.load(Ordering::SeqCst) {
                    return;
                }
                // Without it, Nagle's algorithm delays each response.
                stream.set_nodelay(true).unwrap();
                let serving = Arc::clone(&serving);
                thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        format!("smpp://localhost:{}", self.address.port()).parse().unwrap()
    }

    /// Closes all connections without unbind, and stops listening.
    pub(crate) fn kill(&mut self) {
        self.shared.dead.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.accepting.take().unwrap().join().unwrap();
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Served {
    fn serve(&self, stream: TcpStream) {
        // So that an unbind does not wait long for the messages that are left unanswered.
        let config = Config::default().drain_timeout(Duration::from_millis(50));
        let mut connection = Connection::<Smsc, _>::new(stream, config).unwrap();
        loop {
            let answered = match connection.recv(None) {
                Ok(Some(Inbound::Bind(bind))) => connection.respond(bind, Ok(BindResp::default())),
                Ok(Some(Inbound::SubmitSm(message))) => {
                    self.received.fetch_add(1, Ordering::SeqCst);
                    if self.mute.load(Ordering::SeqCst) {
                        continue;
                    }
                    let number = self.ids.fetch_add(1, Ordering::SeqCst);
                    let id = number.to_string();
                    let message_id = COctets::new(id.as_bytes()).unwrap();
                    let text = format!("id:{id} stat:DELIVRD");
                    let wants_receipt = !message.get().registered_delivery.is_empty();
                    let receipt = DeliverSm {
                        esm_class: EsmClass::DELIVERY_RECEIPT,
                        short_message: ShortMessage::new(text.as_bytes()).unwrap(),
                        ..DeliverSm::default()
                    };
                    let tlvs = [Tlv::new(PRICE, b"0.042").unwrap()];
                    let tlvs = Tlvs::list(if self.is_pricing.load(Ordering::SeqCst) { &tlvs } else { &[] });
                    let answered = connection.respond(message, Ok(SubmitSmResp { message_id, tlvs }));
                    if wants_receipt {
                        drop(connection.send(&receipt));
                    }
                    answered
                }
                Ok(Some(other)) => self.answer(&mut connection, other),
                Ok(None) => Ok(()),
                Err(_) => return,
            };
            if answered.is_err() {
                return;
            }
        }
    }
}

impl Served {
    /// Answers another request than a bind and a submit_sm.
    fn answer(&self, connection: &mut Connection<Smsc, TcpStream>, request: Inbound) -> Result<(), End> {
        let message_id = COctets::new(b"id-1").unwrap();
        match request {
            _ if self.mute.load(Ordering::SeqCst) => Ok(()),
            Inbound::DataSm(message) => {
                connection.respond(message, Ok(DataSmResp { message_id, ..DataSmResp::default() }))
            }
            Inbound::SubmitMulti(message) => {
                let destination = Address::international("6591234568").unwrap();
                let refused = [UnsuccessSme { destination, error_status_code: CommandStatus::RINVDSTADR }];
                let unsuccessful = List::new(&refused).unwrap();
                let response = SubmitMultiResp { message_id, unsuccessful, ..SubmitMultiResp::default() };
                connection.respond(message, Ok(response))
            }
            Inbound::QuerySm(query) => {
                let message_state = MessageState::ENROUTE;
                let response = QuerySmResp { message_id, message_state, ..QuerySmResp::default() };
                connection.respond(query, Ok(response))
            }
            Inbound::CancelSm(cancel) => connection.respond(cancel, Err(CommandStatus::RCANCELFAIL)),
            Inbound::ReplaceSm(replace) => connection.respond(replace, Ok(NoBody)),
            other => connection.refuse(other),
        }
    }
}

/// An SMSC that accepts one bind, then reads nothing until the sender is used or dropped.
pub(crate) fn blocked() -> (SocketAddr, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        drop(listener);
        let mut connection = Connection::<Smsc, _>::new(stream, Config::default()).unwrap();
        let Ok(Some(Inbound::Bind(bind))) = connection.recv(None) else { panic!("no bind") };
        connection.respond(bind, Ok(BindResp::default())).unwrap();
        let _ = receiver.recv();
    });
    (address, sender)
}

/// An SMSC that accepts one bind, then sends enquire_link until the ESME takes no more, reads no response, and closes the
/// connection.
pub(crate) fn never_reads() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        drop(listener);
        let mut connection =
            Connection::<Smsc, _>::new(stream.try_clone().unwrap(), Config::default()).unwrap();
        let Ok(Some(Inbound::Bind(bind))) = connection.recv(None) else { panic!("no bind") };
        connection.respond(bind, Ok(BindResp::default())).unwrap();
        let mut enquire_link = Vec::new();
        Pdu::EnquireLink.encode(CommandStatus::ROK, SequenceNumber(1), &mut enquire_link);
        let enquire_links = enquire_link.repeat(4096);
        stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        while stream.write_all(&enquire_links).is_ok() {}
    });
    address
}
