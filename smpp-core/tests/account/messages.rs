//! A model of the messages, built from the log of the connections.

mod stops;
mod turns;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use smpp_proto::account::{
    MessageNumber, MessageOutcome, Options, Priority, ReceiptDestination, SegmentNotSentReason,
    SegmentOutcome, UnansweredPolicy,
};
use smpp_proto::provider::SubmitAction;
use smpp_proto::session::{Instant, NotSentReason, State as SessionState};
use smpp_proto::{BindMode, CommandStatus, RegisteredDelivery, SequenceNumber};

use self::stops::Abandoned;
use super::log::{ConnectionId, LogEntry, LoggedPdu};

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(crate) struct Message {
    pub(crate) priority: Priority,
    pub(crate) deadline: Option<Instant>,
    pub(crate) lane: Option<usize>,
    pub(crate) destination: usize,
    /// The connection of the bind that it names.
    pub(crate) named: Option<ConnectionId>,
    /// The connection and the index of the segment that was sent last.
    last_sent: Option<(ConnectionId, u8)>,
    /// Until then no segment may be sent.
    delayed_until: Instant,
    /// Whether the account may have moved it to another bind, because one refused it, or because other options hold.
    moved: bool,
    pub(crate) unanswered: UnansweredPolicy,
    /// The receipts that the message requests.
    pub(crate) registered_delivery: RegisteredDelivery,
    /// Where an adapter would pass its receipts.
    pub(crate) receipts_to: ReceiptDestination,
    pub(crate) cancelled: bool,
    /// Whether a segment was refused for good.
    failed: bool,
    /// Whether it waited when the account stopped: the segments that were not in flight then are never sent.
    abandoned: Abandoned,
    /// Whether an attempt was not answered in time. Then the account may have abandoned the message, even if a late
    /// response has arrived since.
    was_in_doubt: bool,
    /// Whether a response came so late that the account may have stopped waiting for it: it may not know the id.
    pub(crate) was_answered_too_late: bool,
    /// How many recipients it has: several if it is a submit_multi.
    pub(crate) recipients: usize,
    pub(crate) segments: Vec<Segment>,
    pub(crate) outcome: Option<MessageOutcome>,
}

#[derive(Clone, Debug)]
pub(crate) struct Segment {
    state: State,
    sends: u16,
    /// The connections that sent it, and how many of them the account has reported.
    pub(crate) sent_on: Vec<ConnectionId>,
    pub(crate) handed: usize,
    /// How many refusals the account has seen in time of which the table of statuses said then that the segment is sent again.
    retries: u16,
    /// The statuses of the responses that refused it.
    refused: Vec<CommandStatus>,
    /// The SMSC's id in the first response that accepted it.
    pub(crate) id: Option<Vec<u8>>,
    /// The ids of all responses that accepted it. There are several if it was resent.
    ids: Vec<Vec<u8>>,
    /// Whether the account has reported a late outcome.
    late: Option<SegmentOutcome>,
}

impl Message {
    /// Returns whether the account may know a segment by this id.
    pub(crate) fn is_id(&self, segment: u8, id: &[u8]) -> bool {
        self.segments[usize::from(segment)].is_id(id, self.was_answered_too_late)
    }
}

impl Segment {
    /// Returns whether this is the id that the account must have: the first, or any if it may not have heard of the first.
    fn is_id(&self, id: &[u8], any: bool) -> bool {
        self.id.as_deref() == Some(id) || (any && self.ids.iter().any(|other| other == id))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight(ConnectionId, SequenceNumber, Instant),
    /// It may wait to be resent, or have its outcome.
    InDoubt,
    Done,
}

/// What the SMSC did with a segment that it received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted(Vec<u8>),
    Refused(CommandStatus),
    /// The SMSC dropped it without an answer.
    Dropped,
    /// Its octets were changed, and all have left: if they arrived, the SMSC refused the PDU.
    Corrupted,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) message: usize,
    pub(crate) segment: u8,
    pub(crate) verdict: Verdict,
}

