//! State at one moment, to be encoded later and on another thread.
//!
//! At a barrier a task only shares what it has; what it changes afterwards it copies first
//! ([`super::Chunked`]). So the task waits for a pointer a chunk, not for its state.

use std::sync::Arc;

use super::bits::Bits;
use super::entries::Entries;
use super::entry_writer::EntryWriter;
use super::slot::Slot;
use crate::error::Result;
use crate::time::ProcessingTime;

/// The keys of an operator instance at one moment.
pub trait FrozenKeys: Send + Sync {
    /// Appends the canonical bytes of a slot's key. Returns its key group.
    fn write_key(&self, slot: Slot, max_parallelism: u32, out: &mut Vec<u8>) -> u32;

    /// Whether a slot has a key.
    fn contains(&self, slot: Slot) -> bool;
}

/// The entries of a table at one moment.
pub trait FrozenEntries: Send + Sync {
    /// Appends all of them.
    ///
    /// # Errors
    /// What `out` fails with, or a store that has them.
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()>;

    /// The entries by slot, if a part of them can be written.
    fn by_slot(&self) -> Option<&dyn FrozenSlots> {
        None
    }
}

/// The entries of a keyed table at one moment, each under its slot.
pub trait FrozenSlots {
    /// Appends the entries of some slots.
    ///
    /// # Errors
    /// What `out` fails with.
    fn write_slots(&self, slots: &Bits, out: &mut EntryWriter<'_>) -> Result<()>;

    /// Appends the keys of those of some slots that have a key and no entry.
    ///
    /// # Errors
    /// What `out` fails with.
    fn write_cleared(&self, slots: &Bits, out: &mut EntryWriter<'_>) -> Result<()>;
}

impl FrozenEntries for Entries {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        out.append(self)
    }
}

/// What a table is frozen with.
pub struct Freezing {
    /// The keys of the operator instance, if it is keyed.
    pub keys: Option<Arc<dyn FrozenKeys>>,
    /// How many key groups there are.
    pub max_parallelism: u32,
    /// What time it is: expired values are left out.
    pub now: ProcessingTime,
}
