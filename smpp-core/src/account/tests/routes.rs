//! Which bind sends which segment, and the rate limit of the account.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::provider::SubmitAction;
use crate::session::{CloseReason, NotSentReason, Rate, State};

/// Returns options with this many transceivers and no rate limit of a bind.
fn binds(count: u16) -> Options {
    let session = Config { rate: None, window: 4, ..Config::default() };
    Options { binds: Binds::transceivers(count), session, ..options() }
}

fn long_message() -> Message {
    Message::octets(&template(), vec![b'x'; 500])
}

fn bind_of(sim: &Simulation, link: u16) -> BindId {
    let bind = sim.events.iter().rev().find_map(|event| match event {
        Event::Link { event: LinkEvent::Bound { bind, .. }, .. } if bind.link() == LinkId(link) => {
            Some(*bind)
        }
        _ => None,
    });
    bind.unwrap()
}

fn links_of(sim: &Simulation) -> Vec<usize> {
    sim.submitted.iter().map(|(link, ..)| link.index()).collect()
}

#[test]
fn the_segments_of_a_message_go_on_one_bind() {
    for (spread_segments, expected) in [(false, [0, 0, 0, 0]), (true, [0, 0, 1, 1])] {
        let mut sim = Simulation::new(Options { spread_segments, ..binds(2) });
        sim.advance(SECOND);
        sim.answers = false;
        sim.account.submit(sim.now, &long_message()).unwrap();
        sim.settle();
        let mut links = links_of(&sim);
        links.sort_unstable();
        assert_eq!(links, expected);
    }
}

#[test]
fn a_message_that_waits_for_its_bind_does_not_stop_others() {
    let mut sim = Simulation::new(Options {
        session: Config { rate: None, window: 2, ..Config::default() },
        ..binds(2)
    });
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &long_message()).unwrap();
    sim.send("short");
    sim.settle();
    assert_eq!(links_of(&sim), [0, 0, 1], "two segments wait for the window of their bind");
    sim.answer_late(Ok("1"));
    assert_eq!(links_of(&sim), [0, 0, 1, 0]);
}

#[test]
fn the_rest_of_a_message_moves_when_its_bind_ends_or_pauses() {
    for pauses in [false, true] {
        let mut sim = Simulation::new(Options {
            session: Config { rate: None, window: 2, ..Config::default() },
            ..binds(3)
        });
        sim.advance(SECOND);
        sim.answers = false;
        let policy = UnansweredPolicy::Resend(1);
        sim.account.submit(sim.now, &long_message().unanswered_policy(policy)).unwrap();
        sim.settle();
        if pauses {
            sim.answer_late(Err(CommandStatus::RTHROTTLED));
        } else {
            sim.servers.retain(|server| server.link != LinkId(0));
            sim.account.handle_disconnect(sim.now, LinkId(0));
            sim.settle();
        }
        assert_eq!(links_of(&sim), [0, 0, 1, 1], "the rest moves together");
    }
}

/// Ends the first bind once its messages are answered: it is replaced by one with another password.
fn replace_first(sim: &mut Simulation) {
    let options = sim.account.options().clone();
    let credentials = Credentials { password: "n3w".into(), ..options.credentials };
    sim.account.reconfigure(sim.now, Options { credentials, ..options }).unwrap();
    sim.settle();
}

#[test]
fn the_rest_of_a_message_moves_when_its_bind_is_being_ended() {
    let session = Config { rate: None, window: 2, ..Config::default() };
    let mut sim = Simulation::new(Options { session, ..binds(2) });
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &long_message()).unwrap();
    sim.settle();
    assert_eq!(links_of(&sim), [0, 0]);
    replace_first(&mut sim);
    assert_eq!(links_of(&sim), [0, 0, 1, 1]);
}

#[test]
fn a_bind_that_is_being_ended_is_no_capacity() {
    let mut sim = Simulation::new(binds(2));
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    assert_eq!(sim.account.ready_capacity(), Ok(7));
    replace_first(&mut sim);
    assert_eq!(sim.account.ready_capacity(), Ok(4));
}

#[test]
fn a_refused_message_does_not_wait_for_a_bind_that_is_being_ended() {
    let rebind = SubmitAction::Rebind { times: 3 };
    let statuses = Statuses::default().on_submit(CommandStatus::RINVBNDSTS, rebind);
    let mut sim = Simulation::new(Options { statuses, ..binds(2) });
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("first");
    sim.send("second");
    sim.settle();
    assert_eq!(links_of(&sim), [0, 1]);
    replace_first(&mut sim);
    sim.answers = true;
    sim.unanswered.swap(0, 1);
    sim.answer_late(Err(CommandStatus::RINVBNDSTS));
    sim.advance(2 * SECOND);
    assert_eq!(links_of(&sim), [0, 1, 1], "it waits a second for the bind that refused it");
}

