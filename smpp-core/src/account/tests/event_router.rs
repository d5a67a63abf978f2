//! The event router: which caller gets which event, which waiter is woken, and what happens to events that are not
//! fetched.

mod bounds;
mod direct;

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll::{self, Pending, Ready};

use proptest::prelude::*;

use super::*;

/// An account, and a router for the callers that wait for its events.
struct RouterTest {
    sim: Simulation,
    router: EventRouter<&'static str>,
}

impl RouterTest {
    /// Returns a bound account, and a router that buffers up to `max_arrivals`.
    fn new(max_arrivals: usize) -> Self {
        let mut test = Self { sim: Simulation::new(options()), router: EventRouter::new(max_arrivals) };
        test.advance(SECOND);
        test
    }

    fn advance(&mut self, time: Duration) {
        self.sim.advance(time);
        self.route_events();
    }

    /// Passes all events of this time to the router.
    fn route_events(&mut self) {
        loop {
            self.sim.settle();
            let events = core::mem::take(&mut self.sim.events);
            if events.is_empty() {
                return;
            }
            for event in events {
                self.router.handle_event(self.sim.now, &mut self.sim.account, event);
            }
        }
    }

    fn submit(&mut self, message: &Message) -> MessageNumber {
        self.router.submit(self.sim.now, &mut self.sim.account, message).unwrap()
    }

    /// Sends a message, which the SMSC accepts.
    fn send(&mut self, text: &str) -> MessageNumber {
        let number = self.submit(&Message::text(&template(), text));
        self.advance(SECOND);
        number
    }

    /// Delivers a receipt.
    fn receipt(&mut self, id: &str, stat: &str) {
        self.sim.receipt(0, id, stat);
        self.route_events();
    }

    /// Polls for the next receipt of a message.
    fn poll_receipt(&mut self, message: MessageNumber) -> Poll<Result<S, NoMoreReceipts>> {
        self.router
            .poll_receipt(message, &mut Some("sender"))
            .map(|found| found.map(|(receipt, _)| receipt.state))
    }

    fn poll_outcome(&mut self, message: MessageNumber) -> Poll<Result<Vec<String>, SendError>> {
        let text = |accepted: AcceptedMessage| accepted.ids().iter().map(ToString::to_string).collect();
        self.router.poll_outcome(message, &mut Some("sender")).map(|found| found.map(text))
    }

    /// Polls for the next arrival, which must be a receipt: its state and its ack.
    fn poll_arrival(&mut self) -> Option<(S, Option<Ack>)> {
        match self.router.poll_arrival(&mut Some("receiver")) {
            Pending | Ready(None) => None,
            Ready(Some(RoutedEvent::Receipt(receipt, _, ack))) => Some((receipt.state, ack)),
            Ready(other) => panic!("{other:?}"),
        }
    }

    fn acknowledge(&mut self, ack: Ack) {
        self.sim.account.acknowledge(self.sim.now, ack, Ok(())).unwrap();
        self.route_events();
    }

    fn close_arrivals(&mut self) {
        self.router.close_arrivals(self.sim.now, &mut self.sim.account);
        self.route_events();
    }

    fn take_wakers(&mut self) -> Vec<&'static str> {
        self.router.take_wakers().collect()
    }

    /// Returns how many deliveries have no response yet.
    fn unanswered(&self) -> usize {
        self.sim.servers.iter().map(|server| server.session.in_flight()).sum()
    }
}

