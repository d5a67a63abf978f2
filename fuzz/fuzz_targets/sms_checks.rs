//! Properties of texts, segments, headers, reassembly and times. The fuzz target and the tests of `smpp-proto` share
//! them.

use std::time::Duration;

use smpp_proto::arbitrary::{self, Unstructured};
use smpp_proto::session::Instant;
use smpp_proto::sms::gsm7::packed;
use smpp_proto::sms::gsm7::{Language, Shifts};
use smpp_proto::sms::time::{ReportedTime, TimeValue, UnixTime, UtcOffset};
use smpp_proto::sms::udh::{self, ConcatRef};
use smpp_proto::sms::{
    Alphabet, Codings, Pushed, ReassembledMessage, Reassembler, ReassemblyLimits, SegmentError, Segmentation,
    Submission, Text, TextOptions, UserData, transliterate,
};
use smpp_proto::{Address, COctets, DataCoding, EsmClass, SubmitSm, Tlv, Tlvs};

/// Alphabets that have their own `data_coding`. One of them can encode any text.
const ALPHABETS: [Alphabet; 4] = [Alphabet::Gsm7, Alphabet::Ascii, Alphabet::Latin1, Alphabet::Ucs2];

const SMSC_DEFAULTS: [Alphabet; 5] =
    [Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ascii, Alphabet::Latin1, Alphabet::Ucs2];

/// The octets choose a check and its input.
pub(crate) fn sms(octets: &[u8]) {
    let mut octets = Unstructured::new(octets);
    let _ = match octets.arbitrary::<u8>().unwrap_or(0) % 5 {
        0 => split_and_decode(&mut octets),
        1 => decode_any(&mut octets),
        2 => reassemble(&mut octets),
        3 => times(&mut octets),
        _ => split_octets(&mut octets),
    };
}

fn codings(octets: &mut Unstructured<'_>) -> arbitrary::Result<Codings> {
    Ok(Codings::default().smsc_default(*octets.choose(&SMSC_DEFAULTS)?))
}

fn segmentation(octets: &mut Unstructured<'_>) -> arbitrary::Result<Segmentation> {
    Ok(match octets.int_in_range(0..=3)? {
        0 => Segmentation::Udh(ConcatRef::Narrow(octets.arbitrary()?)),
        1 => Segmentation::Udh(ConcatRef::Wide(octets.arbitrary()?)),
        2 => Segmentation::Sar(octets.arbitrary()?),
        _ => Segmentation::Payload,
    })
}

/// A text that is split reads returned the same.
fn split_and_decode(octets: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (codings, segmentation) = (codings(octets)?, segmentation(octets)?);
    let (graphemes, turkish) = (octets.arbitrary()?, octets.arbitrary::<bool>()?);
    let elements: &[u8] = octets.arbitrary()?;
    let text: &str = octets.arbitrary()?;
    check_transliteration(text);
    for data_coding in (0..=0x0F).map(DataCoding) {
        let Some(alphabet) = codings.alphabet(data_coding) else { continue };
        let mut encoded = Vec::new();
        if alphabet.encode(text, &mut encoded).is_ok()
            && !(alphabet == Alphabet::Gsm7Packed && text.ends_with('\r'))
        {
            let decoded = alphabet.decode(&encoded);
            assert!(decoded.is_none_or(|decoded| decoded == text), "{alphabet:?}");
        }
    }
    let languages = if turkish { &[Language::TURKISH][..] } else { &[] };
    let options = TextOptions::default().codings(codings).alphabets(&ALPHABETS).languages(languages);
    let chosen = options.text(text).expect("UCS-2 encodes any text");
    let chosen = match udh::split(elements) {
        // The segments write elements with a known meaning themselves.
        Ok((header, _))
            if header.elements().all(|element| element.is_ok_and(|element| element.id > 0x25)) =>
        {
            match chosen.with_header(header) {
                Ok(chosen) => chosen,
                Err(SegmentError::HeaderTooLong { length }) => {
                    assert!(length > 115);
                    chosen
                }
                Err(error) => panic!("{error}"),
            }
        }
        _ => chosen,
    };
    let chosen = if graphemes { chosen.whole_graphemes() } else { chosen };
    let Ok(segments) = chosen.segments(segmentation) else { return Ok(()) };
    let all: Vec<_> = segments.submissions(SubmitSm::default()).collect();
    let size = chosen.size(segmentation);
    assert!(segmentation == Segmentation::Payload || size.segments == all.len());
    let submit_sms: Vec<_> = all.iter().map(Submission::submit_sm).collect();
    for submit_sm in &submit_sms {
        assert!(submit_sm.short_message.as_bytes().len() <= 160);
        let (header, text) = split_header(submit_sm);
        let header = header.map_or(0, |header| header.encoded_len());
        let on_air = match chosen.alphabet() {
            Alphabet::Gsm7 => header + packed::packed_len(text.len(), header),
            _ => header + text.len(),
        };
        assert!(
            segmentation == Segmentation::Payload || on_air <= 140,
            "{on_air} octets on the air interface"
        );
    }
    let joined = codings.decode_segments(
        submit_sms.iter().map(|submit_sm| submit_sm.user_data().expect("the header is valid")),
    );
    assert_eq!(joined.as_deref(), Some(text));
    Ok(())
}

