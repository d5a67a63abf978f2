//! What the account does about each status of a refusal.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::provider::{BindAction, StatusTable, SubmitAction};

/// Returns options with this action for a status of a submit, and no rate limit.
fn on_submit(status: CommandStatus, action: SubmitAction) -> Options {
    let session = Config { rate: None, ..options().session };
    Options { statuses: Statuses::default().on_submit(status, action), session, ..options() }
}

fn to(number: &str) -> SubmitSm<'_> {
    SubmitSm { destination: crate::Address::international(number).unwrap(), ..template() }
}

/// Submits a message to this number, and returns its own number.
fn send_to(sim: &mut Simulation, number: &str) -> MessageNumber {
    let message = Message::text(&to(number), number);
    let submitted = sim.account.submit(sim.now, &message).unwrap();
    sim.settle();
    submitted
}

fn times_of(sim: &Simulation, text: &str) -> Vec<Duration> {
    sim.submitted.iter().filter(|(_, _, sent)| sent == text).map(|(_, at, _)| *at - Instant::ZERO).collect()
}

#[test]
fn a_full_subscriber_queue_delays_only_its_own_message() {
    let mut sim =
        Simulation::new(Options { session: Config { rate: None, ..options().session }, ..options() });
    sim.advance(SECOND);
    sim.refused_texts = vec![("6500", CommandStatus::RMSGQFUL)];
    send_to(&mut sim, "6500");
    for number in 6501..6600 {
        send_to(&mut sim, &format!("{number}"));
    }
    assert_eq!(sim.outcomes().len(), 99, "the others are accepted at once");
    sim.advance(20 * SECOND);
    let times = times_of(&sim, "6500");
    assert_eq!(times, (1..=11).map(|second| second * SECOND).collect::<Vec<_>>(), "10 retries, 1 s apart");
    assert_eq!(sim.outcomes()[99].1.segments, [refused(CommandStatus::RMSGQFUL)]);
}

#[test]
fn a_bind_pauses_when_messages_to_several_destinations_are_refused() {
    let mut sim =
        Simulation::new(Options { session: Config { rate: None, ..options().session }, ..options() });
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RMSGQFUL; 2];
    send_to(&mut sim, "6500");
    send_to(&mut sim, "6500");
    send_to(&mut sim, "6501");
    assert_eq!(sim.outcomes().len(), 1, "two messages to the same number say nothing about others");
    sim.submit_status = vec![CommandStatus::RMSGQFUL; 2];
    send_to(&mut sim, "6502");
    send_to(&mut sim, "6503");
    send_to(&mut sim, "6504");
    assert!(times_of(&sim, "6504").is_empty(), "the bind pauses");
    sim.advance(SECOND);
    assert_eq!(times_of(&sim, "6504"), [2 * SECOND]);
    assert_eq!(sim.outcomes().len(), 6);
    sim.submit_status = vec![CommandStatus::RMSGQFUL];
    send_to(&mut sim, "6505");
    assert_eq!(sim.outcomes().len(), 6);
    send_to(&mut sim, "6506");
    sim.submit_status = vec![CommandStatus::RMSGQFUL];
    send_to(&mut sim, "6507");
    send_to(&mut sim, "6508");
    assert_eq!(sim.outcomes().len(), 8, "a message was accepted in between");
}

#[test]
fn a_throttled_bind_sends_nothing_while_others_do() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RTHROTTLED];
    send_to(&mut sim, "6500");
    sim.advance(SECOND / 2);
    for number in 6501..6510 {
        send_to(&mut sim, &format!("{number}"));
        sim.advance(SECOND / 50);
    }
    let links: Vec<usize> = sim.submitted.iter().map(|(link, ..)| link.index()).collect();
    assert_eq!(links[0], 0);
    assert!(links[1..].iter().all(|link| *link == 1), "{links:?}");
    assert_eq!(sim.outcomes().len(), 10);
}

#[test]
fn a_bind_that_refuses_all_as_not_bound_is_made_again() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    let dead = sim.account.links().next().map(|_| sim.connects.len());
    sim.submit_status = vec![CommandStatus::RINVBNDSTS; 2];
    send_to(&mut sim, "6500");
    sim.advance(5 * SECOND);
    assert_eq!((dead, sim.connects.len()), (Some(1), 2));
    assert_eq!(sim.submitted.len(), 3);
    assert!(sim.outcomes()[0].1.result().is_ok());
    let backed_off = |event: &Event| matches!(event, Event::Link { event: LinkEvent::Closed { retry_in: Some(delay), .. }, .. } if !delay.is_zero());
    assert!(sim.events.iter().any(backed_off), "it backs off");
}

