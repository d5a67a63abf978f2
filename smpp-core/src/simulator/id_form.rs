//! The forms of message ids.

use alloc::format;
use alloc::string::{String, ToString};
use core::str::FromStr;

use super::rng::mix;

/// The most characters of a message id in SMPP (SMPP 3.4 §4.4.2).
const MAX_LENGTH: u8 = 64;

/// The form of a message id. The ids of one message in several forms belong together: decimal and hexadecimal are the same
/// number, and UUIDs differ only in their case.
///
/// ```
/// use smpp_proto::simulator::IdForm;
/// assert_eq!("HEX12".parse(), Ok(IdForm::Hexadecimal { digits: 12, uppercase: true }));
/// let (hexadecimal, decimal) = (IdForm::Hexadecimal { digits: 1, uppercase: false }, IdForm::Decimal { digits: 12 });
/// assert_eq!(hexadecimal.id(0, 0x9000_000A), "9000000a");
/// assert_eq!(decimal.id(0, 0x9000_000A), "002415919114");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdForm {
    /// A random UUID with hyphens: 36 characters.
    Uuid {
        /// Whether the letters are capitals.
        uppercase: bool,
    },
    /// A decimal number.
    Decimal {
        /// The fewest digits: a shorter number begins with zeros.
        digits: u8,
    },
    /// A hexadecimal number.
    Hexadecimal {
        /// The fewest digits: a shorter number begins with zeros.
        digits: u8,
        /// Whether the letters are capitals.
        uppercase: bool,
    },
    /// Letters and digits that are no number.
    Text {
        /// How many; below 12 two messages may have the same id.
        length: u8,
        /// Whether the letters are capitals.
        uppercase: bool,
    },
}

/// The text is not the name of an [`IdForm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownIdForm;

impl Default for IdForm {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl IdForm {
    pub(super) const DEFAULT: Self = Self::Uuid { uppercase: false };

    /// Returns the id of the message with this number.
    pub fn id(self, seed: u64, number: u64) -> String {
        match self {
            Self::Uuid { uppercase } => cased(uuid(seed, number), uppercase),
            Self::Decimal { digits } => format!("{number:0width$}", width = digits.into()),
            Self::Hexadecimal { digits, uppercase } => {
                cased(format!("{number:0width$x}", width = digits.into()), uppercase)
            }
            Self::Text { length, uppercase } => {
                let length = usize::from(length);
                let mut text = format!("m{number:x}-");
                while text.len() < length {
                    let octets = mix(seed ^ mix(number ^ text.len() as u64)).to_be_bytes();
                    // Two digits for each octet.
                    text.extend(octets.iter().flat_map(|octet| [octet >> 4, octet & 15]).map(digit));
                }
                text.truncate(length);
                cased(text, uppercase)
            }
        }
    }
}

/// Returns a hexadecimal digit.
fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0')
}

fn cased(text: String, uppercase: bool) -> String {
    if uppercase { text.to_uppercase() } else { text }
}

fn uuid(seed: u64, number: u64) -> String {
    let high = mix(seed ^ number.rotate_left(32));
    let low = mix(high ^ number);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        (low >> 48) & 0x3FFF | 0x8000,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// Parses `uuid`, `dec`, `hex` or `text`, in capitals for an id in capitals, with a number for the fewest digits: `dec10`,
/// `HEX16`. `text` has 20 characters unless a number says otherwise. At most 64.
impl FromStr for IdForm {
    type Err = UnknownIdForm;

    fn from_str(text: &str) -> Result<Self, UnknownIdForm> {
        let end = text.find(|character: char| character.is_ascii_digit()).unwrap_or(text.len());
        let (name, digits) = text.split_at(end);
        let digits = match digits {
            "" => None,
            digits => {
                Some(digits.parse().ok().filter(|it| (1..=MAX_LENGTH).contains(it)).ok_or(UnknownIdForm)?)
            }
        };
        let uppercase = name.to_ascii_uppercase() == name;
        match (name.to_string().to_ascii_lowercase().as_str(), digits) {
            ("uuid", None) => Ok(Self::Uuid { uppercase }),
            ("dec", digits) => Ok(Self::Decimal { digits: digits.unwrap_or(1) }),
            ("hex", digits) => Ok(Self::Hexadecimal { digits: digits.unwrap_or(1), uppercase }),
            ("text", length) => Ok(Self::Text { length: length.unwrap_or(20), uppercase }),
            _ => Err(UnknownIdForm),
        }
    }
}

impl core::fmt::Display for UnknownIdForm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a form of message ids: use uuid, dec, hex or text")
    }
}

impl core::error::Error for UnknownIdForm {}
