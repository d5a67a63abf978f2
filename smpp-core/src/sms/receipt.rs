//! Delivery receipts: the line of text that an SMSC sends when a message reached its end.

use alloc::vec::Vec;
use core::fmt;
use core::str;

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while};
use nom::character::complete::{one_of, satisfy};
use nom::combinator::{opt, value};
use nom::{IResult, Parser};

use crate::pdu::MessageState;

/// A delivery receipt (SMPP 3.4 Appendix B).
///
/// Appendix B calls the format vendor specific and gives as typical
///
/// ```text
/// id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E Text: ...
/// ```
///
/// Only `id` and `stat` are sure to be there. Their order, their width, the spelling of the keys and further
/// fields are the SMSC's choice, so all values are kept as they came; compare ids by what the provider does
/// to them (case, zeros, hexadecimal against decimal).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The message that the receipt is about: the id of its `submit_sm_resp`, perhaps in another notation.
    pub id: &'a [u8],
    /// Messages submitted.
    pub sub: Option<u32>,
    /// Messages delivered.
    pub dlvrd: Option<u32>,
    /// When it was submitted: `YYMMDDhhmm`, or with seconds or century, or ISO 8601, or no date at all. The
    /// time zone is not told.
    pub submit_date: Option<&'a [u8]>,
    /// When it reached its state, as unsure as [`submit_date`](Self::submit_date).
    pub done_date: Option<&'a [u8]>,
    /// The state, as a word. [`state`](Self::state) knows the common ones.
    pub stat: &'a [u8],
    /// Why, in the SMSC's own codes. Not always a number.
    pub err: Option<&'a [u8]>,
    /// How the message began, usually 20 characters, in the encoding that `data_coding` says. Everything
    /// after the colon, a leading space included.
    pub text: Option<&'a [u8]>,
}

/// What a text lacks to be a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// It does not say which message it is about.
    MissingId,
    /// It does not say what became of the message.
    MissingStat,
}

impl<'a> Receipt<'a> {
    /// Reads a receipt from `short_message` or `message_payload`.
    ///
    /// Ask `esm_class` first: a text that looks like a receipt is easily written, and anyone may send one.
    /// A receipt that is UCS-2 throughout has to be decoded first.
    ///
    /// Read is what SMSCs are known to send: keys in any order and case, `submit date`, `submitdate` or
    /// `submit_date`, fields absent, empty or unknown, values of any length, a NUL at the end. A number
    /// that makes no sense is `None`, the first of repeated fields counts, and `text:` takes all that follows.
    pub fn parse(text: &'a [u8]) -> Result<Self, ReceiptError> {
        Self::parse_with(text, None, None)
    }

    /// Reads a receipt whose TLVs may say more: `receipted_message_id` and `message_state` win over the text,
    /// which may even be empty (SMPP 3.4 §5.3.2.12, §5.3.2.35).
    ///
    /// A state that is reserved does not win over the text's, and alone reads as `UNKNOWN`.
    pub fn parse_with(
        text: &'a [u8],
        receipted_message_id: Option<&'a [u8]>,
        message_state: Option<MessageState>,
    ) -> Result<Self, ReceiptError> {
        let mut receipt = Self::default();
        Fields::new(text).for_each(|(key, value)| receipt.set(key, value));
        if let Some(id) = receipted_message_id.filter(|id| !id.is_empty()) {
            receipt.id = id;
        }
        if let Some(state) = message_state {
            match stat(state) {
                Some(stat) => receipt.stat = stat,
                None if receipt.stat.is_empty() => receipt.stat = b"UNKNOWN",
                None => {}
            }
        }
        match (receipt.id, receipt.stat) {
            ([], _) => Err(ReceiptError::MissingId),
            (_, []) => Err(ReceiptError::MissingStat),
            _ => Ok(receipt),
        }
    }

    /// The state that `stat` spells, or `None` for a word that is not among the known ones.
    ///
    /// Besides the words of Appendix B, whatever their case, these are understood: the same words in full
    /// (`DELIVERED`), `FAILED` as undeliverable and `SENT` as en route.
    pub fn state(&self) -> Option<MessageState> {
        STATES.iter().find(|(word, _)| word.eq_ignore_ascii_case(self.stat)).map(|(_, state)| *state)
    }

