//! Requests that the tests send, certificates, and a time limit for tests that could hang.
#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use smpp_core::{
    Address, Bind, CommandStatus, Pdu, RegisteredDelivery, SequenceNumber, ShortMessage, SubmitSm,
};
use smpp_io_std::tls;

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

/// Runs the test in a thread of its own. A test that hangs for 60 s fails.
pub(crate) fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
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
