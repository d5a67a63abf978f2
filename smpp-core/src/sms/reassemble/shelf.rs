//! What is known of messages, by key and by age.

use alloc::collections::BTreeMap;
use core::fmt;

use super::message::Key;

/// What is known of each of some messages. The oldest is found as fast as that of a key.
pub(super) struct Shelf<V> {
    by_key: BTreeMap<Key, Entry<V>>,
    /// In the order in which they were put here.
    by_age: BTreeMap<u64, Key>,
    inserted: u64,
    weight: usize,
}

struct Entry<V> {
    serial: u64,
    value: V,
}

/// How many octets something holds besides itself.
pub(super) trait Weigh {
    fn weight(&self) -> usize;
}

impl<V> Shelf<V> {
    pub(super) const fn new() -> Self {
        Self { by_key: BTreeMap::new(), by_age: BTreeMap::new(), inserted: 0, weight: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Octets of all that is here.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        self.by_key.get(key).map(|entry| &entry.value)
    }

    pub(super) fn oldest(&self) -> Option<&V> {
        self.get(self.by_age.first_key_value()?.1)
    }
}

impl<V: Weigh> Shelf<V> {
    /// Octets that an empty entry takes. The key is in both maps, whose nodes may be half empty.
    pub(super) fn overhead(key: &Key) -> usize {
        2 * (size_of::<(Key, Entry<V>)>() + size_of::<(u64, Key)>() + key.weight())
    }

    pub(super) fn weight_of(key: &Key, value: &V) -> usize {
        Self::overhead(key) + value.weight()
    }

    /// Puts it behind all others. What the key had is gone.
    pub(super) fn insert(&mut self, key: Key, value: V) {
        self.remove(&key);
        self.inserted += 1;
        self.weight += Self::weight_of(&key, &value);
        self.by_age.insert(self.inserted, key.clone());
        self.by_key.insert(key, Entry { serial: self.inserted, value });
    }

    /// Changes what the key has, or hands `with` back if it has nothing.
    pub(super) fn change<A>(&mut self, key: &Key, with: A, change: impl FnOnce(&mut V, A)) -> Result<(), A> {
        let Some(Entry { value, .. }) = self.by_key.get_mut(key) else { return Err(with) };
        self.weight -= value.weight();
        change(value, with);
        self.weight += value.weight();
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<(Key, V)> {
        let (key, Entry { serial, value }) = self.by_key.remove_entry(key)?;
        self.by_age.remove(&serial);
        self.weight -= Self::weight_of(&key, &value);
        Some((key, value))
    }

    pub(super) fn remove_oldest(&mut self) -> Option<(Key, V)> {
        let (_, key) = self.by_age.pop_first()?;
        self.remove(&key)
    }
}

/// Whose messages they are is theirs.
impl<V> fmt::Debug for Shelf<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("len", &self.len())
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}
