//! What a message and its template state is sent, or refused.

use super::super::outbound_pdu::Frames;
use super::*;
use crate::frame::Frame;
use crate::pdu::{DataCoding, DataSm, MessageClass, Pdu, ReplaceIfPresent, SubmitMulti};
use crate::provider::LongMessages;
use crate::session::Operations;
use crate::sms::gsm7::{Language, Shifts};
use crate::sms::udh::{Element, UserDataHeaderBuf};
use crate::sms::{Alphabet, Codings, SegmentError, Text, TextError, TextOptions};
use crate::tlv::{Tag, Tlv, Tlvs};

fn stating(data_coding: u8) -> SubmitSm<'static> {
    SubmitSm { data_coding: DataCoding(data_coding), ..template() }
}

fn segments(options: &Options, message: &Message) -> Result<Vec<Frame<Vec<u8>>>, SubmitError> {
    let mut frames = Frames::default();
    message.encode(options, 0x0102, &mut frames)?;
    Ok((0..frames.len()).map(|index| Frame::new(frames.get(index).to_vec()).unwrap()).collect())
}

/// Returns the `data_coding` and the octets of each segment.
fn sent_with(options: &Options, message: &Message) -> Result<Vec<(u8, Vec<u8>)>, SubmitError> {
    let sent = |frame: &Frame<Vec<u8>>| match super::super::outbound_pdu::decode(frame) {
        Pdu::SubmitSm(sent) => (sent.data_coding.0, sent.short_message.as_bytes().to_vec()),
        other => panic!("{other:?}"),
    };
    Ok(segments(options, message)?.iter().map(sent).collect())
}

fn sent(message: &Message) -> Result<(u8, Vec<u8>), SubmitError> {
    let sent = sent_with(&options(), message)?;
    let [one] = &sent[..] else { panic!("{sent:?}") };
    Ok(one.clone())
}

fn data_coding(message: &Message) -> Result<u8, SubmitError> {
    sent(message).map(|(data_coding, _)| data_coding)
}

#[test]
fn the_data_coding_of_the_template_is_sent_or_refused() {
    let ucs2 = "\u{4E94}";
    for (stated, gsm, other) in [
        (0x00, Some(0x00), Some(0x08)),
        (0x01, Some(0x01), None),
        (0x03, Some(0x03), None),
        (0x08, Some(0x08), Some(0x08)),
        (0x10, Some(0x10), Some(0x18)),
        (0x11, Some(0x11), Some(0x19)),
        (0x18, Some(0x18), Some(0x18)),
        (0x1B, Some(0x1B), Some(0x1B)),
        (0xC0, Some(0xC0), None),
        (0xE1, Some(0xE1), Some(0xE1)),
        (0xF0, Some(0xF0), Some(0x18)),
        (0xF2, Some(0xF2), Some(0x1A)),
    ] {
        let text = |text: &str| data_coding(&Message::text(&stating(stated), text)).ok();
        assert_eq!((text("Hello"), text(ucs2)), (gsm, other), "{stated:#04x}");
    }
    for stated in [0x02, 0x04, 0x09, 0x14, 0x20, 0xF5] {
        let error = SubmitError::DataCoding(DataCodingError::NotText { data_coding: DataCoding(stated) });
        assert_eq!(data_coding(&Message::text(&stating(stated), "Hello")), Err(error));
    }
    let (_, octets) = sent(&Message::text(&stating(0x08), "Hi")).unwrap();
    assert_eq!(octets, [0, b'H', 0, b'i'], "the text is encoded as the data_coding says");
}

#[test]
fn an_error_of_the_data_coding_says_what_to_do() {
    let error = data_coding(&Message::text(&stating(0x03), "a\u{4E94}")).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.contains("0x03") && shown.contains("byte 1") && shown.contains("leave data_coding at 0"),
        "{shown}"
    );
    let text = TextOptions { alphabets: &[Alphabet::Gsm7], ..options().text };
    let options = Options { text, ..options() };
    let flash = Message::text(&stating(0x10), "\u{4E94}");
    let refused = sent_with(&options, &flash);
    assert!(
        matches!(refused, Err(SubmitError::DataCoding(DataCodingError::Unencodable { .. }))),
        "without UCS-2 among the alphabets: {refused:?}"
    );
}

