//! A table of messages that finds them by key, by age and by sender, and counts its memory.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::mem;

use super::key::MessageKey;
use crate::table::{Chain, HashKey, Index, NONE, Slab, Slot};

/// One value per message. Each operation takes the same time, however many messages there are, and an entry needs no memory
/// besides its node, that of its sender, and what the key and the value have allocated.
pub(super) struct MessageStore<V> {
    hash_key: HashKey,
    messages: Slab<Message<V>>,
    by_key: Index<ByKey<V>>,
    senders: Slab<Sender>,
    by_address: Index<ByAddress>,
    /// The first sender with so many messages: a list through [`Sender::next`] and [`Sender::previous`].
    by_usage: Vec<u32>,
    oldest: u32,
    newest: u32,
    octets: usize,
}

/// What the entries of one sender occupy.
#[derive(Clone, Copy, Default)]
pub(super) struct SenderUsage {
    pub(super) messages: usize,
    pub(super) octets: usize,
}

struct Message<V> {
    /// `None` if the node is vacant.
    entry: Option<(MessageKey, V)>,
    hash: u32,
    /// The next node in the same bucket; of a vacant node, the next vacant one.
    chain: u32,
    older: u32,
    newer: u32,
    sender: u32,
    /// The neighbours among the messages of the sender. The older one of the oldest is the newest.
    sender_older: u32,
    sender_newer: u32,
}

/// The sender of at least one message. Its address is that in the key of its messages.
struct Sender {
    octets: usize,
    messages: u32,
    hash: u32,
    /// The next node in the same bucket; of a vacant node, the next vacant one.
    chain: u32,
    oldest: u32,
    /// The neighbours among the senders with as many messages.
    next: u32,
    previous: u32,
}

struct ByKey<V>(PhantomData<V>);

struct ByAddress;

/// The memory that a value takes besides itself.
pub(super) trait MemoryCost {
    /// Returns the number of octets.
    fn memory_octets(&self) -> usize;
}

impl<V> Default for Message<V> {
    fn default() -> Self {
        Self {
            entry: None,
            hash: 0,
            chain: NONE,
            older: NONE,
            newer: NONE,
            sender: NONE,
            sender_older: NONE,
            sender_newer: NONE,
        }
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self { octets: 0, messages: 0, hash: 0, chain: NONE, oldest: NONE, next: NONE, previous: NONE }
    }
}

impl<V> Slot for Message<V> {
    const CHUNK: u32 = 32;

    fn vacant_link(&mut self) -> &mut u32 {
        &mut self.chain
    }
}

impl Slot for Sender {
    const CHUNK: u32 = 32;

    fn vacant_link(&mut self) -> &mut u32 {
        &mut self.chain
    }
}

impl<V> Chain for ByKey<V> {
    type Node = Message<V>;

    const BUCKETS: usize = 64;

    const PER_NODE: u32 = 1;

    fn hash(node: &Message<V>) -> u32 {
        node.hash
    }

    fn link(node: &mut Message<V>) -> &mut u32 {
        &mut node.chain
    }

    fn next(node: &Message<V>) -> u32 {
        node.chain
    }
}

impl Chain for ByAddress {
    type Node = Sender;

    const BUCKETS: usize = 64;

    const PER_NODE: u32 = 1;

    fn hash(node: &Sender) -> u32 {
        node.hash
    }

    fn link(node: &mut Sender) -> &mut u32 {
        &mut node.chain
    }

    fn next(node: &Sender) -> u32 {
        node.chain
    }
}

impl<V> MessageStore<V> {
    /// Creates an empty store. The seed protects against keys that a peer chooses to slow the store down.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            hash_key: HashKey::new(seed),
            messages: Slab::new(),
            by_key: Index::new(),
            senders: Slab::new(),
            by_address: Index::new(),
            by_usage: Vec::new(),
            oldest: NONE,
            newest: NONE,
            octets: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns the memory of all entries in octets.
    pub(super) const fn memory_octets(&self) -> usize {
        self.octets
    }

    fn hash(&self, octets: &[u8]) -> u32 {
        self.hash_key.hash(octets) as u32
    }

