//! Who is told what, when, and what becomes of what nobody fetches.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll::{self, Pending, Ready};

use proptest::prelude::*;

use super::*;

/// An account whose users wait at a desk.
struct Hall {
    world: World,
    desk: EventRouter<&'static str>,
}

impl Hall {
    /// Bound, with room for so many arrivals.
    fn new(max_arrivals: usize) -> Self {
        let mut hall = Self { world: World::new(options()), desk: EventRouter::new(max_arrivals) };
        hall.pass(SECOND);
        hall
    }

    fn pass(&mut self, time: Duration) {
        self.world.pass(time);
        self.tell();
    }

    /// Passes on all that happens now.
    fn tell(&mut self) {
        loop {
            self.world.settle();
            let events = core::mem::take(&mut self.world.events);
            if events.is_empty() {
                return;
            }
            for event in events {
                self.desk.handle_event(self.world.now, &mut self.world.account, event);
            }
        }
    }

    fn submit(&mut self, message: &Message) -> MessageNumber {
        self.desk.submit(self.world.now, &mut self.world.account, message).unwrap()
    }

    /// Sends a message that the SMSC accepts.
    fn send(&mut self, text: &str) -> MessageNumber {
        let number = self.submit(&Message::text(&template(), text));
        self.pass(SECOND);
        number
    }

    /// A receipt comes.
    fn receipt(&mut self, id: &str, stat: &str) {
        self.world.receipt(0, id, stat);
        self.tell();
    }

    /// What the owner of a message finds, once.
    fn next(&mut self, message: MessageNumber) -> Poll<Result<S, NoMoreReceipts>> {
        self.desk
            .poll_receipt(message, &mut Some("owner"))
            .map(|found| found.map(|(receipt, _)| receipt.state))
    }

    fn outcome(&mut self, message: MessageNumber) -> Poll<Result<Vec<String>, SendError>> {
        let text = |ids: Vec<MessageId>| ids.iter().map(ToString::to_string).collect();
        self.desk.poll_outcome(message, &mut Some("owner")).map(|found| found.map(text))
    }

    /// The next that has arrived, which has to be a receipt: its state, and the right to answer it.
    fn arrival(&mut self) -> Option<(S, Option<Ack>)> {
        match self.desk.poll_arrival(&mut Some("receiver")) {
            Pending | Ready(None) => None,
            Ready(Some(RoutedEvent::Receipt(receipt, _, ack))) => Some((receipt.state, ack)),
            Ready(other) => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, ack: Ack) {
        self.world.account.acknowledge(self.world.now, ack, Ok(())).unwrap();
        self.tell();
    }

    fn close_arrivals(&mut self) {
        self.desk.close_arrivals(self.world.now, &mut self.world.account);
        self.tell();
    }

    fn woken(&mut self) -> Vec<&'static str> {
        self.desk.woken().collect()
    }

    /// What the SMSC has no answer for.
    fn unanswered(&self) -> usize {
        self.world.servers.iter().map(|server| server.session.in_flight()).sum()
    }
}

#[test]
fn who_waits_for_a_message_is_woken_once_for_each_thing_told() {
    let mut hall = Hall::new(1);
    let number = hall.submit(&Message::text(&template(), "Hello"));
    let mut waiter = Some("the first");
    assert_eq!((hall.desk.poll_outcome(number, &mut waiter), waiter), (Pending, None));
    waiter = Some("owner");
    assert_eq!(hall.desk.poll_outcome(number, &mut waiter), Pending);
    assert_eq!(waiter, Some("the first"), "its place is taken");
    assert!(hall.woken().is_empty());
    hall.pass(SECOND);
    assert_eq!(hall.woken(), ["owner"]);
    assert_eq!(hall.outcome(number), Ready(Ok(vec!["1".into()])));
    assert_eq!(hall.next(number), Pending);
    hall.receipt("1", "ENROUTE");
    hall.receipt("1", "DELIVRD");
    assert_eq!(hall.woken(), ["owner"]);
    assert!(hall.woken().is_empty());
    assert_eq!((hall.unanswered(), hall.world.refusals.len()), (0, 0), "they are acknowledged");
    assert_eq!(hall.next(number), Ready(Ok(S::ENROUTE)));
    assert_eq!(hall.next(number), Ready(Ok(S::DELIVERED)));
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::AllReceived)));
}

