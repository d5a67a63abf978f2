//! Messages of one priority in the order of their numbers.

use alloc::collections::{BTreeSet, VecDeque};

use super::outcome::MessageNumber;

/// The numbers of messages, the lowest first. New messages have the highest numbers, so they queue at the end; only those that
/// return to an old position need a search.
#[derive(Debug, Default)]
pub(super) struct Fifo {
    /// In order. The first is not removed.
    queued: VecDeque<Queued>,
    /// How many of them are removed.
    removed: usize,
    returned: BTreeSet<MessageNumber>,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    number: MessageNumber,
    is_removed: bool,
}

impl Fifo {
    pub(super) const fn new() -> Self {
        Self { queued: VecDeque::new(), removed: 0, returned: BTreeSet::new() }
    }

    /// Adds a number. Returns whether it is new.
    pub(super) fn insert(&mut self, number: MessageNumber) -> bool {
        if self.queued.back().is_none_or(|last| last.number < number) {
            self.queued.push_back(Queued { number, is_removed: false });
            return true;
        }
        let is_queued = self.find(number).is_some_and(|queued| !queued.is_removed);
        !is_queued && self.returned.insert(number)
    }

    /// Removes a number. Returns whether it was there.
    pub(super) fn remove(&mut self, number: MessageNumber) -> bool {
        if self.queued.front().is_some_and(|first| first.number == number) {
            self.queued.pop_front();
            self.trim();
            return true;
        }
        if self.returned.remove(&number) {
            return true;
        }
        let was_there =
            self.find(number).is_some_and(|queued| !core::mem::replace(&mut queued.is_removed, true));
        if was_there {
            self.removed += 1;
            if self.removed > self.queued.len() / 2 {
                // As many removals came before as entries move now.
                self.queued.retain(|queued| !queued.is_removed);
                self.removed = 0;
            }
        }
        was_there
    }

    fn find(&mut self, number: MessageNumber) -> Option<&mut Queued> {
        let index = self.queued.binary_search_by_key(&number, |queued| queued.number).ok()?;
        self.queued.get_mut(index)
    }

    /// Forgets the removed numbers at the front.
    fn trim(&mut self) {
        while self.queued.front().is_some_and(|first| first.is_removed) {
            self.queued.pop_front();
            self.removed -= 1;
        }
    }

    /// Frees memory if most of it is unused.
    pub(super) fn shrink(&mut self) {
        if self.queued.len() < self.queued.capacity() / 4 {
            self.queued.shrink_to(2 * self.queued.len());
        }
    }

    /// Returns the lowest number.
    pub(super) fn first(&self) -> Option<MessageNumber> {
        let queued = self.queued.front().map(|first| first.number);
        match self.returned.first() {
            None => queued,
            Some(returned) => queued.into_iter().chain([*returned]).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_an_ordered_set() {
        let (mut fifo, mut model) = (Fifo::new(), BTreeSet::new());
        let (mut random, mut last) = (7_u32, 0);
        for _ in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let any = MessageNumber(last - u64::from(random >> 16) % 50 % (last + 1));
            match random >> 8 & 3 {
                0 | 1 if model.len() < 40 => {
                    last += 1;
                    assert!(fifo.insert(MessageNumber(last)) && model.insert(MessageNumber(last)));
                }
                0 => assert_eq!(fifo.insert(any), model.insert(any), "it returns"),
                1 | 2 => assert_eq!(fifo.remove(any), model.remove(&any)),
                _ => {
                    if let Some(first) = model.pop_first() {
                        assert!(fifo.remove(first));
                    }
                }
            }
            assert_eq!(fifo.first(), model.first().copied());
            assert!(fifo.queued.len() <= 2 * model.len() + 1, "removed entries do not pile up");
        }
    }

    #[test]
    fn numbers_removed_behind_the_first_do_not_pile_up() {
        let mut fifo = Fifo::new();
        for number in 1..=100 {
            fifo.insert(MessageNumber(number));
        }
        for number in 2..=100 {
            assert!(fifo.remove(MessageNumber(number)));
            let left = 101 - number as usize;
            let flagged = fifo.queued.iter().filter(|queued| queued.is_removed).count();
            assert_eq!((fifo.removed, fifo.queued.len()), (flagged, left + flagged));
            assert!(flagged <= left, "{flagged} removed ones beside {left}");
        }
        assert_eq!(fifo.first(), Some(MessageNumber(1)));
    }

    #[test]
    fn a_queue_that_was_long_gives_its_memory_back() {
        let mut fifo = Fifo::new();
        for number in 0..10_000 {
            fifo.insert(MessageNumber(number));
        }
        fifo.shrink();
        assert!(fifo.queued.capacity() >= 10_000);
        for number in 0..9_990 {
            fifo.remove(MessageNumber(number));
        }
        fifo.shrink();
        assert!(fifo.queued.capacity() <= 40, "{}", fifo.queued.capacity());
        assert_eq!(fifo.first(), Some(MessageNumber(9_990)));
    }
}
