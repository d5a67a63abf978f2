//! A provider as Rust source, ready to be compiled. No I/O.

use std::fmt::{self, Display, Write as _};

use super::document::{Document, Field};
use crate::output::is_control;

/// The columns of a comment.
const WIDTH: usize = 110;

/// Displays a document as Rust source: one constant.
pub(super) struct Rust<'a>(pub(super) &'a Document);

impl Display for Rust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(document) = self;
        comment(f, "//", 0, "Observed, without a field of `Provider`:")?;
        for Field { name, value, evidence } in &document.observed {
            let text = match value {
                Some(value) => format!("- {name}: {}; {evidence}", value.toml),
                None => format!("- {name}: not found out: {evidence}"),
            };
            comment(f, "//", 0, &text)?;
        }
        f.write_str("\n")?;
        for line in &document.title {
            comment(f, "///", 0, line)?;
        }
        let provider = "smpp_proto::provider::Provider";
        writeln!(f, "pub const PROVIDER: {provider} = {provider}::UNSTATED")?;
        write_fields(f, 4, &document.provider)?;
        nested(f, "codings", "smpp_proto::provider::Provider::UNSTATED.codings", &document.codings)?;
        nested(f, "receipts", "smpp_proto::provider::ReceiptDialect::UNSTATED", &document.receipts)?;
        f.write_str("    ;\n")
    }
}

/// Writes the call of the setter `name` with a value that differs from `base` in `fields`.
fn nested(f: &mut fmt::Formatter<'_>, name: &str, base: &str, fields: &[Field]) -> fmt::Result {
    writeln!(f, "    .{name}(\n        {base}")?;
    write_fields(f, 12, fields)?;
    f.write_str("    )\n")
}

/// Writes a call of a setter for each field.
fn write_fields(f: &mut fmt::Formatter<'_>, indent: usize, fields: &[Field]) -> fmt::Result {
    for Field { name, value, evidence } in fields {
        match value {
            Some(value) => {
                comment(f, "//", indent, evidence)?;
                writeln!(f, "{:indent$}.{name}({})", "", value.rust)?;
            }
            None => comment(f, "//", indent, &format!("{name}: not found out: {evidence}"))?,
        }
    }
    Ok(())
}

/// Writes a comment in lines. What an SMSC sends may be in it, and must not end it.
fn comment(f: &mut fmt::Formatter<'_>, mark: &str, indent: usize, text: &str) -> fmt::Result {
    let clean = text.replace(is_control, "\u{FFFD}");
    let mut column = 0;
    for word in clean.split(' ').filter(|word| !word.is_empty()) {
        let length = 1 + word.chars().count();
        if column > 0 && column + length > WIDTH {
            f.write_char('\n')?;
            column = 0;
        }
        if column == 0 {
            column = indent + mark.len();
            write!(f, "{:indent$}{mark}", "")?;
        }
        write!(f, " {word}")?;
        column += length;
    }
    if column == 0 {
        write!(f, "{:indent$}{mark}", "")?;
    }
    f.write_char('\n')
}
