//! The receipts and the echo of an accepted message, in the dialect of the SMSC.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::bind::SimulatedBind;
use super::delivery::{Content, PendingDelivery, push_tlv};
use super::dialect::{Echo, ReceiptContent, SegmentReceipts, SubmitTlvs};
use super::rules::ReceiptTiming;
use super::script::ScriptedReceipt;
use super::{Rules, Simulator};
use crate::pdu::{DataCoding, EsmClass, MessageState, RegisteredDelivery, ShortMessage, SubmitSm};
use crate::provider::Provider;
use crate::session::Instant;
use crate::sms::time::{LocalTime, UnixTime};
use crate::sms::{Alphabet, Codings, Receipt, UserData, gsm7};
use crate::tlv::Tag;

/// An accepted message.
pub(super) struct Accepted<'a> {
    pub(super) account: usize,
    pub(super) bind: SimulatedBind,
    pub(super) message: &'a SubmitSm<'a>,
    /// The number that its ids are made of.
    pub(super) number: u64,
    /// Whether it is the segment that the receipt of the whole message is about; true for a message in one segment.
    pub(super) is_reported: bool,
}

impl Simulator {
    /// Returns the number of a message, and whether it gets a receipt as far as its segment is concerned.
    pub(super) fn number(&mut self, account: usize, message: &SubmitSm<'_>) -> (u64, bool) {
        self.messages += 1;
        let new = self.first_number + self.messages;
        let segment = message.user_data().ok().and_then(|user_data| user_data.segment);
        let Some(segment) = segment else { return (new, true) };
        match self.rules.dialect.segment_receipts {
            SegmentReceipts::Each => (new, true),
            SegmentReceipts::First => (new, segment.number == 1),
            SegmentReceipts::Last => (new, segment.number == segment.total),
            SegmentReceipts::SharedId => (self.shared_ids.number(account, message, segment, new).0, true),
            SegmentReceipts::SharedIdOnce => self.shared_ids.number(account, message, segment, new),
        }
    }

    /// Schedules the receipts and the echo of an accepted message.
    pub(super) fn schedule(&mut self, now: Instant, accepted: &Accepted<'_>, scripted: ScriptedReceipt) {
        let drawn = self.rules.states.draw(&mut self.rng);
        let state = scripted.state.unwrap_or(drawn);
        let delay = match self.rules.receipt_timing {
            ReceiptTiming::Never => None,
            ReceiptTiming::Delayed => Some(self.rules.receipt_delay),
            ReceiptTiming::BeforeResponse => Some(Duration::ZERO),
        };
        // Without receipts, a message reaches its final state after the same time.
        self.record(now, accepted, state, delay.unwrap_or(self.rules.receipt_delay));
        let number = Some(accepted.number);
        let is_wanted = accepted.is_reported
            && !scripted.is_omitted
            && wants_receipt(accepted.message.registered_delivery, state);
        if let Some(delay) = delay.filter(|_| is_wanted) {
            let dialect = &self.rules.dialect;
            let (of_receipt, of_intermediate) = (dialect.receipt_esm_class, dialect.intermediate_esm_class);
            let receipts = [
                dialect.intermediate.map(|state| (state, of_intermediate, delay / 2)),
                Some((state, of_receipt, delay)),
                dialect.correction.map(|state| (state, of_receipt, delay + self.rules.receipt_delay)),
            ];
            for (state, esm_class, delay) in receipts.into_iter().flatten() {
                let due = now + delay;
                let content = self.receipt(accepted, (state, esm_class), (now, due));
                // The receipt swaps the addresses of the message.
                let (source, destination) = (accepted.message.destination, accepted.message.source);
                let (source, destination) = (source.into(), destination.into());
                let submitter = Some(accepted.bind);
                self.enqueue(
                    accepted.account,
                    PendingDelivery { due, source, destination, submitter, number, mo: None, content },
                );
            }
        }
        if let Some(content) = echo(&self.rules, accepted.message) {
            let (source, destination) = (accepted.message.source.into(), accepted.message.destination.into());
            let (due, submitter) = (now + self.rules.receipt_delay, Some(accepted.bind));
            self.enqueue(
                accepted.account,
                PendingDelivery { due, source, destination, submitter, number, mo: None, content },
            );
        }
    }

    pub(super) fn receipt(
        &self,
        accepted: &Accepted<'_>,
        (state, esm_class): (MessageState, EsmClass),
        (submitted, done): (Instant, Instant),
    ) -> Content {
        let Rules { dialect, seed, .. } = &self.rules;
        let mut octets = Vec::new();
        if dialect.receipt_content != ReceiptContent::Tlvs {
            octets.extend(dialect.leading_nul.then_some(0));
            let id = dialect.text_ids.id(*seed, accepted.number);
            self.emit_text(&id, state, (submitted, done), &excerpt(accepted.message), &mut octets);
        }
        let mut tlvs = Vec::new();
        if matches!(dialect.receipt_content, ReceiptContent::Tlvs | ReceiptContent::TextAndTlvs) {
            let mut id = dialect.tlv_ids.id(*seed, accepted.number).into_bytes();
            id.push(0);
            push_tlv(&mut tlvs, Tag::RECEIPTED_MESSAGE_ID, &id);
        }
        if dialect.receipt_content != ReceiptContent::Text {
            push_tlv(&mut tlvs, Tag::MESSAGE_STATE, &[state.0]);
        }
        if dialect.submit_tlvs == SubmitTlvs::Echo
            && let Some(reference) = accepted.message.tlvs.get(Tag::USER_MESSAGE_REFERENCE)
        {
            push_tlv(&mut tlvs, Tag::USER_MESSAGE_REFERENCE, reference);
        }
        Content { state: Some(state), esm_class, data_coding: DataCoding::SMSC_DEFAULT, octets, tlvs }
    }

