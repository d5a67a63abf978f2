//! Messages: each to its outcome.

use alloc::vec;
use alloc::vec::Vec;

use super::*;

#[test]
fn throttled_messages_go_again_in_their_order_after_a_pause() {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.submit_status = vec![CommandStatus::RTHROTTLED];
    for text in ["a", "b", "c"] {
        let message = Message::text(&template(), text).in_order();
        world.account.submit(world.now, &message).unwrap();
    }
    world.pass(3 * SECOND);
    let texts: Vec<&str> = world.submitted.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["a", "a", "b", "c"]);
    assert!(world.submitted[1].1 - world.submitted[0].1 >= SECOND);
    assert!(world.outcomes().iter().all(|(_, outcome)| outcome.result().is_ok()));
}

#[test]
fn what_was_sent_and_not_answered_is_told_or_sent_again_as_the_caller_says() {
    for (policy, times) in [(UnansweredPolicy::Report, 1), (UnansweredPolicy::Resend(1), 2)] {
        let mut world = World::new(options());
        world.pass(SECOND);
        world.answers = false;
        let message = Message::text(&template(), "Hello").unanswered_policy(policy);
        world.account.submit(world.now, &message).unwrap();
        world.pass(60 * SECOND);
        assert_eq!(world.submitted.len(), times);
        let outcomes = world.outcomes();
        assert!(
            matches!(outcomes[..], [(_, ref outcome)] if matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]))
        );
    }
}

#[test]
fn a_shutdown_tells_what_is_unresolved() {
    let mut world = World::new(options());
    world.pass(SECOND);
    let accepted = world.send("Hello");
    world.settle();
    world.answers = false;
    let unanswered = world.send("Hello");
    world.pass(SECOND);
    world.account.shutdown(world.now, SECOND);
    assert_eq!(world.account.submit(world.now, &Message::text(&template(), "x")), Err(SubmitError::ShutDown));
    world.pass(30 * SECOND);
    let Some(Event::Closed { unresolved }) = world.events.last() else { panic!("{:?}", world.events.last()) };
    assert!(
        matches!(unresolved[..], [
        Unresolved::NotAccepted { message, .. },
        Unresolved::NoReceipt { message: other, .. },
    ] if message == unanswered && other == accepted),
        "{unresolved:?}"
    );
    assert!(world.servers.is_empty());
    assert_eq!(world.account.poll_timeout(), None);
    let ended =
        |event: &Event| matches!(event, Event::Link { event: LinkEvent::Closed { retry_at: None, .. }, .. });
    assert!(world.events.iter().any(ended));
}

#[test]
fn of_several_shutdowns_the_earliest_deadline_counts() {
    let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
    account.submit(Instant::ZERO, &Message::text(&template(), "Hello")).unwrap();
    for seconds in [3_600, 10, 60] {
        account.shutdown(Instant::ZERO, seconds * SECOND);
    }
    assert!(account.poll_event().is_none());
    assert_eq!(account.poll_timeout(), Some(Instant::ZERO + 10 * SECOND));
    account.handle_timeout(Instant::ZERO + 10 * SECOND);
    let Some(Event::Outcome { outcome, .. }) = account.poll_event() else { panic!() };
    assert_eq!(outcome.segments, [SegmentOutcome::NeverSent(SegmentNotSentReason::ShutDown)]);
}

#[test]
fn a_message_may_have_as_many_parts_as_there_can_be() {
    let mut world = World::new(options());
    world.pass(SECOND);
    let octets = vec![7; 255 * 133];
    world.account.submit(world.now, &Message::octets(&template(), octets)).unwrap();
    world.pass(20 * SECOND);
    let outcomes = world.outcomes();
    assert_eq!(outcomes[0].1.result().map(|ids| ids.len()), Ok(255));
}

/// A message whose first try is left unanswered, and which waits to go again as there is no bind.
fn in_doubt() -> (World, MessageNumber) {
    let mut world = World::new(options());
    world.pass(SECOND);
    world.answers = false;
    let message = Message::text(&template(), "Hello").unanswered_policy(UnansweredPolicy::Resend(3));
    let number = world.account.submit(world.now, &message).unwrap();
    world.settle();
    world.servers.clear();
    world.account.handle_eof(world.now, LinkId(0));
    world.settle();
    assert_eq!(world.account.queued(), 1);
    (world, number)
}

