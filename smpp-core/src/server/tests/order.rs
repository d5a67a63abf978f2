//! The order in which deliveries leave.

use super::*;

const NOW: Instant = Instant::ZERO;

/// Adds a bind of an account.
fn add_bind(registry: &mut Registry, window: u16) -> ConnectionId {
    let connection = registry.accept(address("192.0.2.1")).unwrap();
    registry.decide(connection, (b"shop", TRX), window, Ok(&Admission::default())).unwrap();
    registry.ready(connection);
    connection
}

/// Returns a registry with so many binds of an account.
fn registry(window: u16, binds: usize) -> (Registry, Vec<ConnectionId>) {
    let mut registry = Registry::new(Options::default());
    let binds = (0..binds).map(|_| add_bind(&mut registry, window)).collect();
    (registry, binds)
}

fn queue(registry: &mut Registry, texts: core::ops::RangeInclusive<u8>) {
    for text in texts {
        registry.deliver(NOW, b"shop", delivery(&[text])).unwrap();
    }
}

/// Assigns all deliveries that can be. Returns the binds that need a sender.
fn senders(registry: &mut Registry, now: Instant) -> Vec<ConnectionId> {
    core::iter::from_fn(|| registry.poll_sender(now)).collect()
}

/// Takes a delivery. Returns it, and its text.
fn take(registry: &mut Registry, connection: ConnectionId) -> Option<(DeliveryId, u8)> {
    let (delivery, frame) = registry.take_delivery(connection)?;
    let DeliveryPdu::DeliverSm(message) = frame.pdu() else { panic!("no deliver_sm") };
    Some((delivery, message.text()[0]))
}

/// Takes all deliveries of a bind. Returns their texts.
fn take_all(registry: &mut Registry, connection: ConnectionId) -> Vec<u8> {
    core::iter::from_fn(|| take(registry, connection)).map(|(_, text)| text).collect()
}

/// Two threads call the registry. The second one does not overtake the first.
#[test]
fn a_bind_has_one_sender_which_takes_deliveries_in_their_order() {
    let (mut registry, binds) = registry(4, 1);
    queue(&mut registry, 1..=2);
    assert_eq!(senders(&mut registry, NOW), [binds[0]]);
    // The first thread has taken none yet.
    queue(&mut registry, 3..=5);
    assert!(senders(&mut registry, NOW).is_empty(), "there is a sender");
    let (first, text) = take(&mut registry, binds[0]).unwrap();
    assert_eq!(text, 1);
    queue(&mut registry, 6..=6);
    assert!(senders(&mut registry, NOW).is_empty());
    assert_eq!(take_all(&mut registry, binds[0]), [2, 3, 4], "the window");
    registry.handle_outcome(NOW, first, Outcome::Nacked(CommandStatus::RSYSERR));
    assert_eq!(senders(&mut registry, NOW), [binds[0]], "the sender has ended");
    assert_eq!(take_all(&mut registry, binds[0]), [5]);
}

#[test]
fn a_delivery_that_is_put_back_is_the_next_one() {
    let (mut registry, binds) = registry(4, 1);
    queue(&mut registry, 1..=2);
    registry.deliver(NOW, b"shop", delivery(&[3]).max_attempts(1)).unwrap();
    assert_eq!(senders(&mut registry, NOW), [binds[0]]);
    for _ in 0..5 {
        let (first, text) = take(&mut registry, binds[0]).unwrap();
        assert_eq!(text, 1);
        registry.put_back(NOW, first);
    }
    assert_eq!(registry.stats().deliveries, 3);
    assert_eq!(take_all(&mut registry, binds[0]), [1, 2, 3]);
    assert!(senders(&mut registry, NOW).is_empty());
}

#[test]
fn unsent_deliveries_of_a_bind_that_ends_keep_their_order() {
    for ends in [
        |registry: &mut Registry, connection, _| registry.unbinding(connection),
        |registry: &mut Registry, _, first| {
            let reason = session::CloseReason::Disconnected;
            registry.handle_refused(NOW, first, session::Refusal::Closed(reason));
        },
    ] as [fn(&mut Registry, ConnectionId, DeliveryId); 2]
    {
        let (mut registry, binds) = registry(4, 1);
        queue(&mut registry, 1..=6);
        assert_eq!(senders(&mut registry, NOW), [binds[0]]);
        let (first, _) = take(&mut registry, binds[0]).unwrap();
        let (second, _) = take(&mut registry, binds[0]).unwrap();
        registry.put_back(NOW, second);
        let other = add_bind(&mut registry, 4);
        ends(&mut registry, binds[0], first);
        // It was taken before the end.
        registry.put_back(NOW, first);
        assert_eq!(senders(&mut registry, NOW), [other]);
        assert_eq!(take_all(&mut registry, other), [1, 2, 3, 4]);
        assert!(take(&mut registry, binds[0]).is_none());
    }
}

