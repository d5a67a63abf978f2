//! The messages that are ready to be sent, by the binds that may send them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem;

use super::fifo::Fifo;
use super::link::{BindId, LinkId};
use super::max_tree::MaxTree;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sending {
    /// Now, and its window has this capacity.
    Ready { capacity: u16 },
    /// Soon: its window is full, or its rate limit is reached.
    Busy,
    /// There is no bind that sends, or it pauses or is being ended.
    #[default]
    Unusable,
}

/// The messages that have a segment to send now.
#[derive(Debug, Default)]
pub(super) struct ReadyMessages {
    /// Those that any bind may send, by priority.
    any: [Fifo; 3],
    /// By the index of the slot; only as many as were used.
    links: Vec<LinkMessages>,
    /// The free capacity of the binds that can send now.
    capacities: MaxTree,
    /// Of each bind that can send now, the first message that only it may send.
    own: BTreeSet<(ReadyKey, LinkId)>,
    /// Of each slot without a bind that can send, the first message that follows it: any bind may send it.
    orphans: BTreeSet<(ReadyKey, LinkId)>,
    /// How many messages there are.
    length: usize,
}

#[derive(Debug, Default)]
struct LinkMessages {
    following: BTreeSet<ReadyKey>,
    named: BTreeSet<ReadyKey>,
    sending: Sending,
    /// Its entry in `own` or `orphans`.
    listed: Option<(ReadyKey, List)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Own,
    Orphans,
}

impl LinkMessages {
    /// Returns the first message that its bind may send, or any other bind if it cannot.
    fn first(&self) -> Option<(ReadyKey, List)> {
        let following = self.following.first().copied();
        match self.sending {
            Sending::Ready { .. } => {
                let first = following.into_iter().chain(self.named.first().copied()).min();
                first.map(|key| (key, List::Own))
            }
            Sending::Busy => None,
            Sending::Unusable => following.map(|key| (key, List::Orphans)),
        }
    }
}

impl ReadyMessages {
    pub(super) const fn new() -> Self {
        Self {
            any: [const { Fifo::new() }; 3],
            links: Vec::new(),
            capacities: MaxTree::new(),
            own: BTreeSet::new(),
            orphans: BTreeSet::new(),
            length: 0,
        }
    }

    pub(super) fn insert(&mut self, route: Route, key: ReadyKey) {
        let is_new = match route {
            Route::Any => self.any(key.0.0).is_some_and(|any| any.insert(key.1)),
            Route::Following(link) => self.change(link, |own| own.following.insert(key)),
            Route::Named(bind) => self.change(bind.link(), |own| own.named.insert(key)),
        };
        self.length += usize::from(is_new);
    }

    pub(super) fn remove(&mut self, route: Route, key: ReadyKey) {
        let is_removed = match route {
            Route::Any => self.any(key.0.0).is_some_and(|any| any.remove(key.1)),
            Route::Following(link) => self.change(link, |own| own.following.remove(&key)),
            Route::Named(bind) => self.change(bind.link(), |own| own.named.remove(&key)),
        };
        self.length -= usize::from(is_removed);
    }

    /// Frees memory that the messages no longer need.
    pub(super) fn shrink(&mut self) {
        self.any.iter_mut().for_each(Fifo::shrink);
    }

    fn any(&mut self, priority: Priority) -> Option<&mut Fifo> {
        self.any.get_mut(priority as usize)
    }

    /// Returns the first of the messages that any bind may send.
    fn first_of_any(&self) -> Option<ReadyKey> {
        [Priority::High, Priority::Normal, Priority::Low].into_iter().find_map(|priority| {
            let number = self.any.get(priority as usize)?.first()?;
            Some((Reverse(priority), number))
        })
    }

    /// Sets what the bind of a slot can do. Before that, and without a slot, it can send nothing.
    #[inline(always)]
    pub(super) fn set_sending(&mut self, link: LinkId, sending: Sending) {
        let capacity = match sending {
            Sending::Ready { capacity } => capacity,
            Sending::Busy | Sending::Unusable => 0,
        };
        self.capacities.set(link.index(), capacity);
        match (self.links.get_mut(link.index()), sending) {
            (None, Sending::Unusable) => {}
            // What it lists depends only on whether it can send.
            (Some(own), sending) if mem::discriminant(&own.sending) == mem::discriminant(&sending) => {
                own.sending = sending;
            }
            _ => self.change(link, |own| own.sending = sending),
        }
    }

    /// Changes the messages of a slot, and lists the first one anew.
    fn change<T: Default>(&mut self, link: LinkId, change: impl FnOnce(&mut LinkMessages) -> T) -> T {
        if self.links.len() <= link.index() {
            self.links.resize_with(link.index() + 1, LinkMessages::default);
        }
        // There is one: the vector has just been extended.
        let Some(own) = self.links.get_mut(link.index()) else { return T::default() };
        let changed = change(own);
        let first = own.first();
        let before = mem::replace(&mut own.listed, first);
        if before != first {
            if let Some((key, list)) = before {
                self.list(list).remove(&(key, link));
            }
            if let Some((key, list)) = first {
                self.list(list).insert((key, link));
            }
        }
        changed
    }

    const fn list(&mut self, list: List) -> &mut BTreeSet<(ReadyKey, LinkId)> {
        match list {
            List::Own => &mut self.own,
            List::Orphans => &mut self.orphans,
        }
    }

    /// Returns the message to send next and the bind that sends it: one that may send only its own, or of those with the most
    /// capacity the first. A message that waits for its bind does not stop those that other binds can send.
    pub(super) fn first(&self) -> Option<(MessageNumber, LinkId)> {
        let least_loaded = self.least_loaded()?;
        let orphan = self.orphans.first().map(|(key, _)| *key);
        let of_any = self.first_of_any().into_iter().chain(orphan).min();
        let of_one = self.own.first().copied();
        let ((_, message), link) = of_any.map(|key| (key, least_loaded)).into_iter().chain(of_one).min()?;
        Some((message, link))
    }

    /// Returns the bind with the most capacity, of several the first; `None` if no bind can send now.
    pub(super) fn least_loaded(&self) -> Option<LinkId> {
        // There is a slot for each `u16` at most.
        Some(LinkId(self.capacities.first_largest()? as u16))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }
}
