//! Changing the options while the account runs; stopping and resuming.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::endpoint::Endpoint;
use crate::pdu::BindMode::Transceiver;
use crate::provider::SubmitAction;
use crate::session::{NotSentReason, Operations, Rate};
use crate::sms::MessageIdPolicy;

fn with_password(sim: &Simulation, password: &str) -> Options {
    Options { credentials: Credentials::new("shop", password), ..sim.account.options().clone() }
}

/// Returns the passwords of the binds that were requested, in order.
fn passwords(sim: &Simulation) -> Vec<String> {
    let password = |(_, octets): &(LinkId, Vec<u8>)| {
        let fields: Vec<&[u8]> = octets[16..].split(|octet| *octet == 0).collect();
        String::from_utf8(fields[1].to_vec()).unwrap()
    };
    sim.binds.iter().map(password).collect()
}

fn statuses(sim: &Simulation) -> (usize, usize) {
    let count = |is: fn(&Event) -> bool| sim.events.iter().filter(|event| is(event)).count();
    (count(|event| matches!(event, Event::Stopped { .. })), count(|event| matches!(event, Event::Resumed)))
}

#[test]
fn binds_with_other_credentials_are_replaced_one_at_a_time() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(3), ..options() });
    sim.advance(SECOND);
    // Each bind has a message in flight, which is answered before the bind ends.
    sim.answers = false;
    for text in ["1", "2", "3"] {
        sim.send(text);
    }
    sim.settle();
    assert_eq!(sim.unanswered.len(), 3);
    sim.account.reconfigure(sim.now, with_password(&sim, "n3w")).unwrap();
    sim.settle();
    assert_eq!((sim.bound_links(), sim.binds.len()), (3, 3), "the first bind waits for its answer");
    sim.answers = true;
    for _ in 0..3 {
        sim.answer_late(Ok("id"));
    }
    let mut fewest = 3;
    for _ in 0..30 {
        sim.advance(SECOND / 10);
        fewest = fewest.min(sim.bound_links());
    }
    assert_eq!(passwords(&sim), ["s3cret", "s3cret", "s3cret", "n3w", "n3w", "n3w"]);
    assert_eq!((sim.bound_links(), fewest), (3, 2));
    assert_eq!(sim.outcomes().len(), 3);
    assert!(sim.outcomes().iter().all(|(_, outcome)| outcome.result().is_ok()));
    let closed = |event: &&Event| {
        matches!(
            event,
            Event::Link { event: LinkEvent::Closed { reason: session::CloseReason::Unbound, .. }, .. }
        )
    };
    assert_eq!(sim.events.iter().filter(closed).count(), 3, "all unbound gracefully");
    sim.account.reconfigure(sim.now, sim.account.options().clone()).unwrap();
    sim.advance(60 * SECOND);
    assert_eq!(sim.binds.len(), 6, "the same options change nothing");
}

#[test]
fn wrong_credentials_cost_one_bind_and_the_others_go_on() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(3), ..options() });
    sim.advance(SECOND);
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.account.reconfigure(sim.now, with_password(&sim, "wr0ng")).unwrap();
    sim.advance(60 * SECOND);
    assert_eq!((statuses(&sim), sim.bound_links(), sim.binds.len()), ((1, 0), 2, 4));
    // Messages are taken and sent while a bind lives.
    sim.send("Hello");
    sim.advance(SECOND);
    assert!(sim.outcomes()[0].1.result().is_ok());
    // Back to the credentials of the others.
    sim.account.reconfigure(sim.now, with_password(&sim, "s3cret")).unwrap();
    sim.advance(SECOND);
    assert_eq!((statuses(&sim), sim.bound_links(), sim.binds.len()), ((1, 1), 3, 5));
    assert_eq!(passwords(&sim)[3..], ["wr0ng", "s3cret"]);
}

