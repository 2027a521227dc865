//! Accumulators by slice and key.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use thalweg_core::data::Schema;
use thalweg_core::error::Result;
use thalweg_core::state::{EntryWriter, ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable};

use super::WindowAggregateSpec;
use crate::exec::aggregate::Accumulators;
use crate::exec::keyed::entries::{KeyedWriter, Stored};
use crate::exec::keyed::{SharedStateKeys, StateKeys};
use crate::exec::window_spec::WindowSpec;

/// The groups of one slice, or of the slices merged for a window.
pub(super) struct Slice {
    keys: StateKeys,
    pub(super) accumulators: Accumulators,
    groups: usize,
}

impl Slice {
    /// No groups yet, with room for some.
    pub(super) fn new(spec: &WindowAggregateSpec, groups: usize) -> Result<Self> {
        Slice::with_keys(spec, spec.key_types.clone(), groups)
    }

    /// The same with keys of other types.
    pub(super) fn with_keys(
        spec: &WindowAggregateSpec,
        key_types: Vec<DataType>,
        groups: usize,
    ) -> Result<Self> {
        Ok(Slice {
            keys: StateKeys::with_capacity(key_types, groups),
            accumulators: spec.accumulators()?,
            groups: 0,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.groups
    }

    pub(super) fn intern(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        self.keys.intern(keys, rows, groups)?;
        self.grow(self.keys.bound());
        Ok(())
    }

    /// Makes room for `groups` groups.
    pub(super) fn grow(&mut self, groups: usize) {
        if groups != self.groups {
            self.groups = groups;
            self.accumulators.resize(groups);
        }
    }

    pub(super) fn key_columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        self.keys.columns(groups)
    }

    fn merge(&mut self, other: &Slice) -> Result<()> {
        let theirs: Vec<u32> = (0..other.groups as u32).collect();
        let mut ours = Vec::with_capacity(theirs.len());
        let keys = other.key_columns(&theirs)?;
        self.intern(&keys, theirs.len(), &mut ours)?;
        self.accumulators
            .merge(&ours, &other.accumulators.state(&theirs)?)
    }

    fn restore(&mut self, key: &[u8], state: &[u8]) -> Result<()> {
        let group = self.keys.restore(key, None)?;
        self.grow(self.keys.bound());
        self.accumulators.restore(group, state)
    }
}

/// The slices that still have a window to fire.
pub struct SliceTable {
    spec: WindowAggregateSpec,
    slices: BTreeMap<i64, Slice>,
    // How many groups the last slice and the last window had: the next ones get room for as many.
    slice_groups: usize,
    window_groups: usize,
}

impl SliceTable {
    pub(super) fn new(spec: WindowAggregateSpec) -> Self {
        SliceTable {
            spec,
            slices: BTreeMap::new(),
            slice_groups: 0,
            window_groups: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    pub(super) fn contains(&self, end: i64) -> bool {
        self.slices.contains_key(&end)
    }

    /// Whether the window that ends at `end` has a slice.
    pub(super) fn needs(&self, end: i64) -> bool {
        let window = self.spec.window;
        let mut slices = self.slices.keys();
        slices.any(|slice| *slice <= end && window.last_window_end(*slice) >= end)
    }

    pub(super) fn slice(&mut self, end: i64) -> Result<&mut Slice> {
        match self.slices.entry(end) {
            std::collections::btree_map::Entry::Occupied(slot) => Ok(slot.into_mut()),
            std::collections::btree_map::Entry::Vacant(slot) => {
                Ok(slot.insert(Slice::new(&self.spec, self.slice_groups)?))
            }
        }
    }

    /// The merged groups of the window that ends at `end`; drops slices no later window needs.
    pub(super) fn fire(&mut self, end: i64) -> Result<Option<Slice>> {
        let window = self.spec.window;
        // Attached windows share nothing, even where they overlap.
        let attached = matches!(window, WindowSpec::Attached { .. });
        let first = if attached {
            end
        } else {
            window.window_start(end) + 1
        };
        let mut merged: Option<Slice> = None;
        let ends: Vec<i64> = self
            .slices
            .range(first..=end)
            .map(|(end, _)| *end)
            .collect();
        let single = ends.len() == 1;
        for slice_end in ends {
            let done = window.last_window_end(slice_end) <= end;
            if single && done {
                let only = self.slices.remove(&slice_end);
                self.slice_groups = only.as_ref().map_or(0, Slice::len);
                return Ok(only);
            }
            let Some(slice) = self.slices.get(&slice_end) else {
                continue;
            };
            self.slice_groups = slice.groups;
            match &mut merged {
                Some(merged) => merged.merge(slice)?,
                None => {
                    let mut fresh = Slice::new(&self.spec, self.window_groups)?;
                    fresh.merge(slice)?;
                    merged = Some(fresh);
                }
            }
            if done {
                self.slices.remove(&slice_end);
            }
        }
        self.window_groups = merged.as_ref().map_or(0, Slice::len);
        Ok(merged)
    }
}

/// A slice at one moment.
struct SharedSlice {
    end: i64,
    keys: SharedStateKeys,
    accumulators: Accumulators,
    groups: u32,
}

/// All slices at one moment.
struct FrozenSlices {
    slices: Vec<SharedSlice>,
    max_parallelism: u32,
}

impl FrozenEntries for FrozenSlices {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        let mut entries = KeyedWriter::new(out, self.max_parallelism);
        for slice in &self.slices {
            let groups: Vec<u32> = (0..slice.groups).collect();
            slice.accumulators.each_state(&groups, |group, state| {
                let write = |out: &mut Vec<u8>| out.extend_from_slice(state);
                entries.push(&slice.end, &slice.keys, group, write)
            })?;
        }
        Ok(())
    }
}

impl StateTable for SliceTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        let share = |(end, slice): (&i64, &mut Slice)| SharedSlice {
            end: *end,
            keys: slice.keys.share(freezing.now),
            accumulators: slice.accumulators.share(),
            groups: slice.groups as u32,
        };
        Arc::new(FrozenSlices {
            slices: self.slices.iter_mut().map(share).collect(),
            max_parallelism: freezing.max_parallelism,
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let stored = Stored::<i64>::read(entry)?;
        self.slice(stored.head)?.restore(stored.key, stored.body)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
