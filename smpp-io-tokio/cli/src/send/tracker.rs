//! The outcome of each segment, and the receipts that are still to come.

use std::time::Duration;
use std::{fmt, io};

use serde_json::{Value, json};
use smpp_proto::session::{CloseReason, RequestError, Response};
use smpp_proto::sms::{Detection, MessageIdPolicy, Receipt};
use smpp_proto::{CommandStatus, MessageState, RegisteredDelivery};

use super::message::Segment;
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::report::Report;

/// How many deliver_sm and data_sm may wait for the response to a segment; the oldest of more are left at the SMSC.
pub(super) const MAX_WAITING: usize = 32;

/// How SMSCs write the ids of responses in receipts.
const NOTATIONS: [MessageIdPolicy; 4] = [
    MessageIdPolicy::IGNORE_CASE,
    MessageIdPolicy::IGNORE_LEADING_ZEROS,
    MessageIdPolicy::HEXADECIMAL_TO_DECIMAL,
    MessageIdPolicy::DECIMAL_TO_HEXADECIMAL,
];

/// What happens to a deliver_sm or data_sm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is a receipt of a message of this command, which is printed.
    Accept,
    /// It is for another program: this is printed, and the SMSC keeps it.
    LeaveAtSmsc,
    /// It may be the receipt of a segment to which the SMSC has not responded yet.
    Wait,
}

impl Verdict {
    /// Returns the result to respond with. `None` while it waits.
    pub(super) const fn result(self) -> Option<Result<(), CommandStatus>> {
        match self {
            Self::Accept => Some(Ok(())),
            // A temporary error: the SMSC delivers it again.
            Self::LeaveAtSmsc => Some(Err(CommandStatus::RX_T_APPN)),
            Self::Wait => None,
        }
    }
}

/// Reports outcomes and receipts, and tracks which receipts are pending.
pub(super) struct Tracker {
    report: Report,
    /// In the order in which the segments were submitted.
    pending: Vec<PendingReceipt>,
    /// Those whose final receipt has come, or is no longer waited for.
    done: Vec<PendingReceipt>,
    /// Whether a segment is left to which the SMSC has not responded.
    is_submitting: bool,
    /// Whether every segment was accepted and every final receipt has the state DELIVERED.
    succeeded: bool,
}

/// An accepted segment without its final receipt.
struct PendingReceipt {
    id: String,
    what: String,
}

impl Tracker {
    pub(super) fn new(report: Report) -> Self {
        Self { report, pending: Vec::new(), done: Vec::new(), is_submitting: true, succeeded: true }
    }

