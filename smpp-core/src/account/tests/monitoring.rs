//! Counters across reconnects, the pauses of a bind, and the bound of a shutdown.

use super::*;
use crate::provider::SubmitAction;
use crate::session::{Kind, State, UnansweredReason};

const MILLIS: Duration = Duration::from_millis(1);

fn one_bind() -> Options {
    Options { binds: Binds::transceivers(1), ..options() }
}

fn events_of(sim: &Simulation, kind: &str) -> Vec<AccountEvent> {
    let events = sim.events.iter().filter_map(AccountEvent::new);
    events.filter(|event| event.kind() == kind).collect()
}

#[test]
fn counters_outlive_the_sessions() {
    let mut sim = Simulation::new(one_bind());
    for round in 1..=3_u64 {
        sim.advance(5 * SECOND);
        sim.submit_status = vec![CommandStatus::ROK, CommandStatus::RINVDSTADR, CommandStatus::RTHROTTLED];
        for _ in 0..3 {
            sim.send("Hello");
            sim.advance(SECOND);
        }
        sim.advance(2 * SECOND);
        let stats = sim.account.stats();
        let requests = stats.total.requests;
        // A bind, a message, and the one that was throttled first.
        let expected = (3 * round, round, round);
        assert_eq!((requests.accepted, requests.refused, requests.throttled), expected);
        assert_eq!(stats.total.session.sent.of(Kind::Message).requests, 4 * round);
        assert_eq!(stats.total.session.received.of(Kind::Message).responses, 4 * round);
        assert_eq!((stats.total.sessions, stats.total.rebinds()), (round, round - 1));
        assert_eq!(stats.total.response_histogram.count(), 5 * round);
        assert_eq!((stats.counters.segments_accepted, stats.counters.segments_refused), (2 * round, round));
        assert_eq!((stats.links[0], stats.links[1]), (stats.total, LinkStats::default()));
        let link = sim.servers[0].link;
        sim.account.handle_disconnect(sim.now, link);
        sim.settle();
        let ended = sim.account.stats();
        assert_eq!(ended.total.requests, requests, "nothing is counted twice at the end of a session");
        assert_eq!(ended.total.session.sent, stats.total.session.sent);
    }
}

#[test]
fn the_histogram_has_each_response_time() {
    let mut sim = Simulation::new(one_bind());
    sim.advance(SECOND);
    sim.answers = false;
    let times = [20 * MILLIS, 300 * MILLIS, 4 * SECOND];
    for time in times {
        sim.send("Hello");
        sim.advance(time);
        sim.answer_late(Ok("7"));
    }
    let histogram = sim.account.stats().total.response_histogram;
    let counted: Vec<_> = histogram.buckets().filter(|(.., count)| *count > 0).collect();
    let [(_, bind, 1), rest @ ..] = &counted[..] else { panic!("{counted:?}") };
    assert!(*bind < MILLIS, "the bind is answered at once");
    for (time, (lower, upper, count)) in times.iter().zip(rest) {
        assert!(lower <= time && time < upper && *count == 1, "{time:?}: {counted:?}");
    }
    assert_eq!(rest.len(), times.len());
}

#[test]
fn pending_receipts_are_those_that_are_awaited() {
    let mut sim = Simulation::new(one_bind());
    sim.advance(SECOND);
    for _ in 0..3 {
        sim.send("Hello");
    }
    sim.advance(SECOND);
    let stats = |sim: &Simulation| {
        let stats = sim.account.stats();
        (stats.pending_receipts, stats.tracked_receipts, stats.counters.receipts_matched)
    };
    assert_eq!(stats(&sim), (3, 3, 0));
    sim.receipt(0, "2", "ENROUTE");
    sim.receipt(0, "2", "DELIVRD");
    sim.receipt(0, "99", "DELIVRD");
    sim.settle();
    assert_eq!(stats(&sim), (2, 3, 2), "the account remembers it for repeated receipts");
    assert_eq!(sim.account.stats().counters.receipts_unmatched, 1);
    sim.advance(130 * SECOND);
    assert_eq!(stats(&sim), (2, 2, 2));
    sim.account.shutdown(sim.now, SECOND);
    sim.advance(5 * SECOND);
    assert_eq!(stats(&sim), (0, 0, 2));
}