#[test]
fn deliveries_that_are_sent_again_keep_their_order() {
    let (mut registry, binds) = registry(4, 1);
    queue(&mut registry, 1..=4);
    assert_eq!(senders(&mut registry, NOW), [binds[0]]);
    let sent: Vec<_> = core::iter::from_fn(|| take(&mut registry, binds[0])).collect();
    registry.unbinding(binds[0]);
    let closed = session::UnansweredReason::Closed(session::CloseReason::Disconnected);
    for (millis, (delivery, _)) in sent.into_iter().enumerate() {
        registry.handle_outcome(at(millis as u64), delivery, Outcome::Unanswered(closed));
    }
    let next = add_bind(&mut registry, 4);
    let mut texts = Vec::new();
    while texts.len() < 4 {
        let due = registry.poll_timeout().unwrap();
        registry.handle_timeout(due);
        if !senders(&mut registry, due).is_empty() {
            texts.extend(take_all(&mut registry, next));
        }
    }
    assert_eq!(texts, [1, 2, 3, 4]);
}

#[test]
fn a_delivery_that_expires_before_its_turn_is_not_sent_and_leaves_its_place() {
    let (mut registry, binds) = registry(2, 1);
    queue(&mut registry, 1..=1);
    registry.deliver(NOW, b"shop", delivery(&[2]).max_age(Duration::from_secs(1))).unwrap();
    queue(&mut registry, 3..=3);
    assert_eq!(senders(&mut registry, NOW), [binds[0]]);
    registry.handle_timeout(at(1000));
    assert_eq!(registry.stats().deliveries, 2);
    assert!(senders(&mut registry, at(1000)).is_empty(), "there is a sender");
    assert_eq!(take_all(&mut registry, binds[0]), [1, 3]);
    // One that expires in the hands of the sender.
    let (mut registry, binds) = self::registry(2, 1);
    registry.deliver(NOW, b"shop", delivery(&[1]).max_age(Duration::from_secs(1))).unwrap();
    queue(&mut registry, 2..=2);
    assert_eq!(senders(&mut registry, NOW), [binds[0]]);
    let (first, _) = take(&mut registry, binds[0]).unwrap();
    registry.handle_timeout(at(1000));
    registry.put_back(at(1000), first);
    assert_eq!(registry.stats().deliveries, 1);
    assert_eq!(take_all(&mut registry, binds[0]), [2]);
}

/// The sender waits, because the requests of the application fill the window, and all that it could send expires.
#[test]
fn a_bind_that_sends_nothing_holds_no_deliveries_that_have_expired() {
    let (mut registry, binds) = registry(2, 1);
    for round in 1..=50 {
        for text in [1, 2] {
            let expiring = delivery(&[text]).max_age(Duration::from_secs(1));
            registry.deliver(at(round * 2000), b"shop", expiring).unwrap();
        }
        senders(&mut registry, at(round * 2000));
        registry.handle_timeout(at(round * 2000 + 1000));
    }
    assert_eq!(registry.stats().deliveries, 0);
    assert_eq!(registry.assigned.len(), 0);
    assert!(take(&mut registry, binds[0]).is_none());
}

/// It was sent once before: it is older than those that wait.
#[test]
fn a_delivery_that_is_sent_again_is_the_first_of_those_that_are_not_sent() {
    let (mut registry, binds) = registry(3, 1);
    queue(&mut registry, 1..=3);
    senders(&mut registry, NOW);
    let (first, _) = take(&mut registry, binds[0]).unwrap();
    registry.handle_result(
        NOW,
        first,
        Err(session::RequestError::Unanswered(session::UnansweredReason::Timeout)),
    );
    let due = registry.poll_timeout().unwrap();
    registry.handle_timeout(due);
    senders(&mut registry, due);
    assert_eq!(take_all(&mut registry, binds[0]), [1, 2, 3]);
}

/// The server stops while the sender has a delivery in its hands.
#[test]
fn a_delivery_that_is_put_back_after_the_stop_ends() {
    let (mut registry, binds) = registry(2, 1);
    queue(&mut registry, 1..=2);
    senders(&mut registry, NOW);
    let (first, _) = take(&mut registry, binds[0]).unwrap();
    registry.stop();
    while registry.end_deliveries() {}
    registry.put_back(NOW, first);
    registry.ended(binds[0], session::CloseReason::Aborted);
    assert_eq!(registry.stats().deliveries, 0);
}
