//! What becomes of messages: a model that knows what goes over the connections.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use smpp_core::account::{
    MessageNumber, MessageOutcome, Options, Priority, SegmentNotSentReason, SegmentOutcome, UnansweredPolicy,
};
use smpp_core::session::Instant;
use smpp_core::{CommandStatus, SequenceNumber};

use super::log::{ConnectionId, Line, Said};

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::struct_excessive_bools, reason = "each is true or not by itself")]
pub(crate) struct Message {
    pub(crate) priority: Priority,
    pub(crate) deadline: Option<Instant>,
    pub(crate) lane: Option<usize>,
    pub(crate) unanswered: UnansweredPolicy,
    /// Whether receipts are wanted, and whether one is sure to come.
    pub(crate) receipts: bool,
    pub(crate) is_sure: bool,
    pub(crate) cancelled: bool,
    /// A part of it has failed.
    failed: bool,
    pub(crate) parts: Vec<Part>,
    pub(crate) outcome: Option<MessageOutcome>,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    state: State,
    sends: u16,
    throttled: u16,
    refused: Option<CommandStatus>,
    /// The SMSC's id, once the account has it.
    pub(crate) id: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Flying(ConnectionId, SequenceNumber, Instant),
    /// It may wait to be sent again, or have its fate.
    Doubtful,
    Settled,
}

/// What the SMSC did with a part that it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted(Vec<u8>),
    Refused(CommandStatus),
    /// It was lost there.
    Dropped,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) message: usize,
    pub(crate) part: u8,
    pub(crate) verdict: Verdict,
}

/// What was sent on one connection.
#[derive(Default)]
struct Sender {
    last_second: VecDeque<Instant>,
    flying: BTreeMap<SequenceNumber, (usize, u8, Instant)>,
    paused_until: Option<Instant>,
}

pub(crate) struct Messages {
    options: Options,
    pub(crate) all: Vec<Message>,
    numbers: BTreeMap<MessageNumber, usize>,
    senders: BTreeMap<ConnectionId, Sender>,
    /// Messages without an outcome.
    open: Vec<usize>,
    pub(crate) stopped: bool,
    pub(crate) shutting_down: bool,
    /// What was not accepted since then.
    pub(crate) unresolved: Vec<MessageNumber>,
}

fn is_passing(status: CommandStatus) -> bool {
    matches!(status, CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL | CommandStatus::RINVBNDSTS)
}

impl Message {
    pub(crate) fn new(unanswered: UnansweredPolicy, parts: usize) -> Self {
        let part = Part { state: State::Waiting, sends: 0, throttled: 0, refused: None, id: None };
        Self {
            priority: Priority::Normal,
            deadline: None,
            lane: None,
            unanswered,
            receipts: false,
            is_sure: false,
            cancelled: false,
            failed: false,
            parts: vec![part; parts],
            outcome: None,
        }
    }

    /// How often the SMSC may accept a part.
    fn times(&self) -> usize {
        match self.unanswered {
            UnansweredPolicy::Report => 1,
            UnansweredPolicy::Resend(times) => 1 + usize::from(times),
        }
    }

    fn is_settled(&self) -> bool {
        self.parts.iter().all(|part| part.state == State::Settled)
    }
}

