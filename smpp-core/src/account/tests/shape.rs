//! Groups of binds, their endpoints and failover, and the fields of a bind.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::endpoint::Endpoint;
use crate::pdu::BindMode::{Receiver, Transceiver, Transmitter};
use crate::pdu::{Npi, Ton};
use crate::session::Rate;
use crate::sms::{Alphabet, TextOptions};
use crate::tlv::Tag;
use crate::wire::Quirks;

fn endpoint(host: &str) -> Endpoint {
    Endpoint::tls(host, PORT)
}

/// An account with these binds. Host `a` has the addresses 1 and 2, host `b` address 3, host `c` address 4.
fn simulation(binds: Binds) -> Simulation {
    let mut sim = Simulation::new(Options { binds, endpoints: vec![endpoint("a")], ..options() });
    sim.hosts = vec![
        ("a", vec![address(1), address(2)]),
        ("b", vec![address(3)]),
        ("c", vec![address(4)]),
        ("nowhere", vec![]),
    ];
    sim
}

#[test]
fn transmitters_and_receivers_bind_to_different_hosts() {
    let rx = Binds::receivers(1).at([endpoint("c")]);
    let mut sim = simulation(Binds::transmitters(2).at([endpoint("b")]).and(rx));
    sim.advance(SECOND);
    assert_eq!(sim.bound(), [(0, Transmitter, 3), (1, Transmitter, 3), (2, Receiver, 4)]);
    assert_eq!(sim.account.endpoint(LinkId(2)).map(|endpoint| endpoint.host.as_str()), Some("c"));
    for text in ["1", "2", "3"] {
        sim.send(text);
    }
    sim.advance(SECOND);
    assert!(sim.submitted.iter().all(|(link, ..)| link.0 < 2));
    assert_eq!(sim.outcomes().len(), 3);
}

#[test]
fn a_group_without_endpoints_uses_those_of_the_account() {
    let mut sim = simulation(Binds::transceivers(1).and(Binds::receivers(1).at([endpoint("b")])));
    sim.advance(SECOND);
    assert_eq!(sim.bound(), [(0, Transceiver, 1), (1, Receiver, 3)]);
}

#[test]
fn the_next_endpoint_is_tried_at_once_when_all_addresses_of_one_have_failed() {
    let endpoints = ["a", "nowhere", "b", "c"].map(endpoint);
    let mut sim = simulation(Binds::transceivers(1).at(endpoints));
    sim.unreachable = vec![address(1), address(2), address(3)];
    sim.settle();
    let tried: Vec<_> = sim.connects.iter().map(|(at, address)| (*at, *address)).collect();
    let at_once = |last| (Instant::ZERO, address(last));
    assert_eq!(tried, [at_once(1), at_once(2), at_once(3), at_once(4)]);
    assert_eq!(sim.bound(), [(0, Transceiver, 4)]);
    let not_resolved = |event: &Event| {
        matches!(event, Event::Link { event: LinkEvent::ResolveFailed { retry_in: None, .. }, .. })
    };
    assert_eq!(sim.events.iter().filter(|event| not_resolved(event)).count(), 1);
    // The endpoint of the accepted bind goes first from now on.
    sim.cut(LinkId(0));
    sim.advance(5 * SECOND);
    assert_eq!(sim.connects.last().map(|(_, address)| *address), Some(address(4)));
    assert_eq!((sim.connects.len(), sim.bound_links()), (5, 1));
}

#[test]
fn a_group_backs_off_only_after_its_last_endpoint() {
    let mut sim = simulation(Binds::transceivers(1).at([endpoint("b"), endpoint("c")]));
    sim.unreachable = vec![address(3), address(4)];
    sim.advance(3 * SECOND);
    let tried: Vec<_> = sim.connects.iter().map(|(_, address)| *address).collect();
    let round = [address(3), address(4)];
    assert_eq!(tried, [round, round, round][..tried.len() / 2].concat());
    let starts: Vec<_> = sim.connects.iter().map(|(at, _)| *at).collect();
    assert_eq!(starts[0], starts[1]);
    assert!(starts[2] - starts[0] >= SECOND / 2, "{starts:?}");
    let retries = sim.events.iter().filter_map(|event| match event {
        Event::Link { event: LinkEvent::ConnectFailed { retry_in, .. }, .. } => Some(retry_in.is_some()),
        _ => None,
    });
    assert_eq!(retries.collect::<Vec<_>>(), [false, true].repeat(tried.len() / 2));
}

