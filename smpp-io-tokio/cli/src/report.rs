//! What is told to the user: sentences, or one JSON object a line.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::{Value, json};
use smpp_core::session::Response;

use super::{Account, Stop};

/// Tells each step as it happens.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    pub(crate) json: bool,
}

impl Report {
    /// A step: one line for people, or `{"event": event, ...fields}`.
    pub(crate) fn step(self, event: &str, fields: Value, text: impl Display) {
        if !self.json {
            say(harmless(text));
            return;
        }
        let mut object = json!({ "event": event });
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        say(object);
    }

    /// What people read between the steps, to understand them.
    pub(crate) fn explain(self, text: impl Display) {
        if !self.json {
            say(harmless(text));
        }
    }

    /// What went wrong, where, and what to do.
    pub(crate) fn error(self, what: impl Display, advice: &str) {
        if self.json {
            say(json!({ "event": "error", "error": what.to_string(), "advice": advice }));
            return;
        }
        eprintln!("error: {}", harmless(what));
        if !advice.is_empty() {
            eprintln!("       {advice}");
        }
    }

    /// Why nothing more could be done.
    pub(crate) fn stop(self, stop: &Stop) {
        self.error(&stop.what, stop.advice);
    }

    /// There is a connection, not yet a bind.
    pub(crate) fn connected(self, account: &Account) {
        let endpoint = &account.endpoint;
        let how = if endpoint.tls { "TLS, certificate verified" } else { "plain TCP" };
        let url = endpoint.to_string();
        self.step("connected", json!({ "url": url }), format_args!("connected   {url} ({how})"));
    }

    /// The SMSC accepted the bind.
    pub(crate) fn bound(self, account: &Account, answer: &Response) {
        let system_id = account.system_id();
        let smsc = answer.bind_resp().system_id.to_string();
        self.step(
            "bound",
            json!({ "mode": "transceiver", "system_id": system_id, "smsc": smsc }),
            format_args!("bound       bind_transceiver as \"{system_id}\", the SMSC calls itself \"{smsc}\""),
        );
    }
}

/// Writes a line. If nobody reads any more (`| head`), the messages go on all the same, and the exit status tells.
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Ids, texts and names come from the network: a terminal would obey the control characters in them.
fn harmless(text: impl Display) -> String {
    text.to_string().replace(|character: char| character.is_control() && character != '\n', "\u{FFFD}")
}
