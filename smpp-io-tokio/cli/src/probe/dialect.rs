//! Conclusions about messages, receipts and segments. No I/O.

use smpp_core::provider::ReceiptRoute;
use smpp_core::sms::MessageIdPolicy;
use smpp_core::sms::time::{ReportedTime, UtcOffset};
use smpp_core::{CommandStatus, EsmClass, MessageState};

use super::findings::{Finding, ReceiptContent, SegmentReceipts, TlvUse};
use super::ids::{Relation, Shape, describe};
use super::limits::status_name;
use super::plan::Purpose;
use super::receipts::{Deliveries, Received, Returned};
use super::record::{Record, Sent, tag_name};

/// How far the clock of the SMSC may be off, in seconds, and the minute that a date without seconds hides.
const CLOCK_TOLERANCE: i64 = 180;

/// The seconds of a quarter of an hour.
const QUARTER: i64 = 900;

/// The accepted messages and the receipts that belong to them.
pub(super) struct Receipts<'a> {
    record: &'a Record,
    /// All messages, also those without an id.
    sent: &'a [Sent<'a>],
    /// Each receipt, with the position of its message in `sent`.
    all: Vec<(&'a Received, Option<usize>)>,
    text: Option<Relation>,
    tlv: Option<Relation>,
}

/// Returns the id of a message that was accepted.
fn id<'a>(message: &Sent<'a>) -> Option<&'a [u8]> {
    let answer = message.response.filter(|answer| answer.status == CommandStatus::ROK)?;
    (!answer.message_id.is_empty()).then_some(answer.message_id)
}

fn is_accepted(message: &Sent<'_>) -> bool {
    message.response.is_some_and(|answer| answer.status == CommandStatus::ROK)
}

/// Returns whether a receipt says how its message ended. UNKNOWN and words that nobody knows do, as far as one can tell.
fn concludes(receipt: &Received) -> bool {
    let is_underway = matches!(
        receipt.state,
        Some(MessageState::ENROUTE | MessageState::SCHEDULED | MessageState::ACCEPTED)
    );
    receipt.is_final || !(is_underway || is_intermediate(receipt))
}

fn is_intermediate(receipt: &Received) -> bool {
    receipt.esm_class.message_type() == EsmClass::INTERMEDIATE_NOTIFICATION
}

