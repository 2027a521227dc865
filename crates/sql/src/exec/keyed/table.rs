//! Keys with what is under them, as a declared state.

use std::any::Any;
use std::sync::Arc;

use thalweg_core::data::{Data, Schema};
use thalweg_core::error::Result;
use thalweg_core::state::{
    Cleaning, EntryWriter, ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable,
};
use thalweg_core::time::ProcessingTime;

use super::entries::{KeyedWriter, Stored};
use super::keys::{SharedStateKeys, StateKeys};

/// What an operator keeps under the numbers of keys.
pub trait KeyedPayload: Send + 'static {
    /// What stands before the key in an entry.
    type Head: Data;
    /// It at one moment.
    type Shared: SharedPayload;

    /// Makes room for the numbers below `bound`.
    fn grow(&mut self, bound: usize);

    /// Takes an entry back. There is room for its number.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no entry's.
    fn restore(&mut self, group: u32, head: Self::Head, body: &[u8]) -> Result<()>;

    /// Whether nothing is under a number.
    fn is_empty(&self, group: u32) -> bool;

    /// Drops all that is under a number.
    fn clear(&mut self, group: u32);

    /// It as it is now, whatever becomes of this. Takes no time to speak of.
    fn share(&mut self) -> Self::Shared;
}

/// A payload at one moment, to be written on another thread.
pub trait SharedPayload: Send + Sync + 'static {
    /// Writes the entries of all keys that are not expired.
    ///
    /// # Errors
    /// `Unsupported` for a value without a canonical form.
    fn write(&self, keys: &SharedStateKeys, entries: &mut KeyedWriter<'_, '_>) -> Result<()>;
}

/// Keys and what is under them.
pub struct KeyedTable<P> {
    /// The keys.
    pub keys: StateKeys,
    /// What is under their numbers.
    pub payload: P,
}

impl<P: KeyedPayload> KeyedTable<P> {
    /// Drops what is expired of these keys, so that they begin anew.
    pub fn drop_expired(&mut self, groups: &[u32], now: ProcessingTime) {
        if !self.keys.expire() {
            return;
        }
        for group in groups {
            if self.keys.take_expired(*group, now) {
                self.payload.clear(*group);
            }
        }
    }

    /// Forgets those of some keys under which nothing is left.
    pub fn forget_empty(&mut self, groups: impl IntoIterator<Item = u32>) {
        for group in groups {
            if self.payload.is_empty(group) {
                self.forget(group);
            }
        }
    }

    fn forget(&mut self, group: u32) {
        self.payload.clear(group);
        self.keys.release(group);
    }

    /// Forgets some expired keys: as many are examined as so many accesses pay for.
    pub fn clean_up_after(&mut self, accesses: usize, now: ProcessingTime) {
        self.clean(Some(accesses), now);
    }

    fn clean(&mut self, accesses: Option<usize>, now: ProcessingTime) {
        if let Some(lifetime) = self.keys.lifetime_mut() {
            lifetime.pay(accesses);
        }
        let next = |keys: &mut StateKeys| keys.lifetime_mut()?.next_expired(now);
        while let Some(group) = next(&mut self.keys) {
            self.forget(group);
        }
    }
}

struct Frozen<S> {
    keys: SharedStateKeys,
    payload: S,
    max_parallelism: u32,
}

impl<S: SharedPayload> FrozenEntries for Frozen<S> {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        let mut entries = KeyedWriter::new(out, self.max_parallelism);
        self.payload.write(&self.keys, &mut entries)
    }
}

impl<P: KeyedPayload> StateTable for KeyedTable<P> {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn clean_up(&mut self, now: ProcessingTime, _: Cleaning, _: &mut dyn FnMut(Slot)) {
        self.clean(None, now);
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        Arc::new(Frozen {
            keys: self.keys.share(freezing.now),
            payload: self.payload.share(),
            max_parallelism: freezing.max_parallelism,
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let stored = Stored::<P::Head>::read(entry)?;
        let group = self.keys.restore(stored.key, stored.updated_ms)?;
        self.payload.grow(self.keys.bound());
        self.payload.restore(group, stored.head, stored.body)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
