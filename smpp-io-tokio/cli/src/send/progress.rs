//! What has become of each message: accepted or not, its receipt here or not.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde_json::json;
use smpp_core::provider::Provider;
use smpp_core::session::{CloseReason, RequestError, Response};
use smpp_core::sms::{Detection, Receipt};
use smpp_core::{CommandStatus, DeliverSm, MessageState, RegisteredDelivery};

use super::{Part, Report, Stop};

/// Receipts kept that are about no message known so far. The SMSC may send a receipt before it answers the
/// submit_sm, and it sends those of the account's other programs too: hence the bound.
const EARLY: usize = 1000;

/// Keeps the ids and the receipts, and tells what comes.
pub(crate) struct Ledger {
    report: Report,
    /// Accepted, the final receipt not yet here; in the order they were submitted.
    waiting: Vec<Waiting>,
    /// Oldest first.
    early: VecDeque<Told>,
    well: bool,
}

/// A part that a receipt is to come for.
struct Waiting {
    id: String,
    what: String,
}

/// What a receipt says.
struct Told {
    id: String,
    state: MessageState,
    last: bool,
    text: String,
}

impl Ledger {
    pub(crate) fn new(report: Report) -> Self {
        Self { report, waiting: Vec::new(), early: VecDeque::new(), well: true }
    }

    /// Notes the outcome of a submit_sm.
    pub(crate) fn submitted(&mut self, part: &Part<'_>, outcome: Result<Response, RequestError>) {
        let Part { message, submission } = part;
        let segment = submission.segment();
        let (number, of, octets) = (segment.number(), segment.total(), segment.as_bytes().len());
        let what = format!("message {message} part {number}/{of}");
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                self.well = false;
                return self.report.error(format_args!("{what}: {error}"), advice(&error));
            }
        };
        let id = String::from_utf8_lossy(response.message_id()).into_owned();
        self.report.step(
            "accepted",
            json!({ "message": message, "part": number, "parts": of, "message_id": id }),
            format_args!("submit_sm   part {number}/{of}: {octets} octets -> message_id {id}"),
        );
        if part.submit_sm().registered_delivery.contains(RegisteredDelivery::RECEIPT) {
            self.waiting.push(Waiting { id, what });
            // Its receipts may be among the early ones: those that are not stay there.
            for receipt in std::mem::take(&mut self.early) {
                self.receipt(receipt);
            }
        }
    }

    /// Notes what the SMSC delivers: a receipt, or a message from someone's phone.
    pub(crate) fn delivered(&mut self, sm: &DeliverSm<'_>) {
        let mut buffer = Vec::new();
        let Some(receipt) = Receipt::of_with_buffer(sm, Detection::ByEsmClass, &mut buffer) else {
            return self.message(sm);
        };
        let text = String::from_utf8_lossy(sm.text()).into_owned();
        match receipt {
            Ok(receipt) => self.receipt(Told {
                id: String::from_utf8_lossy(receipt.id).into_owned(),
                state: receipt.state().unwrap_or(MessageState::UNKNOWN),
                last: receipt.is_final(),
                text,
            }),
            Err(error) => self.report.error(
                format_args!("a receipt that cannot be read, {error}: {text}"),
                "Look its message up at the provider.",
            ),
        }
    }

    fn receipt(&mut self, receipt: Told) {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.id == receipt.id) else {
            if self.early.len() == EARLY {
                self.early.pop_front();
            }
            return self.early.push_back(receipt);
        };
        let Told { id, state, last, text } = receipt;
        let what = &self.waiting[at].what;
        self.report.step(
            "receipt",
            json!({ "message_id": id, "state": format!("{state:?}"), "final": last, "text": text }),
            format_args!("receipt     {what}: {state:?}\n            {text}"),
        );
        if last {
            self.waiting.remove(at);
            self.well &= state == MessageState::DELIVERED;
        }
    }

    fn message(&self, sm: &DeliverSm<'_>) {
        let codings = Provider::EIGHT_BY_EIGHT.codings;
        // Where the header is malformed, all of it is shown.
        let whole = || codings.decode(sm.data_coding, None, sm.text());
        let text = sm.user_data().map_or_else(|_| whole(), |user_data| user_data.text(codings));
        let text = text.unwrap_or_default();
        let from = sm.source.digits.to_string();
        self.report.step(
            "message",
            json!({ "from": from, "text": text }),
            format_args!("deliver_sm  a message from {from}: {text}"),
        );
    }

    /// Whether no receipt is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Says what is waited for, if anything is.
    pub(crate) fn explain_waiting(&self) {
        if !self.is_complete() {
            self.report
                .explain("\nEach accepted part is reported on by a deliver_sm when its fate is known:");
        }
    }

    /// Gives up what has not come: nothing is missing any more, and not all is well.
    pub(crate) fn give_up(&mut self, timeout: Duration) {
        for Waiting { id, what } in self.waiting.drain(..) {
            self.well = false;
            self.report.error(
                format_args!("no receipt for {what} ({id}) within {} s", timeout.as_secs()),
                "The message was accepted; wait longer with --timeout, or look it up at the provider.",
            );
        }
    }

    /// Notes how the session ended. Whether every part was accepted, and every receipt that was asked for came
    /// and says "delivered".
    pub(crate) fn ended(&mut self, reason: CloseReason, error: Option<&io::Error>) -> Result<bool, Stop> {
        let asked = matches!(reason, CloseReason::Unbound | CloseReason::PeerUnbound);
        if asked && self.is_complete() {
            let text = format_args!("\nended       {reason}");
            self.report.step("unbound", json!({ "reason": reason.to_string() }), text);
            return Ok(self.well);
        }
        for Waiting { id, what } in self.waiting.drain(..) {
            self.report.error(format_args!("no receipt for {what} ({id})"), "");
        }
        let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
        Err(Stop::failed(
            format_args!("the session ended early: {reason}{error}"),
            "What has a message_id was accepted; receipts that are missing come on the next bind.",
        ))
    }
}

/// What to do about a part that was not accepted.
fn advice(error: &RequestError) -> &'static str {
    match error {
        RequestError::Refused(CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL) => "Send it again, later.",
        RequestError::Refused(CommandStatus::RINVDSTADR) => "Check --to.",
        RequestError::Refused(CommandStatus::RINVSRCADR) => {
            "Check --from: the account may not use this sender."
        }
        RequestError::NeverSent(_) => "It is safe to send it again.",
        RequestError::Unanswered(_) => "It may have been accepted: sending it again may make two of it.",
        _ => "",
    }
}
