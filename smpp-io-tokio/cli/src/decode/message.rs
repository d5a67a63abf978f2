//! The content of a message: its user data header, its text, its receipt.

use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::udh::{self, Content, Element, Ports};
use smpp_proto::sms::{Alphabet, Codings, Detection, Receipt, ReceiptCarrier};
use smpp_proto::{DataCoding, EsmClass, Pdu, Tlvs};

/// The message in a PDU.
struct Message<'a> {
    esm_class: EsmClass,
    data_coding: DataCoding,
    user_data: &'a [u8],
    tlvs: Tlvs<'a>,
}

impl<'a> Message<'a> {
    fn of(pdu: &Pdu<'a>) -> Option<Self> {
        let (esm_class, data_coding, user_data, tlvs) = match pdu {
            Pdu::SubmitSm(message) => (message.esm_class, message.data_coding, message.text(), message.tlvs),
            Pdu::DeliverSm(message) => (message.esm_class, message.data_coding, message.text(), message.tlvs),
            Pdu::DataSm(message) => (message.esm_class, message.data_coding, message.text(), message.tlvs),
            Pdu::SubmitMulti(message) => {
                (message.esm_class, message.data_coding, message.text(), message.tlvs)
            }
            _ => return None,
        };
        Some(Self { esm_class, data_coding, user_data, tlvs })
    }
}