#[test]
fn what_becomes_of_a_message_that_is_not_accepted_is_told_whole() {
    let mut hall = Hall::new(1);
    hall.world.submit_status = vec![CommandStatus::ROK, CommandStatus::RINVDSTADR];
    let number = hall.send(&"A text that is cut. ".repeat(12));
    let Ready(Err(SendError::Failed { message, outcome })) = hall.outcome(number) else { panic!() };
    let accepted: Vec<_> = outcome.segments.iter().map(SegmentOutcome::is_accepted).collect();
    assert_eq!((message, accepted), (number, vec![true, false]));
    // Its owner has no way to fetch a receipt of the part.
    hall.receipt("1", "DELIVRD");
    assert!(matches!(hall.arrival(), Some((S::DELIVERED, Some(_)))));
}

#[test]
fn who_has_not_asked_for_receipts_waits_for_none() {
    let mut hall = Hall::new(1);
    let template = SubmitSm { registered_delivery: RegisteredDelivery::default(), ..template() };
    let number = hall.submit(&Message::text(&template, "Hello"));
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::NotRequested)));
    hall.pass(SECOND);
    hall.receipt("1", "DELIVRD");
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::NotRequested)));
    assert!(hall.arrival().is_some());
}

#[test]
fn who_waits_for_a_receipt_hears_that_none_comes() {
    // No id that a receipt could name.
    let mut hall = Hall::new(1);
    hall.world.id = Some("");
    let number = hall.send("Hello");
    assert_eq!(hall.outcome(number), Ready(Ok(vec![String::new()])));
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::NotReceived)));

    // Not in time.
    let mut hall = Hall::new(1);
    let number = hall.send("Hello");
    assert_eq!(hall.next(number), Pending);
    hall.desk.handle_event(
        hall.world.now,
        &mut hall.world.account,
        Event::ReceiptsExpired { message: number, ids: Vec::new() },
    );
    assert_eq!(hall.woken(), ["owner"]);
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::NotReceived)));
    // If it comes after all, whoever fetches what arrives answers it.
    hall.receipt("1", "DELIVRD");
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::NotReceived)));
    assert!(matches!(hall.arrival(), Some((S::DELIVERED, Some(_)))));
}

#[test]
fn receipts_that_an_owner_does_not_fetch_have_a_bound() {
    let mut hall = Hall::new(1);
    let number = hall.send("Hello");
    let about = ReceiptMatch { message: number, segment: 0, segments: 1, pending: 1, message_state: None };
    for _ in 0..1_025 {
        hall.world.receipt(0, "7", "ENROUTE");
        hall.world.settle();
        let Some(Event::Receipt { receipt, ack, .. }) = hall.world.events.pop() else { panic!() };
        let event = Event::Receipt { receipt, about: Some(about), ack };
        hall.desk.handle_event(hall.world.now, &mut hall.world.account, event);
        hall.tell();
    }
    assert_eq!((hall.unanswered(), &hall.world.refusals[..]), (0, &[CommandStatus::RX_T_APPN][..]));
    assert_eq!((0..2_000).take_while(|_| hall.next(number).is_ready()).count(), 1_024);
}

