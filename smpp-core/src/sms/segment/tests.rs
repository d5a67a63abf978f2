//! Tests of splitting: known answers, and properties of any text, alphabet, segmentation and header.

use alloc::string::String;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::sms::gsm7::{Language, Shifts, packed};
use crate::sms::udh::{self, ConcatRef, Element};
use crate::sms::{Alphabet, Codings, Text, TextOptions, TextSize};
use crate::{Frame, Pdu, Quirks, SequenceNumber, Tolerance};

const NARROW: ConcatRef = ConcatRef::Narrow(0xAB);
const WIDE: ConcatRef = ConcatRef::Wide(0xABCD);

fn segments(text: &str, segmentation: impl Into<Segmentation>) -> Vec<Segment> {
    Text::new(text).segments(segmentation).unwrap().collect()
}

/// Returns the length of each segment's user data.
fn lengths(text: &str, segmentation: impl Into<Segmentation>) -> Vec<usize> {
    segments(text, segmentation).iter().map(|segment| segment.as_bytes().len()).collect()
}

#[test]
fn capacities_match_the_specification() {
    for (header, septets, units) in
        [(0, 160, 70), (6, 153, 67), (7, 152, 66), (4, 155, 68), (9, 149, 65), (12, 146, 64)]
    {
        let capacity = |text: Text<'_>| text.splitter.capacity(header);
        assert_eq!(capacity(Text::gsm7("").unwrap()), septets, "header of {header} octets");
        assert_eq!(capacity(Text::ucs2("")), units, "header of {header} octets");
        assert_eq!(capacity(Text::octets(b"")), 140 - header, "header of {header} octets");
    }
}

#[test]
fn gsm7_segments_have_160_or_152_or_153_septets() {
    assert_eq!(lengths(&"a".repeat(160), WIDE), [160]);
    assert_eq!(lengths(&"a".repeat(161), WIDE), [7 + 152, 7 + 9]);
    assert_eq!(lengths(&"a".repeat(304), WIDE), [7 + 152, 7 + 152]);
    assert_eq!(lengths(&"a".repeat(305), WIDE), [7 + 152, 7 + 152, 7 + 1]);
    assert_eq!(lengths(&"a".repeat(306), NARROW), [6 + 153, 6 + 153]);
    assert_eq!(lengths(&"a".repeat(307), NARROW), [6 + 153, 6 + 153, 6 + 1]);
}

#[test]
fn ucs2_segments_have_70_or_66_or_67_units() {
    assert_eq!(lengths(&"я".repeat(70), WIDE), [140]);
    assert_eq!(lengths(&"я".repeat(71), WIDE), [7 + 132, 7 + 10]);
    assert_eq!(lengths(&"я".repeat(132), WIDE), [7 + 132, 7 + 132]);
    assert_eq!(lengths(&"я".repeat(134), NARROW), [6 + 134, 6 + 134]);
    assert_eq!(lengths(&"я".repeat(135), NARROW), [6 + 134, 6 + 134, 6 + 2]);
}

#[test]
fn an_escape_is_not_split_from_its_septet() {
    let text = "a".repeat(151) + "€" + &"a".repeat(10);
    assert_eq!(lengths(&text, WIDE), [7 + 151, 7 + 12]);
}

#[test]
fn a_surrogate_pair_is_not_split() {
    let text = "я".repeat(65) + "😀" + &"я".repeat(10);
    assert_eq!(lengths(&text, WIDE), [7 + 130, 7 + 24]);
}

#[test]
fn a_grapheme_is_not_split_with_whole_graphemes() {
    // A family: four people and three joiners, 11 units.
    let text = "я".repeat(60) + "👨‍👩‍👧‍👦" + &"я".repeat(10);
    let lengths = |text: Text<'_>| -> Vec<usize> {
        text.segments(WIDE).unwrap().map(|segment| segment.as_bytes().len()).collect()
    };
    assert_eq!(lengths(Text::new(&text)), [7 + 132, 7 + 2 * 15]);
    assert_eq!(lengths(Text::new(&text).whole_graphemes()), [7 + 120, 7 + 2 * 21]);
    // Longer than any segment: the letter a with a hundred accents.
    let long_grapheme = String::from("a") + &"\u{301}".repeat(100);
    assert_eq!(lengths(Text::new(&long_grapheme).whole_graphemes()), [7 + 132, 7 + 2 * 35]);
}

