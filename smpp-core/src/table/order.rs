//! Numbers in the order in which they were added. Each can be removed by its position, and the first one is known.
//!
//! The numbers are in chunks, and a bit for each place says whether it is used. So nothing but a bit changes when a number is
//! removed: a list whose elements link to their neighbours would touch these too, and memory that is not in the processor's
//! cache costs the most. Neighbouring chunks with few numbers become one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::slab::NONE;

/// How many places a chunk has. It is no power of two, so that this table does not grow in the same call as others.
const CHUNK: u32 = 240;

/// An empty order keeps the memory of at most this many chunks.
const KEPT: usize = 64;

/// Two neighbours become one chunk if they have at most this many numbers together: so each number takes at most 18 octets.
const MERGED: u32 = CHUNK / 2;

pub(crate) struct Order {
    chunks: Vec<Chunk>,
    first: u32,
    /// The chunk that numbers are added to.
    last: u32,
    /// The first chunk without memory: a list through [`Chunk::next`].
    freed: u32,
}

/// All that a removal changes is in one cache line.
#[repr(align(64))]
struct Chunk {
    /// A bit for each place.
    used: [u64; 4],
    /// How many places are used.
    len: u32,
    /// How many places have been used.
    filled: u32,
    next: u32,
    previous: u32,
    /// The numbers, and what is left of those that were removed.
    numbers: Option<Box<[u32; CHUNK as usize]>>,
}

impl Chunk {
    const EMPTY: Self = Self { used: [0; 4], len: 0, filled: 0, next: NONE, previous: NONE, numbers: None };

    /// Returns the places that are used, in order.
    fn places(&self) -> impl Iterator<Item = u32> {
        self.used.iter().zip(0..).flat_map(|(bits, word)| {
            let mut rest = *bits;
            core::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(64 * word + bit)
            })
        })
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.places().filter_map(|place| self.number(place))
    }

    fn number(&self, place: u32) -> Option<u32> {
        self.numbers.as_ref()?.get(place as usize).copied()
    }

    /// Puts a number at the next place, and returns it.
    #[inline]
    fn push(&mut self, number: u32) -> Option<u32> {
        let place = self.filled;
        *self.numbers.as_mut()?.get_mut(place as usize)? = number;
        let (word, bit) = self.bit(place)?;
        *word |= bit;
        self.filled += 1;
        self.len += 1;
        Some(place)
    }

    /// Returns the word of `used` with the bit of a place, and the bit.
    fn bit(&mut self, place: u32) -> Option<(&mut u64, u64)> {
        Some((self.used.get_mut((place / 64) as usize)?, 1 << (place % 64)))
    }
}

