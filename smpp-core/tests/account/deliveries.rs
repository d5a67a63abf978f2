//! What the SMSC delivers: receipts and MO messages, each until it is acknowledged.

mod checks;
mod pdus;
mod recipients;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smpp_proto::account::{DeliveryReceipt, InboundMessage, Options, ReceiptMatch, SegmentAckMode};
use smpp_proto::provider::ReceiptScope;
use smpp_proto::session::Instant;
use smpp_proto::sms::Text;
use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::{DataCoding, EsmClass, MessageState, SubmitSm};

use self::checks::word;
pub(crate) use self::pdus::{DeliveryPdu, ShareOfDataSm};
pub(crate) use self::recipients::RECIPIENTS;
use super::harness::rng::Rng;
use super::log::{ConnectionId, DeliveryCopy, delivery_index};
use super::messages::Messages;
use super::scenario::{ReceiptIds, Scenario};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryKind {
    /// The segment is the one whose id the receipt has; of a submit_multi to several, the accepted recipient.
    Receipt {
        message: usize,
        segment: u8,
        state: MessageState,
    },
    /// A receipt of another application's message.
    Foreign,
    /// A receipt of a message of an earlier process.
    Earlier,
    Mo {
        mo: usize,
        segment: u8,
    },
    /// The first segment of a message whose other segments never come, all from one sender.
    Flood,
}

/// One PDU. The SMSC delivers it until it is acknowledged.
pub(crate) struct Delivery {
    pub(crate) kind: DeliveryKind,
    /// The id in the `submit_sm_resp` of the receipt's segment: each resent copy has another.
    id: Vec<u8>,
    source: String,
    esm_class: EsmClass,
    data_coding: DataCoding,
    octets: Vec<u8>,
    /// The TLV `receipted_message_id`.
    tlv_id: Option<String>,
    /// When the account first read it.
    arrived: Option<Instant>,
    /// How often the account read it.
    arrivals: u32,
    /// How often the account emitted it.
    reported: u32,
    accepted: bool,
    /// Whether the account has acknowledged it.
    acknowledged: bool,
    /// On which connection the account last read it.
    connection: ConnectionId,
    /// On which connection the copy arrived that the application has not acknowledged yet.
    waits_on: Option<ConnectionId>,
    /// Whether the application has accepted it on a connection that had ended, and it has not arrived again.
    never_answered: bool,
    /// The step in which the account has accepted it on `connection`.
    accepted_in: Option<u64>,
    /// When it arrived again, and the SMSC cannot have read a response: it is not emitted.
    not_again: Option<Instant>,
    /// When the account matched the copy that it has emitted last; `None` if it did not.
    matched_at: Option<Instant>,
}

struct Mo {
    text: String,
    segments: u8,
    /// How often the account emitted it complete.
    reported: u32,
    /// How often the application refused it.
    refused: u32,
    /// How often the application accepted it complete.
    accepted: u32,
    /// Whether the SMSC may have lost segments of it: the application refused it after some were acknowledged.
    is_partial: bool,
}

/// The receipts of a segment that the account has emitted.
#[derive(Default)]
struct ReportedReceipts {
    states: Vec<MessageState>,
    accepted: Vec<MessageState>,
    last: Option<MessageState>,
    /// When the account emitted the first final one.
    completed: Option<Instant>,
}

/// What the application has received and must acknowledge.
#[derive(Clone, Debug)]
pub(crate) enum Received {
    Receipt { delivery: usize, matched: Option<(usize, u8, MessageState, Option<MessageState>)> },
    Mo { mo: usize, complete: bool, delivery: Option<usize> },
    Flood { delivery: usize },
}

