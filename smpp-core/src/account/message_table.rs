//! The messages of the queue, by their numbers.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::outcome::MessageNumber;
use super::queued_message::QueuedMessage;

/// How many numbers follow each other on a page.
const PAGE: usize = 64;

/// How many of the last pages are found without a search.
const RECENT: usize = 16;

/// How many messages the table keeps to use their memory again.
const SPARE: usize = 128;

/// Messages by number. The numbers grow, so that messages which are queued at the same time are mostly on the last pages: only
/// an older message takes a search among the pages, and no entry moves when others come and go.
#[derive(Debug)]
pub(super) struct MessageTable {
    /// The number of the last page that has held a message.
    last_page: u64,
    /// The pages up to that one, each where its number divided by `RECENT` leaves its index.
    recent: [Option<Box<Page>>; RECENT],
    /// The pages before these.
    older: BTreeMap<u64, Box<Page>>,
    /// A page without messages.
    spare_page: Option<Box<Page>>,
    #[expect(clippy::vec_box, reason = "the boxes are used again")]
    spare: Vec<Box<QueuedMessage>>,
}

#[derive(Debug)]
struct Page {
    used: usize,
    messages: [Option<Box<QueuedMessage>>; PAGE],
}

impl Page {
    const EMPTY: Self = Self { used: 0, messages: [const { None }; PAGE] };
}

const fn place(number: MessageNumber) -> (u64, usize) {
    (number.0 / PAGE as u64, number.0 as usize % PAGE)
}

impl MessageTable {
    pub(super) const fn new() -> Self {
        Self {
            last_page: 0,
            recent: [const { None }; RECENT],
            older: BTreeMap::new(),
            spare_page: None,
            spare: Vec::new(),
        }
    }

    /// Returns the index of a page in `recent`, if it is among the last.
    #[inline]
    const fn recent(&self, page: u64) -> Option<usize> {
        let is_recent = page <= self.last_page && self.last_page - page < RECENT as u64;
        if is_recent { Some(page as usize % RECENT) } else { None }
    }

    #[inline]
    fn page(&self, page: u64) -> Option<&Page> {
        match self.recent(page) {
            Some(index) => self.recent.get(index)?.as_deref(),
            None => self.older.get(&page).map(|page| &**page),
        }
    }

    #[inline]
    fn page_mut(&mut self, page: u64) -> Option<&mut Page> {
        match self.recent(page) {
            Some(index) => self.recent.get_mut(index)?.as_deref_mut(),
            None => self.older.get_mut(&page).map(|page| &mut **page),
        }
    }

    /// Makes a page the last one. Those that are no longer among the last move to the older ones.
    #[cold]
    fn add_page(&mut self, page: u64) {
        for index in 0..(page - self.last_page).min(RECENT as u64) {
            let moved = self.last_page + 1 + index;
            let place = self.recent.get_mut(moved as usize % RECENT);
            if let (Some(old), Some(before)) =
                (place.and_then(Option::take), moved.checked_sub(RECENT as u64))
            {
                self.older.insert(before, old);
            }
        }
        self.last_page = page;
    }

    #[inline]
    pub(super) fn get(&self, number: MessageNumber) -> Option<&QueuedMessage> {
        let (page, index) = place(number);
        self.page(page)?.messages.get(index)?.as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: MessageNumber) -> Option<&mut QueuedMessage> {
        let (page, index) = place(number);
        self.page_mut(page)?.messages.get_mut(index)?.as_deref_mut()
    }

    /// Returns a message to fill and to [insert](Self::insert), or to [recycle](Self::recycle).
    #[inline]
    pub(super) fn take_spare(&mut self) -> Box<QueuedMessage> {
        self.spare.pop().unwrap_or_else(|| Box::new(QueuedMessage::empty()))
    }

    /// Adds a message with a number that the table does not hold.
    #[inline]
    pub(super) fn insert(&mut self, number: MessageNumber, message: Box<QueuedMessage>) {
        let (page, index) = place(number);
        if page > self.last_page {
            self.add_page(page);
        }
        let (recent, spare_page) = (self.recent(page), &mut self.spare_page);
        let new = || spare_page.take().unwrap_or_else(|| Box::new(Page::EMPTY));
        let page = match recent.and_then(|index| self.recent.get_mut(index)) {
            Some(page) => page.get_or_insert_with(new),
            None => self.older.entry(page).or_insert_with(new),
        };
        if let Some(place) = page.messages.get_mut(index) {
            *place = Some(message);
            page.used += 1;
        }
    }