#[test]
fn what_a_message_leaves_arrives_without_taking_the_room_of_others_for_ever() {
    let mut hall = Hall::new(1);
    let number = hall.send("Hello");
    for stat in ["ENROUTE", "ACCEPTD"] {
        hall.receipt("1", stat);
    }
    hall.receipt("7", "DELIVRD");
    assert_eq!(hall.next(number), Ready(Ok(S::ENROUTE)));
    hall.receipt("1", "UNKNOWN");
    assert_eq!(hall.unanswered(), 1, "that of the unknown message");
    hall.desk.release(number);
    let (state, ack) = hall.arrival().unwrap();
    assert_eq!(state, S::DELIVERED);
    hall.answer(ack.unwrap());
    // As much again as may arrive, and these cannot be answered any more.
    assert!(matches!(hall.arrival(), Some((S::ACCEPTED, None))));
    assert!(hall.arrival().is_none());
    // What is still to come is theirs to answer who fetch it.
    hall.receipt("1", "DELIVRD");
    assert_eq!((hall.woken(), hall.unanswered()), (vec!["receiver"], 1));
    assert!(matches!(hall.arrival(), Some((S::DELIVERED, Some(_)))));
    assert_eq!(hall.outcome(number), Ready(Err(SendError::DriverGone)), "it has no place any more");
}

#[test]
fn what_there_is_no_room_for_is_left_to_the_smsc() {
    let mut hall = Hall::new(1);
    assert!(hall.arrival().is_none());
    hall.receipt("7", "DELIVRD");
    assert_eq!((hall.woken(), hall.unanswered()), (vec!["receiver"], 1));
    hall.receipt("8", "DELIVRD");
    assert_eq!((hall.unanswered(), &hall.world.refusals[..]), (1, &[CommandStatus::RX_T_APPN][..]));
    let (_, ack) = hall.arrival().unwrap();
    hall.answer(ack.unwrap());
    assert_eq!(hall.unanswered(), 0);
    // There is room again.
    hall.world.deliver(0, &DeliverSm::default());
    hall.tell();
    let Ready(Some(RoutedEvent::Message(message, ack))) = hall.desk.poll_arrival(&mut Some("receiver"))
    else {
        panic!()
    };
    assert_eq!(message.text().as_deref(), Some(""));
    hall.answer(ack);
    assert_eq!(hall.world.refusals.len(), 1);
}

#[test]
fn where_nobody_fetches_own_receipts_are_accepted_and_the_rest_is_left_to_the_smsc() {
    let mut hall = Hall::new(1);
    let (kept, released) = (hall.send("Hello"), hall.send("Hello"));
    hall.receipt("2", "ENROUTE");
    hall.receipt("7", "DELIVRD");
    hall.close_arrivals();
    assert_eq!((hall.unanswered(), hall.world.refusals.len()), (0, 1), "what waited");
    hall.receipt("8", "DELIVRD");
    assert_eq!((hall.unanswered(), hall.world.refusals.len()), (0, 2), "what comes");
    hall.desk.release(released);
    assert!(hall.arrival().is_none());
    hall.receipt("2", "DELIVRD");
    hall.receipt("1", "DELIVRD");
    assert_eq!((hall.unanswered(), hall.world.refusals.len()), (0, 2));
    assert_eq!(hall.next(kept), Ready(Ok(S::DELIVERED)));
    assert!(hall.arrival().is_none());
}

#[test]
fn nobody_waits_at_a_place_that_is_closed() {
    let mut hall = Hall::new(1);
    assert!(hall.desk.poll_arrival(&mut Some("receiver")).is_pending());
    hall.close_arrivals();
    assert_eq!(hall.woken(), ["receiver"]);
    assert!(matches!(hall.desk.poll_arrival(&mut Some("receiver")), Ready(None)));
}

#[test]
fn nobody_waits_beyond_the_end() {
    let mut hall = Hall::new(2);
    hall.receipt("7", "DELIVRD");
    let number = hall.send("Hello");
    assert_eq!(hall.next(number), Pending);
    hall.world.account.shutdown(hall.world.now, Duration::ZERO);
    assert!(!hall.desk.is_over());
    hall.pass(20 * SECOND);
    assert!(hall.desk.is_over());
    assert_eq!(hall.woken(), ["owner"]);
    assert_eq!(hall.next(number), Ready(Err(NoMoreReceipts::Closed)));
    assert_eq!(hall.outcome(number), Ready(Ok(vec!["1".into()])));
    let unresolved = hall.desk.take_unresolved();
    assert!(matches!(&unresolved[..], [Unresolved::NoReceipt { message, .. }] if *message == number));
    assert!(hall.desk.take_unresolved().is_empty());
    // What has arrived is still there.
    assert!(hall.arrival().is_some());
    assert!(matches!(hall.desk.poll_arrival(&mut Some("receiver")), Ready(None)));
}