    fn emit_text(
        &self,
        id: &str,
        state: MessageState,
        (submitted, done): (Instant, Instant),
        text: &[u8],
        out: &mut Vec<u8>,
    ) {
        let (submit_date, done_date) = (self.date(submitted), self.date(done));
        let receipt = Receipt {
            id: id.as_bytes(),
            sub: Some(1),
            dlvrd: Some((state == MessageState::DELIVERED).into()),
            submit_date: Some(submit_date.as_bytes()),
            done_date: Some(done_date.as_bytes()),
            stat: Receipt::stat_word(state).unwrap_or(b"UNKNOWN"),
            err: Some(error(state)),
            text: Some(text),
            ..Receipt::default()
        };
        receipt.emit(out);
    }

    /// Formats a time as `YYMMDDhhmm` in the time zone of the SMSC; empty beyond the year 9999.
    fn date(&self, at: Instant) -> String {
        let since_start = Duration::from_nanos(at.as_nanos());
        let since_epoch = Duration::from_secs(self.rules.epoch).saturating_add(since_start);
        let offset = self.rules.dialect.receipt_offset;
        let Ok(date) = LocalTime::from_unix(UnixTime::from_duration(since_epoch), offset) else {
            return String::new();
        };
        let (year, month, day) = (date.year() % 100, date.month(), date.day());
        alloc::format!("{year:02}{month:02}{day:02}{:02}{:02}", date.hour(), date.minute())
    }
}

/// Returns the `err` field of a receipt, from 8x8's table.
const fn error(state: MessageState) -> &'static [u8] {
    match state {
        MessageState::DELIVERED | MessageState::ACCEPTED | MessageState::ENROUTE => b"000",
        MessageState::EXPIRED => b"036",
        MessageState::DELETED => b"039",
        MessageState::REJECTED => b"041",
        _ => b"007",
    }
}

/// Returns whether a receipt is requested for the state: bits 1 and 0 of registered_delivery, as SMPP 5.0 defines them.
fn wants_receipt(registered_delivery: RegisteredDelivery, state: MessageState) -> bool {
    match RegisteredDelivery::from_bits_retain(registered_delivery.bits() & 3) {
        RegisteredDelivery::RECEIPT => true,
        RegisteredDelivery::RECEIPT_ON_FAILURE => state != MessageState::DELIVERED,
        RegisteredDelivery::RECEIPT_ON_SUCCESS => state == MessageState::DELIVERED,
        _ => false,
    }
}

/// Returns the first twenty characters in the GSM alphabet, with `?` for characters that it lacks.
fn excerpt(message: &SubmitSm<'_>) -> Vec<u8> {
    let codings = Provider::EIGHT_BY_EIGHT.codings;
    let text = message.user_data().ok().and_then(|user_data| user_data.text(codings)).unwrap_or_default();
    let plain = |character| if gsm7::septets(character).is_some() { character } else { '?' };
    let text: String = text.chars().take(20).map(plain).collect();
    let mut out = Vec::new();
    // Cannot fail: characters that the alphabet lacks have been replaced.
    let _ = gsm7::encode(&text, &mut out);
    out
}

/// Returns the message as it comes back to its sender; `None` if the SMSC has no echo or the message is no text.
fn echo(rules: &Rules, message: &SubmitSm<'_>) -> Option<Content> {
    let echo = rules.dialect.echo?;
    let default = rules.dialect.default_alphabet;
    let user_data = message.user_data().ok()?;
    let text = user_data.text(Codings { smsc_default: default, ..Codings::default() })?;
    let mut octets = header(&user_data);
    let coded = match echo {
        Echo::Default => default.encode(&text, &mut octets).is_ok(),
        Echo::Ucs2 => false,
    };
    let data_coding = if coded { DataCoding::SMSC_DEFAULT } else { DataCoding::UCS2 };
    if !coded {
        // Cannot fail: UCS-2 has every character.
        let _ = Alphabet::Ucs2.encode(&text, &mut octets);
    }
    let esm_class = message.esm_class & EsmClass::UDHI;
    let mut tlvs = Vec::new();
    if ShortMessage::new(&octets).is_err() {
        push_tlv(&mut tlvs, Tag::MESSAGE_PAYLOAD, &octets);
        octets.clear();
    }
    Some(Content { state: None, esm_class, data_coding, octets, tlvs })
}

/// Returns the octets of the user data header, its length included.
fn header(user_data: &UserData<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(header) = user_data.header {
        out.push(u8::try_from(header.as_bytes().len()).unwrap_or_default());
        out.extend_from_slice(header.as_bytes());
    }
    out
}
