//! Which receipt is about which part of which message.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::incoming::Ack;
use super::message::{MessageId, MessageNumber};
use super::options::Receipts;
use crate::frame::Frame;
use crate::pdu::{MessageState, Pdu};
use crate::sms::{self, MessageIdKey};
use crate::time::Instant;
use crate::wire::{Quirks, Tolerance};

/// How long a message is remembered all of whose receipts have come, to tell one that comes again.
const REPEATS: Duration = Duration::from_secs(120);

/// A delivery receipt, with what it says of the message that it is about.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryReceipt {
    /// The SMSC's id of the part it is about, as the receipt writes it; empty if the receipt cannot be read.
    pub id: MessageId,
    /// What became of it; [`UNKNOWN`](MessageState::UNKNOWN) also for a word that is not known.
    pub state: MessageState,
    /// Whether no other receipt will follow for this part.
    pub is_final: bool,
    /// Why, in the SMSC's own codes, as the receipt's `err` has it. Not always a number.
    pub err: Option<Box<[u8]>>,
    frame: Frame<Vec<u8>>,
}

/// Which message a receipt is about, and how far that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The message.
    pub message: MessageNumber,
    /// Which part of it, from 0.
    pub part: u8,
    /// How many parts it has.
    pub parts: u8,
    /// Parts that wait for their last receipt.
    pub open: u8,
    /// What became of the message, once the last receipt of each part has come:
    /// [`DELIVERED`](MessageState::DELIVERED) if that became of all, otherwise what became of the first that was not.
    pub whole: Option<MessageState>,
}

/// What to do with a receipt.
pub(super) enum Matched {
    /// It is about this.
    About(About),
    /// It has been told before.
    Repeated,
    /// It is about nothing that is known.
    Unknown,
}

/// What is waited for: at most [`Receipts::entries`] parts, each at most [`Receipts::age`].
pub(super) struct Ledger {
    settings: Receipts,
    ids: BTreeMap<MessageIdKey, (MessageNumber, u8)>,
    messages: BTreeMap<MessageNumber, Expected>,
    /// In the order they were first accepted; some are no longer there.
    order: VecDeque<(Instant, MessageNumber)>,
    /// Those all of whose receipts have come, in that order.
    done: VecDeque<(Instant, MessageNumber)>,
    /// About nothing known so far, the oldest first.
    early: VecDeque<Early>,
}

struct Expected {
    /// How many parts the message has.
    total: u8,
    /// Those that were accepted.
    parts: Vec<Awaited>,
    open: u8,
    /// Whether no other part will be accepted.
    is_complete: bool,
    /// Whether a last receipt comes whatever becomes of the message.
    is_sure: bool,
}

struct Awaited {
    part: u8,
    id: MessageId,
    key: MessageIdKey,
    /// The last state, and whether it is final.
    state: Option<(MessageState, bool)>,
}

/// A receipt that came before the `submit_sm_resp`, perhaps.
pub(super) struct Early {
    at: Instant,
    key: MessageIdKey,
    pub(super) receipt: DeliveryReceipt,
    pub(super) ack: Ack,
}

impl DeliveryReceipt {
    pub(super) fn new(receipt: Option<sms::Receipt<'_>>, frame: Frame<Vec<u8>>) -> Self {
        let receipt = receipt.unwrap_or_default();
        Self {
            id: MessageId::new(receipt.id),
            state: receipt.state().unwrap_or(MessageState::UNKNOWN),
            is_final: receipt.is_final(),
            err: receipt.err.map(Into::into),
            frame,
        }
    }

    /// The PDU as it came: a `deliver_sm`, or a `data_sm`.
    pub fn frame(&self) -> &Frame<Vec<u8>> {
        &self.frame
    }

    /// Its fields: `sms::Receipt::of` reads the dates and the rest out of them.
    pub fn pdu(&self) -> Option<Pdu<'_>> {
        self.frame.pdu(Tolerance(Quirks::all())).ok().map(|(pdu, _)| pdu)
    }
}