    /// Removes a message if `condition` is true for it. [`recycle`](Self::recycle) it.
    #[inline(always)]
    pub(super) fn remove_if(
        &mut self,
        number: MessageNumber,
        condition: impl FnOnce(&QueuedMessage) -> bool,
    ) -> Option<Box<QueuedMessage>> {
        let (key, index) = place(number);
        let page = self.page_mut(key)?;
        let message = page.messages.get_mut(index)?.take_if(|message| condition(message))?;
        page.used -= 1;
        if page.used == 0 {
            self.remove_page(key);
        }
        Some(message)
    }

    /// Removes a page without messages, and keeps it for later ones.
    #[cold]
    fn remove_page(&mut self, key: u64) {
        self.spare_page = match self.recent(key) {
            Some(index) => self.recent.get_mut(index).and_then(Option::take),
            None => self.older.remove(&key),
        };
    }

    /// Keeps the memory of a message for the next one, unless enough is kept.
    pub(super) fn recycle(&mut self, mut message: Box<QueuedMessage>) {
        message.clear();
        self.recycle_cleared(message);
    }

    /// As [`recycle`](Self::recycle), for a message that is [cleared](QueuedMessage::clear) already.
    #[inline]
    pub(super) fn recycle_cleared(&mut self, message: Box<QueuedMessage>) {
        if self.spare.len() < SPARE {
            self.spare.push(message);
        }
    }

    /// Frees the memory that is kept for later messages.
    pub(super) fn shrink(&mut self) {
        (self.spare, self.spare_page) = (Vec::new(), None);
    }

    /// Returns the numbers from `first` on, the oldest first.
    pub(super) fn numbers_from(&self, first: MessageNumber) -> impl Iterator<Item = MessageNumber> {
        let first_page = place(first).0;
        let recent = self.last_page.saturating_sub(RECENT as u64 - 1).max(first_page)..=self.last_page;
        let recent = recent.filter_map(|key| Some((key, self.page(key)?)));
        let pages = self.older.range(first_page..).map(|(key, page)| (*key, &**page)).chain(recent);
        let numbers = pages.flat_map(|(key, page)| {
            let used = page.messages.iter().zip(0..).filter(|(message, _)| message.is_some());
            used.map(move |(_, index)| MessageNumber(key * PAGE as u64 + index))
        });
        numbers.filter(move |number| *number >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Box<QueuedMessage> {
        Box::new(QueuedMessage::empty())
    }

    fn remove(table: &mut MessageTable, number: MessageNumber) -> Option<Box<QueuedMessage>> {
        table.remove_if(number, |_| true)
    }

    fn pages(table: &MessageTable) -> usize {
        table.older.len() + table.recent.iter().flatten().count()
    }

    #[test]
    fn pages_without_messages_are_freed_and_messages_are_used_again() {
        let mut table = MessageTable::new();
        let numbers: Vec<_> = (1..1_000).step_by(7).map(MessageNumber).collect();
        for number in &numbers {
            table.insert(*number, message());
        }
        assert_eq!(pages(&table), 16, "1,000 numbers");
        let (far, many) = (MessageNumber(1_000_000), MessageNumber(1_064));
        table.insert(many, message());
        assert_eq!(table.older.len(), 1, "the first page is an older one");
        table.insert(far, message());
        assert_eq!((table.older.len(), pages(&table)), (17, 18));
        assert_eq!(table.numbers_from(MessageNumber(990)).collect::<Vec<_>>(), [numbers[142], many, far]);
        assert!(numbers.iter().chain([&many, &far]).all(|number| table.get(*number).is_some()));
        for number in [many, far] {
            assert!(remove(&mut table, number).is_some() && remove(&mut table, number).is_none());
        }
        assert_eq!(table.numbers_from(MessageNumber(0)).collect::<Vec<_>>(), numbers);
        let from = table.numbers_from(numbers[50]).collect::<Vec<_>>();
        assert_eq!(from, numbers[50..]);
        for number in &numbers[1..] {
            let removed = remove(&mut table, *number).unwrap();
            table.recycle(removed);
            assert!(table.get(*number).is_none());
        }
        assert!(table.get(numbers[0]).is_some(), "a message that stays does not move");
        assert_eq!((pages(&table), table.spare.len()), (1, SPARE));
        let spare = table.take_spare();
        table.insert(MessageNumber(1_000), spare);
        assert_eq!(table.spare.len(), SPARE - 1);
        table.shrink();
        assert_eq!(table.spare.capacity(), 0);
    }
}
