//! Protocol versions, and outbind.

use smpp_proto::session::{CloseReason, Config, Esme, Instant, Refusal, Session, Smsc, State, Timer};
use smpp_proto::{
    AlertNotification, Bind, BindMode, BindResp, BroadcastSm, CommandId, CommandStatus, DataSm, DataSmResp,
    DeliverSm, InterfaceVersion, Outbind, Pdu, SubmitSm, Tag, Tlv, Tlvs, Tolerance, frame,
};

use super::support::{
    OwnedEvent, Peer, bind, bound_smsc, deliver_sm, octets, pdus, raw, request, secs, submit_sm,
};

const NOW: Instant = Instant::ZERO;

/// Returns an SMSC to which an ESME of this version is bound.
fn smsc_for(version: u8) -> Peer<Smsc> {
    let mut smsc = Peer::new(Config::default());
    let bind = Bind { interface_version: InterfaceVersion(version), ..bind(BindMode::Transceiver) };
    smsc.receive(NOW, &request(Pdu::Bind(bind), 1));
    let reply = smsc.binds.pop_front().unwrap();
    let list = [Tlv::u8(Tag::SC_INTERFACE_VERSION, 0x34)];
    let resp = BindResp { tlvs: Tlvs::list(&list), ..BindResp::default() };
    smsc.session.respond(reply, Ok(resp)).unwrap();
    let answer = if version == 0x33 { &b"\0"[..] } else { b"\0\x02\x10\0\x01\x34" };
    let output = smsc.transmit();
    assert_eq!(pdus(&output), [(CommandId::BIND_TRANSCEIVER_RESP, CommandStatus::ROK, 1, answer)]);
    smsc
}

/// Returns an ESME that is bound to an SMSC that states this version, or none.
fn esme_for(config: Config, own: u8, smsc: Option<u8>) -> Peer<Esme> {
    let mut esme = Peer::new(config);
    let bind = Bind { interface_version: InterfaceVersion(own), ..bind(BindMode::Transceiver) };
    let sequence = esme.request(NOW, &bind, "bind").unwrap();
    let list = smsc.map(|version| Tlv::u8(Tag::SC_INTERFACE_VERSION, version));
    let resp = BindResp { tlvs: Tlvs::list(list.as_slice()), ..BindResp::default() };
    let resp = Pdu::BindResp(BindMode::Transceiver, Some(resp));
    esme.receive(NOW, &octets(resp, CommandStatus::ROK, sequence.0));
    esme.take_events();
    esme
}

#[test]
fn an_older_esme_gets_no_newer_pdus() {
    {
        let version = 0x33;
        let mut smsc = smsc_for(version);
        let refused = Err(Refusal::Version(InterfaceVersion(version)));
        assert_eq!(smsc.request(NOW, &DataSm::default(), "data"), refused);
        assert_eq!(
            smsc.session.notify(NOW, &AlertNotification::default()),
            Err(Refusal::Version(InterfaceVersion(version)))
        );
        assert_eq!(smsc.transmit(), b"");
        smsc.request(NOW, &deliver_sm("text"), "deliver").unwrap();
    }
    // 3.4, and values that name no version: they count as unstated.
    for version in [0x34, 0x00, 0x03, 0x22, 0x32, 0x35, 0xFF] {
        let mut smsc = smsc_for(version);
        smsc.request(NOW, &DataSm::default(), "data").unwrap();
    }
    let mut smsc = smsc_for(0x34);
    smsc.request(NOW, &DataSm::default(), "data").unwrap();
    smsc.session.notify(NOW, &AlertNotification::default()).unwrap();
}

