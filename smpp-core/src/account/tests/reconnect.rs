//! Connecting, binding and reconnecting.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::diagnosis::ReceivedInstead;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::BindMode::{Receiver, Transmitter};
use crate::pdu::Pdu;

#[test]
fn the_first_bind_is_made_alone_and_the_others_follow_at_the_connect_interval() {
    let mut sim = Simulation::new(Options { binds: Binds::pairs(2), ..options() });
    sim.advance(SECOND);
    assert_eq!(sim.bound_links(), 4);
    let starts: Vec<u64> = sim.connects.iter().map(|(at, _)| at.as_nanos() / 1_000_000).collect();
    assert_eq!(starts, [0, 200, 400, 600]);
    let modes: Vec<_> = sim.account.links().filter_map(|(link, _)| sim.account.mode(link)).collect();
    assert_eq!(modes, [Transmitter, Receiver, Transmitter, Receiver]);
}

#[test]
fn refused_credentials_stop_the_account() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(4), ..options() });
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    let number = sim.send("Hello");
    sim.advance(600 * SECOND);
    assert_eq!(sim.connects.len(), 1, "no second attempt");
    assert!(
        sim.events
            .iter()
            .any(|event| matches!(event, Event::Stopped { status: CommandStatus::RINVPASWD, .. }))
    );
    assert_eq!(
        sim.outcomes(),
        [(
            number,
            MessageOutcome {
                segments: vec![SegmentOutcome::NeverSent(SegmentNotSentReason::Stopped)].into()
            }
        )]
    );
    assert_eq!(sim.account.submit(sim.now, &Message::text(&template(), "x")), Err(SubmitError::Stopped));
    assert_eq!(sim.account.stats().counters.binds_refused, 1);
    let refused = |event: &Event| match event {
        Event::Link { event, .. } if event.kind() == "bind_refused" => event.address(),
        _ => None,
    };
    assert_eq!(sim.events.iter().find_map(refused), Some(address(1)));
}

#[test]
fn every_address_is_tried_with_back_off_until_the_bind_is_accepted() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(1), ..options() });
    sim.addresses = vec![address(1), address(2), address(3)];
    sim.unreachable = vec![address(1), address(2)];
    sim.bind_status = vec![CommandStatus::RALYBND; 3];
    sim.advance(60 * SECOND);
    assert_eq!(sim.bound_links(), 1);
    assert_eq!(sim.connects.len(), 4 * 3);
    let gaps: Vec<Duration> =
        sim.connects.windows(4).step_by(3).map(|attempts| attempts[3].0 - attempts[0].0).collect();
    assert!(gaps.iter().zip(1..).all(|(gap, n)| *gap >= SECOND * (1 << n) / 4), "{gaps:?}");
    // The address of the accepted bind is tried first from now on.
    sim.servers[0].session.abort();
    let link = sim.servers[0].link;
    sim.account.handle_disconnect(sim.now, link);
    sim.advance(5 * SECOND);
    assert_eq!(sim.connects.last().map(|(_, address)| *address), Some(address(3)));
    assert_eq!(sim.connects.len(), 13);
}

#[test]
fn no_bind_exceeds_its_rate_limit_and_all_binds_send() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(SECOND);
    for _ in 0..200 {
        sim.send("Hello");
    }
    sim.advance(SECOND);
    let of = |sim: &Simulation, link| sim.submitted.iter().filter(|(on, ..)| *on == link).count();
    let (first, second) = (of(&sim, LinkId(0)), of(&sim, LinkId(1)));
    assert!((50..=51).contains(&first) && (50..=51).contains(&second), "{first} and {second} in a second");
    sim.advance(SECOND);
    assert_eq!(sim.outcomes().len(), 200);
}

#[test]
fn binds_that_close_at_once_share_one_back_off() {
    let backoff = Backoff { reset_after: 10 * SECOND, ..Backoff::default() };
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(4), backoff, ..options() });
    for _ in 0..600 {
        sim.advance(SECOND / 10);
        // The server closes every bind at once.
        for link in sim.servers.drain(..).map(|server| server.link).collect::<Vec<_>>() {
            sim.account.handle_disconnect(sim.now, link);
        }
    }
    assert!(sim.connects.len() <= 4 * 7, "{} binds in a minute", sim.connects.len());
}

#[test]
fn handle_closed_without_a_close_action_reconnects() {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    let link = sim.servers.remove(0).link;
    sim.account.handle_closed(sim.now, link);
    assert_eq!(sim.account.poll_action(), None);
    sim.advance(2 * SECOND);
    assert_eq!(sim.bound_links(), 1);
}