#[test]
fn a_message_class_is_in_the_data_coding() {
    let text =
        |text: &str, stated| data_coding(&Message::text(&stating(stated), text).class(MessageClass::Flash));
    for (stated, gsm, ucs2) in [
        (0x00, Some(0x10), Some(0x18)),
        (0x08, Some(0x18), Some(0x18)),
        (0xF0, Some(0xF0), Some(0x18)),
        (0x10, Some(0x10), Some(0x18)),
        (0x11, None, None),
        (0x03, None, None),
        (0xC0, None, None),
    ] {
        assert_eq!((text("Hello", stated).ok(), text("\u{4E94}", stated).ok()), (gsm, ucs2), "{stated:#04x}");
    }
    let class = MessageClass::Flash;
    let error = DataCodingError::Class { data_coding: DataCoding(0x11), class };
    assert_eq!(text("Hello", 0x11), Err(SubmitError::DataCoding(error)));
    let octets =
        |stated| data_coding(&Message::octets(&stating(stated), *b"x").class(MessageClass::Device)).ok();
    assert_eq!(
        [0x00, 0x04, 0xF5, 0x14, 0x08].map(octets),
        [Some(0x15), Some(0x15), Some(0xF5), None, Some(0x19)]
    );
}

#[test]
fn a_class_needs_an_alphabet_that_can_have_one() {
    let codings = Codings { smsc_default: Alphabet::Latin1, ..Codings::default() };
    let with = |alphabets| Options { text: TextOptions { codings, alphabets, languages: &[] }, ..options() };
    let flash = Message::text(&template(), "Hello").class(MessageClass::Flash);
    let data_coding = |alphabets| sent_with(&with(alphabets), &flash).map(|sent| sent[0].0);
    assert_eq!(data_coding(&[Alphabet::Latin1, Alphabet::Ucs2]), Ok(0x18));
    assert_eq!(data_coding(&[Alphabet::Latin1]), Err(SubmitError::Text(TextError::NoAlphabet)));
}

#[test]
fn octets_are_sent_with_the_data_coding_of_the_template() {
    let octets = |stated, length| {
        let octets = vec![7; length];
        sent_with(&options(), &Message::octets(&stating(stated), octets)).map(|sent| (sent.len(), sent[0].0))
    };
    assert_eq!(octets(0x00, 1), Ok((1, 0x04)));
    assert_eq!(octets(0xF5, 300), Ok((3, 0xF5)));
    assert_eq!(octets(0x08, 140), Ok((1, 0x08)));
    let error = DataCodingError::Split { data_coding: DataCoding(0x08), segments: 2 };
    assert_eq!(octets(0x08, 142), Err(SubmitError::DataCoding(error)));
}

#[test]
fn a_template_that_describes_another_content_is_refused() {
    let payload = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").unwrap()];
    let sar = [Tlv::sar_total_segments(2)];
    let reference = [Tlv::user_message_reference(7)];
    let short_message = ShortMessage::new(b"Hello").unwrap();
    for (template, field) in [
        (SubmitSm { short_message, ..template() }, Some(TemplateField::ShortMessage)),
        (SubmitSm { sm_default_msg_id: 1, ..template() }, Some(TemplateField::SmDefaultMsgId)),
        (SubmitSm { tlvs: Tlvs::list(&payload), ..template() }, Some(TemplateField::MessagePayload)),
        (SubmitSm { tlvs: Tlvs::list(&sar), ..template() }, Some(TemplateField::Sar)),
        (SubmitSm { esm_class: EsmClass::UDHI, ..template() }, Some(TemplateField::UserDataHeader)),
        (SubmitSm { tlvs: Tlvs::list(&reference), ..template() }, None),
        (SubmitSm { esm_class: EsmClass::REPLY_PATH, ..template() }, None),
    ] {
        for message in [Message::text(&template, "Hello"), Message::octets(&template, *b"Hello")] {
            assert_eq!(sent(&message).err(), field.map(SubmitError::Template));
        }
        assert!(segments(&options(), &Message::submit_sm(&template)).is_ok(), "it is sent as it is");
    }
}

