//! The queue against one that looks at everything each time.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::queue::{Back, PartRef, Queue};
use super::*;
use crate::session::UnansweredReason;

#[derive(Clone, Debug)]
enum Step {
    Push {
        parts: usize,
        priority: Priority,
        lane: Option<u8>,
        deadline: Option<u64>,
        again: Option<u16>,
    },
    /// The part that goes next is sent, if there is one.
    Send,
    /// One of those in flight comes back.
    Back(usize, Answer),
    GiveUp(usize),
    /// So many seconds pass.
    Pass(u64),
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
        3 => push.prop_map(|(parts, priority, lane, deadline, again)| {
            Step::Push { parts, priority, lane, deadline, again }
        }),
        4 => Just(Step::Send),
        4 => (0..8_usize, answer).prop_map(|(which, answer)| Step::Back(which, answer)),
        1 => (0..8_usize).prop_map(Step::GiveUp),
        1 => (0..3_u64).prop_map(Step::Pass),
    ]
}

#[derive(Clone, Debug)]
struct Piece {
    flying: bool,
    fate: Option<SegmentOutcome>,
    throttled: u16,
    unanswered: u16,
    earlier: Option<SegmentOutcome>,
}

#[derive(Clone, Debug)]
struct Naive {
    number: u64,
    priority: Priority,
    lane: Option<u8>,
    deadline: Option<u64>,
    again: u16,
    over: Option<SegmentNotSentReason>,
    pieces: Vec<Piece>,
}

impl Naive {
    fn is_open(&self) -> bool {
        self.pieces.iter().any(|piece| piece.fate.is_none())
    }

    /// Gives a piece its fate: what was left in doubt before stays so.
    fn settle(piece: &mut Piece, fate: SegmentOutcome) {
        let doubt = piece.earlier.take();
        piece.flying = false;
        piece.fate = Some(match (doubt, fate) {
            (_, SegmentOutcome::Accepted(id)) => SegmentOutcome::Accepted(id),
            (
                Some(SegmentOutcome::Unanswered(cause)),
                SegmentOutcome::Refused(_) | SegmentOutcome::NeverSent(_),
            ) => SegmentOutcome::Unanswered(cause),
            (Some(SegmentOutcome::Refused(status)), SegmentOutcome::NeverSent(_)) => {
                SegmentOutcome::Refused(status)
            }
            (_, fate) => fate,
        });
    }

    fn give_up(&mut self, why: SegmentNotSentReason) {
        self.over.get_or_insert(why);
        for piece in self.pieces.iter_mut().filter(|piece| piece.fate.is_none() && !piece.flying) {
            Self::settle(piece, SegmentOutcome::NeverSent(why));
        }
    }
}

/// The message and piece that go next.
fn next(all: &[Naive]) -> Option<(usize, usize)> {
    let first = |lane: u8| all.iter().find(|other| other.lane == Some(lane)).map(|other| other.number);
    let may_go = |message: &Naive| message.lane.is_none_or(|lane| first(lane) == Some(message.number));
    let pieces = all.iter().enumerate().filter(|(_, message)| may_go(message)).flat_map(|(at, message)| {
        let waits = |(_, piece): &(usize, &Piece)| piece.fate.is_none() && !piece.flying;
        let pieces = message.pieces.iter().enumerate().filter(waits);
        pieces.map(move |(piece, _)| ((core::cmp::Reverse(message.priority), message.number, piece), at))
    });
    pieces.min().map(|((_, _, piece), at)| (at, piece))
}

/// Takes out what has all its fates.
fn finished(all: &mut Vec<Naive>) -> Vec<(MessageNumber, MessageOutcome)> {
    let (open, done): (Vec<_>, Vec<_>) = core::mem::take(all).into_iter().partition(Naive::is_open);
    *all = open;
    let outcome = |message: Naive| {
        let parts = message.pieces.into_iter().filter_map(|piece| piece.fate).collect();
        (MessageNumber(message.number), MessageOutcome { segments: parts })
    };
    done.into_iter().map(outcome).collect()
}

