//! What must be true in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use smpp_gateway::node::{EventBody, EventKind, Outcome, PhonePart};
use smpp_proto::session::Instant;

use super::smsc::Phone;
use super::world::World;

/// Returns whether nothing is left to do, and each node has its share of the binds.
pub(crate) fn is_done(world: &World) -> bool {
    let alive = || world.runs.iter().filter(|run| run.is_alive);
    let targets: Vec<usize> = alive().map(|run| usize::from(run.target)).collect();
    let is_fair =
        targets.iter().max().zip(targets.iter().min()).is_some_and(|(most, least)| most - least <= 1);
    world.engine.queue.len() == world.messages.len()
        && world.engine.queue.iter().all(|it| it.left.is_some())
        && alive().all(|run| run.node.in_hand() == (0, 0))
        && world.smsc.receipts.iter().all(|it| it.is_delivered)
        && world.smsc.phones.iter().all(|it| it.is_lost || it.acknowledged.is_some())
        && world.engine.groups.values().all(|(_, _, group)| group.parts.is_empty() || waits_long(world))
        && is_fair
        && targets.iter().sum::<usize>() == usize::from(world.options.max_binds)
}

pub(crate) fn check(world: &mut World) {
    let describe = || {
        let of = |run: &super::world::Run| {
            (run.instance.clone(), run.target, run.node.leases(), run.node.in_hand(), run.node.keys_in_hand())
        };
        let nodes: Vec<_> = world.runs.iter().filter(|run| run.is_alive).map(of).collect();
        let left = world.engine.queue.iter().filter(|it| it.left.is_none()).count();
        format!("{left} messages left, of {}; {nodes:?}", world.messages.len())
    };
    assert!(is_done(world), "not everything is done: {}", describe());
    check_doubts(world);
    check_messages(world);
    check_receipts(world);
    check_phones(world);
}

/// Returns whether parts of messages from phones wait for longer than the scenario takes.
fn waits_long(world: &World) -> bool {
    world.options.part_age > Duration::from_secs(600)
}

/// A node that ends, is cut off, or whose entry is lost, leaves no more messages in doubt than two windows of all binds.
fn check_doubts(world: &World) {
    let is_doubt = |(_, outcome): &(u64, Outcome)| {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        outcome.kind == EventKind::Uncertain && reason.starts_with("a node ended")
    };
    let doubts = outcomes(world).into_values().flatten().filter(is_doubt).count();
    let cuts = world.counts.get("cut").copied().unwrap_or_default() as usize;
    let most = (world.runs.len() + cuts) * 2 * world.options.window * usize::from(world.options.max_binds);
    assert!(doubts <= most, "{doubts} messages in doubt, at most {most} expected");
}

/// Returns the outcomes of each key, each with the sequence number of its message.
fn outcomes(world: &World) -> BTreeMap<String, Vec<(u64, Outcome)>> {
    let mut outcomes: BTreeMap<String, Vec<(u64, Outcome)>> = BTreeMap::new();
    for (_, event) in &world.engine.events {
        if let EventBody::Outcome { key, outcome } = &event.body {
            let sequence = event.detail.parse().unwrap();
            outcomes.entry(key.clone()).or_default().push((sequence, outcome.clone()));
        }
    }
    outcomes
}

/// Each message has one outcome, and that is true. One that was published again under the same key has none of its own, unless
/// the key may be forgotten.
fn check_messages(world: &mut World) {
    let mut used_again = 0;
    let outcomes = outcomes(world);
    for (index, message) in world.messages.iter().enumerate() {
        let key = message.key.as_str();
        if message.is_invalid {
            let detail = format!("{}-0", index + 1);
            let told = world
                .engine
                .events
                .iter()
                .filter(|(_, it)| it.identity() == (EventKind::Invalid, "", &detail));
            assert_eq!(told.count(), 1, "{detail} is invalid");
            continue;
        }
        let of_key = outcomes.get(key).map_or(&[][..], Vec::as_slice);
        let recorded = world.engine.recorded.get(key).into_iter().flatten();
        let recorded: Vec<_> = recorded.filter(|(at, _)| is_queued(world, key, *at)).collect();
        let mut sequences: Vec<u64> = of_key.iter().map(|(sequence, _)| *sequence).collect();
        sequences.sort_unstable();
        let expected: Vec<u64> = recorded.iter().map(|(_, sequence)| *sequence).collect();
        assert_eq!(sequences, expected, "{key} has the outcomes {of_key:?}, recorded {recorded:?}");
        assert!(!of_key.is_empty(), "{key} has no outcome");
        // Those that follow the first are of messages that were published once the key was forgotten.
        for (sequence, (before, _)) in sequences.iter().skip(1).zip(recorded) {
            let published = world.engine.queue[*sequence as usize - 1].published;
            assert!(published >= *before + world.engine.remember, "{key} was sent again: {of_key:?}");
            used_again += 1;
        }
        let sent = world.smsc.accepted.iter().filter(|it| world.messages[**it].key == key).count();
        let count = |kind| of_key.iter().filter(|(_, outcome)| outcome.kind == kind).count();
        let is_doubtful =
            |outcome: &Outcome| outcome.kind == EventKind::Uncertain || outcome.possible_duplicate;
        let accepted = count(EventKind::Accepted);
        assert!(sent >= accepted, "{key} was sent {sent} times: {of_key:?}");
        if !of_key.iter().any(|(_, outcome)| is_doubtful(outcome)) {
            assert_eq!(sent, accepted, "{key}: {of_key:?}");
        }
        for (_, outcome) in of_key {
            let kinds = [EventKind::Accepted, EventKind::Refused, EventKind::Expired, EventKind::Uncertain];
            assert!(kinds.contains(&outcome.kind), "{key} ended as {outcome:?}");
            for part in &outcome.accepted {
                assert!(world.engine.ids.contains_key(&part.normalised), "the id {} is not stored", part.id);
            }
        }
    }
    *world.counts.entry("key used again").or_default() += used_again;
    for (key, (_, written, attempt)) in &world.engine.attempts {
        let is_late = !is_queued(world, key, *written);
        assert!(attempt.outcome.is_some() || is_late, "{key} is in doubt: {attempt:?}");
    }
}

