//! What a table must be able to do to be kept in a store.

use std::time::Duration;

use super::bits::Bits;
use super::slot::Slot;
use crate::error::Result;

/// A keyed table of which some slots' values are in memory.
pub trait PagedTable {
    /// Begins to note which slots change.
    fn track(&mut self);

    /// Takes a slot's value from the store: it has not changed.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no value of this table.
    fn load(&mut self, slot: Slot, value: &[u8]) -> Result<()>;

    /// Whether a slot has changed since it was last written down. Forgets that it has.
    fn take_change(&mut self, slot: Slot) -> bool;

    /// All slots that have changed since they were last written down. Forgets that they have.
    fn take_changes(&mut self) -> Bits;

    /// Appends a slot's value; false if it has none.
    fn write(&self, slot: Slot, out: &mut Vec<u8>) -> bool;

    /// Drops a slot's value from memory; false if it had none.
    fn unload(&mut self, slot: Slot) -> bool;

    /// Bytes of a slot's place.
    fn place_bytes(&self) -> usize;

    /// Whether values have memory behind pointers.
    fn has_pointers(&self) -> bool;

    /// How long an entry lives, if it begins with the time since when it lives.
    fn ttl(&self) -> Option<Duration> {
        None
    }
}