#[test]
fn the_header_has_number_and_total() {
    let all = segments(&"a".repeat(200), WIDE);
    assert_eq!(all[0].as_bytes()[..8], [6, 8, 4, 0xAB, 0xCD, 2, 1, b'a']);
    assert_eq!(all[1].as_bytes()[..8], [6, 8, 4, 0xAB, 0xCD, 2, 2, b'a']);
    assert_eq!((all[1].number(), all[1].total()), (2, 2));
    assert_eq!((all[1].esm_class(), all[1].data_coding()), (EsmClass::UDHI, DataCoding(0)));

    let all = segments(&"я".repeat(71), NARROW);
    assert_eq!(all[1].as_bytes()[..8], [5, 0, 3, 0xAB, 2, 2, 0x04, 0x4F]);
    assert_eq!(all[1].data_coding(), DataCoding(8));
}

#[test]
fn a_single_segment_has_no_header() {
    for text in ["", "hello", "привет"] {
        let all = segments(text, WIDE);
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].number(), all[0].total()), (1, 1));
        assert_eq!(all[0].esm_class(), EsmClass::empty());
    }
}

#[test]
fn every_segment_names_the_national_table() {
    let text = "ğ".repeat(161);
    let turkish =
        Text::coded(&text, Alphabet::Gsm7, Shifts::locking(Language::TURKISH), DataCoding(0)).unwrap();
    let all: Vec<_> = turkish.segments(NARROW).unwrap().collect();
    assert_eq!(all[0].as_bytes()[..10], [8, 0, 3, 0xAB, 2, 1, 0x25, 1, 1, 0x0C]);
    assert_eq!(all[1].as_bytes()[..10], [8, 0, 3, 0xAB, 2, 2, 0x25, 1, 1, 0x0C]);
    assert_eq!(all[0].as_bytes().len(), 9 + 149);
    let one = Text::coded("ğ", Alphabet::Gsm7, Shifts::both(Language::TURKISH), DataCoding(0)).unwrap();
    let one = one.segments(NARROW).unwrap().next().unwrap();
    assert_eq!((one.as_bytes(), one.esm_class()), (&[6, 0x25, 1, 1, 0x24, 1, 1, 0x0C][..], EsmClass::UDHI));
}

#[test]
fn packed_septets_start_after_the_fill_bits() {
    let text = "a".repeat(161);
    let text = Text::coded(&text, Alphabet::Gsm7Packed, Shifts::NONE, DataCoding(0)).unwrap();
    let all: Vec<_> = text.segments(NARROW).unwrap().collect();
    assert_eq!(all[0].as_bytes().len(), 140);
    assert_eq!(all[1].as_bytes()[..7], [5, 0, 3, 0xAB, 2, 2, 0xC2], "a is 0x61, one fill bit before it");
}

#[test]
fn a_doubled_carriage_return_fits_the_segment() {
    for (before, sizes) in [(159, vec![140, 15]), (158, vec![140])] {
        let text = "a".repeat(before) + "\r";
        let text = Text::coded(&text, Alphabet::Gsm7Packed, Shifts::NONE, DataCoding(0)).unwrap();
        let all: Vec<_> = text.segments(WIDE).unwrap().map(|segment| segment.as_bytes().len()).collect();
        assert_eq!(all, sizes, "{before}");
        assert_eq!(text.size(WIDE).segments, sizes.len());
    }
    let codings = Codings { smsc_default: Alphabet::Gsm7Packed, ..Codings::default() };
    for before in 100..330 {
        let text = "a".repeat(before) + "\r\rb" + &"\r\r\r\r€\r\r".repeat(30) + "c";
        let packed = Text::coded(&text, Alphabet::Gsm7Packed, Shifts::NONE, DataCoding(0)).unwrap();
        let all: Vec<_> = packed.segments(WIDE).unwrap().submissions(SubmitSm::default()).collect();
        let submit_sms: Vec<_> = all.iter().map(Submission::submit_sm).collect();
        let joined =
            codings.decode_segments(submit_sms.iter().map(|submit_sm| submit_sm.user_data().unwrap()));
        assert_eq!(joined.as_ref(), Some(&text), "{before}");
    }
}