#[test]
fn a_waiter_is_woken_once_for_all_events_since_it_polled() {
    let mut test = RouterTest::new(1);
    let number = test.submit(&Message::text(&template(), "Hello"));
    let mut waiter = Some("first");
    assert_eq!((test.router.poll_outcome(number, &mut waiter), waiter), (Pending, None));
    waiter = Some("sender");
    assert_eq!(test.router.poll_outcome(number, &mut waiter), Pending);
    assert_eq!(waiter, Some("first"), "a later waiter replaces it");
    assert!(test.take_wakers().is_empty());
    test.advance(SECOND);
    assert_eq!(test.take_wakers(), ["sender"]);
    assert_eq!(test.poll_outcome(number), Ready(Ok(vec!["1".into()])));
    assert_eq!(test.poll_receipt(number), Pending);
    test.receipt("1", "ENROUTE");
    test.receipt("1", "DELIVRD");
    assert_eq!(test.take_wakers(), ["sender"]);
    assert!(test.take_wakers().is_empty());
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 0), "both receipts are acknowledged");
    assert_eq!(test.poll_receipt(number), Ready(Ok(S::ENROUTE)));
    assert_eq!(test.poll_receipt(number), Ready(Ok(S::DELIVERED)));
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::AllReceived)));
}

#[test]
fn the_state_of_a_message_consumes_the_receipts_up_to_its_final_one() {
    let mut test = RouterTest::new(1);
    let number = test.send("Hello");
    let poll = |test: &mut RouterTest| test.router.poll_message_state(number, &mut Some("sender"));
    test.receipt("1", "ENROUTE");
    assert_eq!(poll(&mut test), Pending);
    test.receipt("1", "UNDELIV");
    test.receipt("1", "DELIVRD");
    assert_eq!(test.take_wakers(), ["sender"]);
    assert_eq!(poll(&mut test), Ready(Ok(S::UNDELIVERABLE)));
    assert_eq!(test.poll_receipt(number), Ready(Ok(S::DELIVERED)), "the change is left");
    assert_eq!(poll(&mut test), Ready(Err(NoMoreReceipts::AllReceived)));
}

/// The router acknowledges a receipt while the adapter polls the events. What the account does next follows the last event.
#[test]
fn an_acknowledgement_of_the_router_is_followed_by_a_turn_of_the_account() {
    let mut test = RouterTest::new(1);
    test.send("Hello");
    test.sim.receipt(0, "1", "DELIVRD");
    test.sim.settle();
    let event = test.sim.events.pop().unwrap();
    assert!(test.sim.account.acknowledged_at.is_none());
    test.router.handle_event(test.sim.now, &mut test.sim.account, event);
    assert_eq!(test.sim.account.acknowledged_at, Some(test.sim.now));
    assert!(test.sim.account.poll_event().is_none() && test.sim.account.acknowledged_at.is_none());
}

#[test]
fn the_outcome_of_a_refused_message_has_all_segments() {
    let mut test = RouterTest::new(1);
    test.sim.submit_status = vec![CommandStatus::ROK, CommandStatus::RINVDSTADR];
    let number = test.send(&"A text that is cut. ".repeat(12));
    let Ready(Err(SendError::Failed { message, outcome, .. })) = test.poll_outcome(number) else { panic!() };
    let accepted: Vec<_> = outcome.segments.iter().map(SegmentOutcome::is_accepted).collect();
    assert_eq!((message, accepted), (number, vec![true, false]));
    // The sender cannot fetch the receipt of a refused message: it becomes an arrival.
    test.receipt("1", "DELIVRD");
    assert!(matches!(test.poll_arrival(), Some((S::DELIVERED, Some(_)))));
}

#[test]
fn a_message_that_requests_no_receipts_waits_for_none() {
    let mut test = RouterTest::new(1);
    let template = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..template() };
    let number = test.submit(&Message::text(&template, "Hello"));
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::NotRequested)));
    test.advance(SECOND);
    test.receipt("1", "DELIVRD");
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::NotRequested)));
    assert!(test.poll_arrival().is_some());
}

