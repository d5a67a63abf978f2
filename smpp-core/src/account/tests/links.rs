//! Binds: when one is begun, where to, and what ends it.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::pdu::BindMode::{Receiver, Transmitter};

#[test]
fn one_bind_finds_the_way_and_the_others_follow_staggered() {
    let mut world = World::new(Options { binds: Binds::Pairs(2), ..options() });
    world.pass(SECOND);
    assert_eq!(world.bound(), 4);
    let starts: Vec<u64> = world.connects.iter().map(|(at, _)| at.as_nanos() / 1_000_000).collect();
    assert_eq!(starts, [0, 200, 400, 600]);
    let modes: Vec<_> = world.account.links().filter_map(|(link, _)| world.account.mode(link)).collect();
    assert_eq!(modes, [Transmitter, Receiver, Transmitter, Receiver]);
}

#[test]
fn refused_credentials_stop_all() {
    let mut world = World::new(Options { binds: Binds::Transceivers(4), ..options() });
    world.bind_status = vec![CommandStatus::RINVPASWD];
    let number = world.send("Hello");
    world.pass(600 * SECOND);
    assert_eq!(world.connects.len(), 1, "no second try");
    assert!(
        world.events.iter().any(|event| matches!(event, Event::Stopped { status: CommandStatus::RINVPASWD }))
    );
    assert_eq!(
        world.outcomes(),
        [(
            number,
            MessageOutcome { segments: vec![SegmentOutcome::NeverSent(SegmentNotSentReason::Stopped)] }
        )]
    );
    assert_eq!(world.account.submit(world.now, &Message::text(&template(), "x")), Err(SubmitError::Stopped));
}

#[test]
fn a_full_account_is_waited_for_and_every_address_is_tried() {
    let mut world = World::new(Options { binds: Binds::Transceivers(1), ..options() });
    world.addresses = vec![address(1), address(2), address(3)];
    world.dead = vec![address(1), address(2)];
    world.bind_status = vec![CommandStatus::RALYBND; 3];
    world.pass(60 * SECOND);
    assert_eq!(world.bound(), 1);
    assert_eq!(world.connects.len(), 4 * 3);
    let gaps: Vec<Duration> =
        world.connects.windows(4).step_by(3).map(|tries| tries[3].0 - tries[0].0).collect();
    assert!(gaps.iter().zip(1..).all(|(gap, n)| *gap >= SECOND * (1 << n) / 4), "{gaps:?}");
    // The good one is the first from now on.
    world.servers[0].session.abort();
    let link = world.servers[0].link;
    world.account.handle_eof(world.now, link);
    world.pass(5 * SECOND);
    assert_eq!(world.connects.last().map(|(_, address)| *address), Some(address(3)));
    assert_eq!(world.connects.len(), 13);
}

#[test]
fn no_bind_is_faster_than_its_rate_and_all_are_used() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    for _ in 0..200 {
        world.send("Hello");
    }
    world.pass(SECOND);
    let of = |world: &World, link| world.submitted.iter().filter(|(on, ..)| *on == link).count();
    let (first, second) = (of(&world, LinkId(0)), of(&world, LinkId(1)));
    assert!((50..=51).contains(&first) && (50..=51).contains(&second), "{first} and {second} in a second");
    world.pass(SECOND);
    assert_eq!(world.outcomes().len(), 200);
}

#[test]
fn a_bind_that_falls_at_once_is_no_way_for_the_others() {
    let backoff = Backoff { reset_after: 10 * SECOND, ..Backoff::default() };
    let mut world = World::new(Options { binds: Binds::Transceivers(4), backoff, ..options() });
    for _ in 0..600 {
        world.pass(SECOND / 10);
        // Whatever is bound is dropped.
        for link in world.servers.drain(..).map(|server| server.link).collect::<Vec<_>>() {
            world.account.handle_eof(world.now, link);
        }
    }
    assert!(world.connects.len() <= 4 * 7, "{} binds in a minute", world.connects.len());
}

#[test]
fn a_connection_that_is_gone_need_not_be_closed() {
    let mut world = World::new(options());
    world.pass(SECOND);
    let link = world.servers.remove(0).link;
    world.account.handle_closed(world.now, link);
    assert_eq!(world.account.poll_action(), None);
    world.pass(2 * SECOND);
    assert_eq!(world.bound(), 1);
}

#[test]
fn what_only_a_refused_bind_could_send_is_given_up_while_a_receiver_lives() {
    let mut world = World::new(Options { binds: Binds::Pairs(1), ..options() });
    world.pass(SECOND);
    world.bind_status = vec![CommandStatus::RINVPASWD];
    let number = world.send("Hello");
    let index = world.servers.iter().position(|server| server.link == LinkId(0)).unwrap();
    world.servers.remove(index);
    world.account.handle_eof(world.now, LinkId(0));
    let late = world.send("Hello");
    world.pass(10 * SECOND);
    assert_eq!(world.account.mode(LinkId(1)), Some(Receiver), "it still receives");
    let outcomes = world.outcomes();
    assert!(matches!(outcomes[0], (first, ref outcome) if first == number && outcome.result().is_err()));
    assert_eq!(
        outcomes[1],
        (late, MessageOutcome { segments: vec![SegmentOutcome::NeverSent(SegmentNotSentReason::Stopped)] })
    );
}

#[test]
fn a_bind_that_another_has_replaced_in_the_count_is_not_begun_with_the_one_that_falls() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND / 10);
    assert_eq!(world.bound(), 1, "the second is not begun yet");
    let starts = world.connects.len();
    world.servers.clear();
    world.now = world.now + SECOND;
    world.account.handle_eof(world.now, LinkId(0));
    world.settle();
    assert_eq!(world.connects.len(), starts, "there is no bind any more: all wait");
}
