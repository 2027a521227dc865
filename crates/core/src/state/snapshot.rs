//! What a snapshot of an operator instance holds, and how snapshots are dealt out anew.

use super::entries::Entries;
use super::key_index::ErasedKeyIndex;
use super::schemas;
use super::slot::Slot;
use super::store::StoreCheckpoint;
use crate::data::{Data, Schema};
use crate::error::{Error, Result};
use crate::key_group::{groups_of, owner};

/// How the entries of a state find their instance when the parallelism changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redistribution {
    /// By key group.
    KeyGroup,
    /// Keyed timers by key group; timers without a key go to every instance.
    Timers,
    /// Evenly over all instances; if there are as many as before, each has what it had.
    Split,
    /// Everything to every instance.
    Union,
    /// All instances hold the same entries, and so do the new ones.
    Broadcast,
    /// Records between two operators: the runtime sends each on its way anew.
    InFlight,
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
    pub entries: Entries,
}

/// A state whose entries lie in the files of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTable {
    /// Its declared name.
    pub name: String,
    /// The writer's shape.
    pub schema: Schema,
}

impl StoredTable {
    /// A table that is no longer declared, and empty.
    pub(super) fn empty(name: &str) -> Self {
        StoredTable {
            name: name.to_owned(),
            schema: Schema::Unit,
        }
    }
}

/// Keyed states in the files of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreSnapshot {
    /// The files.
    pub checkpoint: StoreCheckpoint,
    /// The states, by their number in stored keys.
    pub tables: Vec<StoredTable>,
}

/// All state of one operator instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateSnapshot {
    /// One a declared state that is not in a store, and one a timer domain.
    pub tables: Vec<TableSnapshot>,
    /// Its store, if it has one; after a change of parallelism those of several instances.
    pub stores: Vec<StoreSnapshot>,
}

impl StateSnapshot {
    /// Takes the records in flight out: they are dealt out by the edges of the job, not as state.
    pub fn take_in_flight(&mut self) -> Option<TableSnapshot> {
        let in_flight = |table: &TableSnapshot| table.redistribution == Redistribution::InFlight;
        let at = self.tables.iter().position(in_flight)?;
        Some(self.tables.remove(at))
    }
}

/// A contiguous range of key groups, `start..end`.
pub type KeyGroups = std::ops::Range<u32>;

