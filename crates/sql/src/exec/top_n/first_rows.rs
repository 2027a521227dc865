//! The first row of every partition of insertions: Top-1 and deduplication.
//!
//! A partition takes one sort key and one row number, without a list around them.

use std::cmp::Ordering;

use thalweg_columnar::{Pages, RowId, RowKind, RowStore, SharedRows};
use thalweg_core::error::Result;
use thalweg_core::operator::Outputs;

use super::kept_rows::{Changes, Input, KeptRows, write_row};
use super::order::{Order, OrderKey};
use super::{Ranking, TopNSpec};
use crate::exec::keyed::entries::KeyedWriter;
use crate::exec::keyed::{KeyedPayload, SharedPayload, SharedStateKeys};

// Marks a row of the batch that is being processed; without it, it is the number of a kept row.
const NEW: u32 = RowStore::ROWS_MAX;
const NONE: u32 = u32::MAX;

/// The first row of every partition.
pub struct FirstRows<K> {
    kept: KeptRows,
    // By partition.
    orders: Pages<K>,
    rows: Pages<u32>,
    // The partitions whose first row is a new one, and the one before it.
    changed: Vec<(u32, u32)>,
    // The partitions that a batch has changed.
    written: Vec<u32>,
    new: Vec<u32>,
    ids: Vec<RowId>,
    gone: Vec<RowId>,
    changes: Changes,
}

impl<K: OrderKey> FirstRows<K> {
    fn choose<O: Order<Key = K>>(&mut self, spec: &TopNSpec, groups: &[u32], order: &O) {
        for (row, group) in groups.iter().enumerate() {
            let first = *self.rows.get(*group);
            if first != NONE {
                let wins = match order.compare(row, self.orders.get(*group)) {
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
            *self.orders.get_mut(*group) = order.key(row);
            *self.rows.get_mut(*group) = row as u32 | NEW;
        }
    }
}

impl<O: Order> Ranking<O> for FirstRows<O::Key> {
    fn new(spec: &TopNSpec) -> Self {
        FirstRows {
            kept: KeptRows::new(spec),
            orders: Pages::new(),
            rows: Pages::new(),
            changed: Vec::new(),
            written: Vec::new(),
            new: Vec::new(),
            ids: Vec::new(),
            gone: Vec::new(),
            changes: Changes::default(),
        }
    }

    fn apply(&mut self, spec: &TopNSpec, input: &Input, groups: &[u32], order: &O) -> Result<()> {
        self.choose(spec, groups, order);
        self.new.clear();
        self.ids.clear();
        let changed = self.changed.iter();
        self.new
            .extend(changed.map(|(group, _)| self.rows.get(*group) & !NEW));
        self.kept
            .rows
            .insert(&input.columns, &self.new, &mut self.ids)?;
        self.written.clear();
        for ((group, before), id) in self.changed.drain(..).zip(&self.ids) {
            *self.rows.get_mut(group) = id.0;
            self.written.push(group);
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

    fn written(&self) -> &[u32] {
        &self.written
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

/// The same at one moment.
pub struct SharedFirstRows<K> {
    kept: SharedRows,
    orders: Pages<K>,
    rows: Pages<u32>,
}

impl<K: OrderKey> KeyedPayload for FirstRows<K> {
    type Head = ();
    type Shared = SharedFirstRows<K>;

    fn grow(&mut self, bound: usize) {
        self.rows.grow(bound, NONE);
        self.orders.grow_with(bound, K::placeholder);
    }

    fn restore(&mut self, group: u32, (): (), body: &[u8]) -> Result<()> {
        let (_, order, row) = self.kept.read(body)?;
        *self.orders.get_mut(group) = order;
        *self.rows.get_mut(group) = row.0;
        Ok(())
    }

    fn is_empty(&self, group: u32) -> bool {
        *self.rows.get(group) == NONE
    }

    fn clear(&mut self, group: u32) {
        let row = std::mem::replace(self.rows.get_mut(group), NONE);
        if row != NONE {
            *self.orders.get_mut(group) = K::placeholder();
            self.kept.rows.remove(&[RowId(row)]);
        }
    }

    fn share(&mut self) -> SharedFirstRows<K> {
        SharedFirstRows {
            kept: self.kept.rows.share(),
            orders: self.orders.share(),
            rows: self.rows.share(),
        }
    }
}

impl<K: OrderKey> SharedPayload for SharedFirstRows<K> {
    fn write(&self, keys: &SharedStateKeys, entries: &mut KeyedWriter<'_, '_>) -> Result<()> {
        for (group, (order, row)) in (0..).zip(self.orders.iter().zip(self.rows.iter())) {
            if *row != NONE && !keys.is_expired(group) {
                entries.push(&(), keys, group, |out| {
                    write_row(0, order, (&self.kept, RowId(*row)), out);
                })?;
            }
        }
        Ok(())
    }
}