pub(crate) type Lines = Vec<(&'static str, String)>;

/// Returns names and values of the decoded content; nothing if the PDU carries no message.
pub(crate) fn explain(pdu: &Pdu<'_>) -> Lines {
    let mut lines = Lines::new();
    let Some(message) = Message::of(pdu) else { return lines };
    let (mut header, mut octets) = (None, message.user_data);
    if message.esm_class.contains(EsmClass::UDHI) {
        match udh::split(octets) {
            Ok((elements, rest)) => {
                (header, octets) = (Some(elements), rest);
                lines.extend(elements.elements().map(|element| match element {
                    Ok(element) => ("user data header", describe(element)),
                    Err(error) => ("user data header", error.to_string()),
                }));
            }
            Err(error) => {
                // The start of the text is unknown. A receipt that only has the flag is read.
                lines.push(("user data header", error.to_string()));
                receipt(&mut lines, &message);
                return lines;
            }
        }
    }
    // The SMSC defines the alphabet of `data_coding` 0: almost always GSM.
    let codings = Codings::default();
    let alphabet = codings.alphabet(message.data_coding);
    let text = codings.decode(message.data_coding, header, octets);
    if !octets.is_empty() {
        lines.push(match (&text, alphabet) {
            (Some(text), Some(alphabet)) => ("text", format!("{text:?} ({alphabet:?})")),
            (None, Some(_)) => ("data", format!("{} octets, no text", octets.len())),
            (_, None) => ("data", format!("{} octets in an alphabet without a table", octets.len())),
        });
    }
    receipt(&mut lines, &message);
    lines
}

fn describe(element: Element<'_>) -> String {
    match element.content() {
        Content::Concatenation(segment) => {
            let (reference, bits) = match segment.reference() {
                ConcatRef::Narrow(reference) => (reference.into(), 8),
                ConcatRef::Wide(reference) => (reference, 16),
            };
            format!(
                "segment {} of {}, reference {reference} ({bits} bits)",
                segment.number(),
                segment.total()
            )
        }
        Content::Ports(Ports { destination, originator }) => {
            format!("to port {destination}, from port {originator}")
        }
        Content::SpecialMessage { indication, count } => {
            format!("special message {indication:#04x}, {count} waiting")
        }
        Content::SingleShift(language) => format!("single shift to {language:?}"),
        Content::LockingShift(language) => format!("locking shift to {language:?}"),
        _ => {
            let octets: Vec<_> = element.data.iter().map(|octet| format!(" {octet:02x}")).collect();
            format!("element {:#04x}:{}", element.id, octets.concat())
        }
    }
}

/// Adds the fields of a receipt, if the message is one.
fn receipt(lines: &mut Lines, message: &Message<'_>) {
    let Message { esm_class, data_coding, user_data, tlvs } = *message;
    let carrier = ReceiptCarrier::default();
    let carrier = carrier.esm_class(esm_class).data_coding(data_coding).user_data(user_data).tlvs(tlvs);
    let mut buffer = Vec::new();
    let receipt = match Receipt::of_with_buffer(carrier, Detection::ByEsmClass, &mut buffer) {
        Some(Ok(receipt)) => receipt,
        Some(Err(error)) => return lines.push(("receipt", error.to_string())),
        None => return,
    };
    let quoted = |octets: &[u8]| format!("\"{}\"", octets.escape_ascii());
    let state = match receipt.state() {
        Some(state) if receipt.is_final() => format!("{state:?}, final"),
        Some(state) => format!("{state:?}, not final"),
        None => "not a known state".to_owned(),
    };
    // A whole receipt may be UCS-2 whatever the `data_coding` says.
    let alphabet = match carrier.text() {
        [0, _, 0, ..] => Some(Alphabet::Ucs2),
        _ => Codings::default().alphabet(data_coding),
    };
    let text = |octets: &[u8]| {
        let decoded = alphabet.and_then(|alphabet| alphabet.decode(octets));
        decoded.map_or_else(|| quoted(octets), |decoded| format!("{decoded:?}"))
    };
    let fields = [
        ("receipt id", Some(quoted(receipt.id))),
        ("receipt sub", receipt.sub.map(|count| count.to_string())),
        ("receipt dlvrd", receipt.dlvrd.map(|count| count.to_string())),
        ("receipt submit date", receipt.submit_date.map(quoted)),
        ("receipt done date", receipt.done_date.map(quoted)),
        ("receipt stat", Some(format!("{}: {state}", quoted(receipt.stat)))),
        ("receipt err", receipt.err.map(quoted)),
        ("receipt text", receipt.text.map(text)),
    ];
    lines.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
}

#[cfg(test)]
mod tests {
    use smpp_proto::{DeliverSm, ShortMessage, SubmitSm, Tag, Tlv};

    use super::*;

    #[test]
    fn a_segment_shows_its_header_and_its_text() {
        let segment = SubmitSm {
            esm_class: EsmClass::UDHI,
            short_message: ShortMessage::new(b"\x08\x00\x03\x2A\x03\x02\x24\x01\x01Gr\x7E\x1Ee \x1Bg")
                .unwrap(),
            ..SubmitSm::default()
        };
        let expected = [
            ("user data header", "segment 2 of 3, reference 42 (8 bits)".to_owned()),
            ("user data header", "single shift to TURKISH".to_owned()),
            ("text", "\"Grüße ğ\" (Gsm7)".to_owned()),
        ];
        assert_eq!(explain(&Pdu::SubmitSm(segment)), expected);
        let broken = SubmitSm { short_message: ShortMessage::new(b"\x7FHello").unwrap(), ..segment };
        assert!(matches!(explain(&Pdu::SubmitSm(broken))[..], [("user data header", _)]));
    }

    #[test]
    fn a_receipt_with_odd_fields_is_decoded_as_the_account_reads_it() {
        let line = b"id:4711 sub:001 dlvrd:001 stat:DELIVRD err:000 text:hi";
        let ucs2: Vec<u8> = line.iter().flat_map(|octet| [0, *octet]).collect();
        let udhi = EsmClass::DELIVERY_RECEIPT | EsmClass::UDHI;
        for (esm_class, data_coding, text) in [
            (EsmClass::DELIVERY_RECEIPT, DataCoding::UCS2, &line[..]),
            (udhi, DataCoding::default(), line),
            (EsmClass::INTERMEDIATE_NOTIFICATION, DataCoding::default(), line),
            (EsmClass::DELIVERY_RECEIPT, DataCoding::UCS2, &ucs2),
            (EsmClass::DELIVERY_RECEIPT, DataCoding::default(), &ucs2),
        ] {
            let short_message = ShortMessage::new(text).unwrap();
            let message = DeliverSm { esm_class, data_coding, short_message, ..DeliverSm::default() };
            let lines = explain(&Pdu::DeliverSm(message));
            for expected in [("receipt id", "\"4711\""), ("receipt err", "\"000\"")] {
                let found = lines.iter().any(|(name, value)| (*name, &**value) == expected);
                assert!(found, "{esm_class:?} {data_coding:?}: {lines:?}");
            }
        }
    }

    #[test]
    fn the_text_is_in_the_payload_and_in_the_alphabet_of_data_coding() {
        let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, &[0x4E, 0x94, 0x00, 0x0A]).unwrap()];
        let message = |data_coding| {
            let tlvs = Tlvs::list(&payload);
            Pdu::SubmitSm(SubmitSm { data_coding, tlvs, ..SubmitSm::default() })
        };
        let line = |name, value: &str| vec![(name, value.to_owned())];
        assert_eq!(explain(&message(DataCoding::UCS2)), line("text", "\"五\\n\" (Ucs2)"));
        assert_eq!(explain(&message(DataCoding::OCTETS)), line("data", "4 octets, no text"));
        let unknown = line("data", "4 octets in an alphabet without a table");
        assert_eq!(explain(&message(DataCoding::PICTOGRAM)), unknown);
    }

    #[test]
    fn a_receipt_in_ucs2_and_one_that_is_none() {
        let mut octets = Vec::new();
        smpp_proto::sms::ucs2::encode("id:1 stat:ENROUTE text:五", &mut octets);
        let receipt = DeliverSm {
            esm_class: EsmClass::DELIVERY_RECEIPT,
            data_coding: DataCoding::UCS2,
            short_message: ShortMessage::new(&octets).unwrap(),
            ..DeliverSm::default()
        };
        let lines = explain(&Pdu::DeliverSm(receipt));
        assert!(lines.contains(&("receipt stat", "\"ENROUTE\": ENROUTE, not final".to_owned())), "{lines:?}");
        assert!(lines.contains(&("receipt text", "\"五\"".to_owned())), "{lines:?}");
        let short_message = ShortMessage::new(b"stat:ENROUTE").unwrap();
        let none = DeliverSm { data_coding: DataCoding::IA5, short_message, ..receipt };
        let lines = explain(&Pdu::DeliverSm(none));
        assert!(
            lines.contains(&("receipt", "the delivery receipt has no message id".to_owned())),
            "{lines:?}"
        );
    }
}
