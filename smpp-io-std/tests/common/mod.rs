//! Requests that the tests send, certificates, and a time limit for tests that could hang.
#![allow(dead_code, reason = "not every test binary needs all of it")]

pub(crate) mod reads;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use smpp_proto::account::{Binds, Credentials, Options};
use smpp_proto::provider::Provider;
use smpp_proto::{
    Address, Bind, BindMode, BindResp, CommandId, CommandStatus, Pdu, RegisteredDelivery, SequenceNumber,
    ShortMessage, SubmitSm, frame,
};
use smpp_std::account::{Account, AccountConnector, Arrivals};
use smpp_std::tls;

pub(crate) fn bind(password: &str) -> Bind<'_> {
    Bind { system_id: "shop".try_into().unwrap(), password: password.try_into().unwrap(), ..Bind::default() }
}

pub(crate) fn message() -> SubmitSm<'static> {
    SubmitSm {
        source: Address::alphanumeric("8x8").unwrap(),
        destination: Address::international("6591234567").unwrap(),
        registered_delivery: RegisteredDelivery::RECEIPT,
        short_message: ShortMessage::new(b"Hello").unwrap(),
        ..SubmitSm::default()
    }
}

/// Returns the length of the encoded bind in octets.
pub(crate) fn length(bind: &Bind<'_>) -> usize {
    let mut out = Vec::new();
    Pdu::Bind(*bind).encode(CommandStatus::ROK, SequenceNumber(1), &mut out);
    out.len()
}

/// Returns a message with this text.
pub(crate) fn text(octets: &[u8]) -> SubmitSm<'_> {
    SubmitSm { short_message: ShortMessage::new(octets).unwrap(), ..message() }
}

/// Returns the encoded PDU.
pub(crate) fn octets(pdu: &Pdu<'_>, sequence: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(CommandStatus::ROK, SequenceNumber(sequence), &mut out);
    out
}

/// Returns encoded messages with the sequence numbers from 2.
pub(crate) fn messages(pdu: &Pdu<'_>, number: u32) -> Vec<u8> {
    (2..2 + number).flat_map(|sequence| octets(pdu, sequence)).collect()
}

/// A peer that is only a socket and a buffer. The test writes to the socket.
pub(crate) struct RawPeer {
    pub(crate) tcp: TcpStream,
    received: Vec<u8>,
}

impl RawPeer {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        Self { tcp, received: Vec::new() }
    }

    /// Reads the next PDU. Returns `None` at the end of the stream.
    pub(crate) fn read(&mut self) -> Option<(CommandId, CommandStatus)> {
        loop {
            if let Some((pdu, rest)) = frame::split(&self.received, 100_000).unwrap() {
                let header = pdu.header();
                let rest = self.received.len() - rest.len();
                let found = (header.command, header.status);
                self.received.drain(..rest);
                return Some(found);
            }
            let mut space = [0; 16 * 1024];
            match self.tcp.read(&mut space) {
                Ok(0) => return None,
                Ok(read) => self.received.extend_from_slice(&space[..read]),
                // A read with a timeout returns so after the process was stopped for a while.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("the peer gets no answer: {error}"),
            }
        }
    }

    /// Reads until there were so many PDUs with this command, or the end of the stream. Returns their statuses.
    pub(crate) fn statuses(&mut self, command: CommandId, number: usize) -> Vec<CommandStatus> {
        let mut statuses = Vec::new();
        while statuses.len() < number
            && let Some((found, status)) = self.read()
        {
            statuses.extend((found == command).then_some(status));
        }
        statuses
    }
}

/// Starts an account whose SMSC is the returned socket, and binds it.
pub(crate) fn account(listener: &TcpListener, options: Options) -> (Account, Arrivals, RawPeer) {
    let endpoint = format!("smpp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (account, arrivals) = AccountConnector::new(&endpoint, options).start().unwrap();
    let mut peer = RawPeer::new(listener.accept().unwrap().0);
    let (command, _) = peer.read().unwrap();
    assert_eq!(command, CommandId::BIND_TRANSCEIVER);
    let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
    peer.tcp.write_all(&octets(&response, 1)).unwrap();
    (account, arrivals, peer)
}

pub(crate) fn account_options() -> Options {
    Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED).binds(Binds::transceivers(1))
}

/// Runs the test in a thread of its own. A test that hangs for 60 s fails.
pub(crate) fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    run_watched(Box::new(test))
}

/// Compiled once for each result, not for each test.
fn run_watched<T: Send + 'static>(test: Box<dyn FnOnce() -> T + Send>) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(test()).unwrap());
    match receiver.recv_timeout(std::time::Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().unwrap_err())
        }
        Ok(value) => value,
    }
}

/// A certificate authority, and the TLS configuration of a server for `localhost` whose certificate it has signed.
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

pub(crate) fn certificates() -> Certificates {
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["localhost".into()]).unwrap().signed_by(&key, &ca).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Certificates { ca_pem: ca.pem(), server: tls::server(vec![leaf.der().clone()], key).unwrap() }
}
