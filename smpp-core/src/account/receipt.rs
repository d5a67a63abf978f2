//! Delivery receipts, and the segments that they belong to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use super::link::BindId;
use super::message_key::MessageKey;
use super::outcome::{MessageId, MessageNumber};
use crate::frame::Frame;
use crate::pdu::{MessageState, Pdu};
use crate::sms;
use crate::wire::{Quirks, Tolerance};

/// A delivery receipt (DLR) with the fields that most callers need.
#[derive(Clone, PartialEq, Eq)]
#[doc(alias = "dlr")]
pub struct DeliveryReceipt {
    /// The SMSC's id of the segment, as the receipt writes it; empty if the receipt cannot be read.
    pub id: MessageId,
    /// The state of the segment, or of the whole message ([`ReceiptScope`](crate::provider::ReceiptScope));
    /// [`UNKNOWN`](MessageState::UNKNOWN) also for a state word that is not known: see [`stat`](Self::stat).
    pub state: MessageState,
    /// Whether it is the last receipt of this segment. An intermediate receipt is not.
    pub is_final: bool,
    /// The state as the receipt writes it, for example `DELIVRD`; empty if the receipt cannot be read.
    pub stat: ReceiptWord,
    /// The SMSC's own error code, as the receipt's `err` field has it. Not always a number.
    pub err: Option<ReceiptWord>,
    bind: BindId,
    frame: Frame<Vec<u8>>,
}

impl DeliveryReceipt {
    pub(super) fn new(
        receipt: &sms::Receipt<'_>,
        (state, is_final): (MessageState, bool),
        frame: Frame<Vec<u8>>,
        bind: BindId,
    ) -> Self {
        let fields =
            (MessageId::new(receipt.id), ReceiptWord::new(receipt.stat), receipt.err.map(ReceiptWord::new));
        Self::of_fields(fields, (state, is_final), frame, bind)
    }

    pub(super) fn of_fields(
        (id, stat, err): (MessageId, ReceiptWord, Option<ReceiptWord>),
        (state, is_final): (MessageState, bool),
        frame: Frame<Vec<u8>>,
        bind: BindId,
    ) -> Self {
        Self { id, state, is_final, stat, err, bind, frame }
    }

    /// Takes the octets of the PDU out of a receipt that is not needed any more.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.frame.take_octets()
    }

    /// Returns the bind that the receipt arrived on: not always the bind that sent the message.
    pub const fn bind(&self) -> BindId {
        self.bind
    }

    /// Returns the PDU as it arrived: a `deliver_sm`, or a `data_sm`.
    pub fn frame(&self) -> &Frame<Vec<u8>> {
        &self.frame
    }

    /// Returns the decoded PDU; [`sms::Receipt::of`](crate::sms::Receipt::of) reads the dates and the other fields of
    /// the receipt out of it.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        self.frame.pdu(Tolerance(Quirks::all())).ok().map(|(pdu, _)| pdu)
    }
}

/// The buffers of receipts that were consumed, for the PDUs of those that follow: at most 64, of at most 512 octets.
pub(super) struct SpareBuffers(Vec<Vec<u8>>);

impl SpareBuffers {
    const MAX: usize = 64;

    const MAX_OCTETS: usize = 512;

    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns an empty buffer, or a spare one with its content.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps a buffer.
    pub(super) fn put(&mut self, buffer: Vec<u8>) {
        if self.0.len() < Self::MAX && buffer.capacity() <= Self::MAX_OCTETS {
            self.0.push(buffer);
        }
    }

    /// Takes all buffers of another one, if there are none here.
    pub(super) fn refill(&mut self, from: &mut Self) {
        if self.0.is_empty() {
            core::mem::swap(self, from);
        }
    }
}

/// Omits the text: a receipt repeats the beginning of the message.
impl fmt::Debug for DeliveryReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryReceipt")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("is_final", &self.is_final)
            .field("stat", &self.stat)
            .finish_non_exhaustive()
    }
}

/// A word of a delivery receipt, as the SMSC wrote it: it is a slice of octets. Up to 22 octets need no allocation.
///
/// ```
/// # use smpp_proto::account::DeliveryReceipt;
/// fn is_absent(receipt: &DeliveryReceipt) -> bool {
///     receipt.err.as_deref() == Some(b"027")
/// }
/// ```
#[derive(Clone)]
pub struct ReceiptWord(WordOctets);

