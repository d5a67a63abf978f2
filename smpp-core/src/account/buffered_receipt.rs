//! The receipts that wait until the callers of their messages fetch them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::link::BindId;
use super::message_key::MessageKey;
use super::outcome::{MessageId, MessageNumber};
use super::receipt::{DeliveryReceipt, ReceiptDestination, ReceiptMatch, ReceiptWord};
use crate::frame::Frame;
use crate::pdu::MessageState;
use crate::sms::UsualReceipt;

/// The most receipts of one message that wait for its caller; further ones are left to the SMSC. A message has 255
/// segments at most, and each segment few states.
const MAX_RECEIPTS: usize = 1024;

/// The most octets of PDUs of these receipts. One that arrives below it may exceed it.
const MAX_RECEIPT_OCTETS: usize = 255 * 1024;

/// A receipt that waits for its caller.
pub(super) enum BufferedReceipt {
    Read(Box<(DeliveryReceipt, ReceiptMatch)>),
    Unread(UnreadReceipt),
}

/// The receipt of a message of one segment. Its fields are read out of the PDU when the caller fetches it: most callers ask for
/// the state only.
pub(super) struct UnreadReceipt {
    pub(super) frame: Frame<Vec<u8>>,
    pub(super) bind: BindId,
    pub(super) fields: ReceiptFields,
    pub(super) state: MessageState,
    pub(super) is_final: bool,
    pub(super) pending: u8,
    pub(super) message_state: Option<MessageState>,
    pub(super) previous: Option<MessageState>,
}

/// Where the fields of a receipt are in its PDU.
#[derive(Clone, Copy)]
pub(super) struct ReceiptFields {
    id: Position,
    stat: Position,
    err: Position,
}

#[derive(Clone, Copy)]
struct Position {
    start: u16,
    end: u16,
}

/// The slot of the message that a receipt goes into.
pub(super) struct ReceiptSlot {
    pub(super) index: u32,
    /// How many receipts are buffered there, and the octets of their PDUs.
    pub(super) receipts: usize,
    pub(super) octets: usize,
}

impl ReceiptSlot {
    /// Returns whether no further receipt is buffered there.
    pub(super) const fn is_full(&self) -> bool {
        self.receipts >= MAX_RECEIPTS || self.octets >= MAX_RECEIPT_OCTETS
    }
}

impl Position {
    /// Returns where a slice of a PDU is; `None` if it is not a slice of it, or too far from its beginning.
    #[inline]
    fn locate(pdu: &[u8], slice: &[u8]) -> Option<Self> {
        let start = slice.as_ptr().addr().wrapping_sub(pdu.as_ptr().addr());
        let end = start.wrapping_add(slice.len());
        let is_within = start <= pdu.len() && end <= pdu.len().min(usize::from(u16::MAX)) && start <= end;
        is_within.then_some(Self { start: start as u16, end: end as u16 })
    }

    fn of(self, pdu: &[u8]) -> &[u8] {
        pdu.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}

impl ReceiptFields {
    /// Returns where the fields are in the PDU that they were read from; `None` if one is too far from its beginning.
    #[inline]
    pub(super) fn locate(frame: &Frame<&[u8]>, receipt: &UsualReceipt<'_>) -> Option<Self> {
        let locate = |field| Position::locate(frame.octets(), field);
        Some(Self { id: locate(receipt.id)?, stat: locate(receipt.stat)?, err: locate(receipt.err)? })
    }
}

impl UnreadReceipt {
    fn read(self, message: MessageNumber, key: Option<MessageKey>) -> (DeliveryReceipt, ReceiptMatch) {
        let Self { frame, bind, fields, state, is_final, pending, message_state, previous } = self;
        let pdu = frame.octets();
        let (id, stat) = (MessageId::new(fields.id.of(pdu)), ReceiptWord::new(fields.stat.of(pdu)));
        let err = Some(ReceiptWord::new(fields.err.of(pdu)));
        let read = DeliveryReceipt::of_fields((id, stat, err), (state, is_final), frame, bind);
        let matched = ReceiptMatch {
            message,
            key,
            destination: ReceiptDestination::Sent,
            segment: 0,
            segments: 1,
            pending,
            message_state,
            previous,
        };
        (read, matched)
    }
}

impl BufferedReceipt {
    /// Returns the receipt of the message with this number and key.
    pub(super) fn read(
        self,
        message: MessageNumber,
        key: Option<&MessageKey>,
    ) -> (DeliveryReceipt, ReceiptMatch) {
        match self {
            Self::Read(read) => *read,
            Self::Unread(unread) => unread.read(message, key.cloned()),
        }
    }

    /// Returns how many octets its PDU has.
    pub(super) fn octets(&self) -> usize {
        match self {
            Self::Read(read) => read.0.frame().octets().len(),
            Self::Unread(unread) => unread.frame.octets().len(),
        }
    }

    /// Returns [`ReceiptMatch::message_state`].
    pub(super) fn message_state(&self) -> Option<MessageState> {
        match self {
            Self::Read(read) => read.1.message_state,
            Self::Unread(unread) => unread.message_state,
        }
    }

    /// Takes the octets of its PDU out of a receipt that is not needed any more.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        match self {
            Self::Read(read) => read.0.take_buffer(),
            Self::Unread(unread) => unread.frame.take_octets(),
        }
    }
}
