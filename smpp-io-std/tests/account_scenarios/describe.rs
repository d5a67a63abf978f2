//! What the application and the SMSC see, in words: the lines of a scenario's log.

use std::fmt::Write;

use smpp_core::account::{
    DeliveryReceipt, InboundMessage, MessageKey, MessageRequestError, ReceiptMatch, SegmentOutcome,
    SendError, Unresolved,
};
use smpp_core::session::Response;
use smpp_core::sms::UserData;
use smpp_core::{CommandStatus, Frame, Pdu, Quirks, Tag, Tolerance};

use crate::drivers::Accepted;

/// The TLV in which the scripted SMSC states the price of a message.
pub(crate) const PRICE: Tag = Tag(0x1400);

pub(crate) fn status(status: CommandStatus) -> String {
    status.name().map_or_else(|| format!("{:#x}", status.0), Into::into)
}

/// Describes a PDU that the SMSC has read.
pub(crate) fn pdu(frame: &Frame<Vec<u8>>) -> String {
    let header = frame.header();
    let mut line = header.command.to_string();
    if header.command.is_response() {
        return format!("{line} {}", status(header.status));
    }
    match frame.pdu(Tolerance(Quirks::all())).expect("the account sends valid PDUs").0 {
        Pdu::Bind(bind) => {
            write!(line, " {} {}", text(bind.system_id.as_bytes()), text(bind.password.reveal()))
        }
        Pdu::SubmitSm(message) => {
            line += &format!(" to {}", text(message.destination.digits.as_bytes()));
            line += &user_data(&message.user_data().expect("a valid header"));
            Ok(())
        }
        Pdu::DataSm(message) => {
            line += &user_data(&message.user_data().expect("a valid header"));
            Ok(())
        }
        Pdu::SubmitMulti(message) => write!(line, " to {} recipients", message.destinations.len()),
        Pdu::QuerySm(query) => write!(line, " {}", text(query.message_id.as_bytes())),
        Pdu::CancelSm(cancel) => write!(line, " {}", text(cancel.message_id.as_bytes())),
        Pdu::ReplaceSm(replace) => write!(
            line,
            " {}: {}",
            text(replace.message_id.as_bytes()),
            text(replace.short_message.as_bytes())
        ),
        _ => Ok(()),
    }
    .expect("a string takes everything");
    line
}

fn text(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

/// Describes a text by its first octets.
fn user_data(data: &UserData<'_>) -> String {
    let octets = data.octets;
    let mut line = format!(": {}", text(&octets[..octets.len().min(12)]));
    if let Some(segment) = data.segment {
        line += &format!(" (part {} of {})", segment.number, segment.total);
    }
    if data.data_coding.0 != 0 {
        line += &format!(", data_coding {:#04x}", data.data_coding.0);
    }
    line
}

fn with_key(key: Option<&MessageKey>) -> String {
    key.map(|key| format!(", key {key}")).unwrap_or_default()
}

pub(crate) fn outcome(outcome: &Result<Accepted, SendError>) -> String {
    match outcome {
        Ok(accepted) => {
            let ids: Vec<_> = accepted.ids.iter().map(ToString::to_string).collect();
            let mut line = format!("accepted as {}", ids.join(", "));
            if let Some(bind) = accepted.bind {
                line += &format!(" on bind {bind}");
            }
            for response in &accepted.responses {
                if let Some(price) = response.tlv(PRICE) {
                    line += &format!(", price {}", text(price));
                }
                for recipient in response.unsuccessful() {
                    let digits = text(recipient.destination.digits.as_bytes());
                    line += &format!(", but not for {digits}: {}", status(recipient.error_status_code));
                }
            }
            line + &with_key(accepted.key.as_ref())
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
    let mut line = format!("{kind} {} {:?} on bind {}", receipt.id, receipt.state, receipt.bind());
    let Some(matched) = matched else { return line + ", of an unknown message" };
    if matched.segments > 1 {
        let ReceiptMatch { segment, segments, pending, .. } = matched;
        line += &format!(", segment {segment} of {segments}, {pending} to come");
    }
    if let Some(state) = matched.message_state {
        line += &format!(", message {state:?}");
    }
    if let Some(previous) = matched.previous {
        line += &format!(", before {previous:?}");
    }
    line + &with_key(matched.key.as_ref())
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
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            format!("no receipt for {}{}", ids.join(", "), with_key(key.as_ref()))
        }
    }
}
