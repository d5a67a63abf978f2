//! The queue compared with a simple model that scans all messages at each step.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::queue::{AttemptResult, Queue, SegmentRef};
use super::*;
use crate::session::UnansweredReason;

#[derive(Clone, Debug)]
enum Step {
    Push {
        segments: usize,
        priority: Priority,
        lane: Option<u8>,
        deadline: Option<u64>,
        resends: Option<u16>,
    },
    /// Sends the next segment, if there is one.
    Send,
    /// The SMSC answers one of the segments in flight.
    Respond(usize, Answer),
    Abandon(usize),
    /// This many seconds pass.
    Advance(u64),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Accepted,
    Refused,
    NeverSent,
    Throttled,
    Unanswered,
}

const THROTTLED: u16 = 1;

fn step() -> impl Strategy<Value = Step> {
    let priority = prop::sample::select(vec![Priority::Low, Priority::Normal, Priority::High]);
    let answer = prop::sample::select(vec![
        Answer::Accepted,
        Answer::Accepted,
        Answer::Refused,
        Answer::NeverSent,
        Answer::Throttled,
        Answer::Unanswered,
    ]);
    let lane = prop::option::of(0..2_u8);
    let push = (1..4_usize, priority, lane, prop::option::of(0..5_u64), prop::option::of(1..3_u16));
    prop_oneof![
        3 => push.prop_map(|(segments, priority, lane, deadline, resends)| {
            Step::Push { segments, priority, lane, deadline, resends }
        }),
        4 => Just(Step::Send),
        4 => (0..8_usize, answer).prop_map(|(which, answer)| Step::Respond(which, answer)),
        1 => (0..8_usize).prop_map(Step::Abandon),
        1 => (0..3_u64).prop_map(Step::Advance),
    ]
}

#[derive(Clone, Debug)]
struct ModelSegment {
    in_flight: bool,
    outcome: Option<SegmentOutcome>,
    throttled: u16,
    unanswered: u16,
    earlier: Option<SegmentOutcome>,
}

#[derive(Clone, Debug)]
struct ModelMessage {
    number: u64,
    priority: Priority,
    lane: Option<u8>,
    deadline: Option<u64>,
    resends: u16,
    abandoned: Option<SegmentNotSentReason>,
    segments: Vec<ModelSegment>,
}

impl ModelMessage {
    fn is_open(&self) -> bool {
        self.segments.iter().any(|segment| segment.outcome.is_none())
    }

    /// Records the outcome of one segment. An earlier `Unanswered` is overwritten only by `Accepted`.
    fn settle(segment: &mut ModelSegment, outcome: SegmentOutcome) {
        let earlier = segment.earlier.take();
        segment.in_flight = false;
        segment.outcome = Some(match (earlier, outcome) {
            (_, accepted @ SegmentOutcome::Accepted { .. }) => accepted,
            (
                Some(SegmentOutcome::Unanswered(reason)),
                SegmentOutcome::Refused { .. } | SegmentOutcome::NeverSent(_),
            ) => SegmentOutcome::Unanswered(reason),
            (Some(refused @ SegmentOutcome::Refused { .. }), SegmentOutcome::NeverSent(_)) => refused,
            (_, outcome) => outcome,
        });
    }

    fn abandon(&mut self, reason: SegmentNotSentReason) {
        self.abandoned.get_or_insert(reason);
        for segment in
            self.segments.iter_mut().filter(|segment| segment.outcome.is_none() && !segment.in_flight)
        {
            Self::settle(segment, SegmentOutcome::NeverSent(reason));
        }
    }
}

/// Returns the message and segment to send next.
fn next(all: &[ModelMessage]) -> Option<(usize, usize)> {
    let first = |lane: u8| all.iter().find(|other| other.lane == Some(lane)).map(|other| other.number);
    let may_go = |message: &ModelMessage| message.lane.is_none_or(|lane| first(lane) == Some(message.number));
    let segments = all.iter().enumerate().filter(|(_, message)| may_go(message)).flat_map(|(at, message)| {
        let waits = |(_, segment): &(usize, &ModelSegment)| segment.outcome.is_none() && !segment.in_flight;
        let segments = message.segments.iter().enumerate().filter(waits);
        segments
            .map(move |(segment, _)| ((core::cmp::Reverse(message.priority), message.number, segment), at))
    });
    segments.min().map(|((_, _, segment), at)| (at, segment))
}

/// Removes the messages all of whose segments have an outcome.
fn finished(all: &mut Vec<ModelMessage>) -> Vec<(MessageNumber, MessageOutcome)> {
    let (open, done): (Vec<_>, Vec<_>) = core::mem::take(all).into_iter().partition(ModelMessage::is_open);
    *all = open;
    let outcome = |message: ModelMessage| {
        let segments = message.segments.into_iter().filter_map(|segment| segment.outcome).collect();
        (MessageNumber(message.number), MessageOutcome { segments })
    };
    done.into_iter().map(outcome).collect()
}

