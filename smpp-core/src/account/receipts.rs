//! Which receipt is about which part of which message.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::incoming::Ack;
use super::message::{MessageId, MessageNumber};
use super::options::ReceiptOptions;
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
pub struct ReceiptMatch {
    /// The message.
    pub message: MessageNumber,
    /// Which part of it, from 0.
    pub segment: u8,
    /// How many parts it has.
    pub segments: u8,
    /// Parts that wait for their last receipt.
    pub pending: u8,
    /// What became of the message, once the last receipt of each part has come:
    /// [`DELIVERED`](MessageState::DELIVERED) if that became of all, otherwise what became of the first that was not.
    /// `None` for a message not all of which was accepted: its [`MessageOutcome`](super::MessageOutcome) says so.
    pub message_state: Option<MessageState>,
}

/// What to do with a receipt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matched {
    /// It is about this.
    About(ReceiptMatch),
    /// It has been told before, and taken.
    Repeated,
    /// It has been told before, and the application may still refuse it.
    Untaken,
    /// It is about nothing that is known.
    Unknown,
}

/// What is waited for: at most [`ReceiptOptions::capacity`] parts, each at most [`ReceiptOptions::max_age`].
pub(super) struct Ledger {
    settings: ReceiptOptions,
    ids: BTreeMap<MessageIdKey, (MessageNumber, u8)>,
    messages: BTreeMap<MessageNumber, Expected>,
    /// All parts of these: more than there are ids, if the SMSC gives one twice.
    parts: usize,
    /// Those that wait for receipts, in the order they were first accepted.
    waiting: BTreeSet<(Instant, MessageNumber)>,
    /// Those all of whose receipts have come, in that order.
    done: BTreeSet<(Instant, MessageNumber)>,
    /// About nothing known so far, by number, the oldest first.
    early: BTreeMap<u64, Early>,
    /// The numbers of those about an id.
    early_ids: BTreeSet<(MessageIdKey, u64)>,
    last_early: u64,
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
    /// When the first was accepted.
    since: Instant,
    /// When the last receipt of all that was accepted came.
    done: Option<Instant>,
}

struct Awaited {
    part: u8,
    id: MessageId,
    key: MessageIdKey,
    /// The state in its last receipt.
    last: Option<MessageState>,
    /// The states that were told, and those of them that the application has not taken so far: a bit for each.
    told: u16,
    untaken: u16,
}

/// A receipt that came before the `submit_sm_resp`, perhaps.
pub(super) struct Early {
    /// What had been sent by then: [`Queue::last_sent`](super::queue::Queue::last_sent).
    last_sent: u64,
    pub(super) key: MessageIdKey,
    pub(super) receipt: DeliveryReceipt,
    pub(super) ack: Ack,
}

/// Which receipt an application has been given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    message: MessageNumber,
    part: u8,
    state: MessageState,
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

impl Told {
    pub(super) const fn new(about: &ReceiptMatch, receipt: &DeliveryReceipt) -> Self {
        Self { message: about.message, part: about.segment, state: receipt.state }
    }
}

/// The bit of a state; those that no version of SMPP has share one.
fn bit(state: MessageState) -> u16 {
    1 << state.0.min(15)
}

impl Ledger {
    pub(super) const fn new(settings: ReceiptOptions) -> Self {
        Self {
            settings,
            ids: BTreeMap::new(),
            messages: BTreeMap::new(),
            parts: 0,
            waiting: BTreeSet::new(),
            done: BTreeSet::new(),
            early: BTreeMap::new(),
            early_ids: BTreeSet::new(),
            last_early: 0,
        }
    }

