//! The SMSC of a scenario: it reads and sends what the scenario says, and nothing by itself.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use smpp_proto::{
    Address, AlertNotification, BindResp, COctets, CommandId, CommandStatus, DataSmResp, DeliverSm, Endpoint,
    EsmClass, Frame, Pdu, Quirks, SequenceNumber, ShortMessage, SubmitMultiResp, SubmitSmResp, Tlvs,
    Tolerance,
};

use crate::account_scenarios::describe;

/// What happened in a scenario, in words. Only the thread of the scenario writes to it.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, line: String) {
        // So that the output of a test that hangs shows where.
        println!("    {line}");
        self.0.borrow_mut().push(line);
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// A host that accepts connections when the scenario says so.
pub(crate) struct Smsc {
    name: &'static str,
    listener: TcpListener,
    log: Log,
}

/// One connection to an SMSC. Every PDU that it reads is a line of the log.
pub(crate) struct Peer {
    name: &'static str,
    tcp: TcpStream,
    received: Vec<u8>,
    sequence: u32,
    log: Log,
}

/// A request that the SMSC has read, for its response.
pub(crate) struct Request {
    pub(crate) command: CommandId,
    pub(crate) sequence: SequenceNumber,
    mode: Option<smpp_proto::BindMode>,
}

impl Smsc {
    pub(crate) fn new(name: &'static str, log: &Log) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { name, listener, log: log.clone() }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::plain("127.0.0.1", self.listener.local_addr().unwrap().port())
    }

    /// Waits for the next connection.
    pub(crate) fn accept(&self) -> Peer {
        self.accept_as(self.name)
    }

    /// As [`accept`](Self::accept), with another name in the log.
    pub(crate) fn accept_as(&self, name: &'static str) -> Peer {
        let tcp = self.listener.accept().unwrap().0;
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Peer { name, tcp, received: Vec::new(), sequence: 0, log: self.log.clone() }
    }

    /// Waits for the next connection, and accepts its bind.
    pub(crate) fn bound(&self) -> Peer {
        self.bound_as(self.name)
    }

    pub(crate) fn bound_as(&self, name: &'static str) -> Peer {
        let mut peer = self.accept_as(name);
        let bind = peer.reads();
        peer.respond(&bind, CommandStatus::ROK, b"", Tlvs::EMPTY);
        peer
    }

    /// Accepts or refuses the next bind in another thread, without a line in the log.
    pub(crate) fn responds_in_background(&self, status: CommandStatus) -> JoinHandle<Option<TcpStream>> {
        let (name, listener) = (self.name, self.listener.try_clone().unwrap());
        thread::spawn(move || {
            let smsc = Self { name, listener, log: Log::default() };
            if status == CommandStatus::ROK {
                return Some(smsc.bound().tcp);
            }
            smsc.refuses_bind(status);
            None
        })
    }

    /// Goes on with a connection that was bound in another thread.
    pub(crate) fn goes_on(&self, bound: JoinHandle<Option<TcpStream>>) -> Peer {
        let tcp = bound.join().unwrap().expect("the bind was accepted");
        Peer { name: self.name, tcp, received: Vec::new(), sequence: 0, log: self.log.clone() }
    }

    /// Waits for the next connection, refuses its bind and reads the end of the connection.
    pub(crate) fn refuses_bind(&self, status: CommandStatus) {
        let mut peer = self.accept();
        let bind = peer.reads();
        peer.respond(&bind, status, b"", Tlvs::EMPTY);
        peer.reads_end();
    }
}

impl Peer {
    fn log(&self, line: &str) {
        self.log.push(format!("{}: {line}", self.name));
    }

    fn next(&mut self) -> Option<Frame<Vec<u8>>> {
        loop {
            if let Some(&[a, b, c, d]) = self.received.first_chunk() {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.received.len() >= length {
                    return Frame::new(self.received.drain(..length).collect());
                }
            }
            let mut space = [0; 4096];
            match self.tcp.read(&mut space) {
                Ok(0) => return None,
                Ok(read) => self.received.extend_from_slice(&space[..read]),
                // A read with a timeout returns so after the process was stopped for a while.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("the account sends nothing: {error}"),
            }
        }
    }

    /// Reads the next PDU.
    pub(crate) fn reads(&mut self) -> Request {
        let frame = self.next().expect("the connection is open");
        self.log(&describe::pdu(&frame));
        let header = frame.header();
        let mode = match frame.pdu(Tolerance(Quirks::all())) {
            Ok((Pdu::Bind(bind), _)) => Some(bind.mode),
            _ => None,
        };
        Request { command: header.command, sequence: header.sequence, mode }
    }