#[test]
fn poll_receipt_says_why_no_receipt_will_arrive() {
    // The SMSC gave the message no id.
    let mut test = RouterTest::new(1);
    test.sim.id = Some("");
    let number = test.send("Hello");
    assert_eq!(test.poll_outcome(number), Ready(Ok(vec![String::new()])));
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::NotReceived)));

    // The receipt did not arrive in time.
    let mut test = RouterTest::new(1);
    let number = test.send("Hello");
    assert_eq!(test.poll_receipt(number), Pending);
    test.router.handle_event(
        test.sim.now,
        &mut test.sim.account,
        Event::ReceiptsExpired { message: number, key: None, ids: Vec::new() },
    );
    assert_eq!(test.take_wakers(), ["sender"]);
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::NotReceived)));
    // A late receipt becomes an arrival.
    test.receipt("1", "DELIVRD");
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::NotReceived)));
    assert!(matches!(test.poll_arrival(), Some((S::DELIVERED, Some(_)))));
}

#[test]
fn the_receipts_of_a_message_are_bounded() {
    let mut test = RouterTest::new(1);
    let number = test.send("Hello");
    let matched = receipt_match(number, (0, 1), 1, None);
    for _ in 0..1_025 {
        test.sim.receipt(0, "7", "ENROUTE");
        test.sim.settle();
        let Some(Event::Receipt { receipt, ack, .. }) = test.sim.events.pop() else { panic!() };
        let event = Event::Receipt { receipt, matched: Some(matched.clone()), ack };
        test.router.handle_event(test.sim.now, &mut test.sim.account, event);
        test.route_events();
    }
    assert_eq!((test.unanswered(), &test.sim.refusals[..]), (0, &[CommandStatus::RX_T_APPN][..]));
    assert_eq!((0..2_000).take_while(|_| test.poll_receipt(number).is_ready()).count(), 1_024);
}

#[test]
fn receipts_of_a_released_message_become_arrivals_beyond_the_limit() {
    let mut test = RouterTest::new(1);
    let number = test.send("Hello");
    for stat in ["ENROUTE", "ACCEPTD"] {
        test.receipt("1", stat);
    }
    test.receipt("7", "DELIVRD");
    assert_eq!(test.poll_receipt(number), Ready(Ok(S::ENROUTE)));
    test.receipt("1", "UNKNOWN");
    assert_eq!(test.unanswered(), 1, "the receipt of the unknown message");
    test.router.release(number);
    let (state, ack) = test.poll_arrival().unwrap();
    assert_eq!(state, S::DELIVERED);
    test.acknowledge(ack.unwrap());
    // The limit doubles for receipts that are acknowledged already.
    assert!(matches!(test.poll_arrival(), Some((S::ACCEPTED, None))));
    assert!(test.poll_arrival().is_none());
    // Later receipts are acknowledged by the caller that fetches them.
    test.receipt("1", "DELIVRD");
    assert_eq!((test.take_wakers(), test.unanswered()), (vec!["receiver"], 1));
    assert!(matches!(test.poll_arrival(), Some((S::DELIVERED, Some(_)))));
    assert_eq!(test.poll_outcome(number), Ready(Err(SendError::DriverGone)), "it has no slot any more");
}

#[test]
fn arrivals_beyond_the_limit_are_refused() {
    let mut test = RouterTest::new(1);
    assert!(test.poll_arrival().is_none());
    test.receipt("7", "DELIVRD");
    assert_eq!((test.take_wakers(), test.unanswered()), (vec!["receiver"], 1));
    test.receipt("8", "DELIVRD");
    assert_eq!((test.unanswered(), &test.sim.refusals[..]), (1, &[CommandStatus::RX_T_APPN][..]));
    let (_, ack) = test.poll_arrival().unwrap();
    test.acknowledge(ack.unwrap());
    assert_eq!(test.unanswered(), 0);
    // There is capacity again.
    test.sim.deliver(0, &DeliverSm::default());
    test.route_events();
    let Ready(Some(RoutedEvent::Message(message, ack))) = test.router.poll_arrival(&mut Some("receiver"))
    else {
        panic!()
    };
    assert_eq!(message.text().as_deref(), Some(""));
    test.acknowledge(ack);
    assert_eq!(test.sim.refusals.len(), 1);
}