#[test]
fn a_slot_without_a_bind_tries_new_credentials_first() {
    let binds = Binds::transceivers(2);
    let mut sim = Simulation::new(Options { binds, ..options() });
    sim.advance(SECOND);
    sim.cut(LinkId(1));
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.account.reconfigure(sim.now, with_password(&sim, "wr0ng")).unwrap();
    sim.advance(60 * SECOND);
    assert_eq!((statuses(&sim), sim.bound_links()), ((1, 0), 1), "the bind that there was stays");
    // A slot that fails for another reason keeps no bind from being replaced.
    sim.bind_status = vec![CommandStatus::RALYBND; 3];
    sim.account.reconfigure(sim.now, with_password(&sim, "n3w")).unwrap();
    sim.advance(60 * SECOND);
    assert_eq!(sim.bound_links(), 2);
    assert_eq!(passwords(&sim)[..4], ["s3cret", "s3cret", "wr0ng", "n3w"]);
}

#[test]
fn credentials_that_were_accepted_back_off_when_they_are_refused() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.bind_status = vec![CommandStatus::RINVPASWD; 2];
    sim.cut(LinkId(0));
    let number = sim.send("Hello");
    sim.advance(60 * SECOND);
    assert_eq!((statuses(&sim), sim.bound_links()), ((0, 0), 1));
    assert_eq!(sim.binds.len(), 4, "two refusals and a bind");
    assert!(matches!(&sim.outcomes()[..], [(sent, outcome)] if *sent == number && outcome.result().is_ok()));
}

#[test]
fn a_stopped_account_resumes_with_the_same_credentials() {
    let mut sim = Simulation::new(options());
    let mut router = EventRouter::<()>::new(10);
    let mut route = |sim: &mut Simulation| {
        for event in core::mem::take(&mut sim.events) {
            router.handle_event(sim.now, &mut sim.account, event);
        }
        router.first_bind()
    };
    sim.bind_status = vec![CommandStatus::RINVSYSID; 2];
    sim.advance(60 * SECOND);
    assert!(matches!(route(&mut sim), Some(Err(FirstBindError::Refused { .. }))));
    assert_eq!(sim.account.submit(sim.now, &Message::text(&template(), "x")), Err(SubmitError::Stopped));
    // Still refused.
    sim.account.resume(sim.now);
    sim.events.extend(core::iter::from_fn(|| sim.account.poll_event()));
    assert_eq!(route(&mut sim), None, "the first bind may still be made");
    sim.advance(60 * SECOND);
    assert!(matches!(route(&mut sim), Some(Err(FirstBindError::Refused { .. }))));
    assert_eq!(sim.binds.len(), 2);
    sim.account.resume(sim.now);
    sim.settle();
    assert_eq!((route(&mut sim), sim.bound_links()), (Some(Ok(())), 1));
    sim.account.resume(sim.now);
    sim.settle();
    assert_eq!(statuses(&sim), (0, 0), "nothing to resume");
    sim.send("Hello");
    sim.advance(SECOND);
    assert_eq!(sim.outcomes().len(), 1);
}

#[test]
fn a_new_rate_limit_and_window_hold_on_existing_binds() {
    let session = Config { window: 2, rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, queue_capacity: 10_000, ..options() });
    sim.advance(SECOND);
    sim.answers = false;
    for _ in 0..500 {
        sim.send("Hello");
    }
    sim.settle();
    assert_eq!(sim.submitted.len(), 2);
    let session = Config { window: 5, ..session };
    sim.account.reconfigure(sim.now, Options { session, ..sim.account.options().clone() }).unwrap();
    sim.settle();
    assert_eq!(sim.submitted.len(), 5);
    sim.answers = true;
    let session = Config { rate: Some(Rate::per_second(20)), window: 3, ..session };
    sim.account.reconfigure(sim.now, Options { session, ..sim.account.options().clone() }).unwrap();
    for _ in 0..5 {
        sim.answer_late(Ok("id"));
    }
    let before = sim.submitted.len();
    sim.advance(10 * SECOND);
    let sent = sim.submitted.len() - before;
    assert!((198..=200).contains(&sent), "{sent} in 10 s");
    assert_eq!(sim.binds.len(), 1, "on the same bind");
}

