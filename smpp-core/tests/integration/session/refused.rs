//! What the peer says with a refusal, and what a session says that accepts no more requests.

use std::time::Duration;

use smpp_proto::session::{
    CloseReason, Config, Esme, Event, Instant, NotSentReason, Outcome, Readiness, Refusal, RefusedResponse,
    RequestError, Smsc,
};
use smpp_proto::{
    BindMode, CommandId, CommandStatus, DataSm, DataSmResp, DeliverSm, Operation, Pdu, Tag, Tlv, Tlvs, frame,
};

use super::support::{Peer, bind, bound_esme, bound_smsc, octets, raw, request, submit_sm};

const NOW: Instant = Instant::ZERO;

/// Returns the refusal of a submit_sm whose response has this body.
fn refusal(status: CommandStatus, body: &[u8]) -> RequestError {
    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.submit(NOW, "hello").unwrap().0;
    let pdu = raw(CommandId::SUBMIT_SM_RESP, status, sequence, body);
    let Some(Event::Outcome { outcome, .. }) = esme.session.handle_input(NOW, &mut &pdu[..]) else {
        panic!("the refusal is reported");
    };
    let error = outcome.into_result().unwrap_err();
    let mut slot = None;
    outcome.store_in(&mut slot);
    assert_eq!(slot.unwrap().unwrap_err(), error);
    error
}

