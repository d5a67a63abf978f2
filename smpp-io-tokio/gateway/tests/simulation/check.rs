//! What must be true in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smpp_gateway::node::{EventBody, EventKind, Outcome};

use super::world::World;

/// Returns whether nothing is left to do, and each node has its share of the binds.
pub(crate) fn is_done(world: &World) -> bool {
    let alive = || world.runs.iter().filter(|run| run.is_alive);
    let targets: Vec<usize> = alive().map(|run| usize::from(run.target)).collect();
    let is_fair =
        targets.iter().max().zip(targets.iter().min()).is_some_and(|(most, least)| most - least <= 1);
    world.engine.queue.len() == world.messages.len()
        && world.engine.queue.iter().all(|it| it.is_deleted)
        && alive().all(|run| run.node.in_hand() == (0, 0))
        && world.smsc.receipts.iter().all(|it| it.is_delivered)
        && world.smsc.phones.iter().all(|it| it.is_delivered)
        && is_fair
        && targets.iter().sum::<usize>() == usize::from(world.options.max_binds)
}

pub(crate) fn check(world: &World) {
    let describe = || {
        let of = |run: &super::world::Run| {
            (run.instance.clone(), run.target, run.node.leases(), run.node.in_hand(), run.node.keys_in_hand())
        };
        let nodes: Vec<_> = world.runs.iter().filter(|run| run.is_alive).map(of).collect();
        let left = world.engine.queue.iter().filter(|it| !it.is_deleted).count();
        format!("{left} messages left, of {}; {nodes:?}", world.messages.len())
    };
    assert!(is_done(world), "not everything is done: {}", describe());
    let mut ids = BTreeSet::new();
    for (_, event) in &world.engine.events {
        let may_be_twice = !is_remembered(world) && !matches!(event.body, EventBody::Outcome { .. });
        assert!(ids.insert(event.id.as_str()) || may_be_twice, "{} was told twice", event.id);
    }
    check_doubts(world);
    check_messages(world);
    check_receipts(world);
    check_phones(world);
}

/// Returns whether the engine remembers ids for longer than anything takes. Otherwise outcomes are told once all the same.
fn is_remembered(world: &World) -> bool {
    world.options.deduplicated >= Duration::from_secs(60)
}

/// A node that ends, is cut off, or whose entry is lost, leaves no more messages in doubt than two windows of all binds.
fn check_doubts(world: &World) {
    let is_doubt = |outcome: &&Outcome| {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        outcome.kind == EventKind::Uncertain && reason.starts_with("a node ended")
    };
    let doubts = outcomes(world).into_values().flatten().filter(is_doubt).count();
    let cuts = world.counts.get("cut").copied().unwrap_or_default() as usize;
    let most = (world.runs.len() + cuts) * 2 * world.options.window * usize::from(world.options.max_binds);
    assert!(doubts <= most, "{doubts} messages in doubt, at most {most} expected");
}

fn outcomes(world: &World) -> BTreeMap<&str, Vec<&Outcome>> {
    let mut outcomes: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for (_, event) in &world.engine.events {
        if let EventBody::Outcome { key, outcome } = &event.body {
            outcomes.entry(key).or_default().push(outcome);
        }
    }
    outcomes
}

/// Each message has one outcome, and that is true.
fn check_messages(world: &World) {
    let outcomes = outcomes(world);
    for (index, message) in world.messages.iter().enumerate() {
        let key = message.key.as_str();
        if message.is_invalid {
            let id = format!("invalid:{}", index + 1);
            assert!(world.engine.events.iter().any(|(_, event)| event.id == id), "{id} is missing");
            continue;
        }
        let of_key = outcomes.get(key).map_or(&[][..], Vec::as_slice);
        let [outcome] = of_key else { panic!("{key} has the outcomes {of_key:?}") };
        let sent = world.smsc.accepted.iter().filter(|it| world.messages[**it].key == key).count();
        let may_be_twice = outcome.kind == EventKind::Uncertain || outcome.possible_duplicate;
        assert!(sent <= 1 || may_be_twice, "{key} was sent {sent} times and reported {outcome:?}");
        match outcome.kind {
            EventKind::Accepted => assert!(sent > 0, "{key} was not accepted"),
            EventKind::Refused | EventKind::Expired => {
                assert!(sent == 0 || outcome.possible_duplicate, "{key} was accepted: {outcome:?}");
            }
            EventKind::Uncertain => {}
            other => panic!("{key} ended as {other:?}"),
        }
        for part in &outcome.accepted {
            assert!(world.engine.ids.contains_key(&part.normalised), "the id {} is not stored", part.id);
        }
    }
    for (key, (_, _, attempt)) in &world.engine.attempts {
        assert!(attempt.outcome.is_some(), "{key} is in doubt: {attempt:?}");
    }
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
        let is_twice = told > 1 && !is_remembered(world);
        assert!(
            told == 1 || is_twice || (told == 0 && late),
            "the receipt of {} was told {told} times",
            receipt.id
        );
        if told == 0 {
            let id = format!("unmatched:{}:DELIVRD", receipt.id);
            assert!(world.engine.events.iter().any(|(_, event)| event.id == id), "{id} is missing");
        }
    }
}

/// Each message from a phone is told, those of several parts once.
fn check_phones(world: &World) {
    for phone in &world.smsc.phones {
        let told = world.engine.events.iter().filter(|(_, event)| match &event.body {
            EventBody::Message { parts } => {
                let is_whole = parts.len() == usize::from(phone.total);
                is_whole && parts.iter().any(|part| part.digest == phone.digest)
            }
            _ => false,
        });
        let told = told.count();
        assert!(told >= 1, "{} was not told", phone.digest);
        assert!(
            told == 1 || phone.total == 1 || !is_remembered(world),
            "{} was told {told} times",
            phone.digest
        );
    }
}
