//! The queue compared with a simple model that scans all messages at each step.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::queue::{AttemptResult, Queue, Resend, SegmentRef};
use super::super::ready_messages::Sending;
use super::*;
use crate::provider::ReceiptScope;
use crate::session::UnansweredReason;

#[derive(Clone, Debug)]
enum Step {
    Push {
        segments: usize,
        priority: Priority,
        lane: Option<u8>,
        deadline: Option<u64>,
        resends: Option<u16>,
        bind: Option<u16>,
        /// Given what two binds can do, it is sent at once, if one of them can send it first.
        direct: Option<[Sending; 2]>,
    },
    /// Sends the next segment, if there is one, given what two binds can do.
    Send([Sending; 2]),
    /// A bind ends.
    End(u16),
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
    /// Refused for this many seconds.
    Delayed(u64),
    /// Refused, to be sent on this bind.
    Moved(u16),
    Unanswered,
}

const RETRIES: u16 = 1;

fn bind(link: u16) -> BindId {
    BindId::new(LinkId(link), 1)
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop::sample::select(vec![Priority::Low, Priority::Normal, Priority::High]);
    let answer = prop::sample::select(vec![
        Answer::Accepted,
        Answer::Accepted,
        Answer::Refused,
        Answer::NeverSent,
        Answer::Throttled,
        Answer::Delayed(0),
        Answer::Delayed(2),
        Answer::Moved(0),
        Answer::Moved(1),
        Answer::Unanswered,
    ]);
    let lane = prop::option::of(0..2_u8);
    let named = prop::option::weighted(0.2, 0..2_u16);
    let sending = prop::sample::select(vec![
        Sending::Ready { capacity: 1 },
        Sending::Ready { capacity: 2 },
        Sending::Busy,
        Sending::Unusable,
    ]);
    let binds = prop::option::of(prop::array::uniform2(sending.clone()));
    let push =
        (1..4_usize, priority, lane, prop::option::of(0..5_u64), prop::option::of(1..3_u16), named, binds);
    prop_oneof![
        3 => push.prop_map(|(segments, priority, lane, deadline, resends, bind, direct)| {
            Step::Push { segments, priority, lane, deadline, resends, bind, direct }
        }),
        4 => prop::array::uniform2(sending).prop_map(Step::Send),
        4 => (0..8_usize, answer).prop_map(|(which, answer)| Step::Respond(which, answer)),
        1 => (0..8_usize).prop_map(Step::Abandon),
        1 => (0..3_u64).prop_map(Step::Advance),
        1 => (0..2_u16).prop_map(Step::End),
    ]
}