fn split_header<'a>(submit_sm: &SubmitSm<'a>) -> (Option<udh::UserDataHeader<'a>>, &'a [u8]) {
    if !submit_sm.esm_class.contains(EsmClass::UDHI) {
        return (None, submit_sm.text());
    }
    let (header, octets) = udh::split(submit_sm.text()).expect("the header is valid");
    (Some(header), octets)
}

fn check_transliteration(text: &str) {
    let plain = transliterate(text, Shifts::NONE);
    assert!(
        plain
            .replacements
            .iter()
            .all(|replacement| text[replacement.position..].starts_with(replacement.character))
    );
    let again = transliterate(&plain.text, Shifts::NONE);
    assert_eq!((again.replacements.len(), &again.text), (0, &plain.text), "nothing is left to replace");
}

/// Any octets with any header can be decoded.
fn decode_any(octets: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (codings, data_coding) = (codings(octets)?, DataCoding(octets.arbitrary()?));
    let mut segments = Vec::new();
    for _ in 0..octets.int_in_range(1..=4)? {
        let user_data: &[u8] = octets.arbitrary()?;
        segments.push(match udh::split(user_data) {
            Ok((header, text)) => {
                assert_eq!(header.encoded_len() + text.len(), user_data.len());
                header.concatenation();
                (Some(header), text)
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                (None, user_data)
            }
        });
    }
    let to_user_data =
        |&(header, octets)| UserData::default().header(header).octets(octets).data_coding(data_coding);
    let text = codings.decode_segments(segments.iter().map(to_user_data));
    let is_text = codings.alphabet(data_coding).is_some_and(|alphabet| alphabet != Alphabet::Octets);
    assert_eq!(text.is_some(), is_text);
    for (header, octets) in segments {
        let header = header.map_or(0, |header| header.encoded_len());
        let septets = packed::unpack(octets, header);
        let mut again = Vec::new();
        packed::pack(&septets, header, &mut again);
        let read = packed::unpack(&again, header);
        assert!(read == septets || read.strip_suffix(b"\r") == Some(&septets[..]), "{septets:02X?}");
    }
    Ok(())
}

/// Any octets are split and joined.
fn split_octets(octets: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let segmentation = segmentation(octets)?;
    let data = octets.bytes(octets.len())?;
    let Ok(segments) = Text::octets(data).segments(segmentation) else { return Ok(()) };
    let all: Vec<_> = segments.submissions(SubmitSm::default()).collect();
    let joined: Vec<u8> =
        all.iter().flat_map(|submission| split_header(&submission.submit_sm()).1.to_vec()).collect();
    assert_eq!(joined, data);
    Ok(())
}