#[test]
fn a_text_of_several_segments_does_not_replace_itself() {
    let template = SubmitSm { replace_if_present_flag: ReplaceIfPresent::YES, ..template() };
    let frames = segments(&options(), &Message::text(&template, "Hello")).unwrap();
    let Pdu::SubmitSm(sent) = super::super::outbound_pdu::decode(&frames[0]) else { panic!() };
    assert_eq!(sent.replace_if_present_flag, ReplaceIfPresent::YES);
    let long = segments(&options(), &Message::text(&template, "a".repeat(161)));
    assert_eq!(long, Err(SubmitError::Template(TemplateField::ReplaceIfPresent)));
}

#[test]
fn ports_and_header_elements_precede_each_segment() {
    let mut header = UserDataHeaderBuf::new();
    header.push(Element { id: Element::REPLY_ADDRESS, data: &[0x91] }).unwrap();
    for message in [Message::text(&template(), "Hello"), Message::octets(&template(), *b"Hello")] {
        let (_, octets) = sent(&message.ports(9200, 2948).header(header.as_header())).unwrap();
        let elements = [0x05, 4, 0x0B, 0x84, 0x23, 0xF0, 0x22, 1, 0x91];
        assert_eq!(octets, [&[elements.len() as u8], &elements[..], b"Hello"].concat());
    }
    let long = Message::text(&template(), "a".repeat(200)).ports(9200, 2948);
    for (_, octets) in sent_with(&options(), &long).unwrap() {
        let (header, _) = crate::sms::udh::split(&octets).unwrap();
        assert_eq!(header.ports().map(|ports| (ports.originator, ports.destination)), Some((9200, 2948)));
        assert_eq!(header.concatenation().map(|part| part.total()), Some(2));
    }
    let sar = Options { long_messages: LongMessages::Sar, ..options() };
    assert_eq!(sent_with(&sar, &Message::text(&template(), "Hello").ports(1, 2)).unwrap().len(), 1);
    assert_eq!(sent_with(&sar, &long), Err(SubmitError::Segments(SegmentError::HeaderWithSar)));
    let too_long = Message::text(&template(), "Hello").header(crate::sms::udh::UserDataHeader(&[7; 116]));
    assert!(matches!(sent(&too_long), Err(SubmitError::Segments(SegmentError::MalformedHeader(_)))));
    let many = (0..20).fold(Message::text(&template(), "Hello"), |message, _| message.ports(9200, 2948));
    assert_eq!(sent(&many), Err(SubmitError::Segments(SegmentError::HeaderTooLong { length: 121 })));
}

