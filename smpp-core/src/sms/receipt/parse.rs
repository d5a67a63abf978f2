//! Parsing the text of a delivery receipt.
//!
//! ```text
//! receipt = NUL* ignored field* NUL*    ignored: everything before the first key
//! field   = key value                   value: everything before the next key; after "text:" all the rest
//! key     = name ":" | ("submit" | "done") white "date:"
//! name    = letter (letter | digit | "_")*
//! ```
//!
//! A key is at the start or after white space, in any case. So an id may contain a colon, or even `stat:`, and a date
//! may contain a space, but not a name with a colon.

use super::fields::{IdSource, Receipt, ReceiptError};
use super::layout::standard_fields;
use crate::pdu::MessageState;
use crate::tlv::Tlvs;

/// The key of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
    /// Any key that is not in Appendix B.
    Other,
}

/// A value without the white space around it, and its first word.
#[derive(Clone, Copy)]
struct Value<'a> {
    word: &'a [u8],
    whole: &'a [u8],
}

/// A name as a number: its last 16 octets in lower case. Names of up to 15 octets have distinct numbers.
type Name = u128;

/// The octets of names in lower case, and 0 for all others.
static NAME_OCTETS: [u8; 256] = name_octets();

const ID: Name = name_number(b"id");
const SUB: Name = name_number(b"sub");
const DLVRD: Name = name_number(b"dlvrd");
const SUBMIT: Name = name_number(b"submit");
const SUBMITDATE: Name = name_number(b"submitdate");
const SUBMIT_DATE: Name = name_number(b"submit_date");
const DONE: Name = name_number(b"done");
const DONEDATE: Name = name_number(b"donedate");
const DONE_DATE: Name = name_number(b"done_date");
const DATE: Name = name_number(b"date");
const STAT: Name = name_number(b"stat");
const ERR: Name = name_number(b"err");
const TEXT: Name = name_number(b"text");

/// The underscore in the GSM 7-bit default alphabet.
const GSM7_UNDERSCORE: u8 = 0x11;

/// The names in most receipts, as the little-endian number of their octets. Only letters have both the octet of a letter
/// and that of its capital.
mod usual {
    pub(super) const ID: u64 = number(b"id");
    pub(super) const SUB: u64 = number(b"sub");
    pub(super) const DLVRD: u64 = number(b"dlvrd");
    pub(super) const SUBMIT: u64 = number(b"submit");
    pub(super) const DONE: u64 = number(b"done");
    pub(super) const STAT: u64 = number(b"stat");
    pub(super) const ERR: u64 = number(b"err");
    pub(super) const TEXT: u64 = number(b"text");

    const fn number(name: &[u8]) -> u64 {
        match name {
            [rest @ .., last] => number(rest) | (*last as u64) << (8 * rest.len()),
            [] => 0,
        }
    }
}

impl<'a> Receipt<'a> {
    /// Parses the text of a delivery receipt.
    ///
    /// Anyone can send a text that looks like a receipt, so use [`of`](Self::of) for a whole message: it checks
    /// `esm_class` first.
    ///
    /// The parser accepts all formats that SMSCs are known to send: keys in any order and case; `submit date`,
    /// `submitdate` or `submit_date`; missing, empty or unknown fields; values of any length; NULs at the start and at
    /// the end; commas or semicolons after the values. An invalid number is `None`, the first of repeated fields applies, and
    /// `text:` takes everything up to the NULs at the end. If such a NUL is an `@` of the GSM 7-bit alphabet, it is lost.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] if the id or the state is missing.
    pub fn parse(text: &'a [u8]) -> Result<Self, ReceiptError> {
        parse_fields(text).check_complete()
    }

    /// Parses the text of a delivery receipt together with its TLVs: `receipted_message_id` and `message_state` take
    /// precedence over the text, which may be empty (SMPP 3.4 §5.3.2.12, §5.3.2.35).
    ///
    /// A reserved `message_state` does not take precedence; without a state in the text it reads as `UNKNOWN`. The
    /// value 0 (scheduled), which SMPP 3.4 reserves, does not take precedence either: SMSCs send it to mean no state.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] if the id or the state is missing in both.
    pub fn parse_with(text: &'a [u8], tlvs: Tlvs<'a>) -> Result<Self, ReceiptError> {
        let mut receipt = parse_fields(text);
        if !tlvs.is_empty() {
            receipt.apply_tlvs(tlvs);
        }
        receipt.check_complete()
    }