/// Options that pause a bind after this status.
fn paused_by(status: CommandStatus, times: u16, delay: Duration) -> Options {
    let statuses = Statuses::default().on_submit(status, SubmitAction::Pause { times, delay });
    Options { statuses, ..one_bind() }
}

#[test]
fn a_pause_is_reported_once_and_so_is_its_end() {
    let mut sim = Simulation::new(paused_by(CommandStatus::RTHROTTLED, 10, 2 * SECOND));
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RTHROTTLED; 5];
    for _ in 0..5 {
        sim.send("Hello");
    }
    sim.advance(1_900 * MILLIS);
    let link = sim.servers[0].link;
    let paused = AccountEvent::Link {
        link,
        event: LinkEvent::Paused { status: CommandStatus::RTHROTTLED, resume_in: 2 * SECOND },
    };
    assert_eq!(events_of(&sim, "paused"), [paused]);
    assert_eq!(events_of(&sim, "throttled").len(), 1);
    assert_eq!(events_of(&sim, "resumed"), []);
    sim.advance(200 * MILLIS);
    assert_eq!(events_of(&sim, "resumed").len(), 1);
    // The session slows down after it was throttled.
    sim.advance(20 * SECOND);
    assert_eq!((sim.outcomes().len(), sim.account.stats().total.requests.throttled), (5, 5));

    // An empty queue does not delay the report, and a bind that ends has none.
    let mut sim = Simulation::new(paused_by(CommandStatus::RMSGQFUL, 0, SECOND));
    sim.advance(SECOND);
    for _ in 0..2 {
        sim.submit_status = vec![CommandStatus::RMSGQFUL];
        sim.send("Hello");
        sim.advance(999 * MILLIS);
        assert_eq!(events_of(&sim, "resumed").len(), 0);
        let link = sim.servers[0].link;
        sim.account.handle_disconnect(sim.now, link);
        sim.advance(5 * SECOND);
    }
    assert_eq!((events_of(&sim, "paused").len(), events_of(&sim, "resumed").len()), (2, 0));
    sim.submit_status = vec![CommandStatus::RMSGQFUL];
    sim.send("Hello");
    sim.advance(SECOND);
    assert_eq!(events_of(&sim, "resumed").len(), 1);
}

#[test]
fn a_bind_that_takes_over_a_longer_pause_is_resumed_at_its_end() {
    let mut sim = Simulation::new(paused_by(CommandStatus::RTHROTTLED, 10, 2 * SECOND));
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RTHROTTLED];
    sim.send("Hello");
    sim.settle();
    assert_eq!(events_of(&sim, "paused").len(), 1);
    // As the pause of a slot that is removed.
    sim.account.links[0].paused_until = sim.now + 3 * SECOND;
    sim.advance(2_999 * MILLIS);
    assert_eq!(events_of(&sim, "resumed").len(), 0);
    sim.advance(MILLIS);
    assert_eq!(events_of(&sim, "resumed").len(), 1);
}

#[test]
fn a_segment_without_a_response_is_reported_before_its_message_ends() {
    let session = Config { enquire_link_interval: None, ..options().session };
    let policy = UnansweredPolicy::Resend(1);
    let mut sim = Simulation::new(Options { session, unanswered_policy: policy, ..one_bind() });
    sim.advance(SECOND);
    sim.answers = false;
    let number = sim.send("Hello");
    sim.advance(30 * SECOND);
    let doubts: Vec<_> = events_of(&sim, "message_in_doubt")
        .into_iter()
        .map(|event| match event {
            AccountEvent::MessageInDoubt { message, segment, reason, resend, .. } => {
                (message, segment, reason, resend)
            }
            other => panic!("{other}"),
        })
        .collect();
    let timeout = UnansweredReason::Timeout;
    assert_eq!(doubts, [(number, 0, timeout, true), (number, 0, timeout, false)]);
    let kinds: Vec<_> = sim.events.iter().filter_map(AccountEvent::new).map(|event| event.kind()).collect();
    assert!(kinds.ends_with(&["message_in_doubt", "message_failed"]), "{kinds:?}");
    assert_eq!(sim.account.stats().counters.in_doubt, 2);
}

