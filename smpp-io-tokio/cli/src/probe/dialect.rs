//! Conclusions about receipts. No I/O.

use std::collections::BTreeMap;

use smpp_proto::provider::ReceiptRoute;
use smpp_proto::sms::time::{ReportedTime, UtcOffset};
use smpp_proto::sms::{Detection, IdFallback, IdSource, MessageIdPolicy, Receipt};
use smpp_proto::{CommandStatus, EsmClass, MessageState};

use super::finding::{Finding, ReceiptContent, SegmentReceipts, TlvUse};
use super::ids::{Relation, Shape, describe};
use super::limits::status_name;
use super::plan::Purpose;
use super::receipts::{Deliveries, Received};
use super::record::{Record, Sent};

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

pub(super) fn is_accepted(message: &Sent<'_>) -> bool {
    message.response.is_some_and(|answer| answer.status == CommandStatus::ROK)
}

/// Returns whether a receipt says how its message ended. UNKNOWN and unknown words count as an end.
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

    /// Returns which ids of a receipt an account has to try, with the policy of the texts, or of the TLVs without such.
    pub(super) fn id_fallback(&self) -> Finding<IdFallback> {
        self.unless_empty(|| {
            let Some(Relation { policy, .. }) = self.text.or(self.tlv) else {
                return Finding::unknown("no id of a receipt is that of a response in any notation");
            };
            let owned: Vec<_> =
                self.all.iter().filter_map(|(it, owner)| Some((*it, self.id_of((*owner)?)?))).collect();
            let total = owned.len();
            for fallback in [IdFallback::None, IdFallback::OtherId, IdFallback::OtherNotation] {
                let matches = |(received, submitted): &&(&Received, &[u8])| {
                    let receipt = receipt_with_ids(received);
                    let key = policy.submitted_key(submitted);
                    policy.receipt_key(&receipt) == key
                        || policy.fallback_keys(&receipt, fallback).any(|other| other == key)
                };
                if owned.iter().all(|it| matches(&it)) {
                    let evidence =
                        format!("with it all of {total} receipts match their message, with less not all do");
                    return match fallback {
                        IdFallback::None => {
                            Finding::found(fallback, format!("all of {total} receipts match their message"))
                        }
                        _ => Finding::found(fallback, evidence),
                    };
                }
            }
            Finding::unknown(format!("no setting matches all of {total} receipts with their message"))
        })
    }

    fn id_of(&self, owner: usize) -> Option<&'a [u8]> {
        self.sent.get(owner).and_then(id)
    }

    /// Returns how to detect receipts: by `esm_class`, or by what else all that are not marked have.
    pub(super) fn detection(&self) -> Finding<Detection> {
        self.unless_empty(|| {
            let unmarked = self.all.iter().map(|(it, _)| it).filter(|it| it.esm_class.message_type().is_empty());
            let (total, all) = (unmarked.clone().count(), self.all.len());
            let with_tlvs = unmarked.filter(|it| it.tlv_id.is_some() && it.has_state_tlv).count();
            let evidence = format!(
                "{total} of {all} receipts are not marked in esm_class; {with_tlvs} of these have receipted_message_id and \
                 message_state"
            );
            let detection = match total {
                0 => Detection::ByEsmClass,
                _ if with_tlvs == total => Detection::ByTlvs,
                _ => Detection::ByContent,
            };
            Finding::found(detection, evidence)
        })
    }

    /// Returns the states that were the last of a message, although they are not at other SMSCs.
    pub(super) fn other_final_states(&self) -> Finding<Vec<MessageState>> {
        self.unless_empty(|| {
            let mut last = BTreeMap::new();
            for (receipt, owner) in &self.all {
                last.insert(*owner, *receipt);
            }
            let mut states: Vec<_> =
                last.values().filter(|it| !it.is_final).filter_map(|it| it.state).collect();
            states.sort();
            states.dedup();
            if states.is_empty() {
                return Finding::unknown("every message ended with a state that is final elsewhere as well");
            }
            Finding::found(
                states,
                "the last states of messages: nothing followed them while the probe waited",
            )
        })
    }

    pub(super) fn unknown_words(&self) -> Finding<Vec<String>> {
        let unknown = self.all.iter().filter(|(receipt, _)| receipt.state.is_none());
        let mut words: Vec<_> = unknown.map(|(receipt, _)| receipt.stat.clone()).collect();
        words.sort();
        words.dedup();
        let all = self.all.len();
        if words.is_empty() {
            return Finding::unknown(format!("no word of {all} receipts is unknown"));
        }
        Finding::found(words, format!("words of {all} receipts whose meaning is unknown: ask the provider"))
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
            return if same {
                Finding::unknown(format!("messages without a TLV were refused with {status}, too"))
            } else {
                let evidence = format!("a message with user_message_reference was refused with {status}");
                Finding::found(TlvUse::Refused(answer.status), evidence)
            };
        }
        let own = message.request.tlvs.user_message_reference();
        let back = self.all.iter().any(|(receipt, owner)| *owner == Some(at) && receipt.reference == own);
        if back {
            Finding::found(TlvUse::GivenBack, "user_message_reference was accepted, and in the receipt")
        } else {
            Finding::found(TlvUse::Accepted, "user_message_reference was accepted, and in no receipt")
        }
    }

    pub(super) fn content(&self) -> Finding<ReceiptContent> {
        self.unless_empty(|| {
            let count = |has: fn(&Received) -> bool| self.all.iter().filter(|(receipt, _)| has(receipt)).count();
            let text = count(|receipt| receipt.text_id.is_some());
            let id_tlv = count(|receipt| receipt.tlv_id.is_some());
            let state_tlv = count(|receipt| receipt.has_state_tlv);
            let evidence = format!(
                "of {} receipts, {text} had the id in the text, {id_tlv} had receipted_message_id, {state_tlv} had \
                 message_state",
                self.all.len()
            );
            let content = ReceiptContent { text: text > 0, id_tlv: id_tlv > 0, state_tlv: state_tlv > 0 };
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
            let (count, all) = (underway.len(), self.all.len());
            if count == 0 {
                return Finding::found(states, format!("none of {all} receipts had such a state"));
            }
            let words = underway
                .iter()
                .map(|receipt| format!("{} with esm_class {:#04x}", receipt.stat, receipt.esm_class.bits()));
            let mut words: Vec<_> = words.collect();
            words.sort();
            words.dedup();
            Finding::found(states, format!("{count} of {all} receipts: {}", words.join(", ")))
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
            let mut counts = BTreeMap::new();
            for (receipt, _) in &self.all {
                *counts.entry(receipt.esm_class.bits()).or_insert(0) += 1;
            }
            let shown: Vec<_> =
                counts.iter().map(|(class, count)| format!("{class:#04x} ({count})")).collect();
            let evidence = format!("esm_class of {} receipts: {}", self.all.len(), shown.join(", "));
            Finding::found(counts.into_keys().collect(), evidence)
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

/// Returns a receipt with these ids alone.
fn receipt_with_ids(received: &Received) -> Receipt<'_> {
    let text = received.text_id.as_deref().unwrap_or_default();
    match received.tlv_id.as_deref() {
        Some(id) => Receipt::default().id(id).id_source(IdSource::Tlv { in_text: text }),
        None => Receipt::default().id(text),
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