#[test]
fn the_rate_of_the_account_counts_what_was_sent_before_a_change() {
    let burst = Rate::per_second(20).with_burst(20);
    let session = Config { rate: None, window: 2_000, ..options().session };
    let mut sim = Simulation::new(Options { rate: Some(burst), session, ..options() });
    sim.advance(2 * SECOND);
    for _ in 0..20 {
        sim.send("before");
    }
    sim.settle();
    assert_eq!(sim.submitted.len(), 20, "the burst");
    for rate in [None, Some(burst)] {
        sim.account.reconfigure(sim.now, Options { rate, ..sim.account.options().clone() }).unwrap();
    }
    for _ in 0..20 {
        sim.send("after");
    }
    sim.advance(Duration::from_millis(999));
    assert_eq!(sim.submitted.len(), 20);
    sim.advance(SECOND);
    assert!(sim.submitted.len() > 20);
    // A change of something else keeps the burst.
    let mut sim = Simulation::new(Options { rate: Some(burst), session, ..options() });
    sim.advance(2 * SECOND);
    sim.account.reconfigure(sim.now, sim.account.options().clone()).unwrap();
    for _ in 0..20 {
        sim.send("Hello");
    }
    sim.settle();
    assert_eq!(sim.submitted.len(), 20);
}

#[test]
fn queued_messages_end_when_the_provider_takes_none_any_more() {
    let session = Config { window: 1, rate: None, ..options().session };
    let mut sim = Simulation::new(Options { session, ..options() });
    sim.advance(SECOND);
    sim.answers = false;
    let (sent, queued) = (sim.send("sent"), sim.send("queued"));
    sim.settle();
    let session = Config { operations: Operations::QUERY_SM, ..session };
    sim.account.reconfigure(sim.now, Options { session, ..sim.account.options().clone() }).unwrap();
    sim.settle();
    let unsupported = NotSentReason::Unsupported(CommandId::SUBMIT_SM);
    let never_sent = SegmentOutcome::NeverSent(SegmentNotSentReason::Request(unsupported));
    assert_eq!(sim.outcomes(), [(queued, MessageOutcome { segments: vec![never_sent].into() })]);
    sim.answer_late(Ok("1"));
    assert_eq!(sim.outcomes()[1], (sent, MessageOutcome { segments: vec![accepted(b"1")].into() }));
}

#[test]
fn the_number_of_slots_follows_max_binds() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(4), ..options() });
    sim.advance(2 * SECOND);
    let change = |sim: &mut Simulation, max_binds, binds| {
        let options = Options { binds, max_binds, ..sim.account.options().clone() };
        sim.account.reconfigure(sim.now, options).unwrap();
        for _ in 0..50 {
            sim.advance(SECOND / 10);
            assert!(sim.servers.len() <= 8);
        }
    };
    change(&mut sim, 2, Binds::transceivers(2));
    assert_eq!((sim.bound_links(), sim.account.links().count(), sim.connects.len()), (2, 2, 4));
    let generation = sim.account.links[1].generation;
    change(&mut sim, 6, Binds::transceivers(6));
    assert_eq!((sim.bound_links(), sim.account.links().count(), sim.connects.len()), (6, 6, 8));
    assert!(sim.account.links[2].generation > generation, "a new slot continues with the generations");
    change(&mut sim, 1, Binds::NONE);
    assert_eq!((sim.bound_links(), sim.account.links().count()), (0, 1));
    let too_few = Options { max_binds: 1, binds: Binds::pairs(1), ..sim.account.options().clone() };
    assert!(sim.account.reconfigure(sim.now, too_few).is_err());
    assert_eq!(sim.account.options().binds, Binds::NONE, "an error changes nothing");
}

#[test]
fn a_smaller_max_binds_holds_for_new_connections_while_old_ones_drain() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(4), ..options() });
    sim.advance(2 * SECOND);
    sim.answers = false;
    for text in ["1", "2", "3", "4"] {
        sim.send(text);
    }
    sim.settle();
    assert_eq!(sim.unanswered[0].0, LinkId(0));
    sim.answer_late(Ok("id"));
    let options = Options { max_binds: 2, binds: Binds::pairs(1), ..sim.account.options().clone() };
    sim.account.reconfigure(sim.now, options).unwrap();
    sim.advance(SECOND);
    assert_eq!((sim.servers.len(), sim.connects.len()), (3, 4), "the old connections count");
    for _ in 0..3 {
        sim.answer_late(Ok("id"));
    }
    sim.advance(SECOND);
    assert_eq!((sim.bound_links(), sim.connects.len()), (2, 6));
}

