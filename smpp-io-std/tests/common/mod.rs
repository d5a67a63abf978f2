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
