//! What is told to the user: sentences, or one JSON object a line.

use std::fmt::Display;

use serde_json::{Value, json};

/// Tells each step as it happens.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    pub(crate) json: bool,
}

impl Report {
    /// A step: one line for people, or `{"event": event, ...fields}`.
    pub(crate) fn step(self, event: &str, fields: Value, text: impl Display) {
        if !self.json {
            println!("{text}");
            return;
        }
        let mut object = json!({ "event": event });
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        println!("{object}");
    }

    /// What people read between the steps, to understand them.
    pub(crate) fn explain(self, text: impl Display) {
        if !self.json {
            println!("{text}");
        }
    }

    /// What went wrong, where, and what to do.
    pub(crate) fn error(self, what: impl Display, advice: &str) {
        if self.json {
            println!("{}", json!({ "event": "error", "error": what.to_string(), "advice": advice }));
            return;
        }
        eprintln!("error: {what}");
        if !advice.is_empty() {
            eprintln!("       {advice}");
        }
    }
}
