//! A hash index of numbers. It has the hash of each beside the number, so it never looks at what the number stands for.
//!
//! The entries are in lines of 64 octets, which a processor loads at once. The hash says which line an entry belongs to; if
//! that is full, the entry is in one of the next lines, and each line counts the entries that have passed it. So most lookups take one
//! line, and a removal moves no entry of another line. Memory that is not in the processor's cache costs the most.
//!
//! If there are too many or too few entries for the lines, the entries move to another table: those of a few lines with each
//! entry that is added or removed. So no call does work that grows with the number of entries, but for the list of chunks.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::slab::NONE;

/// How many entries a line has.
const LINE: usize = 8;

/// How many lines are allocated at once.
const CHUNK: usize = 128;

/// The fewest lines. They fit into one chunk, and are no power of two, so that the entries do not move in the same calls in which other
/// tables grow.
const MIN_LINES: u32 = 96;

/// How many lines are moved when an entry is added.
const MOVED: u32 = 2;

/// How many lines are moved when an entry is removed. They have fewer entries if they move to fewer lines.
const MOVED_BY_REMOVAL: u32 = 4;

/// The entries move to more lines if there are more than this many for each.
const MOST: u64 = 6;

/// The entries move to fewer lines if there are fewer than this many for each.
const FEWEST: u64 = 3;

/// Entries: the first places are used, and the others have [`NONE`] as the number.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    hashes: [u32; LINE],
    numbers: [u32; LINE],
}

impl Line {
    const EMPTY: Self = Self { hashes: [0; LINE], numbers: [NONE; LINE] };

    fn get(&self, place: usize) -> Option<(u32, u32)> {
        Some((*self.hashes.get(place)?, *self.numbers.get(place)?))
    }

    /// Sets an entry; returns whether there is this place.
    #[inline(always)]
    fn set(&mut self, place: usize, (hash, number): (u32, u32)) -> bool {
        let (Some(to_hash), Some(to_number)) = (self.hashes.get_mut(place), self.numbers.get_mut(place))
        else {
            return false;
        };
        (*to_hash, *to_number) = (hash, number);
        true
    }

    /// Removes the entry at a used place: the last one takes its place.
    #[inline(always)]
    fn remove(&mut self, extent: &mut Extent, place: usize) {
        let Some(last) = extent.used.checked_sub(1) else { return };
        if let Some(entry) = self.get(last.into()) {
            self.set(place, entry);
            self.set(last.into(), (0, NONE));
            extent.used = last;
        }
    }
}

/// What belongs to a line besides its entries.
#[derive(Clone, Copy)]
struct Extent {
    /// How many entries the line has.
    used: u8,
    /// How many entries belong to the line or to one before it, and are in a later one. The maximum stays: it may be more.
    passed: u8,
}

impl Extent {
    const EMPTY: Self = Self { used: 0, passed: 0 };
}

/// Places of a line: a bit for each.
#[derive(Clone, Copy)]
struct Places(u32);

impl Places {
    /// Returns the places with this value. It has no branch: one that depends on what is not in the cache is expensive. A processor
    /// compares four values at once.
    #[inline(always)]
    fn of(values: &[u32; LINE], value: u32) -> Self {
        let [v0, v1, v2, v3, v4, v5, v6, v7] = *values;
        let select = |other, bit| if other == value { bit } else { 0 };
        let [s0, s1, s2, s3] = [
            select(v0, 1) | select(v4, 1 << 4),
            select(v1, 1 << 1) | select(v5, 1 << 5),
            select(v2, 1 << 2) | select(v6, 1 << 6),
            select(v3, 1 << 3) | select(v7, 1 << 7),
        ];
        Self(s0 | s1 | (s2 | s3))
    }

    /// Returns the first place; a number that is no place if there is none.
    #[inline(always)]
    const fn first(self) -> usize {
        self.0.trailing_zeros() as usize
    }

    /// Returns the places but the first one.
    #[inline(always)]
    const fn rest(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }
}

/// Lines that are allocated together.
struct Chunk {
    extents: [Extent; CHUNK],
    lines: [Line; CHUNK],
}

/// The lines, in chunks.
struct Table {
    chunks: Vec<Option<Box<Chunk>>>,
    /// How many lines an entry can belong to. The last entries may be in lines that follow them.
    lines: u32,
}

impl Table {
    const fn new(lines: u32) -> Self {
        Self { chunks: Vec::new(), lines }
    }

