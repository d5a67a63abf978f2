//! The messages of the queue, by their numbers.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::outcome::MessageNumber;
use super::queued_message::QueuedMessage;

/// How many numbers follow each other on a page.
const PAGE: usize = 64;

/// How many messages the table keeps to use their memory again.
const SPARE: usize = 128;

/// Messages by number. The numbers grow, so that messages which are queued at the same time are mostly on few pages: a look-up
/// takes a search among the pages, and no entry moves when others come and go.
#[derive(Debug)]
pub(super) struct MessageTable {
    pages: BTreeMap<u64, Box<Page>>,
    #[expect(clippy::vec_box, reason = "the boxes are used again")]
    spare: Vec<Box<QueuedMessage>>,
}

#[derive(Debug)]
struct Page {
    used: usize,
    messages: [Option<Box<QueuedMessage>>; PAGE],
}

const fn place(number: MessageNumber) -> (u64, usize) {
    (number.0 / PAGE as u64, number.0 as usize % PAGE)
}

impl MessageTable {
    pub(super) const fn new() -> Self {
        Self { pages: BTreeMap::new(), spare: Vec::new() }
    }

    #[inline]
    pub(super) fn get(&self, number: MessageNumber) -> Option<&QueuedMessage> {
        let (page, index) = place(number);
        self.pages.get(&page)?.messages.get(index)?.as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: MessageNumber) -> Option<&mut QueuedMessage> {
        let (page, index) = place(number);
        self.pages.get_mut(&page)?.messages.get_mut(index)?.as_deref_mut()
    }

    /// Adds a message with a number that the table does not hold.
    pub(super) fn insert(&mut self, number: MessageNumber, message: QueuedMessage) {
        let (page, index) = place(number);
        let page = self
            .pages
            .entry(page)
            .or_insert_with(|| Box::new(Page { used: 0, messages: [const { None }; PAGE] }));
        if let Some(place) = page.messages.get_mut(index) {
            *place = Some(match self.spare.pop() {
                Some(mut spare) => {
                    *spare = message;
                    spare
                }
                None => Box::new(message),
            });
            page.used += 1;
        }
    }

    /// Removes a message. [`recycle`](Self::recycle) it.
    pub(super) fn remove(&mut self, number: MessageNumber) -> Option<Box<QueuedMessage>> {
        let (key, index) = place(number);
        let page = self.pages.get_mut(&key)?;
        let message = page.messages.get_mut(index)?.take()?;
        page.used -= 1;
        if page.used == 0 {
            self.pages.remove(&key);
        }
        Some(message)
    }

    /// Keeps the memory of a removed message for the next one, unless enough is kept.
    pub(super) fn recycle(&mut self, message: Box<QueuedMessage>) {
        if self.spare.len() < SPARE {
            self.spare.push(message);
        }
    }

    /// Frees the memory that is kept for later messages.
    pub(super) fn shrink(&mut self) {
        self.spare = Vec::new();
    }

    /// Returns the numbers from `first` on, the oldest first.
    pub(super) fn numbers_from(&self, first: MessageNumber) -> impl Iterator<Item = MessageNumber> {
        let pages = self.pages.range(place(first).0..);
        let numbers = pages.flat_map(|(key, page)| {
            let used = page.messages.iter().zip(0..).filter(|(message, _)| message.is_some());
            used.map(|(_, index)| MessageNumber(*key * PAGE as u64 + index))
        });
        numbers.filter(move |number| *number >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Priority;
    use super::super::options::UnansweredPolicy;
    use super::super::outbound_pdu::{Frames, PduTraits};
    use super::super::queued_message::{Position, QueuedSegment};
    use super::super::ready_messages::Route;
    use super::super::receipt::ReceiptDestination;
    use super::*;
    use crate::pdu::{Pdu, SubmitSm};

    fn message() -> QueuedMessage {
        QueuedMessage {
            key: None,
            receipt_destination: ReceiptDestination::Sent,
            frames: Frames::default(),
            traits: PduTraits::new(&Pdu::SubmitSm(SubmitSm::default())),
            first: QueuedSegment::default(),
            rest: Vec::new(),
            priority: Priority::Normal,
            unanswered_policy: UnansweredPolicy::Report,
            deadline: None,
            lane: None,
            route: Route::Any,
            position: Position::Ready,
            delayed_until: None,
            next: 0,
            abandoned: None,
            open: 1,
        }
    }

    #[test]
    fn pages_without_messages_are_freed_and_messages_are_used_again() {
        let mut table = MessageTable::new();
        let numbers: Vec<_> = (1..1_000).step_by(7).map(MessageNumber).collect();
        for number in &numbers {
            table.insert(*number, message());
        }
        assert_eq!(table.numbers_from(MessageNumber(0)).collect::<Vec<_>>(), numbers);
        let from = table.numbers_from(numbers[50]).collect::<Vec<_>>();
        assert_eq!(from, numbers[50..]);
        for number in &numbers[1..] {
            let removed = table.remove(*number).unwrap();
            table.recycle(removed);
            assert!(table.get(*number).is_none());
        }
        assert!(table.get(numbers[0]).is_some(), "a message that stays does not move");
        assert_eq!((table.pages.len(), table.spare.len()), (1, SPARE));
        table.insert(MessageNumber(1_000), message());
        assert_eq!(table.spare.len(), SPARE - 1);
        table.shrink();
        assert_eq!(table.spare.capacity(), 0);
    }
}