#[test]
fn a_status_that_means_an_invalid_number_does_not_end_a_bind_that_accepts_others() {
    let mut sim =
        Simulation::new(Options { session: Config { rate: None, ..options().session }, ..options() });
    sim.advance(SECOND);
    sim.refused_texts = vec![("6500", CommandStatus::RINVBNDSTS)];
    send_to(&mut sim, "6500");
    for number in 6501..6600 {
        send_to(&mut sim, &format!("{number}"));
        sim.advance(SECOND / 10);
    }
    assert_eq!(sim.outcomes().len(), 100);
    assert_eq!(times_of(&sim, "6500").len(), 4, "3 retries");
    assert_eq!(sim.connects.len(), 1);
    let late = sim
        .submitted
        .iter()
        .filter(|(_, at, text)| text != "6500" && text != "6501" && *at != sent_at(text))
        .count();
    assert_eq!(late, 0, "no other message is delayed");
}

fn sent_at(number: &str) -> Instant {
    let index: u32 = number.parse::<u32>().unwrap() - 6501;
    Instant::ZERO + SECOND + SECOND / 10 * index
}

#[test]
fn a_providers_table_and_the_users_changes_decide() {
    const TABLE: StatusTable = StatusTable {
        submit: &[
            (CommandStatus::RINVBNDSTS, SubmitAction::Refuse),
            (CommandStatus(0x450), SubmitAction::Pause { times: 1, delay: SECOND }),
        ],
        bind: &[(CommandStatus::RBINDFAIL, BindAction::Stop), (CommandStatus::RINVPASWD, BindAction::Retry)],
    };
    const ACME: Provider = Provider { statuses: TABLE, ..Provider::UNSTATED };
    let options = Options::new(Credentials::new("shop", "s3cret"), &ACME);
    let mut sim = Simulation::new(Options { max_binds: 1, ..options.clone() });
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.advance(3 * SECOND);
    assert_eq!(sim.bound_links(), 1, "RINVPASWD is retried");
    sim.submit_status = vec![CommandStatus::RINVBNDSTS, CommandStatus(0x450), CommandStatus(0x450)];
    send_to(&mut sim, "6500");
    send_to(&mut sim, "6501");
    assert_eq!(sim.outcomes()[0].1.segments, [refused(CommandStatus::RINVBNDSTS)]);
    sim.advance(5 * SECOND);
    assert_eq!(times_of(&sim, "6501").len(), 2);
    assert_eq!(sim.outcomes()[1].1.segments, [refused(CommandStatus(0x450))]);

    let mut sim = Simulation::new(options);
    sim.bind_status = vec![CommandStatus::RBINDFAIL];
    sim.advance(10 * SECOND);
    assert!(
        sim.events
            .iter()
            .any(|event| matches!(event, Event::Stopped { status: CommandStatus::RBINDFAIL, .. }))
    );
    assert_eq!(sim.connects.len(), 1);
}

#[test]
fn a_status_that_stops_the_account_ends_the_queued_messages() {
    let mut sim = Simulation::new(Options {
        session: Config { window: 1, ..Config::default() },
        ..on_submit(CommandStatus(0x450), SubmitAction::Stop)
    });
    sim.advance(SECOND);
    sim.answers = false;
    send_to(&mut sim, "6500");
    let queued = send_to(&mut sim, "6501");
    sim.answer_late(Err(CommandStatus(0x450)));
    let stopped = sim.events.iter().filter_map(|event| match event {
        Event::Stopped { cause, status, .. } => Some((*cause, *status)),
        _ => None,
    });
    assert_eq!(stopped.collect::<Vec<_>>(), [(StopCause::Message, CommandStatus(0x450))]);
    assert_eq!(sim.outcomes()[0].1.segments, [refused(CommandStatus(0x450))]);
    let never_sent =
        MessageOutcome { segments: vec![SegmentOutcome::NeverSent(SegmentNotSentReason::Stopped)].into() };
    assert_eq!(sim.outcomes()[1], (queued, never_sent));
    assert_eq!(sim.bound_links(), 1, "the bind stays for receipts");
    let message = Message::text(&to("6502"), "late");
    assert_eq!(sim.account.submit(sim.now, &message), Err(SubmitError::Stopped));
}

