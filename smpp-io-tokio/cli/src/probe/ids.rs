//! The notation of message ids, and how those of receipts compare with those of responses. No I/O.

use std::fmt::{self, Display};

use smpp_proto::sms::{IdNotation, MessageIdPolicy, NumericIds};

/// Ids of one place, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    notation: Notation,
    case: Option<Case>,
    lengths: (usize, usize),
    leading_zeros: bool,
    count: usize,
    example: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    /// Only `0` to `9`.
    Decimal,
    /// Only hexadecimal digits, at least one a letter.
    Hexadecimal,
    /// 32 hexadecimal digits with or without hyphens.
    Uuid,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
    Mixed,
}

impl Shape {
    /// Describes ids; `None` if there are none.
    pub(super) fn of(ids: &[&[u8]]) -> Option<Self> {
        let first = ids.first()?;
        let all = |test: fn(&[u8]) -> bool| ids.iter().all(|id| test(id));
        let notation = if all(is_uuid) {
            Notation::Uuid
        } else if all(|id| id.iter().all(u8::is_ascii_digit)) {
            Notation::Decimal
        } else if all(|id| id.iter().all(u8::is_ascii_hexdigit)) {
            Notation::Hexadecimal
        } else {
            Notation::Text
        };
        let any = |test: fn(&u8) -> bool| ids.iter().any(|id| id.iter().any(test));
        let case = match (any(u8::is_ascii_lowercase), any(u8::is_ascii_uppercase)) {
            (true, true) => Some(Case::Mixed),
            (true, false) => Some(Case::Lower),
            (false, true) => Some(Case::Upper),
            (false, false) => None,
        };
        let lengths = ids.iter().map(|id| id.len());
        Some(Self {
            notation,
            case,
            lengths: (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0)),
            leading_zeros: notation != Notation::Uuid
                && ids.iter().any(|id| id.len() > 1 && id.starts_with(b"0")),
            count: ids.len(),
            example: first.escape_ascii().to_string(),
        })
    }

    /// Returns how many ids there were, and one of them.
    pub(super) fn evidence(&self) -> String {
        format!("{} seen, such as \"{}\"", self.count, self.example)
    }

    /// Returns the octets of the longest id.
    pub(super) const fn longest(&self) -> usize {
        self.lengths.1
    }
}

/// For example: `hexadecimal in lower case, 8 characters`.
impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.notation {
            Notation::Decimal => "decimal",
            Notation::Hexadecimal => "hexadecimal",
            Notation::Uuid => "UUID",
            Notation::Text => "text",
        })?;
        f.write_str(match self.case {
            Some(Case::Lower) => " in lower case",
            Some(Case::Upper) => " in upper case",
            Some(Case::Mixed) => " in both cases",
            None => "",
        })?;
        let (shortest, longest) = self.lengths;
        if shortest == longest {
            write!(f, ", {longest} characters")?;
        } else {
            write!(f, ", {shortest} to {longest} characters")?;
        }
        f.write_str(if self.leading_zeros { ", with leading zeros" } else { "" })
    }
}

fn is_uuid(id: &[u8]) -> bool {
    let digits = id.iter().filter(|octet| **octet != b'-');
    digits.clone().count() == 32
        && digits.clone().all(u8::is_ascii_hexdigit)
        && (id.len() == 32 || id.split(|octet| *octet == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12]))
}

const HEXADECIMAL: MessageIdPolicy =
    MessageIdPolicy::EXACT.numbers(NumericIds::new(IdNotation::Hexadecimal, IdNotation::Hexadecimal));

/// The policies in the order in which they are tried: the strictest first.
const POLICIES: [MessageIdPolicy; 6] = [
    MessageIdPolicy::EXACT,
    MessageIdPolicy::IGNORE_CASE,
    MessageIdPolicy::IGNORE_LEADING_ZEROS,
    HEXADECIMAL,
    MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
    MessageIdPolicy::DECIMAL_TO_HEXADECIMAL,
];