impl Messages {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            all: Vec::new(),
            numbers: BTreeMap::new(),
            senders: BTreeMap::new(),
            open: Vec::new(),
            stopped: false,
            shutting_down: false,
            unresolved: Vec::new(),
        }
    }

    /// A message that is about to be submitted. Its number in the test.
    pub(crate) fn begin(&mut self, message: Message) -> usize {
        self.open.push(self.all.len());
        self.all.push(message);
        self.all.len() - 1
    }

    /// Whether it was taken, and under which number.
    pub(crate) fn taken(&mut self, number: Option<MessageNumber>) {
        if let Some(number) = number {
            let last = self.numbers.keys().next_back();
            assert!(last.is_none_or(|last| *last < number), "numbers grow");
            self.numbers.insert(number, self.all.len() - 1);
        } else {
            let refused = self.all.pop().expect("it was begun");
            assert!(refused.parts.iter().all(|part| part.sends == 0), "refused, and sent");
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

    pub(crate) fn open_parts(&self) -> usize {
        self.open.iter().map(|index| self.all[*index].parts.len()).sum()
    }

    /// A line of the log. `alive` are the connections whose sessions are not over.
    pub(crate) fn hear(&mut self, line: &Line, alive: &[ConnectionId]) {
        match &line.what {
            Said::Submits { message, part } => self.submits(line, *message, *part, alive),
            Said::Answered { status, id } => self.answered(line, *status, id),
            Said::Delivered { .. } => {}
        }
    }

    fn submits(&mut self, line: &Line, index: usize, part: u8, alive: &[ConnectionId]) {
        let at = line.at;
        let response = self.options.session.response_timeout;
        let sender = self.senders.entry(line.connection).or_default();
        assert!(sender.paused_until.is_none_or(|until| until <= at), "sent during a pause");
        sender.last_second.retain(|then| at - *then < SECOND);
        sender.last_second.push_back(at);
        if let Some(rate) = self.options.session.rate {
            assert!(sender.last_second.len() <= rate.limit() as usize, "too fast");
        }
        sender.flying.insert(line.sequence, (index, part, at));
        let in_flight = sender.flying.values().filter(|(.., sent)| at - *sent < response).count();
        assert!(in_flight <= usize::from(self.options.session.window), "too many in flight");

        let message = &self.all[index];
        assert!(!message.cancelled, "sent after it was cancelled");
        assert!(!message.failed, "sent after another part had failed");
        assert!(message.outcome.is_none(), "sent after its outcome");
        assert!(message.deadline.is_none_or(|deadline| at < deadline), "sent after its deadline");
        let state = message.parts[usize::from(part)].state;
        match state {
            State::Waiting | State::Doubtful => {}
            State::Flying(connection, _, sent) => {
                let over = !alive.contains(&connection) || at - sent >= response;
                assert!(over, "sent while it is in flight");
            }
            State::Settled => panic!("sent after it had its fate"),
        }
        self.check_turn(at, index, part);
        let part = &mut self.all[index].parts[usize::from(part)];
        part.sends += 1;
        part.state = State::Flying(line.connection, line.sequence, at);
    }

    /// Nothing that was ready should have gone before.
    fn check_turn(&self, at: Instant, index: usize, part: u8) {
        let sent = &self.all[index];
        let in_doubt = |part: &Part| match part.state {
            State::Flying(_, _, sent) => at - sent >= self.options.session.response_timeout,
            state => state == State::Doubtful,
        };
        for other_index in &self.open {
            let other = &self.all[*other_index];
            if other.lane.is_some() && other.lane == sent.lane && *other_index < index {
                let waits = |part: &Part| match part.state {
                    State::Waiting => true,
                    State::Flying(_, _, sent) => at - sent < self.options.session.response_timeout,
                    State::Doubtful | State::Settled => false,
                };
                let may_wait = !other.failed && !other.cancelled;
                let in_time = other.deadline.is_none_or(|deadline| at < deadline);
                let overtaken = may_wait && in_time && other.parts.iter().all(waits);
                assert!(!overtaken, "{index} overtakes {other_index} in its lane");
            }
            let released = other.lane.is_none_or(|lane| {
                self.open.iter().all(|before| {
                    before >= other_index
                        || self.all[*before].lane != Some(lane)
                        || self.all[*before].is_settled()
                })
            });
            // One of a part in doubt may have been given up.
            let ready = released
                && !other.parts.iter().any(in_doubt)
                && !other.failed
                && !other.cancelled
                && other.deadline.is_none_or(|deadline| at < deadline);
            let before = |number: usize| {
                other.priority > sent.priority
                    || (other.priority == sent.priority
                        && (*other_index, number) < (index, usize::from(part)))
            };
            let missed = |(number, part): (usize, &Part)| part.state == State::Waiting && before(number);
            assert!(
                !(ready && other.parts.iter().enumerate().any(missed)),
                "{index} goes before {other_index}, whose turn it is"
            );
        }
    }

    fn answered(&mut self, line: &Line, status: CommandStatus, id: &[u8]) {
        let sender = self.senders.entry(line.connection).or_default();
        let Some((index, part, _)) = sender.flying.remove(&line.sequence) else { return };
        let message = &mut self.all[index];
        let part = &mut message.parts[usize::from(part)];
        if !matches!(part.state, State::Flying(connection, sequence, _) if (connection, sequence) == (line.connection, line.sequence))
        {
            return;
        }
        if status.is_ok() {
            part.state = State::Settled;
            part.id = Some(id.to_vec());
            return;
        }
        part.refused = Some(status);
        if is_passing(status) {
            sender.paused_until = sender.paused_until.max(Some(line.at + self.options.throttle_pause));
            part.throttled += 1;
            assert!(part.throttled <= self.options.throttle_retries + 1, "it goes again too often");
            if part.throttled <= self.options.throttle_retries && !message.cancelled && !message.failed {
                part.state = State::Waiting;
                return;
            }
        }
        part.state = State::Settled;
        message.failed = true;
    }

    /// Whether a part is certainly in flight, and was before that time.
    pub(crate) fn is_flying(&self, now: Instant, then: Instant, message: usize, part: u8) -> bool {
        let state = self.all[message].parts[usize::from(part)].state;
        let in_time = |sent| sent < then && now - sent < self.options.session.response_timeout;
        matches!(state, State::Flying(_, _, sent) if in_time(sent))
    }

    /// What is in flight on connections that are over is in doubt.
    pub(crate) fn doubt(&mut self, alive: &[ConnectionId]) {
        self.doubt_if(|connection, _| !alive.contains(&connection));
    }

    /// The session on this connection has seen to its timers.
    pub(crate) fn time_out(&mut self, now: Instant, this: ConnectionId) {
        let response = self.options.session.response_timeout;
        self.doubt_if(|connection, sent| connection == this && now - sent >= response);
    }

    fn doubt_if(&mut self, is_in_doubt: impl Fn(ConnectionId, Instant) -> bool) {
        for index in &self.open {
            for part in &mut self.all[*index].parts {
                if let State::Flying(connection, _, sent) = part.state
                    && is_in_doubt(connection, sent)
                {
                    part.state = State::Doubtful;
                }
            }
        }
    }

    /// A message has come to its end.
    pub(crate) fn ended(&mut self, now: Instant, number: MessageNumber, outcome: MessageOutcome) {
        let index = self.index(number);
        self.open.retain(|open| *open != index);
        let (stopped, shutting_down) = (self.stopped, self.shutting_down);
        let message = &mut self.all[index];
        assert!(message.outcome.is_none(), "a second outcome: {outcome:?}");
        assert_eq!(outcome.segments.len(), message.parts.len(), "a fate for each part");
        let failed = outcome.segments.iter().filter(|fate| !fate.is_accepted()).count();
        for (fate, part) in outcome.segments.iter().zip(&message.parts) {
            let good = match fate {
                SegmentOutcome::Accepted(id) => part.id.as_deref() == Some(id.as_bytes()),
                SegmentOutcome::Refused(status) => part.refused == Some(*status) && part.id.is_none(),
                SegmentOutcome::Unanswered(_) => part.sends > 0 && part.id.is_none(),
                SegmentOutcome::NeverSent(why) => {
                    let because = match why {
                        SegmentNotSentReason::Expired => {
                            message.deadline.is_some_and(|deadline| deadline <= now)
                        }
                        SegmentNotSentReason::Cancelled => message.cancelled,
                        SegmentNotSentReason::Abandoned => failed > 1,
                        SegmentNotSentReason::ShutDown => shutting_down,
                        SegmentNotSentReason::Stopped => stopped,
                        _ => false,
                    };
                    because && part.refused.is_none() && part.id.is_none()
                }
                _ => false,
            };
            assert!(good, "{fate:?} for {part:?} of message {index}");
        }
        for part in &mut message.parts {
            part.state = State::Settled;
        }
        if shutting_down && failed > 0 {
            self.unresolved.push(number);
        }
        message.outcome = Some(outcome);
    }

    /// Every message has its outcome, and the SMSC agrees.
    pub(crate) fn check_end(&self, seen: &[Seen]) {
        assert!(self.open.is_empty(), "messages without outcome: {:?}", self.open);
        let mut by_part = BTreeMap::<_, Vec<_>>::new();
        for seen in seen {
            by_part.entry((seen.message, seen.part)).or_default().push(&seen.verdict);
        }
        for (index, message) in self.all.iter().enumerate() {
            for ((part, fate), number) in
                message.parts.iter().zip(&message.outcome.as_ref().unwrap().segments).zip(0..)
            {
                let verdicts = by_part.remove(&(index, number)).unwrap_or_default();
                let is_throttle =
                    |verdict: &&&Verdict| matches!(verdict, Verdict::Refused(status) if is_passing(*status));
                let throttles = verdicts.iter().filter(is_throttle).count();
                let tries = verdicts.len() - throttles;
                let told = || {
                    format!("message {index} part {number}: {fate:?}, {part:?}, and the SMSC {verdicts:?}")
                };
                assert!(verdicts.len() <= usize::from(part.sends), "{}", told());
                // A refusal that was lost is as good as any answer that was.
                assert!(tries <= message.times(), "{}", told());
                let accepted = |verdict: &&&Verdict| matches!(verdict, Verdict::Accepted(_));
                match fate {
                    SegmentOutcome::Accepted(id) => {
                        let this = Verdict::Accepted(id.as_bytes().to_vec());
                        assert!(verdicts.contains(&&this), "{}", told());
                    }
                    SegmentOutcome::Refused(status) => {
                        assert!(verdicts.contains(&&Verdict::Refused(*status)), "{}", told());
                        assert_eq!(verdicts.iter().filter(accepted).count(), 0, "{}", told());
                    }
                    SegmentOutcome::NeverSent(_) => assert!(verdicts.is_empty(), "{}", told()),
                    _ => {}
                }
            }
        }
        assert!(by_part.is_empty(), "the SMSC saw what nobody submitted");
    }
}