#[test]
fn a_bind_beyond_a_smaller_max_binds_stays_if_it_is_needed() {
    let rx = || Binds::receivers(1);
    let mut sim = Simulation::new(Options { binds: Binds::transmitters(3).and(rx()), ..options() });
    sim.advance(2 * SECOND);
    let options = Options { max_binds: 1, binds: rx(), ..sim.account.options().clone() };
    sim.account.reconfigure(sim.now, options).unwrap();
    sim.advance(2 * SECOND);
    assert_eq!((sim.bound(), sim.connects.len()), (vec![(3, BindMode::Receiver, 1)], 4));
    // Once it ends, the next one is within the limit.
    sim.cut(LinkId(3));
    sim.advance(5 * SECOND);
    assert_eq!((sim.bound(), sim.account.links().count()), (vec![(0, BindMode::Receiver, 1)], 1));
}

#[test]
fn binds_at_an_endpoint_that_is_gone_are_replaced() {
    let endpoint = |host| Endpoint::plain(host, PORT);
    let endpoints = vec![endpoint("a"), endpoint("b")];
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), endpoints, ..options() });
    sim.hosts = vec![("a", vec![address(1)]), ("b", vec![address(2)]), ("c", vec![address(3)])];
    sim.advance(SECOND);
    sim.unreachable = vec![address(1)];
    sim.cut(LinkId(1));
    sim.advance(5 * SECOND);
    assert_eq!(sim.bound(), [(0, Transceiver, 1), (1, Transceiver, 2)]);
    let endpoints = vec![endpoint("b"), endpoint("c")];
    let options = Options { endpoints, ..sim.account.options().clone() };
    sim.account.reconfigure(sim.now, options.clone()).unwrap();
    sim.advance(5 * SECOND);
    assert_eq!(sim.bound(), [(0, Transceiver, 2), (1, Transceiver, 2)]);
    // Other credentials in the endpoint do not make it another one.
    let secret = Some(String::from("x"));
    let endpoints = options.endpoints.iter().map(|e| Endpoint { password: secret.clone(), ..e.clone() });
    let connects = sim.connects.len();
    sim.account.reconfigure(sim.now, Options { endpoints: endpoints.collect(), ..options }).unwrap();
    sim.advance(5 * SECOND);
    assert_eq!(sim.connects.len(), connects);
}

#[test]
fn an_attempt_to_an_endpoint_that_is_gone_ends_at_once() {
    let endpoints = |host| vec![Endpoint::plain(host, PORT)];
    let options = |host| Options { endpoints: endpoints(host), max_binds: 1, ..options() };
    let mut account = Account::<()>::new(options("a"), Instant::ZERO).unwrap();
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.reconfigure(Instant::ZERO, options("b")).unwrap();
    assert_eq!(account.poll_action(), Some(Action::Close { link }));
    account.handle_resolved(Instant::ZERO, link, Ok(&[address(1)]));
    assert_eq!(account.poll_action(), None);
    account.handle_closed(Instant::ZERO, link);
    account.handle_timeout(Instant::ZERO + SECOND);
    assert_eq!(account.poll_action(), Some(Action::Resolve { link }));
    assert_eq!(account.endpoint(link).map(|endpoint| endpoint.host.as_str()), Some("b"));
}