impl Order {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), first: NONE, last: NONE, freed: NONE }
    }

    fn chunk(&self, index: u32) -> Option<&Chunk> {
        self.chunks.get(index as usize)
    }

    fn chunk_mut(&mut self, index: u32) -> Option<&mut Chunk> {
        self.chunks.get_mut(index as usize)
    }

    /// Adds a number at the end, and returns its position; `None` if there are no more positions. `set_position` as in
    /// [`remove`](Self::remove).
    #[inline]
    pub(crate) fn push(&mut self, number: u32, set_position: impl FnMut(u32, u32)) -> Option<u32> {
        let is_full = |chunk: &Chunk| chunk.filled >= CHUNK;
        if self.chunk(self.last).is_none_or(is_full) {
            match self.chunk(self.last) {
                Some(last) if last.len <= MERGED => self.collect(self.last, NONE, set_position),
                _ => self.add_chunk()?,
            }
        }
        let index = self.last;
        let place = self.chunk_mut(index)?.push(number)?;
        Some(index * CHUNK + place)
    }

    /// Returns the first number.
    pub(crate) fn first(&self) -> Option<u32> {
        let chunk = self.chunk(self.first)?;
        let (word, bits) = chunk.used.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        chunk.number(64 * word as u32 + bits.trailing_zeros())
    }

    /// Returns the numbers in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let chunks = core::iter::successors(self.chunk(self.first), |chunk| self.chunk(chunk.next));
        chunks.flat_map(Chunk::numbers)
    }

    /// Removes the number at a position. `set_position` gets the numbers that have another position now: at most
    /// half a chunk of them, and on average at most one for each number that was added or removed.
    #[inline]
    pub(crate) fn remove(&mut self, position: u32, set_position: impl FnMut(u32, u32)) {
        let (index, place) = (position / CHUNK, position % CHUNK);
        let Some(chunk) = self.chunk_mut(index) else { return };
        let Some((word, bit)) = chunk.bit(place) else { return };
        *word &= !bit;
        chunk.len = chunk.len.saturating_sub(1);
        let (len, next, previous) = (chunk.len, chunk.next, chunk.previous);
        if index == self.last {
            if len == 0 {
                self.clear_last();
            }
        } else if len == 0 {
            self.free(index);
        } else if len < MERGED {
            let fits = |order: &Self, other: u32| {
                other != order.last && order.chunk(other).is_some_and(|other| other.len + len <= MERGED)
            };
            if fits(self, next) {
                self.collect(index, next, set_position);
            } else if fits(self, previous) {
                self.collect(previous, index, set_position);
            }
        }
    }

    /// Uses the places of the last chunk again. If it is the only one, the memory of many others is freed.
    fn clear_last(&mut self) {
        if self.first == self.last && self.chunks.len() > KEPT {
            *self = Self::new();
        } else if let Some(chunk) = self.chunk_mut(self.last) {
            chunk.filled = 0;
        }
    }

    /// Moves the numbers of a chunk, and those of the next one if it is merged, to the first places of the chunk.
    #[cold]
    fn collect(&mut self, index: u32, next: u32, mut set_position: impl FnMut(u32, u32)) {
        let both = [index, next].into_iter().filter_map(|index| self.chunk(index));
        let numbers: Vec<u32> = both.flat_map(Chunk::numbers).collect();
        for (number, place) in numbers.iter().zip(0..) {
            set_position(*number, index * CHUNK + place);
        }
        let Some(chunk) = self.chunk_mut(index) else { return };
        // At most half of the places.
        (chunk.used, chunk.len, chunk.filled) = ([0; 4], 0, 0);
        for number in numbers {
            chunk.push(number);
        }
        self.free(next);
    }

    fn add_chunk(&mut self) -> Option<()> {
        let mut index = self.freed;
        if index == NONE {
            index = u32::try_from(self.chunks.len()).ok().filter(|index| *index < NONE / CHUNK)?;
            self.chunks.push(Chunk::EMPTY);
        }
        let previous = self.last;
        let chunk = self.chunk_mut(index)?;
        let freed = mem::replace(&mut chunk.next, NONE);
        chunk.previous = previous;
        chunk.numbers = Some(Box::new([0; CHUNK as usize]));
        (self.freed, self.last) = (freed, index);
        match self.chunk_mut(previous) {
            Some(previous) => previous.next = index,
            None => self.first = index,
        }
        Some(())
    }

    /// Frees a chunk, which is not the last one.
    fn free(&mut self, index: u32) {
        let freed = self.freed;
        let Some(chunk) = self.chunk_mut(index) else { return };
        let Chunk { next, previous, .. } = mem::replace(chunk, Chunk { next: freed, ..Chunk::EMPTY });
        self.freed = index;
        if let Some(next) = self.chunk_mut(next) {
            next.previous = previous;
        }
        match self.chunk_mut(previous) {
            Some(previous) => previous.next = next,
            None => self.first = next,
        }
        if self.first == self.last && self.chunk(self.last).is_some_and(|last| last.len == 0) {
            self.clear_last();
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    /// The order, and the positions that its user has stored.
    struct Tested {
        order: Order,
        positions: BTreeMap<u32, u32>,
        moved: usize,
    }

    impl Tested {
        const fn new() -> Self {
            Self { order: Order::new(), positions: BTreeMap::new(), moved: 0 }
        }

        fn push(&mut self, number: u32) {
            let before = self.moved;
            let position = self.order.push(number, |number, position| {
                *self.positions.get_mut(&number).unwrap() = position;
                self.moved += 1;
            });
            assert!(self.moved - before <= MERGED as usize);
            self.positions.insert(number, position.unwrap());
        }

        fn remove(&mut self, number: u32) {
            let position = self.positions.remove(&number).unwrap();
            let before = self.moved;
            self.order.remove(position, |number, position| {
                *self.positions.get_mut(&number).unwrap() = position;
                self.moved += 1;
            });
            assert!(self.moved - before <= MERGED as usize);
        }

        fn chunks(&self) -> usize {
            self.order.chunks.iter().filter(|chunk| chunk.numbers.is_some()).count()
        }
    }

    proptest! {
        // Each takes up to 30,000 numbers.
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn numbers_stay_in_order_whichever_are_removed(
            steps in prop::collection::vec((0_u32..600, any::<prop::sample::Index>()), 1..60),
        ) {
            let (mut tested, mut model, mut next) = (Tested::new(), VecDeque::new(), 0);
            for (count, index) in steps {
                // Some are added, and some are removed: from the front, or from anywhere.
                for _ in 0..count {
                    tested.push(next);
                    model.push_back(next);
                    next += 1;
                }
                for turn in 0..count * 9 / 10 {
                    let at = if turn % 3 == 0 { 0 } else { (index.index(model.len()) + 7 * turn as usize) % model.len() };
                    let number = model.remove(at).unwrap();
                    tested.remove(number);
                    prop_assert_eq!(tested.order.first(), model.front().copied());
                }
                prop_assert!(tested.order.iter().eq(model.iter().copied()));
                // Any two neighbours, but for the last chunk, have more than half a chunk.
                let most = 2 * (model.len() / MERGED as usize + 1) + 1;
                prop_assert!(tested.chunks() <= most, "{} of {}", tested.chunks(), model.len());
            }
            prop_assert!(tested.moved <= 2 * next as usize);
            // Those of which few are left, however quickly the others are removed, take little memory too.
            for number in next..next + 10 * CHUNK {
                tested.push(number);
                if number % CHUNK > 0 {
                    tested.remove(number);
                } else {
                    model.push_back(number);
                }
            }
            prop_assert!(tested.order.iter().eq(model.iter().copied()));
            prop_assert!(tested.chunks() <= 2 * (model.len() / MERGED as usize + 1) + 1);
            for number in model {
                tested.remove(number);
            }
            prop_assert_eq!(tested.order.first(), None);
            prop_assert!(tested.chunks() <= 1);
        }
    }

    /// Whichever was added last may be removed first.
    #[test]
    fn an_empty_order_keeps_little_memory() {
        for is_reversed in [false, true] {
            let mut tested = Tested::new();
            let mut numbers: Vec<u32> = (0..100 * CHUNK).collect();
            for number in &numbers {
                tested.push(*number);
            }
            if is_reversed {
                numbers.reverse();
            }
            for number in &numbers {
                tested.remove(*number);
            }
            assert!(tested.order.chunks.capacity() <= KEPT, "{}", tested.order.chunks.capacity());
        }
    }
}
