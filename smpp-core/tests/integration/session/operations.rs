//! Every operation through a session: also those that the application does not support, and those without a response.

use smpp_proto::session::{Config, Event, Instant, Refusal, Request};
use smpp_proto::{
    Address, AlertNotification, BindMode, BroadcastSm, CancelBroadcastSm, CancelSm, CommandId, CommandStatus,
    DataSm, Outbind, Pdu, QueryBroadcastSm, QuerySm, ReplaceSm, SubmitMulti, Tag, Tlv, Tlvs,
};

use super::support::{Pair, bound_esme, bound_smsc, pdus, raw, request, submit_sm};

const NOW: Instant = Instant::ZERO;

/// Requests of an ESME, and the status with which [`Session::refuse`](smpp_proto::session::Session::refuse) answers them.
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
fn refuse_answers_each_request_with_the_status_of_its_operation() {
    for (pdu, status) in requests() {
        let mut smsc = bound_smsc(Config::default().max_unanswered(1), BindMode::Transmitter);
        for number in 7..9 {
            let octets = request(pdu, number);
            let mut input = &octets[..];
            let Some(Event::Request { request, .. }) = smsc.session.handle_input(NOW, &mut input) else {
                panic!("{pdu:?}: the refused request still counts as unanswered");
            };
            assert_eq!(smsc.session.refuse(request), Ok(()));
            let output = smsc.transmit();
            assert_eq!(pdus(&output), [(pdu.command().response(), status, number, &b""[..])]);
        }
    }
}

#[test]
fn the_session_refuses_requests_that_the_bind_mode_does_not_allow() {
    for (pdu, _) in requests().into_iter().filter(|(pdu, _)| pdu.command() != CommandId::DATA_SM) {
        let mut smsc = bound_smsc(Config::default(), BindMode::Receiver);
        let octets = request(pdu, 7);
        let event = smsc.session.handle_input(NOW, &mut &octets[..]);
        assert!(matches!(event, Some(Event::Refused { status: CommandStatus::RINVBNDSTS, .. })), "{event:?}");
        let output = smsc.transmit();
        assert_eq!(pdus(&output), [(pdu.command().response(), CommandStatus::RINVBNDSTS, 7, &b""[..])]);
    }
}

#[test]
fn a_notification_causes_an_event_and_no_response() {
    let source = Address::international("6591234567").unwrap().into();
    let alert = Pdu::AlertNotification(AlertNotification { source, ..AlertNotification::default() });
    let mut esme = bound_esme(Config::default(), BindMode::Receiver);
    let octets = request(alert, 7);
    let event = esme.session.handle_input(NOW, &mut &octets[..]);
    assert!(matches!(event, Some(Event::Notification { pdu, .. }) if pdu == alert), "{event:?}");
    // A malformed or forbidden notification has no response either, and the session continues.
    let cut = raw(CommandId::ALERT_NOTIFICATION, CommandStatus::ROK, 8, &[1]);
    assert!(matches!(esme.session.handle_input(NOW, &mut &cut[..]), Some(Event::Malformed { .. })));
    let outbind = request(Pdu::Outbind(Outbind::default()), 9);
    let event = esme.session.handle_input(NOW, &mut &outbind[..]);
    assert!(matches!(event, Some(Event::Refused { status: CommandStatus::RINVBNDSTS, .. })), "{event:?}");
    assert_eq!(pdus(&esme.transmit()), []);
    assert!(esme.session.state().is_bound());

    let mut open = super::support::Peer::<smpp_proto::session::Esme>::new(Config::default());
    let event = open.session.handle_input(NOW, &mut &outbind[..]);
    assert!(matches!(event, Some(Event::Notification { pdu: Pdu::Outbind(_), .. })), "{event:?}");
    assert_eq!(pdus(&open.transmit()), []);
}

#[test]
fn notifications_do_not_count_as_unanswered_requests() {
    let mut esme = bound_esme(Config::default().max_unanswered(1), BindMode::Receiver);
    let alerts = request(Pdu::AlertNotification(AlertNotification::default()), 7).repeat(3);
    let mut input = &alerts[..];
    for _ in 0..3 {
        let event = esme.session.handle_input(NOW, &mut input);
        assert!(matches!(event, Some(Event::Notification { .. })), "{event:?}");
    }
    let message = request(Pdu::DataSm(DataSm::default()), 8);
    let event = esme.session.handle_input(NOW, &mut &message[..]);
    assert!(matches!(event, Some(Event::Request { request: Request::DataSm(..), .. })), "{event:?}");
}

#[test]
fn a_pdu_longer_than_max_pdu_is_not_sent() {
    let mut pair = Pair::bound();
    let half = vec![b'x'; 0xFFFF];
    let list = [Tlv::new(Tag(0x1401), &half).unwrap(), Tlv::new(Tag(0x1402), &half).unwrap()];
    let huge = smpp_proto::SubmitSm { tlvs: Tlvs::list(&list), ..submit_sm("huge") };
    assert_eq!(pair.esme.request(NOW, &huge, "huge"), Err(Refusal::TooLong));
    assert_eq!((pair.esme.session.in_flight(), pair.esme.transmit()), (0, Vec::new()));
    // The long request leaves no octets behind: the next one is sent and answered.
    pair.submit("next");
    let reply = pair.smsc.submits.pop_front().unwrap();
    let tlvs = Tlvs::list(&list);
    let answered =
        pair.smsc.session.respond(reply, Ok(smpp_proto::SubmitSmResp { tlvs, ..Default::default() }));
    assert_eq!(answered, Err(Refusal::TooLong));
    let output = pair.smsc.transmit();
    assert_eq!(pdus(&output), [(CommandId::SUBMIT_SM_RESP, CommandStatus::RSYSERR, 3, &b""[..])]);
}
