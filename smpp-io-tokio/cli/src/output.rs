//! Lines on the standard output.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

/// Prints `{"event": event, ...fields}`.
pub(crate) fn object(event: &str, mut fields: Value) {
    fields["event"] = event.into();
    line(fields);
}

/// Prints a line. A closed pipe (`| head`) is ignored: the exit status still reports the result.
pub(crate) fn line(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Replaces control characters: ids, texts and names come from the network, and a terminal would obey them.
pub(crate) fn printable(text: impl Display) -> String {
    text.to_string().replace(|character: char| character.is_control() && character != '\n', "\u{FFFD}")
}
