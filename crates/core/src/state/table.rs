//! What the runtime asks of stored state, whatever its form.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::entries::Entries;
use super::frozen::{Freezing, FrozenEntries};
use super::key_index::ErasedKeyIndex;
use super::paged_table::PagedTable;
use crate::data::Schema;
use crate::error::Result;
use crate::time::ProcessingTime;

/// Takes the entries of a table: the entry's key group (`None` for operator state) and its bytes.
pub type EntrySink<'a> = dyn FnMut(Option<u32>, &[u8]) + 'a;

/// How much of a table is cleaned up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// As much as the accesses since the last time pay for.
    Part,
    /// As much as may hold a barrier up.
    Barrier,
}

/// Entries that are written at once, for a table that is small or cannot be shared.
pub fn written(write: impl FnOnce(&mut EntrySink<'_>)) -> Arc<dyn FrozenEntries> {
    let mut entries = Entries::default();
    write(&mut |group, entry| entries.push(group, entry));
    Arc::new(entries)
}

/// A named state of one operator instance.
///
/// An entry belongs to one key group, so that a table can be split and merged entry by entry when
/// the parallelism changes.
pub trait StateTable: Any + Send {
    /// The shape of an entry; of what stands behind the key, if the entries have keys.
    fn schema(&self) -> Schema;

    /// Whether the canonical bytes of its key stand before each entry.
    fn has_keys(&self) -> bool {
        false
    }

    /// The table as one that a store may lie below; `None` if it is always in memory.
    fn paged(&mut self) -> Option<&mut dyn PagedTable> {
        None
    }

    /// The places of these slots are about to be used: a table larger than the caches of the
    /// machine has them fetched now, all at once.
    fn look_ahead(&self, _: &[super::Slot]) {}

    /// Drops what is expired and reports the slots that hold nothing any more. Only called for
    /// tables that were declared with a time to live.
    fn clean_up(&mut self, _: ProcessingTime, _: Cleaning, _: &mut dyn FnMut(super::Slot)) {}

    /// The entries as they are now. The task waits for this call: what takes long is left to
    /// [`FrozenEntries::write`].
    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries>;

    /// Takes one entry back.
    ///
    /// `keys` resolves (and creates) the slots of keyed entries; the table reports through `live`
    /// every slot that now holds something.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no entry of this table.
    fn restore(
        &mut self,
        entry: &[u8],
        keys: Option<&mut dyn ErasedKeyIndex>,
        live: &mut dyn FnMut(super::Slot),
    ) -> Result<()>;

    /// For recovering the concrete type.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// For recovering the concrete type.
    fn as_any(&self) -> &dyn Any;
}

/// Names a table that an operator registered with its own type.
pub struct TableHandle<T> {
    pub(super) index: usize,
    marker: PhantomData<fn() -> T>,
}

impl<T> TableHandle<T> {
    pub(super) fn new(index: usize) -> Self {
        TableHandle {
            index,
            marker: PhantomData,
        }
    }
}

impl<T> Clone for TableHandle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TableHandle<T> {}