/// Without the text: a receipt repeats how the message began.
impl fmt::Debug for DeliveryReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryReceipt")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("is_final", &self.is_final)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    pub(super) const fn new(settings: Receipts) -> Self {
        Self {
            settings,
            ids: BTreeMap::new(),
            messages: BTreeMap::new(),
            order: VecDeque::new(),
            done: VecDeque::new(),
            early: VecDeque::new(),
        }
    }

    /// A part was accepted under this id, and receipts of it are wanted; one is sure to come, or not. An id that the SMSC gives twice belongs to the
    /// later part.
    pub(super) fn expect(
        &mut self,
        now: Instant,
        (message, part): (MessageNumber, u8),
        total: u8,
        id: &MessageId,
        is_sure: bool,
    ) {
        if id.as_bytes().is_empty() {
            // It names nothing.
            return;
        }
        let key = self.settings.dialect.message_ids.submitted_key(id.as_bytes());
        let order = &mut self.order;
        let expected = self.messages.entry(message).or_insert_with(|| {
            order.push_back((now, message));
            Expected { total, parts: Vec::new(), open: 0, is_complete: false, is_sure }
        });
        expected.open += 1;
        expected.parts.push(Awaited { part, id: id.clone(), key, state: None });
        expected.is_complete |= expected.parts.len() == usize::from(total);
        self.ids.insert(key, (message, part));
    }

    /// No other part of the message will be accepted.
    pub(super) fn complete(&mut self, now: Instant, message: MessageNumber) {
        if let Some(expected) = self.messages.get_mut(&message)
            && !core::mem::replace(&mut expected.is_complete, true)
            && expected.open == 0
        {
            self.done.push_back((now, message));
        }
    }

    /// Sees what a receipt is about.
    pub(super) fn matched(&mut self, now: Instant, receipt: &DeliveryReceipt, key: MessageIdKey) -> Matched {
        let Some((message, part)) = self.ids.get(&key).copied() else { return Matched::Unknown };
        let Some(expected) = self.messages.get_mut(&message) else { return Matched::Unknown };
        let Some(awaited) = expected.parts.iter_mut().find(|awaited| awaited.part == part) else {
            return Matched::Unknown;
        };
        let news = (receipt.state, receipt.is_final);
        match awaited.state {
            Some(known) if known == news => return Matched::Repeated,
            // Delivered is delivered: what comes late changes nothing.
            Some((_, true)) => return Matched::Repeated,
            _ => awaited.state = Some(news),
        }
        expected.open -= u8::from(receipt.is_final);
        let (open, parts) = (expected.open, expected.total);
        let whole = expected.whole();
        if whole.is_some() {
            self.done.push_back((now, message));
        }
        Matched::About(About { message, part, parts, open, whole })
    }

    /// Keeps a receipt about nothing known in case it has come early. Gives back the oldest where there are too many.
    pub(super) fn keep(
        &mut self,
        now: Instant,
        key: MessageIdKey,
        receipt: DeliveryReceipt,
        ack: Ack,
    ) -> Option<Early> {
        self.early.push_back(Early { at: now, key, receipt, ack });
        if self.early.len() > self.settings.early { self.early.pop_front() } else { None }
    }

    /// Early receipts about this id, in the order they came.
    pub(super) fn early(&mut self, id: &MessageId) -> Vec<(MessageIdKey, Early)> {
        if self.early.is_empty() {
            return Vec::new();
        }
        let key = self.settings.dialect.message_ids.submitted_key(id.as_bytes());
        let (found, others) =
            core::mem::take(&mut self.early).into_iter().partition(|early| early.key == key);
        self.early = others;
        let found: VecDeque<Early> = found;
        found.into_iter().map(|early| (key, early)).collect()
    }

    /// The oldest of the early receipts.
    pub(super) fn pop_early(&mut self) -> Option<Early> {
        self.early.pop_front()
    }

    /// When the oldest of the early receipts came.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.early.front().map(|early| early.at)
    }

    /// A message whose receipts have not come in time, or for which there is no room: the ids of the parts that wait.
    /// Call again until it gives none.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(MessageNumber, Vec<MessageId>)> {
        while let Some(&(at, message)) = self.done.front()
            && (now - at >= REPEATS || self.ids.len() > self.settings.entries)
        {
            self.done.pop_front();
            self.remove(message);
        }
        while let Some(&(at, message)) = self.order.front() {
            let gone = !self.messages.contains_key(&message);
            if !gone && now - at < self.settings.age && self.ids.len() <= self.settings.entries {
                return None;
            }
            self.order.pop_front();
            let missing = self.remove(message).map(Expected::missing).unwrap_or_default();
            if !missing.is_empty() {
                return Some((message, missing));
            }
        }
        None
    }

    /// When the next message is too old.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.order.front().map(|(at, _)| *at + self.settings.age);
        let done = self.done.front().map(|(at, _)| *at + REPEATS);
        oldest.into_iter().chain(done).min()
    }

    fn remove(&mut self, message: MessageNumber) -> Option<Expected> {
        let expected = self.messages.remove(&message)?;
        for awaited in &expected.parts {
            if self.ids.get(&awaited.key).is_some_and(|(owner, _)| *owner == message) {
                self.ids.remove(&awaited.key);
            }
        }
        Some(expected)
    }

    /// Messages that wait for receipts, and the ids of their parts that do.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (MessageNumber, Vec<MessageId>)> {
        self.ids.clear();
        self.order.clear();
        self.done.clear();
        let all = core::mem::take(&mut self.messages).into_iter();
        all.map(|(message, expected)| (message, expected.missing())).filter(|(_, ids)| !ids.is_empty())
    }

    /// Parts whose receipts are waited for, or were told not long ago.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

impl Expected {
    /// What became of the message, once every part has its last receipt.
    fn whole(&self) -> Option<MessageState> {
        let all = self.open == 0 && self.is_complete;
        let bad =
            |awaited: &&Awaited| awaited.state.is_some_and(|(state, _)| state != MessageState::DELIVERED);
        let first_bad = self.parts.iter().filter(bad).min_by_key(|awaited| awaited.part);
        let state =
            first_bad.and_then(|awaited| awaited.state).map_or(MessageState::DELIVERED, |(state, _)| state);
        all.then_some(state)
    }

    fn missing(self) -> Vec<MessageId> {
        let is_open = |awaited: &Awaited| self.is_sure && !matches!(awaited.state, Some((_, true)));
        self.parts.into_iter().filter(is_open).map(|awaited| awaited.id).collect()
    }
}