#[test]
fn a_message_goes_out_on_the_bind_that_it_names() {
    let mut sim = Simulation::new(binds(4));
    sim.advance(SECOND);
    for index in [2, 0, 3, 1] {
        sim.deliver(index, &DeliverSm::default());
        sim.settle();
        let Some(Event::Message { message, ack }) = sim.events.pop() else { panic!() };
        sim.account.acknowledge(sim.now, ack, Ok(())).unwrap();
        assert_eq!(message.bind(), bind_of(&sim, index as u16));
        assert_eq!(format!("{}", message.bind()), format!("{index}.1"));
        let answer = Message::text(&template(), "menu").bind(message.bind());
        sim.account.submit(sim.now, &answer).unwrap();
        sim.settle();
        assert_eq!(sim.submitted.last().unwrap().0, LinkId(index as u16));
    }
    let id = sim.submitted.len().to_string();
    sim.receipt(3, &id, "DELIVRD");
    sim.settle();
    let Some(Event::Receipt { receipt, .. }) = sim.events.pop() else { panic!() };
    assert_eq!(receipt.bind(), bind_of(&sim, 3));
}

#[test]
fn a_message_ends_with_the_bind_that_it_names() {
    let mut sim = Simulation::new(Options {
        session: Config { rate: None, window: 1, ..Config::default() },
        ..binds(2)
    });
    sim.advance(SECOND);
    sim.answers = false;
    let bind = bind_of(&sim, 1);
    let named = || Message::text(&template(), "menu").bind(bind);
    sim.account.submit(sim.now, &named().unanswered_policy(UnansweredPolicy::Resend(3))).unwrap();
    let waiting = sim.account.submit(sim.now, &named()).unwrap();
    sim.settle();
    assert_eq!(links_of(&sim), [1], "the other bind is free, and does not send it");
    sim.servers.retain(|server| server.link != LinkId(1));
    sim.account.handle_disconnect(sim.now, LinkId(1));
    sim.settle();
    let ended = |number| {
        (
            number,
            MessageOutcome {
                segments: vec![SegmentOutcome::NeverSent(SegmentNotSentReason::BindEnded)].into(),
            },
        )
    };
    assert!(matches!(sim.outcomes()[0].1.segments[..], [SegmentOutcome::Unanswered(_)]));
    let resends = |event: &Event| matches!(event, Event::InDoubt { resend: true, .. });
    assert!(!sim.events.iter().any(resends), "no other bind sends it again");
    assert_eq!(sim.outcomes()[1], ended(waiting));
    // The slot has another bind.
    sim.advance(5 * SECOND);
    assert_ne!(bind_of(&sim, 1), bind);
    let late = sim.account.submit(sim.now, &named()).unwrap();
    sim.settle();
    assert_eq!(sim.outcomes()[2], ended(late));
    assert_eq!((links_of(&sim), sim.account.queued()), (vec![1], 0));
}

#[test]
fn a_refused_message_stays_on_the_bind_that_it_names() {
    let rebind = SubmitAction::Rebind { times: 3 };
    let statuses = Statuses::default().on_submit(CommandStatus::RINVBNDSTS, rebind);
    let mut sim = Simulation::new(Options { statuses, ..binds(2) });
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RINVBNDSTS];
    let message = Message::text(&template(), "menu").bind(bind_of(&sim, 1));
    sim.account.submit(sim.now, &message).unwrap();
    sim.settle();
    assert_eq!(links_of(&sim), [1]);
    sim.advance(SECOND);
    assert_eq!(links_of(&sim), [1, 1]);
    assert!(sim.outcomes()[0].1.result().is_ok());
}

#[test]
fn a_receiver_cannot_be_named() {
    let mut sim = Simulation::new(Options { binds: Binds::pairs(1), ..options() });
    sim.advance(SECOND);
    let message = Message::text(&template(), "menu").bind(bind_of(&sim, 1));
    sim.account.submit(sim.now, &message).unwrap();
    sim.settle();
    let reason = NotSentReason::State(State::Bound(BindMode::Receiver));
    assert_eq!(
        sim.outcomes()[0].1.segments,
        [SegmentOutcome::NeverSent(SegmentNotSentReason::Request(reason))]
    );
}