    fn apply_tlvs(&mut self, tlvs: Tlvs<'a>) {
        if let Some(id) = tlvs.receipted_message_id().filter(|id| !id.is_empty()) {
            self.id_source = IdSource::Tlv { in_text: self.id };
            self.id = id;
        }
        if let Some(state) = tlvs.message_state() {
            match Self::stat_word(state).filter(|_| state != MessageState::SCHEDULED || self.stat.is_empty())
            {
                Some(word) => self.stat = word,
                None if self.stat.is_empty() => self.stat = b"UNKNOWN",
                None => {}
            }
        }
        self.network_error_code = tlvs.network_error_code();
        self.user_message_reference = tlvs.user_message_reference();
    }

    fn check_complete(self) -> Result<Self, ReceiptError> {
        match (self.id, self.stat) {
            ([], _) => Err(ReceiptError::MissingId),
            (_, []) => Err(ReceiptError::MissingStat),
            _ => Ok(self),
        }
    }
}

/// Parses all fields; the first of repeated fields applies.
pub(super) fn parse_fields(text: &[u8]) -> Receipt<'_> {
    let text = trim_start(without_nuls(text));
    if let Some(receipt) = standard_fields(text) {
        return receipt;
    }
    let mut receipt = Receipt::default();
    let next = match usual_key(text) {
        Some(first) => Some(usual_fields(&mut receipt, first)),
        None => any_key(text).or_else(|| value(text).1),
    };
    any_fields(&mut receipt, next);
    receipt
}

/// Parses the other fields. `next` is the key of the first of them, and the input after its colon.
pub(super) fn any_fields<'a>(receipt: &mut Receipt<'a>, mut next: Option<(Key, &'a [u8])>) {
    while let Some((key, rest)) = next {
        if key == Key::Text {
            receipt.text = Some(rest);
            break;
        }
        let (value, following) = value(rest);
        set(receipt, key, value);
        next = following;
    }
}

/// Parses the fields that are as most SMSCs write them: a usual key, one word, a space, and the next usual key. Returns the first
/// field that may be something else: its key and the input after its colon.
fn usual_fields<'a>(receipt: &mut Receipt<'a>, first: (Key, &'a [u8])) -> (Key, &'a [u8]) {
    let (mut key, mut input) = first;
    while key != Key::Text
        && let Some((word, [b' ', rest @ ..])) = input.split_at_checked(low_octet(input))
        && let Some(next) = usual_key(rest)
    {
        set(receipt, key, Value { word, whole: word });
        (key, input) = next;
    }
    (key, input)
}

/// Returns whether the text starts with a key.
pub(super) fn begins_with_key(text: &[u8]) -> bool {
    key(trim_start(text)).is_some()
}

/// Removes NULs and white space at the start: some SMSCs put a NUL before the text.
fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [0, after @ ..] = text {
        text = after;
    }
    text.trim_ascii_start()
}

/// Removes commas and semicolons at the end, with the white space among them: some SMSCs separate the fields with them.
fn without_separators(mut value: &[u8]) -> &[u8] {
    while let [before @ .., b',' | b';' | b' ' | b'\t' | b'\n' | b'\x0C' | b'\r'] = value {
        value = before;
    }
    value
}

/// Removes NULs at the end: some SMSCs terminate or pad the text with them.
pub(super) fn without_nuls(mut text: &[u8]) -> &[u8] {
    while let [before @ .., 0] = text {
        text = before;
    }
    text
}

/// Sets a field, unless it has a value already or the value is empty.
#[inline(always)]
fn set<'a>(receipt: &mut Receipt<'a>, key: Key, Value { word, whole }: Value<'a>) {
    let word = without_separators(word);
    let is_date = matches!(key, Key::SubmitDate | Key::DoneDate);
    // Only dates have more than one word.
    let whole = if is_date { without_separators(whole) } else { word };
    if whole.is_empty() {
        return;
    }
    match key {
        Key::Id if receipt.id.is_empty() => receipt.id = word,
        Key::Stat if receipt.stat.is_empty() => receipt.stat = word,
        Key::Sub => receipt.sub = receipt.sub.or_else(|| number(word)),
        Key::Dlvrd => receipt.dlvrd = receipt.dlvrd.or_else(|| number(word)),
        Key::SubmitDate => receipt.submit_date = receipt.submit_date.or(Some(whole)),
        Key::DoneDate => receipt.done_date = receipt.done_date.or(Some(whole)),
        Key::Err => receipt.err = receipt.err.or(Some(word)),
        Key::Id | Key::Stat | Key::Text | Key::Other => {}
    }
}

/// Parses a key at the start. Returns it with the input after its colon.
#[inline]
fn key(input: &[u8]) -> Option<(Key, &[u8])> {
    usual_key(input).or_else(|| any_key(input))
}