#[test]
fn a_refused_message_stops_an_account_that_a_refused_bind_has_stopped() {
    let options = on_submit(CommandStatus(0x450), SubmitAction::Stop);
    let statuses = options.statuses.clone().on_bind(CommandStatus::RBINDFAIL, BindAction::Stop);
    let options = Options { statuses, max_binds: 2, ..options };
    let mut sim = Simulation::new(options.clone());
    sim.advance(SECOND);
    // The SMSC refuses other credentials on a second bind; the first one stays.
    sim.bind_status = vec![CommandStatus::RBINDFAIL];
    let (credentials, binds) = (Credentials::new("other", "s3cret"), Binds::transceivers(2));
    sim.account.reconfigure(sim.now, Options { credentials, binds, ..options }).unwrap();
    sim.advance(5 * SECOND);
    sim.submit_status = vec![CommandStatus(0x450); 2];
    send_to(&mut sim, "6500");
    let stopped = sim.events.iter().filter_map(|event| match event {
        Event::Stopped { cause, .. } => Some(*cause),
        _ => None,
    });
    assert_eq!(stopped.collect::<Vec<_>>(), [StopCause::Bind, StopCause::Message]);
}

#[test]
fn a_delayed_message_can_be_cancelled_and_expires() {
    let retry = SubmitAction::Retry { times: 5, delay: 10 * SECOND };
    let mut sim = Simulation::new(on_submit(CommandStatus::RSYSERR, retry));
    sim.advance(SECOND);
    sim.submit_status = vec![CommandStatus::RSYSERR; 3];
    let cancelled = send_to(&mut sim, "6500");
    let message = Message::text(&to("6500"), "6500").deadline(5 * SECOND);
    let expired = sim.account.submit(sim.now, &message).unwrap();
    let in_order = |text| Message::text(&to("6500"), text).in_order();
    sim.account.submit(sim.now, &in_order("first")).unwrap();
    sim.account.submit(sim.now, &in_order("second")).unwrap();
    sim.settle();
    assert_eq!((sim.submitted.len(), sim.account.queued()), (3, 4));
    sim.account.cancel(sim.now, cancelled);
    sim.advance(9 * SECOND);
    let ended: Vec<_> =
        sim.outcomes().into_iter().map(|(number, outcome)| (number, outcome.segments)).collect();
    let system_error = PerSegment::from(vec![refused(CommandStatus::RSYSERR)]);
    assert_eq!(ended, [(cancelled, system_error.clone()), (expired, system_error)]);
    assert_eq!(sim.submitted.len(), 3, "nothing is sent before its time");
    sim.advance(2 * SECOND);
    let texts: Vec<&str> = sim.submitted[3..].iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["first", "second"]);
    assert_eq!(sim.account.queued(), 0);
}

#[test]
fn the_refusal_of_a_bind_at_the_limit_says_so() {
    let shown = CommandStatus::RALYBND.to_string();
    assert!(shown.contains("already at its limit of binds"), "{shown}");
}

#[test]
fn a_retry_that_pauses_no_bind_is_reported_once_for_each_status() {
    let session = Config { rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, ..options() });
    sim.advance(SECOND);
    for number in 6500..6510 {
        sim.submit_status = vec![CommandStatus::RMSGQFUL];
        send_to(&mut sim, &format!("{number}"));
        // It is accepted the next time.
        sim.advance(2 * SECOND);
    }
    sim.submit_status = vec![CommandStatus::RSYSERR];
    send_to(&mut sim, "6510");
    sim.advance(10 * SECOND);
    let retrying = |event: &Event| match event {
        Event::Link { event: LinkEvent::Retrying { status, retry_in }, .. } => Some((*status, *retry_in)),
        _ => None,
    };
    let reported: Vec<_> = sim.events.iter().filter_map(retrying).collect();
    let delay = |status| match Statuses::default().submit_action(status) {
        SubmitAction::Retry { delay, .. } => (status, delay),
        other => panic!("{other:?}"),
    };
    assert_eq!(reported, [delay(CommandStatus::RMSGQFUL), delay(CommandStatus::RSYSERR)]);
    let pauses = |event: &Event| matches!(event, Event::Link { event: LinkEvent::Paused { .. }, .. });
    assert!(!sim.events.iter().any(pauses));
}