proptest! {
    #[test]
    fn it_says_what_one_that_looks_at_everything_says(steps in prop::collection::vec(step(), 1..80)) {
        let mut queue = Queue::new(1000);
        let mut all: Vec<Naive> = Vec::new();
        let mut flying: Vec<(u64, u8)> = Vec::new();
        let (mut now, mut last) = (0, 0);
        for step in steps {
            let mut told = Vec::new();
            match step {
                Step::Push { parts, priority, lane, deadline, again } => {
                    last += 1;
                    let destination = ["6500", "6501"][usize::from(lane.unwrap_or(0))];
                    let submit_sm =
                        SubmitSm { destination: crate::Address::international(destination).unwrap(), ..template() };
                    let again = again.map_or(UnansweredPolicy::Report, UnansweredPolicy::Resend);
                    let mut message = Message::submit_sm(&submit_sm).priority(priority).unanswered_policy(again);
                    if lane.is_some() {
                        message = message.in_order();
                    }
                    if let Some(within) = deadline {
                        message = message.deadline(Duration::from_secs(within));
                    }
                    let frame = message.parts(&options(), 0).unwrap().remove(0);
                    let frames = vec![frame; parts];
                    let at = Instant::after(Duration::from_secs(now));
                    let number = queue.push(at, &message, frames, UnansweredPolicy::Report);
                    prop_assert_eq!(number, MessageNumber(last));
                    let piece =
                        Piece { flying: false, fate: None, throttled: 0, unanswered: 0, earlier: None };
                    all.push(Naive {
                        number: last,
                        priority,
                        lane,
                        deadline: deadline.map(|within| now + within),
                        again: match again {
                            UnansweredPolicy::Report => 0,
                            UnansweredPolicy::Resend(times) => times,
                        },
                        over: None,
                        pieces: vec![piece; parts],
                    });
                }
                Step::Send => {
                    let part = queue.next().map(|(part, _)| part);
                    let expected = next(&all).map(|(at, piece)| PartRef {
                        message: MessageNumber(all[at].number),
                        index: piece as u8,
                    });
                    prop_assert_eq!(part, expected);
                    prop_assert_eq!(queue.is_ready(), part.is_some());
                    if let (Some(part), Some((at, piece))) = (part, next(&all)) {
                        queue.sent(part);
                        all[at].pieces[piece].flying = true;
                        flying.push((all[at].number, part.index));
                    }
                }
                Step::Back(which, answer) if !flying.is_empty() => {
                    let (number, index) = flying.remove(which % flying.len());
                    let refused = SegmentOutcome::Refused(CommandStatus::RINVDSTADR);
                    let throttled = SegmentOutcome::Refused(CommandStatus::RTHROTTLED);
                    let unanswered = SegmentOutcome::Unanswered(UnansweredReason::Timeout);
                    let id = SegmentOutcome::Accepted(MessageId::new(b"1"));
                    let part = PartRef { message: MessageNumber(number), index };
                    let back = match answer {
                        Answer::Accepted => Back::Settled(id.clone()),
                        Answer::Refused => Back::Settled(refused.clone()),
                        Answer::NeverSent => Back::Again,
                        Answer::Throttled => Back::Throttled(THROTTLED, throttled.clone()),
                        Answer::Unanswered => Back::Unanswered(unanswered.clone()),
                    };
                    told.extend(queue.back(part, back).map(|outcome| (part.message, outcome)));
                    let message = all.iter_mut().find(|message| message.number == number).unwrap();
                    let (again, over) = (message.again, message.over);
                    let piece = &mut message.pieces[usize::from(index)];
                    piece.flying = false;
                    let (fate, goes) = match answer {
                        Answer::Accepted => (id, false),
                        Answer::Refused => (refused, false),
                        Answer::NeverSent => (SegmentOutcome::NeverSent(over.unwrap_or(SegmentNotSentReason::Abandoned)), true),
                        Answer::Throttled => {
                            piece.throttled += 1;
                            (throttled, piece.throttled <= THROTTLED)
                        }
                        Answer::Unanswered => {
                            piece.unanswered += 1;
                            (unanswered, piece.unanswered <= again)
                        }
                    };
                    if goes && over.is_none() {
                        // The gravest of its tries is kept.
                        match (&piece.earlier, &fate) {
                            (_, SegmentOutcome::NeverSent(_)) | (Some(SegmentOutcome::Unanswered(_)), _) => {}
                            _ => piece.earlier = Some(fate),
                        }
                    } else {
                        let is_accepted = fate.is_accepted();
                        Naive::settle(piece, fate);
                        if !is_accepted {
                            message.give_up(SegmentNotSentReason::Abandoned);
                        }
                    }
                }
                Step::GiveUp(which) if !all.is_empty() => {
                    let at = which % all.len();
                    let number = MessageNumber(all[at].number);
                    told.extend(queue.give_up(number, SegmentNotSentReason::Cancelled).map(|outcome| (number, outcome)));
                    all[at].give_up(SegmentNotSentReason::Cancelled);
                }
                Step::Pass(seconds) => {
                    now += seconds;
                    while let Some((number, outcome)) = queue.expire(Instant::after(Duration::from_secs(now))) {
                        told.extend(outcome.map(|outcome| (number, outcome)));
                    }
                    let late = |message: &&mut Naive| message.deadline.is_some_and(|deadline| deadline <= now);
                    all.iter_mut().filter(late).for_each(|message| message.give_up(SegmentNotSentReason::Expired));
                }
                Step::Back(..) | Step::GiveUp(_) => {}
            }
            told.sort_by_key(|(number, _)| *number);
            prop_assert_eq!(told, finished(&mut all));
            let open = |piece: &&Piece| piece.fate.is_none();
            let pieces = || all.iter().flat_map(|message| &message.pieces);
            prop_assert_eq!(queue.open(), pieces().filter(open).count());
            let any_flying = pieces().any(|piece| piece.flying);
            prop_assert_eq!(queue.is_flying(queue.last_sent()), any_flying);
            prop_assert_eq!(queue.messages().count(), all.len());
        }
    }
}
