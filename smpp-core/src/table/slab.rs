//! A table of nodes that refer to each other by number: it grows and shrinks in small steps, and never moves a node.

use alloc::vec::Vec;
use core::mem;

/// No node.
pub(crate) const NONE: u32 = u32::MAX;

/// A node that can also be a link in the list of vacant nodes.
pub(crate) trait Slot: Default {
    /// How many nodes are allocated at once.
    const CHUNK: u32;

    /// Returns the link of a vacant node.
    fn vacant_link(&mut self) -> &mut u32;

    /// Makes the node vacant: it frees its memory.
    fn vacate(&mut self) {
        *self = Self::default();
    }
}

/// Nodes by number.
pub(crate) struct Slab<T> {
    /// The nodes that are allocated together.
    nodes: Vec<Vec<T>>,
    /// What else belongs to each of `nodes`: finding a node needs none of it.
    chunks: Vec<Chunk>,
    /// The first chunk with vacant nodes: a list through [`Chunk::next`] and [`Chunk::previous`].
    roomy: u32,
    /// The first chunk without memory: a list through [`Chunk::next`].
    freed: u32,
    len: usize,
}

/// Nodes that are allocated together, without them.
struct Chunk {
    /// The first vacant node that was used before.
    vacant: u32,
    /// How many nodes are not vacant.
    len: u32,
    next: u32,
    previous: u32,
}

impl<T: Slot> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new(), chunks: Vec::new(), roomy: NONE, freed: NONE, len: 0 }
    }

    /// Returns how many nodes are not vacant.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.nodes.get((number / T::CHUNK) as usize)?.get((number % T::CHUNK) as usize)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.nodes.get_mut((number / T::CHUNK) as usize)?.get_mut((number % T::CHUNK) as usize)
    }

    /// Returns the number of the node that the next [`occupy`](Self::occupy) returns.
    #[inline]
    pub(crate) fn vacant(&mut self) -> Option<u32> {
        if self.roomy == NONE {
            self.add_chunk()?;
        }
        let chunk = self.chunks.get(self.roomy as usize)?;
        let used = self.nodes.get(self.roomy as usize)?.len() as u32;
        Some(if chunk.vacant == NONE { self.roomy * T::CHUNK + used } else { chunk.vacant })
    }

    /// Returns a vacant node, which counts as used from now on; `None` if there are no more numbers. It is as
    /// [`vacate`](Slot::vacate) left it, or new.
    #[inline]
    pub(crate) fn occupy(&mut self) -> Option<&mut T> {
        if self.roomy == NONE {
            self.add_chunk()?;
        }
        let index = self.roomy;
        let chunk = self.chunks.get_mut(index as usize)?;
        let nodes = self.nodes.get_mut(index as usize)?;
        let place = if chunk.vacant == NONE {
            nodes.push(T::default());
            nodes.len() - 1
        } else {
            let place = (chunk.vacant % T::CHUNK) as usize;
            chunk.vacant = *nodes.get_mut(place)?.vacant_link();
            place
        };
        chunk.len += 1;
        self.len += 1;
        if chunk.len == T::CHUNK {
            self.unlink(index);
        }
        self.nodes.get_mut(index as usize)?.get_mut(place)
    }

    /// Stores a node and returns its number; `None` if there are no more numbers.
    #[inline]
    pub(crate) fn insert(&mut self, node: T) -> Option<u32> {
        if self.roomy == NONE {
            self.add_chunk()?;
        }
        let index = self.roomy;
        let chunk = self.chunks.get_mut(index as usize)?;
        let nodes = self.nodes.get_mut(index as usize)?;
        let number = match nodes.get_mut((chunk.vacant % T::CHUNK) as usize) {
            Some(slot) if chunk.vacant != NONE => {
                let number = chunk.vacant;
                chunk.vacant = *slot.vacant_link();
                *slot = node;
                number
            }
            _ => {
                nodes.push(node);
                index * T::CHUNK + nodes.len() as u32 - 1
            }
        };
        chunk.len += 1;
        self.len += 1;
        if chunk.len == T::CHUNK {
            self.unlink(index);
        }
        Some(number)
    }

    /// Removes a node and returns it.
    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let node = self.get_mut(number).map(mem::take);
        self.free_node(number);
        node
    }

    /// Removes the nodes of this many chunks, whichever they are: the others are removed in the same way, and none is added.
    pub(crate) fn remove_chunks(&mut self, count: usize) {
        (self.roomy, self.freed) = (NONE, NONE);
        for _ in 0..count {
            self.nodes.pop();
            self.len -= self.chunks.pop().map_or(0, |chunk| chunk.len as usize);
        }
    }

    /// Removes a node and drops it.
    pub(crate) fn free_node(&mut self, number: u32) {
        let index = number / T::CHUNK;
        let Some(chunk) = self.chunks.get_mut(index as usize) else { return };
        let slot =
            self.nodes.get_mut(index as usize).and_then(|nodes| nodes.get_mut((number % T::CHUNK) as usize));
        let Some(slot) = slot else { return };
        slot.vacate();
        *slot.vacant_link() = mem::replace(&mut chunk.vacant, number);
        chunk.len -= 1;
        self.len -= 1;
        let (was_full, is_empty) = (chunk.len + 1 == T::CHUNK, chunk.len == 0);
        if was_full {
            self.link(index);
        }
        if is_empty {
            self.free(index);
        }
    }

    /// Allocates a chunk.
    fn add_chunk(&mut self) -> Option<()> {
        let mut index = self.freed;
        if index == NONE {
            index = u32::try_from(self.chunks.len()).ok().filter(|index| *index < NONE / T::CHUNK)?;
            self.nodes.push(Vec::new());
            self.chunks.push(Chunk { vacant: NONE, len: 0, next: NONE, previous: NONE });
        }
        let chunk = self.chunks.get_mut(index as usize)?;
        self.freed = mem::replace(&mut chunk.next, NONE);
        self.nodes.get_mut(index as usize)?.reserve_exact(T::CHUNK as usize);
        self.link(index);
        Some(())
    }

    /// Frees the memory of an empty chunk, unless it is the only one with vacant nodes.
    fn free(&mut self, index: u32) {
        let Some(chunk) = self.chunks.get_mut(index as usize) else { return };
        if chunk.next == NONE && chunk.previous == NONE {
            return;
        }
        chunk.vacant = NONE;
        if let Some(nodes) = self.nodes.get_mut(index as usize) {
            *nodes = Vec::new();
        }
        self.unlink(index);
        if let Some(chunk) = self.chunks.get_mut(index as usize) {
            chunk.next = mem::replace(&mut self.freed, index);
        }
    }

    /// Adds a chunk to those with vacant nodes.
    fn link(&mut self, index: u32) {
        let first = mem::replace(&mut self.roomy, index);
        if let Some(chunk) = self.chunks.get_mut(index as usize) {
            (chunk.next, chunk.previous) = (first, NONE);
        }
        if let Some(chunk) = self.chunks.get_mut(first as usize) {
            chunk.previous = index;
        }
    }

    /// Removes a chunk from those with vacant nodes.
    fn unlink(&mut self, index: u32) {
        let Some(chunk) = self.chunks.get_mut(index as usize) else { return };
        let next = mem::replace(&mut chunk.next, NONE);
        let previous = mem::replace(&mut chunk.previous, NONE);
        if let Some(chunk) = self.chunks.get_mut(next as usize) {
            chunk.previous = previous;
        }
        match self.chunks.get_mut(previous as usize) {
            Some(chunk) => chunk.next = next,
            None => self.roomy = next,
        }
    }
}
