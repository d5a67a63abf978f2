//! A conclusion about a provider, and the kinds of them.

use std::fmt::Display;

use smpp_proto::CommandStatus;

/// A conclusion with its evidence, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding<T> {
    pub(super) value: Option<T>,
    pub(super) evidence: String,
}

impl<T> Finding<T> {
    pub(super) fn found(value: T, evidence: impl Display) -> Self {
        Self { value: Some(value), evidence: evidence.to_string() }
    }

    pub(super) fn unknown(why: impl Display) -> Self {
        Self { value: None, evidence: why.to_string() }
    }
}

/// What happens to a submit_sm with a TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlvUse {
    /// It is accepted, and `user_message_reference` is in the receipt.
    GivenBack,
    /// It is accepted, and the TLV is in no receipt.
    Accepted,
    Refused(CommandStatus),
}

/// Which segments of a message get receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentReceipts {
    Each,
    First,
    Last,
    /// All segments have one id, each with a receipt.
    SharedId,
    /// All segments have one id and one receipt.
    SharedIdOnce,
}

/// Where the contents of receipts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReceiptContent {
    /// The id is in the text.
    pub(super) text: bool,
    /// The id is in `receipted_message_id`.
    pub(super) id_tlv: bool,
    /// The state is in `message_state`.
    pub(super) state_tlv: bool,
}
