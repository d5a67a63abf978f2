//! Requests of bound ESMEs: rates, and responses that come late.

use super::*;
use crate::pdu::Address;
use crate::pdu::{Destination, SubmitMulti, SubmitSm, SubmitSmResp};
use crate::session::{Rate, Refusal};
use crate::wire::List;

const NOW: Instant = Instant::ZERO;

fn submit(server: &mut Server, application: &mut Application, peer: &mut Peer) -> Option<CommandStatus> {
    peer.request(server, application, &SubmitSm::default(), "message")
}

#[test]
fn the_rate_of_a_bind_is_limited() {
    let mut server = Server::new(Options {
        rate: Some(Rate::per_second(2)),
        rate_status: CommandStatus::RMSGQFUL,
        ..Options::default()
    });
    let mut application = Application::default();
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    assert_eq!([0, 1].map(|_| submit(&mut server, &mut application, &mut first)), [None, None]);
    for _ in 0..3 {
        let status = submit(&mut server, &mut application, &mut first);
        assert_eq!(status, Some(CommandStatus::RMSGQFUL));
    }
    assert_eq!(submit(&mut server, &mut application, &mut second), None, "each bind has its own");
    assert_eq!(application.requests.len(), 3);
    assert_eq!(kinds(&mut server).iter().filter(|kind| **kind == "throttled").count(), 1, "once");
}

#[test]
fn throttling_is_reported_again_after_a_message_was_accepted() {
    // A status that does not slow the client down.
    let rate_status = CommandStatus::RSYSERR;
    let rate = Some(Rate::per_second(1));
    let mut server = Server::new(Options { rate, rate_status, ..Options::default() });
    let mut application = Application::default();
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    for millis in [0, 0, 0, 2000, 2000] {
        peer.session.request(at(millis), &SubmitSm::default(), "message").unwrap();
        peer.exchange(&mut server, at(millis), &mut application);
    }
    assert_eq!(application.requests.len(), 2);
    assert_eq!(kinds(&mut server).iter().filter(|kind| **kind == "throttled").count(), 2);
}

#[test]
fn the_rate_of_an_account_counts_all_its_binds() {
    let options = Options { rate: Some(Rate::per_second(3)), ..Options::default() };
    let mut server = Server::new(Options { account_rate: Some(Rate::per_second(4)), ..options });
    let mut application = Application::default();
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    for _ in 0..3 {
        assert_eq!(submit(&mut server, &mut application, &mut first), None);
    }
    // What the bind may not send does not count for the account.
    assert_eq!(submit(&mut server, &mut application, &mut first), Some(CommandStatus::RTHROTTLED));
    assert_eq!(submit(&mut server, &mut application, &mut second), None);
    assert_eq!(submit(&mut server, &mut application, &mut second), Some(CommandStatus::RTHROTTLED));
    let mut other = Peer::bound(&mut server, &mut application, "other", TRX);
    assert_eq!(submit(&mut server, &mut application, &mut other), None);
}

