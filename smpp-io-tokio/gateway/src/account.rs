//! What the account reports, as the node's logic takes it.

use smpp_proto::account::{
    DeliveryReceipt, InboundMessage, MessageOutcome, ReceiptMatch, SegmentNotSentReason, SegmentOutcome,
    SubmitError,
};
use smpp_proto::provider::ReceiptDialect;
use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::{MessageIdPolicy, MessageReference};
use smpp_proto::{Address, Pdu, Ton};

use crate::json::to_hex;
use crate::names::hash;
use crate::node::{AcceptedPart, Ended, EventKind, IdOwner, Outcome, PhonePart, ReceiptDetails};

/// Returns the part that the SMSC has accepted with this id. Without an id, or if no receipts were requested, nothing is
/// stored for it.
pub fn accepted_part(
    part: u8,
    id: &smpp_proto::account::MessageId,
    policy: MessageIdPolicy,
    has_receipts: bool,
) -> AcceptedPart {
    let key = policy.submitted_key(id.as_bytes());
    let normalised = if key.is_empty() || !has_receipts { String::new() } else { to_hex(key.as_octets()) };
    AcceptedPart { part, id: id.to_string(), normalised }
}

/// Returns how a message ended of which the SMSC has not accepted all.
pub fn failed(outcome: &MessageOutcome, policy: MessageIdPolicy, has_receipts: bool) -> Ended {
    let mut accepted = Vec::new();
    let mut numbers = 1..=u8::MAX;
    for (segment, part) in outcome.segments.iter().zip(&mut numbers) {
        if let Some(id) = segment.id() {
            accepted.push(accepted_part(part, id, policy, has_receipts));
        }
    }
    let parts = u8::try_from(outcome.segments.len()).unwrap_or(u8::MAX);
    let all = || outcome.segments.iter();
    let unanswered = all().find(|segment| matches!(segment, SegmentOutcome::Unanswered(_)));
    let refused = all().find(|segment| {
        matches!(
            segment,
            SegmentOutcome::Refused { .. }
                | SegmentOutcome::Nacked(_)
                | SegmentOutcome::NeverSent(SegmentNotSentReason::Request(_))
        )
    });
    let expired =
        all().find(|segment| matches!(segment, SegmentOutcome::NeverSent(SegmentNotSentReason::Expired)));
    let (kind, segment) = match (unanswered, refused, expired) {
        (Some(segment), ..) => (EventKind::Uncertain, segment),
        (None, Some(segment), _) => (EventKind::Refused, segment),
        (None, None, Some(segment)) => (EventKind::Expired, segment),
        (None, None, None) => match all().find(|segment| !segment.is_accepted()) {
            // Cancelled after a part of it was accepted: sent again, it would arrive twice in part.
            Some(segment) if !accepted.is_empty() => (EventKind::Uncertain, segment),
            _ => return Ended::NeverSent,
        },
    };
    let status = segment.status().map(|status| status.0);
    let reason = segment.to_string();
    Ended::Outcome(Outcome { parts, accepted, status, ..Outcome::new(kind, reason) })
}

/// Returns how a message ended that the account did not take.
pub fn not_taken(error: &SubmitError) -> Ended {
    match error {
        SubmitError::Full | SubmitError::ShutDown | SubmitError::Stopped => Ended::NeverSent,
        error => Ended::Outcome(Outcome::new(EventKind::Invalid, error.to_string())),
    }
}

