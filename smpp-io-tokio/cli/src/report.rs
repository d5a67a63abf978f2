//! The steps of a subcommand: sentences for people, or one JSON object a line.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{line, object, printable};

/// Prints each step as it happens.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    /// Prints JSON objects.
    pub(crate) json: bool,
}

impl Report {
    /// Prints a step: one line for people, or `{"event": event, ...fields}`.
    pub(crate) fn step(self, event: &str, fields: Value, text: impl Display) {
        if self.json {
            object(event, fields);
        } else {
            line(printable(text));
        }
    }

    /// Prints an explanation for people; nothing in JSON.
    pub(crate) fn explain(self, text: impl Display) {
        if !self.json {
            line(printable(text));
        }
    }

    /// Prints what went wrong, where, and what to do.
    pub(crate) fn error(self, what: impl Display, advice: &str) {
        self.failure(&Failure::failed(what, advice));
    }

    /// Prints the failure that ends the subcommand.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            object("error", json!({ "error": failure.what, "advice": failure.advice }));
        } else {
            failure.print();
        }
    }
}
