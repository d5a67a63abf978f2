//! An observer sees every PDU, without the password.

use std::cell::RefCell;
use std::rc::Rc;

use smpp_proto::session::{
    CloseReason, Config, Direction, Esme, Event, Instant, ObservedPdu, Observer, RejectedPdu,
    RejectedPduReason, Session, Smsc,
};
use smpp_proto::{
    Bind, BindMode, COctets, CommandId, CommandStatus, DecodeErrorKind, Outbind, Password, Pdu, SubmitSm,
    SubmitSmResp,
};

use super::support::{bind_resp, octets, raw, request};

const NOW: Instant = Instant::from_nanos(5);

type Records = Vec<(Instant, Direction, Vec<u8>, String)>;

/// Records every PDU.
#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<Records>>);

impl Observer for Recorder {
    fn observe(&mut self, at: Instant, direction: Direction, pdu: ObservedPdu<'_>) {
        self.0.borrow_mut().push((at, direction, pdu.octets().into_owned(), format!("{pdu:?}")));
    }
}

fn bind(password: &str) -> Bind<'_> {
    Bind {
        mode: BindMode::Transceiver,
        system_id: COctets::new(b"ESME").unwrap(),
        password: Password::new(password.as_bytes()).unwrap(),
        ..Bind::default()
    }
}

#[test]
fn an_observer_sees_every_pdu_in_order_without_the_password() {
    let recorder = Recorder::default();
    let mut esme = Session::<Esme, (), _>::with_observer(Config::default(), NOW, Some(recorder.clone()));
    esme.request(NOW, &bind("secret08"), ()).unwrap();
    let answer = octets(Pdu::BindResp(BindMode::Transceiver, Some(bind_resp())), CommandStatus::ROK, 1);
    let malformed = raw(CommandId::DELIVER_SM, CommandStatus::ROK, 9, b"x");
    let mut input = &[&answer[..], &malformed[..]].concat()[..];
    while esme.handle_input(NOW, &mut input).is_some() {}

    let masked = request(Pdu::Bind(bind("********")), 1);
    let refused = raw(CommandId::DELIVER_SM_RESP, CommandStatus::RINVSERTYP, 9, b"\0");
    let seen = recorder.0.borrow();
    let expected = [
        (NOW, Direction::Out, masked, "bind_transceiver 1, 35 octets".to_owned()),
        (NOW, Direction::In, answer, "bind_transceiver_resp 1 ESME_ROK, 21 octets".to_owned()),
        (NOW, Direction::In, malformed, "deliver_sm 9, 17 octets".to_owned()),
        (NOW, Direction::Out, refused, "deliver_sm_resp 9 ESME_RINVSERTYP, 17 octets".to_owned()),
    ];
    assert_eq!(*seen, expected);
}

#[test]
fn a_malformed_bind_does_not_show_the_password() {
    let long = b"ESME\0a-password-longer-than-any\0\0\x34\0\0\0".to_vec();
    let cut = b"ESME\0secret08".to_vec();
    let no_nul = b"ESMEsecret08".to_vec();
    let outbind = octets(
        Pdu::Outbind(Outbind { password: Password::new(b"secret08").unwrap(), ..Outbind::default() }),
        CommandStatus::ROK,
        3,
    );
    let binds =
        [long, cut, no_nul].map(|body| raw(CommandId::BIND_RECEIVER, CommandStatus::RSYSERR, 3, &body));
    for octets in binds.into_iter().chain([outbind]) {
        let recorder = Recorder::default();
        let mut smsc = Session::<Smsc, (), _>::with_observer(Config::default(), NOW, recorder.clone());
        let mut input = &octets[..];
        while let Some(event) = smsc.handle_input(NOW, &mut input) {
            if let Event::Request { request, .. } = event {
                smsc.refuse(request).unwrap();
            }
        }
        let seen = recorder.0.borrow();
        let shown = &seen[0].2;
        assert_eq!(
            (shown.len(), &shown[..16]),
            (octets.len(), &octets[..16]),
            "the other octets are unchanged"
        );
        let text = String::from_utf8_lossy(shown);
        assert!(!text.contains("secret") && !text.contains("password"), "{text}");
    }
}