/// Returns the receipt, whose it is if the account knows that, and the normalised ids that it may mean.
pub fn receipt(
    receipt: &DeliveryReceipt,
    matched: Option<&ReceiptMatch>,
    dialect: &ReceiptDialect,
) -> (ReceiptDetails, Option<IdOwner>, Vec<String>) {
    let details = ReceiptDetails {
        id: receipt.id.to_string(),
        state: format!("{:?}", receipt.state),
        is_final: receipt.is_final,
        stat: receipt.stat.to_string(),
        err: receipt.err.as_ref().map(ToString::to_string),
        digest: match receipt.pdu() {
            Some(Pdu::DeliverSm(message)) => digest(message.text()),
            Some(Pdu::DataSm(message)) => digest(message.text()),
            _ => String::new(),
        },
    };
    let owner = matched.and_then(|matched| {
        let key = std::str::from_utf8(matched.key.as_ref()?.as_bytes()).ok()?.to_owned();
        Some(IdOwner { key, part: matched.segment.saturating_add(1), parts: matched.segments })
    });
    let mut ids = Vec::new();
    if owner.is_none() {
        let mut buffer = Vec::new();
        let read = match receipt.pdu() {
            Some(Pdu::DeliverSm(message)) => dialect.read(&message, &mut buffer),
            Some(Pdu::DataSm(message)) => dialect.read(&message, &mut buffer),
            _ => None,
        };
        if let Some(Ok(read)) = read {
            let policy = dialect.message_ids;
            let first = policy.receipt_key(&read);
            let others = policy.fallback_keys(&read, dialect.id_fallback);
            let all = std::iter::once(first).chain(others).filter(|key| !key.is_empty());
            ids = all.map(|key| to_hex(key.as_octets())).collect();
        }
    }
    (details, owner, ids)
}

/// Returns a message from a phone, or a part of one.
pub fn phone_part(message: &InboundMessage) -> PhonePart {
    let (from, to) = (number(message.source()), number(message.destination()));
    let whole = |octets: &[u8], data_coding: u8, esm_class: u8| PhonePart {
        group: String::new(),
        number: 1,
        total: 1,
        digest: digest(octets),
        from: from.clone(),
        to: to.clone(),
        data_coding,
        esm_class,
        octets: to_hex(octets),
    };
    let Some(frame) = message.frame() else {
        // A message of one part: the account has read its header.
        let first = message.segments().next();
        let data_coding = first.map_or(0, |segment| segment.data_coding.0);
        return whole(&message.octets(), data_coding, 0);
    };
    let pdu = frame.pdu(smpp_proto::Tolerance(smpp_proto::Quirks::all())).ok();
    let (user_data, text, data_coding, esm_class) = match pdu.as_ref().map(|(pdu, _)| pdu) {
        Some(Pdu::DeliverSm(pdu)) => (pdu.user_data().ok(), pdu.text(), pdu.data_coding, pdu.esm_class),
        Some(Pdu::DataSm(pdu)) => (pdu.user_data().ok(), pdu.text(), pdu.data_coding, pdu.esm_class),
        _ => return whole(&message.octets(), 0, 0),
    };
    let part = whole(text, data_coding.0, esm_class.bits());
    // A header that is malformed is shown as part of the text.
    let segment = user_data.and_then(|user_data| user_data.segment);
    let Some(segment) = segment.filter(|it| it.total > 1 && (1..=it.total).contains(&it.number)) else {
        return part;
    };
    let reference = match segment.reference {
        MessageReference::Udh(ConcatRef::Narrow(reference)) => format!("a{reference}"),
        MessageReference::Udh(ConcatRef::Wide(reference)) => format!("b{reference}"),
        MessageReference::Sar(reference) => format!("c{reference}"),
    };
    PhonePart {
        group: group(&from, &to, &reference, segment.total),
        number: segment.number,
        total: segment.total,
        ..part
    }
}

/// Returns an address as programs write it: an international number with `+`.
fn number(address: Address<'_, 65>) -> String {
    let digits = address.digits.to_string();
    if address.ton == Ton::INTERNATIONAL && !digits.starts_with('+') { format!("+{digits}") } else { digits }
}

/// Returns the word that the parts of a message have in common. It does not show the numbers.
fn group(from: &str, to: &str, reference: &str, total: u8) -> String {
    // No number has a zero octet.
    let hash = hash([from, to].join("\0").as_bytes());
    format!("{hash:032x}-{reference}-{total}")
}

/// Returns the 64-bit FNV-1a hash of the octets in hexadecimal digits.
fn digest(octets: &[u8]) -> String {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for octet in octets {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_that_of_its_numbers_and_does_not_show_them() {
        let one = group("+6591234567", "8x8", "a7", 2);
        assert!(!one.contains("6591234567") && !one.contains(&to_hex(b"6591234567")), "{one}");
        let others = [
            ("+659123456", "78x8", "a7", 2),
            ("8x8", "+6591234567", "a7", 2),
            ("+6591234567", "8x8", "b7", 2),
        ];
        for (from, to, reference, total) in others {
            assert_ne!(group(from, to, reference, total), one);
        }
    }
}
