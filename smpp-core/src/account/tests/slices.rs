//! No call handles more than a slice of what is outstanding; the rest is due at once.

use super::super::state::SLICE;
use super::*;
use crate::pdu::Pdu;
use crate::provider::SubmitAction;

/// Calls [`Account::handle_timeout`] as long as it is due, and returns how many events each call emitted.
fn run_due(account: &mut Account, now: Instant) -> Vec<Vec<Event>> {
    let mut calls = vec![core::iter::from_fn(|| account.poll_event()).collect::<Vec<_>>()];
    while account.poll_timeout().is_some_and(|at| at <= now) {
        account.handle_timeout(now);
        calls.push(core::iter::from_fn(|| account.poll_event()).collect());
    }
    calls
}

fn queued(count: usize, deadline: Option<Duration>) -> Account {
    let session = Config { window: 4 * SLICE as u16, max_output: 1 << 20, rate: None, ..options().session };
    let options = Options { session, rate: None, queue_capacity: count, ..options() };
    let mut account = Account::<()>::new(options, Instant::ZERO).unwrap();
    for _ in 0..count {
        let message = Message::submit_sm(&template());
        let message = deadline.into_iter().fold(message, Message::deadline);
        account.submit(Instant::ZERO, &message).unwrap();
    }
    account
}

fn outcomes(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Outcome { .. })).count()
}

#[test]
fn a_shutdown_abandons_the_queue_in_slices() {
    let mut account = queued(3 * SLICE + 1, None);
    account.shutdown(Instant::ZERO, Duration::ZERO);
    let events: Vec<_> = core::iter::from_fn(|| account.poll_event()).collect();
    assert_eq!(outcomes(&events), SLICE);
    let calls = run_due(&mut account, Instant::ZERO);
    assert_eq!(calls.iter().map(|events| outcomes(events)).sum::<usize>(), 2 * SLICE + 1);
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_closed(Instant::ZERO, link);
    assert!(calls.iter().all(|events| outcomes(events) <= SLICE));
    let Some(Event::Closed { unresolved }) =
        run_due(&mut account, Instant::ZERO).into_iter().flatten().last()
    else {
        panic!()
    };
    assert_eq!((unresolved.len(), account.queued()), (3 * SLICE + 1, 0));
}

#[test]
fn receipts_that_a_shutdown_leaves_are_collected_in_slices() {
    let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
    for number in 0..=3 * SLICE {
        let expected = Expected::new(1).id(0, number.to_string().as_bytes());
        account.expect(Instant::ZERO, expected).unwrap();
    }
    account.shutdown(Instant::ZERO, Duration::ZERO);
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_closed(Instant::ZERO, link);
    let mut tracked = account.tracked_receipts();
    while account.poll_timeout().is_some_and(|at| at <= Instant::ZERO) {
        account.handle_timeout(Instant::ZERO);
        assert!(tracked - account.tracked_receipts() <= SLICE);
        tracked = account.tracked_receipts();
    }
    let events: Vec<_> = core::iter::from_fn(|| account.poll_event()).collect();
    let Some(Event::Closed { unresolved }) = events.last() else { panic!("{events:?}") };
    assert_eq!(unresolved.len(), 3 * SLICE + 1);
}

#[test]
fn deadlines_expire_in_slices() {
    let mut account = queued(3 * SLICE, Some(SECOND));
    let now = Instant::ZERO + SECOND;
    account.handle_timeout(now);
    let calls: Vec<_> = run_due(&mut account, now).iter().map(|events| outcomes(events)).collect();
    assert_eq!(calls.iter().filter(|outcomes| **outcomes > 0).copied().collect::<Vec<_>>(), [SLICE; 3]);
}

#[test]
fn a_bind_gets_its_window_in_slices() {
    let (now, mut account) = (Instant::ZERO, queued(3 * SLICE, None));
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_resolved(now, link, Ok(&[address(1)]));
    assert!(account.handle_connected(now, link, ()));
    let response = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
    let mut octets = Vec::new();
    response.encode(CommandStatus::ROK, crate::SequenceNumber::FIRST, &mut octets);
    account.handle_input(now, link, &mut &octets[..]);
    let sent = |events: &[Event]| {
        events.iter().filter(|event| matches!(event, Event::HandedToTransport { .. })).count()
    };
    let calls: Vec<_> = run_due(&mut account, now).iter().map(|events| sent(events)).collect();
    assert_eq!(calls, [SLICE; 3]);
}

fn three_slices_in_flight() -> Simulation {
    let session = Config { window: 4 * SLICE as u16, rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, queue_capacity: 4 * SLICE, ..options() });
    sim.answers = false;
    for _ in 0..3 * SLICE {
        sim.account.submit(sim.now, &Message::submit_sm(&template())).unwrap();
    }
    sim.advance(Duration::ZERO);
    let _ = sim.outcomes();
    sim
}

#[test]
fn the_outcomes_of_a_session_that_ends_come_in_slices() {
    let mut sim = three_slices_in_flight();
    sim.account.handle_disconnect(sim.now, LinkId(0));
    let calls: Vec<_> = run_due(&mut sim.account, sim.now)
        .iter()
        .map(|events| outcomes(events))
        .filter(|count| *count > 0)
        .collect();
    assert_eq!(calls, [SLICE; 3]);
}

#[test]
fn a_connection_that_is_closed_without_being_asked_frees_its_slot_after_the_last_outcome() {
    let mut sim = three_slices_in_flight();
    sim.account.handle_closed(sim.now, LinkId(0));
    run_due(&mut sim.account, sim.now);
    let states: Vec<_> = sim.account.links().map(|(_, state)| state).collect();
    assert!(!states.contains(&LinkState::Closing), "{states:?}");
    assert!(
        !core::iter::from_fn(|| sim.account.poll_action())
            .any(|action| matches!(action, Action::Close { .. }))
    );
}

#[test]
fn a_stop_that_is_resumed_ends_no_further_message() {
    let session = Config { window: 1, rate: None, ..options().session };
    let statuses = Statuses::default().on_submit(CommandStatus(0x450), SubmitAction::Stop);
    let mut sim = Simulation::new(Options { session, statuses, queue_capacity: 5 * SLICE, ..options() });
    sim.advance(SECOND);
    sim.answers = false;
    for _ in 0..5 * SLICE {
        sim.account.submit(sim.now, &Message::submit_sm(&template())).unwrap();
    }
    sim.settle();
    sim.answer_late(Err(CommandStatus(0x450)));
    sim.answers = true;
    sim.account.resume(sim.now);
    sim.advance(SECOND);
    let resumed = sim.events.iter().position(|event| matches!(event, Event::Resumed)).unwrap();
    let is_accepted = |event: &Event| match event {
        Event::Outcome { outcome, .. } => Some(outcome.result().is_ok()),
        _ => None,
    };
    let before: Vec<_> = sim.events[..resumed].iter().filter_map(is_accepted).collect();
    let after: Vec<_> = sim.events[resumed..].iter().filter_map(is_accepted).collect();
    assert!(before.len() > SLICE && before.iter().all(|accepted| !accepted), "{}", before.len());
    assert!(after.len() > SLICE && after.iter().all(|accepted| *accepted), "{}", after.len());
    assert_eq!(before.len() + after.len(), 5 * SLICE);
}