#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(crate) struct Deliveries {
    options: Options,
    ample_limits: bool,
    piecewise: bool,
    /// All messages have the same id, or none.
    fixed_id: bool,
    ids: ReceiptIds,
    share_of_data_sm: ShareOfDataSm,
    /// All segments of a message have the same id.
    has_shared_ids: bool,
    all: Vec<Delivery>,
    /// The deliveries that are due, and when.
    pub(crate) queue: BTreeSet<(Instant, usize)>,
    /// How many deliveries are in flight.
    pub(crate) in_flight: usize,
    mo_messages: Vec<Mo>,
    reported: BTreeMap<(usize, u8), ReportedReceipts>,
    /// The accepted recipients of each submit_multi to several.
    recipients: BTreeMap<usize, Vec<&'static str>>,
    /// Receipts of the account's messages that it emitted as unmatched.
    unmatched: BTreeSet<usize>,
    pub(crate) closed: bool,
    /// Whether the application has shut the account down.
    pub(crate) closing: bool,
    floods: u16,
    /// Counts the acknowledgements and the octets that left: their order decides.
    step: u64,
    /// In which step octets last left on each connection.
    transmitted: BTreeMap<ConnectionId, u64>,
}

/// Returns the shortest time after which the account acknowledges a segment of an incomplete message.
fn ack_delay(options: &Options) -> Duration {
    match options.segment_ack_mode {
        SegmentAckMode::Adaptive => options.segment_ack_timeout.min(Duration::from_millis(50)),
        _ => options.segment_ack_timeout,
    }
}

impl Delivery {
    fn new(kind: DeliveryKind) -> Self {
        Self {
            kind,
            id: Vec::new(),
            source: String::new(),
            esm_class: EsmClass::default(),
            data_coding: DataCoding::default(),
            octets: Vec::new(),
            tlv_id: None,
            arrived: None,
            arrivals: 0,
            reported: 0,
            accepted: false,
            acknowledged: false,
            connection: 0,
            waits_on: None,
            never_answered: false,
            accepted_in: None,
            not_again: None,
            matched_at: None,
        }
    }
}