    /// Reads the end of the connection.
    pub(crate) fn reads_end(&mut self) {
        let next = self.next().map(|frame| describe::pdu(&frame));
        assert_eq!(next, None, "{}: the end of the connection was expected", self.name);
    }

    pub(crate) fn send(&mut self, pdu: &Pdu<'_>, status: CommandStatus, sequence: SequenceNumber) {
        self.tcp.write_all(Frame::encode(pdu, status, sequence).octets()).unwrap();
    }

    pub(crate) fn sends_octets(&mut self, octets: &[u8]) {
        self.tcp.write_all(octets).unwrap();
    }

    /// Responds to any request. The response to a message has the id and the TLVs.
    pub(crate) fn respond(&mut self, request: &Request, status: CommandStatus, id: &[u8], tlvs: Tlvs<'_>) {
        let message_id = COctets::new(id).unwrap();
        let has_body = status == CommandStatus::ROK;
        let response = match request.command {
            CommandId::SUBMIT_SM => Pdu::SubmitSmResp(has_body.then_some(SubmitSmResp { message_id, tlvs })),
            CommandId::DATA_SM => Pdu::DataSmResp(has_body.then_some(DataSmResp { message_id, tlvs })),
            CommandId::SUBMIT_MULTI => Pdu::SubmitMultiResp(has_body.then_some(SubmitMultiResp {
                message_id,
                tlvs,
                ..SubmitMultiResp::default()
            })),
            CommandId::QUERY_SM => Pdu::QuerySmResp(None),
            CommandId::CANCEL_SM => Pdu::CancelSmResp,
            CommandId::REPLACE_SM => Pdu::ReplaceSmResp,
            CommandId::UNBIND => Pdu::UnbindResp,
            other => match request.mode {
                Some(mode) => Pdu::BindResp(mode, has_body.then_some(BindResp::default())),
                None => panic!("no response to {other}"),
            },
        };
        self.send(&response, status, request.sequence);
    }

    /// Reads a request, and responds with an error.
    pub(crate) fn refuses(&mut self, status: CommandStatus) {
        let request = self.reads();
        self.respond(&request, status, b"", Tlvs::EMPTY);
    }

    /// Reads a message, and accepts it with this id.
    pub(crate) fn accepts(&mut self, id: &str) {
        let request = self.reads();
        self.respond(&request, CommandStatus::ROK, id.as_bytes(), Tlvs::EMPTY);
    }

    /// Reads an unbind, responds to it and reads the end of the connection.
    pub(crate) fn unbinds(&mut self) {
        let unbind = self.reads();
        assert_eq!(unbind.command, CommandId::UNBIND);
        self.respond(&unbind, CommandStatus::ROK, b"", Tlvs::EMPTY);
        self.reads_end();
    }

    /// Closes the connection without an unbind.
    pub(crate) fn cuts(&mut self) {
        self.tcp.shutdown(Shutdown::Both).unwrap();
    }

    fn request(&mut self, pdu: &Pdu<'_>) {
        self.sequence += 1;
        self.send(pdu, CommandStatus::ROK, SequenceNumber(self.sequence));
    }

    fn delivers(&mut self, esm_class: EsmClass, octets: &[u8]) {
        let message = DeliverSm {
            source: Address::international("6591234567").unwrap(),
            destination: Address::international("6580001").unwrap(),
            esm_class,
            short_message: ShortMessage::new(octets).unwrap(),
            ..DeliverSm::default()
        };
        self.request(&Pdu::DeliverSm(message));
    }

    /// Delivers a receipt with this id and state word, and does not wait for the response.
    pub(crate) fn sends_receipt(&mut self, id: &str, stat: &str) {
        self.delivers(EsmClass::DELIVERY_RECEIPT, format!("id:{id} stat:{stat}").as_bytes());
    }

    /// Delivers a text from a phone, and does not wait for the response.
    pub(crate) fn sends_text(&mut self, text: &str) {
        self.delivers(EsmClass::empty(), text.as_bytes());
    }

    /// Delivers one of three parts of a text from a phone, and does not wait for the response.
    pub(crate) fn sends_part(&mut self, number: u8, text: &str) {
        let octets = [&[5, 0, 3, 7, 3, number][..], text.as_bytes()].concat();
        self.delivers(EsmClass::UDHI, &octets);
    }

    /// Says that a phone is reachable again.
    pub(crate) fn sends_alert(&mut self) {
        self.request(&Pdu::AlertNotification(AlertNotification::default()));
    }

    /// Sends an enquire_link, and reads its response: the account has handled all that was sent before.
    pub(crate) fn enquires(&mut self) {
        self.request(&Pdu::EnquireLink);
        self.reads();
    }
}