#[test]
fn an_observer_can_be_reached_and_replaced() {
    let first = Recorder::default();
    let mut session = Session::<Esme, (), _>::with_observer(Config::default(), NOW, (first.clone(), None));
    session.request(NOW, &bind(""), ()).unwrap();
    assert!(session.observer().1.is_none());
    let second = Recorder::default();
    session.observer_mut().1 = Some(second.clone());
    let octets = request(Pdu::EnquireLink, 4);
    assert!(session.handle_input(NOW, &mut &octets[..]).is_none());
    let seen = |recorder: &Recorder| {
        recorder.0.borrow().iter().map(|(_, direction, ..)| *direction).collect::<Vec<_>>()
    };
    assert_eq!(seen(&first), [Direction::Out, Direction::In, Direction::Out]);
    assert_eq!(seen(&second), [Direction::In, Direction::Out], "it sees PDUs from then on");
}

/// The reason, the sequence number of the header, the octets and the line.
type Rejection = (RejectedPduReason, Option<u32>, Vec<u8>, String);

/// Records the rejected PDUs.
#[derive(Clone, Default)]
struct Rejections(Rc<RefCell<Vec<Rejection>>>);

impl Observer for Rejections {
    fn observe(&mut self, _: Instant, _: Direction, _: ObservedPdu<'_>) {}

    fn rejected(&mut self, at: Instant, pdu: RejectedPdu<'_>) {
        assert_eq!(at, NOW);
        let sequence = pdu.header().map(|header| header.sequence.0);
        self.0.borrow_mut().push((pdu.reason(), sequence, pdu.octets().into_owned(), format!("{pdu:?}")));
    }
}

/// Returns what the observer of an open SMSC session sees of these octets, and the session.
fn rejections(octets: &[u8]) -> (Rejections, Session<Smsc, (), impl Observer + use<>>) {
    let seen = Rejections::default();
    // Through every kind of observer that passes it on.
    let observer: (Box<dyn Observer>, Option<Rejections>) = (Box::new(()), Some(seen.clone()));
    let mut smsc = Session::<Smsc, (), _>::with_observer(Config::default(), NOW, observer);
    let mut input = octets;
    while smsc.handle_input(NOW, &mut input).is_some() {}
    (seen, smsc)
}

#[test]
fn an_observer_sees_each_rejected_pdu_and_why_it_was_rejected() {
    let unknown = raw(CommandId(0x0001_0200), CommandStatus::ROK, 5, b"body");
    let early = request(Pdu::SubmitSm(SubmitSm::default()), 6);
    let cut = raw(CommandId::SUBMIT_SM, CommandStatus::ROK, 7, b"\0");
    let unexpected = octets(Pdu::SubmitSmResp(Some(SubmitSmResp::default())), CommandStatus::ROK, 8);
    let damaged = raw(CommandId::DATA_SM_RESP, CommandStatus::RSYSERR, 9, b"id\0no TLV");
    let (seen, smsc) = rejections(&[&unknown[..], &early, &cut, &unexpected, &damaged].concat());

    let seen = seen.0.borrow();
    let [first, second, third, fourth, fifth] = &seen[..] else { panic!("{seen:?}") };
    let line = "command 0x00010200 5, 20 octets: unknown command_id".to_owned();
    assert_eq!(*first, (RejectedPduReason::UnknownCommand, Some(5), unknown, line));
    let line = "submit_sm 6, 33 octets: refused with ESME_RINVBNDSTS (0x00000004): \
                operation not allowed in this session state";
    let refused = RejectedPduReason::Refused(CommandStatus::RINVBNDSTS);
    assert_eq!(*second, (refused, Some(6), early, line.to_owned()));
    let (RejectedPduReason::Malformed(error), Some(7), octets, line) = third else { panic!("{third:?}") };
    assert_eq!((error.kind, octets), (DecodeErrorKind::Truncated, &cut));
    assert_eq!(*line, format!("submit_sm 7, 17 octets: malformed: {error}"));
    let line = "submit_sm_resp 8, 17 octets: a response to no request in flight".to_owned();
    assert_eq!(*fourth, (RejectedPduReason::UnexpectedResponse, Some(8), unexpected, line));
    assert!(matches!(fifth.0, RejectedPduReason::Malformed(_)) && fifth.2 == damaged, "{fifth:?}");
    let stats = smsc.stats();
    let counters = [stats.malformed, stats.unknown_commands, stats.refused, stats.unexpected_responses];
    assert_eq!(counters, [2, 1, 1, 1], "each has a counter");
}

#[test]
fn an_observer_sees_the_malformed_response_to_a_request() {
    let seen = Rejections::default();
    let mut esme = Session::<Esme, (), _>::with_observer(Config::default(), NOW, seen.clone());
    esme.request(NOW, &bind(""), ()).unwrap();
    for status in [CommandStatus::RSYSERR, CommandStatus::ROK] {
        let damaged = raw(CommandId::BIND_TRANSCEIVER_RESP, status, 1, b"smsc\0no TLV");
        assert!(esme.handle_input(NOW, &mut &damaged[..]).is_some());
    }
    let reasons: Vec<_> = seen.0.borrow().iter().map(|rejection| rejection.0).collect();
    assert!(
        matches!(reasons[..], [RejectedPduReason::Malformed(_), RejectedPduReason::Malformed(_)]),
        "{reasons:?}"
    );
    assert_eq!(esme.stats().malformed, 2);
}

#[test]
fn an_observer_sees_the_octets_that_break_the_framing() {
    for (input, shown) in [(&b"HTTP/1.1 400 Bad Request"[..], 16), (&[0xFF; 5], 5)] {
        let (seen, mut smsc) = rejections(input);
        smsc.handle_disconnect();
        let Some(Event::Closed(CloseReason::Framing(error))) = smsc.handle_timeout(NOW) else { panic!() };
        let sequence = input.get(12..16).map(|octets| u32::from_be_bytes(octets.try_into().unwrap()));
        let expected =
            (RejectedPduReason::Framing(error), sequence, input[..shown].to_vec(), error.to_string());
        assert_eq!(*seen.0.borrow(), [expected]);
    }
}

#[test]
fn a_rejected_pdu_shows_a_bounded_part_without_the_password() {
    let long = raw(CommandId::SUBMIT_SM, CommandStatus::ROK, 1, &[b'x'; 1000]);
    let (seen, _) = rejections(&long);
    let seen = seen.0.borrow();
    assert_eq!((&seen[0].2[..], seen[0].3.contains("1016 octets")), (&long[..256], true));

    for body in [&b"ESME\0secret08"[..], b"ESMEsecret08", &[b"ESME\0secret08", &[b'x'; 500][..]].concat()] {
        for command in [CommandId::BIND_RECEIVER, CommandId::OUTBIND] {
            let (seen, _) = rejections(&raw(command, CommandStatus::ROK, 3, body));
            let seen = seen.0.borrow();
            let text = String::from_utf8_lossy(&seen[0].2).into_owned() + &seen[0].3;
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

/// The command_length of this bind does not count the header: the password looks like the next PDU.
#[test]
fn octets_behind_a_pdu_with_a_wrong_length_are_not_shown() {
    let whole = raw(CommandId::BIND_TRANSCEIVER, CommandStatus::ROK, 1, b"shop\0secret08\0\0\x34\0\0\0");
    let mut octets = whole.clone();
    octets[3] -= 16;
    let (seen, mut smsc) = rejections(&octets);
    let seen = seen.0.borrow();
    let Some((RejectedPduReason::Framing(error), sequence, shown, line)) = seen.last() else {
        panic!("the framing is broken")
    };
    assert_eq!((*sequence, &shown[..]), (None, &b""[..]));
    let end = smsc.handle_timeout(NOW);
    for text in [line.clone(), error.to_string(), format!("{end:?}")] {
        assert!(!text.contains("secr"), "{text}");
    }
}