/// How the ids of receipts compare with those of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) policy: MessageIdPolicy,
    /// How many ids of receipts belong to a response with this policy, of how many.
    pub(super) matched: usize,
    pub(super) of: usize,
}

impl Relation {
    /// Finds the strictest policy with which the most ids of receipts belong to a response. `None` if no id belongs to any.
    pub(super) fn find(submitted: &[&[u8]], receipted: &[&[u8]]) -> Option<Self> {
        let mut best: Option<Self> = None;
        for policy in POLICIES {
            let belongs = |id: &&&[u8]| submitted.iter().any(|other| policy.same(other, id));
            let matched = receipted.iter().filter(belongs).count();
            if matched > best.map_or(0, |best| best.matched) {
                best = Some(Self { policy, matched, of: receipted.len() });
            }
        }
        best
    }
}

/// Says in words how the ids of receipts compare with those of responses.
pub(super) fn describe(policy: MessageIdPolicy) -> &'static str {
    match policy {
        MessageIdPolicy::EXACT => "the same octets",
        MessageIdPolicy::IGNORE_CASE => "the same but for the case of letters",
        MessageIdPolicy::IGNORE_LEADING_ZEROS => "the same decimal number, with other leading zeros",
        MessageIdPolicy::HEXADECIMAL_TO_DECIMAL => "hexadecimal in the response, decimal in the receipt",
        MessageIdPolicy::DECIMAL_TO_HEXADECIMAL => "decimal in the response, hexadecimal in the receipt",
        _ => "the same hexadecimal number, with other case or leading zeros",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(submitted: &[&str], receipted: &[&str]) -> Option<(MessageIdPolicy, usize)> {
        let [submitted, receipted] =
            [submitted, receipted].map(|ids| ids.iter().map(|id| id.as_bytes()).collect::<Vec<_>>());
        Relation::find(&submitted, &receipted).map(|it| (it.policy, it.matched))
    }

    #[test]
    fn the_strictest_policy_that_matches_most_is_found() {
        for (submitted, receipted, policy) in [
            (["12", "13"], ["12", "13"], MessageIdPolicy::EXACT),
            (["ab", "cd"], ["AB", "CD"], MessageIdPolicy::IGNORE_CASE),
            (["12", "13"], ["0012", "0013"], MessageIdPolicy::IGNORE_LEADING_ZEROS),
            (["1a", "1b"], ["001A", "001B"], HEXADECIMAL),
            (["3a00beef", "3a00bef0"], ["0973127407", "0973127408"], MessageIdPolicy::HEXADECIMAL_TO_DECIMAL),
            (["973127407", "973127408"], ["3A00BEEF", "3A00BEF0"], MessageIdPolicy::DECIMAL_TO_HEXADECIMAL),
        ] {
            assert_eq!(find(&submitted, &receipted), Some((policy, 2)), "{submitted:?} {receipted:?}");
        }
        assert_eq!(find(&["12"], &["98"]), None);
        assert_eq!(find(&["12"], &[]), None);
        // One receipt of an earlier run does not change the policy.
        assert_eq!(
            find(&["1a", "1b"], &["26", "27", "99"]),
            Some((MessageIdPolicy::HEXADECIMAL_TO_DECIMAL, 2))
        );
    }

    #[test]
    fn ids_are_described() {
        for (ids, text) in [
            (&["9c3f00a1"][..], "hexadecimal in lower case, 8 characters"),
            (&["12", "0130"], "decimal, 2 to 4 characters, with leading zeros"),
            (&["BDA7B1BD-4C04-4C1C-9B2E-1B2C3D4E5F60"], "UUID in upper case, 36 characters"),
            (&["msg-1"], "text in lower case, 5 characters"),
        ] {
            let ids: Vec<_> = ids.iter().map(|id| id.as_bytes()).collect();
            assert_eq!(Shape::of(&ids).unwrap().to_string(), text);
        }
        assert_eq!(Shape::of(&[b"12", b"0130"]).unwrap().evidence(), "2 seen, such as \"12\"");
        assert_eq!(Shape::of(&[]), None);
    }
}