proptest! {
    #[test]
    fn the_queue_agrees_with_the_model(steps in prop::collection::vec(step(), 1..80)) {
        let mut queue = Queue::new(1000);
        let mut all: Vec<ModelMessage> = Vec::new();
        let mut in_flight: Vec<(u64, u8)> = Vec::new();
        let (mut now, mut last) = (0, 0);
        for step in steps {
            let mut outcomes = Vec::new();
            match step {
                Step::Push { segments, priority, lane, deadline, resends } => {
                    last += 1;
                    let destination = ["6500", "6501"][usize::from(lane.unwrap_or(0))];
                    let submit_sm =
                        SubmitSm { destination: crate::Address::international(destination).unwrap(), ..template() };
                    let policy = resends.map_or(UnansweredPolicy::Report, UnansweredPolicy::Resend);
                    let mut message = Message::submit_sm(&submit_sm).priority(priority).unanswered_policy(policy);
                    if lane.is_some() {
                        message = message.in_order();
                    }
                    if let Some(seconds) = deadline {
                        message = message.deadline(Duration::from_secs(seconds));
                    }
                    let frame = message.segments(&options(), 0).unwrap().remove(0);
                    let frames = vec![frame; segments];
                    let at = Instant::after(Duration::from_secs(now));
                    let number = queue.push(at, &message, frames, UnansweredPolicy::Report);
                    prop_assert_eq!(number, MessageNumber(last));
                    let segment =
                        ModelSegment { in_flight: false, outcome: None, throttled: 0, unanswered: 0, earlier: None };
                    all.push(ModelMessage {
                        number: last,
                        priority,
                        lane,
                        deadline: deadline.map(|seconds| now + seconds),
                        resends: match policy {
                            UnansweredPolicy::Report => 0,
                            UnansweredPolicy::Resend(times) => times,
                        },
                        abandoned: None,
                        segments: vec![segment; segments],
                    });
                }
                Step::Send => {
                    let sent = queue.next().map(|(segment, _)| segment);
                    let expected = next(&all).map(|(at, segment)| SegmentRef {
                        message: MessageNumber(all[at].number),
                        index: segment as u8,
                    });
                    prop_assert_eq!(sent, expected);
                    prop_assert_eq!(queue.next_command().is_some(), sent.is_some());
                    if let (Some(sent), Some((at, segment))) = (sent, next(&all)) {
                        queue.mark_sent(sent);
                        all[at].segments[segment].in_flight = true;
                        in_flight.push((all[at].number, sent.index));
                    }
                }
                Step::Respond(which, answer) if !in_flight.is_empty() => {
                    let (number, index) = in_flight.remove(which % in_flight.len());
                    let rejected = refused(CommandStatus::RINVDSTADR);
                    let throttled = refused(CommandStatus::RTHROTTLED);
                    let unanswered = SegmentOutcome::Unanswered(UnansweredReason::Timeout);
                    let id = accepted(b"1");
                    let segment_ref = SegmentRef { message: MessageNumber(number), index };
                    let result = match answer {
                        Answer::Accepted => AttemptResult::Done(id.clone()),
                        Answer::Refused => AttemptResult::Done(rejected.clone()),
                        Answer::NeverSent => AttemptResult::NotSent,
                        Answer::Throttled => AttemptResult::Throttled(THROTTLED, throttled.clone()),
                        Answer::Unanswered => AttemptResult::Unanswered(unanswered.clone()),
                    };
                    outcomes.extend(queue.handle_result(segment_ref, result).map(|ended| (segment_ref.message, ended.outcome)));
                    let message = all.iter_mut().find(|message| message.number == number).unwrap();
                    let (resends, abandoned) = (message.resends, message.abandoned);
                    let segment = &mut message.segments[usize::from(index)];
                    segment.in_flight = false;
                    let (outcome, may_resend) = match answer {
                        Answer::Accepted => (id, false),
                        Answer::Refused => (rejected, false),
                        Answer::NeverSent => (SegmentOutcome::NeverSent(abandoned.unwrap_or(SegmentNotSentReason::Abandoned)), true),
                        Answer::Throttled => {
                            segment.throttled += 1;
                            (throttled, segment.throttled <= THROTTLED)
                        }
                        Answer::Unanswered => {
                            segment.unanswered += 1;
                            (unanswered, segment.unanswered <= resends)
                        }
                    };
                    if may_resend && abandoned.is_none() {
                        // The most severe outcome of the attempts is kept.
                        match (&segment.earlier, &outcome) {
                            (_, SegmentOutcome::NeverSent(_)) | (Some(SegmentOutcome::Unanswered(_)), _) => {}
                            _ => segment.earlier = Some(outcome),
                        }
                    } else {
                        let is_accepted = outcome.is_accepted();
                        ModelMessage::settle(segment, outcome);
                        if !is_accepted {
                            message.abandon(SegmentNotSentReason::Abandoned);
                        }
                    }
                }
                Step::Abandon(which) if !all.is_empty() => {
                    let at = which % all.len();
                    let number = MessageNumber(all[at].number);
                    outcomes.extend(queue.abandon(number, SegmentNotSentReason::Cancelled).map(|ended| (number, ended.outcome)));
                    all[at].abandon(SegmentNotSentReason::Cancelled);
                }
                Step::Advance(seconds) => {
                    now += seconds;
                    while let Some((number, ended)) = queue.expire(Instant::after(Duration::from_secs(now))) {
                        outcomes.extend(ended.map(|ended| (number, ended.outcome)));
                    }
                    let is_late = |message: &&mut ModelMessage| message.deadline.is_some_and(|deadline| deadline <= now);
                    all.iter_mut().filter(is_late).for_each(|message| message.abandon(SegmentNotSentReason::Expired));
                }
                Step::Respond(..) | Step::Abandon(_) => {}
            }
            outcomes.sort_by_key(|(number, _)| *number);
            prop_assert_eq!(outcomes, finished(&mut all));
            let open = |segment: &&ModelSegment| segment.outcome.is_none();
            let segments = || all.iter().flat_map(|message| &message.segments);
            prop_assert_eq!(queue.open(), segments().filter(open).count());
            let any_in_flight = segments().any(|segment| segment.in_flight);
            prop_assert_eq!(queue.is_in_flight(queue.last_sent()), any_in_flight);
            prop_assert_eq!(queue.messages().count(), all.len());
        }
    }
}
