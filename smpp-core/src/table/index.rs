//! A hash index of the nodes in a [`Slab`]: it finds a node by a hash of its key.
//!
//! The nodes of a bucket are linked through a field of their own. The index grows and shrinks by one bucket at a time
//! (linear hashing), so no call does more work than the buckets that it touches have nodes.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::slab::{NONE, Slab, Slot};

/// The buckets are removed when there are this many times as many as needed.
const SHRINK: u32 = 4;

/// The fields of a node that the index uses.
pub(crate) trait Chain {
    type Node: Slot;

    /// How many buckets are allocated at once.
    const BUCKETS: usize;

    /// How many buckets there are for each node: 1 saves memory, 2 time.
    const PER_NODE: u32;

    /// Returns the hash of a node's key.
    fn hash(node: &Self::Node) -> u32;

    /// Returns the field that links to the next node of the bucket.
    fn link(node: &mut Self::Node) -> &mut u32;

    /// Returns the next node of the bucket.
    fn next(node: &Self::Node) -> u32;
}

pub(crate) struct Index<C> {
    /// The first node of each bucket.
    chunks: Vec<Vec<u32>>,
    buckets: u32,
    len: u32,
    chain: PhantomData<C>,
}

impl<C: Chain> Index<C> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), buckets: 0, len: 0, chain: PhantomData }
    }

    /// Returns the bucket of a hash, if there are this many buckets.
    #[inline(always)]
    fn bucket(hash: u32, buckets: u32) -> u32 {
        // Buckets without their double yet hold the nodes of both.
        let mask = u32::MAX >> buckets.saturating_sub(1).leading_zeros().min(31);
        let bucket = hash & mask;
        if bucket < buckets { bucket } else { bucket & (mask >> 1) }
    }

    fn first(&mut self, bucket: u32) -> Option<&mut u32> {
        let bucket = bucket as usize;
        self.chunks.get_mut(bucket / C::BUCKETS)?.get_mut(bucket % C::BUCKETS)
    }

    /// Returns a node with this hash for which `matches` returns true.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        nodes: &Slab<C::Node>,
        hash: u32,
        mut matches: impl FnMut(&C::Node) -> bool,
    ) -> Option<u32> {
        let bucket = Self::bucket(hash, self.buckets) as usize;
        let mut number = *self.chunks.get(bucket / C::BUCKETS)?.get(bucket % C::BUCKETS)?;
        while let Some(node) = nodes.get(number) {
            if C::hash(node) == hash && matches(node) {
                return Some(number);
            }
            number = C::next(node);
        }
        None
    }

    /// Adds a node.
    pub(crate) fn insert(&mut self, nodes: &mut Slab<C::Node>, number: u32) {
        self.len += 1;
        let needed = self.len.saturating_mul(C::PER_NODE);
        for _ in self.buckets.max(needed.saturating_sub(C::PER_NODE))..needed {
            self.add_bucket(nodes);
        }
        self.link(nodes, number);
    }

    /// Puts a node at the front of its bucket.
    fn link(&mut self, nodes: &mut Slab<C::Node>, number: u32) {
        let Some(node) = nodes.get_mut(number) else { return };
        let bucket = Self::bucket(C::hash(node), self.buckets);
        if let Some(first) = self.first(bucket) {
            *C::link(node) = *first;
            *first = number;
        }
    }

    /// Removes a node.
    pub(crate) fn remove(&mut self, nodes: &mut Slab<C::Node>, number: u32) {
        let Some(node) = nodes.get_mut(number) else { return };
        let bucket = Self::bucket(C::hash(node), self.buckets);
        let next = core::mem::replace(C::link(node), NONE);
        let Some(first) = self.first(bucket) else { return };
        let mut before = *first;
        if before == number {
            *first = next;
        }
        while before != number
            && let Some(node) = nodes.get_mut(before)
        {
            before = C::next(node);
            if before == number {
                *C::link(node) = next;
            }
        }
        self.len = self.len.saturating_sub(1);
        let enough = self.len.saturating_mul(C::PER_NODE * SHRINK);
        for _ in enough..self.buckets.min(enough.saturating_add(C::PER_NODE * SHRINK)) {
            self.remove_bucket(nodes);
        }
    }

    /// Adds a bucket, and moves the nodes that belong there.
    fn add_bucket(&mut self, nodes: &mut Slab<C::Node>) {
        let new = self.buckets;
        if new as usize / C::BUCKETS == self.chunks.len() {
            self.chunks.push(alloc::vec![NONE; C::BUCKETS]);
        }
        self.buckets += 1;
        if new == 0 {
            return;
        }
        // The nodes whose hash has this bit are in the new bucket, and were in that without it.
        let bit = 1 << new.ilog2();
        let Some(first) = self.first(new & !bit) else { return };
        let mut number = core::mem::replace(first, NONE);
        let (mut kept, mut moved) = (NONE, NONE);
        while let Some(node) = nodes.get_mut(number) {
            let list = if C::hash(node) & bit == 0 { &mut kept } else { &mut moved };
            let link = C::link(node);
            let next = core::mem::replace(link, *list);
            *list = core::mem::replace(&mut number, next);
        }
        for (bucket, nodes) in [(new & !bit, kept), (new, moved)] {
            if nodes != NONE
                && let Some(first) = self.first(bucket)
            {
                *first = nodes;
            }
        }
    }

    /// Removes the last bucket, and moves its nodes.
    fn remove_bucket(&mut self, nodes: &mut Slab<C::Node>) {
        self.buckets -= 1;
        self.relink(nodes, self.buckets);
        // One chunk stays for the next bucket.
        if self.chunks.len() > self.buckets as usize / C::BUCKETS + 2 {
            self.chunks.pop();
        }
    }

    /// Puts each node of a bucket where it belongs.
    fn relink(&mut self, nodes: &mut Slab<C::Node>, bucket: u32) {
        let Some(first) = self.first(bucket) else { return };
        let mut number = core::mem::replace(first, NONE);
        while let Some(node) = nodes.get(number) {
            let next = C::next(node);
            self.link(nodes, number);
            number = next;
        }
    }
}
