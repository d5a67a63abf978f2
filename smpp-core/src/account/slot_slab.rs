//! An array of values whose places are used again.

use alloc::vec::Vec;
use core::mem;

/// The index that ends a list.
pub(super) const NONE: u32 = u32::MAX;

/// Values in an array. A place that becomes free is used again.
pub(super) struct Slab<T> {
    pub(super) entries: Vec<Entry<T>>,
    /// The first free entry.
    free: u32,
    pub(super) len: usize,
}

pub(super) enum Entry<T> {
    /// Holds the next free entry.
    Free(u32),
    Used(T),
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: NONE, len: 0 }
    }

    /// Adds a value. Returns its index, or `None` if the array is full.
    #[inline(always)]
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        let index = if let Some(entry) = self.entries.get_mut(self.free as usize) {
            let index = self.free;
            if let Entry::Free(next) = *entry {
                self.free = next;
            }
            *entry = Entry::Used(value);
            index
        } else {
            let index = u32::try_from(self.entries.len()).ok().filter(|index| *index != NONE)?;
            self.entries.push(Entry::Used(value));
            index
        };
        self.len += 1;
        Some(index)
    }

    #[inline(always)]
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        match self.entries.get(index as usize) {
            Some(Entry::Used(value)) => Some(value),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.entries.get_mut(index as usize) {
            Some(Entry::Used(value)) => Some(value),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(index as usize).filter(|entry| matches!(entry, Entry::Used(_)))?;
        let Entry::Used(value) = mem::replace(entry, Entry::Free(self.free)) else { return None };
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// Drops a value, without moving it.
    #[inline(always)]
    pub(super) fn discard(&mut self, index: u32) {
        if let Some(entry @ Entry::Used(_)) = self.entries.get_mut(index as usize) {
            *entry = Entry::Free(self.free);
            self.free = index;
            self.len -= 1;
        }
    }

    /// Frees the memory if there is no value.
    pub(super) fn shrink(&mut self) {
        if self.len == 0 {
            *self = Self::new();
        }
    }
}
