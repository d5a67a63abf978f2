//! Tables that find an entry in constant time, however many there are, and grow and shrink in small steps.
//!
//! A [`Slab`] stores nodes under numbers, and an [`Index`] finds a node by a hash of its key. An [`Index`] links the nodes
//! by their numbers, so an entry needs little memory besides its node and its place in an [`Order`]. A [`TagIndex`] has the hashes
//! beside the numbers: it takes more memory, and finds one of many nodes faster, because it touches no other node.

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
