//! A map of messages that is ordered by key and by age, and counts its memory.

use alloc::collections::BTreeMap;
use core::fmt;

use super::key::MessageKey;

/// One value per message. Finding the oldest entry is as fast as finding an entry by its key.
pub(super) struct MessageStore<V> {
    by_key: BTreeMap<MessageKey, Entry<V>>,
    /// The keys by sequence number, that is in the order of insertion.
    by_age: BTreeMap<u64, MessageKey>,
    last_sequence: u64,
    octets: usize,
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
        Self { by_key: BTreeMap::new(), by_age: BTreeMap::new(), last_sequence: 0, octets: 0 }
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
}

impl<V: MemoryCost> MessageStore<V> {
    /// Returns the octets of an entry without those of its value: twice the size of the keys and the entry, because
    /// both maps store the key and their nodes may be half empty.
    pub(super) fn empty_entry_octets(key: &MessageKey) -> usize {
        2 * (size_of::<(MessageKey, Entry<V>)>() + size_of::<(u64, MessageKey)>() + key.heap_octets())
    }

    pub(super) fn entry_octets(key: &MessageKey, value: &V) -> usize {
        Self::empty_entry_octets(key) + value.memory_octets()
    }

    /// Inserts a value as the newest entry and drops the previous value of the key.
    pub(super) fn insert(&mut self, key: MessageKey, value: V) {
        self.remove(&key);
        self.last_sequence += 1;
        self.octets += Self::entry_octets(&key, &value);
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
        self.octets -= value.memory_octets();
        update(value, argument);
        self.octets += value.memory_octets();
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &MessageKey) -> Option<(MessageKey, V)> {
        let (key, Entry { sequence, value }) = self.by_key.remove_entry(key)?;
        self.by_age.remove(&sequence);
        self.octets -= Self::entry_octets(&key, &value);
        Some((key, value))
    }

    pub(super) fn remove_oldest(&mut self) -> Option<(MessageKey, V)> {
        let (_, key) = self.by_age.pop_first()?;
        self.remove(&key)
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