/// Returns how long a shutdown with this timeout takes, and how many messages it leaves unresolved.
fn shut_down(mut sim: Simulation, timeout: Duration) -> (Duration, usize) {
    let start = sim.now;
    sim.account.shutdown(start, timeout);
    loop {
        sim.advance(MILLIS);
        let closed = sim.events.iter().find_map(|event| match event {
            Event::Closed { unresolved } => Some(unresolved.len()),
            _ => None,
        });
        if let Some(unresolved) = closed {
            return (sim.now - start, unresolved);
        }
        assert!(sim.now - start < 60 * SECOND, "the account does not close");
    }
}

#[test]
fn a_shutdown_returns_within_its_timeout_and_3_seconds_whatever_the_smsc_does() {
    // Neither messages nor unbinds are answered: the session would wait 5 s for the messages and 10 s for the unbind.
    let mute = |queued: usize| {
        let mut sim = Simulation::new(one_bind());
        sim.advance(SECOND);
        sim.answers = false;
        for _ in 0..queued {
            sim.send("Hello");
        }
        sim.advance(MILLIS);
        sim.mute = true;
        sim
    };
    let (took, unresolved) = shut_down(mute(30), 4 * SECOND);
    assert_eq!((took, unresolved), (7 * SECOND, 30), "4 s for the queue, 3 s for the unbind");
    let (took, unresolved) = shut_down(mute(30), Duration::ZERO);
    assert_eq!((took, unresolved), (3 * SECOND, 30));
    // Without messages, the unbind has the whole timeout, but no longer than response_timeout.
    assert_eq!(shut_down(mute(0), 6 * SECOND), (6 * SECOND, 0));
    assert_eq!(shut_down(mute(0), 30 * SECOND), (10 * SECOND, 0));
    assert_eq!(shut_down(mute(0), Duration::ZERO), (3 * SECOND, 0));

    // The unbind is sent after two thirds of the 3 s.
    let mut sim = mute(1);
    sim.account.shutdown(sim.now, SECOND);
    sim.advance(2_999 * MILLIS);
    let state = |sim: &Simulation| sim.account.links().next().unwrap().1;
    let bound = LinkState::Open(address(1), State::Bound(BindMode::Transceiver));
    assert_eq!(state(&sim), bound);
    sim.advance(MILLIS);
    assert_eq!(state(&sim), LinkState::Open(address(1), State::Unbinding));
}

#[test]
fn of_several_shutdowns_the_earliest_deadline_counts_also_while_the_account_unbinds() {
    let mut sim = Simulation::new(one_bind());
    sim.advance(SECOND);
    sim.mute = true;
    let start = sim.now;
    sim.account.shutdown(start, 9 * SECOND);
    sim.advance(SECOND);
    let (took, _) = shut_down(sim, Duration::ZERO);
    assert_eq!(took, 3 * SECOND);
}

#[test]
fn a_session_that_unbinds_already_is_shut_down_in_time() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(5 * SECOND);
    sim.answers = false;
    for _ in 0..20 {
        sim.send("Hello");
    }
    sim.settle();
    sim.mute = true;
    sim.account.set_binds(sim.now, Binds::transceivers(1)).unwrap();
    let (took, unresolved) = shut_down(sim, Duration::ZERO);
    assert_eq!((took, unresolved), (3 * SECOND, 20));
}