    /// Whether no other receipt will follow for this message.
    ///
    /// Scheduled, en route, unknown and accepted are not final, nor is a word that is not known. SMPP 5.0
    /// counts "accepted" as final, but gateways send it ahead of the delivery.
    pub fn is_final(&self) -> bool {
        let states = [
            MessageState::DELIVERED,
            MessageState::EXPIRED,
            MessageState::DELETED,
            MessageState::UNDELIVERABLE,
            MessageState::REJECTED,
            MessageState::SKIPPED,
        ];
        self.state().is_some_and(|state| states.contains(&state))
    }

    /// Appends the receipt in the form of Appendix B. Fields that are `None` are left out.
    ///
    /// It reads back the same if `id`, `stat` and `err` are one word each, the dates are not empty, do not
    /// begin or end with white space and have no word in them that is a key, and nothing ends with a NUL.
    pub fn emit(&self, out: &mut Vec<u8>) {
        field(out, "id:", Some(self.id));
        number(out, " sub:", self.sub);
        number(out, " dlvrd:", self.dlvrd);
        field(out, " submit date:", self.submit_date);
        field(out, " done date:", self.done_date);
        field(out, " stat:", Some(self.stat));
        field(out, " err:", self.err);
        field(out, " Text:", self.text);
    }

    fn set(&mut self, key: Key, value: &'a [u8]) {
        let present = Some(value).filter(|value| !value.is_empty());
        let number = || str::from_utf8(word(value)).ok()?.parse().ok();
        match key {
            Key::Id if self.id.is_empty() => self.id = word(value),
            Key::Stat if self.stat.is_empty() => self.stat = word(value),
            Key::Sub => self.sub = self.sub.or_else(number),
            Key::Dlvrd => self.dlvrd = self.dlvrd.or_else(number),
            Key::SubmitDate => self.submit_date = self.submit_date.or(present),
            Key::DoneDate => self.done_date = self.done_date.or(present),
            Key::Err => self.err = self.err.or(present.map(word)),
            Key::Text => self.text = Some(value),
            Key::Id | Key::Stat | Key::Other => {}
        }
    }
}

/// The words of `stat`. Where a state has several, Appendix B's comes first.
static STATES: [(&[u8], MessageState); 19] = [
    (b"SCHEDLD", MessageState::SCHEDULED),
    (b"SCHEDULED", MessageState::SCHEDULED),
    (b"ENROUTE", MessageState::ENROUTE),
    (b"SENT", MessageState::ENROUTE),
    (b"DELIVRD", MessageState::DELIVERED),
    (b"DELIVERED", MessageState::DELIVERED),
    (b"EXPIRED", MessageState::EXPIRED),
    (b"DELETED", MessageState::DELETED),
    (b"UNDELIV", MessageState::UNDELIVERABLE),
    (b"UNDELIVERABLE", MessageState::UNDELIVERABLE),
    (b"UNDELIVERED", MessageState::UNDELIVERABLE),
    (b"UNDELIVRD", MessageState::UNDELIVERABLE),
    (b"FAILED", MessageState::UNDELIVERABLE),
    (b"ACCEPTD", MessageState::ACCEPTED),
    (b"ACCEPTED", MessageState::ACCEPTED),
    (b"UNKNOWN", MessageState::UNKNOWN),
    (b"REJECTD", MessageState::REJECTED),
    (b"REJECTED", MessageState::REJECTED),
    (b"SKIPPED", MessageState::SKIPPED),
];

/// The word of Appendix B for `state`.
fn stat(state: MessageState) -> Option<&'static [u8]> {
    STATES.iter().find(|(_, known)| *known == state).map(|(word, _)| *word)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
    /// A field that Appendix B does not have.
    Other,
}

/// ```text
/// key    = "id:" | "sub:" | "dlvrd:" | "submit" date | "done" date | "stat:" | "err:" | "text:" | other
/// date   = [" " | "_"] "date:"
/// other  = letter (letter | digit | "_")* ":"
/// ```
fn key(input: &[u8]) -> IResult<&[u8], Key> {
    let date = || (opt(one_of(" _")), tag_no_case("date:"));
    let is_word = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'_';
    alt((
        value(Key::Id, tag_no_case("id:")),
        value(Key::Sub, tag_no_case("sub:")),
        value(Key::Dlvrd, tag_no_case("dlvrd:")),
        value(Key::SubmitDate, (tag_no_case("submit"), date())),
        value(Key::DoneDate, (tag_no_case("done"), date())),
        value(Key::Stat, tag_no_case("stat:")),
        value(Key::Err, tag_no_case("err:")),
        value(Key::Text, tag_no_case("text:")),
        value(Key::Other, (satisfy(|first| first.is_ascii_alphabetic()), take_while(is_word), tag(":"))),
    ))
    .parse(input)
}

