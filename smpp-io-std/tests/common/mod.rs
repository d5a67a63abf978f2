//! Requests that the tests send.

use smpp_core::{
    Address, Bind, CommandStatus, Pdu, RegisteredDelivery, SequenceNumber, ShortMessage, SubmitSm,
};

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

/// Octets of the bind on the wire.
#[allow(dead_code, reason = "not every test binary measures")]
pub(crate) fn length(bind: &Bind<'_>) -> usize {
    let mut out = Vec::new();
    Pdu::Bind(*bind).encode(CommandStatus::ROK, SequenceNumber(1), &mut out);
    out.len()
}

/// A message with this text.
#[allow(dead_code, reason = "not every test binary has texts of its own")]
pub(crate) fn text(octets: &[u8]) -> SubmitSm<'_> {
    SubmitSm { short_message: ShortMessage::new(octets).unwrap(), ..message() }
}

/// Runs the test in a thread of its own; one that hangs fails.
#[allow(dead_code, reason = "a test that no thread can block needs no watchdog")]
pub(crate) fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(test()).unwrap());
    match receiver.recv_timeout(std::time::Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().unwrap_err())
        }
        Ok(value) => value,
    }
}
