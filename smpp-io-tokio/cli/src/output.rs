//! Lines on the standard output, and what a peer's text may do to a terminal.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

/// Prints `{"event": event, ...fields}`.
pub(crate) fn object(event: &str, mut fields: Value) {
    fields["event"] = event.into();
    line(json_line(&fields));
}

/// Prints a line. A closed pipe (`| head`) is ignored: the exit status still reports the result.
pub(crate) fn line(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Escapes what [`is_control`] as Rust does, `\n` and `\u{202e}`: ids, texts and names come from the network, and a
/// terminal would obey them; a text could look like a line of the command.
pub(crate) fn printable(text: impl Display) -> String {
    escape(&text.to_string(), |character| character.escape_default().to_string())
}

/// Returns a value as one line of JSON in which nothing [`is_control`]: it may be shown on a terminal as it is.
pub(crate) fn json_line(value: &Value) -> String {
    // They can only stand inside of strings, and each is one unit of UTF-16.
    escape(&value.to_string(), |character| format!("\\u{:04x}", u32::from(character)))
}

/// Returns whether a terminal may obey the character or reorder what it shows: a control character, a separator of lines
/// or paragraphs, or a mark of the direction of a text.
pub(crate) fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}'
                | '\u{200E}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2066}'..='\u{2069}'
        )
}

fn escape(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_control(character) { out += &escape(character) } else { out.push(character) }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CONTROLS: &str = "\n\r\t\0\u{1B}\u{7F}\u{80}\u{85}\u{9B}\u{9F}\u{61C}\u{200E}\u{200F}\u{2028}\u{2029}\u{202A}\u{202B}\
                            \u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}";

    #[test]
    fn a_text_is_one_line_and_controls_nothing() {
        assert_eq!(printable("Grüße 你好 👩‍👧 \"\\"), "Grüße 你好 👩‍👧 \"\\", "what is printable stays");
        assert_eq!(printable("Hi\nreceipt\r\t\u{9B}2J\u{202E}"), "Hi\\nreceipt\\r\\t\\u{9b}2J\\u{202e}");
        for character in CONTROLS.chars() {
            assert!(printable(character).bytes().all(|octet| octet.is_ascii_graphic()), "{character:?}");
        }
    }

    #[test]
    fn a_line_of_json_controls_nothing_and_has_the_same_value() {
        let value = json!({ "text": format!("Grüße {CONTROLS}"), "a\u{85}": [null, 1] });
        let line = json_line(&value);
        assert!(!line.contains(is_control), "{line:?}");
        assert!(line.contains("Grüße") && line.contains("\\u009b") && line.contains("\\u202e"), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