#[test]
fn the_end_of_a_refused_bind_says_that_the_smsc_refused_it() {
    let mut sim = Simulation::new(options());
    sim.bind_status = vec![CommandStatus::RALYBND];
    sim.settle();
    let closed = sim.events.iter().find_map(|event| match event {
        Event::Link { event: event @ LinkEvent::Closed { refused, .. }, .. } => {
            Some((event.to_string(), *refused))
        }
        _ => None,
    });
    let (text, refused) = closed.unwrap();
    assert_eq!(refused, Some(CommandStatus::RALYBND));
    assert!(text.contains("the SMSC refused the bind: ESME_RALYBND"), "{text}");
    assert!(!text.contains("this side"), "{text}");
    // The next bind is accepted, and ends as usual.
    sim.events.clear();
    sim.advance(60 * SECOND);
    sim.account.set_binds(sim.now, Binds::NONE).unwrap();
    sim.settle();
    let is_unbound = |event: &Event| {
        matches!(event, Event::Link { event: event @ LinkEvent::Closed { refused: None, .. }, .. }
            if event.to_string().contains("closed by unbind of this side"))
    };
    assert!(sim.events.iter().any(is_unbound));
}

#[test]
fn a_refused_bind_that_stops_the_account_is_reported_also_after_a_message_that_does() {
    let stop = on_submit(CommandStatus::RINVDSTADR, SubmitAction::Stop);
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..stop });
    sim.advance(SECOND);
    let mut bound = sim.events.iter().filter_map(|event| match event {
        Event::Link { event: LinkEvent::Bound { bind, .. }, .. } => Some(*bind),
        _ => None,
    });
    let second = bound.next_back().unwrap();
    sim.answers = false;
    sim.account.submit(sim.now, &Message::text(&template(), "Hello").bind(second)).unwrap();
    sim.settle();
    // The first bind is replaced: the SMSC refuses it just after the message.
    let credentials = Credentials::new("shop", "n3w");
    sim.account.reconfigure(sim.now, Options { credentials, ..sim.account.options().clone() }).unwrap();
    sim.exchange();
    while let Some(action) = sim.account.poll_action() {
        sim.do_action(action);
    }
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.answer_late(Err(CommandStatus::RINVDSTADR));
    let stops = |event: &Event| match event {
        Event::Stopped { cause, status, .. } => Some((*cause, *status)),
        _ => None,
    };
    let message = (StopCause::Message, CommandStatus::RINVDSTADR);
    let bind = (StopCause::Bind, CommandStatus::RINVPASWD);
    assert_eq!(sim.events.iter().filter_map(stops).collect::<Vec<_>>(), [message, bind]);
    assert_eq!(sim.account.submit(sim.now, &Message::text(&template(), "Hello")), Err(SubmitError::Stopped));
    sim.account.resume(sim.now);
    sim.events.clear();
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.advance(SECOND);
    assert_eq!(sim.events.iter().filter_map(stops).collect::<Vec<_>>(), [bind], "it is reported again");
}

/// An account that sends a message again after a timeout of 1 s.
fn resending() -> Simulation {
    let session =
        Config { rate: None, response_timeout: SECOND, slow_down_when_throttled: false, ..options().session };
    let unanswered_policy = UnansweredPolicy::Resend(1);
    let mut sim = Simulation::new(Options { session, unanswered_policy, ..options() });
    sim.advance(SECOND);
    sim.answers = false;
    sim
}

#[test]
fn the_refusal_of_a_copy_of_an_accepted_message_pauses_no_bind() {
    // Of the longer message another segment has no response yet.
    for (text, attempts) in [("6500", 2), (&*"6500".repeat(60), 4)] {
        let mut sim = resending();
        sim.account.submit(sim.now, &Message::text(&to("6500"), text)).unwrap();
        sim.advance(SECOND * 3 / 2);
        assert_eq!(sim.unanswered.len(), attempts, "it was sent again");
        sim.answer_late(Ok("1"));
        sim.answers = true;
        sim.submit_status = vec![CommandStatus::RMSGQFUL];
        send_to(&mut sim, "6501");
        sim.unanswered.swap(0, attempts / 2 - 1);
        sim.answer_late(Err(CommandStatus::RMSGQFUL));
        send_to(&mut sim, "6502");
        assert_eq!(times_of(&sim, "6502"), [SECOND * 5 / 2]);
    }
}

#[test]
fn a_segment_that_is_not_sent_again_is_not_reported_as_a_retry() {
    for (times, reported) in [(0, 0), (1, 1)] {
        let action = SubmitAction::Retry { times, delay: SECOND };
        let mut sim = Simulation::new(on_submit(CommandStatus::RX_T_APPN, action));
        sim.advance(SECOND);
        sim.submit_status = vec![CommandStatus::RX_T_APPN];
        send_to(&mut sim, "6500");
        let retrying =
            |event: &&Event| matches!(event, Event::Link { event: LinkEvent::Retrying { .. }, .. });
        assert_eq!(sim.events.iter().filter(retrying).count(), reported, "{times} retries");
    }
}