#[test]
fn a_prepared_text_is_sent_as_it_was_prepared() {
    let mut header = UserDataHeaderBuf::new();
    header.push(Element { id: 0x70, data: &[1] }).unwrap();
    let turkish =
        Text::coded("Da\u{11F}", Alphabet::Gsm7, Shifts::single(Language::TURKISH), DataCoding(0xF1))
            .unwrap();
    let turkish = turkish.with_header(header.as_header()).unwrap();
    let (data_coding, octets) = sent(&Message::prepared(&template(), &turkish)).unwrap();
    assert_eq!(data_coding, 0xF1);
    assert_eq!(octets[..7], [6, 0x24, 1, 1, 0x70, 1, 1]);
    let (_, with_ports) = sent(&Message::prepared(&template(), &turkish).ports(1, 2)).unwrap();
    assert_eq!(with_ports[..11], [10, 0x24, 1, 1, 0x70, 1, 1, 0x04, 2, 2, 1]);
    // The account would have chosen GSM 7-bit.
    let ucs2 = Text::ucs2("Hi").with_data_coding(DataCoding(0x19));
    assert_eq!(sent(&Message::prepared(&stating(0x19), &ucs2)), Ok((0x19, vec![0, b'H', 0, b'i'])));
    let conflict = DataCodingError::Conflict { template: DataCoding(0x08), text: DataCoding(0x19) };
    assert_eq!(sent(&Message::prepared(&stating(0x08), &ucs2)), Err(SubmitError::DataCoding(conflict)));
    let class = |text: &Text<'_>, class| {
        sent(&Message::prepared(&template(), text).class(class)).map(|sent| sent.0).ok()
    };
    assert_eq!(class(&Text::ucs2("Hi"), MessageClass::Sim), Some(0x1A));
    assert_eq!(class(&ucs2, MessageClass::Sim), None);
    let octets = Text::octets(b"Hi").with_data_coding(DataCoding(0xF6));
    assert_eq!(sent(&Message::prepared(&template(), &octets)), Ok((0xF6, b"Hi".to_vec())));
}

#[cfg(feature = "graphemes")]
#[test]
fn a_grapheme_is_not_cut_if_the_message_says_so() {
    // The segment ends behind 66 units: between the letter and its accent.
    let text = ["\u{436}".repeat(65).as_str(), "e\u{301}", "\u{436}"].concat().repeat(2);
    let first = |message: &Message| sent_with(&options(), message).unwrap()[0].1.len();
    let whole = first(&Message::text(&template(), text.as_str()).whole_graphemes());
    assert_eq!((first(&Message::text(&template(), text.as_str())), whole), (7 + 132, 7 + 130));
    let prepared = Text::new(&text).whole_graphemes();
    assert_eq!(first(&Message::prepared(&template(), &prepared)), whole);
}

#[test]
fn a_whole_pdu_states_its_class_and_header_itself() {
    let multi = Message::submit_multi(&SubmitMulti::default());
    for message in [Message::submit_sm(&template()), Message::data_sm(&DataSm::default()), multi] {
        assert_eq!(segments(&options(), &message).map(|frames| frames.len()), Ok(1));
        let refused = [
            message.clone().class(MessageClass::Flash),
            #[cfg(feature = "graphemes")]
            message.clone().whole_graphemes(),
            message.ports(1, 2),
        ];
        for message in refused {
            assert_eq!(segments(&options(), &message), Err(SubmitError::SentAsItIs));
        }
    }
}

#[test]
fn every_error_of_a_submit_says_what_to_do() {
    let data_coding = DataCoding(3);
    let unencodable = crate::sms::Unencodable { character: 'x', position: 1 };
    let malformed = crate::sms::udh::MalformedHeader::Element { offset: 1 };
    let codings = [
        DataCodingError::NotText { data_coding },
        DataCodingError::Unencodable { data_coding, unencodable },
        DataCodingError::Conflict { template: data_coding, text: data_coding },
        DataCodingError::Class { data_coding, class: MessageClass::Flash },
        DataCodingError::Split { data_coding, segments: 2 },
    ];
    let fields = [
        TemplateField::ShortMessage,
        TemplateField::SmDefaultMsgId,
        TemplateField::MessagePayload,
        TemplateField::Sar,
        TemplateField::UserDataHeader,
        TemplateField::ReplaceIfPresent,
    ];
    let texts = [TextError::NoAlphabet, TextError::Unencodable(unencodable), TextError::NotText(data_coding)];
    let segments = [
        SegmentError::TooMany { needed: 300 },
        SegmentError::HeaderTooLong { length: 200 },
        SegmentError::MalformedHeader(malformed),
        SegmentError::ReservedElement { id: 0 },
        SegmentError::HeaderWithSar,
    ];
    let others = [
        SubmitError::Full,
        SubmitError::TooManySegments { segments: 9 },
        SubmitError::KeyTooLong { octets: 65 },
        SubmitError::SentAsItIs,
        SubmitError::Unsupported(CommandId::DATA_SM),
        SubmitError::ShutDown,
        SubmitError::Stopped,
    ];
    let errors = (codings.map(SubmitError::DataCoding).into_iter())
        .chain(fields.map(SubmitError::Template))
        .chain(texts.map(SubmitError::Text))
        .chain(segments.map(SubmitError::Segments))
        .chain(others);
    for error in errors {
        let shown = error.to_string();
        let advice = shown.split_once(": ").or_else(|| shown.split_once(", "));
        assert!(advice.is_some_and(|(_, advice)| advice.len() >= 10), "{shown}");
        assert!(!shown.contains("Error"), "no form of Debug: {shown}");
    }
}

