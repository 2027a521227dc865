//! The first row of every partition of insertions: Top-1 and deduplication.
//!
//! A partition takes one sort key and one row number, without a list around them.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use thalweg_columnar::{RowId, RowKind, RowStore};
use thalweg_core::data::Schema;
use thalweg_core::error::Result;
use thalweg_core::operator::Outputs;
use thalweg_core::state::{ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable, written};

use super::kept_rows::{Changes, Input, KeptRows};
use super::order::{Order, OrderKey};
use super::{Ranking, TopNSpec};

// Marks a row of the batch that is being processed; without it, it is the number of a kept row.
const NEW: u32 = RowStore::ROWS_MAX;
const NONE: u32 = u32::MAX;

/// The first row of every partition.
pub struct FirstRows<K> {
    kept: KeptRows,
    // By partition.
    orders: Vec<K>,
    rows: Vec<u32>,
    // The partitions whose first row is a new one, and the one before it.
    changed: Vec<(u32, u32)>,
    new: Vec<u32>,
    ids: Vec<RowId>,
    gone: Vec<RowId>,
    changes: Changes,
}

impl<K: OrderKey> FirstRows<K> {
    fn grow(&mut self, partitions: usize) {
        if self.rows.len() < partitions {
            self.rows.resize(partitions, NONE);
            self.orders.resize(partitions, K::placeholder());
        }
    }

    fn choose<O: Order<Key = K>>(&mut self, spec: &TopNSpec, groups: &[u32], order: &O) {
        for (row, group) in groups.iter().enumerate() {
            let group_at = *group as usize;
            let first = self.rows[group_at];
            if first != NONE {
                let wins = match order.compare(row, &self.orders[group_at]) {
                    Ordering::Less => true,
                    Ordering::Equal => spec.last_wins,
                    Ordering::Greater => false,
                };
                if !wins {
                    continue;
                }
            }
            if first == NONE || first & NEW == 0 {
                self.changed.push((*group, first));
            }
            self.orders[group_at] = order.key(row);
            self.rows[group_at] = row as u32 | NEW;
        }
    }
}

impl<O: Order> Ranking<O> for FirstRows<O::Key> {
    fn new(spec: &TopNSpec) -> Self {
        FirstRows {
            kept: KeptRows::new(spec),
            orders: Vec::new(),
            rows: Vec::new(),
            changed: Vec::new(),
            new: Vec::new(),
            ids: Vec::new(),
            gone: Vec::new(),
            changes: Changes::default(),
        }
    }

    fn kept(&mut self) -> &mut KeptRows {
        &mut self.kept
    }

    fn apply(&mut self, spec: &TopNSpec, input: &Input, groups: &[u32], order: &O) -> Result<()> {
        self.grow(groups.iter().max().map_or(0, |max| *max as usize + 1));
        self.choose(spec, groups, order);
        self.new.clear();
        self.ids.clear();
        let changed = self.changed.iter();
        self.new
            .extend(changed.map(|(group, _)| self.rows[*group as usize] & !NEW));
        self.kept
            .rows
            .insert(&input.columns, &self.new, &mut self.ids)?;
        for ((group, before), id) in self.changed.drain(..).zip(&self.ids) {
            self.rows[group as usize] = id.0;
            let before = (before != NONE).then_some(RowId(before));
            self.gone.extend(before);
            if spec.batch_mode {
                continue;
            }
            match before {
                Some(before) => self.changes.update(before, *id, 0),
                None => self.changes.push(*id, 0, RowKind::Insert),
            }
        }
        Ok(())
    }

    fn emit(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()> {
        self.kept.emit(spec, &mut self.changes, out)?;
        self.kept.rows.remove(&self.gone);
        self.gone.clear();
        Ok(())
    }

    fn emit_all(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()> {
        let mut result = Changes::default();
        for row in self.rows.iter().filter(|row| **row != NONE) {
            result.push(RowId(*row), 0, RowKind::Insert);
        }
        self.kept.emit_all(spec, &result, out)
    }
}

impl<K: OrderKey> StateTable for FirstRows<K> {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        let max_parallelism = freezing.max_parallelism;
        written(|sink| {
            for (group, (order, row)) in self.orders.iter().zip(&self.rows).enumerate() {
                if *row != NONE {
                    let place = (group as u32, 0);
                    self.kept
                        .write(place, (order, RowId(*row)), max_parallelism, sink);
                }
            }
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let (group, _, order, row) = self.kept.read(entry)?;
        self.grow(group + 1);
        self.orders[group] = order;
        self.rows[group] = row.0;
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