    /// A part was accepted under this id, and receipts of it are wanted; one is sure to come, or not. An id that the
    /// SMSC gives twice belongs to the later part.
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
        let waiting = &mut self.waiting;
        let expected = self.messages.entry(message).or_insert_with(|| {
            waiting.insert((now, message));
            Expected {
                total,
                parts: Vec::new(),
                open: 0,
                is_complete: false,
                is_sure,
                since: now,
                done: None,
            }
        });
        expected.open += 1;
        expected.parts.push(Awaited { part, id: id.clone(), key, last: None, told: 0, untaken: 0 });
        self.parts += 1;
        self.ids.insert(key, (message, part));
    }

    /// No other part of the message will be accepted.
    pub(super) fn complete(&mut self, now: Instant, message: MessageNumber) {
        if let Some(expected) = self.messages.get_mut(&message) {
            expected.is_complete = true;
            self.sort(now, message);
        }
    }

    /// Sees what a receipt is about.
    pub(super) fn matched(&mut self, now: Instant, receipt: &DeliveryReceipt, key: MessageIdKey) -> Matched {
        let Some((message, part)) = self.ids.get(&key).copied() else { return Matched::Unknown };
        let Some(awaited) = self.awaited(message, part) else { return Matched::Unknown };
        // Delivered is delivered: what comes late changes nothing.
        let known = bit(awaited.last.unwrap_or(receipt.state));
        if awaited.untaken & known != 0 {
            return Matched::Untaken;
        }
        if awaited.told & known != 0 {
            return Matched::Repeated;
        }
        awaited.told |= known;
        awaited.untaken |= known;
        awaited.last = receipt.is_final.then_some(receipt.state);
        let Some(expected) = self.messages.get_mut(&message) else { return Matched::Unknown };
        expected.open -= u8::from(receipt.is_final);
        let (open, parts, whole) = (expected.open, expected.total, expected.whole());
        self.sort(now, message);
        Matched::About(ReceiptMatch {
            message,
            segment: part,
            segments: parts,
            pending: open,
            message_state: whole,
        })
    }

    /// The application has taken a receipt, or has not: then it will come again.
    pub(super) fn taken(&mut self, now: Instant, told: Told, is_taken: bool) {
        let Told { message, part, state } = told;
        let Some(awaited) = self.awaited(message, part) else { return };
        awaited.untaken &= !bit(state);
        if is_taken {
            return;
        }
        awaited.told &= !bit(state);
        if awaited.last == Some(state) {
            awaited.last = None;
            if let Some(expected) = self.messages.get_mut(&message) {
                expected.open += 1;
            }
            self.sort(now, message);
        }
    }

    fn awaited(&mut self, message: MessageNumber, part: u8) -> Option<&mut Awaited> {
        self.messages.get_mut(&message)?.parts.iter_mut().find(|awaited| awaited.part == part)
    }

    /// Puts the message with those that wait, or with those that are done.
    fn sort(&mut self, now: Instant, message: MessageNumber) {
        let Some(expected) = self.messages.get_mut(&message) else { return };
        let waits = (expected.since, message);
        match expected.done {
            None if expected.open == 0 && expected.is_complete => {
                expected.done = Some(now);
                self.waiting.remove(&waits);
                self.done.insert((now, message));
            }
            Some(at) if expected.open > 0 => {
                expected.done = None;
                self.done.remove(&(at, message));
                self.waiting.insert(waits);
            }
            _ => {}
        }
    }

    /// Keeps a receipt about nothing known in case it has come early. Gives back the oldest where there are too many.
    pub(super) fn keep(
        &mut self,
        last_sent: u64,
        key: MessageIdKey,
        receipt: DeliveryReceipt,
        ack: Ack,
    ) -> Option<Early> {
        self.last_early += 1;
        self.early.insert(self.last_early, Early { last_sent, key, receipt, ack });
        self.early_ids.insert((key, self.last_early));
        if self.early.len() > self.settings.early_capacity { self.pop_early() } else { None }
    }

    /// Early receipts about this id, in the order they came.
    pub(super) fn early(&mut self, id: &MessageId) -> Vec<Early> {
        if self.early.is_empty() {
            return Vec::new();
        }
        let key = self.settings.dialect.message_ids.submitted_key(id.as_bytes());
        let found: Vec<_> = self.early_ids.range((key, 0)..=(key, u64::MAX)).copied().collect();
        let take = |found: (MessageIdKey, u64)| {
            self.early_ids.remove(&found);
            self.early.remove(&found.1)
        };
        found.into_iter().filter_map(take).collect()
    }

    /// The oldest of the early receipts.
    pub(super) fn pop_early(&mut self) -> Option<Early> {
        let (number, early) = self.early.pop_first()?;
        self.early_ids.remove(&(early.key, number));
        Some(early)
    }

    /// What had been sent when the oldest of the early receipts came.
    pub(super) fn earliest(&self) -> Option<u64> {
        self.early.first_key_value().map(|(_, early)| early.last_sent)
    }

    /// A message whose receipts have not come in time, or for which there is no room: the ids of the parts that wait for
    /// one that is sure to come. Call again until it gives none.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(MessageNumber, Vec<MessageId>)> {
        while let Some(&(at, message)) = self.done.first()
            && (now - at >= REPEATS || self.parts > self.settings.capacity)
        {
            self.remove(message);
        }
        let (at, message) = self.waiting.first().copied()?;
        if now - at < self.settings.max_age && self.parts <= self.settings.capacity {
            return None;
        }
        Some((message, self.remove(message).map(Expected::missing).unwrap_or_default()))
    }

    /// When the next message is too old.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let oldest = self.waiting.first().map(|(at, _)| *at + self.settings.max_age);
        let done = self.done.first().map(|(at, _)| *at + REPEATS);
        oldest.into_iter().chain(done).min()
    }

    fn remove(&mut self, message: MessageNumber) -> Option<Expected> {
        let expected = self.messages.remove(&message)?;
        self.waiting.remove(&(expected.since, message));
        if let Some(at) = expected.done {
            self.done.remove(&(at, message));
        }
        self.parts -= expected.parts.len();
        for awaited in &expected.parts {
            if self.ids.get(&awaited.key).is_some_and(|(owner, _)| *owner == message) {
                self.ids.remove(&awaited.key);
            }
        }
        Some(expected)
    }

    /// Messages that wait for receipts, and the ids of their parts that do.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (MessageNumber, Vec<MessageId>)> {
        let settings = self.settings;
        let all = core::mem::replace(self, Self::new(settings)).messages.into_iter();
        all.map(|(message, expected)| (message, expected.missing())).filter(|(_, ids)| !ids.is_empty())
    }

    /// Parts whose receipts are waited for, or were told not long ago.
    pub(super) const fn len(&self) -> usize {
        self.parts
    }
}