#[test]
fn a_stopped_account_with_only_a_receiver_abandons_its_messages() {
    let mut sim = Simulation::new(Options { binds: Binds::pairs(1), ..options() });
    sim.advance(SECOND);
    let number = sim.send("Hello");
    let index = sim.servers.iter().position(|server| server.link == LinkId(0)).unwrap();
    sim.servers.remove(index);
    sim.account.handle_disconnect(sim.now, LinkId(0));
    // Credentials that were never accepted.
    sim.bind_status = vec![CommandStatus::RINVPASWD];
    let credentials = Credentials::new("shop", "wr0ng");
    let options = Options { credentials, ..sim.account.options().clone() };
    sim.account.reconfigure(sim.now, options).unwrap();
    let late = sim.send("Hello");
    sim.advance(10 * SECOND);
    assert_eq!(sim.account.mode(LinkId(1)), Some(Receiver), "it still receives");
    let outcomes = sim.outcomes();
    assert!(matches!(outcomes[0], (first, ref outcome) if first == number && outcome.result().is_err()));
    assert_eq!(
        outcomes[1],
        (
            late,
            MessageOutcome {
                segments: vec![SegmentOutcome::NeverSent(SegmentNotSentReason::Stopped)].into()
            }
        )
    );
}

#[test]
fn no_connection_starts_at_once_when_the_only_bind_fails() {
    let mut sim = Simulation::new(Options { binds: Binds::transceivers(2), ..options() });
    sim.advance(SECOND / 10);
    assert_eq!(sim.bound_links(), 1, "the second has not started yet");
    let starts = sim.connects.len();
    sim.servers.clear();
    sim.now = sim.now + SECOND;
    sim.account.handle_disconnect(sim.now, LinkId(0));
    sim.settle();
    assert_eq!(sim.connects.len(), starts, "without a bind all slots back off");
}

/// Drives the only connection of a new account until it connects.
fn connecting() -> (Account, LinkId) {
    let mut account = Account::new(options(), Instant::ZERO).unwrap();
    account.advance(Instant::ZERO);
    let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
    account.handle_resolved(Instant::ZERO, link, Ok(&[address(1)]));
    assert_eq!(account.poll_action(), Some(Action::Connect { link, address: address(1) }));
    (account, link)
}

#[test]
fn a_failed_connection_keeps_the_error_of_the_operating_system_up_to_200_octets() {
    let long = "é".repeat(101);
    for (text, kept) in [
        ("Connection refused (os error 111)", "Connection refused (os error 111)"),
        ("", ""),
        (&long, &"é".repeat(100)),
        (&long["é".len()..], &"é".repeat(100)),
        (&["x", &long].concat(), &["x", &"é".repeat(99)].concat()),
    ] {
        let (mut account, link) = connecting();
        account.handle_connect_failed(Instant::ZERO, link, ConnectFailure::Network, text);
        let event = account.poll_event();
        let Some(Event::Link { event: LinkEvent::ConnectFailed { detail, .. }, .. }) = event else {
            panic!()
        };
        assert_eq!(*detail, *kept);
    }
}

#[test]
fn a_bind_without_an_answer_names_what_the_peer_sent_instead() {
    let other_response = Frame::encode(&Pdu::SubmitSmResp(None), CommandStatus::ROK, SequenceNumber(1));
    // A TLV that is longer than the PDU.
    let unreadable =
        [&[0, 0, 0, 22, 0x80, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0][..], &[2, 0x10, 0, 9, 0x34]].concat();
    let refusal = Frame::encode(
        &Pdu::BindResp(BindMode::Transceiver, None),
        CommandStatus::RINVPASWD,
        SequenceNumber(1),
    );
    let cases: [(&[u8], Option<ReceivedInstead>); 8] = [
        (b"", Some(ReceivedInstead::Nothing)),
        (b"HTTP/1.1 400 Bad Request", Some(ReceivedInstead::Http)),
        (&[0x15, 3, 3, 0, 2, 2, 70], Some(ReceivedInstead::Tls)),
        (b"SSH-2.0", Some(ReceivedInstead::OtherProtocol)),
        (&[0, 0, 0, 16, 0x80, 0, 0], Some(ReceivedInstead::IncompletePdu)),
        (other_response.octets(), Some(ReceivedInstead::OtherPdus)),
        (&unreadable, None),
        (refusal.octets(), None),
    ];
    for (mut octets, expected) in cases {
        let (mut account, link) = connecting();
        assert!(account.handle_connected(Instant::ZERO, link, ()));
        let mut output = Vec::new();
        assert!(account.poll_transmit(link, &mut output));
        account.handle_transmitted(Instant::ZERO, link, output.len());
        account.handle_input(Instant::ZERO, link, &mut octets);
        account.handle_disconnect(Instant::ZERO, link);
        let event = core::iter::from_fn(|| account.poll_event()).nth(1);
        let Some(Event::Link { event: LinkEvent::BindRefused { received, .. }, .. }) = event else {
            panic!("{expected:?}: {event:?}")
        };
        assert_eq!(received, expected);
    }
}

#[test]
fn an_event_says_why_the_host_was_not_resolved() {
    let long = "x".repeat(300);
    let shortened = "x".repeat(200);
    let results: [(Result<&[SocketAddr], &str>, &str); 3] = [
        (Ok(&[][..]), "it has no address"),
        (Err("timed out"), "timed out"),
        (Err(long.as_str()), shortened.as_str()),
    ];
    for (resolved, expected) in results {
        let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
        let Some(Action::Resolve { link }) = account.poll_action() else { panic!() };
        account.handle_resolved(Instant::ZERO, link, resolved);
        let Some(Event::Link { event: LinkEvent::ResolveFailed { detail, .. }, .. }) = account.poll_event()
        else {
            panic!()
        };
        assert_eq!(&*detail, expected);
    }
}