impl TableSnapshot {
    pub(super) fn restore_timers(
        &self,
        mut keys: Option<&mut (dyn ErasedKeyIndex + 'static)>,
        timers: &mut Vec<(String, i64, Slot)>,
    ) -> Result<()> {
        schemas::check_timer_key(&self.schema, keys.as_deref())
            .map_err(|error| error.context(format!("timers `{}`", self.name)))?;
        for (group, mut bytes) in self.entries.iter() {
            let time = i64::decode(&mut bytes)?;
            let slot = match (group, &mut keys) {
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

/// One table of each name. An instance whose input has ended may have nothing, and no tables either.
fn named(snapshots: &[StateSnapshot]) -> Vec<&TableSnapshot> {
    let mut tables: Vec<&TableSnapshot> = Vec::new();
    for table in snapshots.iter().flat_map(|snapshot| &snapshot.tables) {
        if tables.iter().all(|known| known.name != table.name) {
            tables.push(table);
        }
    }
    tables
}

/// Deals the snapshots of an operator's instances out to `parallelism` new instances.
pub fn redistribute(
    snapshots: &[StateSnapshot],
    parallelism: u32,
    max_parallelism: u32,
) -> Vec<StateSnapshot> {
    let mut dealt = vec![StateSnapshot::default(); parallelism as usize];
    for (index, table) in named(snapshots).into_iter().enumerate() {
        for snapshot in &mut dealt {
            snapshot.tables.push(TableSnapshot {
                name: table.name.clone(),
                redistribution: table.redistribution,
                schema: table.schema.clone(),
                entries: Entries::default(),
            });
        }
        let mut next = 0usize;
        let stored = snapshots
            .iter()
            .enumerate()
            .filter_map(|(whose, snapshot)| {
                let mut tables = snapshot.tables.iter();
                let found = tables.find(|stored| stored.name == table.name)?;
                Some((whose, found))
            });
        // Any one of equal copies is all there is.
        let copies = match table.redistribution {
            Redistribution::Broadcast => 1,
            _ => snapshots.len(),
        };
        let unchanged = snapshots.len() == parallelism as usize;
        let entries = stored.take(copies).flat_map(|(whose, table)| {
            let entries = table.entries.iter();
            entries.map(move |(group, entry)| (whose, group, entry))
        });
        for (whose, group, entry) in entries {
            let mut deal = |target: usize| dealt[target].tables[index].entries.push(group, entry);
            match (table.redistribution, group) {
                (Redistribution::KeyGroup | Redistribution::Timers, Some(group)) => {
                    deal(owner(group, parallelism, max_parallelism) as usize);
                }
                // Others of the same operator may not have failed, and have theirs.
                (Redistribution::Split, _) if unchanged => deal(whose),
                (Redistribution::Split | Redistribution::KeyGroup, _) => {
                    deal(next % parallelism as usize);
                    next += 1;
                }
                // Not here: see `StateSnapshot::take_in_flight`.
                (Redistribution::InFlight, _) => {}
                (Redistribution::Union | Redistribution::Broadcast | Redistribution::Timers, _) => {
                    (0..parallelism as usize).for_each(deal);
                }
            }
        }
    }
    for (index, dealt) in dealt.iter_mut().enumerate() {
        let groups = groups_of(index as u32, parallelism, max_parallelism);
        let stores = snapshots.iter().flat_map(|snapshot| &snapshot.stores);
        let overlap = |store: &&StoreSnapshot| {
            let of = &store.checkpoint.key_groups;
            of.start < groups.end && groups.start < of.end
        };
        dealt.stores = stores.filter(overlap).cloned().collect();
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(redistribution: Redistribution, entries: &[&str]) -> StateSnapshot {
        let entry = |text: &&str| (None, text.as_bytes().to_vec());
        StateSnapshot {
            tables: vec![TableSnapshot {
                name: "t".to_owned(),
                redistribution,
                schema: Schema::Bytes,
                entries: entries.iter().map(entry).collect(),
            }],
            stores: Vec::new(),
        }
    }

    fn dealt(
        redistribution: Redistribution,
        old: &[&[&str]],
        parallelism: u32,
    ) -> Vec<Vec<String>> {
        let old: Vec<_> = old.iter().map(|e| snapshot(redistribution, e)).collect();
        let text = |(_, entry): (_, &[u8])| String::from_utf8_lossy(entry).into_owned();
        redistribute(&old, parallelism, 8)
            .iter()
            .map(|new| new.tables[0].entries.iter().map(text).collect())
            .collect()
    }

    #[test]
    fn an_instance_without_tables_takes_nothing_from_the_others() {
        for ended in 0..2 {
            let mut old = vec![snapshot(Redistribution::Split, &["a", "b"]); 2];
            old[ended] = StateSnapshot::default();
            for parallelism in 1..4 {
                let new = redistribute(&old, parallelism, 8);
                let entries = new.iter().map(|new| new.tables[0].entries.len());
                assert_eq!(entries.sum::<usize>(), 2, "{ended} of 2, to {parallelism}");
            }
        }
        let old = [
            StateSnapshot::default(),
            snapshot(Redistribution::Broadcast, &["a"]),
        ];
        let new = redistribute(&old, 2, 8);
        assert!(new.iter().all(|new| new.tables[0].entries.len() == 1));
    }

    #[test]
    fn every_instance_gets_one_copy_of_broadcast_state_and_all_parts_of_a_union() {
        let old: &[&[&str]] = &[&["a", "b"], &["a", "b"]];
        let three = dealt(Redistribution::Broadcast, old, 3);
        assert_eq!(three, vec![vec!["a", "b"]; 3]);
        let union = dealt(Redistribution::Union, &[&["a"], &["b"]], 2);
        assert_eq!(union, vec![vec!["a", "b"]; 2]);
    }

    #[test]
    fn a_split_list_is_dealt_out_evenly() {
        let old: &[&[&str]] = &[&["a", "b", "c"], &[], &["d"]];
        let rescaled = dealt(Redistribution::Split, old, 2);
        assert_eq!(rescaled, vec![vec!["a", "c"], vec!["b", "d"]]);
        let as_before = dealt(Redistribution::Split, old, 3);
        assert_eq!(as_before, old, "as many instances: each has what it had");
    }
}