#[test]
fn after_close_arrivals_own_receipts_are_acknowledged_and_the_rest_is_refused() {
    let mut test = RouterTest::new(1);
    let (open, released) = (test.send("Hello"), test.send("Hello"));
    test.receipt("2", "ENROUTE");
    test.receipt("7", "DELIVRD");
    test.close_arrivals();
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 1), "the buffered one is refused");
    test.receipt("8", "DELIVRD");
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 2), "the new one is refused");
    test.router.release(released);
    assert!(test.poll_arrival().is_none());
    test.receipt("2", "DELIVRD");
    test.receipt("1", "DELIVRD");
    assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 2));
    assert_eq!(test.poll_receipt(open), Ready(Ok(S::DELIVERED)));
    assert!(test.poll_arrival().is_none());
}

#[test]
fn receipts_to_arrivals_are_never_acknowledged_before_the_application_has_them() {
    let mut test = RouterTest::new(2);
    let message = Message::text(&template(), "Hello").key("row 1").receipts_to(ReceiptDestination::Arrivals);
    let number = test.submit(&message);
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::ToArrivals)));
    test.advance(SECOND);
    assert_eq!(test.poll_outcome(number), Ready(Ok(vec!["1".into()])));
    test.receipt("1", "ENROUTE");
    assert_eq!(test.unanswered(), 1, "it is not acknowledged yet");
    let Ready(Some(RoutedEvent::Receipt(_, Some(matched), Some(ack)))) =
        test.router.poll_arrival(&mut Some("receiver"))
    else {
        panic!()
    };
    assert_eq!(matched.key.unwrap().as_bytes(), b"row 1");
    test.acknowledge(ack);
    test.router.release(number);
    // Without an application that could store it, the SMSC keeps it.
    test.receipt("1", "ACCEPTD");
    test.close_arrivals();
    test.receipt("1", "DELIVRD");
    assert_eq!((test.unanswered(), &test.sim.refusals[..]), (0, &[CommandStatus::RX_T_APPN; 2][..]));
}

#[test]
fn failures_and_late_outcomes_have_the_key() {
    let mut test = RouterTest::new(1);
    test.sim.answers = false;
    let number = test.submit(&Message::text(&template(), "Hello").key("row 1"));
    test.advance(15 * SECOND);
    let Ready(Err(SendError::Failed { key: Some(key), .. })) = test.router.poll_outcome(number, &mut None)
    else {
        panic!()
    };
    assert_eq!(key.as_bytes(), b"row 1");
    test.sim.answer_late(Ok("late"));
    test.route_events();
    let Ready(Some(RoutedEvent::LateOutcome { message, key: Some(late), segment: 0, .. })) =
        test.router.poll_arrival(&mut None)
    else {
        panic!()
    };
    assert_eq!((message, late), (number, key));
}

#[test]
fn close_arrivals_wakes_the_waiter() {
    let mut test = RouterTest::new(1);
    assert!(test.router.poll_arrival(&mut Some("receiver")).is_pending());
    test.close_arrivals();
    assert_eq!(test.take_wakers(), ["receiver"]);
    assert!(matches!(test.router.poll_arrival(&mut Some("receiver")), Ready(None)));
}

#[test]
fn all_waits_end_with_the_account() {
    let mut test = RouterTest::new(2);
    test.receipt("7", "DELIVRD");
    let number = test.send("Hello");
    assert_eq!(test.poll_receipt(number), Pending);
    test.sim.account.shutdown(test.sim.now, Duration::ZERO);
    assert!(!test.router.is_over());
    test.advance(20 * SECOND);
    assert!(test.router.is_over());
    assert_eq!(test.take_wakers(), ["sender"]);
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::Closed)));
    assert_eq!(test.poll_outcome(number), Ready(Ok(vec!["1".into()])));
    let unresolved = test.router.take_unresolved();
    assert!(matches!(&unresolved[..], [Unresolved::NoReceipt { message, .. }] if *message == number));
    assert!(test.router.take_unresolved().is_empty());
    // The buffered arrival is still there.
    assert!(test.poll_arrival().is_some());
    assert!(matches!(test.router.poll_arrival(&mut Some("receiver")), Ready(None)));
}