/// Any segments in any order: memory stays within the limits, and every tag is returned once.
fn reassemble(octets: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let limits = ReassemblyLimits::default()
        .max_messages(octets.int_in_range(0..=4)?)
        .max_octets(octets.int_in_range(0..=3_000)?)
        .max_messages_per_sender(octets.int_in_range(0..=4)?)
        .max_octets_per_sender(octets.int_in_range(0..=3_000)?)
        .max_age(Duration::from_secs(octets.int_in_range(0..=20)?))
        .duplicate_window(Duration::from_secs(octets.int_in_range(0..=20)?));
    let mut reassembler = Reassembler::new(limits);
    let (mut now, mut tags, mut returned) = (Instant::ZERO, 0_usize, Vec::new());
    while !octets.is_empty() && tags < 100 {
        now = now + Duration::from_secs(octets.int_in_range(0..=5)?);
        while let Some(old) = reassembler.handle_timeout(now) {
            assert!(now - old.started_at() >= limits.max_age && !old.is_complete());
            returned.extend(old.into_tags());
        }
        let source = [octets.int_in_range(b'0'..=b'2')?];
        let source =
            Address { digits: COctets::new(&source).expect("one digit"), ..Address::<21>::default() };
        let length = octets.int_in_range(0..=200)?.min(octets.len());
        let (esm_class, data_coding) = (EsmClass::from_bits_retain(octets.arbitrary()?), DataCoding(0));
        let sar = [
            Tlv::sar_msg_ref_num(octets.int_in_range(0..=1)?),
            Tlv::sar_total_segments(octets.int_in_range(0..=3)?),
            Tlv::sar_segment_seqnum(octets.int_in_range(0..=3)?),
        ];
        let text = octets.bytes(length.min(octets.len()))?;
        let Ok(user_data) = UserData::of(esm_class, data_coding, text, &Tlvs::list(&sar)) else { continue };
        match reassembler.push(now, source, Address::<21>::default(), &user_data, tags) {
            Ok(Pushed::Standalone(tag)) => {
                assert_eq!(user_data.segment, None);
                returned.push(tag);
            }
            Ok(Pushed::Duplicate { tag, message, number }) => {
                assert!(reassembler.tag(&message, number).is_none_or(|first| *first < tag));
                returned.push(tag);
            }
            Ok(Pushed::Stored { superseded, .. }) => {
                returned.extend(superseded.into_iter().flat_map(ReassembledMessage::into_tags));
            }
            Ok(Pushed::Complete(message)) => {
                assert!(message.is_complete());
                message.text(Codings::default());
                returned.extend(message.into_tags());
            }
            Ok(_) => unreachable!("there are no other variants"),
            Err(error) => {
                if let Some(evicted) = reassembler.evict_for(&error) {
                    if octets.arbitrary()? {
                        reassembler.record_incomplete(now, &evicted);
                    }
                    returned.extend(evicted.into_tags());
                }
                returned.push(error.tag);
            }
        }
        tags += 1;
        assert!(reassembler.len() <= limits.max_messages && reassembler.octets() <= limits.max_octets);
    }
    while let Some(left) = reassembler.evict() {
        returned.extend(left.into_tags());
    }
    assert_eq!(reassembler.octets(), 0);
    returned.sort_unstable();
    assert!(returned.into_iter().eq(0..tags));
    Ok(())
}

/// Any octets as a time.
fn times(octets: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let now = UnixTime::from_millis(octets.arbitrary()?);
    let text = octets.bytes(octets.len())?;
    if let Ok(value) = TimeValue::parse(text) {
        let written = value.encode();
        assert_eq!(TimeValue::read(written.as_time()), Ok(Some(value)));
        let _ = value.to_unix(now);
    }
    if let Some(reported) = ReportedTime::parse(text) {
        let _ = reported.to_unix(UtcOffset::UTC);
    }
    Ok(())
}