#[test]
fn each_segment_starts_in_the_initial_shift_state() {
    let text = "漢".repeat(200);
    let japanese = Alphabet::Charset(&encoding_rs::ISO_2022_JP_INIT);
    let coded = Text::coded(&text, japanese, Shifts::NONE, DataCoding(10)).unwrap();
    let all: Vec<_> = coded.segments(WIDE).unwrap().submissions(SubmitSm::default()).collect();
    assert_eq!(all[1].segment().as_bytes()[7..10], *b"\x1B$B");
    let submit_sms: Vec<_> = all.iter().map(Submission::submit_sm).collect();
    let joined =
        Codings::default().decode_segments(submit_sms.iter().map(|submit_sm| submit_sm.user_data().unwrap()));
    assert_eq!(joined, Some(text));
}

#[test]
fn reserved_elements_are_refused() {
    let with = |octets: &'static [u8]| Text::new("a").with_header(udh::split(octets).unwrap().0).err();
    assert_eq!(with(&[5, 0x00, 3, 1, 9, 9]), Some(SegmentError::ReservedElement { id: 0x00 }));
    assert_eq!(with(&[6, 0x08, 4, 1, 1, 9, 9]), Some(SegmentError::ReservedElement { id: 0x08 }));
    assert_eq!(with(&[3, 0x24, 1, 1]), Some(SegmentError::ReservedElement { id: 0x24 }));
    assert_eq!(with(&[3, 0x25, 1, 1]), Some(SegmentError::ReservedElement { id: 0x25 }));
    let malformed = udh::MalformedHeader::Element { offset: 1 };
    assert_eq!(with(&[2, 0x70, 9]), Some(SegmentError::MalformedHeader(malformed)));
    assert_eq!(with(&[2, 0x70, 0]), None);
}

#[test]
fn a_text_has_at_most_255_segments() {
    let most = "a".repeat(255 * 152);
    let mut all = Text::new(&most).segments(WIDE).unwrap();
    assert_eq!(all.len(), 255);
    assert_eq!(all.by_ref().last().unwrap().number(), 255);
    assert_eq!(all.next(), None);

    let more = most + "a";
    let refused = Text::new(&more).segments(WIDE).err();
    assert_eq!(refused, Some(SegmentError::TooMany { needed: 256 }));
    assert!(Text::new(&more).segments(NARROW).is_ok(), "255 * 153 fit");
}

#[test]
fn a_header_without_room_for_text_is_refused() {
    let elements = [0xA0_u8, 112].iter().copied().chain([7; 113]).collect::<Vec<_>>();
    let header = |length: u8| {
        let mut octets = vec![length];
        octets.extend_from_slice(&elements[..usize::from(length)]);
        octets
    };
    let fits = header(114);
    let (fits, _) = udh::split(&fits).unwrap();
    let text = "ä".repeat(300);
    let text = Text::new(&text).with_header(fits).unwrap();
    assert!(text.segments(WIDE).unwrap().all(|segment| segment.as_bytes().len() > 1 + 114 + 6));
    let long = [&[116, 0x70, 114][..], &[7; 114]].concat();
    let (long, _) = udh::split(&long).unwrap();
    assert_eq!(Text::new("a").with_header(long), Err(SegmentError::HeaderTooLong { length: 117 }));
}

#[test]
fn sar_parameters_and_a_header_exclude_each_other() {
    let turkish = Text::coded("ğ", Alphabet::Gsm7, Shifts::single(Language::TURKISH), DataCoding(0)).unwrap();
    let one: Vec<_> = turkish.segments(Segmentation::Sar(1)).unwrap().collect();
    assert_eq!((one.len(), one[0].esm_class()), (1, EsmClass::UDHI), "one segment needs no sar_ parameters");
    let long = "ğ".repeat(100);
    let turkish =
        Text::coded(&long, Alphabet::Gsm7, Shifts::single(Language::TURKISH), DataCoding(0)).unwrap();
    assert_eq!(turkish.segments(Segmentation::Sar(1)).err(), Some(SegmentError::HeaderWithSar));
    assert_eq!(lengths(&"a".repeat(161), Segmentation::Sar(1)), [152, 9]);
    assert_eq!(lengths(&"a".repeat(160), Segmentation::Sar(1)), [160]);
}