/// Encodes a parameter, with any octets as its value.
fn tlv(tag: Tag, value: &[u8]) -> Vec<u8> {
    [&tag.0.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

fn response(error: &RequestError) -> &RefusedResponse {
    let RequestError::Refused { response, .. } = error else { panic!("{error:?}") };
    response
}

#[test]
fn a_refusal_keeps_the_text_and_the_vendor_parameters() {
    const PRICE: Tag = Tag(0x1405);
    let text = tlv(Tag::ADDITIONAL_STATUS_INFO_TEXT, b"no route to 65\0");
    let price = tlv(PRICE, b"0.0042");
    // With a message_id, with an empty one, and without, as peers send them.
    for start in [&b"id-7\0"[..], b"\0", b""] {
        let body = [start, &text, &price].concat();
        let error = refusal(CommandStatus::RINVDSTADR, &body);
        assert_eq!(error.status(), Some(CommandStatus::RINVDSTADR));
        let response = response(&error);
        assert_eq!(response.additional_status_info_text().as_deref(), Some("no route to 65"));
        assert_eq!(response.tlv(PRICE), Some(&b"0.0042"[..]));
        assert_eq!(response.tlvs().iter().count(), 2);
        assert_eq!(response.frame().unwrap().body(), body);
        let shown = "refused by the peer: ESME_RINVDSTADR (0x0000000b): destination address not accepted; \
                     the peer says \"no route to 65\"";
        assert_eq!(error.to_string(), shown);
    }
}

#[test]
fn every_kind_of_request_keeps_its_refusal() {
    let text = tlv(Tag::ADDITIONAL_STATUS_INFO_TEXT, b"account suspended\0");
    let mut esme = Peer::<Esme>::new(Config::default());
    let sequence = esme.request(NOW, &bind(BindMode::Transceiver), "bind").unwrap().0;
    let pdu = raw(CommandId::BIND_TRANSCEIVER_RESP, CommandStatus::RBINDFAIL, sequence, &text);
    let Some(Event::Outcome { outcome, .. }) = esme.session.handle_input(NOW, &mut &pdu[..]) else {
        panic!()
    };
    let error = outcome.into_result().unwrap_err();
    assert_eq!(response(&error).additional_status_info_text().as_deref(), Some("account suspended"));

    let mut esme = bound_esme(Config::default(), BindMode::Transceiver);
    let sequence = esme.request(NOW, &DataSm::default(), "data").unwrap().0;
    let tlvs = [Tlv::additional_status_info_text(b"busy").unwrap()];
    let body = DataSmResp { tlvs: Tlvs::list(&tlvs), ..DataSmResp::default() };
    let pdu = octets(Pdu::DataSmResp(Some(body)), CommandStatus::RDELIVERYFAILURE, sequence);
    let Some(Event::Outcome { outcome, .. }) = esme.session.handle_input(NOW, &mut &pdu[..]) else {
        panic!()
    };
    let Outcome::Refused { response: borrowed, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(borrowed.additional_status_info_text().as_deref(), Some("busy"));
    let error = outcome.into_result().unwrap_err();
    assert_eq!(response(&error).additional_status_info_text().as_deref(), Some("busy"));
}

#[test]
fn a_refusal_without_a_text_shows_the_status_alone() {
    let shown = "refused by the peer: ESME_RTHROTTLED (0x00000058): sending faster than allowed";
    let empty_text = tlv(Tag::ADDITIONAL_STATUS_INFO_TEXT, b"\0");
    // No body, an empty message_id, a malformed body, and an empty text.
    for body in [&b""[..], b"\0", b"\0no TLV", &empty_text] {
        let error = refusal(CommandStatus::RTHROTTLED, body);
        assert_eq!(error.to_string(), shown, "{body:?}");
        assert!(response(&error).additional_status_info_text().is_none_or(|text| text.is_empty()));
    }
    assert_eq!(
        refusal(CommandStatus::RTHROTTLED, b""),
        RequestError::Refused { status: CommandStatus::RTHROTTLED, response: RefusedResponse::default() }
    );
}

#[test]
fn the_shown_text_is_cut_and_escaped() {
    let text = |value: &[u8]| {
        let error = refusal(CommandStatus::RSYSERR, &tlv(Tag::ADDITIONAL_STATUS_INFO_TEXT, value));
        let shown = error.to_string();
        let (_, shown) = shown.split_once("the peer says ").unwrap();
        shown.to_owned()
    };
    assert_eq!(text(b"can't \"say\"\r\n\x1b[31m\0"), r#""can't \"say\"\r\n\u{1b}[31m""#);
    assert_eq!(text(b"latin-1 \xE9"), "\"latin-1 \u{FFFD}\"");
    assert_eq!(text("right to left \u{202E}".as_bytes()), r#""right to left \u{202e}""#);
    // Its length in the protocol is 256 octets with the NUL. Escapes count.
    assert_eq!(text(&[b'x'; 256]), format!("\"{}\"", "x".repeat(256)));
    for octet in [b'x', 1, b'\n'] {
        let shown = text(&[octet; 3000]);
        assert!(shown.ends_with("…\"") && (250..=259).contains(&shown.chars().count()), "{shown}");
        let error = refusal(CommandStatus::RSYSERR, &tlv(Tag::ADDITIONAL_STATUS_INFO_TEXT, &[octet; 3000]));
        assert_eq!(format!("{:?}", response(&error)), format!("RefusedResponse({shown})"));
    }
}

#[test]
fn the_kept_body_is_bounded() {
    let limit = 4096 - 16 - 4;
    let whole = refusal(CommandStatus::RSYSERR, &tlv(Tag(0x1500), &vec![1; limit]));
    assert_eq!(response(&whole).tlv(Tag(0x1500)).map(<[u8]>::len), Some(limit));
    let too_long = refusal(CommandStatus::RSYSERR, &tlv(Tag(0x1500), &vec![1; limit + 1]));
    assert_eq!(response(&too_long), &RefusedResponse::default());
    assert!(size_of::<RequestError>() <= 32, "an outcome stays as small as it is without the body");
}

#[test]
fn a_session_that_shuts_down_says_why_it_accepts_no_request() {
    let refused = |esme: &mut Peer<Esme>, expected: Refusal| {
        assert_eq!(esme.submit(NOW, "late"), Err(expected), "{expected}");
        assert_eq!(esme.session.readiness(NOW), Readiness::Refusing(expected));
    };
    let bound = || bound_esme(Config::default(), BindMode::Transceiver);

    let mut esme = bound();
    esme.submit(NOW, "in flight").unwrap();
    esme.session.unbind(NOW);
    refused(&mut esme, Refusal::Closing(CloseReason::Unbound));
    assert_eq!(
        Refusal::Closing(CloseReason::Unbound).to_string(),
        "the session is shutting down: this side unbinds"
    );
    esme.session.abort();
    refused(&mut esme, Refusal::Closed(CloseReason::Aborted));
    esme.handle_timeouts(NOW);
    refused(&mut esme, Refusal::Closed(CloseReason::Aborted));

    let mut esme = bound();
    esme.submit(NOW, "in flight").unwrap();
    esme.receive(NOW, &request(Pdu::Unbind, 1));
    refused(&mut esme, Refusal::Closing(CloseReason::PeerUnbound));
    esme.transmit();
    esme.session.handle_disconnect();
    esme.handle_timeouts(NOW);
    refused(&mut esme, Refusal::Closed(CloseReason::PeerUnbound));
    let not_sent = Refusal::Closed(CloseReason::PeerUnbound).permanent().unwrap();
    assert_eq!(not_sent, NotSentReason::Closed(CloseReason::PeerUnbound));
    assert_eq!(
        RequestError::NeverSent(not_sent).to_string(),
        "not sent: the session has ended: the peer unbound"
    );

    let mut esme = bound();
    esme.receive(NOW, &request(Pdu::DeliverSm(DeliverSm::default()), 1));
    esme.session.handle_eof();
    refused(&mut esme, Refusal::Closing(CloseReason::Disconnected));

    let mut esme = bound();
    esme.receive(NOW, b"HTTP/1.1 400 Bad Request");
    let reason = CloseReason::Framing(frame::split(b"HTTP", frame::DEFAULT_MAX_LENGTH).unwrap_err());
    refused(&mut esme, Refusal::Closing(reason));
    esme.transmit();
    esme.handle_timeouts(NOW);
    refused(&mut esme, Refusal::Closed(reason));

    let inactive = Config::default().inactivity_timeout(Duration::from_secs(9));
    let mut esme = bound_esme(inactive, BindMode::Transceiver);
    esme.handle_timeouts(NOW + Duration::from_secs(9));
    refused(&mut esme, Refusal::Closing(CloseReason::Inactive));
}

#[test]
fn a_response_after_the_end_names_the_end() {
    let mut smsc = bound_smsc(Config::default(), BindMode::Transceiver);
    for sequence in [2, 3] {
        smsc.receive(NOW, &request(Pdu::SubmitSm(submit_sm("hello")), sequence));
    }
    let respond = |smsc: &mut Peer<Smsc>| {
        let reply = smsc.submits.pop_front().unwrap();
        smsc.session.respond(reply, Err(smpp_proto::SubmitSm::UNANSWERED))
    };
    smsc.receive(NOW, &[0xFF; 16]);
    let framing = CloseReason::Framing(frame::split(&[0xFF; 16], frame::DEFAULT_MAX_LENGTH).unwrap_err());
    assert_eq!(respond(&mut smsc), Err(Refusal::Closing(framing)), "only the last output is transmitted");
    smsc.transmit();
    smsc.handle_timeouts(NOW);
    assert_eq!(respond(&mut smsc), Err(Refusal::Closed(framing)));
}
