//! Requests about messages: query_sm, cancel_sm, replace_sm.

use super::*;
use crate::pdu::{CancelSm, QuerySm, ReplaceSm};
use crate::session::{CloseReason, NotSentReason, Operations, Response, State, UnansweredReason};

fn all_operations() -> Options {
    let session = Config { operations: Operations::all(), ..options().session };
    Options { session, ..options() }
}

fn query() -> MessageRequest {
    query_of("7")
}

fn query_of(id: &str) -> MessageRequest {
    let message_id = COctets::new(id.as_bytes()).unwrap();
    MessageRequest::query_sm(&QuerySm { message_id, ..QuerySm::default() })
}

/// A message with receipts.
fn tracked(text: &str) -> Message {
    Message::text(&SubmitSm { registered_delivery: RegisteredDelivery::RECEIPT, ..template() }, text)
}

fn never_sent(reason: RequestNotSentReason) -> MessageRequestError {
    MessageRequestError::NeverSent(reason)
}

impl Simulation {
    fn request(&mut self, request: &MessageRequest) -> RequestNumber {
        self.account.request(self.now, request).unwrap()
    }

    fn results(&mut self) -> Vec<(RequestNumber, Result<Response, MessageRequestError>)> {
        self.events.extend(core::iter::from_fn(|| self.account.poll_event()));
        let result = |event: &Event| match event {
            Event::RequestOutcome { request, result } => Some((*request, result.clone())),
            _ => None,
        };
        self.events.iter().filter_map(result).collect()
    }

    /// Returns why the only request did not succeed.
    fn error(&mut self) -> MessageRequestError {
        match &self.results()[..] {
            [(_, Err(error))] => error.clone(),
            results => panic!("{results:?}"),
        }
    }
}

#[test]
fn each_operation_returns_the_response() {
    let mut sim = Simulation::new(all_operations());
    sim.advance(SECOND);
    let requests = [
        query(),
        MessageRequest::cancel_sm(&CancelSm::default()),
        MessageRequest::replace_sm(&ReplaceSm::default()),
    ];
    let numbers: Vec<_> = requests.iter().map(|request| sim.request(request)).collect();
    sim.settle();
    let results = sim.results();
    assert_eq!(results.iter().map(|(number, _)| *number).collect::<Vec<_>>(), numbers);
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    let response = results[0].1.as_ref().unwrap().query_sm_resp().unwrap();
    assert_eq!((response.message_id.as_bytes(), response.message_state), (&b"7"[..], S::ENROUTE));
    assert_eq!(results[1].1.as_ref().unwrap().query_sm_resp(), None);
    sim.submit_status = vec![CommandStatus::RQUERYFAIL];
    sim.events.clear();
    sim.request(&query());
    sim.settle();
    assert_eq!(sim.error().status(), Some(CommandStatus::RQUERYFAIL));
}

#[test]
fn a_request_goes_before_the_messages_that_wait_and_needs_a_place_in_the_window() {
    let mut options = all_operations();
    options.session.window = 1;
    options.session.rate = None;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("a");
    sim.send("b");
    sim.request(&query());
    sim.settle();
    assert_eq!((sim.submitted.len(), sim.requested.len()), (1, 0), "the window is full");
    sim.answers = true;
    sim.answer_late(Ok("1"));
    assert_eq!((sim.submitted.len(), sim.results().len()), (2, 1));
}

#[test]
fn a_request_is_sent_once() {
    let mut sim = Simulation::new(all_operations());
    sim.advance(SECOND);
    sim.answers = false;
    sim.request(&query());
    sim.advance(60 * SECOND);
    assert_eq!(sim.error(), MessageRequestError::Unanswered(UnansweredReason::Timeout));
    assert!(!sim.error().is_safe_to_resend());
    assert_eq!(sim.requested.len(), 1);

    let mut sim = Simulation::new(all_operations());
    sim.advance(SECOND);
    sim.answers = false;
    sim.request(&query());
    sim.settle();
    sim.servers.clear();
    sim.account.handle_disconnect(sim.now, LinkId(0));
    sim.advance(60 * SECOND);
    let closed = UnansweredReason::Closed(CloseReason::Disconnected);
    assert_eq!((sim.error(), sim.requested.len()), (MessageRequestError::Unanswered(closed), 1));
}

#[test]
fn a_request_that_was_never_transmitted_goes_to_another_bind_unless_it_names_one() {
    for is_named in [false, true] {
        let mut sim = Simulation::new(all_operations());
        sim.advance(SECOND);
        let request = if is_named { query().bind(BindId::new(LinkId(0), 1)) } else { query() };
        sim.request(&request);
        // Nothing was transmitted.
        sim.servers.clear();
        sim.account.handle_disconnect(sim.now, LinkId(0));
        sim.advance(5 * SECOND);
        assert_eq!(sim.requested.len(), usize::from(!is_named));
        let [(_, result)] = &sim.results()[..] else { panic!() };
        let ended = Err(never_sent(RequestNotSentReason::BindEnded));
        assert_eq!((result.is_ok(), *result == ended), (!is_named, is_named), "{result:?}");
    }
}