/// Parses a key that most receipts have: 8 octets at once.
#[inline(always)]
fn usual_key(input: &[u8]) -> Option<(Key, &[u8])> {
    let octets = match input.first_chunk() {
        Some(octets) => u64::from_le_bytes(*octets),
        // A zero ends the name.
        None => input.iter().rev().fold(0, |octets, octet| octets << 8 | u64::from(*octet)),
    };
    let ends = marks_below(octets, b' ' + 1) | marks_of(octets, b':');
    if ends == 0 {
        return None;
    }
    let end = first_marked(ends);
    let name = (octets | 0x2020_2020_2020_2020) & !(u64::MAX << (8 * end));
    let key = match name {
        usual::ID => Key::Id,
        usual::SUB => Key::Sub,
        usual::DLVRD => Key::Dlvrd,
        usual::STAT => Key::Stat,
        usual::ERR => Key::Err,
        usual::TEXT => Key::Text,
        usual::SUBMIT => return Some((Key::SubmitDate, after_date(input.get(end..)?)?)),
        usual::DONE => return Some((Key::DoneDate, after_date(input.get(end..)?)?)),
        _ => return None,
    };
    match input.get(end..)? {
        [b':', value @ ..] => Some((key, value)),
        _ => None,
    }
}

/// Returns the input after ` date:` at the start.
#[inline]
fn after_date(input: &[u8]) -> Option<&[u8]> {
    match input {
        [b' ', d, a, t, e, b':', value @ ..]
            if u32::from_le_bytes([*d, *a, *t, *e]) | 0x2020_2020 == u32::from_le_bytes(*b"date") =>
        {
            Some(value)
        }
        _ => None,
    }
}

/// Parses any key.
#[inline(never)]
pub(super) fn any_key(input: &[u8]) -> Option<(Key, &[u8])> {
    let (name, rest) = name(input);
    match (name, rest) {
        (0, _) => None,
        (_, [b':', value @ ..]) => Some((key_of(name), value)),
        (SUBMIT, _) => Some((Key::SubmitDate, date(rest)?)),
        (DONE, _) => Some((Key::DoneDate, date(rest)?)),
        _ => None,
    }
}

/// Parses white space and `date:`. Returns the input after it.
fn date(input: &[u8]) -> Option<&[u8]> {
    match name(input.trim_ascii_start()) {
        (DATE, [b':', value @ ..]) => Some(value),
        _ => None,
    }
}

fn key_of(name: Name) -> Key {
    match name {
        ID => Key::Id,
        SUB => Key::Sub,
        DLVRD => Key::Dlvrd,
        SUBMITDATE | SUBMIT_DATE => Key::SubmitDate,
        DONEDATE | DONE_DATE => Key::DoneDate,
        STAT => Key::Stat,
        ERR => Key::Err,
        TEXT => Key::Text,
        _ => Key::Other,
    }
}

/// Parses a name at the start. Returns it (0 if there is none) with the rest of the input.
#[inline]
fn name(input: &[u8]) -> (Name, &[u8]) {
    if !input.first().is_some_and(u8::is_ascii_alphabetic) {
        return (0, input);
    }
    // Most names fit into 64 bits.
    let (mut name, mut rest) = (0_u64, input);
    while let [octet, after @ ..] = rest
        && let Some(lower @ 1..) = NAME_OCTETS.get(usize::from(*octet))
    {
        name = name << 8 | u64::from(*lower);
        rest = after;
    }
    let length = input.len() - rest.len();
    if length <= 8 {
        return (name.into(), rest);
    }
    let octets = input.get(..length).unwrap_or_default().iter();
    let lower = octets.filter_map(|octet| NAME_OCTETS.get(usize::from(*octet)));
    (lower.fold(0, |name, lower| name << 8 | Name::from(*lower)), rest)
}

const fn name_octets() -> [u8; 256] {
    let mut octets = [0; 256];
    let mut rest: &mut [u8] = &mut octets;
    let mut octet = 0_u8;
    while let [first, after @ ..] = rest {
        *first = match octet {
            b'a'..=b'z' | b'0'..=b'9' => octet,
            b'A'..=b'Z' => octet | 0x20,
            b'_' | GSM7_UNDERSCORE => b'_',
            _ => 0,
        };
        rest = after;
        octet = octet.wrapping_add(1);
    }
    octets
}

/// Returns the number of a name in lower case.
const fn name_number(name: &[u8]) -> Name {
    let mut number = 0;
    let mut rest = name;
    while let [octet, after @ ..] = rest {
        number = number << 8 | *octet as Name;
        rest = after;
    }
    number
}

/// Parses a value. Returns it with the next key and the input after that key's colon.
#[inline(never)]
fn value(input: &[u8]) -> (Value<'_>, Option<(Key, &[u8])>) {
    let (word, mut rest) = split_word(input);
    let (mut value, mut start) = (Value { word, whole: word }, input);
    loop {
        let next = rest.trim_ascii_start();
        let key = key(next);
        if key.is_some() || next.is_empty() {
            return (value, key);
        }
        let (word, after) = split_word(next);
        if value.word.is_empty() {
            (value.word, start) = (word, next);
        }
        value.whole = start.split_at_checked(start.len() - after.len()).map_or(start, |(whole, _)| whole);
        rest = after;
    }
}