#[test]
fn a_payload_has_the_whole_text() {
    let text = "€".repeat(300);
    let submissions =
        Text::new(&text).segments(Segmentation::Payload).unwrap().submissions(SubmitSm::default());
    let all: Vec<_> = submissions.collect();
    let submit_sm = all[0].submit_sm();
    assert_eq!((all.len(), submit_sm.short_message), (1, ShortMessage::EMPTY));
    assert_eq!(submit_sm.text().len(), 600);
    assert!(Text::new(&"a".repeat(255 * 152)).segments(Segmentation::Payload).is_ok());
    let refused = Text::new(&"a".repeat(255 * 152 + 1)).segments(Segmentation::Payload).err();
    assert_eq!(refused, Some(SegmentError::TooMany { needed: 256 }), "the SMSC cannot number them either");
    let turkish = Text::coded("ğ", Alphabet::Gsm7, Shifts::single(Language::TURKISH), DataCoding(0)).unwrap();
    let payload =
        turkish.segments(Segmentation::Payload).unwrap().submissions(SubmitSm::default()).next().unwrap();
    assert_eq!(payload.submit_sm().text(), [3, 0x24, 1, 1, 0x1B, 0x67], "the payload starts with the header");
    assert_eq!(payload.submit_sm().esm_class, EsmClass::UDHI);
}

#[test]
fn fields_of_the_template_are_copied() {
    let list = [Tlv::user_message_reference(9)];
    let template = SubmitSm {
        esm_class: EsmClass::DATAGRAM | EsmClass::UDHI,
        validity_period: "000001000000000R".try_into().unwrap(),
        data_coding: DataCoding(8),
        short_message: ShortMessage::new(b"old").unwrap(),
        tlvs: Tlvs::list(&list),
        ..SubmitSm::default()
    };
    let of = |text: &'static str, segmentation: Segmentation| {
        Text::new(text).segments(segmentation).unwrap().submissions(template).next().unwrap()
    };
    let short = of("Hi", WIDE.into());
    let expected = SubmitSm {
        esm_class: EsmClass::DATAGRAM,
        data_coding: DataCoding(0),
        short_message: ShortMessage::new(b"Hi").unwrap(),
        ..template
    };
    assert_eq!(short.submit_sm(), expected);
    let payload = of("Hi", Segmentation::Payload);
    assert_eq!(payload.submit_sm().tlvs.message_payload(), Some(&b"Hi"[..]));
    assert_eq!(payload.submit_sm().tlvs.user_message_reference(), Some(9));
    assert!(payload.submit_sm().short_message.is_empty());
}

#[test]
fn text_fields_of_the_template_are_replaced() {
    let list = [
        Tlv::new(Tag::MESSAGE_PAYLOAD, b"old").unwrap(),
        Tlv::user_message_reference(9),
        Tlv::sar_msg_ref_num(1),
        Tlv::sar_total_segments(9),
        Tlv::sar_segment_seqnum(9),
    ];
    let template = SubmitSm {
        replace_if_present_flag: ReplaceIfPresent(1),
        sm_default_msg_id: 7,
        tlvs: Tlvs::list(&list),
        ..SubmitSm::default()
    };
    let long = "a".repeat(161);
    for (text, segmentation, replaces) in
        [("Hi", Segmentation::Udh(WIDE), 1), (&long, WIDE.into(), 0), (&long, Segmentation::Sar(2), 0)]
    {
        let submission =
            Text::new(text).segments(segmentation).unwrap().submissions(template).next().unwrap();
        let submit_sm = submission.submit_sm();
        assert_eq!((submit_sm.replace_if_present_flag.0, submit_sm.sm_default_msg_id), (replaces, 0));
        assert_eq!(
            (submit_sm.tlvs.message_payload(), submit_sm.tlvs.user_message_reference()),
            (None, Some(9))
        );
        let sar = if segmentation == Segmentation::Sar(2) { vec![Some(2_u16)] } else { vec![] };
        assert!(submit_sm.tlvs.all::<u16>(Tag::SAR_MSG_REF_NUM).eq(sar));
    }
}

