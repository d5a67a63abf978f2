//! Receipts that go into the slots of their messages without an event: they have the same effects as those that are events.

use super::*;
use crate::account::{AccountStats, AwaitedReceipts};

/// What the callers see after a step.
#[derive(Debug, PartialEq)]
struct Seen {
    receipt: Option<Poll<Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts>>>,
    state: Option<Poll<Result<S, NoMoreReceipts>>>,
    awaited: Option<AwaitedReceipts>,
    arrival: Option<(DeliveryReceipt, Option<ReceiptMatch>, bool)>,
    wakers: Vec<&'static str>,
    unanswered: usize,
    refusals: Vec<CommandStatus>,
    stats: AccountStats,
    receipts: (usize, usize),
    binds: Vec<BindId>,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// A message of this many segments, whose receipts go to its caller or to the arrivals.
    Submit(usize, bool),
    Advance,
    Receipt(u8, &'static str),
    PollReceipt(usize),
    PollState(usize),
    /// Also consumes the state of the message, if that is known with the outcome.
    PollOutcome(usize, bool),
    Release(usize),
    /// Accepts the next arrival, or refuses it.
    Arrival(bool),
    CloseArrivals,
    Cut,
}

fn action() -> impl Strategy<Value = Action> {
    let message = || 0..5_usize;
    let stat = prop_oneof![Just("ENROUTE"), Just("DELIVRD"), Just("UNDELIV"), Just("EXPIRED")];
    prop_oneof![
        6 => (prop_oneof![4 => Just(1_usize), 1 => Just(2)], prop::bool::weighted(0.8))
            .prop_map(|(segments, to_sent)| Action::Submit(segments, to_sent)),
        6 => Just(Action::Advance),
        12 => (1..7_u8, stat).prop_map(|(id, stat)| Action::Receipt(id, stat)),
        4 => message().prop_map(Action::PollReceipt),
        4 => message().prop_map(Action::PollState),
        4 => (message(), any::<bool>()).prop_map(|(message, takes)| Action::PollOutcome(message, takes)),
        1 => message().prop_map(Action::Release),
        4 => any::<bool>().prop_map(Action::Arrival),
        1 => Just(Action::CloseArrivals),
        1 => Just(Action::Cut),
    ]
}

impl RouterTest {
    /// Returns a bound account whose router gets each event at once. `direct`: also the input.
    fn routed(max_arrivals: usize, direct: bool) -> Self {
        let mut test = Self::new(max_arrivals);
        test.sim.direct = direct;
        test
    }

    /// Lets the account, the SMSC and the router do what they can.
    fn run(&mut self, act: impl FnOnce(&mut Simulation)) {
        self.sim.router = Some(core::mem::replace(&mut self.router, EventRouter::new(0)));
        act(&mut self.sim);
        self.sim.settle();
        self.router = self.sim.router.take().unwrap();
    }

