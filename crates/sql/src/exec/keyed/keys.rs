//! The keys of a state, and how long they live.

use std::time::Duration;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use thalweg_columnar::{GroupKeys, SharedKeys};
use thalweg_core::error::Result;
use thalweg_core::time::ProcessingTime;

use super::lifetime::{Lifetime, SharedLifetime};

/// The keys of a state with their numbers. Without key columns there is one key, number 0.
pub struct StateKeys {
    keys: GroupKeys,
    global: bool,
    lifetime: Option<Lifetime>,
}

impl StateKeys {
    /// No keys yet, of columns of these types; `ttl` says how long one lives after its last update.
    pub fn new(types: Vec<DataType>, ttl: Option<Duration>) -> Self {
        StateKeys {
            lifetime: ttl.and_then(Lifetime::new),
            ..StateKeys::with_capacity(types, 0)
        }
    }

    /// The same without a time to live, with room for some keys.
    pub fn with_capacity(types: Vec<DataType>, keys: usize) -> Self {
        StateKeys {
            global: types.is_empty(),
            keys: GroupKeys::with_capacity(types, keys),
            lifetime: None,
        }
    }

    /// Whether keys expire.
    pub fn expire(&self) -> bool {
        self.lifetime.is_some()
    }

    /// One more than the highest number that was ever given.
    pub fn bound(&self) -> usize {
        if self.global { 1 } else { self.keys.bound() }
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        if self.global { 1 } else { self.keys.len() }
    }

    /// The number of every row's key; new keys get one.
    ///
    /// # Errors
    /// `Unsupported` for a key type without a canonical form.
    pub fn intern(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        groups.clear();
        if self.global {
            groups.resize(rows, 0);
        } else {
            self.keys.intern(columns, rows, groups)?;
        }
        self.grow();
        Ok(())
    }

    /// The number of a stored key.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no key.
    pub fn restore(&mut self, key: &[u8], updated_ms: Option<i64>) -> Result<u32> {
        let group = if self.global {
            0
        } else {
            self.keys.intern_bytes(key)?
        };
        self.grow();
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.restore(group, updated_ms);
        }
        Ok(group)
    }

    fn grow(&mut self) {
        let bound = self.bound();
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.grow(bound);
        }
    }

    /// The key columns of some numbers; none without key columns.
    ///
    /// # Errors
    /// `Corrupt` never, unless memory is.
    pub fn columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        if self.global {
            return Ok(Vec::new());
        }
        self.keys.columns(groups)
    }

    /// What was restored without a time lives from now on.
    pub fn begin(&mut self, now: ProcessingTime) {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.begin(now);
        }
    }

    /// Something was written under these keys.
    pub fn touch(&mut self, groups: &[u32], now: ProcessingTime) {
        if let Some(lifetime) = &mut self.lifetime {
            groups.iter().for_each(|group| lifetime.touch(*group, now));
        }
    }

    /// Whether a key's time is over. It is only once: afterwards nothing is under the key.
    pub fn take_expired(&mut self, group: u32, now: ProcessingTime) -> bool {
        let Some(lifetime) = &mut self.lifetime else {
            return false;
        };
        let expired = lifetime.is_expired(group, now);
        if expired {
            lifetime.clear(group);
        }
        expired
    }

    /// Gives a key's number back: nothing is under it any more.
    pub fn release(&mut self, group: u32) {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.clear(group);
        }
        if !self.global {
            self.keys.remove(group);
        }
    }

    /// The lifetime, if keys expire.
    pub fn lifetime_mut(&mut self) -> Option<&mut Lifetime> {
        self.lifetime.as_mut()
    }

    /// The keys as they are now, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self, now: ProcessingTime) -> SharedStateKeys {
        SharedStateKeys {
            keys: self.keys.share(),
            global: self.global,
            lifetime: self.lifetime.as_mut().map(|lifetime| lifetime.share(now)),
        }
    }
}

/// The keys at one moment, to be written on another thread.
pub struct SharedStateKeys {
    keys: SharedKeys,
    global: bool,
    lifetime: Option<SharedLifetime>,
}

impl SharedStateKeys {
    /// Appends the canonical bytes of a key.
    pub fn write_key(&self, group: u32, out: &mut Vec<u8>) {
        if !self.global {
            self.keys.write_key(group, out);
        }
    }

    /// When something was written under a key, if that is noted.
    pub fn updated(&self, group: u32) -> Option<i64> {
        self.lifetime.as_ref()?.updated(group)
    }

    /// Whether a key's time is over: it is not written.
    pub fn is_expired(&self, group: u32) -> bool {
        let lifetime = self.lifetime.as_ref();
        lifetime.is_some_and(|lifetime| lifetime.is_expired(group))
    }
}
