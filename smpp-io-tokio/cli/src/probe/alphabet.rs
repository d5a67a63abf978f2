//! The alphabet of `data_coding` 0, from messages that came back. No I/O.

use smpp_proto::DataCoding;
use smpp_proto::sms::{Alphabet, Codings, ucs2};

use super::finding::Finding;
use super::plan::Purpose;
use super::receipts::Returned;
use super::record::Sent;

/// Octets to send with `data_coding` 0: other characters in each alphabet. An even number, for UCS-2.
pub(super) const TELLING_OCTETS: &[u8] = b"probe: $@[_`{\xE9";

/// Characters to send in UCS-2: other octets in each alphabet.
pub(super) const TELLING_TEXT: &str = "probe: @$_\u{E9}\u{A3}";

/// The alphabets that `data_coding` 0 means at one SMSC or another.
const CANDIDATES: [Alphabet; 5] =
    [Alphabet::Gsm7, Alphabet::Gsm7Packed, Alphabet::Ascii, Alphabet::Latin1, Alphabet::Ucs2];

/// Finds the alphabets with which the messages that came back are those that were sent.
pub(super) fn conclude(sent: &[Sent<'_>], returned: &[Returned<'_>]) -> Finding<Alphabet> {
    let accepted = |purpose| {
        let of_purpose = sent.iter().filter(move |message| message.purpose == purpose);
        of_purpose.filter_map(|message| message.response).any(|answer| answer.status.0 == 0)
    };
    if !accepted(Purpose::DefaultAlphabet) && !accepted(Purpose::Ucs2) {
        return Finding::unknown("no message that would show it was accepted");
    }
    if returned.is_empty() {
        return Finding::unknown(
            "no message came back: --to is no number of the account, or it needs more --wait",
        );
    }
    let mut candidates = CANDIDATES.to_vec();
    let mut evidence = Vec::new();
    for purpose in [Purpose::DefaultAlphabet, Purpose::Ucs2] {
        let came_back = |alphabet: &Alphabet| returned.iter().find(|it| is_same(purpose, *alphabet, it));
        let fitting: Vec<_> = CANDIDATES.iter().filter(|alphabet| came_back(alphabet).is_some()).collect();
        if let Some(message) = fitting.first().and_then(|alphabet| came_back(alphabet)) {
            let coding = message.data_coding.0;
            let octets = match message.data_coding {
                DataCoding::UCS2 => ucs2::decode(message.octets),
                _ => message.octets.escape_ascii().to_string(),
            };
            let what = match purpose {
                Purpose::Ucs2 => "the characters sent in UCS-2",
                _ => "the octets sent with data_coding 0",
            };
            evidence.push(format!("{what} came back with data_coding {coding} as \"{octets}\""));
            candidates.retain(|alphabet| fitting.contains(&alphabet));
        }
    }
    let evidence = evidence.join("; ");
    match candidates[..] {
        [alphabet] => Finding::found(alphabet, evidence),
        _ if evidence.is_empty() => {
            Finding::unknown("the messages that came back are not those that were sent")
        }
        [] => Finding::unknown(format!("no alphabet fits: {evidence}")),
        _ => {
            let names: Vec<_> = candidates.iter().map(|alphabet| format!("{alphabet:?}")).collect();
            Finding::unknown(format!("{} fit: {evidence}", names.join(", ")))
        }
    }
}

/// Returns whether a message that came back has the characters of the message that was sent, if `data_coding` 0 means this
/// alphabet.
fn is_same(purpose: Purpose, alphabet: Alphabet, returned: &Returned<'_>) -> bool {
    let codings = Codings::default().smsc_default(alphabet);
    let decode =
        |coding, octets| codings.alphabet(coding).and_then(|it| it.decode(octets)).map(|text| known(&text));
    let sent = match purpose {
        Purpose::Ucs2 => Some(TELLING_TEXT.into()),
        _ => decode(DataCoding(0), TELLING_OCTETS),
    };
    returned.segment.is_none() && sent.is_some() && sent == decode(returned.data_coding, returned.octets)
}

/// Replaces what the alphabet lacks, as SMSCs do.
fn known(text: &str) -> String {
    text.replace(char::REPLACEMENT_CHARACTER, "?")
}