/// Returns the expected number of segments, computed by splitting the encoded text instead of the characters.
fn count<T>(units: &[T], single: usize, capacity: usize, starts_pair: impl Fn(&T) -> bool) -> usize {
    if units.len() <= single {
        return 1;
    }
    let (mut count, mut start) = (0, 0);
    while start < units.len() {
        let end = start + capacity;
        start = if end < units.len() && starts_pair(&units[end - 1]) { end - 1 } else { end };
        count += 1;
    }
    count
}

fn texts(characters: &'static str) -> impl Strategy<Value = String> {
    let characters: Vec<char> = characters.chars().collect();
    prop::collection::vec(prop::sample::select(characters), 0..1000).prop_map(String::from_iter)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        texts("ab@£ \n€[]{}|^Ωà"),
        texts("abğışĞ€{ç"),
        texts("naïve àéß"),
        texts("ab€я你😀👍🏽"),
        texts("aбв漢字カ"),
        prop::collection::vec(any::<char>(), 0..200).prop_map(String::from_iter),
    ]
}

fn any_reference() -> impl Strategy<Value = ConcatRef> {
    prop_oneof![any::<u8>().prop_map(ConcatRef::Narrow), any::<u16>().prop_map(ConcatRef::Wide)]
}

fn any_segmentation() -> impl Strategy<Value = Segmentation> {
    prop_oneof![
        any_reference().prop_map(Segmentation::Udh),
        any::<u16>().prop_map(Segmentation::Sar),
        Just(Segmentation::Payload)
    ]
}

/// Codings with different alphabets for `data_coding` 0.
fn any_codings() -> impl Strategy<Value = Codings> {
    let defaults =
        vec![Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ascii, Alphabet::Latin1, Alphabet::Ucs2];
    prop::sample::select(defaults).prop_map(|smsc_default| Codings { smsc_default, ..Codings::default() })
}

/// Header elements other than concatenation and tables.
fn any_elements() -> impl Strategy<Value = Vec<u8>> {
    let element = (0x60_u8..0x70, prop::collection::vec(any::<u8>(), 0..12));
    let elements = prop::collection::vec(element, 0..4);
    elements.prop_map(|elements| {
        let octets: Vec<u8> =
            elements.into_iter().flat_map(|(id, data)| [vec![id, data.len() as u8], data].concat()).collect();
        [vec![octets.len() as u8], octets].concat()
    })
}

const EVERY_ALPHABET: [Alphabet; 8] = [
    Alphabet::Gsm7,
    Alphabet::Gsm7Packed,
    Alphabet::Ascii,
    Alphabet::Latin1,
    Alphabet::Charset(&encoding_rs::ISO_8859_5_INIT),
    Alphabet::Charset(&encoding_rs::ISO_2022_JP_INIT),
    Alphabet::Charset(&encoding_rs::EUC_KR_INIT),
    Alphabet::Ucs2,
];

const LANGUAGES: [Language; 3] = [Language::TURKISH, Language::SPANISH, Language::PORTUGUESE];

/// Splits the user data of a PDU into header and text.
fn read<'a>(submit_sm: &SubmitSm<'a>) -> (Option<udh::UserDataHeader<'a>>, &'a [u8]) {
    if submit_sm.esm_class.contains(EsmClass::UDHI) {
        let (header, octets) = udh::split(submit_sm.text()).unwrap();
        (Some(header), octets)
    } else {
        (None, submit_sm.text())
    }
}

