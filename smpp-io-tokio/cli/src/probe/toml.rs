//! A provider as TOML, written by hand. The README of this crate describes the format. No I/O.

use std::fmt::{self, Display, Write as _};

use super::document::{Document, Field};
use crate::output::is_control;

/// The version of the format: a reader refuses a file with another one.
const FORMAT: u32 = 1;

/// Displays a document as TOML.
pub(super) struct Toml<'a>(pub(super) &'a Document);

impl Display for Toml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(document) = self;
        for line in &document.title {
            comment(f, line)?;
        }
        writeln!(f, "\nformat = {FORMAT}")?;
        for (name, fields) in [
            ("provider", &document.provider),
            ("provider.codings", &document.codings),
            ("provider.receipts", &document.receipts),
            ("observed", &document.observed),
        ] {
            writeln!(f, "\n[{name}]")?;
            for field in fields {
                write_field(f, field)?;
            }
        }
        Ok(())
    }
}

fn write_field(f: &mut fmt::Formatter<'_>, field: &Field) -> fmt::Result {
    let Field { name, value, evidence } = field;
    match value {
        Some(value) => {
            comment(f, evidence)?;
            writeln!(f, "{name} = {}", value.toml)
        }
        None => comment(f, &format!("{name}: not found out: {evidence}")),
    }
}

/// Writes a comment of one line. What an SMSC sends may be in it, and must not end it.
fn comment(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('#')?;
    if !text.is_empty() {
        f.write_char(' ')?;
    }
    for character in text.chars() {
        f.write_char(if is_control(character) { char::REPLACEMENT_CHARACTER } else { character })?;
    }
    f.write_char('\n')
}