#[test]
fn the_bind_of_a_concatenated_message_is_that_of_its_last_segment() {
    let mut sim = Simulation::new(binds(3));
    sim.advance(SECOND);
    for (server, number) in [(2, 2), (0, 1), (1, 3)] {
        let octets = [5, 0, 3, 7, 3, number, b'x'];
        let segment = DeliverSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(&octets).unwrap(),
            ..DeliverSm::default()
        };
        sim.deliver(server, &segment);
        sim.settle();
    }
    let Some(Event::Message { message, .. }) = sim.events.last() else { panic!("{:?}", sim.events.last()) };
    assert!(message.is_complete());
    assert_eq!(message.bind(), bind_of(&sim, 1));
}

#[test]
fn the_rate_of_the_account_holds_over_all_binds_and_across_reconnects() {
    let backoff = Backoff { max: SECOND / 5, ..Backoff::default() };
    let mut sim = Simulation::new(Options { rate: Some(Rate::per_second(10)), backoff, ..binds(3) });
    sim.advance(SECOND);
    for _ in 0..60 {
        sim.send("Hello");
    }
    for _ in 0..8 {
        sim.advance(SECOND);
        sim.servers.clear();
        for link in 0..3 {
            sim.account.handle_disconnect(sim.now, LinkId(link));
        }
        sim.settle();
    }
    let times: Vec<Instant> = sim.submitted.iter().map(|(_, at, _)| *at).collect();
    assert_eq!(times.len(), 60);
    for (index, start) in times.iter().enumerate() {
        let within = times[index..].iter().take_while(|at| **at < *start + SECOND).count();
        assert!(within <= 10, "{within} in a second");
    }
    let unbound = |event: &Event| {
        matches!(
            event,
            Event::Link { event: LinkEvent::Closed { reason: CloseReason::Disconnected, .. }, .. }
        )
    };
    assert!(sim.events.iter().filter(|event| unbound(event)).count() >= 12, "all binds were lost");
    assert!(links_of(&sim).contains(&2), "all binds send");
}

/// The account hands messages to its binds at one time, and their octets leave up to `late` milliseconds later.
#[test]
fn the_rate_of_the_account_holds_for_octets_that_leave_late() {
    for (limit, late) in [(10, 3), (50, 1), (50, 20), (200, 12), (1_000, 2), (2_000, 30)] {
        let session = Config { rate: None, window: 10_000, ..Config::default() };
        let rate = Some(Rate::per_second(limit));
        let mut sim = Simulation::new(Options { rate, queue_capacity: 10_000, session, ..binds(3) });
        sim.advance(SECOND);
        for _ in 0..3 * limit {
            sim.send("Hello");
        }
        let (start, end) = (sim.now, sim.now + 2 * SECOND);
        let mut random = u64::from(limit);
        let mut pause = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_micros((random >> 33) % (late * 1_000))
        };
        while sim.now < end {
            sim.account.handle_timeout(sim.now);
            sim.now = sim.now + pause();
            for link in 0..3 {
                sim.account.handle_link_timeout(sim.now, LinkId(link));
            }
            sim.settle();
            let next = sim.account.poll_timeout().unwrap_or(end);
            sim.now = sim.now.max(next) + pause();
        }
        let times: Vec<Instant> = sim.submitted.iter().map(|(_, at, _)| *at).collect();
        for (index, at) in times.iter().enumerate().skip(limit as usize) {
            let before = times[index - limit as usize];
            assert!(*at - before >= SECOND, "{:?} for {} messages", *at - before, limit + 1);
        }
        let sent = times.iter().filter(|at| (start..end).contains(*at)).count() as u32;
        assert!(late > 2 || sent * 100 >= limit * 2 * 99, "{sent} in two seconds at {limit}");
    }
}

#[test]
fn a_notification_has_the_bind_that_it_arrived_on() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), max_binds: 2, ..options() });
    sim.advance(SECOND);
    let bound = |event: &Event| match event {
        Event::Link { event: LinkEvent::Bound { bind, .. }, .. } => Some(*bind),
        _ => None,
    };
    let binds: Vec<BindId> = sim.events.iter().filter_map(bound).collect();
    assert_eq!(binds.len(), 2);
    for server in [1, 0] {
        sim.servers[server].session.notify(sim.now, &crate::pdu::AlertNotification::default()).unwrap();
        sim.settle();
    }
    let arrived = |event: &Event| match event {
        Event::Notification { bind, .. } => Some(bind.link()),
        _ => None,
    };
    let arrived: Vec<_> = sim.events.iter().filter_map(arrived).collect();
    assert_eq!(arrived, [sim.servers[1].link, sim.servers[0].link]);
}
