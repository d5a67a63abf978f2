//! Tables that find an entry in constant time, however many there are, and grow and shrink in small steps.
//!
//! A [`Slab`] stores nodes under numbers, and an [`Index`] finds a node by a hash of its key. Indexes link the nodes
//! by their numbers, so an entry needs no memory besides its node and its place in an [`Order`].

mod hash;
mod index;
mod order;
mod slab;
mod tagged;

pub(crate) use hash::HashKey;
#[cfg(test)]
pub(crate) use hash::splitmix;
pub(crate) use index::{Chain, Index};
pub(crate) use order::Order;
pub(crate) use slab::{NONE, Slab, Slot};
pub(crate) use tagged::TagIndex;