#[test]
fn a_message_whose_account_is_driven_no_more_is_lost() {
    let mut hall = Hall::new(1);
    let number = hall.submit(&Message::text(&template(), "Hello"));
    assert_eq!(hall.outcome(number), Pending);
    assert!(hall.arrival().is_none());
    hall.desk.close();
    assert_eq!(hall.woken(), ["owner", "receiver"]);
    assert_eq!(hall.outcome(number), Ready(Err(SendError::DriverGone)));
    assert!(matches!(hall.desk.poll_arrival(&mut Some("receiver")), Ready(None)));
}

#[test]
fn what_comes_of_the_first_bind_is_said_once() {
    assert_eq!(Hall::new(1).desk.first_bind(), Some(Ok(())));

    let mut hall = Hall { world: World::new(options()), desk: EventRouter::new(1) };
    hall.world.bind_status = vec![CommandStatus::RINVPASWD];
    assert_eq!(hall.desk.first_bind(), None);
    hall.pass(SECOND);
    assert_eq!(hall.desk.first_bind(), Some(Err(FirstBindError::Refused(CommandStatus::RINVPASWD))));

    let mut hall = Hall { world: World::new(options()), desk: EventRouter::new(1) };
    let link = hall.world.account.links().next().unwrap().0;
    let now = hall.world.now;
    let mut first_bind = |change| {
        hall.desk.handle_event(now, &mut hall.world.account, Event::Link { link, event: change });
        hall.desk.first_bind()
    };
    let unreachable =
        |failure, retry| LinkEvent::ConnectFailed { address: address(1), failure, retry_at: retry };
    assert_eq!(first_bind(unreachable(ConnectFailure::Network, Some(now))), None);
    assert_eq!(first_bind(unreachable(ConnectFailure::Untrusted, None)), None, "there are other addresses");
    let untrusted = Some(Err(FirstBindError::Untrusted));
    assert_eq!(first_bind(unreachable(ConnectFailure::Untrusted, Some(now))), untrusted);
    assert_eq!(first_bind(LinkEvent::Bound { mode: BindMode::Transceiver, address: address(1) }), untrusted);
}

const OWNERS: [&str; 4] = ["first", "second", "third", "fourth"];

/// What an owner waits for.
#[derive(Clone, Copy, Debug)]
enum Asleep {
    MessageOutcome,
    Receipt,
}

/// What is done to a hall whose messages have one owner each, who looks when told to.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    /// The SMSC answers what it has.
    Pass,
    Receipt(usize, &'static str),
    Look(usize, Asleep),
    Release(usize),
    LookAtArrivals,
    CloseArrivals,
    Shutdown,
}

fn step() -> impl Strategy<Value = Step> {
    let owner = || 0..OWNERS.len();
    let stat = prop_oneof![Just("ENROUTE"), Just("DELIVRD"), Just("EXPIRED")];
    prop_oneof![
        4 => Just(Step::Submit),
        4 => Just(Step::Pass),
        8 => (owner(), stat).prop_map(|(owner, stat)| Step::Receipt(owner, stat)),
        4 => owner().prop_map(|owner| Step::Look(owner, Asleep::MessageOutcome)),
        8 => owner().prop_map(|owner| Step::Look(owner, Asleep::Receipt)),
        2 => owner().prop_map(Step::Release),
        6 => Just(Step::LookAtArrivals),
        1 => Just(Step::CloseArrivals),
        1 => Just(Step::Shutdown),
    ]
}

