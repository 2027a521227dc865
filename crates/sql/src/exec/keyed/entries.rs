//! The form of an entry: what stands before the key, the key, what is under it.
//!
//! ```text
//!   head │ length of the key, and whether a time follows │ key │ time │ body
//!        │ u32, the highest bit                          │     │ i64  │
//! ```
//!
//! The time is that of the last update, in milliseconds. It is there if the state has a time to live,
//! so that one can be set or taken away from one run to the next.

use thalweg_core::data::{Data, take_bytes};
use thalweg_core::error::Result;
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::state::EntryWriter;

use super::keys::SharedStateKeys;

const TIMED: u32 = 1 << 31;

/// Writes entries.
pub struct KeyedWriter<'a, 'b> {
    out: &'a mut EntryWriter<'b>,
    max_parallelism: u32,
    key: Vec<u8>,
}

impl<'a, 'b> KeyedWriter<'a, 'b> {
    /// Appends to `out`.
    pub fn new(out: &'a mut EntryWriter<'b>, max_parallelism: u32) -> Self {
        KeyedWriter {
            out,
            max_parallelism,
            key: Vec::new(),
        }
    }

    /// Writes an entry of a key; `body` appends what is under it.
    ///
    /// # Errors
    /// What whoever takes the entries fails with.
    pub fn push(
        &mut self,
        head: &impl Data,
        keys: &SharedStateKeys,
        group: u32,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        self.key.clear();
        keys.write_key(group, &mut self.key);
        let (key, updated) = (&self.key, keys.updated(group));
        let group = key_group(stable_hash_bytes(key), self.max_parallelism);
        self.out.push_with(|out| {
            head.encode(out);
            (key.len() as u32 | if updated.is_some() { TIMED } else { 0 }).encode(out);
            out.extend_from_slice(key);
            if let Some(updated) = updated {
                updated.encode(out);
            }
            body(out);
            Some(group)
        })
    }
}

/// An entry that was read.
pub struct Stored<'a, H> {
    /// What stands before the key.
    pub head: H,
    /// The key's canonical bytes; none if there are no key columns.
    pub key: &'a [u8],
    /// When the key was updated last, in milliseconds, if that was kept.
    pub updated_ms: Option<i64>,
    /// What is under the key.
    pub body: &'a [u8],
}

impl<'a, H: Data> Stored<'a, H> {
    /// Reads an entry.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are none.
    pub fn read(mut entry: &'a [u8]) -> Result<Self> {
        let head = H::decode(&mut entry)?;
        let len = u32::decode(&mut entry)?;
        let key = take_bytes(&mut entry, (len & !TIMED) as usize)?;
        let updated_ms = match len & TIMED {
            0 => None,
            _ => Some(i64::decode(&mut entry)?),
        };
        Ok(Stored {
            head,
            key,
            updated_ms,
            body: entry,
        })
    }
}