#[test]
fn what_may_have_been_accepted_is_never_said_not_to_have_been_sent() {
    let (mut world, number) = in_doubt();
    world.account.cancel(world.now, number);
    world.settle();
    assert!(matches!(world.outcomes()[0].1.segments[..], [SegmentOutcome::Unanswered(_)]));

    let (mut world, _) = in_doubt();
    (world.answers, world.submit_status) = (true, vec![CommandStatus::RINVDSTADR]);
    world.pass(10 * SECOND);
    let outcome = &world.outcomes()[0].1;
    assert!(
        matches!(outcome.segments[..], [SegmentOutcome::Unanswered(_)]),
        "the first may have been accepted"
    );
    assert!(!outcome.is_safe_to_resend());

    let (mut world, _) = in_doubt();
    world.answers = true;
    world.pass(10 * SECOND);
    assert!(world.outcomes()[0].1.result().is_ok());
}

#[test]
fn what_is_throttled_after_it_was_cancelled_or_is_too_late_does_not_go_again() {
    for cancels in [true, false] {
        let mut world = World::new(options());
        world.pass(SECOND);
        world.submit_status = vec![CommandStatus::RTHROTTLED];
        let message = Message::text(&template(), "Hello").deadline(SECOND / 10);
        let number = world.account.submit(world.now, &message).unwrap();
        if cancels {
            world.account.cancel(world.now, number);
        } else {
            world.now = world.now + SECOND;
            world.account.handle_timeout(world.now);
        }
        world.pass(5 * SECOND);
        assert_eq!(world.submitted.len(), 1);
        let refused = MessageOutcome { segments: vec![SegmentOutcome::Refused(CommandStatus::RTHROTTLED)] };
        assert_eq!(world.outcomes(), [(number, refused)]);
    }
}

#[test]
fn nothing_goes_after_its_deadline_though_nobody_has_told_the_time() {
    let mut world = World::new(Options { session: Config { window: 1, ..Config::default() }, ..options() });
    world.pass(SECOND);
    world.answers = false;
    world.send("first");
    world.settle();
    let message = Message::text(&template(), "second").deadline(SECOND);
    world.account.submit(world.now, &message).unwrap();
    // The window is free again before the deadline's timer is seen to.
    world.now = world.now + 10 * SECOND;
    world.account.handle_link_timeout(world.now, LinkId(0));
    world.settle();
    assert_eq!(world.submitted.len(), 1);
    assert_eq!(world.outcomes()[1].1.segments, [SegmentOutcome::NeverSent(SegmentNotSentReason::Expired)]);
}

#[test]
fn a_bind_that_the_smsc_ends_is_not_the_messages_fault() {
    let mut world = World::new(Options { binds: Binds::Transceivers(2), ..options() });
    world.pass(SECOND);
    world.submit_status = vec![CommandStatus::RINVBNDSTS];
    world.send("Hello");
    world.pass(SECOND);
    assert!(world.outcomes()[0].1.result().is_ok());
    assert_eq!(world.submitted.iter().map(|(link, ..)| *link).collect::<Vec<_>>(), [LinkId(0), LinkId(1)]);
}

#[test]
fn many_messages_in_order_to_one_number_take_no_longer_each() {
    let mut world = World::new(Options { queue_capacity: 20_000, ..options() });
    for _ in 0..20_000 {
        world.account.submit(world.now, &Message::submit_sm(&template()).in_order()).unwrap();
    }
    world.account.shutdown(world.now, Duration::ZERO);
    world.settle();
    assert_eq!(world.outcomes().len(), 20_000);
}

#[test]
fn the_bind_with_most_room_sends() {
    let session = Config { rate: None, ..options().session };
    let mut world = World::new(Options { binds: Binds::Transceivers(2), session, ..options() });
    world.pass(SECOND);
    world.answers = false;
    for _ in 0..4 {
        world.send("Hello");
        world.settle();
    }
    let links: Vec<usize> = world.submitted.iter().map(|(link, ..)| link.index()).collect();
    assert_eq!(links, [0, 1, 0, 1]);
}
