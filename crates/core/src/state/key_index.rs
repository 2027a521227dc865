//! Keys to slots: each live key of an operator instance has a small number.

use std::any::Any;
use std::sync::Arc;

use hashbrown::HashTable;

use super::chunked::{Chunked, SharedChunks};
use super::frozen::FrozenKeys;
use super::slot::Slot;
use crate::data::{Key, Schema};
use crate::error::Result;
use crate::key_group::key_group;

struct Entry {
    hash: u64,
    slot: Slot,
}

#[derive(Clone)]
struct Hashed<K> {
    key: K,
    hash: u64,
}

/// The live keys of an operator instance.
pub struct KeyIndex<K> {
    table: HashTable<Entry>,
    keys: Chunked<Hashed<K>>,
    // How many slots were ever given.
    given: u32,
    free: Vec<Slot>,
    scratch: Vec<u8>,
}

impl<K: Key> Default for KeyIndex<K> {
    fn default() -> Self {
        KeyIndex {
            table: HashTable::new(),
            keys: Chunked::default(),
            given: 0,
            free: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

impl<K: Key> KeyIndex<K> {
    /// The slot of `key`, a new one if it has none. `hash` is its stable hash.
    #[inline]
    pub fn intern(&mut self, key: K, hash: u64) -> Slot {
        let keys = &self.keys;
        if let Some(entry) = self.table.find(hash, |entry| {
            entry.hash == hash
                && keys
                    .get(entry.slot.index())
                    .is_some_and(|hashed| hashed.key == key)
        }) {
            return entry.slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = Slot(self.given);
            assert!(slot != Slot::NONE, "more than 2^32 - 1 keys in one subtask");
            self.given += 1;
            slot
        });
        *self.keys.place(slot.index()) = Some(Hashed { key, hash });
        self.table
            .insert_unique(hash, Entry { hash, slot }, |entry| entry.hash);
        slot
    }

    /// Appends the slots of a batch of keys, whose stable hashes are `hashes`; takes the keys.
    ///
    /// An index that is larger than the caches of the machine waits for memory twice a key: for
    /// the entry and for the key behind it. Each wait has a short loop of its own, so that those
    /// of several keys overlap.
    pub fn intern_batch(&mut self, keys: &mut Vec<K>, hashes: &[u64], slots: &mut Vec<Slot>) {
        assert!(keys.len() == hashes.len(), "a hash for each key");
        let first = slots.len();
        slots.extend(hashes.iter().map(|hash| {
            let entry = self.table.find(*hash, |entry| entry.hash == *hash);
            entry.map_or(Slot::NONE, |entry| entry.slot)
        }));
        for ((key, hash), slot) in keys.drain(..).zip(hashes).zip(&mut slots[first..]) {
            // Nothing is released meanwhile. Keys that are new, or share their hash with another.
            let hashed = self.keys.get(slot.index());
            if hashed.is_none_or(|hashed| hashed.key != key) {
                *slot = self.intern(key, *hash);
            }
        }
    }

    /// The slot of `key`, hashing it first.
    pub fn intern_key(&mut self, key: K) -> Slot {
        let mut scratch = std::mem::take(&mut self.scratch);
        let hash = key.stable_hash(&mut scratch);
        self.scratch = scratch;
        self.intern(key, hash)
    }

    /// The key in a slot.
    pub fn key(&self, slot: Slot) -> Option<&K> {
        self.keys.get(slot.index()).map(|hashed| &hashed.key)
    }

    /// How many keys are live.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no key is live.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// A key index whose key type is known elsewhere.
pub trait ErasedKeyIndex: Any + Send {
    /// Reads a key, gives it a slot, and moves `input` behind it.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no key.
    fn intern_bytes(&mut self, input: &mut &[u8]) -> Result<Slot>;

    /// The shape of a key.
    fn schema(&self) -> Schema;

    /// Appends the canonical bytes of a slot's key.
    fn write_key(&self, slot: Slot, out: &mut Vec<u8>);

    /// The key group of a slot's key.
    fn group(&self, slot: Slot, max_parallelism: u32) -> u32;

    /// Whether a slot has a key.
    fn contains(&self, slot: Slot) -> bool;

    /// Bytes of a key's place.
    fn place_bytes(&self) -> usize;

    /// Whether keys have memory behind pointers.
    fn has_pointers(&self) -> bool;

    /// The keys as they are now.
    fn freeze(&mut self) -> Arc<dyn FrozenKeys>;

    /// Forgets a key.
    fn release(&mut self, slot: Slot);

    /// For recovering the concrete type.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// For recovering the concrete type.
    fn as_any(&self) -> &dyn Any;
}

impl<K: Key> ErasedKeyIndex for KeyIndex<K> {
    fn intern_bytes(&mut self, input: &mut &[u8]) -> Result<Slot> {
        Ok(self.intern_key(K::decode(input)?))
    }

    fn schema(&self) -> Schema {
        K::schema()
    }

    fn write_key(&self, slot: Slot, out: &mut Vec<u8>) {
        known(self.keys.get(slot.index())).key.encode(out);
    }

    fn group(&self, slot: Slot, max_parallelism: u32) -> u32 {
        key_group(known(self.keys.get(slot.index())).hash, max_parallelism)
    }

    fn contains(&self, slot: Slot) -> bool {
        self.keys.get(slot.index()).is_some()
    }

    fn place_bytes(&self) -> usize {
        size_of::<Option<Hashed<K>>>() + size_of::<Entry>()
    }

    fn has_pointers(&self) -> bool {
        std::mem::needs_drop::<K>()
    }

    fn freeze(&mut self) -> Arc<dyn FrozenKeys> {
        Arc::new(FrozenIndex(self.keys.share(false)))
    }

    fn release(&mut self, slot: Slot) {
        let Some(Hashed { hash, .. }) = self.keys.get(slot.index()) else {
            return;
        };
        if let Ok(entry) = self.table.find_entry(*hash, |entry| entry.slot == slot) {
            entry.remove();
            *self.keys.place(slot.index()) = None;
            self.free.push(slot);
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct FrozenIndex<K>(SharedChunks<Hashed<K>>);

fn known<K>(hashed: Option<&Hashed<K>>) -> &Hashed<K> {
    // INVARIANT: the key of a slot is let go last.
    hashed.unwrap_or_else(|| unreachable!("the key of a slot in use is known"))
}

impl<K: Key> FrozenKeys for FrozenIndex<K> {
    fn write_key(&self, slot: Slot, max_parallelism: u32, out: &mut Vec<u8>) -> u32 {
        let hashed = known(self.0.get(slot.index()));
        hashed.key.encode(out);
        key_group(hashed.hash, max_parallelism)
    }

    fn contains(&self, slot: Slot) -> bool {
        self.0.get(slot.index()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_batch_of_keys_gets_the_slots_that_they_get_one_by_one(
            batches in proptest::collection::vec(proptest::collection::vec(0u64..40, 0..30), 0..6),
            hashes in 1u64..40,
        ) {
            let (mut batched, mut single) = (KeyIndex::default(), KeyIndex::default());
            for mut batch in batches {
                // Several keys share a hash.
                let hashed: Vec<u64> = batch.iter().map(|key| key % hashes).collect();
                let keys = batch.iter().zip(&hashed);
                let expected: Vec<Slot> = keys.map(|(key, hash)| single.intern(*key, *hash)).collect();
                let mut slots = vec![Slot::NONE];
                batched.intern_batch(&mut batch, &hashed, &mut slots);
                prop_assert_eq!(slots.remove(0), Slot::NONE, "what was there stays");
                prop_assert_eq!(slots, expected);
                prop_assert!(batch.is_empty());
            }
        }
    }

    #[test]
    fn a_released_slot_is_given_to_the_next_new_key() {
        let mut index = KeyIndex::<String>::default();
        let a = index.intern_key("a".into());
        let b = index.intern_key("b".into());
        assert_eq!(index.intern_key("a".into()), a);
        index.release(a);
        assert_eq!(index.key(a), None);
        assert_eq!(index.intern_key("c".into()), a);
        assert_eq!(index.intern_key("b".into()), b);
        assert_eq!(index.len(), 2);
    }
}