#[test]
fn a_host_that_refuses_the_bind_is_passed_over_with_its_other_addresses() {
    let mut sim = simulation(Binds::transceivers(1).at([endpoint("a"), endpoint("b")]));
    sim.bind_status = vec![CommandStatus::RSYSERR];
    sim.settle();
    let tried: Vec<_> = sim.connects.iter().map(|(_, address)| *address).collect();
    assert_eq!((tried, sim.bound()), (vec![address(1), address(3)], vec![(0, Transceiver, 3)]));
}

#[test]
fn two_groups_with_reversed_endpoints_keep_a_bind_on_each_host() {
    let first = Binds::transceivers(1).at([endpoint("b"), endpoint("c")]);
    let mut sim = simulation(first.and(Binds::transceivers(1).at([endpoint("c"), endpoint("b")])));
    sim.advance(SECOND);
    assert_eq!(sim.bound(), [(0, Transceiver, 3), (1, Transceiver, 4)]);
    // A reconnect of one group does not go to the host of the other.
    for link in [1, 0] {
        sim.cut(LinkId(link));
        sim.advance(5 * SECOND);
        assert_eq!(sim.bound(), [(0, Transceiver, 3), (1, Transceiver, 4)]);
    }
    // One host fails: the other stands in for it.
    sim.unreachable = vec![address(4)];
    sim.cut(LinkId(1));
    sim.advance(5 * SECOND);
    assert_eq!(sim.bound(), [(0, Transceiver, 3), (1, Transceiver, 3)]);
    // The bind of the group that stays is kept, although the other one would fit as well.
    let second = Binds::transceivers(1).at([endpoint("c"), endpoint("b")]);
    sim.account.set_binds(sim.now, second).unwrap();
    sim.advance(5 * SECOND);
    assert_eq!(sim.bound(), [(1, Transceiver, 3)]);
}

#[test]
fn a_group_that_gets_no_answer_does_not_keep_another_from_binding() {
    let rx = Binds::receivers(1).at([endpoint("c")]);
    let binds = Binds::transmitters(2).at([endpoint("b")]).and(rx);
    let mut account = Account::<()>::new(Options { binds, ..options() }, Instant::ZERO).unwrap();
    let mut resolved = Vec::new();
    for millis in [0, 200, 400, 600] {
        account.handle_timeout(Instant::ZERO + Duration::from_millis(millis));
        // Nothing answers.
        resolved.extend(core::iter::from_fn(|| account.poll_action()));
    }
    // One probe for each group.
    let links = [0, 2].map(|link| Action::Resolve { link: LinkId(link) });
    assert_eq!(resolved, links);
}

#[test]
fn a_change_of_one_number_keeps_the_other_binds() {
    let binds = |tx, rx| Binds::transmitters(tx).and(Binds::receivers(rx).at([endpoint("b")]));
    let mut sim = simulation(binds(2, 2));
    sim.advance(2 * SECOND);
    let before = sim.bound();
    assert_eq!(before, [(0, Transmitter, 1), (1, Transmitter, 1), (2, Receiver, 3), (3, Receiver, 3)]);
    let steps: [(Binds, &[u16]); 5] = [
        (binds(1, 2), &[0, 2, 3]),
        (binds(1, 1), &[0, 2]),
        // The groups change places.
        (Binds::receivers(1).at([endpoint("b")]).and(Binds::transmitters(1)), &[0, 2]),
        (Binds::receivers(1).at([endpoint("b")]), &[2]),
        (Binds::receivers(1).at([endpoint("c"), endpoint("b")]), &[2]),
    ];
    for (binds, kept) in steps {
        sim.account.set_binds(sim.now, binds).unwrap();
        sim.advance(5 * SECOND);
        assert_eq!(sim.bound().iter().map(|(link, ..)| *link).collect::<Vec<_>>(), kept);
    }
    assert_eq!(sim.connects.len(), 4, "no bind was made anew");
    sim.account.set_binds(sim.now, binds(2, 2)).unwrap();
    sim.advance(5 * SECOND);
    assert_eq!((sim.bound_links(), sim.connects.len()), (4, 7), "three more");
    assert!(sim.bound().contains(&(2, Receiver, 3)), "{:?}", sim.bound());
}