#[test]
fn close_ends_all_waits_with_driver_gone() {
    let mut test = RouterTest::new(1);
    let number = test.submit(&Message::text(&template(), "Hello"));
    assert_eq!(test.poll_outcome(number), Pending);
    assert!(test.poll_arrival().is_none());
    test.router.close();
    assert_eq!(test.take_wakers(), ["receiver", "sender"]);
    assert_eq!(test.poll_outcome(number), Ready(Err(SendError::DriverGone)));
    assert!(matches!(test.router.poll_arrival(&mut Some("receiver")), Ready(None)));
}

#[test]
fn the_first_bind_result_does_not_change() {
    assert_eq!(RouterTest::new(1).router.first_bind(), Some(Ok(())));

    let mut test = RouterTest { sim: Simulation::new(options()), router: EventRouter::new(1) };
    test.sim.bind_status = vec![CommandStatus::RINVPASWD];
    assert_eq!(test.router.first_bind(), None);
    test.advance(SECOND);
    let first_bind = test.router.first_bind();
    let status = CommandStatus::RINVPASWD;
    assert!(
        matches!(first_bind, Some(Err(FirstBindError::Refused { status: refused, .. })) if refused == status)
    );

    let mut test = RouterTest { sim: Simulation::new(options()), router: EventRouter::new(1) };
    let link = test.sim.account.links().next().unwrap().0;
    let now = test.sim.now;
    let mut first_bind = |event| {
        test.router.handle_event(now, &mut test.sim.account, Event::Link { link, event });
        test.router.first_bind()
    };
    let connect_failed = |failure, retry_in| LinkEvent::ConnectFailed {
        address: address(1),
        failure,
        detail: "".into(),
        retry_in,
    };
    assert_eq!(first_bind(connect_failed(ConnectFailure::Network, Some(SECOND))), None);
    assert_eq!(first_bind(connect_failed(ConnectFailure::Untrusted, None)), None, "other addresses are left");
    let untrusted = Some(Err(FirstBindError::Untrusted));
    assert_eq!(first_bind(connect_failed(ConnectFailure::Untrusted, Some(SECOND))), untrusted);
    assert_eq!(
        first_bind(LinkEvent::Bound {
            bind: BindId::new(LinkId(0), 1),
            mode: BindMode::Transceiver,
            address: address(1)
        }),
        untrusted
    );
}

const SENDERS: [&str; 4] = ["first", "second", "third", "fourth"];

/// What a sender waits for.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Outcome,
    Receipt,
}

/// A step of a random test whose messages have one sender each.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    /// A second passes, and the SMSC answers the messages.
    Advance,
    Receipt(usize, &'static str),
    Poll(usize, Wait),
    Release(usize),
    PollArrivals,
    CloseArrivals,
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    let sender = || 0..SENDERS.len();
    let stat = prop_oneof![Just("ENROUTE"), Just("DELIVRD"), Just("EXPIRED")];
    prop_oneof![
        4 => Just(Step::Submit),
        4 => Just(Step::Advance),
        8 => (sender(), stat).prop_map(|(sender, stat)| Step::Receipt(sender, stat)),
        4 => sender().prop_map(|sender| Step::Poll(sender, Wait::Outcome)),
        8 => sender().prop_map(|sender| Step::Poll(sender, Wait::Receipt)),
        2 => sender().prop_map(Step::Release),
        6 => Just(Step::PollArrivals),
        1 => Just(Step::CloseArrivals),
        1 => Just(Step::Shutdown),
    ]
}

