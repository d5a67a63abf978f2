//! The outcome of each segment, and the receipts that are still to come.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde_json::json;
use smpp_proto::provider::Provider;
use smpp_proto::session::{CloseReason, RequestError, Response};
use smpp_proto::sms::{Detection, Receipt};
use smpp_proto::{CommandStatus, DeliverSm, MessageState, RegisteredDelivery};

use super::message::Segment;
use crate::failure::Failure;
use crate::report::Report;

/// The largest number of receipts kept for message ids that are not known yet. The SMSC may send a receipt before it
/// responds to the submit_sm, and it sends the receipts of the account's other programs too.
const MAX_EARLY_RECEIPTS: usize = 1000;

/// Reports outcomes and receipts, and tracks which receipts are pending.
pub(super) struct Tracker {
    report: Report,
    /// In the order in which the segments were submitted.
    pending: Vec<PendingReceipt>,
    /// Oldest first.
    early: VecDeque<Received>,
    /// Whether every segment was accepted and every final receipt has the state DELIVERED.
    succeeded: bool,
}

/// An accepted segment without its final receipt.
struct PendingReceipt {
    id: String,
    what: String,
}

/// A receipt.
struct Received {
    id: String,
    state: MessageState,
    is_final: bool,
    text: String,
}

impl Tracker {
    pub(super) fn new(report: Report) -> Self {
        Self { report, pending: Vec::new(), early: VecDeque::new(), succeeded: true }
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
            // Receipts that match no pending segment go back to the early ones.
            for receipt in std::mem::take(&mut self.early) {
                self.receipt(receipt);
            }
        }
    }

    /// Records and reports what the SMSC delivers: a receipt or a mobile-originated message.
    pub(super) fn delivered(&mut self, sm: &DeliverSm<'_>) {
        let mut buffer = Vec::new();
        let Some(receipt) = Receipt::of_with_buffer(sm, Detection::ByEsmClass, &mut buffer) else {
            return self.message(sm);
        };
        let text = String::from_utf8_lossy(sm.text()).into_owned();
        match receipt {
            Ok(receipt) => self.receipt(Received {
                id: String::from_utf8_lossy(receipt.id).into_owned(),
                state: receipt.state().unwrap_or(MessageState::UNKNOWN),
                is_final: receipt.is_final(),
                text,
            }),
            Err(error) => self.report.error(
                format_args!("a receipt that cannot be read, {error}: {text}"),
                "Look its message up at the provider.",
            ),
        }
    }

    fn receipt(&mut self, receipt: Received) {
        let Some(at) = self.pending.iter().position(|pending| pending.id == receipt.id) else {
            if self.early.len() == MAX_EARLY_RECEIPTS {
                self.early.pop_front();
            }
            return self.early.push_back(receipt);
        };
        let Received { id, state, is_final, text } = receipt;
        let what = &self.pending[at].what;
        self.report.step(
            "receipt",
            json!({ "message_id": id, "state": format!("{state:?}"), "final": is_final, "text": text }),
            format_args!("receipt     {what}: {state:?}\n            {text}"),
        );
        if is_final {
            self.pending.remove(at);
            self.succeeded &= state == MessageState::DELIVERED;
        }
    }

    fn message(&self, sm: &DeliverSm<'_>) {
        let codings = Provider::EIGHT_BY_EIGHT.codings;
        // If the user data header is malformed, all octets are shown.
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

    /// Returns whether no receipt is pending.
    pub(super) fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Explains which receipts are pending, if any.
    pub(super) fn explain_pending(&self) {
        if !self.is_complete() {
            self.report
                .explain("\nThe SMSC sends a receipt in a deliver_sm for each accepted segment when its outcome is known:");
        }
    }

    /// Stops waiting for the pending receipts and reports each as missing.
    pub(super) fn give_up(&mut self, timeout: Duration) {
        for PendingReceipt { id, what } in self.pending.drain(..) {
            self.succeeded = false;
            self.report.error(
                format_args!("no receipt for {what} ({id}) within {} s", timeout.as_secs()),
                "The message was accepted; wait longer with --timeout, or look it up at the provider.",
            );
        }
    }

    /// Reports the end of the session. Returns whether every segment was accepted, and every receipt that was asked for
    /// arrived with the state DELIVERED.
    pub(super) fn ended(&mut self, reason: CloseReason, error: Option<&io::Error>) -> Result<bool, Failure> {
        let regular = matches!(reason, CloseReason::Unbound | CloseReason::PeerUnbound);
        if regular && self.is_complete() {
            let text = format_args!("\nended       {reason}");
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
