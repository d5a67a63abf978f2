//! Several nodes over a model of the engine that loses, delays and repeats, with accounts that are cut off, an SMSC that gives
//! no response, kills, restarts and graceful ends. Every scenario follows from its seed.
//!
//! `SCENARIOS=20000 cargo test --profile simulation -p smpp-gateway --test simulation`; `SEED=17` runs one, and prints each
//! step.

mod check;
mod engine;
mod rng;
mod smsc;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use smpp_gateway::node::{EventBody, Priority};
use smpp_proto::session::Instant;

use smsc::Phone;
use world::{Action, Delivered, Fault, Message, World};

/// Runs a scenario, and returns how often each situation occurred.
fn scenario(seed: u64, verbose: bool) -> Counts {
    let mut world = World::new(seed, verbose);
    let faulty = world.rng.within(10, 60);
    for _ in 0..world.rng.within(1, 3) {
        world.add_node();
    }
    let mut delays = Vec::new();
    for _ in 0..world.rng.within(1, 40) {
        delays.push(world.rng.millis(0, faulty * 1_000));
    }
    delays.sort();
    for (index, delay) in delays.into_iter().enumerate() {
        publish(&mut world, index, delay);
    }
    for message in 0..world.rng.within(0, 5) as usize {
        write_from_phone(&mut world, message, faulty);
    }
    for _ in 0..world.rng.within(0, 8) {
        let kinds = [
            Fault::Kill,
            Fault::Kill,
            Fault::Cut,
            Fault::Cut,
            Fault::CutAll,
            Fault::Stop,
            Fault::DropConnection,
            Fault::AddNode,
        ];
        let fault = kinds[world.rng.index(kinds.len())];
        let delay = world.rng.millis(500, faulty * 1_000);
        world.after(delay, Action::Fault(fault));
    }
    world.run_until(Instant::ZERO + Duration::from_secs(faulty));
    world.calm();
    if world.engine.remember < Duration::from_secs(600) && world.rng.chance(300) {
        // The key of the first message is used again, perhaps after it is forgotten.
        let message = Message { expires: None, ..world.messages[0].clone() };
        world.messages.push(message);
        let delay = world.engine.remember + world.rng.millis(0, 60_000);
        world.after(delay, Action::Publish(world.messages.len() - 1));
    }
    // Until nothing is left to do, and the binds are shared out.
    for _ in 0..30 {
        let end = world.now + Duration::from_secs(10);
        world.run_until(end);
        if check::is_done(&world) {
            break;
        }
    }
    check::check(&mut world);
    for (_, event) in &world.engine.events {
        *world.counts.entry(event.kind().name()).or_default() += 1;
        if matches!(&event.body, EventBody::Outcome { outcome, .. } if outcome.possible_duplicate) {
            *world.counts.entry("possible duplicate").or_default() += 1;
        }
        if let EventBody::Message { parts } = &event.body
            && parts.len() < usize::from(parts[0].total)
        {
            *world.counts.entry("incomplete").or_default() += 1;
        }
    }
    world.counts
}

/// Publishes a message then. Its index is its sequence number in the queue.
fn publish(world: &mut World, index: usize, delay: Duration) {
    let priority = Priority::ALL[world.rng.index(3)];
    let expires = world.rng.chance(100).then(|| world.now + delay + Duration::from_secs(1));
    let is_repeated = index > 0 && world.rng.chance(50);
    let key = if is_repeated { world.messages[index - 1].key.clone() } else { format!("key{index}") };
    let message = Message {
        key,
        priority,
        resend: world.rng.chance(300),
        expires,
        is_invalid: world.rng.chance(30),
        parts: world.rng.within(1, 2) as u8,
    };
    let message = if is_repeated { world.messages[index - 1].clone() } else { message };
    world.messages.push(message);
    world.after(delay, Action::Publish(index));
}

/// A message from a phone, perhaps with the reference of the one before; perhaps not all of it arrives.
fn write_from_phone(world: &mut World, message: usize, faulty: u64) {
    let before = world.smsc.phones.last().filter(|it| it.total > 1).map(|it| (it.group.clone(), it.total));
    let is_reused = world.rng.chance(300);
    let total = world.rng.within(1, 3) as u8;
    let new = if total == 1 { String::new() } else { format!("group{message}") };
    let (group, total) = before.filter(|_| is_reused).unwrap_or((new, total));
    let start = world.rng.millis(0, faulty * 1_000);
    // Sometimes the parts come one shortly after the other.
    let spread = if world.rng.chance(500) { 1_000 } else { faulty * 1_000 };
    for number in 1..=total {
        let is_lost = total > 1 && world.rng.chance(100);
        world.smsc.phones.push(Phone {
            message,
            group: group.clone(),
            number,
            total,
            digest: format!("d{message}-{number}"),
            arrived: None,
            acknowledged: None,
            is_lost,
        });
        let delay = start + world.rng.millis(0, spread);
        if !is_lost {
            world.after(delay, Action::Deliver(Delivered::Phone(world.smsc.phones.len() - 1)));
        }
    }
}

type Counts = BTreeMap<&'static str, u64>;

fn add(counts: &mut Counts, more: Counts) {
    for (what, count) in more {
        *counts.entry(what).or_default() += count;
    }
}

/// Runs a scenario for each seed, and returns how often each situation occurred.
fn scenarios(seeds: impl Iterator<Item = u64>) -> Counts {
    let mut counts = Counts::new();
    for seed in seeds {
        let result = catch_unwind(AssertUnwindSafe(|| scenario(seed, false)));
        let Ok(of_scenario) = result else { panic!("run it again with SEED={seed}") };
        add(&mut counts, of_scenario);
    }
    counts
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn whatever_dies_each_message_has_one_outcome() {
    if let Some(seed) = variable("SEED") {
        scenario(seed, true);
        return;
    }
    let first = variable("FIRST_SEED").unwrap_or(0);
    let count = variable("SCENARIOS").unwrap_or(500);
    let threads = available_parallelism().map_or(1, usize::from);
    let counts = thread::scope(|scope| {
        let seeds = |thread| (first..first + count).skip(thread).step_by(threads);
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || scenarios(seeds(thread)))).collect();
        let mut counts = BTreeMap::new();
        for thread in running {
            add(&mut counts, thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        counts
    });
    println!("{counts:#?}");
    if count >= 500 {
        for what in [
            "killed",
            "cut",
            "drained",
            "closed by force",
            "cancelled",
            "redelivered",
            "reply lost",
            "answered too late",
        ] {
            assert!(counts.get(what).is_some_and(|count| *count > 10), "too rare: {what}");
        }
        for kind in ["accepted", "refused", "expired", "uncertain", "unmatched", "possible duplicate"] {
            assert!(counts.get(kind).is_some_and(|count| *count > 10), "too rare: {kind}");
        }
        for kind in ["incomplete", "whole", "whole, reference used again", "key used again"] {
            assert!(counts.get(kind).is_some_and(|count| *count > 10), "too rare: {kind}");
        }
    }
}