impl RouterTest {
    /// Returns whether the poll was ready, and whether it returned a receipt.
    fn poll(&mut self, sender: usize, message: MessageNumber, wait: Wait) -> (bool, bool) {
        let mut waiter = Some(SENDERS[sender]);
        match wait {
            Wait::Outcome => (self.router.poll_outcome(message, &mut waiter).is_ready(), false),
            Wait::Receipt => match self.router.poll_receipt(message, &mut waiter) {
                Ready(found) => (true, found.is_ok()),
                Pending => (false, false),
            },
        }
    }
}

proptest! {
    /// No waiter sleeps while its event is there, and every acknowledged receipt is returned while arrivals are open.
    #[test]
    fn every_waiter_is_woken_and_every_receipt_is_returned(steps in prop::collection::vec(step(), 1..60)) {
        let mut test = RouterTest::new(1_000);
        let mut messages: Vec<MessageNumber> = Vec::new();
        let mut waiting: [Option<Wait>; SENDERS.len()] = [None; SENDERS.len()];
        let mut receiver_waits = false;
        let (mut delivered, mut returned, mut accepts_arrivals, mut is_running) = (Vec::new(), 0, true, true);
        for step in steps {
            match step {
                Step::Submit if messages.len() < SENDERS.len() && is_running => {
                    messages.push(test.submit(&Message::text(&template(), "Hello")));
                }
                Step::Advance => test.advance(SECOND),
                Step::Receipt(sender, stat) if sender < test.sim.submitted.len() && test.sim.bound_links() > 0 => {
                    let is_new = !delivered.contains(&(sender, "DELIVRD"))
                        && !delivered.contains(&(sender, "EXPIRED")) && !delivered.contains(&(sender, stat));
                    if is_new {
                        delivered.push((sender, stat));
                        test.receipt(&(sender + 1).to_string(), stat);
                    }
                }
                Step::Poll(sender, wait) if sender < messages.len() => {
                    let (is_ready, is_receipt) = test.poll(sender, messages[sender], wait);
                    returned += usize::from(is_receipt);
                    waiting[sender] = if is_ready { None } else { Some(wait) };
                }
                Step::Release(sender) if sender < messages.len() => {
                    test.router.release(messages[sender]);
                    waiting[sender] = None;
                }
                Step::PollArrivals => match test.router.poll_arrival(&mut Some("receiver")) {
                    Pending => receiver_waits = true,
                    Ready(found) => {
                        receiver_waits = false;
                        if let Some(RoutedEvent::Receipt(_, _, ack)) = found {
                            returned += 1;
                            let _ = ack.map(|ack| test.sim.account.acknowledge(test.sim.now, ack, Ok(())));
                            test.route_events();
                        }
                    }
                }
                Step::CloseArrivals => {
                    test.close_arrivals();
                    accepts_arrivals = false;
                }
                Step::Shutdown => {
                    test.sim.account.shutdown(test.sim.now, Duration::ZERO);
                    test.route_events();
                    is_running = false;
                }
                _ => {}
            }
            for waker in test.take_wakers() {
                receiver_waits &= waker != "receiver";
                for (sender, wait) in SENDERS.iter().zip(&mut waiting) {
                    *wait = wait.filter(|_| *sender != waker);
                }
            }
            for (sender, wait) in waiting.into_iter().enumerate() {
                let Some(wait) = wait else { continue };
                prop_assert!(!test.poll(sender, messages[sender], wait).0, "{} was not woken", SENDERS[sender]);
            }
            prop_assert!(!receiver_waits || test.router.poll_arrival(&mut Some("receiver")).is_pending());
        }
        for message in messages {
            test.router.release(message);
        }
        while let Ready(Some(RoutedEvent::Receipt(_, _, ack))) = test.router.poll_arrival(&mut None) {
            returned += 1;
            let _ = ack.map(|ack| test.sim.account.acknowledge(test.sim.now, ack, Ok(())));
            test.route_events();
        }
        if accepts_arrivals {
            prop_assert_eq!(returned, delivered.len());
        }
    }
}