#[test]
fn a_new_connection_does_not_evade_the_rate_of_an_account() {
    let options = Options { account_rate: Some(Rate::per_second(2)), ..Options::default() };
    let mut server = Server::new(options);
    let mut application = Application::default();
    let submit_once = |server: &mut Server, application: &mut Application| {
        let mut peer = Peer::bound(server, application, "shop", TRX);
        let status = submit(server, application, &mut peer);
        server.handle_closed(NOW, peer.connection);
        assert_eq!(server.stats().accounts, 0, "it has neither a bind nor a delivery");
        status
    };
    let throttled = Some(CommandStatus::RTHROTTLED);
    let statuses = [0; 4].map(|_| submit_once(&mut server, &mut application));
    assert_eq!(statuses, [None, None, throttled, throttled]);
    // Another rate does not forget what is counted.
    application.admission.account_rate = Some(Rate::per_second(3));
    let statuses = [0; 2].map(|_| submit_once(&mut server, &mut application));
    assert_eq!(statuses, [None, throttled]);
    // It is kept as long as its messages count.
    let due = server.poll_timeout().unwrap();
    assert_eq!(due, at(950));
    server.handle_timeout(at(949));
    assert!(server.registry().accounts.find(b"shop").is_some());
    server.handle_timeout(due);
    assert!(server.registry().accounts.find(b"shop").is_none());
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn the_first_bind_of_an_account_has_the_default_rate() {
    let mut registry =
        Registry::new(Options { account_rate: Some(Rate::per_second(2)), ..Options::default() });
    let mut bind = |account_rate, messages| {
        let connection = registry.accept(address("192.0.2.1")).unwrap();
        let admission = Admission { account_rate, ..Admission::default() };
        registry.decide(connection, (b"shop", TRX), 1, Ok(&admission)).unwrap();
        let is_within = registry.take_rate(NOW, connection, None, messages);
        registry.closed(connection);
        is_within
    };
    assert!(bind(Some(Rate::per_second(5)), 1));
    assert!(bind(None, 1));
    assert!(!bind(None, 1), "the rate of an earlier bind does not stay");
    assert!(bind(Some(Rate::per_second(5)), 3));
}

#[test]
fn accounts_that_only_count_messages_are_bounded() {
    let options = Options { account_rate: Some(Rate::per_second(2)), ..Options::default() };
    let mut registry = Registry::new(options);
    for number in 0..3000_u32 {
        let connection = registry.accept(address("192.0.2.1")).unwrap();
        let name = number.to_string();
        registry.decide(connection, (name.as_bytes(), TRX), 1, Ok(&Admission::default())).unwrap();
        assert!(registry.take_rate(at(number.into()), connection, None, 1));
        registry.closed(connection);
    }
    assert!(registry.accounts.find(b"1975").is_none());
    assert!(registry.accounts.find(b"1976").is_some(), "the last 1,024");
    // A delivery uses one again.
    registry.deliver(at(3000), b"2999", delivery(&[1])).unwrap();
    assert_eq!(registry.stats().accounts, 1);
    while registry.poll_timeout().is_some_and(|due| due <= at(5000)) {
        registry.handle_timeout(at(5000));
    }
    assert!(registry.accounts.find(b"2998").is_none());
    assert!(registry.accounts.find(b"2999").is_some());
}

#[test]
fn a_submit_multi_counts_its_destinations() {
    let mut server = Server::new(Options { rate: Some(Rate::per_second(4)), ..Options::default() });
    let mut application = Application::default();
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    let destinations = [Destination::Sme(Address::international("6591234567").unwrap()); 3];
    let multi = SubmitMulti { destinations: List::new(&destinations).unwrap(), ..SubmitMulti::default() };
    // The application refuses it.
    assert_eq!(peer.request(&mut server, &mut application, &multi, "multi"), Some(CommandStatus::RSYSERR));
    assert_eq!(submit(&mut server, &mut application, &mut peer), None);
    assert_eq!(submit(&mut server, &mut application, &mut peer), Some(CommandStatus::RTHROTTLED));
}

#[test]
fn a_response_may_come_after_the_end() {
    let mut server = Server::new(Options::default());
    let mut application = Application::default();
    let mut peer = Peer::bound(&mut server, &mut application, "shop", TRX);
    let connection = peer.connection;
    for _ in 0..3 {
        submit(&mut server, &mut application, &mut peer);
    }
    let mut reply = || application.requests.remove(0);
    assert_eq!(server.respond(NOW, connection, reply(), Ok(SubmitSmResp::default())), Ok(()));
    server.abort(NOW, connection);
    let refusal = server.respond(NOW, connection, reply(), Ok(SubmitSmResp::default()));
    assert!(matches!(refusal, Err(Refusal::Closed(_))), "{refusal:?}");
    server.handle_closed(NOW, connection);
    // Another connection in the same slot does not get the response.
    let next = Peer::bound(&mut server, &mut Application::default(), "shop", TRX);
    assert_eq!(next.connection.index(), connection.index());
    let refusal = server.respond(NOW, connection, reply(), Ok(SubmitSmResp::default()));
    assert!(matches!(refusal, Err(Refusal::Closed(_))), "{refusal:?}");
    assert!(!server.wants_transmit(next.connection));
}

#[test]
fn an_application_can_limit_one_account() {
    let mut server = Server::new(Options::default());
    let account_rate = Some(Rate::per_second(1));
    let mut application = Application {
        admission: Admission { account_rate, ..Admission::default() },
        ..Application::default()
    };
    let mut first = Peer::bound(&mut server, &mut application, "shop", TRX);
    let mut second = Peer::bound(&mut server, &mut application, "shop", TRX);
    assert_eq!(submit(&mut server, &mut application, &mut first), None);
    // Its first message is above the limit, and that is reported.
    let throttled = submit(&mut server, &mut application, &mut second);
    assert_eq!(throttled, Some(CommandStatus::RTHROTTLED));
    assert_eq!(kinds(&mut server).last(), Some(&"throttled"));
}

#[test]
fn inactivity_counts_from_the_time_of_the_response() {
    let second = |second: u64| at(second * 1000);
    for way in ["respond", "respond_with_reason", "refuse"] {
        let mut server = Server::new(Options::default());
        let mut application = Application::default();
        let config = Config::default().enquire_link_interval(None).inactivity_timeout(Duration::from_secs(6));
        let mut peer = Peer::connect_with(&mut server, NOW, address("192.0.2.1"), config);
        peer.bind(&mut server, &mut application, "shop", TRX);
        assert_eq!(submit(&mut server, &mut application, &mut peer), None);
        let (now, connection) = (second(4), peer.connection);
        let reply = application.requests.remove(0);
        match way {
            "respond" => server.respond(now, connection, reply, Ok(SubmitSmResp::default())),
            "refuse" => server.refuse(now, connection, Request::SubmitSm(SubmitSm::default(), reply)),
            _ => {
                let body = SubmitSmResp::default();
                server.respond_with_reason(now, connection, reply, CommandStatus::RSYSERR, &body)
            }
        }
        .unwrap();
        server.poll_transmit(connection, &mut Vec::new());
        server.handle_connection_timeout(second(6), connection);
        let due = server.poll_connection_timeout(connection).map(|(due, _)| due);
        assert_eq!(due, Some(second(10)), "{way}");
    }
}