#[test]
fn fewer_binds_keep_those_that_are_bound() {
    let mut sim = simulation(Binds::transceivers(3));
    sim.advance(2 * SECOND);
    sim.unreachable = vec![address(1), address(2)];
    sim.cut(LinkId(0));
    sim.settle();
    sim.account.set_binds(sim.now, Binds::transceivers(2)).unwrap();
    sim.advance(SECOND);
    assert_eq!(sim.bound().iter().map(|(link, ..)| *link).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn too_many_binds_in_all_groups_are_refused() {
    let mut sim = simulation(Binds::transceivers(1));
    let error = sim.account.set_binds(sim.now, Binds::pairs(1).and(Binds::receivers(3))).unwrap_err();
    assert_eq!(error, OptionsError::TooManyBinds { count: 5, max: 4 });
    let all = Binds::pairs(u16::MAX).and(Binds::transceivers(u16::MAX));
    assert_eq!(all.count(), u16::MAX);
    assert!(Options { max_binds: u16::MAX, binds: all, ..options() }.check().is_err());
    assert_eq!(options().check_endpoints(), Err(OptionsError::NoEndpoint));
    let own = Options { binds: Binds::receivers(1).at([endpoint("a")]), ..options() };
    assert_eq!(own.check_endpoints(), Ok(()));
    for binds in [Binds::NONE, Binds::transceivers(0).and(Binds::pairs(0))] {
        assert_eq!(Options { binds, ..options() }.check_waits_for_bind(), Err(OptionsError::NoBinds));
    }
    assert_eq!(own.check_waits_for_bind(), Ok(()));
}

#[test]
fn without_any_bind_messages_and_receipts_are_kept() {
    let mut sim = simulation(Binds::transceivers(1));
    sim.account.reconfigure(sim.now, Options { queue_capacity: 3, ..sim.account.options().clone() }).unwrap();
    let early = sim.send("before");
    sim.advance(SECOND);
    sim.account.set_binds(sim.now, Binds::NONE).unwrap();
    sim.advance(SECOND);
    assert_eq!((sim.bound_links(), sim.servers.len()), (0, 0));
    assert_eq!(sim.account.pending_receipts(), 1);
    let kept = [sim.send("1"), sim.send("2")];
    let deadline = Message::text(&template(), "late").deadline(10 * SECOND);
    let late = sim.account.submit(sim.now, &deadline).unwrap();
    assert_eq!(sim.account.submit(sim.now, &deadline), Err(SubmitError::Full));
    sim.events.clear();
    sim.advance(60 * SECOND);
    let expired = SegmentOutcome::NeverSent(SegmentNotSentReason::Expired);
    assert_eq!(sim.outcomes(), [(late, MessageOutcome { segments: vec![expired].into() })]);
    assert_eq!(sim.connects.len(), 1);

    sim.hosts[0].1.reverse();
    sim.account.set_binds(sim.now, Binds::receivers(1)).unwrap();
    sim.advance(SECOND);
    assert_eq!(sim.bound(), [(0, Receiver, 1)], "the address of the last bind goes first");
    sim.receipt(0, "1", "DELIVRD");
    sim.advance(SECOND);
    let matched = sim.matches()[0].1.clone().unwrap();
    assert_eq!((matched.message, matched.message_state), (early, Some(S::DELIVERED)));
    sim.events.clear();
    sim.account.set_binds(sim.now, Binds::receivers(1).and(Binds::transmitters(1))).unwrap();
    sim.advance(SECOND);
    assert_eq!(sim.outcomes().iter().map(|(message, _)| *message).collect::<Vec<_>>(), kept);
}

#[test]
fn a_shutdown_without_any_bind_does_not_wait() {
    let mut sim = simulation(Binds::NONE);
    let number = sim.send("Hello");
    sim.account.shutdown(sim.now, 60 * SECOND);
    sim.settle();
    let Some(Event::Closed { unresolved }) = sim.events.last() else { panic!("{:?}", sim.events) };
    assert!(matches!(unresolved[..], [Unresolved::NotAccepted { message, .. }] if message == number));
    assert_eq!(sim.now, Instant::ZERO);
}

#[test]
fn every_field_of_the_bind_is_on_the_wire() {
    let credentials = Credentials {
        system_type: "VMA".into(),
        addr_ton: Ton::NATIONAL,
        addr_npi: Npi::ISDN,
        address_range: "^49".into(),
        tlvs: vec![(Tag(0x1500), b"key".to_vec()), (Tag(0x1501), vec![]), (Tag(0x1500), vec![0])],
        ..Credentials::new("shop", "s3cret")
    };
    let interface_version = crate::pdu::InterfaceVersion(0x50);
    let binds = Binds::transmitters(1);
    let mut sim = Simulation::new(Options { credentials, interface_version, binds, ..options() });
    sim.settle();
    let body = b"shop\0s3cret\0VMA\0\x50\x02\x01^49\0\x15\x00\0\x03key\x15\x01\0\0\x15\x00\0\x01\0";
    let [(_, bind)] = &sim.binds[..] else { panic!() };
    assert_eq!(bind[4..8], [0, 0, 0, 2], "bind_transmitter");
    assert_eq!(bind[16..], body[..]);
    let shown = format!("{:?}", sim.account.options());
    assert!(shown.contains("VMA") && !shown.contains("s3cret") && !shown.contains("[107, 101, 121]"));
}

#[test]
fn a_long_field_of_the_bind_needs_a_quirk() {
    let with = |credentials: Credentials, bind_quirks| Options { credentials, bind_quirks, ..options() };
    let long_type = Credentials { system_type: "THIRTEEN_CHAR".into(), ..Credentials::new("shop", "s3cret") };
    let long_id = Credentials::new("a-sub-account-of-20c", "s3cret");
    let long_range = Credentials { address_range: "9".repeat(41), ..Credentials::new("shop", "s3cret") };
    for (credentials, field) in
        [(long_type, "system_type"), (long_id, "system_id"), (long_range, "address_range")]
    {
        let error = with(credentials.clone(), Quirks::empty()).check().unwrap_err().to_string();
        assert!(error.starts_with(field) && error.contains("bind_quirks"), "{error}");
        let options = with(credentials.clone(), Quirks::LONG_STRING);
        assert_eq!(options.check(), Ok(()));
        let mut sim = Simulation::new(options);
        sim.settle();
        let Credentials { system_id, system_type, address_range, .. } = credentials;
        let body = format!("{system_id}\0s3cret\0{system_type}\0\x34\0\0{address_range}\0");
        assert_eq!(sim.binds[0].1[16..], *body.as_bytes());
        assert_eq!(sim.bound_links(), 1);
    }
    let endless = Credentials { system_type: "x".repeat(256), ..Credentials::new("shop", "s3cret") };
    let error = with(endless, Quirks::LONG_STRING).check().unwrap_err().to_string();
    assert!(!error.contains("bind_quirks"), "{error}");
    let nul = Credentials { system_type: "x\0y".into(), ..Credentials::new("shop", "s3cret") };
    assert!(with(nul, Quirks::LONG_STRING).check().is_err());
    let password = Credentials::new("shop", "p".repeat(65));
    let error = with(password, Quirks::LONG_STRING).check().unwrap_err().to_string();
    assert!(error.contains("password") && !error.contains("bind_quirks"), "{error}");
}

#[test]
fn a_bind_beyond_max_pdu_is_refused() {
    let tlvs = vec![(Tag(0x1500), vec![0; 100])];
    let credentials = Credentials { tlvs, ..Credentials::new("shop", "s3cret") };
    let options = |max_pdu| Options {
        credentials: credentials.clone(),
        session: Config { max_pdu, ..Config::default() },
        ..options()
    };
    // The header, the strings, four octets of values, the TLV.
    let length = 16 + 5 + 7 + 1 + 3 + 1 + 104;
    assert_eq!(options(length).check(), Ok(()));
    let error = OptionsError::BindTooLong { length, max: length - 1 };
    assert_eq!(options(length - 1).check(), Err(error));
}

#[test]
fn each_group_of_binds_needs_an_endpoint() {
    let here = || Binds::transceivers(1).at([crate::Endpoint::plain("smsc.example", 2775)]);
    let check = |binds| Options { binds, ..options() }.check_endpoints();
    assert_eq!(check(here()), Ok(()));
    assert_eq!(check(here().and(Binds::transceivers(1))), Err(OptionsError::NoEndpoint));
    assert_eq!(check(here().and(Binds::transceivers(0))), Ok(()), "it has no bind");
}

#[test]
fn an_account_binds_although_the_operations_of_its_provider_name_no_bind() {
    for binds in [Binds::transceivers(1), Binds::transmitters(1)] {
        let session = Config::default().operations(session::Operations::SUBMIT_SM);
        let mut sim = Simulation::new(options().binds(binds).max_binds(1).session(session));
        sim.advance(SECOND);
        assert!(sim.account.mode(LinkId(0)).is_some());
    }
}

#[test]
fn options_that_cannot_work_are_refused_with_the_name_of_the_field() {
    let session = |config: Config| options().session(config);
    let text = |alphabets: &'static [Alphabet]| options().text(TextOptions::DEFAULT.alphabets(alphabets));
    let config = Config::default;
    for (options, field) in [
        (session(config().window(0)), "session.window is 0"),
        (session(config().max_unanswered(0)), "session.max_unanswered is 0"),
        (session(config().max_output(0)), "session.max_output is 0"),
        (session(config().rate(Rate::per_second(0))), "session.rate is 0"),
        (session(config().session_init_timeout(Duration::ZERO)), "session.session_init_timeout is zero"),
        (session(config().response_timeout(Duration::ZERO)), "session.response_timeout is zero"),
        (session(config().inactivity_timeout(Duration::ZERO)), "session.inactivity_timeout is zero"),
        (options().rate(Rate::per_second(0)), "rate is 0"),
        (options().connect_timeout(Duration::ZERO), "connect_timeout is zero"),
        (options().queue_capacity(0), "queue_capacity is 0"),
        (text(&[]), "text.alphabets is empty"),
        // With the default codings no data_coding means it.
        (text(&[Alphabet::Gsm7Packed]), "text.alphabets names no alphabet"),
    ] {
        let error = options.check().unwrap_err().to_string();
        assert!(error.starts_with(field) && error.contains(": "), "{error}");
        let Err(refused) = Account::<()>::new(options.clone(), Instant::ZERO) else { panic!("{field}") };
        assert_eq!(refused.to_string(), error);
        let mut account = Account::<()>::new(self::options(), Instant::ZERO).unwrap();
        assert_eq!(account.reconfigure(Instant::ZERO, options), Err(refused));
        assert_eq!(*account.options(), self::options(), "the account keeps its options");
    }
    let smallest = config().window(1).max_unanswered(1).max_output(1).rate(Rate::per_second(1));
    assert_eq!(session(smallest).queue_capacity(1).request_capacity(0).check(), Ok(()));
}
