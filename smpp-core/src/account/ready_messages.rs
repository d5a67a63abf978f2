//! The messages that are ready to be sent, by the binds that may send them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::link::{BindId, LinkId};
use super::message::Priority;
use super::outcome::MessageNumber;

/// The order in which messages are sent.
pub(super) type ReadyKey = (Reverse<Priority>, MessageNumber);

/// Which bind may send the next segment of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The bind with the most free capacity.
    Any,
    /// The bind of this slot, as long as it can send: it has sent an earlier segment of the message, or was chosen because
    /// another bind refused it. After its end, and while it pauses, any bind.
    Following(LinkId),
    /// Only this bind, which the caller has named.
    Named(BindId),
}

/// Whether the bind of a slot can send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Now, and its window has this capacity.
    Ready { capacity: u16 },
    /// Soon: its window is full, or its rate limit is reached.
    Busy,
    /// There is no bind that sends, or it pauses or is being ended.
    Unusable,
}

/// The messages that have a segment to send now.
#[derive(Debug, Default)]
pub(super) struct ReadyMessages {
    any: BTreeSet<ReadyKey>,
    /// By the index of the slot; only as many as were used.
    links: Vec<LinkMessages>,
}

#[derive(Debug, Default)]
struct LinkMessages {
    following: BTreeSet<ReadyKey>,
    named: BTreeSet<ReadyKey>,
}

impl ReadyMessages {
    pub(super) const fn new() -> Self {
        Self { any: BTreeSet::new(), links: Vec::new() }
    }

    pub(super) fn insert(&mut self, route: Route, key: ReadyKey) {
        self.set(route).insert(key);
    }

    pub(super) fn remove(&mut self, route: Route, key: ReadyKey) {
        self.set(route).remove(&key);
    }

    fn set(&mut self, route: Route) -> &mut BTreeSet<ReadyKey> {
        let (link, is_named) = match route {
            Route::Any => return &mut self.any,
            Route::Following(link) => (link, false),
            Route::Named(bind) => (bind.link(), true),
        };
        if self.links.len() <= link.index() {
            self.links.resize_with(link.index() + 1, LinkMessages::default);
        }
        match self.links.get_mut(link.index()) {
            Some(own) if is_named => &mut own.named,
            Some(own) => &mut own.following,
            // Unreachable: the vector has just been extended.
            None => &mut self.any,
        }
    }

    /// Returns the message to send next and the bind that sends it. A message that waits for its bind does not stop those
    /// that other binds can send.
    pub(super) fn first(
        &self,
        links: impl Iterator<Item = (LinkId, Sending)>,
    ) -> Option<(MessageNumber, LinkId)> {
        // The bind with the most capacity, of several the first: it sends what any bind may send.
        let mut least_loaded: Option<(u16, LinkId)> = None;
        let mut first_of_any = self.any.first().copied();
        let mut first_of_one: Option<(ReadyKey, LinkId)> = None;
        let mut slots = 0;
        for (link, sending) in links {
            slots = link.index() + 1;
            let own = self.links.get(link.index());
            let following = own.and_then(|own| own.following.first()).copied();
            match sending {
                Sending::Ready { capacity } => {
                    if least_loaded.is_none_or(|(most, _)| capacity > most) {
                        least_loaded = Some((capacity, link));
                    }
                    let named = own.and_then(|own| own.named.first()).copied();
                    let first = following.into_iter().chain(named).map(|key| (key, link));
                    first_of_one = first.chain(first_of_one).min();
                }
                Sending::Busy => {}
                Sending::Unusable => first_of_any = following.into_iter().chain(first_of_any).min(),
            }
        }
        first_of_any = self.following_no_slot(slots).chain(first_of_any).min();
        let (_, least_loaded) = least_loaded?;
        let first_of_any = first_of_any.map(|key| (key, least_loaded));
        let ((_, message), link) = first_of_any.into_iter().chain(first_of_one).min()?;
        Some((message, link))
    }

    /// Returns whether a message waits that any bind may send.
    pub(super) fn any_waits(&self, links: impl Iterator<Item = (LinkId, Sending)>) -> bool {
        let follows =
            |link: LinkId| self.links.get(link.index()).is_some_and(|own| !own.following.is_empty());
        let mut slots = 0;
        for (link, sending) in links {
            slots = link.index() + 1;
            if sending == Sending::Unusable && follows(link) {
                return true;
            }
        }
        !self.any.is_empty() || self.following_no_slot(slots).next().is_some()
    }

    /// Returns the first message of those that follow each slot which no longer exists: any bind may send them.
    fn following_no_slot(&self, slots: usize) -> impl Iterator<Item = ReadyKey> {
        self.links.iter().skip(slots).filter_map(|own| own.following.first()).copied()
    }

    /// Returns whether a message waits for the bind of this slot.
    pub(super) fn waits_for(&self, link: LinkId) -> bool {
        let waits = |own: &LinkMessages| !own.following.is_empty() || !own.named.is_empty();
        self.links.get(link.index()).is_some_and(waits)
    }

    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |own: &LinkMessages| own.following.is_empty() && own.named.is_empty();
        self.any.is_empty() && self.links.iter().all(is_empty)
    }
}