    fn find(&self, key: &MessageKey) -> Option<u32> {
        let is_same = |message: &Message<V>| message.entry.as_ref().is_some_and(|(other, _)| other == key);
        self.by_key.find(&self.messages, self.hash(key.octets()), is_same)
    }

    fn find_sender(&self, address: &[u8], hash: u32) -> Option<u32> {
        let is_same = |sender: &Sender| self.key(sender.oldest).is_some_and(|key| key.sender() == address);
        self.by_address.find(&self.senders, hash, is_same)
    }

    fn key(&self, number: u32) -> Option<&MessageKey> {
        self.messages.get(number)?.entry.as_ref().map(|(key, _)| key)
    }

    pub(super) fn get(&self, key: &MessageKey) -> Option<&V> {
        self.messages.get(self.find(key)?)?.entry.as_ref().map(|(_, value)| value)
    }

    pub(super) fn oldest(&self) -> Option<&V> {
        self.messages.get(self.oldest)?.entry.as_ref().map(|(_, value)| value)
    }

    /// Returns what the entries of a key's sender occupy.
    pub(super) fn usage(&self, key: &MessageKey) -> SenderUsage {
        let sender = self.find_sender(key.sender(), self.hash(key.sender()));
        let sender = sender.and_then(|sender| self.senders.get(sender));
        let usage =
            |sender: &Sender| SenderUsage { messages: sender.messages as usize, octets: sender.octets };
        sender.map(usage).unwrap_or_default()
    }
}

impl<V: MemoryCost> MessageStore<V> {
    /// Returns the octets of an entry without those of its value: its node, that of its sender, and the buckets of both.
    pub(super) fn empty_entry_octets(key: &MessageKey) -> usize {
        const BUCKETS: usize = 2 * size_of::<u32>();
        size_of::<Message<V>>() + size_of::<Sender>() + BUCKETS + key.heap_octets()
    }

    pub(super) fn entry_octets(key: &MessageKey, value: &V) -> usize {
        Self::empty_entry_octets(key) + value.memory_octets()
    }

    /// Inserts a value as the newest entry and drops the previous value of the key.
    pub(super) fn insert(&mut self, key: MessageKey, value: V) {
        self.remove(&key);
        let octets = Self::entry_octets(&key, &value);
        let (hash, sender_hash) = (self.hash(key.octets()), self.hash(key.sender()));
        let known = self.find_sender(key.sender(), sender_hash);
        let sender = known.or_else(|| self.senders.insert(Sender { hash: sender_hash, ..Sender::default() }));
        // There are fewer entries than numbers of nodes.
        let Some(sender) = sender else { return };
        let (entry, older) = (Some((key, value)), self.newest);
        let message = Message { entry, hash, older, sender, ..Message::default() };
        let Some(number) = self.messages.insert(message) else { return };
        self.newest = number;
        match self.messages.get_mut(older) {
            Some(older) => older.newer = number,
            None => self.oldest = number,
        }
        let oldest = self.senders.get(sender).map_or(NONE, |sender| sender.oldest);
        let newest =
            self.messages.get_mut(oldest).map(|oldest| mem::replace(&mut oldest.sender_older, number));
        if let Some(newest) = newest.and_then(|newest| self.messages.get_mut(newest)) {
            newest.sender_newer = number;
        } else if let Some(sender) = self.senders.get_mut(sender) {
            sender.oldest = number;
        }
        if let Some(message) = self.messages.get_mut(number) {
            message.sender_older = newest.unwrap_or(number);
        }
        if known.is_none() {
            self.by_address.insert(&mut self.senders, sender);
        }
        self.by_key.insert(&mut self.messages, number);
        self.octets += octets;
        if let Some(sender) = self.senders.get_mut(sender) {
            sender.octets += octets;
        }
        self.change_messages(sender, |messages| messages + 1);
    }