    /// Records and reports the outcome of a submit_sm.
    pub(super) fn submitted(&mut self, segment: &Segment<'_>, outcome: Result<Response, RequestError>) {
        let Segment { message, submission } = segment;
        let content = submission.segment();
        let (number, of, octets) = (content.number(), content.total(), content.as_bytes().len());
        let what = format!("message {message} segment {number}/{of}");
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                self.succeeded = false;
                return self.report.error(format_args!("{what}: {error}"), advice(&error));
            }
        };
        let id = String::from_utf8_lossy(response.message_id()).into_owned();
        self.report.step(
            "accepted",
            json!({ "message": message, "segment": number, "segments": of, "message_id": id }),
            format_args!("submit_sm   segment {number}/{of}: {octets} octets -> message_id {id}"),
        );
        if segment.submit_sm().registered_delivery.contains(RegisteredDelivery::RECEIPT) {
            self.pending.push(PendingReceipt { id, what });
        }
    }

    /// Records that no segment is left to be submitted, and explains which receipts are pending.
    pub(super) fn all_submitted(&mut self) {
        self.is_submitting = false;
        if !self.is_complete() {
            self.report.explain("");
            self.report
                .explain("The SMSC sends a receipt in a deliver_sm for each accepted segment when its outcome is known:");
        }
    }

    /// Reports what the SMSC delivers: a receipt or a mobile-originated message. Call it again after a change if it has to wait.
    pub(super) fn delivered(&mut self, message: &Delivered<'_>) -> Verdict {
        let mut buffer = Vec::new();
        match message.receipt(Detection::ByContent, &mut buffer) {
            Some(Ok(receipt)) => self.receipt(&receipt, message),
            Some(Err(error)) => {
                let text = message.receipt_text();
                self.left(
                    json!({ "text": text }),
                    format_args!("a receipt that cannot be read, {error}: {text}"),
                )
            }
            None => self.message(message),
        }
    }

    fn receipt(&mut self, receipt: &Receipt<'_>, message: &Delivered<'_>) -> Verdict {
        let id = String::from_utf8_lossy(receipt.id);
        let is_about = |segment: &PendingReceipt| {
            NOTATIONS.iter().any(|notation| notation.same(segment.id.as_bytes(), receipt.id))
        };
        let at = self.pending.iter().position(is_about);
        let done = self.done.iter().find(|segment| is_about(segment));
        let Some(segment) = at.and_then(|at| self.pending.get(at)).or(done) else {
            if self.is_submitting {
                return Verdict::Wait;
            }
            let what = format_args!("a receipt of a message that this command does not know, {id}");
            return self.left(json!({ "message_id": id }), what);
        };
        let state = receipt.state().unwrap_or(MessageState::UNKNOWN);
        let (is_final, text) = (receipt.is_final(), message.receipt_text());
        let what = &segment.what;
        self.report.step(
            "receipt",
            json!({ "message_id": id, "state": format!("{state:?}"), "final": is_final, "text": text }),
            format_args!("receipt     {what}: {state:?}"),
        );
        self.report.explain(format_args!("            {text}"));
        if let Some(at) = at.filter(|_| is_final) {
            self.done.push(self.pending.remove(at));
            self.succeeded &= state == MessageState::DELIVERED;
        }
        Verdict::Accept
    }

    fn message(&self, message: &Delivered<'_>) -> Verdict {
        let text = message.text().unwrap_or_default();
        let from = message.from.escape_ascii().to_string();
        self.left(json!({ "from": from, "text": text }), format_args!("a message from {from}: {text}"))
    }

    /// Reports what this command does not take.
    fn left(&self, json: Value, what: fmt::Arguments<'_>) -> Verdict {
        self.report.step(
            "left",
            json,
            format_args!("delivery    left at the SMSC, as it is for a receiver: {what}"),
        );
        Verdict::LeaveAtSmsc
    }

    /// Returns whether no receipt is pending.
    pub(super) fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Stops waiting for the pending receipts and reports each as missing.
    pub(super) fn give_up(&mut self, timeout: Duration) {
        for PendingReceipt { id, what } in &self.pending {
            self.succeeded = false;
            self.report.error(
                format_args!("no receipt for {what} ({id}) within {} s", timeout.as_secs()),
                "The message was accepted. Wait longer with --timeout; another bind of the account may have received it.",
            );
        }
        self.done.append(&mut self.pending);
    }

    /// Reports the end of the session. Returns whether every segment was accepted, and every receipt that was asked for
    /// arrived with the state DELIVERED.
    pub(super) fn ended(&mut self, reason: CloseReason, error: Option<&io::Error>) -> Result<bool, Failure> {
        let regular = matches!(reason, CloseReason::Unbound | CloseReason::PeerUnbound);
        if regular && self.is_complete() {
            let text = format_args!("ended       {reason}");
            self.report.explain("");
            self.report.step("unbound", json!({ "reason": reason.to_string() }), text);
            return Ok(self.succeeded);
        }
        for PendingReceipt { id, what } in self.pending.drain(..) {
            self.report.error(format_args!("no receipt for {what} ({id})"), "");
        }
        let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
        Err(Failure::failed(
            format_args!("the session ended early: {reason}{error}"),
            "A segment with a message_id was accepted; missing receipts arrive on the next bind.",
        ))
    }
}

/// Returns what to do about a segment that was not accepted.
fn advice(error: &RequestError) -> &'static str {
    match error {
        RequestError::Refused { status: CommandStatus::RTHROTTLED | CommandStatus::RMSGQFUL, .. } => {
            "Send it again, later."
        }
        RequestError::Refused { status: CommandStatus::RINVDSTADR, .. } => "Check --to.",
        RequestError::Refused { status: CommandStatus::RINVSRCADR, .. } => {
            "Check --from: the account may not use this sender."
        }
        RequestError::NeverSent(_) => "It is safe to send it again.",
        RequestError::Unanswered(_) => "It may have been accepted: sending it again may deliver it twice.",
        _ => "",
    }
}