    /// Returns the line that an entry belongs to. The order of the hashes is that of the lines.
    #[inline(always)]
    fn home(&self, hash: u32) -> u32 {
        ((u64::from(hash) * u64::from(self.lines)) >> 32) as u32
    }

    #[inline(always)]
    fn line(&self, at: u32) -> Option<(&Line, Extent)> {
        let chunk = self.chunks.get(at as usize / CHUNK)?.as_ref()?;
        let place = at as usize % CHUNK;
        Some((chunk.lines.get(place)?, *chunk.extents.get(place)?))
    }

    #[inline(always)]
    fn line_mut(&mut self, at: u32) -> Option<(&mut Line, &mut Extent)> {
        let chunk = self.chunks.get_mut(at as usize / CHUNK)?.as_mut()?;
        let place = at as usize % CHUNK;
        Some((chunk.lines.get_mut(place)?, chunk.extents.get_mut(place)?))
    }

    /// Adds an entry.
    #[inline(always)]
    fn push(&mut self, hash: u32, number: u32) {
        let mut at = self.home(hash);
        loop {
            let Some((line, extent)) = self.line_mut(at) else {
                self.add_chunk(at as usize / CHUNK);
                continue;
            };
            if line.set(extent.used.into(), (hash, number)) {
                extent.used += 1;
                return;
            }
            extent.passed = extent.passed.saturating_add(1);
            at += 1;
        }
    }

    /// Allocates the chunk with this index.
    #[cold]
    #[inline(never)]
    fn add_chunk(&mut self, index: usize) {
        if self.chunks.len() <= index {
            self.chunks.resize_with(index + 1, || None);
        }
        if let Some(chunk) = self.chunks.get_mut(index) {
            *chunk = Some(Box::new(Chunk { extents: [Extent::EMPTY; CHUNK], lines: [Line::EMPTY; CHUNK] }));
        }
    }

    /// Removes an entry; returns whether there is one.
    #[inline(always)]
    fn remove(&mut self, hash: u32, number: u32) -> bool {
        let home = self.home(hash);
        let mut at = home;
        while let Some((line, extent)) = self.line_mut(at) {
            let place = Places::of(&line.numbers, number).first();
            if place < LINE {
                line.remove(extent, place);
                self.return_from(at, home);
                return true;
            }
            if extent.passed == 0 {
                break;
            }
            at += 1;
        }
        false
    }

    /// Records that an entry of the line `home` is not in the line `at` any more.
    #[inline(always)]
    fn return_from(&mut self, at: u32, home: u32) {
        for before in home..at {
            if let Some((_, extent)) = self.line_mut(before)
                && extent.passed < u8::MAX
            {
                extent.passed = extent.passed.saturating_sub(1);
            }
        }
    }

    /// Moves the entries of a line to another table. Those of the lines before it have been moved.
    #[inline(always)]
    fn move_line(&mut self, home: u32, to: &mut Self) {
        let Some((line, extent)) = self.line(home) else { return };
        for (hash, number) in line.hashes.iter().zip(&line.numbers).take(extent.used.into()) {
            to.push(*hash, *number);
        }
        if extent.passed > 0 {
            self.move_passed(home, extent.passed, to);
        }
        // The next line is in another chunk.
        if home as usize % CHUNK == CHUNK - 1
            && let Some(chunk) = self.chunks.get_mut(home as usize / CHUNK)
        {
            *chunk = None;
        }
    }

    /// Moves the entries that belong to a line and are in later ones: this many, since all that belong to lines before it have been
    /// moved.
    fn move_passed(&mut self, home: u32, count: u8, to: &mut Self) {
        let (mut at, mut rest) = (home + 1, count);
        while let Some((_, extent)) = self.line(at) {
            // The last ones are those that came when the line `home` was full.
            for place in (0..usize::from(extent.used)).rev() {
                let Some((hash, number)) = self.line(at).and_then(|(line, _)| line.get(place)) else {
                    continue;
                };
                if self.home(hash) > home {
                    continue;
                }
                if let Some((line, extent)) = self.line_mut(at) {
                    line.remove(extent, place);
                }
                self.return_from(at, home + 1);
                to.push(hash, number);
                // If there may be more than are counted, the lines that they have passed say whether there are more.
                if count < u8::MAX {
                    rest -= 1;
                    if rest == 0 {
                        return;
                    }
                }
            }
            if extent.passed == 0 {
                return;
            }
            at += 1;
        }
    }
}