#[test]
fn an_operation_that_the_provider_does_not_take_is_refused() {
    let mut account = Account::<()>::new(options(), Instant::ZERO).unwrap();
    assert_eq!(options().session.operations & Operations::DATA_SM, Operations::empty());
    let refused = account.submit(Instant::ZERO, &Message::data_sm(&DataSm::default())).unwrap_err();
    assert_eq!(refused, SubmitError::Unsupported(crate::pdu::CommandId::DATA_SM));
    assert!(refused.to_string().contains("does not take data_sm"), "{refused}");
}

/// A text of one segment is written into the template without another copy: the PDU is the one that its segment makes.
#[test]
fn a_text_of_one_segment_is_sent_as_its_segment_would_be() {
    use crate::sms::Segmentation;
    let tlvs = [Tlv::user_message_reference(0x0304)];
    let templates = [template(), SubmitSm { tlvs: Tlvs::list(&tlvs), ..stating(0xF2) }];
    let turkish = TextOptions { languages: &[Language::TURKISH], ..TextOptions::default() };
    let codings = Codings { smsc_default: Alphabet::Gsm7Packed, ..Codings::GSM7 };
    let packed = TextOptions { codings, ..TextOptions::default() };
    let (full, over, euros) = ("a".repeat(160), "a".repeat(161), "\u{20AC}".repeat(80));
    let texts = ["", "Hello", &full, &over, &euros, "\u{4E94}", "Da\u{11F}", "full to the last\r"];
    let mut written = 0;
    for template in templates {
        for text_options in [TextOptions::default(), turkish, packed] {
            for long_messages in [LongMessages::Udh16, LongMessages::Payload] {
                for text in texts {
                    let mut options = options();
                    (options.text, options.long_messages) = (text_options, long_messages);
                    let Ok(frames) = segments(&options, &Message::text(&template, text)) else { continue };
                    let coded = if template.data_coding.0 == 0 {
                        text_options.text(text)
                    } else {
                        text_options.text_as(text, template.data_coding)
                    };
                    let segmentation = long_messages.segmentation(0x0102);
                    let expected = coded.unwrap().segments(segmentation).unwrap().submissions(template);
                    let expected = expected.map(|one| {
                        super::super::outbound_pdu::encode(&Pdu::SubmitSm(one.submit_sm())).octets().to_vec()
                    });
                    let sent: Vec<_> = frames.iter().map(|frame| frame.octets().to_vec()).collect();
                    assert_eq!(sent, expected.collect::<Vec<_>>(), "{text:?}");

                    let encoded = super::super::outbound_pdu::encode(&Pdu::SubmitSm(template));
                    let octets = if template.tlvs.is_empty() { 0 } else { 6 };
                    let mut one = Frames::default();
                    let text = coded.unwrap();
                    let is_written = one.push_text(encoded.octets(), octets, text.data_coding(), |out| {
                        text.emit_only_segment(segmentation, out)
                    });
                    assert_eq!(is_written, sent[0] == *one.get(0), "{text:?}");
                    assert!(!is_written || (sent.len() == 1 && segmentation != Segmentation::Payload));
                    written += usize::from(is_written);
                }
            }
        }
    }
    assert!(written > 20, "{written} were written without a segment");
}
