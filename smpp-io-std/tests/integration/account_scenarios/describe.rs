//! What the application and the SMSC see, in words: the lines of a scenario's log.

use smpp_proto::account::{
    DeliveryReceipt, InboundMessage, MessageId, MessageKey, MessageRequestError, ReceiptMatch,
    SegmentOutcome, SendError, Unresolved,
};
use smpp_proto::session::Response;
use smpp_proto::sms::UserData;
use smpp_proto::{CommandStatus, Frame, Pdu, Quirks, Tag, Tolerance};

use crate::account_scenarios::drivers::Accepted;

/// The TLV in which the scripted SMSC states the price of a message.
pub(crate) const PRICE: Tag = Tag(0x1400);

pub(crate) fn status(status: CommandStatus) -> String {
    status.name().map_or_else(|| format!("{:#x}", status.0), Into::into)
}

/// Describes a PDU that the SMSC has read.
pub(crate) fn pdu(frame: &Frame<Vec<u8>>) -> String {
    let header = frame.header();
    let command = header.command;
    if command.is_response() {
        return format!("{command} {}", status(header.status));
    }
    match frame.pdu(Tolerance(Quirks::all())).expect("the account sends valid PDUs").0 {
        Pdu::Bind(bind) => {
            format!("{command} {} {}", text(bind.system_id.as_bytes()), text(bind.password.reveal()))
        }
        Pdu::SubmitSm(message) => {
            let destination = text(message.destination.digits.as_bytes());
            format!(
                "{command} to {destination}: {}",
                user_data(&message.user_data().expect("a valid header"))
            )
        }
        Pdu::DataSm(message) => {
            format!("{command}: {}", user_data(&message.user_data().expect("a valid header")))
        }
        Pdu::SubmitMulti(message) => format!("{command} to {} recipients", message.destinations.len()),
        Pdu::QuerySm(query) => format!("{command} {}", text(query.message_id.as_bytes())),
        Pdu::CancelSm(cancel) => format!("{command} {}", text(cancel.message_id.as_bytes())),
        Pdu::ReplaceSm(replace) => {
            let (id, new) = (replace.message_id.as_bytes(), replace.short_message.as_bytes());
            format!("{command} {}: {}", text(id), text(new))
        }
        _ => command.to_string(),
    }
}

fn text(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

/// Describes a text by its first octets.
fn user_data(data: &UserData<'_>) -> String {
    let octets = data.octets;
    let start = text(&octets[..octets.len().min(12)]);
    let part = data.segment.map(|segment| format!(" (part {} of {})", segment.number, segment.total));
    let data_coding = (data.data_coding.0 != 0).then(|| format!(", data_coding {:#04x}", data.data_coding.0));
    format!("{start}{}{}", part.unwrap_or_default(), data_coding.unwrap_or_default())
}

fn with_key(key: Option<&MessageKey>) -> String {
    key.map(|key| format!(", key {key}")).unwrap_or_default()
}

fn list(ids: &[MessageId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(crate) fn outcome(outcome: &Result<Accepted, SendError>) -> String {
    match outcome {
        Ok(accepted) => {
            let bind = accepted.bind.map(|bind| format!(" on bind {bind}")).unwrap_or_default();
            let mut parts = vec![format!("accepted as {}{bind}", list(&accepted.ids))];
            for response in &accepted.responses {
                parts.extend(response.tlv(PRICE).map(|price| format!("price {}", text(price))));
                parts.extend(response.unsuccessful().map(|recipient| {
                    let digits = text(recipient.destination.digits.as_bytes());
                    format!("but not for {digits}: {}", status(recipient.error_status_code))
                }));
            }
            parts.join(", ") + &with_key(accepted.key.as_ref())
        }
        Err(error) => {
            let key = match error {
                SendError::Failed { key, .. } => key.as_ref(),
                _ => None,
            };
            let resend =
                if error.is_safe_to_resend() { "a resend is safe" } else { "a resend may deliver it twice" };
            format!("{error}; {resend}{}", with_key(key))
        }
    }
}

pub(crate) fn receipt(receipt: &DeliveryReceipt, matched: Option<&ReceiptMatch>) -> String {
    let kind = if receipt.is_final { "receipt" } else { "intermediate receipt" };
    let mut parts = vec![format!("{kind} {} {:?} on bind {}", receipt.id, receipt.state, receipt.bind())];
    match matched {
        Some(matched) => {
            if matched.segments > 1 {
                let ReceiptMatch { segment, segments, pending, .. } = matched;
                parts.push(format!("segment {segment} of {segments}, {pending} to come"));
            }
            parts.extend(matched.message_state.map(|state| format!("message {state:?}")));
            parts.extend(matched.previous.map(|previous| format!("before {previous:?}")));
            parts.extend(matched.key.as_ref().map(|key| format!("key {key}")));
        }
        None => parts.push("of an unknown message".into()),
    }
    parts.join(", ")
}

pub(crate) fn message(message: &InboundMessage) -> String {
    let sender = text(message.source().digits.as_bytes());
    let parts = match message.segments().count() {
        0 => String::new(),
        parts => format!(" in {parts} parts"),
    };
    format!("message from {sender}{parts} on bind {}: {}", message.bind(), message.text().unwrap_or_default())
}

pub(crate) fn late_outcome(key: Option<&MessageKey>, segment: u8, outcome: &SegmentOutcome) -> String {
    format!("late outcome of segment {segment}: {outcome}{}", with_key(key))
}

pub(crate) fn response(response: &Result<Response, MessageRequestError>) -> String {
    match response {
        Ok(response) => match response.query_sm_resp() {
            Some(query) => format!("{:?}", query.message_state),
            None => response.frame().header().command.to_string(),
        },
        Err(error) => format!("{error}"),
    }
}

pub(crate) fn unresolved(unresolved: &Unresolved) -> String {
    match unresolved {
        Unresolved::NotAccepted { key, outcome, .. } => {
            let why = outcome.result().err().map(ToString::to_string).unwrap_or_default();
            format!("not accepted: {why}{}", with_key(key.as_ref()))
        }
        Unresolved::NoReceipt { key, ids, .. } => {
            format!("no receipt for {}{}", list(ids), with_key(key.as_ref()))
        }
        other => panic!("{other:?}"),
    }
}
