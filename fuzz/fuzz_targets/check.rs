//! What holds for any octets. The fuzz target and the tests of `smpp-core` share it.

use smpp_core::{CommandStatus, Frame, Header, Pdu, Quirks, Tolerance, frame};

const LIMIT: usize = frame::DEFAULT_MAX_LENGTH;

/// Deviations that are read, and written back the way the specification wants it.
const MENDED: Quirks = Quirks::UNTERMINATED_STRING
    .union(Quirks::ABSENT_ADDRESS_RANGE)
    .union(Quirks::TRAILING_NUL)
    .union(Quirks::TRUNCATED_TLV)
    .union(Quirks::TLVS_ONLY)
    .union(Quirks::TRAILING_OCTETS);

/// Splits a stream and reads each PDU, strictly and tolerantly.
pub(crate) fn decode(mut stream: &[u8]) {
    while let Ok(Some((frame, rest))) = frame::split(stream, LIMIT) {
        assert_eq!(frame.octets().len() + rest.len(), stream.len(), "no octet is lost or read twice");
        assert_eq!(frame.octets().len(), frame.header().length as usize);
        for tolerance in [Tolerance::STRICT, Tolerance::LENIENT, Tolerance(Quirks::all())] {
            read(frame, tolerance);
        }
        if let Ok(strict) = frame.pdu(Tolerance::STRICT) {
            assert_eq!(frame.pdu(Tolerance::LENIENT), Ok(strict), "tolerance changes nothing in a good PDU");
        }
        stream = rest;
    }
}

fn read(frame: Frame<&[u8]>, tolerance: Tolerance) {
    let Header { length, command, status, sequence } = frame.header();
    match frame.pdu(tolerance) {
        Ok((pdu, quirks)) => {
            assert!(tolerance.0.contains(quirks), "{quirks:?} is not tolerated");
            assert_eq!(pdu.command(), command);
            let mut out = Vec::new();
            pdu.encode(status, sequence, &mut out);
            if !quirks.intersects(MENDED) {
                assert_eq!(out, frame.octets(), "{pdu:?}");
            }
            let mended = Frame::new(&out[..]).expect("what is written is one PDU");
            let rest = quirks.difference(MENDED);
            assert_eq!(mended.pdu(Tolerance(rest)), Ok((pdu, rest)), "what is written reads back");
            let mut slice = vec![0; out.len()];
            assert_eq!(pdu.encode_into(status, sequence, &mut slice), Ok(out.len()));
            assert_eq!(slice, out);
            look(pdu);
        }
        Err(error) => {
            assert_eq!(error.command, command);
            assert!(error.offset <= length as usize, "{error}");
            assert_ne!(error.status(), CommandStatus::ROK, "{error}");
        }
    }
}

/// Whatever a user may ask of a message gives an answer.
fn look(pdu: Pdu<'_>) {
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
        assert!(!format!("{tlv:?}").is_empty(), "every accessor gives an answer");
    }
}
