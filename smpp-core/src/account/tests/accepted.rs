//! What the SMSC says with an acceptance reaches the outcome of the segment.

use super::*;
use crate::frame::{Frame, SequenceNumber};
use crate::pdu::Pdu;
use crate::tlv::{Tag, Tlv, Tlvs};

const PRICE: Tag = Tag(0x1400);

/// Passes a response to the first request after the bind to the account, and returns the outcome of its message.
fn answer(sim: &mut Simulation, response: Pdu<'_>) -> MessageOutcome {
    let link = sim.servers[0].link;
    let sequence = SequenceNumber(SequenceNumber::FIRST.0 + 1);
    let frame = Frame::encode(&response, CommandStatus::ROK, sequence);
    sim.account.handle_input(sim.now, link, &mut frame.octets());
    sim.settle();
    let [(_, outcome)] = &sim.outcomes()[..] else { panic!("{:?}", sim.outcomes()) };
    outcome.clone()
}

fn sent() -> Simulation {
    let mut sim = Simulation::new(options());
    sim.advance(SECOND);
    sim.answers = false;
    sim.send("Hello");
    sim.settle();
    sim
}

#[test]
fn an_accepted_segment_keeps_the_tlvs_of_its_response() {
    let tlvs = [Tlv::new(PRICE, b"0.042").unwrap()];
    let message_id = COctets::new(b"id-1").unwrap();
    let response = SubmitSmResp { message_id, tlvs: Tlvs::list(&tlvs) };
    let outcome = answer(&mut sent(), Pdu::SubmitSmResp(Some(response)));
    let [SegmentOutcome::Accepted { id, response, .. }] = &outcome.segments[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!((id.as_bytes(), response.tlv(PRICE)), (&b"id-1"[..], Some(&b"0.042"[..])));
    assert_eq!(alloc::format!("{response:?}"), "AcceptedResponse(30 octets)", "no value of a TLV");
    let accepted = outcome.clone().into_accepted().unwrap();
    let prices: Vec<_> = accepted.responses().map(|response| response.tlv(PRICE)).collect();
    assert_eq!(prices, [Some(&b"0.042"[..])]);
}

#[test]
fn a_response_with_nothing_but_the_id_is_not_kept() {
    let message_id = COctets::new(b"id-1").unwrap();
    let response = SubmitSmResp { message_id, ..SubmitSmResp::default() };
    let outcome = answer(&mut sent(), Pdu::SubmitSmResp(Some(response)));
    assert_eq!(outcome.segments, [accepted(b"id-1")]);
    let accepted = outcome.clone().into_accepted().unwrap();
    assert_eq!(accepted.responses().collect::<Vec<_>>(), [&AcceptedResponse::default()]);
    assert!(
        size_of::<SegmentOutcome>() <= 56,
        "the outcome of an accepted segment stays small: its id and its bind are in it"
    );
}

#[test]
fn a_response_of_more_than_8192_octets_is_omitted() {
    let value = vec![b'x'; 8_192];
    let tlvs = [Tlv::new(PRICE, &value).unwrap()];
    let message_id = COctets::new(b"id-1").unwrap();
    let response = SubmitSmResp { message_id, tlvs: Tlvs::list(&tlvs) };
    let outcome = answer(&mut sent(), Pdu::SubmitSmResp(Some(response)));
    let [SegmentOutcome::Accepted { id, response, .. }] = &outcome.segments[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!((id.as_bytes(), response.tlv(PRICE), response.is_omitted()), (&b"id-1"[..], None, true));
}