#[test]
fn an_older_smsc_gets_no_tlvs_and_no_newer_pdus() {
    let list = [Tlv::u16(Tag::USER_MESSAGE_REFERENCE, 7)];
    let with_tlvs = SubmitSm { tlvs: Tlvs::list(&list), ..submit_sm("text") };
    let strict = Config::default().assumed_version(InterfaceVersion::V3_3);
    // The version that each side states, and whether both speak 3.4.
    for (config, own, smsc, newer) in [
        (Config::default(), 0x34, Some(0x33), false),
        (Config::default(), 0x34, Some(0x34), true),
        (Config::default(), 0x34, Some(0x50), true),
        (Config::default(), 0x33, Some(0x34), false),
        (Config::default(), 0x34, None, true),
        (strict, 0x34, None, false),
        (strict, 0x34, Some(0x34), true),
    ] {
        let mut esme = esme_for(config, own, smsc);
        let speaks = InterfaceVersion(own.min(smsc.unwrap_or(config.assumed_version.0)));
        let expected = |refusal| if newer { None } else { Some(refusal) };
        let tlvs = esme.request(NOW, &with_tlvs, "tlvs").err();
        assert_eq!(tlvs, expected(Refusal::TlvsUnsupported), "{own:#x} {smsc:?}");
        let data = esme.request(NOW, &DataSm::default(), "data").err();
        assert_eq!(data, expected(Refusal::Version(speaks)), "{own:#x} {smsc:?}");
        let broadcast = esme.request(NOW, &BroadcastSm::default(), "broadcast").err();
        assert_eq!(broadcast, expected(Refusal::Version(speaks)), "a 3.4 peer may support it: {smsc:?}");
        esme.request(NOW, &submit_sm("text"), "text").unwrap();
        assert_eq!(esme.session.peer_version(), smsc.map(InterfaceVersion), "as the SMSC stated it");
    }
}

#[test]
fn a_refused_bind_does_not_fix_the_version() {
    let mut esme = Peer::<Esme>::new(Config::default());
    let old = Bind { interface_version: InterfaceVersion::V3_3, ..bind(BindMode::Transmitter) };
    let sequence = esme.request(NOW, &old, "old").unwrap();
    let refused = Pdu::BindResp(BindMode::Transmitter, None);
    esme.receive(NOW, &octets(refused, CommandStatus::RBINDFAIL, sequence.0));
    let sequence = esme.request(NOW, &bind(BindMode::Transceiver), "new").unwrap();
    let resp = Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default()));
    esme.receive(NOW, &octets(resp, CommandStatus::ROK, sequence.0));
    esme.request(NOW, &DataSm::default(), "data").unwrap();
}

#[test]
fn an_outbind_leads_to_a_bind() {
    let mut smsc = Peer::<Smsc>::new(Config::default().session_init_timeout(secs(10)));
    let mut esme = Peer::<Esme>::new(Config::default().awaits_outbind(true));
    assert_eq!(esme.session.poll_timeout(), Some((NOW + secs(10), Timer::SessionInit)));
    let later = NOW + secs(4);
    smsc.session.notify(later, &Outbind::default()).unwrap();
    assert_eq!(smsc.session.state(), State::Outbound);
    let init = Some((later + secs(10), Timer::SessionInit));
    let octets = smsc.transmit();
    assert_eq!(smsc.session.poll_timeout(), init, "the timeout runs from the outbind to the bind");
    let mut input = &octets[..];
    assert!(esme.session.handle_input(later, &mut input).is_some());
    assert_eq!(esme.session.poll_timeout(), init);
    esme.request(later, &bind(BindMode::Receiver), "bind").unwrap();
    smsc.receive(later, &esme.transmit());
    let reply = smsc.binds.pop_front().unwrap();
    smsc.session.respond(reply, Ok(BindResp::default())).unwrap();
    esme.receive(later, &smsc.transmit());
    let bound = State::Bound(BindMode::Receiver);
    assert_eq!((esme.session.state(), smsc.session.state()), (bound, bound));
}

#[test]
fn an_outbind_is_refused_after_a_bind_has_arrived() {
    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.receive(NOW, &request(Pdu::Bind(bind(BindMode::Receiver)), 1));
    let refused = smsc.session.notify(NOW + secs(9), &Outbind::default());
    assert_eq!(refused, Err(Refusal::State(State::Open)));
    assert_eq!(smsc.session.poll_timeout(), Some((NOW + secs(10), Timer::SessionInit)));
}

#[test]
fn waiting_for_an_outbind_or_the_bind_after_it_times_out() {
    let mut esme = Peer::<Esme>::new(Config::default().awaits_outbind(true));
    esme.handle_timeouts(NOW + secs(10));
    assert_eq!(esme.closed, Some(CloseReason::SessionInit));

    let mut esme = Session::<Esme, ()>::new(Config::default(), NOW);
    assert_eq!(esme.poll_timeout(), None, "an ESME that does not await an outbind has no timeout");
    let outbind = request(Pdu::Outbind(Outbind::default()), 1);
    assert!(esme.handle_input(NOW + secs(3), &mut &outbind[..]).is_some());
    assert_eq!(esme.poll_timeout(), Some((NOW + secs(13), Timer::SessionInit)));

    let mut smsc = Peer::<Smsc>::new(Config::default());
    smsc.session.notify(NOW + secs(9), &Outbind::default()).unwrap();
    smsc.transmit();
    smsc.handle_timeouts(NOW + secs(19));
    assert_eq!(smsc.closed, Some(CloseReason::SessionInit));
}