    fn act(&mut self, messages: &mut Vec<MessageNumber>, action: Action) -> Seen {
        let (mut receipt, mut state, mut awaited, mut arrival) = (None, None, None, None);
        match action {
            Action::Submit(segments, to_sent) => {
                let text = if segments == 1 { "Hello".into() } else { "A text that is cut. ".repeat(10) };
                let mut message = Message::text(&template(), text).key(*b"key");
                if !to_sent {
                    message = message.receipts_to(ReceiptDestination::Arrivals);
                }
                let number = self.submit(&message);
                self.run(|_| ());
                messages.push(number);
            }
            Action::Advance => self.run(|sim| sim.advance(SECOND)),
            Action::Receipt(id, stat) if self.sim.bound_links() > 0 => {
                let usual = alloc::format!(
                    "id:{id} sub:001 dlvrd:001 submit date:2601020304 done date:2601020304 stat:{stat} err:000 text:"
                );
                self.run(|sim| sim.receipt_text(0, &usual));
            }
            Action::PollReceipt(index) => {
                let message = messages.get(index);
                receipt = message.map(|message| self.router.poll_receipt(*message, &mut Some("sender")));
            }
            Action::PollState(index) => {
                let message = messages.get(index);
                state = message.map(|message| self.router.poll_message_state(*message, &mut Some("sender")));
            }
            Action::PollOutcome(index, takes_state) => {
                if let Some(message) = messages.get(index)
                    && let Ready(Ok((_, receipts))) =
                        self.router.poll_last_outcome(*message, &mut Some("sender"))
                {
                    awaited = Some(receipts);
                    if let AwaitedReceipts::State(known) = receipts
                        && takes_state
                    {
                        let polled = self.router.poll_message_state(*message, &mut None);
                        assert_eq!(polled, Ready(Ok(known)));
                    }
                }
            }
            Action::Release(index) => {
                if let Some(message) = messages.get(index) {
                    self.router.release(*message);
                }
            }
            Action::Arrival(accepts) => {
                if let Ready(Some(RoutedEvent::Receipt(receipt, matched, ack))) =
                    self.router.poll_arrival(&mut None)
                {
                    arrival = Some((receipt, matched, ack.is_some()));
                    if let Some(ack) = ack {
                        let result = if accepts { Ok(()) } else { Err(CommandStatus::RX_T_APPN) };
                        self.run(|sim| _ = sim.account.acknowledge(sim.now, ack, result));
                    }
                }
            }
            Action::CloseArrivals => {
                self.router.close_arrivals(self.sim.now, &mut self.sim.account);
                self.run(|_| ());
            }
            Action::Cut if self.sim.bound_links() > 0 => {
                let link = self.sim.servers[0].link;
                self.run(|sim| sim.cut(link));
            }
            Action::Receipt(..) | Action::Cut => {}
        }
        let mut wakers = self.take_wakers();
        wakers.sort_unstable();
        let account = &self.sim.account;
        let binds = receipt.iter().filter_map(|polled| match polled {
            Ready(Ok((receipt, _))) => Some(receipt.bind()),
            _ => None,
        });
        Seen {
            wakers,
            unanswered: self.unanswered(),
            refusals: self.sim.refusals.clone(),
            stats: account.stats(),
            receipts: (account.pending_receipts(), account.tracked_receipts()),
            binds: binds.collect(),
            receipt,
            state,
            awaited,
            arrival,
        }
    }
}

proptest! {
    #[test]
    fn callers_see_the_same_with_and_without_events(actions in prop::collection::vec(action(), 1..80)) {
        let (mut events, mut direct) = (RouterTest::routed(2, false), RouterTest::routed(2, true));
        let (mut messages, mut direct_messages) = (Vec::new(), Vec::new());
        for action in actions {
            let seen = events.act(&mut messages, action);
            prop_assert_eq!(&direct.act(&mut direct_messages, action), &seen, "{:?}", action);
        }
    }
}

#[test]
fn a_state_that_is_known_with_the_outcome_is_consumed_at_the_release() {
    let known = |test: &mut RouterTest| {
        let number = test.send("Hello");
        test.receipt(&number.to_string(), "DELIVRD");
        let Ready(Ok((_, receipts))) = test.router.poll_last_outcome(number, &mut None) else { panic!() };
        assert_eq!(receipts, AwaitedReceipts::State(S::DELIVERED));
        number
    };
    let mut test = RouterTest::new(2);
    // The caller has used the state.
    let number = known(&mut test);
    test.router.release_with_state(number);
    assert!(test.poll_arrival().is_none());
    // The caller has not.
    let number = known(&mut test);
    test.router.release(number);
    assert!(matches!(test.poll_arrival(), Some((S::DELIVERED, None))));
    // A later receipt that changes the state is not consumed.
    let number = known(&mut test);
    test.receipt(&number.to_string(), "UNDELIV");
    test.router.release_with_state(number);
    assert!(matches!(test.poll_arrival(), Some((S::UNDELIVERABLE, None))));
    // An intermediate receipt does not report it.
    let number = test.send("Hello");
    test.receipt(&number.to_string(), "ENROUTE");
    let Ready(Ok((_, receipts))) = test.router.poll_last_outcome(number, &mut None) else { panic!() };
    assert_eq!(receipts, AwaitedReceipts::Open);
}

#[test]
fn a_receipt_of_a_waiting_message_is_no_event() {
    let mut test = RouterTest::routed(1, true);
    let number = test.send("Hello");
    assert!(matches!(test.poll_outcome(number), Ready(Ok(_))));
    assert_eq!(test.poll_receipt(number), Pending);
    let receipt =
        "id:1 sub:001 dlvrd:001 submit date:2601020304 done date:2601020304 stat:DELIVRD err:000 text:";
    // A redelivery is acknowledged too, and is no further receipt.
    for _ in 0..2 {
        test.sim.receipt_text(0, receipt);
        // The events of the account would stay.
        test.sim.router = Some(core::mem::replace(&mut test.router, EventRouter::new(0)));
        assert!(test.sim.exchange());
        test.router = test.sim.router.take().unwrap();
        assert!(test.sim.account.poll_event().is_none());
        test.run(|_| ());
        assert_eq!((test.unanswered(), test.sim.refusals.len()), (0, 0));
    }
    assert_eq!(test.take_wakers(), ["sender"]);
    assert_eq!(test.poll_receipt(number), Ready(Ok(S::DELIVERED)));
    assert_eq!(test.poll_receipt(number), Ready(Err(NoMoreReceipts::AllReceived)));
}

#[test]
fn a_receipt_behind_an_event_waits_until_the_event_is_handled() {
    let mut test = RouterTest::new(9);
    let number = test.send("Hello");
    assert_eq!(test.poll_outcome(number), Ready(Ok(vec!["1".into()])));
    // One read has a receipt that matches no message, which is an event, and that of the message.
    for id in ["99", "1"] {
        test.sim.receipt_text(0, &alloc::format!(
            "id:{id} sub:001 dlvrd:001 submit date:2601020304 done date:2601020304 stat:DELIVRD err:000 text:"
        ));
    }
    let session = &mut test.sim.servers[0].session;
    let mut octets = Vec::new();
    assert!(session.poll_transmit(&mut octets));
    session.handle_transmitted(octets.len());
    test.router.handle_input(test.sim.now, &mut test.sim.account, LinkId(0), &mut &octets[..]);
    assert_eq!(test.poll_receipt(number), Pending);
    test.route_events();
    assert_eq!(test.poll_receipt(number), Ready(Ok(S::DELIVERED)));
}
