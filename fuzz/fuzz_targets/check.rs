//! Properties of the codec that hold for any octets. The fuzz targets and the tests of `smpp-proto` share this module.
#![allow(dead_code, reason = "no target uses all functions")]

use smpp_proto::arbitrary::{Unstructured, with_pdu};
use smpp_proto::{CommandStatus, Frame, Header, Pdu, Quirks, SequenceNumber, Tolerance, frame};

const LIMIT: usize = frame::DEFAULT_MAX_LENGTH;

/// The deviations that encoding corrects, so that the encoded octets differ from the received ones.
const CORRECTED: Quirks = Quirks::UNTERMINATED_STRING
    .union(Quirks::ABSENT_ADDRESS_RANGE)
    .union(Quirks::TRAILING_NUL)
    .union(Quirks::TRUNCATED_TLV)
    .union(Quirks::TLVS_ONLY)
    .union(Quirks::TRAILING_OCTETS);

/// Generates a valid PDU from the octets, encodes it, and checks that it decodes to the same PDU and field by field
/// to its end.
pub(crate) fn round_trip(octets: &[u8]) {
    let mut octets = Unstructured::new(octets);
    let Ok(number) = octets.int_in_range(SequenceNumber::FIRST.0..=SequenceNumber::LAST.0) else { return };
    // Too few octets generate no PDU.
    let _ = with_pdu(&mut octets, |pdu| check_round_trip(pdu, SequenceNumber(number)));
}

fn check_round_trip(pdu: &Pdu<'_>, sequence: SequenceNumber) {
    let frame = Frame::encode(pdu, CommandStatus::ROK, sequence);
    let header = frame.header();
    assert_eq!((header.command, header.sequence), (pdu.command(), sequence));
    assert_eq!(frame.pdu(Tolerance::STRICT), Ok((*pdu, Quirks::empty())));
    assert_eq!(frame.pdu(Tolerance::LENIENT), Ok((*pdu, Quirks::empty())));
    let mut after = frame::HEADER_LENGTH;
    let read = frame.fields(Tolerance::STRICT, &mut |field| {
        assert_eq!(field.offset, after, "{}", field.name);
        after += field.octets.len();
    });
    assert_eq!((read, after), (Ok((*pdu, Quirks::empty())), frame.octets().len()));
    let mut slice = vec![0; frame.octets().len()];
    for length in [0, 3, slice.len() - 1, slice.len()] {
        let written = pdu.encode_into(CommandStatus::ROK, sequence, &mut slice[..length]);
        let needed = frame.octets().len();
        let written = written.map_err(|error| (error.needed, error.available));
        assert_eq!(written, if length < needed { Err((needed, length)) } else { Ok(needed) });
    }
    assert_eq!(slice, frame.octets());
    call_accessors(*pdu);
}

/// Splits a stream and decodes each PDU with every tolerance.
pub(crate) fn decode(mut stream: &[u8]) {
    while let Ok(Some((frame, rest))) = frame::split(stream, LIMIT) {
        assert_eq!(frame.octets().len() + rest.len(), stream.len(), "an octet is lost or read twice");
        assert_eq!(frame.octets().len(), frame.header().length as usize);
        for tolerance in [Tolerance::STRICT, Tolerance::LENIENT, Tolerance(Quirks::all())] {
            check_decoding(frame, tolerance);
        }
        if let Ok(strict) = frame.pdu(Tolerance::STRICT) {
            assert_eq!(frame.pdu(Tolerance::LENIENT), Ok(strict), "the tolerance changes a valid PDU");
        }
        stream = rest;
    }
}

fn check_decoding(frame: Frame<&[u8]>, tolerance: Tolerance) {
    let mut after = frame::HEADER_LENGTH;
    let visited = frame.fields(tolerance, &mut |field| {
        assert_eq!(field.offset, after, "{}: an octet is missing or visited twice", field.name);
        after += field.octets.len();
    });
    assert_eq!(visited, frame.pdu(tolerance), "the visitor changes the result");
    assert!(after <= frame.octets().len());
    assert!(visited.is_err() || after == frame.octets().len(), "some octet is not visited: {visited:?}");
    let Header { length, command, status, sequence } = frame.header();
    match frame.pdu(tolerance) {
        Ok((pdu, quirks)) => {
            assert!(tolerance.0.contains(quirks), "{quirks:?} is not tolerated");
            assert_eq!(pdu.command(), command);
            let mut out = Vec::new();
            pdu.encode(status, sequence, &mut out);
            if !quirks.intersects(CORRECTED) {
                assert_eq!(out, frame.octets(), "{pdu:?}");
            }
            let encoded = Frame::new(&out[..]).expect("the encoded octets are one PDU");
            let rest = quirks.difference(CORRECTED);
            // The corrected body of an error response may look like TLVs only.
            let ambiguous =
                quirks.intersects(CORRECTED) && command.is_response() && status != CommandStatus::ROK;
            if !ambiguous {
                assert_eq!(
                    encoded.pdu(Tolerance(rest)),
                    Ok((pdu, rest)),
                    "the encoded PDU decodes to another one"
                );
            }
            let mut slice = vec![0; out.len()];
            assert_eq!(pdu.encode_into(status, sequence, &mut slice), Ok(out.len()));
            assert_eq!(slice, out);
            call_accessors(pdu);
        }
        Err(error) => {
            assert_eq!(error.command, command);
            assert!(error.offset <= length as usize, "{error}");
            assert_ne!(error.status(), CommandStatus::ROK, "{error}");
        }
    }
}

/// Calls the accessors of a PDU.
fn call_accessors(pdu: Pdu<'_>) {
    let text = match pdu {
        Pdu::SubmitSm(message) => message.text(),
        Pdu::DeliverSm(message) => message.text(),
        Pdu::DataSm(message) => message.text(),
        Pdu::SubmitMulti(message) => {
            assert_eq!(message.destinations.iter().count(), message.destinations.len());
            message.text()
        }
        Pdu::SubmitMultiResp(Some(resp)) => {
            assert_eq!(resp.unsuccessful.iter().count(), resp.unsuccessful.len());
            &[]
        }
        _ => &[],
    };
    let tlvs = pdu.tlvs();
    assert!(text.len() <= LIMIT);
    assert_eq!(tlvs.iter().count() == 0, tlvs.is_empty());
    for tlv in tlvs {
        assert!(tlvs.get(tlv.tag).is_some());
        assert!(!format!("{tlv:?}").is_empty(), "the accessor returns no text");
    }
}