#[test]
fn a_request_may_name_the_bind_that_sent_the_message() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..all_operations() });
    sim.advance(SECOND);
    let binds = [0, 1].map(|link| BindId::new(LinkId(link), 1));
    sim.request(&query().bind(binds[1]));
    sim.request(&query());
    sim.settle();
    let links: Vec<_> = sim.requested.iter().map(|(link, _)| link.index()).collect();
    assert_eq!(links, [0, 1], "the second goes on the first bind, whose octets are exchanged first");
    sim.events.clear();
    sim.account.handle_disconnect(sim.now, LinkId(1));
    sim.request(&query().bind(binds[1]));
    sim.settle();
    assert_eq!(sim.error(), never_sent(RequestNotSentReason::BindEnded));
    sim.events.clear();
    sim.advance(20 * SECOND);
    sim.request(&query().bind(binds[1]));
    assert_eq!(sim.error(), never_sent(RequestNotSentReason::BindEnded), "the slot has another bind");
}

/// Without that, the first bind would send each of these.
#[test]
fn a_request_that_names_no_bind_goes_on_the_one_that_sent_its_message() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..all_operations() });
    sim.advance(SECOND);
    let second = BindId::new(LinkId(1), 1);
    sim.account.submit(sim.now, &tracked("1").bind(second)).unwrap();
    sim.advance(SECOND);
    let without_receipts = SubmitSm { registered_delivery: RegisteredDelivery::empty(), ..template() };
    sim.account.submit(sim.now, &Message::text(&without_receipts, "2").bind(second)).unwrap();
    sim.advance(SECOND);
    sim.account.submit(sim.now, &tracked("3").bind(BindId::new(LinkId(0), 1))).unwrap();
    sim.advance(SECOND);
    let message_id = COctets::new(b"1").unwrap();
    let requests = [
        (query_of("1"), 1),
        (MessageRequest::cancel_sm(&CancelSm { message_id, ..CancelSm::default() }), 1),
        (MessageRequest::replace_sm(&ReplaceSm { message_id, ..ReplaceSm::default() }), 1),
        (query_of("1").bind(BindId::new(LinkId(0), 1)), 0),
        (query_of("2"), 0),
        (query_of("3"), 0),
        (query_of("unknown"), 0),
        (query_of(""), 0),
    ];
    for (request, link) in requests {
        sim.requested.clear();
        sim.request(&request);
        sim.settle();
        assert_eq!(sim.requested[0].0.index(), link, "{request:?}");
    }

    // The slot has another bind.
    sim.requested.clear();
    sim.servers.retain(|server| server.link != LinkId(1));
    sim.account.handle_disconnect(sim.now, LinkId(1));
    sim.request(&query_of("1"));
    sim.settle();
    sim.advance(20 * SECOND);
    sim.request(&query_of("1"));
    sim.settle();
    assert_eq!(sim.requested, [(LinkId(0), CommandId::QUERY_SM); 2]);
}

#[test]
fn a_request_waits_for_the_bind_that_sent_its_message_until_that_ends() {
    let mut options = Options { binds: Binds::transceivers(2), ..all_operations() };
    options.session.window = 1;
    options.session.rate = None;
    let mut sim = Simulation::new(options);
    sim.advance(SECOND);
    sim.account.submit(sim.now, &tracked("1").bind(BindId::new(LinkId(1), 1))).unwrap();
    sim.advance(SECOND);
    sim.answers = false;
    sim.account.submit(sim.now, &tracked("2").bind(BindId::new(LinkId(1), 1))).unwrap();
    sim.settle();
    let numbers = [sim.request(&query_of("1")), sim.request(&query_of("1"))];
    sim.settle();
    assert_eq!(sim.requested, [], "the window of its bind is full");
    sim.answers = true;
    sim.servers.retain(|server| server.link != LinkId(1));
    sim.account.handle_disconnect(sim.now, LinkId(1));
    sim.settle();
    assert_eq!(sim.requested, [(LinkId(0), CommandId::QUERY_SM); 2]);
    assert_eq!(sim.results().into_iter().map(|(number, _)| number).collect::<Vec<_>>(), numbers);
}

#[test]
fn a_receiver_sends_no_request() {
    let mut sim = Simulation::new(Options { binds: Binds::pairs(1), ..all_operations() });
    sim.advance(SECOND);
    sim.request(&query().bind(BindId::new(LinkId(1), 1)));
    let state = NotSentReason::State(State::Bound(BindMode::Receiver));
    assert_eq!(sim.error(), never_sent(RequestNotSentReason::Request(state)));
    sim.request(&query());
    sim.settle();
    assert_eq!(sim.requested, [(LinkId(0), CommandId::QUERY_SM)]);
}