proptest! {
    #[test]
    fn segments_decode_to_the_text(
        (text, segmentation, codings) in (any_text(), any_segmentation(), any_codings()),
        (elements, first, graphemes) in (any_elements(), 0..8_usize, any::<bool>()),
        national: bool,
    ) {
        // A carriage return at the end of packed septets is read as padding.
        let text = text.replace('\r', "");
        let mut alphabets = EVERY_ALPHABET;
        alphabets.rotate_left(first);
        let languages = if national { &LANGUAGES[..] } else { &[] };
        let options = TextOptions { codings, alphabets: &alphabets, languages };
        // The first alphabet if it can encode the text, otherwise the one with the fewest segments.
        let first = codings.data_coding(alphabets[0]).and_then(|data_coding| {
            Text::coded(&text, alphabets[0], Shifts::NONE, data_coding).ok()
        });
        let chosen = first.unwrap_or_else(|| options.text(&text).unwrap()).with_header(udh::split(&elements).unwrap().0).unwrap();
        let chosen = if graphemes { chosen.whole_graphemes() } else { chosen };
        let segments = match chosen.segments(segmentation) {
            Ok(segments) => segments,
            Err(SegmentError::HeaderWithSar) => {
                prop_assert!(matches!(segmentation, Segmentation::Sar(_)));
                prop_assert!(elements.len() > 1 || chosen.shifts() != Shifts::NONE);
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        };
        let all: Vec<_> = segments.submissions(SubmitSm::default()).collect();
        for (submission, number) in all.iter().zip(1..) {
            let submit_sm = submission.submit_sm();
            // What the peer decodes.
            let frame = Frame::encode(&Pdu::SubmitSm(submit_sm), crate::CommandStatus::ROK, SequenceNumber(1));
            prop_assert_eq!(frame.pdu(Tolerance::STRICT), Ok((Pdu::SubmitSm(submit_sm), Quirks::empty())));
            prop_assert_eq!(submit_sm.data_coding, chosen.data_coding());
            let (header, octets) = read(&submit_sm);
            let total = all.len() as u8;
            match segmentation {
                Segmentation::Udh(reference) => {
                    let expected = Concatenation::new(reference, total, number).filter(|_| total > 1);
                    prop_assert_eq!(header.and_then(|header| header.concatenation()), expected);
                }
                Segmentation::Sar(reference) => {
                    let sar = (
                        submit_sm.tlvs.sar_msg_ref_num(),
                        submit_sm.tlvs.sar_total_segments(),
                        submit_sm.tlvs.sar_segment_seqnum(),
                    );
                    let expected = (Some(reference), Some(total), Some(number));
                    prop_assert_eq!(sar, if total > 1 { expected } else { (None, None, None) });
                }
                Segmentation::Payload => prop_assert_eq!(total, 1),
            }
            let others = header.into_iter().flat_map(|header| header.elements()).flatten();
            let others: Vec<u8> = others
                .filter(|element| element.id >= 0x60)
                .flat_map(|Element { id, data }| [&[id, data.len() as u8], data].concat())
                .collect();
            prop_assert_eq!(&others, &elements[1..]);

            // The length on the air interface, unless the SMSC splits the text.
            let header_len = header.map_or(0, |header| header.encoded_len());
            let sar = if submit_sm.tlvs.sar_msg_ref_num().is_some() { 7 } else { 0 };
            let header_len = header_len + sar;
            let on_air = match chosen.alphabet() {
                Alphabet::Gsm7 => header_len + packed::packed_len(octets.len(), header_len),
                _ => header_len + octets.len(),
            };
            prop_assert!(segmentation == Segmentation::Payload || on_air <= 140, "{} octets on the air", on_air);
        }
        let submit_sms: Vec<_> = all.iter().map(Submission::submit_sm).collect();
        let joined = codings.decode_segments(submit_sms.iter().map(|submit_sm| submit_sm.user_data().unwrap()));
        prop_assert_eq!(joined.as_deref(), Some(&text[..]));
        if segmentation != Segmentation::Payload {
            prop_assert_eq!(chosen.size(segmentation).segments, all.len());
        }
    }

    #[test]
    fn octets_are_split_and_joined(data in prop::collection::vec(any::<u8>(), 0..1000), segmentation in any_segmentation()) {
        let all: Vec<_> = Text::octets(&data).segments(segmentation).unwrap().submissions(SubmitSm::default()).collect();
        let joined: Vec<u8> = all.iter().flat_map(|submission| read(&submission.submit_sm()).1.to_vec()).collect();
        prop_assert_eq!(&joined, &data);
        let capacity = 140 - match segmentation {
            Segmentation::Udh(ConcatRef::Narrow(_)) => 6,
            _ => 7,
        };
        let expected = match segmentation {
            Segmentation::Payload => 1,
            _ => count(&data, 140, capacity, |_| false),
        };
        prop_assert_eq!(all.len(), expected);
    }

    #[test]
    fn the_number_of_segments_is_minimal(
        (text, segmentation) in (any_text(), prop_oneof![any_reference().prop_map(Segmentation::Udh), any::<u16>().prop_map(Segmentation::Sar)]),
        (alphabet, shifts) in prop_oneof![
            prop::sample::select(&EVERY_ALPHABET[..]).prop_map(|alphabet| (alphabet, Shifts::NONE)),
            prop::sample::select(&LANGUAGES[..]).prop_map(|language| (Alphabet::Gsm7, Shifts::single(language))),
            prop::sample::select(&LANGUAGES[..]).prop_map(|language| (Alphabet::Gsm7, Shifts::both(language))),
        ],
    ) {
        let text = text.replace('\r', "");
        let Ok(coded) = Text::coded(&text, alphabet, shifts, DataCoding(0)) else { return Ok(()) };
        let segments = match coded.segments(segmentation) {
            Ok(segments) => segments,
            Err(error) => {
                prop_assert_eq!((error, shifts == Shifts::NONE), (SegmentError::HeaderWithSar, false));
                return Ok(());
            }
        };
        let tables = [shifts.locking, shifts.single].into_iter().filter(|language| language.0 > 0).count();
        let single = if tables > 0 { 1 + 3 * tables } else { 0 };
        let reference = if matches!(segmentation, Segmentation::Udh(ConcatRef::Narrow(_))) { 5 } else { 6 };
        let concatenated = 1 + reference + 3 * tables;
        // The septets that fit after a header of so many octets.
        let septets = |header: usize| (140 * 8 - 8 * header) / 7;
        let mut octets = Vec::new();
        let expected = match alphabet {
            Alphabet::Gsm7 | Alphabet::Gsm7Packed => {
                shifts.encode(&text, &mut octets).unwrap();
                count(&octets, septets(single), septets(concatenated), |&septet| septet == 0x1B)
            }
            Alphabet::Ucs2 => {
                let units: Vec<u16> = text.encode_utf16().collect();
                let high_surrogate = |unit: &u16| (0xD800..0xDC00).contains(unit);
                count(&units, 70, (140 - concatenated) / 2, high_surrogate)
            }
            Alphabet::Ascii | Alphabet::Latin1 => {
                let characters: Vec<char> = text.chars().collect();
                count(&characters, 140, 140 - concatenated, |_| false)
            }
            // Other alphabets have characters of several octets and shift states.
            _ => return Ok(()),
        };
        prop_assert_eq!(segments.len(), expected);
        prop_assert_eq!(coded.size(segmentation).segments, expected);
        prop_assert_eq!(segments.count(), expected);
    }

    #[test]
    fn remaining_units_still_fit(text in texts("ab€ ğ"), more in 0..200_usize) {
        let options = TextOptions { languages: &[Language::TURKISH], ..TextOptions::default() };
        let chosen = options.text(&text).unwrap();
        let TextSize { segments, remaining, .. } = chosen.size(NARROW);
        let longer = text.clone() + &"a".repeat(more);
        let longer = Text::coded(&longer, chosen.alphabet(), chosen.shifts(), chosen.data_coding()).unwrap();
        prop_assert_eq!(longer.size(NARROW).segments > segments, more > remaining);
    }
}

#[test]
fn only_packed_septets_that_are_full_keep_a_carriage_return_for_the_next_segment() {
    fn packed(text: &str) -> Text<'_> {
        Text::coded(text, Alphabet::Gsm7Packed, Shifts::NONE, DataCoding(0)).unwrap()
    }
    let chunk = |characters: usize| alloc::format!("{}\r", "a".repeat(characters - 1));
    let units = |text: Text<'_>, first: usize| {
        let (chunk, units, _) = text.splitter.split(7);
        (matches!(chunk, crate::sms::splitter::Source::Text(text) if text.len() == first), units)
    };
    let full = alloc::format!("{}{}", chunk(152), "b".repeat(9));
    assert_eq!(units(Text::gsm7(&full).unwrap(), 152), (true, 152), "unpacked: one octet for each septet");
    assert_eq!(units(packed(&full), 151), (true, 151));
    // A character of two septets does not fit, so the last octet has a free septet.
    let not_full = alloc::format!("{}\u{20ac}{}", chunk(151), "b".repeat(9));
    assert_eq!(units(packed(&not_full), 151), (true, 151));
}