/// What the account sent on one connection.
#[derive(Default)]
struct Sender {
    last_second: VecDeque<Instant>,
    in_flight: BTreeMap<SequenceNumber, InFlight>,
    paused_until: Option<Instant>,
    /// The destination of a message that the SMSC has refused for now, if it has accepted none since.
    refused_destination: Option<usize>,
    /// Whether the account may pause it or not: a response came when the account may or may not have waited for it.
    is_unclear: bool,
}

#[derive(Clone, Copy)]
struct InFlight {
    message: usize,
    segment: u8,
    sent: Instant,
    /// Whether the account has reported it as unanswered.
    timed_out: bool,
}

pub(crate) struct Messages {
    options: Options,
    pub(crate) all: Vec<Message>,
    numbers: BTreeMap<MessageNumber, usize>,
    senders: BTreeMap<ConnectionId, Sender>,
    /// When segments were sent in the last second, on all connections.
    last_second: VecDeque<Instant>,
    /// The connections whose sessions have not ended, and those that are bound and may send.
    pub(crate) alive: Vec<ConnectionId>,
    pub(crate) bound: Vec<ConnectionId>,
    /// Binds that are being ended: a message has left them.
    ended: Vec<ConnectionId>,
    /// Messages without an outcome.
    pub(crate) open: Vec<usize>,
    pub(crate) stopped: bool,
    pub(crate) shutting_down: bool,
    /// The messages that were not accepted since the shutdown.
    pub(crate) unresolved: Vec<MessageNumber>,
}

/// Returns how many times a segment that was refused with this status is sent again.
fn retries(options: &Options, status: CommandStatus) -> Option<u16> {
    match options.statuses.submit_action(status) {
        SubmitAction::Retry { times, .. }
        | SubmitAction::Pause { times, .. }
        | SubmitAction::Rebind { times } => Some(times),
        _ => None,
    }
}

impl Message {
    pub(crate) fn new(unanswered: UnansweredPolicy, segments: usize) -> Self {
        let segment = Segment {
            state: State::Waiting,
            sends: 0,
            sent_on: Vec::new(),
            handed: 0,
            retries: 0,
            refused: Vec::new(),
            id: None,
            ids: Vec::new(),
            late: None,
        };
        Self {
            priority: Priority::Normal,
            deadline: None,
            lane: None,
            destination: 0,
            named: None,
            last_sent: None,
            delayed_until: Instant::ZERO,
            moved: false,
            unanswered,
            registered_delivery: RegisteredDelivery::empty(),
            receipts_to: ReceiptDestination::Sent,
            cancelled: false,
            failed: false,
            abandoned: Abandoned::No,
            was_in_doubt: false,
            was_answered_too_late: false,
            recipients: 1,
            segments: vec![segment; segments],
            outcome: None,
        }
    }

    /// Returns how often the SMSC may accept a segment.
    fn max_accepts(&self) -> usize {
        match self.unanswered {
            UnansweredPolicy::Resend(times) => 1 + usize::from(times),
            _ => 1,
        }
    }

    fn is_done(&self) -> bool {
        self.segments.iter().all(|segment| segment.state == State::Done)
    }
}

