//! What a snapshot of an operator instance holds, and how snapshots are dealt out anew.

use super::key_index::{ErasedKeyIndex, Slot};
use crate::data::{Data, Field, Schema};
use crate::error::{Error, Result};
use crate::key_group::owner;

/// How the entries of a state find their instance when the parallelism changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redistribution {
    /// By key group.
    KeyGroup,
    /// Keyed timers by key group; timers without a key go to every instance.
    Timers,
    /// Evenly over all instances.
    Split,
    /// Everything to every instance.
    Union,
}

/// One entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Its key group; `None` for state that has no key.
    pub group: Option<u32>,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// One state of an operator instance.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSnapshot {
    /// Its declared name.
    pub name: String,
    /// How it moves.
    pub redistribution: Redistribution,
    /// The writer's shape.
    pub schema: Schema,
    /// The entries.
    pub entries: Vec<SnapshotEntry>,
}

/// All state of one operator instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateSnapshot {
    /// One a declared state, and one a timer domain.
    pub tables: Vec<TableSnapshot>,
}

/// A contiguous range of key groups, `start..end`.
pub type KeyGroups = std::ops::Range<u32>;

impl TableSnapshot {
    pub(super) fn of_timers(
        name: &str,
        timers: &[(i64, Slot)],
        keys: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
    ) -> Self {
        let entries = timers
            .iter()
            .map(|(time, slot)| {
                let mut bytes = Vec::new();
                time.encode(&mut bytes);
                let group = match keys {
                    Some(keys) if *slot != Slot::NONE => {
                        keys.write_key(*slot, &mut bytes);
                        Some(keys.group(*slot, max_parallelism))
                    }
                    _ => None,
                };
                SnapshotEntry { group, bytes }
            })
            .collect();
        TableSnapshot {
            name: name.to_owned(),
            redistribution: Redistribution::Timers,
            schema: Schema::Struct(
                "timer".to_owned(),
                vec![Field {
                    name: "time".to_owned(),
                    schema: i64::schema(),
                }],
            ),
            entries,
        }
    }

    pub(super) fn restore_timers(
        &self,
        mut keys: Option<&mut (dyn ErasedKeyIndex + 'static)>,
        timers: &mut Vec<(String, i64, Slot)>,
    ) -> Result<()> {
        for entry in &self.entries {
            let mut bytes = entry.bytes.as_slice();
            let time = i64::decode(&mut bytes)?;
            let slot = match (entry.group, &mut keys) {
                (None, _) => Slot::NONE,
                (Some(_), Some(keys)) => keys.intern_bytes(&mut bytes)?,
                (Some(_), None) => {
                    return Err(Error::corrupt(
                        "a snapshot holds a keyed timer, but the operator is not keyed",
                    ));
                }
            };
            timers.push((self.name.clone(), time, slot));
        }
        Ok(())
    }
}

/// Deals the snapshots of an operator's instances out to `parallelism` new instances.
pub fn redistribute(
    snapshots: &[StateSnapshot],
    parallelism: u32,
    max_parallelism: u32,
) -> Vec<StateSnapshot> {
    let mut dealt = vec![StateSnapshot::default(); parallelism as usize];
    let Some(first) = snapshots.first() else {
        return dealt;
    };
    for (index, table) in first.tables.iter().enumerate() {
        for snapshot in &mut dealt {
            snapshot.tables.push(TableSnapshot {
                entries: Vec::new(),
                ..table.clone()
            });
        }
        let mut next = 0usize;
        for entry in snapshots
            .iter()
            .flat_map(|snapshot| &snapshot.tables[index].entries)
        {
            match (table.redistribution, entry.group) {
                (Redistribution::KeyGroup | Redistribution::Timers, Some(group)) => {
                    let target = owner(group, parallelism, max_parallelism) as usize;
                    dealt[target].tables[index].entries.push(entry.clone());
                }
                (Redistribution::Split | Redistribution::KeyGroup, _) => {
                    dealt[next % parallelism as usize].tables[index]
                        .entries
                        .push(entry.clone());
                    next += 1;
                }
                (Redistribution::Union | Redistribution::Timers, _) => {
                    for snapshot in &mut dealt {
                        snapshot.tables[index].entries.push(entry.clone());
                    }
                }
            }
        }
    }
    dealt
}