#[test]
fn a_bind_in_flight_to_an_endpoint_that_is_gone_does_not_go_on_to_its_other_addresses() {
    let options = |host| Options { endpoints: vec![Endpoint::plain(host, PORT)], max_binds: 1, ..options() };
    let mut account = Account::<()>::new(options("a"), Instant::ZERO).unwrap();
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_resolved(Instant::ZERO, link, Ok(&[address(1), address(2)]));
    assert_eq!(account.poll_action(), Some(Action::Connect { link, address: address(1) }));
    assert!(account.handle_connected(Instant::ZERO, link, ()));
    account.reconfigure(Instant::ZERO, options("b")).unwrap();
    account.handle_disconnect(Instant::ZERO, link);
    assert_eq!(account.poll_action(), Some(Action::Close { link }));
    account.handle_closed(Instant::ZERO, link);
    account.handle_timeout(Instant::ZERO + 10 * SECOND);
    assert_eq!(account.poll_action(), Some(Action::Resolve { link }));
    assert_eq!(account.endpoint(link).map(|endpoint| endpoint.host.as_str()), Some("b"));
}

#[test]
fn a_failing_replacement_keeps_the_other_binds_of_its_group_only() {
    let endpoint = |host| Endpoint::plain(host, PORT);
    let group = |host| Binds::transceivers(2).at([endpoint(host)]);
    let mut sim = Simulation::new(Options { binds: group("a").and(group("b")), ..options() });
    sim.hosts = vec![("a", vec![address(1)]), ("b", vec![address(2)])];
    sim.advance(2 * SECOND);
    sim.unreachable = vec![address(1)];
    sim.account.reconfigure(sim.now, with_password(&sim, "n3w")).unwrap();
    sim.advance(10 * SECOND);
    assert_eq!(sim.bound(), [(1, Transceiver, 1), (2, Transceiver, 2), (3, Transceiver, 2)]);
    assert_eq!(passwords(&sim)[4..], ["n3w", "n3w"]);
    sim.unreachable.clear();
    sim.advance(120 * SECOND);
    assert_eq!((sim.bound_links(), sim.binds.len()), (4, 8));
}

#[test]
fn a_group_without_any_bind_keeps_no_other_group_from_being_replaced() {
    let endpoint = |host| Endpoint::plain(host, PORT);
    let group = |host| Binds::transceivers(2).at([endpoint(host)]);
    let mut sim = Simulation::new(Options { binds: group("a").and(group("b")), ..options() });
    sim.hosts = vec![("a", vec![address(1)]), ("b", vec![address(2)])];
    sim.unreachable = vec![address(1)];
    sim.advance(2 * SECOND);
    assert_eq!(passwords(&sim), ["s3cret", "s3cret"]);
    sim.account.reconfigure(sim.now, with_password(&sim, "n3w")).unwrap();
    sim.advance(20 * SECOND);
    assert_eq!(passwords(&sim)[2..], ["n3w", "n3w"]);
    assert_eq!(sim.bound_links(), 2);
}

#[test]
fn queue_and_receipts_survive_a_change_of_their_options() {
    let mut sim = Simulation::new(options());
    sim.id = Some("1A");
    let number = sim.send("Hello");
    sim.advance(SECOND);
    sim.account.set_binds(sim.now, Binds::NONE).unwrap();
    sim.advance(SECOND);
    for text in ["1", "2", "3"] {
        sim.send(text);
    }
    let mut changed =
        Options { queue_capacity: 1, binds: Binds::transceivers(1), ..sim.account.options().clone() };
    changed.receipts.dialect.message_ids = MessageIdPolicy::HEXADECIMAL_TO_DECIMAL;
    sim.account.reconfigure(sim.now, changed.clone()).unwrap();
    assert_eq!((sim.account.queued(), sim.account.available_capacity()), (3, 0));
    sim.id = None;
    sim.advance(SECOND);
    assert_eq!(sim.outcomes().len(), 4, "nothing that was accepted is lost");
    sim.receipt(0, "26", "DELIVRD");
    sim.advance(SECOND);
    assert_eq!(sim.matches()[0].1.as_ref().map(|matched| matched.message), Some(number));
    assert_eq!((sim.account.pending_receipts(), sim.account.tracked_receipts()), (3, 4));
    changed.receipts.capacity = 1;
    sim.account.reconfigure(sim.now, changed).unwrap();
    assert_eq!(sim.account.pending_receipts(), 1, "the oldest are given up");
}

