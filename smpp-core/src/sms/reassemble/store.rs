//! A map of messages that is ordered by key, by age and by sender, and counts its memory.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

use super::key::{MessageKey, OwnedAddress};

/// One value per message. Finding the oldest entry, of all or of one sender, is as fast as finding an entry by its key.
pub(super) struct MessageStore<V> {
    by_key: BTreeMap<MessageKey, Entry<V>>,
    /// The keys by sequence number, that is in the order of insertion.
    by_age: BTreeMap<u64, MessageKey>,
    /// The sequence numbers of each sender's entries.
    by_sender: BTreeSet<(OwnedAddress, u64)>,
    /// What each sender occupies.
    senders: BTreeMap<OwnedAddress, SenderUsage>,
    /// The senders by their number of entries.
    by_usage: BTreeSet<(usize, OwnedAddress)>,
    last_sequence: u64,
    octets: usize,
}

/// What the entries of one sender occupy.
#[derive(Clone, Copy, Default)]
pub(super) struct SenderUsage {
    pub(super) messages: usize,
    pub(super) octets: usize,
}

struct Entry<V> {
    sequence: u64,
    value: V,
}

/// The memory that a value takes besides itself.
pub(super) trait MemoryCost {
    /// Returns the number of octets.
    fn memory_octets(&self) -> usize;
}

impl<V> MessageStore<V> {
    pub(super) const fn new() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_age: BTreeMap::new(),
            by_sender: BTreeSet::new(),
            senders: BTreeMap::new(),
            by_usage: BTreeSet::new(),
            last_sequence: 0,
            octets: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Returns the memory of all entries in octets.
    pub(super) const fn memory_octets(&self) -> usize {
        self.octets
    }

    pub(super) fn get(&self, key: &MessageKey) -> Option<&V> {
        self.by_key.get(key).map(|entry| &entry.value)
    }

    pub(super) fn oldest(&self) -> Option<&V> {
        self.get(self.by_age.first_key_value()?.1)
    }

    /// Returns what the entries of a sender occupy.
    pub(super) fn usage(&self, sender: &OwnedAddress) -> SenderUsage {
        self.senders.get(sender).copied().unwrap_or_default()
    }
}

impl<V: MemoryCost> MessageStore<V> {
    /// Returns the octets of an entry without those of its value: twice the size of the keys and the entry, because
    /// each map stores a key and its nodes may be half empty.
    pub(super) fn empty_entry_octets(key: &MessageKey) -> usize {
        let by_key = size_of::<(MessageKey, Entry<V>)>() + key.heap_octets();
        let by_age = size_of::<(u64, MessageKey)>() + key.heap_octets();
        let by_sender = size_of::<(OwnedAddress, u64)>() + key.source.heap_octets();
        let sender = size_of::<(OwnedAddress, SenderUsage)>() + key.source.heap_octets();
        let by_usage = size_of::<(usize, OwnedAddress)>() + key.source.heap_octets();
        2 * (by_key + by_age + by_sender + sender + by_usage)
    }

    pub(super) fn entry_octets(key: &MessageKey, value: &V) -> usize {
        Self::empty_entry_octets(key) + value.memory_octets()
    }

    /// Inserts a value as the newest entry and drops the previous value of the key.
    pub(super) fn insert(&mut self, key: MessageKey, value: V) {
        self.remove(&key);
        self.last_sequence += 1;
        let octets = Self::entry_octets(&key, &value);
        self.octets += octets;
        let usage = self.senders.entry(key.source.clone()).or_default();
        let before = usage.messages;
        usage.messages += 1;
        usage.octets += octets;
        self.record_usage(&key.source, before, before + 1);
        self.by_sender.insert((key.source.clone(), self.last_sequence));
        self.by_age.insert(self.last_sequence, key.clone());
        self.by_key.insert(key, Entry { sequence: self.last_sequence, value });
    }

    /// Calls `update` with the value of the key and `argument`. Returns `argument` as an error if the key has no value.
    pub(super) fn update<A>(
        &mut self,
        key: &MessageKey,
        argument: A,
        update: impl FnOnce(&mut V, A),
    ) -> Result<(), A> {
        let Some(Entry { value, .. }) = self.by_key.get_mut(key) else { return Err(argument) };
        let before = value.memory_octets();
        update(value, argument);
        let after = value.memory_octets();
        self.octets = self.octets - before + after;
        if let Some(usage) = self.senders.get_mut(&key.source) {
            usage.octets = usage.octets - before + after;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        let (key, Entry { sequence, value }) = self.by_key.remove_entry(key)?;
        self.by_age.remove(&sequence);
        let by_sender = (key.source.clone(), sequence);
        self.by_sender.remove(&by_sender);
        let octets = Self::entry_octets(&key, &value);
        self.octets -= octets;
        if let Some(usage) = self.senders.get_mut(&key.source) {
            let before = usage.messages;
            usage.messages -= 1;
            usage.octets -= octets;
            if usage.messages == 0 {
                self.senders.remove(&key.source);
            }
            self.record_usage(&key.source, before, before - 1);
        }
        Some((key, value))
    }

    fn record_usage(&mut self, sender: &OwnedAddress, before: usize, messages: usize) {
        let mut usage = (before, sender.clone());
        self.by_usage.remove(&usage);
        if messages > 0 {
            usage.0 = messages;
            self.by_usage.insert(usage);
        }
    }

    pub(super) fn remove_oldest(&mut self) -> Option<(MessageKey, V)> {
        let key = self.by_age.first_key_value()?.1.clone();
        self.remove(&key)
    }

    /// Removes the oldest entry that has another key.
    pub(super) fn remove_oldest_but(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        let oldest = self.by_age.values().find(|other| *other != key)?.clone();
        self.remove(&oldest)
    }

    /// Removes the oldest entry of the key's sender that has another key.
    pub(super) fn remove_oldest_of_sender_but(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        let oldest = self.of_sender(&key.source).find(|other| *other != key)?.clone();
        self.remove(&oldest)
    }

    /// Removes the oldest entry of the sender with the most entries.
    pub(super) fn remove_oldest_of_busiest(&mut self) -> Option<(MessageKey, V)> {
        let (_, busiest) = self.by_usage.last()?;
        let oldest = self.of_sender(busiest).next()?.clone();
        self.remove(&oldest)
    }

    /// Returns the keys of a sender's entries, the oldest first.
    fn of_sender(&self, sender: &OwnedAddress) -> impl Iterator<Item = &MessageKey> {
        let all = self.by_sender.range((sender.clone(), 0)..=(sender.clone(), u64::MAX));
        all.filter_map(|(_, sequence)| self.by_age.get(sequence))
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