/// What stands before the next key, and the rest from that key on. A key follows white space.
fn up_to_key(input: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = input;
    while !rest.is_empty() {
        let (_, after) = split_word(rest);
        rest = after.trim_ascii_start();
        if key(rest).is_ok() {
            break;
        }
    }
    let value = input.split_at_checked(input.len() - rest.len()).map_or(input, |(value, _)| value);
    (value.trim_ascii(), rest)
}

/// The octets before the first white space, and the others.
fn split_word(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(u8::is_ascii_whitespace);
    end.and_then(|end| input.split_at_checked(end)).unwrap_or((input, &[]))
}

fn word(value: &[u8]) -> &[u8] {
    split_word(value).0
}

/// The fields of a receipt, each with its value.
#[derive(Debug)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn new(text: &'a [u8]) -> Self {
        let text = text.strip_suffix(b"\0").unwrap_or(text).trim_ascii_start();
        // What precedes the first key is nobody's value.
        if key(text).is_ok() { Self(text) } else { Self(up_to_key(text).1) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Key, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, key) = key(self.0).ok()?;
        let (value, rest) = if key == Key::Text { (rest, &[][..]) } else { up_to_key(rest) };
        self.0 = rest;
        Some((key, value))
    }
}

fn field(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value);
    }
}

/// A field of at least three decimal digits.
fn number(out: &mut Vec<u8>, key: &str, value: Option<u32>) {
    if let Some(value) = value {
        let units = (0..10).rev().map(|power| 10_u32.pow(power)).filter(|&unit| unit <= value.max(100));
        out.extend_from_slice(key.as_bytes());
        out.extend(units.map(|unit| b'0' + (value / unit % 10) as u8));
    }
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingId => "the receipt has no id",
            Self::MissingStat => "the receipt has no stat",
        })
    }
}