#[test]
fn an_account_that_has_closed_does_not_resume() {
    let mut sim = Simulation::new(options());
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.advance(SECOND);
    sim.account.shutdown(sim.now, SECOND);
    sim.advance(SECOND);
    sim.account.resume(sim.now);
    sim.account.reconfigure(sim.now, with_password(&sim, "n3w")).unwrap();
    sim.advance(SECOND);
    assert_eq!((statuses(&sim), sim.binds.len()), ((1, 0), 1));
    assert!(matches!(sim.events.last(), Some(Event::Closed { .. })));
}

#[test]
fn nothing_is_replaced_during_a_shutdown() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    sim.account.shutdown(sim.now, 5 * SECOND);
    sim.account.reconfigure(sim.now, with_password(&sim, "n3w")).unwrap();
    sim.advance(60 * SECOND);
    assert_eq!(sim.binds.len(), 1);
    assert!(matches!(sim.events.last(), Some(Event::Closed { .. })));
}

#[test]
fn a_new_duplicate_window_holds_for_messages_whose_bind_has_ended() {
    for (window, given) in [(100 * SECOND, 1), (SECOND, 2)] {
        let mut sim = Simulation::new(options());
        sim.advance(SECOND);
        let message = DeliverSm {
            source: crate::Address::international("6591234567").unwrap(),
            short_message: ShortMessage::new(b"yes").unwrap(),
            ..DeliverSm::default()
        };
        sim.deliver(0, &message);
        sim.settle();
        sim.cut(LinkId(0));
        let ack = sim.events.iter().position(|event| matches!(event, Event::Message { .. }));
        let Event::Message { ack, .. } = sim.events.remove(ack.unwrap()) else { panic!() };
        assert!(sim.account.acknowledge(sim.now, ack, Ok(())).is_err(), "the SMSC delivers it again");
        let reassembly =
            crate::sms::ReassemblyLimits { duplicate_window: window, ..sim.account.options().reassembly };
        let options = Options { reassembly, ..sim.account.options().clone() };
        sim.account.reconfigure(sim.now, options).unwrap();
        sim.advance(10 * SECOND);
        sim.deliver(0, &message);
        sim.settle();
        let again = sim.events.iter().filter(|event| matches!(event, Event::Message { .. })).count();
        assert_eq!(1 + again, given, "{window:?}");
    }
}

/// Returns when the last attempt to connect that failed is tried again.
fn last_retry(sim: &Simulation) -> Option<Duration> {
    sim.events.iter().rev().find_map(|event| match event {
        Event::Link { event: LinkEvent::ConnectFailed { retry_in, .. }, .. } => *retry_in,
        _ => None,
    })
}

#[test]
fn a_resumed_account_begins_its_back_off_anew() {
    let mut sim = Simulation::new(options());
    let initial = sim.account.options().backoff.initial;
    sim.unreachable = vec![address(1)];
    sim.advance(30 * SECOND);
    assert!(last_retry(&sim).unwrap() > 4 * initial, "it has failed several times");
    sim.unreachable.clear();
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    sim.advance(300 * SECOND);
    assert_eq!((statuses(&sim), sim.binds.len()), ((1, 0), 1));
    sim.unreachable = vec![address(1)];
    let before = sim.connects.len();
    sim.account.resume(sim.now);
    sim.settle();
    assert_eq!(sim.connects.len(), before + 1);
    assert!(last_retry(&sim).unwrap() <= initial, "{:?}", last_retry(&sim));
}

#[test]
fn a_resumed_account_does_not_wait_for_an_earlier_back_off() {
    let statuses = Statuses::default().on_submit(CommandStatus(0x450), SubmitAction::Stop);
    let mut sim = Simulation::new(Options { statuses, binds: Binds::transceivers(2), ..options() });
    sim.bind_status = [&[CommandStatus::ROK], &[CommandStatus::RALYBND; 20][..]].concat();
    // The second bind is refused again and again, and waits for longer and longer.
    sim.advance(20 * SECOND);
    sim.submit_status = vec![CommandStatus(0x450)];
    sim.send("Hello");
    sim.settle();
    sim.bind_status.clear();
    assert_eq!(sim.bound_links(), 1);
    sim.account.resume(sim.now);
    sim.settle();
    assert_eq!(sim.bound_links(), 2);
}
