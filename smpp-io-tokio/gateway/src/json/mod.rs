//! What programs publish and read: JSON. `schema.json` and `schema-events.json` in the package describe it.

mod event;
mod message;

pub use event::{event_json, node_event_json, phone_text};
pub use message::{SendRequest, WhenUncertain, parse};

/// The JSON schema of the messages that programs publish.
pub const SCHEMA: &str = include_str!("../../schema.json");

/// The JSON schema of the events that programs read: a property for each kind.
pub const EVENT_SCHEMA: &str = include_str!("../../schema-events.json");

/// Returns octets in hexadecimal digits.
pub fn to_hex(octets: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS.get(usize::from(value)).copied().unwrap_or(b'0'));
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// Returns the octets of hexadecimal digits; `None` if the text has others, or an odd number.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    Some(pairs.map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}