    /// Calls `update` with the value of the key and `argument`. Returns `argument` as an error if the key has no value.
    pub(super) fn update<A>(
        &mut self,
        key: &MessageKey,
        argument: A,
        update: impl FnOnce(&mut V, A),
    ) -> Result<(), A> {
        let message = self.find(key).and_then(|number| self.messages.get_mut(number));
        let Some(Message { entry: Some((_, value)), sender, .. }) = message else { return Err(argument) };
        let before = value.memory_octets();
        update(value, argument);
        let after = value.memory_octets();
        self.octets = self.octets - before + after;
        if let Some(sender) = self.senders.get_mut(*sender) {
            sender.octets = sender.octets - before + after;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        self.remove_number(self.find(key)?)
    }

    fn remove_number(&mut self, number: u32) -> Option<(MessageKey, V)> {
        self.by_key.remove(&mut self.messages, number);
        let message = self.messages.remove(number)?;
        let Message { entry, older, newer, sender, sender_older, sender_newer, .. } = message;
        match self.messages.get_mut(older) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match self.messages.get_mut(newer) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        let oldest = match self.senders.get_mut(sender) {
            Some(sender) if sender.oldest == number => mem::replace(&mut sender.oldest, sender_newer),
            Some(sender) => {
                if let Some(older) = self.messages.get_mut(sender_older) {
                    older.sender_newer = sender_newer;
                }
                sender.oldest
            }
            None => NONE,
        };
        // Without a newer one, it was the newest.
        let newer = if sender_newer == NONE { oldest } else { sender_newer };
        if let Some(newer) = self.messages.get_mut(newer) {
            newer.sender_older = sender_older;
        }
        let (key, value) = entry?;
        let octets = Self::entry_octets(&key, &value);
        self.octets -= octets;
        if let Some(sender) = self.senders.get_mut(sender) {
            sender.octets -= octets;
        }
        self.change_messages(sender, |messages| messages - 1);
        Some((key, value))
    }

    /// Changes the number of a sender's messages by one, and removes a sender without messages.
    fn change_messages(&mut self, number: u32, change: impl FnOnce(u32) -> u32) {
        let Some(sender) = self.senders.get_mut(number) else { return };
        let before = sender.messages as usize;
        sender.messages = change(sender.messages);
        let after = sender.messages as usize;
        let (next, previous) =
            (mem::replace(&mut sender.next, NONE), mem::replace(&mut sender.previous, NONE));
        if let Some(next) = self.senders.get_mut(next) {
            next.previous = previous;
        }
        if let Some(previous) = self.senders.get_mut(previous) {
            previous.next = next;
        } else if let Some(first) = self.by_usage.get_mut(before).filter(|first| **first == number) {
            *first = next;
        }
        if after == 0 {
            self.by_address.remove(&mut self.senders, number);
            self.senders.remove(number);
        } else {
            if self.by_usage.len() <= after {
                self.by_usage.resize(after + 1, NONE);
            }
            let first = self.by_usage.get_mut(after).map(|first| mem::replace(first, number));
            let first = first.unwrap_or(NONE);
            if let Some(next) = self.senders.get_mut(first) {
                next.previous = number;
            }
            if let Some(sender) = self.senders.get_mut(number) {
                sender.next = first;
            }
        }
        // One step: the counts change by one.
        while self.by_usage.pop_if(|first| *first == NONE).is_some() {}
    }

    pub(super) fn remove_oldest(&mut self) -> Option<(MessageKey, V)> {
        self.remove_number(self.oldest)
    }

    /// Removes the oldest entry that has another key.
    pub(super) fn remove_oldest_but(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        let is_key = self.key(self.oldest)? == key;
        let oldest = if is_key { self.messages.get(self.oldest)?.newer } else { self.oldest };
        self.remove_number(oldest)
    }

    /// Removes the oldest entry of the key's sender that has another key.
    pub(super) fn remove_oldest_of_sender_but(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        let sender = self.find_sender(key.sender(), self.hash(key.sender()))?;
        let oldest = self.senders.get(sender)?.oldest;
        let is_key = self.key(oldest)? == key;
        let oldest = if is_key { self.messages.get(oldest)?.sender_newer } else { oldest };
        self.remove_number(oldest)
    }

    /// Removes the oldest entry of the sender with the most entries.
    pub(super) fn remove_oldest_of_busiest(&mut self) -> Option<(MessageKey, V)> {
        let oldest = self.senders.get(*self.by_usage.last()?)?.oldest;
        self.remove_number(oldest)
    }
}

/// Omits the entries: addresses and text are personal data.
impl<V> fmt::Debug for MessageStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStore")
            .field("len", &self.len())
            .field("octets", &self.octets)
            .finish_non_exhaustive()
    }
}