impl Deliveries {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            options: scenario.options.clone(),
            ample_limits: scenario.ample_limits,
            piecewise: scenario.piecewise,
            fixed_id: scenario.fixed_id.is_some(),
            ids: scenario.receipts.ids,
            share_of_data_sm: scenario.share_of_data_sm,
            has_shared_ids: scenario.has_shared_ids(),
            all: Vec::new(),
            queue: BTreeSet::new(),
            in_flight: 0,
            mo_messages: Vec::new(),
            reported: BTreeMap::new(),
            recipients: BTreeMap::new(),
            unmatched: BTreeSet::new(),
            closed: false,
            closing: false,
            floods: 0,
            step: 0,
            transmitted: BTreeMap::new(),
        }
    }

    /// Schedules a receipt. `id` is as the response writes it, `receipted` as the receipt does.
    pub(crate) fn receipt(
        &mut self,
        rng: &mut Rng,
        due: Instant,
        (id, receipted): (&str, &str),
        kind: DeliveryKind,
    ) {
        let state = match kind {
            DeliveryKind::Receipt { state, .. } => state,
            _ => MessageState::DELIVERED,
        };
        let (in_text, tlv_id) = match self.ids {
            ReceiptIds::Text => (Some(receipted), None),
            ReceiptIds::Tlv => (rng.chance(500).then_some(receipted), Some(id.to_owned())),
            ReceiptIds::OtherInTlv => (Some(receipted), Some(format!("other-{id}"))),
            ReceiptIds::TlvAsText => (None, Some(receipted.to_owned())),
        };
        let nul = if rng.chance(100) { "\0" } else { "" };
        let id_field = in_text.map(|id| format!("id:{id} ")).unwrap_or_default();
        let octets = format!("{nul}{id_field}stat:{} err:000", word(state)).into_bytes();
        let mut classes = vec![EsmClass::DELIVERY_RECEIPT];
        if !self.fixed_id {
            // Without an id it is a message of that type.
            classes.extend(self.options.receipts.dialect.esm_classes);
        }
        let recipient = match kind {
            DeliveryKind::Receipt { message, segment, .. } => {
                self.recipients.get(&message).map(|all| all[usize::from(segment)])
            }
            _ => None,
        };
        let (esm_class, id, source) = (rng.pick(&classes), id.into(), recipient.unwrap_or("1").into());
        self.all.push(Delivery { id, source, esm_class, octets, tlv_id, ..Delivery::new(kind) });
        self.queue.insert((due, self.all.len() - 1));
    }

    /// Returns whether a state is final in the dialect.
    pub(crate) fn is_final(&self, state: MessageState) -> bool {
        let dialect = self.options.receipts.dialect;
        dialect.final_states.contains(&state) || state == MessageState::REJECTED
    }

    /// Returns the final states that the SMSC uses, those that are more likely several times.
    pub(crate) fn final_states(&self) -> Vec<MessageState> {
        let mut states = vec![MessageState::DELIVERED, MessageState::DELIVERED];
        states.extend([MessageState::UNDELIVERABLE, MessageState::EXPIRED]);
        states.extend(self.is_final(MessageState::UNKNOWN).then_some(MessageState::UNKNOWN));
        // The SMSC has another word for it.
        let has_words = !self.options.receipts.dialect.state_words.is_empty();
        states.extend(has_words.then_some(MessageState::REJECTED));
        states
    }

    /// Returns whether a message has one receipt.
    pub(crate) fn has_one_receipt(&self) -> bool {
        self.options.receipts.dialect.receipt_scope() == ReceiptScope::Message
    }

    /// Returns whether the account may know the id of a receipt.
    fn is_known(&self, index: usize, messages: &Messages) -> bool {
        let delivery = &self.all[index];
        let DeliveryKind::Receipt { message, segment, .. } = delivery.kind else { return false };
        let segment = self.segment(message, segment);
        let message = &messages.all[message];
        let mut all = 0..message.segments.len() as u8;
        message.is_id(segment, &delivery.id)
            || (self.has_shared_ids && all.any(|segment| message.is_id(segment, &delivery.id)))
    }

    /// Returns the key of `reported` for a segment.
    fn subject(&self, message: usize, segment: u8) -> (usize, u8) {
        (message, if self.has_one_receipt() { 0 } else { segment })
    }

    /// Schedules an MO message in as many segments as it needs, each at the next of the times.
    pub(crate) fn mo(&mut self, text: String, mut due: impl FnMut() -> Instant) {
        let mo = self.mo_messages.len();
        let source = format!("9{mo}");
        let template = SubmitSm::default();
        let reference = ConcatRef::Wide(mo as u16);
        let segments = Text::new(&text).segments(reference).expect("short enough");
        let mut total = 0;
        for submission in segments.submissions(template) {
            let message = submission.submit_sm();
            let kind = DeliveryKind::Mo { mo, segment: total };
            total += 1;
            self.all.push(Delivery {
                source: source.clone(),
                esm_class: message.esm_class,
                data_coding: message.data_coding,
                octets: message.short_message.as_bytes().to_vec(),
                ..Delivery::new(kind)
            });
            self.queue.insert((due(), self.all.len() - 1));
        }
        self.mo_messages.push(Mo {
            text,
            segments: total,
            reported: 0,
            refused: 0,
            accepted: 0,
            is_partial: false,
        });
    }

    /// Schedules first segments of many messages from one sender.
    pub(crate) fn flood(&mut self, count: u16, mut due: impl FnMut() -> Instant) {
        for _ in 0..count {
            self.floods += 1;
            let [high, low] = self.floods.to_be_bytes();
            self.all.push(Delivery {
                source: "8".into(),
                esm_class: EsmClass::UDHI,
                octets: vec![6, 8, 4, high, low, 2, 1, high, low],
                ..Delivery::new(DeliveryKind::Flood)
            });
            self.queue.insert((due(), self.all.len() - 1));
        }
    }

    /// Returns whether an earlier segment of the same message is not acknowledged yet.
    pub(crate) fn waits_for_earlier_segment(&self, index: usize) -> bool {
        let DeliveryKind::Mo { mo, segment } = self.all[index].kind else { return false };
        // The segments of a message follow each other.
        (1..=usize::from(segment)).any(|back| {
            let earlier = &self.all[index - back];
            assert!(matches!(earlier.kind, DeliveryKind::Mo { mo: other, .. } if other == mo));
            !earlier.acknowledged
        })
    }

    /// Records that the account has read a delivery, when these connections were alive.
    pub(crate) fn record_arrival(
        &mut self,
        now: Instant,
        index: usize,
        connection: ConnectionId,
        alive: &[ConnectionId],
    ) {
        let delivery = &mut self.all[index];
        delivery.arrived.get_or_insert(now);
        delivery.arrivals += 1;
        let transmitted = self.transmitted.get(&delivery.connection).copied().unwrap_or_default();
        let has_ended = !alive.contains(&delivery.connection);
        let never_left = delivery.accepted_in.is_some_and(|step| has_ended && step > transmitted);
        delivery.connection = connection;
        if delivery.waits_on.is_some_and(|on| !alive.contains(&on)) {
            // It takes the place of the first copy.
            (delivery.waits_on, delivery.not_again) = (Some(connection), Some(now));
        }
        delivery.accepted_in = None;
        if std::mem::take(&mut delivery.never_answered) || never_left {
            delivery.not_again = Some(now);
            // The account accepts it again.
            self.step += 1;
            delivery.accepted_in = Some(self.step);
        }
    }

    /// Records that octets of the account have left on a connection.
    pub(crate) fn record_transmitted(&mut self, connection: ConnectionId) {
        self.step += 1;
        self.transmitted.insert(connection, self.step);
    }

    /// Checks a delivery that has no id, and that the account emits.
    fn record_pdu(&mut self, now: Instant, index: usize) {
        let delivery = &mut self.all[index];
        delivery.reported += 1;
        assert!(delivery.reported <= delivery.arrivals, "it is emitted more often than it arrived");
        if self.ample_limits {
            let is_new = delivery.not_again != Some(now);
            assert!(is_new, "delivery {index} is given again: the SMSC has no response to the first copy");
        }
        delivery.waits_on = Some(delivery.connection);
    }

    /// Returns which copy of a delivery the account has just emitted, if it is one PDU without an id.
    pub(crate) fn copy(&self, received: &Received) -> Option<DeliveryCopy> {
        let (Received::Receipt { delivery: index, matched: None }
        | Received::Mo { delivery: Some(index), .. }) = *received
        else {
            return None;
        };
        Some((index, self.all[index].reported))
    }

    /// Records whether a bind took the application's response to a delivery without an id.
    pub(crate) fn record_answer(
        &mut self,
        copy: Option<DeliveryCopy>,
        ok: bool,
        answered: bool,
        alive: &[ConnectionId],
    ) {
        let Some((index, number)) = copy else { return };
        let delivery = &mut self.all[index];
        if number < delivery.reported {
            // Another copy counts as another message by now: which of the two the next one repeats depends on their binds.
            return;
        }
        if delivery.matched_at.is_some() {
            // The account remembers the receipt with its message, for `remember_completed`, and not as a PDU without an id.
            return;
        }
        // If a copy is there, the account holds it as an early receipt, and answers it later.
        let is_held = delivery.waits_on.take().is_some_and(|on| alive.contains(&on));
        delivery.never_answered = ok && !answered && !is_held;
        self.step += 1;
        delivery.accepted_in = (ok && answered).then_some(self.step);
    }

    /// Records and checks a receipt that the account emits.
    pub(crate) fn record_receipt(
        &mut self,
        now: Instant,
        receipt: &DeliveryReceipt,
        matched: Option<ReceiptMatch>,
        messages: &Messages,
    ) -> Received {
        let pdu = receipt.pdu().expect("a receipt is one PDU here");
        let index = delivery_index(&pdu).expect("a delivery of the test");
        if matched.is_none() {
            self.record_pdu(now, index);
        } else {
            self.all[index].reported += 1;
        }
        self.all[index].matched_at = matched.as_ref().map(|_| now);
        let delivered = &self.all[index];
        let (kind, arrived) = (delivered.kind, delivered.arrived.expect("it arrived"));
        if self.fixed_id {
            return Received::Receipt { delivery: index, matched: None };
        }
        let (message, segment, state) = match kind {
            DeliveryKind::Receipt { message, segment, state } => (message, segment, state),
            DeliveryKind::Foreign => {
                assert_eq!(matched, None, "a receipt of an unknown message is matched");
                return Received::Receipt { delivery: index, matched: None };
            }
            DeliveryKind::Earlier => {
                let is_first = self.all[index].reported == 1;
                let must_match = self.ample_limits && is_first && !self.closed;
                assert!(matched.is_some() || !must_match, "an expected receipt is not matched");
                return Received::Receipt { delivery: index, matched: None };
            }
            DeliveryKind::Mo { .. } | DeliveryKind::Flood => panic!("an MO message is emitted as a receipt"),
        };
        let is_final = self.is_final(state);
        assert_eq!((receipt.state, receipt.is_final), (state, is_final));
        let known = self.is_known(index, messages);
        let Some(matched) = matched else {
            if self.ample_limits && !self.closed {
                // The account holds an early receipt for a response that arrives in time, not for a late one.
                let late = messages.was_in_doubt(message) || messages.all[message].was_answered_too_late;
                let subject = self.reported.get(&self.subject(message, segment));
                let completed = subject.and_then(|reported| reported.completed);
                let remembers = self.options.receipts.remember_completed;
                let is_forgotten = completed.is_some_and(|at| now - at >= remembers);
                let in_time = known && !late && !is_forgotten;
                assert!(!in_time, "{state:?} of message {message} segment {segment} is known");
                let waits = messages.is_in_flight(now, arrived, message, self.segment(message, segment));
                let is_overdue = now - arrived >= self.options.session.response_timeout;
                assert!(
                    is_overdue || !waits || self.all[index].arrivals > 1,
                    "an early receipt was not held"
                );
            }
            self.unmatched.insert(index);
            return Received::Receipt { delivery: index, matched: None };
        };
        assert!(known, "the account cannot match {state:?} of message {message} segment {segment}");
        assert_eq!(messages.index(matched.message), message, "matched with another message");
        assert!(matched.segment == segment || self.has_shared_ids, "matched with another segment");
        let subject = self.subject(message, segment);
        let reported = self.reported.entry(subject).or_default();
        let previous = reported.last.filter(|_| is_final);
        if self.ample_limits {
            assert!(
                !reported.states.contains(&state),
                "{state:?} of {message} segment {segment} is emitted again"
            );
            assert!(
                is_final || reported.last.is_none(),
                "{state:?} of {message} segment {segment} is emitted after the final one"
            );
            assert_eq!(
                matched.previous, previous,
                "the state before {state:?} of {message} segment {segment}"
            );
        }
        reported.states.push(state);
        if is_final {
            reported.last = Some(state);
            reported.completed.get_or_insert(now);
        }
        let segments = &messages.all[message].segments;
        let count = self.count(message, messages);
        assert_eq!(usize::from(matched.segments), count);
        if self.ample_limits && self.piecewise && !messages.all[message].was_answered_too_late {
            let last = |segment: usize| {
                let subject = self.subject(message, segment as u8);
                self.reported.get(&subject).and_then(|reported| reported.last)
            };
            let segment_of = |subject: &usize| usize::from(self.segment(message, *subject as u8));
            let accepted = (0..count).filter(|subject| segments[segment_of(subject)].id.is_some());
            let open = accepted.clone().filter(|segment| last(*segment).is_none()).count();
            assert_eq!(usize::from(matched.pending), open, "the pending receipts of message {message}");
            let has_outcome = messages.all[message].outcome.is_some();
            let is_accepted = accepted.count() == count || (self.has_one_receipt() && !has_outcome);
            let bad = (0..count).filter_map(last).find(|state| *state != MessageState::DELIVERED);
            let expected = (open == 0 && is_accepted).then_some(bad.unwrap_or(MessageState::DELIVERED));
            assert_eq!(matched.message_state, expected, "the state of message {message}");
        }
        Received::Receipt { delivery: index, matched: Some((message, segment, state, previous)) }
    }

    /// Records and checks an MO message that the account emits.
    pub(crate) fn record_mo(&mut self, now: Instant, message: &InboundMessage, closing: bool) -> Received {
        let source = message.source().digits.to_string();
        if source == "8" {
            return self.record_flood(now, message);
        }
        let mo: usize = source.strip_prefix('9').expect("a phone").parse().expect("a number");
        let reported = &mut self.mo_messages[mo];
        let complete = message.is_complete();
        let single = message.frame().and_then(|frame| {
            let (pdu, _) = frame.pdu(smpp_proto::Tolerance::LENIENT).ok()?;
            delivery_index(&pdu)
        });
        // The account emits a segment alone if the reassembly limits leave no capacity for the others.
        let whole = complete && (single.is_none() || reported.segments == 1);
        if whole {
            assert_eq!(message.text().as_deref(), Some(&reported.text[..]), "the text is unchanged");
            reported.reported += 1;
            if self.ample_limits && reported.segments > 1 && !self.closed {
                assert!(reported.reported <= 1 + reported.refused, "message {mo} is emitted again");
            }
        } else if self.ample_limits && !reported.is_partial {
            assert!(closing, "the limits allow all of message {mo}");
            let is_acknowledged = |delivery: &Delivery| {
                let is_segment = matches!(delivery.kind, DeliveryKind::Mo { mo: other, .. } if other == mo);
                is_segment
                    && delivery.arrived.is_some_and(|arrived| now - arrived >= ack_delay(&self.options))
            };
            assert!(self.all.iter().any(is_acknowledged), "the SMSC still has all of message {mo}");
        }
        if let Some(index) = single {
            self.record_pdu(now, index);
        }
        Received::Mo { mo, complete: whole, delivery: single }
    }

    /// Records that the application has acknowledged or refused a delivery.
    pub(crate) fn record_ack(&mut self, now: Instant, received: &Received, ok: bool) {
        match *received {
            Received::Receipt { delivery, matched } => {
                self.all[delivery].accepted |= ok;
                let Some((message, segment, state, previous)) = matched else { return };
                let subject = self.subject(message, segment);
                let reported = self.reported.entry(subject).or_default();
                if ok {
                    reported.accepted.push(state);
                    return;
                }
                reported.states.retain(|other| *other != state);
                if reported.last == Some(state) {
                    // The state before, unless the application has refused that too.
                    reported.last = previous.filter(|state| reported.states.contains(state));
                }
            }
            Received::Flood { delivery } => self.all[delivery].accepted |= ok,
            Received::Mo { mo, complete, delivery } => {
                if let Some(delivery) = delivery {
                    self.all[delivery].accepted |= ok;
                }
                let ack_timeout = ack_delay(&self.options);
                let is_acknowledged = |delivery: &Delivery| {
                    let is_segment =
                        matches!(delivery.kind, DeliveryKind::Mo { mo: other, .. } if other == mo);
                    is_segment && delivery.arrived.is_some_and(|arrived| now - arrived >= ack_timeout)
                };
                let makes_partial = !ok && self.all.iter().any(is_acknowledged);
                let accepted = &mut self.mo_messages[mo];
                accepted.accepted += u32::from(ok && complete);
                accepted.refused += u32::from(!ok);
                accepted.is_partial |= (makes_partial && accepted.segments > 1) || !complete;
            }
        }
    }

    /// Returns whether everything has been delivered.
    pub(crate) fn is_done(&self) -> bool {
        self.queue.is_empty() && self.in_flight == 0
    }
}
