//! What a message or receipt says: the fields for programs, and a line for people.

use serde_json::{Value, json};
use smpp_proto::MessageState;
use smpp_proto::sms::{Detection, Receipt, SegmentInfo};

use crate::delivered::Delivered;

/// What a message or receipt says.
pub(super) struct Content {
    /// The text: `None` if the `data_coding` means no text, or the octets are not in its alphabet.
    text: Option<String>,
    segment: Option<SegmentInfo>,
    receipt: Option<Result<ReceiptFields, String>>,
}

/// The fields of a delivery receipt.
struct ReceiptFields {
    message_id: String,
    /// `None` for a word that is unknown.
    state: Option<MessageState>,
    is_final: bool,
    stat: String,
    err: Option<String>,
    submit_date: Option<String>,
    done_date: Option<String>,
}

impl Content {
    pub(super) fn of(message: &Delivered<'_>) -> Self {
        let mut buffer = Vec::new();
        let receipt = message.receipt(Detection::ByEsmClass, &mut buffer);
        let receipt = receipt.map(|receipt| {
            receipt.map_or_else(|error| Err(error.to_string()), |receipt| Ok((&receipt).into()))
        });
        Self { text: message.text(), segment: message.segment(), receipt }
    }

    /// Adds the fields to an object.
    pub(super) fn add_to(&self, object: &mut Value) {
        object["decoded"] = self.text.as_deref().into();
        if let Some(SegmentInfo { number, total, .. }) = self.segment {
            (object["segment"], object["segments"]) = (number.into(), total.into());
        }
        match &self.receipt {
            Some(Ok(receipt)) => {
                object["message_id"] = (&*receipt.message_id).into();
                object["state"] = receipt.state_name().into();
                object["final"] = receipt.is_final.into();
                object["stat"] = (&*receipt.stat).into();
                object["err"] = receipt.err.as_deref().into();
                object["submit_date"] = receipt.submit_date.as_deref().into();
                object["done_date"] = receipt.done_date.as_deref().into();
            }
            Some(Err(error)) => object["receipt_error"] = json!(error),
            None => {}
        }
    }

    /// Returns the line for people.
    pub(super) fn line(&self, message: &Delivered<'_>) -> String {
        let text = self.text.as_deref().unwrap_or("(no text that can be decoded)");
        let (from, to) = (message.from.escape_ascii(), message.to.escape_ascii());
        match &self.receipt {
            Some(Ok(receipt)) => {
                let err = receipt.err.as_ref().map(|err| format!(", err {err}")).unwrap_or_default();
                let date =
                    receipt.done_date.as_ref().map(|date| format!(", done {date}")).unwrap_or_default();
                let state = receipt.state_name().unwrap_or_else(|| receipt.stat.clone());
                format!("receipt     {}: {state}{err}{date}", receipt.message_id)
            }
            Some(Err(error)) => format!("receipt     from {from} to {to}, unreadable, {error}: {text}"),
            None => {
                let segment =
                    self.segment.map(|segment| format!(", segment {}/{}", segment.number, segment.total));
                format!("message     from {from} to {to}{}: {text}", segment.unwrap_or_default())
            }
        }
    }
}

impl ReceiptFields {
    fn state_name(&self) -> Option<String> {
        self.state.map(|state| format!("{state:?}"))
    }
}

impl From<&Receipt<'_>> for ReceiptFields {
    fn from(receipt: &Receipt<'_>) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            message_id: text(receipt.id),
            state: receipt.state(),
            is_final: receipt.is_final(),
            stat: text(receipt.stat),
            err: receipt.err.map(text),
            submit_date: receipt.submit_date.map(text),
            done_date: receipt.done_date.map(text),
        }
    }
}
