//! How a provider requests and writes delivery receipts (DLRs).

use alloc::vec::Vec;

use crate::sms::time::UtcOffset;
use crate::sms::{
    Detection, IdFallback, MessageIdPolicy, Receipt, ReceiptCarrier, ReceiptError, ReceiptParser,
};
use crate::values::{EsmClass, MessageState, RegisteredDelivery};

/// What a provider publishes about its delivery receipts (DLRs): how to request them, how to recognise them, and what
/// they mean.
///
/// Start from [`UNSTATED`](Self::UNSTATED), the receipts of the specification, and change what differs:
///
/// ```
/// use smpp_proto::provider::{ReceiptDialect, ReceiptScope, StateWord};
/// use smpp_proto::sms::{Detection, MessageIdPolicy, Receipt};
/// use smpp_proto::{DeliverSm, EsmClass, MessageState, ShortMessage};
///
/// const DIALECT: ReceiptDialect = ReceiptDialect::UNSTATED
///     // One receipt for a message of several segments.
///     .scope(ReceiptScope::Message)
///     // Receipts also with esm_class 0x08, and a word that only this provider uses.
///     .esm_classes(&[EsmClass::DELIVERY_ACKNOWLEDGEMENT])
///     .state_words(&[StateWord::new("NACK", MessageState::REJECTED)])
///     // Hexadecimal ids in responses, decimal ids in receipts.
///     .message_ids(MessageIdPolicy::HEXADECIMAL_TO_DECIMAL);
/// let message = DeliverSm {
///     esm_class: EsmClass::DELIVERY_ACKNOWLEDGEMENT,
///     short_message: ShortMessage::new(b"id:2130747826 stat:NACK err:000")?,
///     ..DeliverSm::default()
/// };
/// let mut buffer = Vec::new();
/// let receipt = DIALECT.read(&message, &mut buffer).ok_or("not a receipt")??;
/// assert_eq!(DIALECT.state(&receipt), Some(MessageState::REJECTED));
/// assert!(DIALECT.is_final(&receipt) && DIALECT.message_ids.is_about(&receipt, b"7F00A1B2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiptDialect {
    /// The `registered_delivery` that requests a receipt. `None` if not published: use
    /// [`RECEIPT`](RegisteredDelivery::RECEIPT), as the specification says.
    pub registered_delivery: Option<RegisteredDelivery>,
    /// Whether an account requests receipts only in the last segment of a message, because the provider then sends one
    /// for the whole message. The [scope](Self::receipt_scope) is [`ReceiptScope::Message`] then. Default false.
    pub request_on_last_segment: bool,
    /// Whether there is a receipt for each segment of a message, or one for the whole message. The default is
    /// [`ReceiptScope::Segment`].
    pub scope: ReceiptScope,
    /// The message states that receipts can have. Empty if not published.
    pub states: &'static [MessageState],
    /// The states after which no further receipt follows. The default is [`Receipt::FINAL_STATES`]. A provider that
    /// reports `UNKNOWN` and then nothing more needs [`UNKNOWN`](MessageState::UNKNOWN) here as well.
    pub final_states: &'static [MessageState],
    /// The words of the provider's own in `stat`, or words that it uses in another sense. They take precedence over
    /// those that [`Receipt::state`] knows. Empty by default.
    pub state_words: &'static [StateWord],
    /// The binds of the account on which receipts arrive. `None` if not published.
    pub route: Option<ReceiptRoute>,
    /// How to detect that a deliver_sm or data_sm is a receipt. The default is [`Detection::ByEsmClass`].
    pub detection: Detection,
    /// Further message types in `esm_class` that mark receipts, for example
    /// [`DELIVERY_ACKNOWLEDGEMENT`](EsmClass::DELIVERY_ACKNOWLEDGEMENT) (0x08) or 0x24. Only bits 5 to 2 count. A message
    /// of such a type that is not readable as a receipt is not a receipt. Empty by default: only 0x04 and 0x20 do.
    pub esm_classes: &'static [EsmClass],
    /// Reads receipts that the built-in parser does not read; it is called first. `None` by default.
    pub parser: Option<ReceiptParser>,
    /// How to compare the message id in a receipt with the message id in the submit_sm_resp. The default is
    /// [`MessageIdPolicy::EXACT`]: they must be equal.
    pub message_ids: MessageIdPolicy,
    /// Which other ids of a receipt an account tries if its id matches no message. The default is [`IdFallback::None`].
    pub id_fallback: IdFallback,
    /// The time zone of the dates in receipts, as offset from UTC: see
    /// [`ReportedTime::to_unix`](crate::sms::time::ReportedTime::to_unix). `None` if not published.
    pub offset: Option<UtcOffset>,
}

/// What a delivery receipt of a message of several segments is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptScope {
    /// One segment: there is a receipt for each. If the SMSC gives several segments of a message the same id, each
    /// receipt with this id counts for the next of these segments. A redelivered receipt cannot be told from that of
    /// the next segment then.
    #[default]
    Segment,
    /// The whole message: there is one receipt. It has the id of any segment: the first, the last, or one that all
    /// segments share.
    Message,
}