#[derive(Clone, Debug)]
struct ModelSegment {
    in_flight: bool,
    outcome: Option<SegmentOutcome>,
    refused: u16,
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
    named: Option<u16>,
    follows: Option<u16>,
    delayed_until: u64,
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

/// Returns the message and segment to send next, and the bind that sends it.
fn next(all: &[ModelMessage], now: u64, binds: [Sending; 2]) -> Option<(usize, usize, u16)> {
    let first = |lane: u8| all.iter().find(|other| other.lane == Some(lane)).map(|other| other.number);
    let may_go = |message: &ModelMessage| {
        message.lane.is_none_or(|lane| first(lane) == Some(message.number)) && message.delayed_until <= now
    };
    let capacity = |link: u16| match binds[usize::from(link)] {
        Sending::Ready { capacity } => Some(capacity),
        Sending::Busy | Sending::Unusable => None,
    };
    let most = (0..2).filter_map(|link| Some((capacity(link)?, core::cmp::Reverse(link)))).max();
    let any = most.map(|(_, link)| link.0);
    let link_of = |message: &ModelMessage| match (message.named, message.follows) {
        (Some(link), _) => capacity(link).map(|_| link),
        (None, Some(link)) if binds[usize::from(link)] != Sending::Unusable => capacity(link).map(|_| link),
        (None, _) => any,
    };
    let candidates =
        all.iter().enumerate().filter(|(_, message)| may_go(message)).filter_map(|(at, message)| {
            let waits = |segment: &ModelSegment| segment.outcome.is_none() && !segment.in_flight;
            let segment = message.segments.iter().position(waits)?;
            Some(((core::cmp::Reverse(message.priority), message.number), (at, segment, link_of(message)?)))
        });
    candidates.min().map(|(_, next)| next)
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
    fn the_queue_agrees_with_the_model(spread in any::<bool>(), steps in prop::collection::vec(step(), 1..80)) {
        let mut queue = Queue::new(1000, spread);
        let mut all: Vec<ModelMessage> = Vec::new();
        let mut in_flight: Vec<(u64, u8)> = Vec::new();
        let (mut now, mut last) = (0, 0);
        for step in steps {
            let mut outcomes = Vec::new();
            match step {
                Step::Push { segments, priority, lane, deadline, resends, bind: named, direct } => {
                    last += 1;
                    let destination = ["6500", "6501"][usize::from(lane.unwrap_or(0))];
                    let submit_sm =
                        SubmitSm { destination: crate::Address::international(destination).unwrap(), ..template() };
                    let policy = resends.map_or(UnansweredPolicy::Report, UnansweredPolicy::Resend);
                    let mut message = Message::submit_sm(&submit_sm).priority(priority).unanswered_policy(policy);
                    if lane.is_some() {
                        message = message.in_order();
                    }
                    if let Some(link) = named {
                        message = message.bind(bind(link));
                    }
                    if let Some(seconds) = deadline {
                        message = message.deadline(Duration::from_secs(seconds));
                    }
                    let mut queued = queue.take_spare();
                    (0..segments).for_each(|_| message.encode(&options(), 0, &mut queued.frames).unwrap());
                    let at = Instant::after(Duration::from_secs(now));
                    queued.fill(at, &message, UnansweredPolicy::Report);
                    let number = queue.next_number();
                    prop_assert_eq!(number, MessageNumber(last));
                    let binds = direct.unwrap_or_default();
                    (0..).map(LinkId).zip(binds).for_each(|(link, sending)| queue.set_sending(link, sending));
                    let sent = queue.direct_link(at, &queued);
                    let waits = |segment: &ModelSegment| !segment.in_flight && segment.outcome.is_none();
                    let is_first = !all.iter().any(|message| message.segments.iter().any(waits));
                    let is_plain = segments == 1 && lane.is_none() && named.is_none() && deadline.is_none_or(|time| time > 0);
                    let can_send = queue.ready().least_loaded().is_some();
                    prop_assert!(sent.is_some() || !(is_plain && is_first && can_send), "it can be sent at once");
                    if sent.is_some() {
                        queue.push_sent(number, queued);
                    } else {
                        queue.push(number, queued);
                    }
                    let segment =
                        ModelSegment { in_flight: false, outcome: None, refused: 0, unanswered: 0, earlier: None };
                    all.push(ModelMessage {
                        number: last,
                        priority,
                        lane,
                        deadline: deadline.map(|seconds| now + seconds),
                        resends: match policy {
                            UnansweredPolicy::Report => 0,
                            UnansweredPolicy::Resend(times) => times,
                        },
                        named,
                        follows: None,
                        delayed_until: 0,
                        abandoned: None,
                        segments: vec![segment; segments],
                    });
                    let next = next(&all, now, binds);
                    if let Some(link) = sent {
                        prop_assert_eq!(next, Some((all.len() - 1, 0, link.0)));
                        all.last_mut().unwrap().segments[0].in_flight = true;
                        in_flight.push((last, 0));
                    }
                }
                Step::Send(binds) => {
                    queue.release_delayed(Instant::after(Duration::from_secs(now)), usize::MAX);
                    (0..).map(LinkId).zip(binds).for_each(|(link, sending)| queue.set_sending(link, sending));
                    let sent = queue.next();
                    let next = next(&all, now, binds);
                    let expected = next.map(|(at, segment, link)| {
                        (SegmentRef { message: MessageNumber(all[at].number), index: segment as u8 }, LinkId(link))
                    });
                    prop_assert_eq!(sent, expected);
                    prop_assert!(sent.is_none() || !queue.ready().is_empty());
                    if let (Some((sent, link)), Some((at, segment, _))) = (sent, next) {
                        queue.mark_sent(sent, link);
                        all[at].segments[segment].in_flight = true;
                        if !spread && all[at].segments.len() > 1 {
                            all[at].follows = Some(link.0);
                        }
                        in_flight.push((all[at].number, sent.index));
                    }
                }
                Step::End(link) => {
                    while let Some(number) = queue.pop_named(bind(link)) {
                        let outcome = queue.abandon(number, SegmentNotSentReason::BindEnded);
                        outcomes.extend(outcome.map(|ended| (number, ended.outcome)));
                    }
                    let is_named = |message: &&mut ModelMessage| message.named == Some(link);
                    all.iter_mut().filter(is_named).for_each(|message| message.abandon(SegmentNotSentReason::BindEnded));
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
                        Answer::Throttled | Answer::Delayed(_) | Answer::Moved(_) => {
                            let resend = match answer {
                                Answer::Delayed(delay) => {
                                    Resend::After(Instant::after(Duration::from_secs(now + delay)))
                                }
                                Answer::Moved(link) => Resend::On(LinkId(link)),
                                _ => Resend::Queued,
                            };
                            AttemptResult::Refused { times: RETRIES, resend, outcome: throttled.clone() }
                        }
                        Answer::Unanswered => AttemptResult::Unanswered(unanswered.clone()),
                    };
                    let accepted = matches!(answer, Answer::Accepted);
                    let ended = accepted.then(|| queue.end_only_attempt(segment_ref.message, ReceiptScope::Segment)).flatten().is_some();
                    let outcome = if ended {
                        Some(MessageOutcome { segments: vec![id.clone()].into() })
                    } else {
                        queue.handle_result(segment_ref, result).map(|ended| ended.outcome)
                    };
                    outcomes.extend(outcome.map(|outcome| (segment_ref.message, outcome)));
                    let message = all.iter_mut().find(|message| message.number == number).unwrap();
                    let (resends, abandoned) = (message.resends, message.abandoned);
                    let segment = &mut message.segments[usize::from(index)];
                    segment.in_flight = false;
                    let (outcome, may_resend) = match answer {
                        Answer::Accepted => (id, false),
                        Answer::Refused => (rejected, false),
                        Answer::NeverSent => (SegmentOutcome::NeverSent(abandoned.unwrap_or(SegmentNotSentReason::Abandoned)), true),
                        Answer::Throttled | Answer::Delayed(_) | Answer::Moved(_) => {
                            segment.refused += 1;
                            (throttled, segment.refused <= RETRIES)
                        }
                        Answer::Unanswered => {
                            segment.unanswered += 1;
                            (unanswered, segment.unanswered <= resends)
                        }
                    };
                    if may_resend && abandoned.is_none() {
                        match answer {
                            Answer::Delayed(delay) => message.delayed_until = message.delayed_until.max(now + delay),
                            Answer::Moved(link) => message.follows = Some(link),
                            _ => {}
                        }
                        let segment = &mut message.segments[usize::from(index)];
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
            prop_assert_eq!(queue.messages_from(MessageNumber(0)).count(), all.len());
        }
    }
}

#[test]
fn the_memory_of_a_queue_that_was_long_is_freed() {
    let mut account =
        Account::<()>::new(Options { queue_capacity: 20_000, ..options() }, Instant::ZERO).unwrap();
    let left = allocation_counter::measure(|| {
        for _ in 0..20_000 {
            account.submit(Instant::ZERO, &Message::submit_sm(&template())).unwrap();
        }
        for number in 1..=20_000 {
            account.cancel(Instant::ZERO, MessageNumber(number));
        }
        while account.poll_event().is_some() {}
        account.shrink(LinkId(0));
    });
    assert_eq!(account.queued(), 0);
    assert!(left.bytes_current < 20_000, "{left:?}");
}

#[test]
fn messages_that_come_after_a_change_of_the_operations_are_sent() {
    let with = |operations| Options {
        session: Config { operations, rate: None, ..options().session },
        binds: Binds::NONE,
        queue_capacity: 4_000,
        ..options()
    };
    let mut sim = Simulation::new(with(crate::session::Operations::all()));
    for _ in 0..3_000 {
        sim.send("before");
    }
    let none = crate::session::Operations::QUERY_SM;
    sim.account.reconfigure(sim.now, with(none)).unwrap();
    // Only some of the messages are abandoned in the first call.
    sim.account.reconfigure(sim.now, with(crate::session::Operations::all())).unwrap();
    let after = sim.send("after");
    sim.advance(SECOND);
    let ended = sim.outcomes();
    assert_eq!((ended.len(), sim.account.queued()), (3_000, 1));
    assert!(ended.iter().all(|(number, _)| *number != after));
}
