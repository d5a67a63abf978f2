//! A table of nodes that refer to each other by number: it grows and shrinks in small steps, and never moves a node.

use alloc::vec::Vec;
use core::mem;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// How many nodes are allocated at once.
const CHUNK: usize = 128;

/// A node that can also be a link in the list of vacant nodes.
pub(super) trait Slot: Default {
    /// Returns the link of a vacant node.
    fn vacant_link(&mut self) -> &mut u32;
}

/// Nodes by number.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    /// The first vacant node below `used`.
    vacant: u32,
    /// All nodes from this number on are vacant, and not in the list.
    used: u32,
    len: usize,
}

impl<T: Slot> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), vacant: NONE, used: 0, len: 0 }
    }

    /// Returns how many nodes are not vacant.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let number = number as usize;
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let number = number as usize;
        self.chunks.get_mut(number / CHUNK)?.get_mut(number % CHUNK)
    }

    /// Stores a node and returns its number; `None` if there are no more numbers.
    pub(super) fn insert(&mut self, node: T) -> Option<u32> {
        let number = if self.vacant == NONE { self.used } else { self.vacant };
        if number == NONE {
            return None;
        }
        let index = number as usize / CHUNK;
        if index == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        match self.get_mut(number) {
            Some(slot) => {
                let next = mem::replace(slot.vacant_link(), NONE);
                *slot = node;
                if self.vacant == NONE {
                    self.used += 1;
                } else {
                    self.vacant = next;
                }
            }
            None => {
                self.chunks.get_mut(index)?.push(node);
                self.used += 1;
            }
        }
        self.len += 1;
        Some(number)
    }

    /// Removes a node and returns it.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let vacant = self.vacant;
        let slot = self.get_mut(number)?;
        let node = mem::take(slot);
        *slot.vacant_link() = vacant;
        self.vacant = number;
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            (self.vacant, self.used) = (NONE, 0);
        }
        Some(node)
    }

    /// Frees one chunk that holds no node, if there is one to spare. Call it with each insertion and removal.
    pub(super) fn shrink(&mut self) {
        if self.chunks.len() > self.used as usize / CHUNK + 2 {
            self.chunks.pop();
        }
    }
}