impl<'a> Receipts<'a> {
    pub(super) fn new(record: &'a Record, sent: &'a [Sent<'a>], deliveries: &'a Deliveries) -> Self {
        let submitted: Vec<_> = sent.iter().filter_map(id).collect();
        let ids = |of: fn(&Received) -> Option<&[u8]>| -> Vec<&[u8]> {
            deliveries.receipts.iter().filter_map(of).collect()
        };
        let text = Relation::find(&submitted, &ids(|receipt| receipt.text_id.as_deref()));
        let tlv = Relation::find(&submitted, &ids(|receipt| receipt.tlv_id.as_deref()));
        let owner = |receipt: &Received| {
            let same = |id: &Option<Vec<u8>>, relation: Option<Relation>, submitted: &[u8]| {
                let relation = relation.zip(id.as_deref());
                relation.is_some_and(|(relation, id)| relation.policy.same(submitted, id))
            };
            sent.iter().position(|message| {
                id(message).is_some_and(|submitted| {
                    same(&receipt.text_id, text, submitted) || same(&receipt.tlv_id, tlv, submitted)
                })
            })
        };
        let all = deliveries.receipts.iter().map(|receipt| (receipt, owner(receipt))).collect();
        Self { record, sent, all, text, tlv }
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the finding, or that there are no receipts.
    fn unless_empty<T>(&self, finding: impl FnOnce() -> Finding<T>) -> Finding<T> {
        if self.is_empty() {
            Finding::unknown("no receipt arrived: it may need more --wait")
        } else {
            finding()
        }
    }

    pub(super) fn any(&self) -> Finding<bool> {
        let wanted =
            self.sent.iter().filter(|message| is_accepted(message) && wants_receipt(message)).count();
        let count = self.all.len();
        self.unless_empty(|| {
            Finding::found(true, format!("{count} receipts for {wanted} messages with registered_delivery 1"))
        })
    }

    pub(super) fn response_ids(&self) -> Finding<Shape> {
        let ids: Vec<_> = self.sent.iter().filter_map(id).collect();
        shape(&ids, "no response had a message_id")
    }

    pub(super) fn text_ids(&self) -> Finding<Shape> {
        let ids: Vec<_> = self.all.iter().filter_map(|(receipt, _)| receipt.text_id.as_deref()).collect();
        shape(&ids, "no text of a receipt had an id")
    }

    pub(super) fn tlv_ids(&self) -> Finding<Shape> {
        let ids: Vec<_> = self.all.iter().filter_map(|(receipt, _)| receipt.tlv_id.as_deref()).collect();
        shape(&ids, "no receipt had receipted_message_id")
    }

    /// Returns how the ids in texts and in TLVs compare with those of responses.
    pub(super) fn policies(&self) -> (Finding<MessageIdPolicy>, Finding<MessageIdPolicy>) {
        let has_text = self.all.iter().any(|(receipt, _)| receipt.text_id.is_some());
        let has_tlv = self.all.iter().any(|(receipt, _)| receipt.tlv_id.is_some());
        let text = self.unless_empty(|| policy(self.text, has_text, "text"));
        let tlv = self.unless_empty(|| policy(self.tlv, has_tlv, "receipted_message_id"));
        (text, tlv)
    }

    pub(super) fn submit_tlvs(&self) -> Finding<TlvUse> {
        let tested = self.sent.iter().enumerate().find(|(_, message)| message.purpose == Purpose::Tlvs);
        let Some((at, message)) = tested else {
            return Finding::unknown("not tested; a larger --budget tests it");
        };
        let Some(answer) = message.response else {
            return Finding::unknown("the message with a TLV was not answered");
        };
        if answer.status != CommandStatus::ROK {
            // If others are refused as well, it is not for the TLV.
            let others = self.sent.iter().filter(|other| other.purpose == Purpose::Plain);
            let status = status_name(answer.status);
            let same = others.filter_map(|other| other.response).any(|other| other.status == answer.status);
            return match same {
                true => Finding::unknown(format!("messages without a TLV were refused with {status}, too")),
                false => Finding::found(
                    TlvUse::Refused(answer.status),
                    format!("a message with user_message_reference was refused with {status}"),
                ),
            };
        }
        let own = message.request.tlvs.user_message_reference();
        let back = self.all.iter().any(|(receipt, owner)| *owner == Some(at) && receipt.reference == own);
        match back {
            true => {
                Finding::found(TlvUse::GivenBack, "user_message_reference was accepted, and in the receipt")
            }
            false => {
                Finding::found(TlvUse::Accepted, "user_message_reference was accepted, and in no receipt")
            }
        }
    }

    pub(super) fn content(&self) -> Finding<ReceiptContent> {
        self.unless_empty(|| {
            let any = |test: fn(&Received) -> bool| self.all.iter().any(|(receipt, _)| test(receipt));
            let count = |test: fn(&Received) -> bool| self.all.iter().filter(|(receipt, _)| test(receipt)).count();
            let (text, id_tlv, state_tlv): (fn(&Received) -> bool, fn(&Received) -> bool, fn(&Received) -> bool) =
                (|it| it.text_id.is_some(), |it| it.tlv_id.is_some(), |it| it.has_state_tlv);
            let evidence = format!(
                "of {} receipts, {} had the id in the text, {} had receipted_message_id, {} had message_state",
                self.all.len(),
                count(text),
                count(id_tlv),
                count(state_tlv)
            );
            let content = ReceiptContent { text: any(text), id_tlv: any(id_tlv), state_tlv: any(state_tlv) };
            Finding::found(content, evidence)
        })
    }

    /// Returns the receipts of a message that say how it ended.
    fn concluding(&self, owner: usize) -> impl Iterator<Item = &'a Received> {
        let of_owner = self.all.iter().filter(move |(_, of)| *of == Some(owner));
        of_owner.map(|(receipt, _)| *receipt).filter(|receipt| concludes(receipt))
    }

    pub(super) fn of_segments(&self) -> Finding<SegmentReceipts> {
        let is_segment = |(_, message): &(usize, &Sent<'_>)| message.purpose == Purpose::Segment;
        let segments = self.sent.iter().enumerate().filter(is_segment);
        let accepted: Vec<_> = segments.filter_map(|(at, message)| Some((at, id(message)?))).collect();
        let total = accepted.len();
        let (Some((first, first_id)), Some((last, _))) = (accepted.first(), accepted.last()) else {
            return Finding::unknown("no segments were accepted");
        };
        if total < 2 {
            return Finding::unknown("only one segment was accepted");
        }
        if self.is_empty() {
            return self.unless_empty(|| Finding::unknown(""));
        }
        let is_shared = accepted.iter().all(|(_, id)| id == first_id);
        let counts: Vec<_> = accepted.iter().map(|(at, _)| self.concluding(*at).count()).collect();
        if is_shared {
            let received = counts.first().copied().unwrap_or(0);
            // A message in one segment may get more than one as well, if its state changes.
            let singles = (0..self.sent.len()).filter(|at| accepted.iter().all(|(segment, _)| segment != at));
            let of_single = singles.map(|at| self.concluding(at).count()).max().unwrap_or(0).max(1);
            let evidence = format!(
                "{total} segments had one id, with {received} receipts; a message in one segment had {of_single}"
            );
            return match received {
                0 => Finding::unknown(format!("{total} segments had one id, and no receipt")),
                _ if received >= total * of_single => Finding::found(SegmentReceipts::SharedId, evidence),
                _ if received <= of_single => Finding::found(SegmentReceipts::SharedIdOnce, evidence),
                _ => Finding::unknown(evidence),
            };
        }
        let with: Vec<_> =
            accepted.iter().map(|(at, _)| *at).filter(|at| self.concluding(*at).count() > 0).collect();
        let evidence = format!("{total} segments had an id each; {} of them had receipts", with.len());
        if with.len() == total {
            Finding::found(SegmentReceipts::Each, evidence)
        } else if with == [*first] {
            Finding::found(SegmentReceipts::First, format!("{evidence}, the first one"))
        } else if with == [*last] {
            Finding::found(SegmentReceipts::Last, format!("{evidence}, the last one"))
        } else {
            Finding::unknown(evidence)
        }
    }

    pub(super) fn states(&self) -> Finding<Vec<MessageState>> {
        self.unless_empty(|| {
            let (mut states, mut words): (Vec<MessageState>, Vec<(&str, usize)>) = (Vec::new(), Vec::new());
            for (receipt, _) in &self.all {
                match words.iter_mut().find(|(word, _)| *word == receipt.stat) {
                    Some((_, count)) => *count += 1,
                    None => words.push((&receipt.stat, 1)),
                }
                states.extend(receipt.state.filter(|state| !states.contains(state)));
            }
            let words: Vec<_> = words.iter().map(|(word, count)| format!("{word} ({count})")).collect();
            let evidence =
                format!("states of {} receipts: {}; others are possible", self.all.len(), words.join(", "));
            if states.is_empty() { Finding::unknown(evidence) } else { Finding::found(states, evidence) }
        })
    }

    pub(super) fn intermediate(&self) -> Finding<Vec<MessageState>> {
        self.unless_empty(|| {
            let underway: Vec<_> =
                self.all.iter().map(|(receipt, _)| receipt).filter(|receipt| !concludes(receipt)).collect();
            let mut states = Vec::new();
            for receipt in &underway {
                states.extend(receipt.state.filter(|state| !states.contains(state)));
            }
            let count = underway.len();
            match count {
                0 => Finding::found(states, format!("none of {} receipts had such a state", self.all.len())),
                _ => {
                    let words = underway.iter().map(|receipt| {
                        format!("{} with esm_class {:#04x}", receipt.stat, receipt.esm_class.bits())
                    });
                    let mut words: Vec<_> = words.collect();
                    words.sort();
                    words.dedup();
                    let all = self.all.len();
                    Finding::found(states, format!("{count} of {all} receipts: {}", words.join(", ")))
                }
            }
        })
    }

    pub(super) fn change(&self) -> Finding<(MessageState, MessageState)> {
        self.unless_empty(|| {
            for owner in 0..self.sent.len() {
                let states: Vec<_> = self.concluding(owner).filter_map(|receipt| receipt.state).collect();
                let changed = states.windows(2).find(|pair| pair[0] != pair[1]);
                if let Some([before, after]) = changed {
                    let evidence =
                        format!("a receipt with {after:?} followed one with {before:?} for the same message");
                    return Finding::found((*before, *after), evidence);
                }
            }
            Finding::unknown("no final state was followed by another one")
        })
    }

    pub(super) fn esm_classes(&self) -> Finding<Vec<u8>> {
        self.unless_empty(|| {
            let mut classes: Vec<_> = self.all.iter().map(|(receipt, _)| receipt.esm_class.bits()).collect();
            let each = |class: u8| classes.iter().filter(|it| **it == class).count();
            let mut unique = classes.clone();
            unique.sort_unstable();
            unique.dedup();
            let counts: Vec<_> =
                unique.iter().map(|class| format!("{class:#04x} ({})", each(*class))).collect();
            classes = unique;
            Finding::found(
                classes,
                format!("esm_class of {} receipts: {}", self.all.len(), counts.join(", ")),
            )
        })
    }

    pub(super) fn leading_nul(&self) -> Finding<bool> {
        self.unless_empty(|| {
            let count = self.all.iter().filter(|(receipt, _)| receipt.leading_nul).count();
            Finding::found(count > 0, format!("{count} of {} texts began with a NUL", self.all.len()))
        })
    }

    pub(super) fn before_response(&self) -> Finding<bool> {
        self.unless_empty(|| {
            let is_early = |(receipt, owner): &&(&Received, Option<usize>)| {
                let message = owner.and_then(|at| self.sent.get(at));
                message.and_then(|it| it.response).is_some_and(|answer| receipt.index < answer.index)
            };
            let count = self.all.iter().filter(is_early).count();
            let evidence = format!("{count} of {} receipts came before the submit_sm_resp", self.all.len());
            Finding::found(count > 0, evidence)
        })
    }

    pub(super) fn route(&self) -> Finding<ReceiptRoute> {
        self.unless_empty(|| {
            if self.record.bound() < 2 {
                return Finding::unknown("only one bind was open");
            }
            let owned = self
                .all
                .iter()
                .filter_map(|(receipt, owner)| Some((receipt.bind, self.sent.get((*owner)?)?.bind)));
            let owned: Vec<_> = owned.collect();
            let elsewhere = owned.iter().filter(|(receipt, message)| receipt != message).count();
            let total = owned.len();
            let has_other = owned.iter().any(|(_, message)| Some(*message) != owned.first().map(|it| it.1));
            if elsewhere > 0 {
                let evidence =
                    format!("{elsewhere} of {total} receipts came on another bind than the message went");
                Finding::found(ReceiptRoute::AnyBind, evidence)
            } else if has_other {
                let evidence = format!(
                    "all {total} receipts, of messages on several binds, came on the bind of the message"
                );
                Finding::found(ReceiptRoute::SubmittingBind, evidence)
            } else {
                Finding::unknown(format!("all {total} receipts are of messages on one bind, and came on it"))
            }
        })
    }

    /// Returns the time zone of the dates: by how many quarters of an hour they are off the clock of this machine.
    pub(super) fn offset(&self) -> Finding<UtcOffset> {
        self.unless_empty(|| {
            let clock =
                |at: std::time::Duration| self.record.epoch + i64::try_from(at.as_secs()).unwrap_or(0);
            let mut dated = self.all.iter().filter_map(|(receipt, owner)| {
                let sent = owner.and_then(|at| self.sent.get(at));
                match (&receipt.submit_date, sent, &receipt.done_date) {
                    (Some(date), Some(message), _) => Some((date, clock(message.at))),
                    (_, _, Some(date)) => Some((date, clock(receipt.at))),
                    _ => None,
                }
            });
            let Some((first, at)) = dated.next() else { return Finding::unknown("no receipt had a date") };
            let shown = first.escape_ascii().to_string();
            match offset(first, at) {
                Some(found) if dated.all(|(date, at)| offset(date, at) == Some(found)) => {
                    let seconds = at.rem_euclid(86_400);
                    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
                    Finding::found(found, format!("the date \"{shown}\" at {hour:02}:{minute:02} UTC"))
                }
                Some(_) => Finding::unknown("the dates are not off by the same time"),
                None => Finding::unknown(format!("the date \"{shown}\" is no local time of a time zone")),
            }
        })
    }
}

fn offset(date: &[u8], at: i64) -> Option<UtcOffset> {
    let ReportedTime::Local(local) = ReportedTime::parse(date)? else { return None };
    let ahead = local.to_unix(UtcOffset::UTC).as_secs() - at;
    let quarters = (ahead + QUARTER / 2).div_euclid(QUARTER);
    let is_close = (ahead - quarters * QUARTER).abs() <= CLOCK_TOLERANCE;
    is_close.then(|| i8::try_from(quarters).ok()).flatten().and_then(|it| UtcOffset::from_quarters(it).ok())
}

fn shape(ids: &[&[u8]], why: &str) -> Finding<Shape> {
    match Shape::of(ids) {
        Some(shape) => Finding::found(shape.clone(), shape.evidence()),
        None => Finding::unknown(why),
    }
}

fn policy(relation: Option<Relation>, has_ids: bool, place: &str) -> Finding<MessageIdPolicy> {
    match relation {
        _ if !has_ids => Finding::unknown(format!("no receipt had an id in its {place}")),
        None => Finding::unknown(format!("no id of a {place} is that of a response in any notation")),
        Some(Relation { policy, matched, of }) => {
            let how = describe(policy);
            Finding::found(
                policy,
                format!("{matched} of {of} ids in the {place} are that of a response: {how}"),
            )
        }
    }
}

fn wants_receipt(message: &Sent<'_>) -> bool {
    !message.request.registered_delivery.is_empty()
}

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
    match codings.is_empty() {
        true => Finding::unknown("no message was accepted"),
        false => Finding::found(codings, "data_coding of accepted messages; others were not tested"),
    }
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