#[test]
fn an_error_response_can_have_a_body() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    let octets =
        [request(Pdu::DataSm(DataSm::default()), 2), request(Pdu::SubmitSm(submit_sm("x")), 3)].concat();
    let mut input = &octets[..];
    let list = [Tlv::u8(Tag::DELIVERY_FAILURE_REASON, 2)];
    while let Some(event) = smsc.session.handle_input(NOW, &mut input) {
        use smpp_proto::session::{Event, Request};
        let tlvs = Tlvs::list(&list);
        match event {
            Event::Request { request: Request::DataSm(_, reply), .. } => {
                let reason = DataSmResp { tlvs, ..DataSmResp::default() };
                smsc.session.respond_with_reason(reply, CommandStatus::RDELIVERYFAILURE, &reason).unwrap();
            }
            Event::Request { request: Request::SubmitSm(_, reply), .. } => {
                let reason = smpp_proto::SubmitSmResp { tlvs, ..Default::default() };
                smsc.session.respond_with_reason(reply, CommandStatus::ROK, &reason).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    let output = smsc.transmit();
    let expected = [
        (CommandId::DATA_SM_RESP, CommandStatus::RDELIVERYFAILURE, 2, &b"\0\x04\x25\0\x01\x02"[..]),
        (CommandId::SUBMIT_SM_RESP, CommandStatus::RSYSERR, 3, &b""[..]),
    ];
    assert_eq!(pdus(&output), expected);
}

#[test]
fn a_strict_session_reports_malformed_responses_to_its_own_requests() {
    let config = Config::default().tolerance(Tolerance::STRICT).enquire_link_interval(secs(5));
    let mut smsc = bound_smsc(config, BindMode::Transceiver);
    smsc.handle_timeouts(NOW);
    smsc.handle_timeouts(NOW + secs(5));
    let enquire_link = smsc.transmit();
    assert_eq!(pdus(&enquire_link)[0].0, CommandId::ENQUIRE_LINK);
    let number = pdus(&enquire_link)[0].2;
    smsc.receive(NOW + secs(6), &raw(CommandId::ENQUIRE_LINK_RESP, CommandStatus::ROK, number, b"\0"));
    let events = smsc.take_events();
    assert!(matches!(events[..], [OwnedEvent::Malformed(CommandId::ENQUIRE_LINK_RESP, _)]), "{events:?}");
    assert_eq!(smsc.session.stats().unexpected_responses, 0);
    smsc.session.unbind(NOW + secs(6));
    let number = pdus(&smsc.transmit())[0].2;
    smsc.receive(NOW + secs(6), &raw(CommandId::UNBIND_RESP, CommandStatus::ROK, number, b"\0"));
    smsc.handle_timeouts(NOW + secs(6));
    assert_eq!(smsc.closed, Some(CloseReason::Unbound), "it still answers the unbind");
}

#[test]
fn a_delivery_receipt_reaches_an_older_esme_without_its_tlvs() {
    let receipt = [Tlv::u8(Tag::MESSAGE_STATE, 2), Tlv::new(Tag::RECEIPTED_MESSAGE_ID, b"id\0").unwrap()];
    let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"a long text").unwrap()];
    let mut smsc = smsc_for(0x33);
    let with = |list| DeliverSm { tlvs: Tlvs::list(list), ..deliver_sm("id:id stat:DELIVRD") };
    smsc.request(NOW, &with(&receipt), "receipt").unwrap();
    let octets = smsc.transmit();
    let (frame, _) = frame::split(&octets, 1024).unwrap().unwrap();
    let Pdu::DeliverSm(sent) = frame.pdu(Tolerance::STRICT).unwrap().0 else { panic!("a deliver_sm") };
    assert_eq!((sent.text(), sent.tlvs.is_empty()), (&b"id:id stat:DELIVRD"[..], true));
    assert_eq!(
        smsc.request(NOW, &with(&payload), "payload"),
        Err(Refusal::TlvsUnsupported),
        "it is the text"
    );
}

#[test]
fn the_caller_can_override_the_version_of_the_peer() {
    let config = Config::default().peer_version(InterfaceVersion::V3_4);
    let mut esme = esme_for(config, 0x34, Some(0x33));
    esme.request(NOW, &DataSm::default(), "data").unwrap();
    assert_eq!(esme.session.peer_version(), Some(InterfaceVersion::V3_3), "visible as it was stated");
}