impl Messages {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            all: Vec::new(),
            numbers: BTreeMap::new(),
            senders: BTreeMap::new(),
            last_second: VecDeque::new(),
            alive: Vec::new(),
            bound: Vec::new(),
            ended: Vec::new(),
            open: Vec::new(),
            stopped: false,
            shutting_down: false,
            unresolved: Vec::new(),
        }
    }

    /// Adds a message that is about to be submitted, and returns its number in the test.
    pub(crate) fn add(&mut self, message: Message) -> usize {
        self.open.push(self.all.len());
        self.all.push(message);
        self.all.len() - 1
    }

    /// Records whether the account accepted the last message, and its number.
    pub(crate) fn record_submit(&mut self, number: Option<MessageNumber>) {
        if let Some(number) = number {
            let last = self.numbers.keys().next_back();
            assert!(last.is_none_or(|last| *last < number), "numbers grow");
            self.numbers.insert(number, self.all.len() - 1);
        } else {
            let refused = self.all.pop().expect("it was added");
            assert!(refused.segments.iter().all(|segment| segment.sends == 0), "refused and sent");
            self.open.retain(|index| *index != self.all.len());
        }
    }

    pub(crate) fn index(&self, number: MessageNumber) -> usize {
        self.numbers[&number]
    }

    pub(crate) fn open_numbers(&self) -> Vec<MessageNumber> {
        let is_open = |index: &usize| self.all[*index].outcome.is_none();
        self.numbers.iter().filter(|(_, index)| is_open(index)).map(|(number, _)| *number).collect()
    }

    pub(crate) fn open_segments(&self) -> usize {
        self.open.iter().map(|index| self.all[*index].segments.len()).sum()
    }

    /// Records a change of the options.
    pub(crate) fn change(&mut self, options: &Options) {
        if options.session.rate != self.options.session.rate {
            // What was sent before counts for the limit before.
            self.senders.values_mut().for_each(|sender| sender.last_second.clear());
        }
        if options.rate != self.options.rate {
            self.last_second.clear();
        }
        if options.spread_segments != self.options.spread_segments {
            // Where the next segments of a message go was decided before, at its last segment.
            for index in &self.open {
                self.all[*index].moved = true;
            }
        }
        self.options = options.clone();
    }

    /// Handles an entry of the log.
    pub(crate) fn handle_entry(&mut self, entry: &LogEntry) {
        match &entry.pdu {
            LoggedPdu::Submitted { message, segment } => self.handle_submit(entry, *message, *segment),
            LoggedPdu::Answered { status, id } => self.handle_answer(entry, *status, id),
            LoggedPdu::Nacked { status } => self.handle_answer(entry, *status, &[]),
            LoggedPdu::Requested { .. }
            | LoggedPdu::RequestAnswered
            | LoggedPdu::Unreadable
            | LoggedPdu::Delivered { .. }
            | LoggedPdu::Notified { .. } => {}
        }
    }

    fn handle_submit(&mut self, entry: &LogEntry, index: usize, segment: u8) {
        let at = entry.at;
        let response = self.options.session.response_timeout;
        // Each recipient counts.
        let recipients = self.all[index].recipients;
        let sender = self.senders.entry(entry.connection).or_default();
        let is_paused = sender.paused_until.is_some_and(|until| until > at);
        assert!(!is_paused || sender.is_unclear, "sent during a pause");
        sender.last_second.retain(|then| at - *then < SECOND);
        sender.last_second.extend(std::iter::repeat_n(at, recipients));
        if let Some(rate) = self.options.session.rate {
            let limit = recipients.max(rate.limit() as usize);
            assert!(sender.last_second.len() <= limit, "the rate limit is exceeded");
        }
        let sent = InFlight { message: index, segment, sent: at, timed_out: false };
        sender.in_flight.insert(entry.sequence, sent);
        let in_flight = sender.in_flight.values().filter(|other| at - other.sent < response).count();
        assert!(in_flight <= usize::from(self.options.session.window), "the window is exceeded");

        self.last_second.retain(|then| at - *then < SECOND);
        self.last_second.extend(std::iter::repeat_n(at, recipients));
        if let Some(rate) = self.options.rate {
            let limit = recipients.max(rate.limit() as usize);
            assert!(self.last_second.len() <= limit, "the rate limit of the account is exceeded");
        }

        let message = &self.all[index];
        assert!(!message.cancelled, "sent after it was cancelled");
        assert!(!message.failed, "sent after another segment had failed");
        assert!(message.abandoned != Abandoned::Yes, "sent after the account had stopped");
        assert!(message.outcome.is_none(), "sent after its outcome");
        assert!(message.deadline.is_none_or(|deadline| at < deadline), "sent after its deadline");
        assert!(message.delayed_until <= at, "sent before its delay has passed");
        assert!(
            message.named.is_none_or(|named| named == entry.connection),
            "sent on another bind than it names"
        );
        let state = message.segments[usize::from(segment)].state;
        match state {
            State::Waiting | State::InDoubt => {}
            State::InFlight(connection, _, sent) => {
                let over = !self.alive.contains(&connection) || at - sent >= response;
                assert!(over, "sent while it is in flight");
                self.all[index].was_in_doubt = true;
            }
            State::Done => panic!("sent after it had its outcome"),
        }
        self.check_turn(at, index, segment);
        self.check_route(at, index, segment, entry.connection);
        let message = &mut self.all[index];
        message.last_sent = Some((entry.connection, segment));
        let segment = &mut message.segments[usize::from(segment)];
        segment.sends += 1;
        segment.sent_on.push(entry.connection);
        segment.state = State::InFlight(entry.connection, entry.sequence, at);
    }

    fn handle_answer(&mut self, entry: &LogEntry, status: CommandStatus, id: &[u8]) {
        let sender = self.senders.entry(entry.connection).or_default();
        let Some(in_flight) = sender.in_flight.remove(&entry.sequence) else { return };
        let InFlight { message: index, segment, sent, timed_out } = in_flight;
        let message = &mut self.all[index];
        let config = &self.options.session;
        let too_late = entry.at - sent >= config.response_timeout + config.late_response_timeout;
        message.was_answered_too_late |= too_late;
        let action = self.options.statuses.submit_action(status);
        let delayed_until = match action {
            SubmitAction::Retry { delay, .. } => entry.at + delay,
            _ => Instant::ZERO,
        };
        let state = message.segments[usize::from(segment)].state;
        let is_this = matches!(state, State::InFlight(connection, sequence, _) if (connection, sequence) == (entry.connection, entry.sequence));
        sender.is_unclear |= message.was_answered_too_late;
        // A response after the timeout says nothing about what the bind accepts now.
        if status.is_ok() && !timed_out {
            sender.refused_destination = None;
        } else if !status.is_ok() && !timed_out {
            let pauses = match action {
                SubmitAction::Pause { delay, .. } => Some(delay),
                // Otherwise an earlier attempt was accepted meanwhile.
                SubmitAction::Retry { delay, .. } if is_this => {
                    let first = *sender.refused_destination.get_or_insert(message.destination);
                    (first != message.destination).then_some(delay)
                }
                _ => None,
            };
            sender.paused_until = sender.paused_until.max(pauses.map(|delay| entry.at + delay));
        }
        let segment = &mut message.segments[usize::from(segment)];
        if status.is_ok() {
            // A late response ends the segment as well.
            if !too_late {
                segment.state = State::Done;
            }
            segment.id.get_or_insert_with(|| id.to_vec());
            segment.ids.push(id.to_vec());
            return;
        }
        segment.refused.push(status);
        if !is_this {
            return;
        }
        if let Some(times) = retries(&self.options, status) {
            message.moved |= matches!(action, SubmitAction::Rebind { .. });
            segment.retries += 1;
            if segment.retries <= times && !message.cancelled && !message.failed {
                message.delayed_until = message.delayed_until.max(delayed_until);
                segment.state = State::Waiting;
                return;
            }
        }
        segment.state = State::Done;
        message.failed = true;
    }

    /// Returns whether a segment is certainly in flight, and was sent before `then`.
    pub(crate) fn is_in_flight(&self, now: Instant, then: Instant, message: usize, segment: u8) -> bool {
        let message = &self.all[message];
        let state = message.segments[usize::from(segment)].state;
        let in_time = |sent| sent < then && now - sent < self.options.session.response_timeout;
        // A response that was nearly too late may have ended it.
        !message.was_answered_too_late && matches!(state, State::InFlight(_, _, sent) if in_time(sent))
    }

    /// Marks the segments in flight on ended connections as in doubt.
    pub(crate) fn mark_in_doubt(&mut self) {
        let alive = self.alive.clone();
        self.mark_in_doubt_if(|connection, _| !alive.contains(&connection));
    }

    /// Marks the segments as in doubt that timed out on this connection.
    pub(crate) fn time_out(&mut self, now: Instant, this: ConnectionId) {
        let response = self.options.session.response_timeout;
        for in_flight in self.senders.entry(this).or_default().in_flight.values_mut() {
            in_flight.timed_out |= now - in_flight.sent >= response;
        }
        self.mark_in_doubt_if(|connection, sent| connection == this && now - sent >= response);
    }

    fn mark_in_doubt_if(&mut self, is_in_doubt: impl Fn(ConnectionId, Instant) -> bool) {
        for index in &self.open {
            let message = &mut self.all[*index];
            for segment in &mut message.segments {
                if let State::InFlight(connection, _, sent) = segment.state
                    && is_in_doubt(connection, sent)
                {
                    segment.state = State::InDoubt;
                    message.was_in_doubt = true;
                }
            }
        }
    }

    /// Records and checks the outcome of a message.
    pub(crate) fn record_outcome(&mut self, now: Instant, number: MessageNumber, outcome: MessageOutcome) {
        let index = self.index(number);
        self.open.retain(|open| *open != index);
        let (stopped, shutting_down) = (self.stopped, self.shutting_down);
        let alive = &self.alive;
        let message = &mut self.all[index];
        assert!(message.outcome.is_none(), "a second outcome: {outcome:?}");
        assert_eq!(outcome.segments.len(), message.segments.len(), "an outcome for each segment");
        let failed = outcome.segments.iter().filter(|outcome| !outcome.is_accepted()).count();
        for (outcome, segment) in outcome.segments.iter().zip(&message.segments) {
            // The account may not have heard of an acceptance that came too late.
            let accepted = |id: &Option<Vec<u8>>| id.is_some() && !message.was_answered_too_late;
            let good = match outcome {
                SegmentOutcome::Accepted { id, .. } => {
                    segment.is_id(id.as_bytes(), message.was_answered_too_late)
                }
                SegmentOutcome::Refused { status, .. } | SegmentOutcome::Nacked(status) => {
                    let is_over = message.deadline.is_some_and(|deadline| deadline <= now)
                        || message.named.is_some_and(|named| !alive.contains(&named));
                    let is_abandoned = message.failed || message.cancelled || message.was_in_doubt;
                    let may_end = is_over || is_abandoned || stopped || shutting_down;
                    let waits = segment.state == State::Waiting;
                    segment.refused.contains(status) && !accepted(&segment.id) && (!waits || may_end)
                }
                // A late response may arrive together with the one that completes the message, and behind it.
                SegmentOutcome::Unanswered(_) => {
                    segment.sends > 0 && (segment.id.is_none() || message.was_in_doubt)
                }
                SegmentOutcome::NeverSent(reason) => {
                    let is_reason = match reason {
                        SegmentNotSentReason::Expired => {
                            message.deadline.is_some_and(|deadline| deadline <= now)
                        }
                        SegmentNotSentReason::Cancelled => message.cancelled,
                        SegmentNotSentReason::Abandoned => failed > 1 || message.was_in_doubt,
                        SegmentNotSentReason::ShutDown => shutting_down,
                        SegmentNotSentReason::Stopped => stopped,
                        SegmentNotSentReason::BindEnded => {
                            message.named.is_some_and(|named| !alive.contains(&named))
                        }
                        SegmentNotSentReason::Request(NotSentReason::State(SessionState::Bound(mode))) => {
                            message.named.is_some() && *mode == BindMode::Receiver
                        }
                        _ => false,
                    };
                    is_reason && segment.refused.is_empty() && !accepted(&segment.id)
                }
                _ => false,
            };
            assert!(good, "{outcome:?} for {segment:?} of message {index}");
        }
        for segment in &mut message.segments {
            segment.state = State::Done;
        }
        if shutting_down && failed > 0 {
            self.unresolved.push(number);
        }
        message.outcome = Some(outcome);
    }

    /// Returns whether an attempt to send the message was not answered in time.
    pub(crate) fn was_in_doubt(&self, message: usize) -> bool {
        self.all[message].was_in_doubt
    }

    /// Records and checks a late outcome: the outcome of the message reported the segment as unanswered.
    pub(crate) fn record_late_outcome(&mut self, number: MessageNumber, index: u8, late: SegmentOutcome) {
        let index = (self.index(number), usize::from(index));
        let message = &mut self.all[index.0];
        let reported = &message.outcome.as_ref().expect("the message has an outcome").segments[index.1];
        let segment = &mut message.segments[index.1];
        let details = || format!("{late:?} after {reported:?} for {segment:?} of message {}", index.0);
        assert!(matches!(reported, SegmentOutcome::Unanswered(_)), "{}", details());
        let resent = message.unanswered != UnansweredPolicy::Report;
        let is_first = segment.late.is_none();
        assert!(is_first || (resent && !segment.late.as_ref().unwrap().is_accepted()), "{}", details());
        let answered = match &late {
            SegmentOutcome::Accepted { id, .. } => {
                segment.is_id(id.as_bytes(), message.was_answered_too_late)
            }
            SegmentOutcome::Refused { status, .. } | SegmentOutcome::Nacked(status) => {
                segment.refused.contains(status)
            }
            _ => false,
        };
        assert!(answered, "{}", details());
        segment.late = Some(late);
    }

    /// Checks that every message has an outcome, and that it agrees with what the SMSC did.
    pub(crate) fn check_end(&self, seen: &[Seen]) {
        assert!(self.open.is_empty(), "messages without outcome: {:?}", self.open);
        let mut by_segment = BTreeMap::<_, Vec<_>>::new();
        for seen in seen {
            by_segment.entry((seen.message, seen.segment)).or_default().push(&seen.verdict);
        }
        for (index, message) in self.all.iter().enumerate() {
            for ((segment, outcome), number) in
                message.segments.iter().zip(&message.outcome.as_ref().unwrap().segments).zip(0..)
            {
                let verdicts = by_segment.remove(&(index, number)).unwrap_or_default();
                let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
                let refused = count(|verdict| matches!(verdict, Verdict::Refused(_)));
                let corrupted = count(|verdict| *verdict == Verdict::Corrupted);
                let retries = usize::from(segment.retries);
                let attempts = verdicts.len() - corrupted - retries.min(refused);
                let details = || {
                    format!(
                        "message {index} segment {number}: {outcome:?}, {segment:?}, and the SMSC {verdicts:?}"
                    )
                };
                assert!(verdicts.len() <= usize::from(segment.sends), "{}", details());
                assert!(retries <= refused + corrupted, "{}", details());
                // A refusal whose response was lost counts as an unanswered attempt.
                assert!(attempts <= message.max_accepts(), "{}", details());
                let accepted = |verdict: &&&Verdict| matches!(verdict, Verdict::Accepted(_));
                match outcome {
                    SegmentOutcome::Accepted { id, .. } => {
                        let this = Verdict::Accepted(id.as_bytes().to_vec());
                        assert!(verdicts.contains(&&this), "{}", details());
                    }
                    SegmentOutcome::Refused { .. } | SegmentOutcome::Nacked(_) => {
                        let is_this = |verdict: &&Verdict| match verdict {
                            Verdict::Refused(status) => {
                                matches!(outcome, SegmentOutcome::Refused { status: other, .. } if other == status)
                            }
                            other => **other == Verdict::Corrupted,
                        };
                        assert!(verdicts.iter().any(is_this), "{}", details());
                        assert_eq!(verdicts.iter().filter(accepted).count(), 0, "{}", details());
                    }
                    SegmentOutcome::NeverSent(_) => assert!(verdicts.is_empty(), "{}", details()),
                    _ => {}
                }
            }
        }
        assert!(by_segment.is_empty(), "the SMSC received a message that was not submitted");
    }
}