#[derive(Clone)]
enum WordOctets {
    Inline { length: u8, octets: [u8; WordOctets::MAX_INLINE] },
    Allocated(Box<[u8]>),
}

impl WordOctets {
    const MAX_INLINE: usize = 22;
}

impl ReceiptWord {
    pub(super) fn new(word: &[u8]) -> Self {
        let mut octets = [0; WordOctets::MAX_INLINE];
        Self(match octets.get_mut(..word.len()) {
            Some(inline) => {
                inline.copy_from_slice(word);
                WordOctets::Inline { length: word.len() as u8, octets }
            }
            None => WordOctets::Allocated(word.into()),
        })
    }
}

impl Deref for ReceiptWord {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            WordOctets::Inline { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            WordOctets::Allocated(octets) => octets,
        }
    }
}

impl PartialEq for ReceiptWord {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ReceiptWord {}

/// Escapes octets that are not printable ASCII.
impl fmt::Display for ReceiptWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for ReceiptWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Where an adapter passes the receipts of a message: [`Message::receipts_to`](super::Message::receipts_to).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReceiptDestination {
    /// To the `Sent` of the message while the caller holds it: acknowledged when they arrive, and kept in memory. After
    /// `Sent` is dropped, to `Arrivals`. If `Arrivals` is dropped too, they are acknowledged and discarded.
    #[default]
    Sent,
    /// To `Arrivals` only: acknowledged when the application accepts them, which it does once it has stored them. If
    /// `Arrivals` is dropped, they are refused with a temporary status, so that the SMSC keeps them.
    Arrivals,
}

/// The message and segment that a receipt belongs to, and the message's progress.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiptMatch {
    /// The message.
    pub message: MessageNumber,
    /// The caller's own key of the message.
    pub key: Option<MessageKey>,
    /// Where an adapter passes the receipts of the message.
    pub destination: ReceiptDestination,
    /// The segment whose id the receipt has, from 0. Of a submit_multi with several recipients, the recipient: its index among
    /// those that the SMSC has accepted.
    pub segment: u8,
    /// How many segments the message has; of a submit_multi, how many recipients the SMSC has accepted.
    pub segments: u8,
    /// How many accepted segments still lack their final receipt. If there is one receipt for the whole message
    /// ([`ReceiptScope::Message`](crate::provider::ReceiptScope::Message)), all of them do until it arrives.
    pub pending: u8,
    /// The state of the whole message, once each segment has its final receipt:
    /// [`DELIVERED`](MessageState::DELIVERED) if all segments were, otherwise the state of the first that was not. If
    /// there is one receipt for the whole message, its state.
    /// Always `None` for a message that the SMSC did not accept as a whole: its
    /// [`MessageOutcome`](super::MessageOutcome) says so.
    pub message_state: Option<MessageState>,
    /// The earlier final state, if this receipt changes it: for example [`UNDELIVERABLE`](MessageState::UNDELIVERABLE)
    /// in a receipt that reports [`DELIVERED`](MessageState::DELIVERED) afterwards. `None` in the first final receipt.
    pub previous: Option<MessageState>,
}

/// Identifies a receipt that the account has emitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReportedReceipt {
    pub(super) message: MessageNumber,
    pub(super) state: MessageState,
    pub(super) is_final: bool,
    /// The final state before it.
    pub(super) previous: Option<MessageState>,
    /// The node of the tracker that recorded it. It is another message's if that is not tracked any more.
    pub(super) node: u32,
}

impl ReportedReceipt {
    pub(super) const fn new(matched: &ReceiptMatch, node: u32, receipt: &DeliveryReceipt) -> Self {
        let ReceiptMatch { message, previous, .. } = *matched;
        Self { message, state: receipt.state, is_final: receipt.is_final, previous, node }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::ReceiptWord;

    #[test]
    fn a_word_of_any_length_is_kept_as_it_is() {
        for length in [0, 1, 7, 22, 23, 300] {
            let octets = vec![b'x'; length];
            let word = ReceiptWord::new(&octets);
            assert_eq!((&word[..], word.clone() == word), (&octets[..], true));
            assert_ne!(word, ReceiptWord::new(&[b'x'; 301]));
        }
        let word = ReceiptWord::new(b"D\xFF");
        assert_eq!((format!("{word}"), format!("{word:?}")), (r"D\xff".into(), r#""D\xff""#.into()));
        assert_eq!(size_of::<Option<ReceiptWord>>(), 24);
    }
}