#[test]
fn a_request_expires_at_its_deadline_if_no_bind_can_send_it() {
    for (request, deadline) in [(query(), 10 * SECOND), (query().deadline(3 * SECOND), 3 * SECOND)] {
        let mut account = Account::<()>::new(all_operations(), Instant::ZERO).unwrap();
        let number = account.request(Instant::ZERO, &request).unwrap();
        assert_eq!(account.poll_timeout(), Some(Instant::ZERO + deadline));
        account.handle_timeout(Instant::ZERO + deadline * 99 / 100);
        assert!(account.poll_event().is_none());
        account.handle_timeout(Instant::ZERO + deadline);
        let Some(Event::RequestOutcome { request, result }) = account.poll_event() else { panic!() };
        assert_eq!((request, result), (number, Err(never_sent(RequestNotSentReason::Expired))));
        assert_eq!(account.poll_timeout(), None);
    }
}

#[test]
fn requests_are_bounded_and_can_be_withdrawn() {
    let options = Options { request_capacity: 2, ..all_operations() };
    let mut account = Account::<()>::new(options, Instant::ZERO).unwrap();
    let numbers = [(); 2].map(|()| account.request(Instant::ZERO, &query()).unwrap());
    assert_eq!(account.request(Instant::ZERO, &query()), Err(RequestNotSentReason::Full));
    account.withdraw_request(Instant::ZERO, numbers[0]);
    let Some(Event::RequestOutcome { request, result }) = account.poll_event() else { panic!() };
    assert_eq!((request, result), (numbers[0], Err(never_sent(RequestNotSentReason::Withdrawn))));
    assert!(account.request(Instant::ZERO, &query()).is_ok());
    account.withdraw_request(Instant::ZERO, numbers[0]);
    assert!(account.poll_event().is_none(), "it has its outcome");
}

#[test]
fn a_request_in_flight_is_not_withdrawn() {
    let mut sim = Simulation::new(all_operations());
    sim.advance(SECOND);
    let number = sim.request(&query());
    sim.account.withdraw_request(sim.now, number);
    sim.settle();
    assert!(matches!(&sim.results()[..], [(_, Ok(_))]));
}

#[test]
fn a_shutdown_ends_the_requests_that_wait_and_lets_the_others_finish() {
    let mut account = Account::<()>::new(all_operations(), Instant::ZERO).unwrap();
    account.request(Instant::ZERO, &query().deadline(60 * SECOND)).unwrap();
    account.shutdown(Instant::ZERO, SECOND);
    assert_eq!(account.request(Instant::ZERO, &query()), Err(RequestNotSentReason::ShutDown));
    account.handle_timeout(Instant::ZERO + SECOND);
    let Some(Event::RequestOutcome { result, .. }) = account.poll_event() else { panic!() };
    assert_eq!(result, Err(never_sent(RequestNotSentReason::ShutDown)));

    let mut sim = Simulation::new(all_operations());
    sim.advance(SECOND);
    sim.request(&query());
    sim.account.shutdown(sim.now, SECOND);
    sim.advance(20 * SECOND);
    assert!(matches!(&sim.results()[..], [(_, Ok(_))]));
    assert!(matches!(sim.events.last(), Some(Event::Closed { .. })));
}

#[test]
fn the_router_returns_the_outcome_of_a_request_once() {
    let mut sim = Simulation::new(all_operations());
    let mut router = EventRouter::<&str>::new(1);
    sim.advance(SECOND);
    sim.events.clear();
    let number = router.request(sim.now, &mut sim.account, &query()).unwrap();
    assert!(router.poll_request(number, &mut Some("asker")).is_pending());
    sim.settle();
    for event in core::mem::take(&mut sim.events) {
        router.handle_event(sim.now, &mut sim.account, event);
    }
    assert_eq!(router.take_wakers().collect::<Vec<_>>(), ["asker"]);
    assert!(matches!(router.poll_request(number, &mut None), core::task::Poll::Ready(Ok(_))));
    router.release_request(sim.now, &mut sim.account, number);

    sim.servers.clear();
    sim.account.handle_disconnect(sim.now, LinkId(0));
    let number = router.request(sim.now, &mut sim.account, &query()).unwrap();
    router.release_request(sim.now, &mut sim.account, number);
    assert_eq!(sim.error(), never_sent(RequestNotSentReason::Withdrawn), "no caller waits for it");
    let number = router.request(sim.now, &mut sim.account, &query()).unwrap();
    assert!(router.poll_request(number, &mut Some("asker")).is_pending());
    router.close();
    assert_eq!(router.take_wakers().collect::<Vec<_>>(), ["asker"]);
    let gone = router.poll_request(number, &mut None);
    assert_eq!(gone, core::task::Poll::Ready(Err(MessageRequestError::DriverGone)));
}

#[test]
fn a_shutdown_goes_on_when_the_last_request_is_withdrawn() {
    let mut sim = Simulation::new(all_operations());
    // The SMSC does not answer the bind.
    sim.mute = true;
    sim.settle();
    let request = sim.request(&query());
    sim.account.shutdown(sim.now, 60 * SECOND);
    let closed = |sim: &Simulation| sim.events.iter().any(|event| matches!(event, Event::Closed { .. }));
    sim.settle();
    assert!(!closed(&sim), "the request may still be sent");
    sim.account.withdraw_request(sim.now, request);
    sim.settle();
    assert!(closed(&sim));
    assert_eq!(sim.error(), never_sent(RequestNotSentReason::Withdrawn));
}
