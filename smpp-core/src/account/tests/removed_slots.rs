//! Slots that go away because `max_binds` becomes smaller, while messages, pauses and counters belong to them.

use super::*;

fn change(sim: &mut Simulation, max_binds: u16, binds: Binds) {
    let options = Options { binds, max_binds, ..sim.account.options().clone() };
    sim.account.reconfigure(sim.now, options).unwrap();
    sim.settle();
}

#[test]
fn the_next_segments_of_a_message_leave_a_slot_that_is_removed() {
    let session = Config { window: 1, ..options().session };
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), session, ..options() });
    sim.advance(2 * SECOND);
    sim.answers = false;
    sim.send("short");
    sim.send(&"long ".repeat(60));
    sim.settle();
    let on: Vec<_> = sim.submitted.iter().map(|(link, ..)| link.0).collect();
    assert_eq!(on, [0, 1]);
    change(&mut sim, 1, Binds::transceivers(1));
    // The first segment is answered, and its bind ends, before the other bind can send.
    sim.unanswered.swap(0, 1);
    sim.answer_late(Ok("id"));
    sim.advance(SECOND / 10);
    assert_eq!((sim.account.links().count(), sim.submitted.len()), (1, 2));
    sim.answers = true;
    sim.answer_late(Ok("id"));
    sim.advance(SECOND);
    let outcomes = sim.outcomes();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.result().is_ok()), "{outcomes:?}");
    assert_eq!((outcomes.len(), sim.account.queued()), (2, 0));
}

#[test]
fn a_pause_ends_on_a_bind_beyond_a_smaller_max_binds() {
    let binds = Binds::receivers(1).and(Binds::transmitters(1));
    let mut sim = Simulation::new(Options { binds, ..options() });
    sim.advance(2 * SECOND);
    change(&mut sim, 1, Binds::transmitters(1));
    sim.advance(SECOND);
    assert_eq!(sim.bound(), [(1, BindMode::Transmitter, 1)]);
    sim.submit_status = vec![CommandStatus::RTHROTTLED];
    sim.send("Hello");
    sim.settle();
    let resumed = |event: &Event| matches!(event, Event::Link { event: LinkEvent::Resumed, .. });
    for _ in 0..5 {
        let Some(at) = sim.account.poll_timeout() else { break };
        sim.now = at;
        sim.account.handle_timeout(at);
        sim.settle();
        assert_ne!(sim.account.poll_timeout(), Some(at), "a timer stays due");
    }
    assert_eq!(sim.events.iter().filter(|event| resumed(event)).count(), 1);
    assert_eq!(sim.outcomes().len(), 1);
}

#[test]
fn the_counters_of_a_removed_slot_stay_and_go_on() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(3), max_binds: 3, ..options() });
    sim.advance(2 * SECOND);
    for _ in 0..3 {
        sim.send("Hello");
    }
    sim.advance(SECOND);
    let before = sim.account.stats();
    change(&mut sim, 1, Binds::transceivers(1));
    sim.advance(SECOND);
    let after = sim.account.stats();
    assert_eq!((sim.account.links().count(), after.links.len()), (1, 3));
    let counts = |stats: &AccountStats| -> Vec<_> {
        stats.links.iter().map(|link| (link.bound, link.requests, link.response_histogram)).collect()
    };
    assert_eq!(counts(&after), counts(&before));
    assert_eq!((after.total.requests, after.total.bound), (before.total.requests, 3));
    change(&mut sim, 3, Binds::transceivers(3));
    sim.advance(5 * SECOND);
    let bound: Vec<_> = sim.account.stats().links.iter().map(|link| link.bound).collect();
    assert_eq!(bound, [1, 2, 2]);
}
