//! Every operation through a session, also those that an application does not offer, and those without a response.

use smpp_core::session::{Config, Event, Instant, Refusal, Request};
use smpp_core::{
    Address, AlertNotification, BindMode, BroadcastSm, CancelBroadcastSm, CancelSm, CommandId, CommandStatus,
    DataSm, Outbind, Pdu, QueryBroadcastSm, QuerySm, ReplaceSm, SubmitMulti, Tag, Tlv, Tlvs,
};

use super::support::{Pair, bound_esme, bound_smsc, raw, request, said, submit_sm};

const NOW: Instant = Instant::ZERO;

/// Each request of an ESME that asks the application, and what it is answered with if that does not offer it.
fn requests() -> [(Pdu<'static>, CommandStatus); 8] {
    [
        (Pdu::SubmitMulti(SubmitMulti::default()), CommandStatus::RSYSERR),
        (Pdu::DataSm(DataSm::default()), CommandStatus::RX_T_APPN),
        (Pdu::QuerySm(QuerySm::default()), CommandStatus::RQUERYFAIL),
        (Pdu::CancelSm(CancelSm::default()), CommandStatus::RCANCELFAIL),
        (Pdu::ReplaceSm(ReplaceSm::default()), CommandStatus::RREPLACEFAIL),
        (Pdu::BroadcastSm(BroadcastSm::default()), CommandStatus::RBCASTFAIL),
        (Pdu::QueryBroadcastSm(QueryBroadcastSm::default()), CommandStatus::RBCASTQUERYFAIL),
        (Pdu::CancelBroadcastSm(CancelBroadcastSm::default()), CommandStatus::RBCASTCANCELFAIL),
    ]
}

#[test]
fn each_request_reaches_the_application_and_can_be_refused_without_being_known() {
    for (pdu, status) in requests() {
        let mut smsc = bound_smsc(Config { max_unanswered: 1, ..Config::default() }, BindMode::Transmitter);
        for number in 7..9 {
            let octets = request(pdu, number);
            let mut input = &octets[..];
            let Some(Event::Request { request, .. }) = smsc.session.handle_input(NOW, &mut input) else {
                panic!("{pdu:?}: it holds no place that an earlier one has taken");
            };
            assert_eq!(smsc.session.refuse(request), Ok(()));
            let spoken = smsc.speak();
            assert_eq!(said(&spoken), [(pdu.command().response(), status, number, &b""[..])]);
        }
    }
}

#[test]
fn each_request_is_refused_by_the_session_where_the_bind_does_not_allow_it() {
    for (pdu, _) in requests().into_iter().filter(|(pdu, _)| pdu.command() != CommandId::DATA_SM) {
        let mut smsc = bound_smsc(Config::default(), BindMode::Receiver);
        let octets = request(pdu, 7);
        let told = smsc.session.handle_input(NOW, &mut &octets[..]);
        assert!(matches!(told, Some(Event::Refused { status: CommandStatus::RINVBNDSTS, .. })), "{told:?}");
        let spoken = smsc.speak();
        assert_eq!(said(&spoken), [(pdu.command().response(), CommandStatus::RINVBNDSTS, 7, &b""[..])]);
    }
}

#[test]
fn what_has_no_response_is_told_and_never_answered() {
    let source = Address::international("6591234567").unwrap().into();
    let alert = Pdu::AlertNotification(AlertNotification { source, ..AlertNotification::default() });
    let mut esme = bound_esme(Config::default(), BindMode::Receiver);
    let octets = request(alert, 7);
    let told = esme.session.handle_input(NOW, &mut &octets[..]);
    assert!(matches!(told, Some(Event::Notification { pdu, .. }) if pdu == alert), "{told:?}");
    // Malformed, or where it does not belong: no answer either, and the session lives.
    let cut = raw(CommandId::ALERT_NOTIFICATION, CommandStatus::ROK, 8, &[1]);
    assert!(matches!(esme.session.handle_input(NOW, &mut &cut[..]), Some(Event::Malformed { .. })));
    let outbind = request(Pdu::Outbind(Outbind::default()), 9);
    let told = esme.session.handle_input(NOW, &mut &outbind[..]);
    assert!(matches!(told, Some(Event::Refused { status: CommandStatus::RINVBNDSTS, .. })), "{told:?}");
    assert_eq!(said(&esme.speak()), []);
    assert!(esme.session.state().is_bound());

    let mut open = super::support::Peer::<smpp_core::session::Esme>::new(Config::default());
    let told = open.session.handle_input(NOW, &mut &outbind[..]);
    assert!(matches!(told, Some(Event::Notification { pdu: Pdu::Outbind(_), .. })), "{told:?}");
    assert_eq!(said(&open.speak()), []);
}

#[test]
fn notifications_take_no_place_of_requests() {
    let mut esme = bound_esme(Config { max_unanswered: 1, ..Config::default() }, BindMode::Receiver);
    let alerts = request(Pdu::AlertNotification(AlertNotification::default()), 7).repeat(3);
    let mut input = &alerts[..];
    for _ in 0..3 {
        let told = esme.session.handle_input(NOW, &mut input);
        assert!(matches!(told, Some(Event::Notification { .. })), "{told:?}");
    }
    let message = request(Pdu::DataSm(DataSm::default()), 8);
    let told = esme.session.handle_input(NOW, &mut &message[..]);
    assert!(matches!(told, Some(Event::Request { request: Request::DataSm(..), .. })), "{told:?}");
}

#[test]
fn a_pdu_that_no_peer_would_read_is_not_sent() {
    let mut pair = Pair::bound();
    let half = vec![b'x'; 0xFFFF];
    let list = [Tlv::new(Tag(0x1401), &half).unwrap(), Tlv::new(Tag(0x1402), &half).unwrap()];
    let huge = smpp_core::SubmitSm { tlvs: Tlvs::list(&list), ..submit_sm("huge") };
    assert_eq!(pair.esme.request(NOW, &huge, "huge"), Err(Refusal::TooLong));
    assert_eq!((pair.esme.session.in_flight(), pair.esme.speak()), (0, Vec::new()));
    // Nothing of it is left: the next one goes, and comes to its end.
    pair.submit("next");
    let reply = pair.smsc.submits.pop_front().unwrap();
    let tlvs = Tlvs::list(&list);
    let answered =
        pair.smsc.session.respond(reply, Ok(smpp_core::SubmitSmResp { tlvs, ..Default::default() }));
    assert_eq!(answered, Err(Refusal::TooLong));
    let spoken = pair.smsc.speak();
    assert_eq!(said(&spoken), [(CommandId::SUBMIT_SM_RESP, CommandStatus::RSYSERR, 3, &b""[..])]);
}