impl core::error::Error for ReceiptError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Receipt<'_> {
        Receipt::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A receipt with an id and a state, to be updated.
    fn receipt<'a>(id: &'a str, stat: &'a str) -> Receipt<'a> {
        Receipt { id: id.as_bytes(), stat: stat.as_bytes(), ..Receipt::default() }
    }

    #[test]
    fn appendix_b() {
        let line = "id:0123456789 sub:001 dlvrd:001 submit date:2611230102 done date:2611230103 stat:DELIVRD \
                    err:000 Text:Hello world";
        let expected = Receipt {
            id: b"0123456789",
            sub: Some(1),
            dlvrd: Some(1),
            submit_date: Some(b"2611230102"),
            done_date: Some(b"2611230103"),
            stat: b"DELIVRD",
            err: Some(b"000"),
            text: Some(b"Hello world"),
        };
        assert_eq!(parse(line), expected);
        let mut out = Vec::new();
        expected.emit(&mut out);
        assert_eq!(str::from_utf8(&out), Ok(line));
    }

    #[test]
    fn receipts_as_smscs_send_them() {
        let one = receipt("1", "DELIVRD");
        let uuid = "bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60";
        let submitted = |date: &'static str| Receipt { submit_date: Some(date.as_bytes()), ..one };
        let done = |date: &'static str| Receipt { done_date: Some(date.as_bytes()), ..one };
        let err = |err: &'static str| Receipt { err: Some(err.as_bytes()), ..one };
        let text = |text: &'static str| Receipt { text: Some(text.as_bytes()), ..one };
        for (line, expected) in [
            // ids
            (
                "id:7F00A1B2 stat:EXPIRED err:36",
                Receipt { err: Some(b"36"), ..receipt("7F00A1B2", "EXPIRED") },
            ),
            ("id:7f00a1b2 stat:EXPIRED", receipt("7f00a1b2", "EXPIRED")),
            ("id:bda7b1bd-4c04-4c1c-9b2e-1b2c3d4e5f60 stat:ENROUTE", receipt(uuid, "ENROUTE")),
            ("id:12:ab/cd+e= stat:UNDELIV", receipt("12:ab/cd+e=", "UNDELIV")),
            ("id:stat:x stat:REJECTD", receipt("stat:x", "REJECTD")),
            ("id: 1 stat: DELIVRD", one),
            // order, case, white space, rubbish, end
            ("stat:DELIVRD id:1", one),
            ("ID:1 STAT:DELIVRD", one),
            ("  id:1\r\nstat:DELIVRD\r\n", one),
            ("DLR for you: id:1 stat:DELIVRD", one),
            ("id:1 stat:DELIVRD\0", one),
            ("id:1 stat:DELIVRD id:2 stat:EXPIRED", one),
            // states
            ("id:1 stat:DELIVERED", receipt("1", "DELIVERED")),
            ("id:1 stat:UNDELIVERABLE", receipt("1", "UNDELIVERABLE")),
            ("id:1 stat:sent", receipt("1", "sent")),
            ("id:1 stat:DELIVRD to handset", one),
            // numbers
            ("id:1 sub:1 dlvrd:0 stat:DELIVRD", Receipt { sub: Some(1), dlvrd: Some(0), ..one }),
            ("id:1 sub:x dlvrd: stat:DELIVRD", one),
            ("id:1 sub:99999999999 dlvrd:1000 stat:DELIVRD", Receipt { dlvrd: Some(1000), ..one }),
            // dates
            ("id:1 submit date:261123010203 stat:DELIVRD", submitted("261123010203")),
            ("id:1 submitdate:20261123010203 stat:DELIVRD", submitted("20261123010203")),
            ("id:1 submit_date:2611230102 stat:DELIVRD", submitted("2611230102")),
            ("id:1 Submit Date:2611230102 stat:DELIVRD", submitted("2611230102")),
            ("id:1 donedate:2026-11-23T01:02:03Z stat:DELIVRD", done("2026-11-23T01:02:03Z")),
            ("id:1 done date:2026-11-23 01:02:03 stat:DELIVRD", done("2026-11-23 01:02:03")),
            ("id:1 done_date:N/A stat:DELIVRD", done("N/A")),
            ("id:1 submit date: done date: stat:DELIVRD", one),
            // further fields
            ("id:1 mcc:525 done date:2611230102 mnc_2:01 stat:DELIVRD", done("2611230102")),
            // errors
            ("id:1 stat:DELIVRD err:0", err("0")),
            ("id:1 stat:DELIVRD err:12A", err("12A")),
            ("id:1 stat:DELIVRD err:00027", err("00027")),
            ("id:1 stat:DELIVRD err: text:", text("")),
            // texts
            ("id:1 stat:DELIVRD Text:", text("")),
            ("id:1 stat:DELIVRD text: a b", text(" a b")),
            ("id:1 stat:DELIVRD TEXT:id:2 stat:EXPIRED err:1", text("id:2 stat:EXPIRED err:1")),
            ("id:1 stat:DELIVRD text:Hi\0", text("Hi")),
            ("id:1 stat:DELIVRD context:Hi", one),
        ] {
            assert_eq!(parse(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_text_in_another_encoding_stays_as_it_is() {
        let receipt = Receipt::parse(b"id:1 stat:DELIVRD text:\x04\x1F\x00 \xFF\xFE").unwrap();
        assert_eq!(receipt.text, Some(&b"\x04\x1F\x00 \xFF\xFE"[..]));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (line, error) in [
            ("", ReceiptError::MissingId),
            ("Hello", ReceiptError::MissingId),
            ("stat:DELIVRD", ReceiptError::MissingId),
            ("id: stat:DELIVRD", ReceiptError::MissingId),
            ("myid:1 stat:DELIVRD", ReceiptError::MissingId),
            ("id:1", ReceiptError::MissingStat),
            ("id:1 stat:", ReceiptError::MissingStat),
            ("id:1 text:stat:DELIVRD", ReceiptError::MissingStat),
        ] {
            assert_eq!(Receipt::parse(line.as_bytes()), Err(error), "{line:?}");
        }
    }

    #[test]
    fn words_have_states_and_some_are_final() {
        for (stat, state, is_final) in [
            ("DELIVRD", Some(MessageState::DELIVERED), true),
            ("delivrd", Some(MessageState::DELIVERED), true),
            ("Delivered", Some(MessageState::DELIVERED), true),
            ("EXPIRED", Some(MessageState::EXPIRED), true),
            ("DELETED", Some(MessageState::DELETED), true),
            ("UNDELIV", Some(MessageState::UNDELIVERABLE), true),
            ("FAILED", Some(MessageState::UNDELIVERABLE), true),
            ("REJECTD", Some(MessageState::REJECTED), true),
            ("SKIPPED", Some(MessageState::SKIPPED), true),
            ("ACCEPTD", Some(MessageState::ACCEPTED), false),
            ("ENROUTE", Some(MessageState::ENROUTE), false),
            ("SENT", Some(MessageState::ENROUTE), false),
            ("SCHEDULED", Some(MessageState::SCHEDULED), false),
            ("UNKNOWN", Some(MessageState::UNKNOWN), false),
            ("BUFFERED", None, false),
        ] {
            let receipt = receipt("1", stat);
            assert_eq!((receipt.state(), receipt.is_final()), (state, is_final), "{stat}");
        }
    }

    #[test]
    fn tlvs_win_over_the_text() {
        let text = b"id:1 stat:ENROUTE err:000";
        let read = |text, id, state| Receipt::parse_with(text, id, state);

        let both = read(text, Some(b"abc-1"), Some(MessageState::UNDELIVERABLE)).unwrap();
        assert_eq!((both.id, both.stat, both.err), (&b"abc-1"[..], &b"UNDELIV"[..], Some(&b"000"[..])));
        assert_eq!(read(text, None, None), Receipt::parse(text));
        assert_eq!(read(text, Some(b""), Some(MessageState(42))), Receipt::parse(text));

        assert_eq!(read(b"", Some(b"abc-1"), Some(MessageState(5))), Ok(receipt("abc-1", "UNDELIV")));
        assert_eq!(read(b"x", Some(b"abc-1"), Some(MessageState(42))), Ok(receipt("abc-1", "UNKNOWN")));
        assert_eq!(read(b"x", Some(b"noNUL"), None), Err(ReceiptError::MissingStat));
        assert_eq!(read(b"", None, Some(MessageState(5))), Err(ReceiptError::MissingId));
    }

    #[test]
    fn every_state_has_its_word() {
        for number in 0..=9 {
            let state = MessageState(number);
            let receipt = Receipt { id: b"1", stat: stat(state).unwrap(), ..Receipt::default() };
            assert_eq!((receipt.state(), receipt.stat.len()), (Some(state), 7));
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            (id, stat, err) in ("[!-~]{1,64}", "[A-Za-z]{1,15}", prop::option::of("[0-9A-Za-z]{1,5}")),
            (sub, dlvrd) in any::<(Option<u32>, Option<u32>)>(),
            dates in prop::array::uniform2(prop::option::of("[0-9]{10,14}|[0-9-]{10} [0-9:]{8}")),
            text in prop::option::of(any::<Vec<u8>>()),
        ) {
            prop_assume!(!text.as_ref().is_some_and(|text| text.ends_with(b"\0")));
            let written = Receipt {
                id: id.as_bytes(),
                sub,
                dlvrd,
                submit_date: dates[0].as_deref().map(str::as_bytes),
                done_date: dates[1].as_deref().map(str::as_bytes),
                stat: stat.as_bytes(),
                err: err.as_deref().map(str::as_bytes),
                text: text.as_deref(),
            };
            let mut out = Vec::new();
            written.emit(&mut out);
            prop_assert_eq!(Receipt::parse(&out), Ok(written));
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in any::<Vec<u8>>()) {
            let _ = Receipt::parse(&octets);
        }

        #[test]
        fn any_mixture_of_keys_is_read_or_refused(
            pieces in prop::collection::vec(
                prop::sample::select(&["id:", "stat:", "submit", "date:", "text:", "Done_date:", " ", "\n", "7", "x"][..]),
                0..40,
            ),
        ) {
            let line = pieces.concat();
            if let Ok(receipt) = Receipt::parse(line.as_bytes()) {
                prop_assert!(!receipt.id.is_empty() && !receipt.stat.is_empty());
                receipt.state();
            }
        }
    }
}
