//! Conclusions about messages, their responses, and their segments that come back. No I/O.

use smpp_proto::CommandStatus;

use super::dialect::is_accepted;
use super::finding::Finding;
use super::limits::status_name;
use super::plan::Purpose;
use super::receipts::Returned;
use super::record::{Record, Sent, tag_name};

/// Returns the names of the TLVs in accepting responses.
pub(super) fn response_tlvs(sent: &[Sent<'_>]) -> Finding<Vec<String>> {
    let accepted: Vec<_> =
        sent.iter().filter(|message| is_accepted(message)).filter_map(|it| it.response).collect();
    if accepted.is_empty() {
        return Finding::unknown("no message was accepted");
    }
    let mut names: Vec<_> =
        accepted.iter().flat_map(|answer| answer.pdu.tlvs().iter()).map(|tlv| tag_name(tlv.tag)).collect();
    names.sort();
    names.dedup();
    Finding::found(names, format!("TLVs of {} responses", accepted.len()))
}

pub(super) fn accepted_codings(sent: &[Sent<'_>]) -> Finding<Vec<u8>> {
    let mut codings: Vec<_> =
        sent.iter().filter(|it| is_accepted(it)).map(|message| message.request.data_coding.0).collect();
    codings.sort_unstable();
    codings.dedup();
    if codings.is_empty() {
        return Finding::unknown("no message was accepted");
    }
    Finding::found(codings, "data_coding of accepted messages; others were not tested")
}

pub(super) fn udh_segments(sent: &[Sent<'_>]) -> Finding<bool> {
    let segments: Vec<_> = sent.iter().filter(|message| message.purpose == Purpose::Segment).collect();
    let accepted = segments.iter().filter(|message| is_accepted(message)).count();
    match segments.len() {
        0 => Finding::unknown("not tested; a larger --budget tests it"),
        total if total == accepted => {
            Finding::found(true, format!("{total} segments with a user data header were accepted"))
        }
        total => {
            Finding::unknown(format!("{accepted} of {total} segments with a user data header were accepted"))
        }
    }
}

/// Returns the refusals of messages that exceed no limit.
pub(super) fn refusals(sent: &[Sent<'_>]) -> Vec<String> {
    let tested = sent.iter().filter(|it| !matches!(it.purpose, Purpose::Window | Purpose::Rate));
    tested
        .filter_map(|message| {
            let answer = message.response.filter(|answer| answer.status != CommandStatus::ROK)?;
            Some(format!("{} ({})", status_name(answer.status), message.purpose))
        })
        .collect()
}

/// Returns whether the segments of a message from a phone arrive on several binds, and whether one at a time.
pub(super) fn segments_of_messages(
    record: &Record,
    returned: &[Returned<'_>],
) -> (Finding<bool>, Finding<bool>) {
    let segments: Vec<_> = returned.iter().filter(|message| message.segment.is_some()).collect();
    if segments.len() < 2 {
        let why = "no message in several segments came back: --to is no number of the account, or it needs more --wait";
        return (Finding::unknown(why), Finding::unknown(why));
    }
    let mut binds: Vec<_> = segments.iter().map(|segment| segment.bind).collect();
    binds.sort_unstable();
    binds.dedup();
    let (total, used) = (segments.len(), binds.len());
    let several = match record.bound() {
        0 | 1 => Finding::unknown("only one bind was open"),
        _ if used > 1 => {
            Finding::found(true, format!("{total} segments of one text arrived on {used} binds"))
        }
        _ => Finding::found(false, format!("{total} segments of one text arrived on one of several binds")),
    };
    // The probe delays its response to a segment: another one that arrives meanwhile does not wait for it.
    let overlapping = segments.iter().filter(|segment| {
        let unanswered = |other: &&&&Returned<'_>| {
            other.index < segment.index && other.acknowledged.is_none_or(|at| at > segment.index)
        };
        segments.iter().filter(|other| unanswered(&other)).count() > 0
    });
    let one_at_a_time = match overlapping.count() {
        0 => Finding::found(
            true,
            format!("each of {total} segments came after the response to the one before"),
        ),
        count => Finding::found(
            false,
            format!("{count} of {total} segments came before the response to the one before"),
        ),
    };
    (several, one_at_a_time)
}