/// An index of numbers by hash.
pub(crate) struct TagIndex {
    table: Table,
    /// The table that the entries move to, if they do.
    next: Option<Table>,
    /// How many lines of `table` have moved.
    moved: u32,
    len: u32,
}

impl TagIndex {
    pub(crate) const fn new() -> Self {
        Self { table: Table::new(MIN_LINES), next: None, moved: 0, len: 0 }
    }

    /// Returns a number with this hash for which `matches` returns true.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, mut matches: impl FnMut(u32) -> bool) -> Option<u32> {
        let table = self.table_of(hash);
        let mut at = table.home(hash);
        loop {
            let (line, extent) = table.line(at)?;
            let mut places = Places::of(&line.hashes, hash);
            while let Some(number) = line.numbers.get(places.first()) {
                // An unused place may have any hash.
                if *number != NONE && matches(*number) {
                    return Some(*number);
                }
                places = places.rest();
            }
            if extent.passed == 0 {
                return None;
            }
            at += 1;
        }
    }

    /// Adds a number.
    #[inline(always)]
    pub(crate) fn insert(&mut self, hash: u32, number: u32) {
        self.table_of_mut(hash).push(hash, number);
        self.len += 1;
        if self.next.is_some() {
            self.move_lines(MOVED);
        } else if u64::from(self.len) > MOST * u64::from(self.table.lines) {
            self.move_to(2 * self.table.lines);
        }
    }

    /// Removes a number.
    #[inline(always)]
    pub(crate) fn remove(&mut self, hash: u32, number: u32) {
        if self.table_of_mut(hash).remove(hash, number) {
            self.len = self.len.saturating_sub(1);
        }
        if self.next.is_some() {
            self.move_lines(MOVED_BY_REMOVAL);
        } else if u64::from(self.len) < FEWEST * u64::from(self.table.lines) && self.table.lines > MIN_LINES {
            self.move_to((self.table.lines / 8 * 5).max(MIN_LINES));
        }
    }

    /// Loads the line of a hash, for a removal that will follow.
    #[inline(always)]
    pub(crate) fn load(&self, hash: u32) -> u32 {
        let table = self.table_of(hash);
        table.line(table.home(hash)).map_or(NONE, |(line, _)| line.numbers.first().copied().unwrap_or(NONE))
    }

    /// Returns the table that has the entries with this hash.
    #[inline(always)]
    fn table_of(&self, hash: u32) -> &Table {
        match &self.next {
            Some(next) if self.table.home(hash) < self.moved => next,
            _ => &self.table,
        }
    }

    /// As [`table_of`](Self::table_of).
    #[inline(always)]
    fn table_of_mut(&mut self, hash: u32) -> &mut Table {
        match &mut self.next {
            Some(next) if self.table.home(hash) < self.moved => next,
            _ => &mut self.table,
        }
    }

    /// Starts to move the entries to a table of this many lines.
    #[cold]
    fn move_to(&mut self, lines: u32) {
        self.next = Some(Table::new(lines));
    }

    /// Moves a few lines.
    fn move_lines(&mut self, count: u32) {
        let Some(next) = &mut self.next else { return };
        for _ in 0..count {
            self.table.move_line(self.moved, next);
            self.moved += 1;
            if self.moved >= self.table.lines {
                self.moved = 0;
                if let Some(next) = self.next.take() {
                    self.table = next;
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::splitmix;
    use super::*;

    /// The index, and the hashes of the numbers that it has.
    struct Tested {
        index: TagIndex,
        model: BTreeMap<u32, u32>,
    }

    impl Tested {
        const fn new() -> Self {
            Self { index: TagIndex::new(), model: BTreeMap::new() }
        }

        fn lines(&self) -> u32 {
            self.index.table.lines
        }

        /// Calls the index; checks that the call moves few lines.
        fn call(&mut self, call: impl FnOnce(&mut TagIndex)) {
            let (lines, moved, is_moving) = (self.lines(), self.index.moved, self.index.next.is_some());
            call(&mut self.index);
            let now = if is_moving && self.index.next.is_none() { lines } else { self.index.moved };
            assert!(now - moved <= MOVED_BY_REMOVAL, "{moved} to {now}");
            assert_eq!(self.index.len as usize, self.model.len());
            // There are so many lines that few are full, and so few that an entry takes 27 octets at most.
            let (lines, len) = (u64::from(self.lines()), self.model.len() as u64);
            assert!(len <= lines * 15 / 2, "{len} in {lines} lines");
            assert!(lines * 12 <= len * 5 + 64 || lines == u64::from(MIN_LINES), "{len} in {lines} lines");
        }

        fn insert(&mut self, number: u32, hash: u32) {
            self.model.insert(number, hash);
            self.call(|index| index.insert(hash, number));
        }

        fn remove(&mut self, number: u32) {
            let hash = self.model.remove(&number).unwrap();
            self.call(|index| index.remove(hash, number));
        }

        fn check(&self) {
            for (number, hash) in &self.model {
                assert_eq!(self.index.find(*hash, |other| other == *number), Some(*number));
                assert_eq!(self.index.find(*hash ^ 1 << 20, |other| other == *number), None);
            }
        }

        fn has(&self, number: u32, hash: u32) -> bool {
            self.index.find(hash, |other| other == number).is_some()
        }

        /// Returns how many chunks have memory.
        fn chunks(&self) -> usize {
            let tables = [Some(&self.index.table), self.index.next.as_ref()];
            tables
                .into_iter()
                .flatten()
                .flat_map(|table| &table.chunks)
                .filter(|chunk| chunk.is_some())
                .count()
        }
    }

    fn hash_of(number: u32) -> u32 {
        splitmix(number.into()) as u32
    }

    proptest! {
        // Each takes up to some thousand numbers.
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn each_number_is_found_by_its_hash_until_it_is_removed(
            steps in prop::collection::vec((0_u32..1500, 0..10_u32, any::<prop::sample::Index>()), 1..16),
            // Some hashes are the same or belong to the same line: for example to the last one.
            special in prop::collection::vec(prop_oneof![Just(u32::MAX), Just(0), any::<u32>()], 1..4),
            every in 2_u32..200,
        ) {
            let (mut tested, mut next) = (Tested::new(), 0);
            for (count, tenths, index) in steps {
                for number in next..next + count {
                    let hash = if number % every == 0 {
                        special[number as usize / 7 % special.len()] ^ (number & 1)
                    } else {
                        hash_of(number)
                    };
                    tested.insert(number, hash);
                }
                next += count;
                tested.check();
                let mut removed: Vec<u32> = tested.model.keys().copied().collect();
                removed.sort_by_key(|number| hash_of(*number ^ index.index(1000) as u32));
                for number in removed.iter().take(removed.len() * tenths as usize / 10) {
                    let hash = tested.model[number];
                    tested.remove(*number);
                    prop_assert!(!tested.has(*number, hash));
                }
                tested.check();
            }
            for number in tested.model.keys().copied().collect::<Vec<_>>() {
                tested.remove(number);
            }
            prop_assert!(tested.chunks() <= 4, "{}", tested.chunks());
        }
    }

    /// However many numbers have one hash, more than a line counts, all are found and removed, and others are not lost.
    #[test]
    fn numbers_of_one_hash_fill_the_next_lines() {
        for hash in [0, 7 << 28, u32::MAX] {
            let mut tested = Tested::new();
            for number in 0..3000 {
                tested.insert(number, if number % 3 == 0 { hash } else { hash_of(number) });
            }
            tested.check();
            for number in (0..3000).step_by(3) {
                tested.remove(number);
                assert!(!tested.has(number, hash));
            }
            tested.check();
            // The lines that follow are passed until the numbers move.
            for number in 3000..20_000 {
                tested.insert(number, hash_of(number));
            }
            tested.check();
            assert_eq!(tested.index.find(hash, |_| true), None);
        }
    }

    #[test]
    fn the_lines_follow_how_many_numbers_there_are() {
        let mut tested = Tested::new();
        for number in 0..100_000 {
            tested.insert(number, hash_of(number));
        }
        tested.check();
        assert!(tested.lines() > 100_000 / 8, "{}", tested.lines());
        for number in 0..100_000 {
            if number % 20_000 == 0 {
                tested.check();
            }
            tested.remove(number);
        }
        assert_eq!((tested.lines(), tested.chunks()), (MIN_LINES, 1));
    }

    /// A number whose entry does not exist, or belongs to another hash, changes nothing.
    #[test]
    fn what_is_not_there_is_not_removed() {
        let mut tested = Tested::new();
        tested.call(|index| index.remove(7, 1));
        tested.insert(1, 7);
        tested.call(|index| index.remove(u32::MAX, 1));
        tested.call(|index| index.remove(7, 2));
        tested.check();
    }
}
