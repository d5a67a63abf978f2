//! What follows from a record. No I/O: observations in, conclusions out.

use std::time::Duration;

use smpp_proto::provider::ReceiptRoute;
use smpp_proto::sms::time::UtcOffset;
use smpp_proto::sms::{Alphabet, Detection, IdFallback, MessageIdPolicy};
use smpp_proto::{CommandStatus, MessageState};

use super::finding::{Finding, ReceiptContent, SegmentReceipts, TlvUse};
use super::ids::Shape;
use super::receipts::{Deliveries, returned};
use super::record::Record;
use super::{alphabet, dialect, limits, submissions};

/// All conclusions.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    pub(super) smsc: Finding<String>,
    pub(super) version: Finding<u8>,
    pub(super) max_binds: Finding<u16>,
    pub(super) bind_status: Finding<CommandStatus>,
    pub(super) rate: Finding<u32>,
    pub(super) rate_status: Finding<CommandStatus>,
    pub(super) window: Finding<u16>,
    pub(super) window_status: Finding<CommandStatus>,
    pub(super) in_order: Finding<bool>,
    pub(super) idle_cut: Finding<Duration>,
    pub(super) enquire_link: Finding<Duration>,
    pub(super) submit_tlvs: Finding<TlvUse>,
    pub(super) response_tlvs: Finding<Vec<String>>,
    pub(super) accepted_codings: Finding<Vec<u8>>,
    pub(super) udh_segments: Finding<bool>,
    pub(super) alphabet: Finding<Alphabet>,
    pub(super) response_ids: Finding<Shape>,
    pub(super) text_ids: Finding<Shape>,
    pub(super) tlv_ids: Finding<Shape>,
    /// How the ids in the texts of receipts compare with those of responses.
    pub(super) text_policy: Finding<MessageIdPolicy>,
    /// How the ids in `receipted_message_id` compare with those of responses.
    pub(super) tlv_policy: Finding<MessageIdPolicy>,
    pub(super) id_fallback: Finding<IdFallback>,
    pub(super) receipts: Finding<bool>,
    pub(super) content: Finding<ReceiptContent>,
    pub(super) segment_receipts: Finding<SegmentReceipts>,
    pub(super) states: Finding<Vec<MessageState>>,
    /// The states that nothing followed and that are not final at other SMSCs.
    pub(super) other_final_states: Finding<Vec<MessageState>>,
    /// The words of `stat` that mean no known state.
    pub(super) unknown_words: Finding<Vec<String>>,
    pub(super) detection: Finding<Detection>,
    pub(super) intermediate: Finding<Vec<MessageState>>,
    /// The final state that another one followed, and the other one.
    pub(super) change: Finding<(MessageState, MessageState)>,
    pub(super) esm_classes: Finding<Vec<u8>>,
    pub(super) leading_nul: Finding<bool>,
    pub(super) before_response: Finding<bool>,
    pub(super) route: Finding<ReceiptRoute>,
    pub(super) offset: Finding<UtcOffset>,
    pub(super) mo_on_several_binds: Finding<bool>,
    pub(super) mo_one_at_a_time: Finding<bool>,
    /// The refusals of messages other than those of the tests for window and rate.
    pub(super) refusals: Vec<String>,
    /// What else the reader has to know.
    pub(super) remarks: Vec<String>,
}

impl Findings {
    /// Draws all conclusions from a record.
    pub(super) fn of(record: &Record) -> Self {
        let sent = record.sent();
        let deliveries = Deliveries::of(record);
        let returned = returned(record, &deliveries);
        let receipts = dialect::Receipts::new(record, &sent, &deliveries);
        let (max_binds, bind_status) = limits::bind_cap(record);
        let (rate, rate_status) = limits::rate(&sent);
        let (window, window_status) = limits::window(&sent);
        let (text_policy, tlv_policy) = receipts.policies();
        let (mo_on_several_binds, mo_one_at_a_time) = submissions::segments_of_messages(record, &returned);
        Self {
            smsc: limits::name(record),
            version: limits::version(record),
            max_binds,
            bind_status,
            rate,
            rate_status,
            window,
            window_status,
            in_order: limits::in_order(&sent),
            idle_cut: limits::idle_cut(record),
            enquire_link: limits::enquire_link(record),
            submit_tlvs: receipts.submit_tlvs(),
            response_tlvs: submissions::response_tlvs(&sent),
            accepted_codings: submissions::accepted_codings(&sent),
            udh_segments: submissions::udh_segments(&sent),
            alphabet: alphabet::conclude(&sent, &returned),
            response_ids: receipts.response_ids(),
            text_ids: receipts.text_ids(),
            tlv_ids: receipts.tlv_ids(),
            text_policy,
            tlv_policy,
            id_fallback: receipts.id_fallback(),
            receipts: receipts.any(),
            content: receipts.content(),
            segment_receipts: receipts.of_segments(),
            states: receipts.states(),
            other_final_states: receipts.other_final_states(),
            unknown_words: receipts.unknown_words(),
            detection: receipts.detection(),
            intermediate: receipts.intermediate(),
            change: receipts.change(),
            esm_classes: receipts.esm_classes(),
            leading_nul: receipts.leading_nul(),
            before_response: receipts.before_response(),
            route: receipts.route(),
            offset: receipts.offset(),
            mo_on_several_binds,
            mo_one_at_a_time,
            refusals: submissions::refusals(&sent),
            remarks: remarks(record, &deliveries),
        }
    }
}

fn remarks(record: &Record, deliveries: &Deliveries) -> Vec<String> {
    let mut remarks = Vec::new();
    if record.foreign > 0 {
        remarks.push(format!(
            "{} receipts or messages about other numbers were delivered to the probe. It refused each with a temporary \
             error, so that the SMSC delivers them again.",
            record.foreign
        ));
    }
    for text in deliveries.unreadable.iter().take(3) {
        remarks.push(format!("A delivery that is marked as a receipt cannot be read: \"{text}\""));
    }
    for ended in record.ends.iter().filter(|ended| ended.by_smsc) {
        let (bind, at) = (ended.bind + 1, ended.at.as_secs_f32());
        remarks.push(format!("The SMSC ended bind {bind} after {at:.1} s: {}", ended.reason));
    }
    remarks
}