/// Returns whether the queue had a message of this key then. Otherwise what a request has written that arrived late means nothing.
fn is_queued(world: &World, key: &str, at: Instant) -> bool {
    let of_key = world.messages.iter().zip(&world.engine.queue).filter(|(message, _)| message.key == key);
    of_key.into_iter().any(|(_, queued)| queued.left.is_none_or(|left| left >= at))
}

/// Each receipt is told at its key once, unless nobody could know the key in time.
fn check_receipts(world: &World) {
    for receipt in &world.smsc.receipts {
        let key = world.messages[receipt.message].key.as_str();
        let told = world.engine.events.iter().filter(|(_, event)| match &event.body {
            EventBody::Receipt { owner: Some(owner), receipt: details } => {
                let is_it = details.id == receipt.id;
                assert!(!is_it || (owner.key == key && owner.part == receipt.part), "{owner:?}: wrong owner");
                is_it
            }
            _ => false,
        });
        let told = told.count();
        let arrived = receipt.arrived.unwrap_or_default();
        let late = world
            .engine
            .ids
            .get(&receipt.id)
            .is_none_or(|(_, stored)| *stored + Duration::from_secs(3) > arrived + world.options.lookup);
        assert!(told == 1 || (told == 0 && late), "the receipt of {} was told {told} times", receipt.id);
        let id = (EventKind::Unmatched, &*receipt.id, "DELIVRD-d");
        let unmatched = world.engine.events.iter().filter(|(_, event)| event.identity() == id).count();
        // It may come on two nodes, of which one knows the key.
        assert!(unmatched <= 1 && told + unmatched >= 1, "{id:?} was told {unmatched} times");
    }
}

/// Each part of a message from a phone is in one event, or waits for the others. All parts of a message are in one event, unless
/// one came too late, or came among those of another message with the same reference.
fn check_phones(world: &mut World) {
    let messages = || {
        world.engine.events.iter().filter_map(|(_, event)| match &event.body {
            EventBody::Message { parts } => Some(parts),
            _ => None,
        })
    };
    let (mut whole, mut used_again) = (0, 0);
    for phone in &world.smsc.phones {
        let is_it = |parts: &[PhonePart]| parts.iter().filter(|part| part.digest == phone.digest).count();
        let told: usize = messages().map(|parts| is_it(parts)).sum();
        let waiting: usize = world.engine.groups.values().map(|(_, _, group)| is_it(&group.parts)).sum();
        if phone.total == 1 {
            assert!(told >= 1, "{} was not told", phone.digest);
            continue;
        }
        let expected = usize::from(!phone.is_lost);
        assert_eq!(told + waiting, expected, "{}: told {told} times, waits {waiting} times", phone.digest);
        if phone.number > 1 || !waits_long(world) {
            continue;
        }
        let of_message = |message: usize| world.smsc.phones.iter().filter(move |it| it.message == message);
        let of_group = || world.smsc.phones.iter().filter(|it| it.group == phone.group);
        // What is left of one message may be joined with parts of another that has the same reference.
        let is_apart = |it: &Phone| {
            let (begin, end) = span(of_message(it.message));
            let others = of_group().filter(|other| other.message != it.message);
            !it.is_lost
                && others.map(|other| span(of_message(other.message))).all(|it| it.1 < begin || it.0 > end)
        };
        if of_group().all(is_apart) {
            let all = messages().filter(|parts| is_it(parts) == 1).any(|parts| {
                let is_of_message =
                    |part: &PhonePart| of_message(phone.message).any(|it| it.digest == part.digest);
                parts.len() == usize::from(phone.total) && parts.iter().all(is_of_message)
            });
            assert!(all, "{} was not told as one message", phone.digest);
            whole += 1;
            used_again += u64::from(of_group().any(|it| it.message != phone.message));
        }
    }
    *world.counts.entry("whole").or_default() += whole;
    *world.counts.entry("whole, reference used again").or_default() += used_again;
}

/// Returns when the first part of a message arrived, and when the last was acknowledged.
fn span<'a>(parts: impl Iterator<Item = &'a Phone>) -> (Option<Instant>, Option<Instant>) {
    let (arrived, acknowledged): (Vec<_>, Vec<_>) = parts.map(|it| (it.arrived, it.acknowledged)).unzip();
    (arrived.into_iter().flatten().min(), acknowledged.into_iter().flatten().max())
}