/// A word in the `stat` of a provider's receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StateWord {
    /// The word. Case is ignored.
    pub word: &'static str,
    /// The state that it means.
    pub state: MessageState,
    /// Whether no further receipt follows.
    pub is_final: bool,
}

impl StateWord {
    /// Creates a word that means `state`. It is final if `state` is one of [`Receipt::FINAL_STATES`].
    ///
    /// The words of a dialect live as long as the program. In a function, outside a constant, write
    /// `const { &[StateWord::new("NACK", MessageState::REJECTED)] }`.
    pub const fn new(word: &'static str, state: MessageState) -> Self {
        Self { word, state, is_final: is_usually_final(state) }
    }

    crate::setters! {
        const is_final: bool,
    }
}

/// The binds on which the delivery receipt of a message can arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptRoute {
    /// The bind that submitted the message.
    SubmittingBind,
    /// Any receiver or transceiver bind with the same system_id, also one of another process or host.
    AnyBind,
}

/// Returns whether `state` is one of [`Receipt::FINAL_STATES`].
const fn is_usually_final(state: MessageState) -> bool {
    let mut rest: &[MessageState] = &Receipt::FINAL_STATES;
    while let [first, after @ ..] = rest {
        if first.0 == state.0 {
            return true;
        }
        rest = after;
    }
    false
}

impl ReceiptDialect {
    /// A provider that publishes nothing about its receipts: they have the format of the specification.
    pub const UNSTATED: Self = Self {
        registered_delivery: None,
        request_on_last_segment: false,
        scope: ReceiptScope::Segment,
        states: &[],
        final_states: &Receipt::FINAL_STATES,
        state_words: &[],
        route: None,
        detection: Detection::ByEsmClass,
        esm_classes: &[],
        parser: None,
        message_ids: MessageIdPolicy::EXACT,
        id_fallback: IdFallback::None,
        offset: None,
    };

    /// Returns what a receipt is about: [`scope`](Self::scope), or the whole message if only its last segment requests a
    /// receipt.
    pub const fn receipt_scope(&self) -> ReceiptScope {
        if self.request_on_last_segment { ReceiptScope::Message } else { self.scope }
    }

    /// Reads the delivery receipt in a `deliver_sm` or `data_sm`. Returns `None` if the message is not a receipt.
    ///
    /// It is [`Receipt::of_with_buffer`] with the settings of this dialect: [`parser`](Self::parser),
    /// [`detection`](Self::detection) and [`esm_classes`](Self::esm_classes).
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] if `esm_class` marks the message as a receipt (0x04), but it is not readable.
    pub fn read<'a>(
        &self,
        message: impl Into<ReceiptCarrier<'a>>,
        buffer: &'a mut Vec<u8>,
    ) -> Option<Result<Receipt<'a>, ReceiptError>> {
        let carrier = message.into();
        if let Some(ReceiptParser(parse)) = self.parser
            && let Some(receipt) = parse(&carrier)
        {
            return Some(Ok(receipt));
        }
        carrier.receipt(self.detection, self.esm_classes, Some(buffer))
    }

    /// Returns the state that the receipt's `stat` means; `None` for an unknown word.
    pub fn state(&self, receipt: &Receipt<'_>) -> Option<MessageState> {
        self.state_word(receipt).map(|word| word.state).or_else(|| receipt.state())
    }

    /// Returns whether no further receipt follows for the message or segment. An unknown word is not final.
    pub fn is_final(&self, receipt: &Receipt<'_>) -> bool {
        match self.state_word(receipt) {
            Some(word) => word.is_final,
            None => receipt.state().is_some_and(|state| self.final_states.contains(&state)),
        }
    }

    /// Returns the state, [`UNKNOWN`](MessageState::UNKNOWN) for an unknown word, and whether no further receipt follows.
    #[inline(always)]
    pub(crate) fn reported_state(&self, receipt: &Receipt<'_>) -> (MessageState, bool) {
        if let Some(word) = self.state_word(receipt) {
            return (word.state, word.is_final);
        }
        let state = receipt.state();
        let is_final = state.is_some_and(|state| self.final_states.contains(&state));
        (state.unwrap_or(MessageState::UNKNOWN), is_final)
    }

    #[inline(always)]
    fn state_word(&self, receipt: &Receipt<'_>) -> Option<&StateWord> {
        self.state_words.iter().find(|word| word.word.as_bytes().eq_ignore_ascii_case(receipt.stat))
    }

    crate::setters! {
        const registered_delivery: Some(RegisteredDelivery),
        const request_on_last_segment: bool,
        const scope: ReceiptScope,
        const states: &'static [MessageState],
        const final_states: &'static [MessageState],
        const state_words: &'static [StateWord],
        const route: Some(ReceiptRoute),
        const detection: Detection,
        const esm_classes: &'static [EsmClass],
        const parser: Some(ReceiptParser),
        const message_ids: MessageIdPolicy,
        const id_fallback: IdFallback,
        const offset: Some(UtcOffset),
    }
}

#[cfg(test)]
mod tests;