/// Splits the input at the first white space.
#[inline]
fn split_word(input: &[u8]) -> (&[u8], &[u8]) {
    input.split_at_checked(word_length(input)).unwrap_or((input, &[]))
}

/// Returns how many octets precede the first white space.
fn word_length(input: &[u8]) -> usize {
    let length = low_octet(input);
    let rest = input.get(length..).unwrap_or_default();
    // Mostly 0: the other octets up to the space are control characters.
    length + rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())
}

/// Returns how many octets precede the first that is a space or lower: it looks at 8 octets at once.
#[inline(always)]
pub(super) fn low_octet(input: &[u8]) -> usize {
    let (chunks, rest) = input.as_chunks();
    let mut length = 0;
    for chunk in chunks {
        let marks = marks_below(u64::from_le_bytes(*chunk), b' ' + 1);
        if marks != 0 {
            return length + first_marked(marks);
        }
        length += chunk.len();
    }
    length + rest.iter().position(|octet| *octet <= b' ').unwrap_or(rest.len())
}

/// Marks the octets of a little-endian number that are below a limit of at most 128, with their highest bit. An octet after the first marked one may be marked
/// wrongly.
const fn marks_below(octets: u64, limit: u8) -> u64 {
    octets.wrapping_sub(ONES * limit as u64) & !octets & (ONES << 7)
}

/// Marks the octets that equal this one, in the same way.
const fn marks_of(octets: u64, octet: u8) -> u64 {
    marks_below(octets ^ (ONES * octet as u64), 1)
}

/// Each octet is 1.
pub(super) const ONES: u64 = u64::MAX / 255;

/// Returns the position of the first octet that is marked, at most 7.
const fn first_marked(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Parses decimal digits.
#[inline]
pub(super) fn number(word: &[u8]) -> Option<u32> {
    let digit = |octet: u8| Some(octet.wrapping_sub(b'0')).filter(|digit| *digit < 10).map(u32::from);
    if word.len() < 10 {
        // Less than 10^9.
        return word.iter().try_fold(0, |number, octet| Some(number * 10 + digit(*octet)?));
    }
    word.iter().try_fold(0_u32, |number, octet| number.checked_mul(10)?.checked_add(digit(*octet)?))
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What reads 8 octets at once finds what the simple parser finds.
        #[test]
        fn a_usual_key_is_that_of_any_key(
            name in prop_oneof![
                "(?i)(id|sub|dlvrd|submit|done|stat|err|text|submitdate|date|xid|idx)",
                "[a-zA-Z_0-9]{0,9}",
            ],
            between in "[: \t\x11\x01@]{0,2}",
            rest in "(?i)(date:)?[ -~]{0,12}",
        ) {
            let input = alloc::format!("{name}{between}{rest}");
            let (usual, any) = (usual_key(input.as_bytes()), any_key(input.as_bytes()));
            if usual.is_some() {
                prop_assert!(usual == any, "{input:?}");
            }
            if let Some((key, _)) = any
                && key != Key::Other
                && input.is_ascii()
                && (input.get(name.len()..).is_some_and(|rest| rest.starts_with(':') || rest.starts_with(" date:")))
                && !name.to_ascii_lowercase().ends_with("date")
            {
                prop_assert!(usual.is_some(), "{input:?} is read slowly");
            }
        }

        #[test]
        fn usual_fields_are_those_that_any_text_has(
            fields in prop::collection::vec(
                (
                    "(?i)(id|sub|dlvrd|submit date|done date|stat|err|text|submitdate|x|dlvrdx|done  date|date)",
                    "[: ]{0,2}",
                    "([0-9]{1,12}|[A-Z,;]{1,9}|[ -~]{0,9})",
                    "[ \\t,]{0,2}",
                ),
                0..9,
            ),
        ) {
            let text: String =
                fields.iter().flat_map(|(key, colon, value, space)| [key, colon, value, space]).cloned().collect();
            let mut all = Receipt::default();
            let trimmed = trim_start(without_nuls(text.as_bytes()));
            any_fields(&mut all, any_key(trimmed).or_else(|| value(trimmed).1));
            prop_assert_eq!(parse_fields(text.as_bytes()), all, "{:?}", text);
        }

        #[test]
        fn a_word_ends_at_the_first_white_space(
            input in prop::collection::vec(prop_oneof![any::<u8>(), 33_u8..127, 33_u8..127, 33_u8..127], 0..80),
        ) {
            let end = input.iter().position(u8::is_ascii_whitespace);
            prop_assert_eq!(word_length(&input), end.unwrap_or(input.len()));
        }
    }
}