impl Hall {
    /// Whether there was something, and whether that was a receipt.
    fn look(&mut self, owner: usize, message: MessageNumber, what: Asleep) -> (bool, bool) {
        let mut waiter = Some(OWNERS[owner]);
        match what {
            Asleep::MessageOutcome => (self.desk.poll_outcome(message, &mut waiter).is_ready(), false),
            Asleep::Receipt => match self.desk.poll_receipt(message, &mut waiter) {
                Ready(found) => (true, found.is_ok()),
                Pending => (false, false),
            },
        }
    }
}

proptest! {
    /// Nobody sleeps over what there is, and what is acknowledged is told, if there is anyone to tell.
    #[test]
    fn whatever_happens_all_are_woken_and_all_is_told(steps in prop::collection::vec(step(), 1..60)) {
        let mut hall = Hall::new(1_000);
        let mut messages: Vec<MessageNumber> = Vec::new();
        let mut asleep: [Option<Asleep>; OWNERS.len()] = [None; OWNERS.len()];
        let mut receiver_sleeps = false;
        let (mut delivered, mut told, mut is_fetched, mut goes_on) = (Vec::new(), 0, true, true);
        for step in steps {
            match step {
                Step::Submit if messages.len() < OWNERS.len() && goes_on => {
                    messages.push(hall.submit(&Message::text(&template(), "Hello")));
                }
                Step::Pass => hall.pass(SECOND),
                Step::Receipt(owner, stat) if owner < hall.world.submitted.len() && hall.world.bound() > 0 => {
                    let is_new = !delivered.contains(&(owner, "DELIVRD"))
                        && !delivered.contains(&(owner, "EXPIRED")) && !delivered.contains(&(owner, stat));
                    if is_new {
                        delivered.push((owner, stat));
                        hall.receipt(&(owner + 1).to_string(), stat);
                    }
                }
                Step::Look(owner, what) if owner < messages.len() => {
                    let (found, receipt) = hall.look(owner, messages[owner], what);
                    told += usize::from(receipt);
                    asleep[owner] = if found { None } else { Some(what) };
                }
                Step::Release(owner) if owner < messages.len() => {
                    hall.desk.release(messages[owner]);
                    asleep[owner] = None;
                }
                Step::LookAtArrivals => match hall.desk.poll_arrival(&mut Some("receiver")) {
                    Pending => receiver_sleeps = true,
                    Ready(found) => {
                        receiver_sleeps = false;
                        if let Some(RoutedEvent::Receipt(_, _, ack)) = found {
                            told += 1;
                            let _ = ack.map(|ack| hall.world.account.acknowledge(hall.world.now, ack, Ok(())));
                            hall.tell();
                        }
                    }
                }
                Step::CloseArrivals => {
                    hall.close_arrivals();
                    is_fetched = false;
                }
                Step::Shutdown => {
                    hall.world.account.shutdown(hall.world.now, Duration::ZERO);
                    hall.tell();
                    goes_on = false;
                }
                _ => {}
            }
            for woken in hall.woken() {
                receiver_sleeps &= woken != "receiver";
                for (owner, what) in OWNERS.iter().zip(&mut asleep) {
                    *what = what.filter(|_| *owner != woken);
                }
            }
            for (owner, what) in asleep.into_iter().enumerate() {
                let Some(what) = what else { continue };
                prop_assert!(!hall.look(owner, messages[owner], what).0, "{} sleeps", OWNERS[owner]);
            }
            prop_assert!(!receiver_sleeps || hall.desk.poll_arrival(&mut Some("receiver")).is_pending());
        }
        for message in messages {
            hall.desk.release(message);
        }
        while let Ready(Some(RoutedEvent::Receipt(_, _, ack))) = hall.desk.poll_arrival(&mut None) {
            told += 1;
            let _ = ack.map(|ack| hall.world.account.acknowledge(hall.world.now, ack, Ok(())));
            hall.tell();
        }
        if is_fetched {
            prop_assert_eq!(told, delivered.len());
        }
    }
}