impl Expected {
    /// What became of the message, once every part has its last receipt.
    fn whole(&self) -> Option<MessageState> {
        if self.open > 0 || self.parts.len() < usize::from(self.total) {
            return None;
        }
        let bad = |awaited: &Awaited| {
            awaited.last.filter(|state| *state != MessageState::DELIVERED).map(|state| (awaited.part, state))
        };
        let first_bad = self.parts.iter().filter_map(bad).min_by_key(|(part, _)| *part);
        Some(first_bad.map_or(MessageState::DELIVERED, |(_, state)| state))
    }

    fn missing(self) -> Vec<MessageId> {
        let is_open = |awaited: &Awaited| self.is_sure && awaited.last.is_none();
        self.parts.into_iter().filter(is_open).map(|awaited| awaited.id).collect()
    }
}

/// Why no more receipts of a message come: what an adapter tells who waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMoreReceipts {
    /// None was asked for.
    NotRequested,
    /// The last one has been given out.
    AllReceived,
    /// It has not come in time, there was no room to wait for it, or the SMSC has accepted a part without an id that a
    /// receipt could name. If one comes, it comes out of the adapter's `Arrivals`.
    NotReceived,
    /// The account has ended first.
    Closed,
}

impl fmt::Display for NoMoreReceipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRequested => "no receipts were asked for",
            Self::AllReceived => "all receipts have been told",
            Self::NotReceived => "the receipt has not come in time",
            Self::Closed => "the account has ended before the receipt came",
        })
    }
}

impl core::error::Error for NoMoreReceipts {}
