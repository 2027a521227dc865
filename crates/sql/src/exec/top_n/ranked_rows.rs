//! The first rows of every partition, in order.

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

#[derive(Clone)]
pub struct Ranked<K> {
    order: K,
    row: RowId,
}

/// The kept rows of every partition: the first `n` of insertions, all of a changelog.
pub struct RankedRows<K> {
    kept: KeptRows,
    partitions: Pages<Vec<Ranked<K>>>,
    // The partitions that a batch touches, with where the first rows that they had end in `before`.
    touched: Vec<(u32, usize)>,
    before: Vec<RowId>,
    // Those that the last batch has touched.
    written: Vec<u32>,
    is_touched: Vec<bool>,
    // Rows that left the state, but may still have to be emitted.
    gone: Vec<RowId>,
    changes: Changes,
}

impl<K: OrderKey> RankedRows<K> {
    fn touch(&mut self, spec: &TopNSpec, group: u32) {
        let touched = &mut self.is_touched[group as usize];
        if !std::mem::replace(touched, true) {
            let first = self.partitions.get(group).iter().take(spec.to);
            self.before.extend(first.map(|ranked| ranked.row));
            self.touched.push((group, self.before.len()));
        }
    }

    /// Of insertions, most rows never get among the first: only those that stay there to the end of
    /// the batch are kept.
    fn insert<O: Order<Key = K>>(
        &mut self,
        spec: &TopNSpec,
        input: &Input,
        groups: &[u32],
        order: &O,
    ) -> Result<()> {
        for (row, group) in groups.iter().enumerate() {
            let ranked = self.partitions.get(*group);
            // Most rows of a full partition are behind its last one.
            if ranked.len() >= spec.to
                && let Some(last) = ranked.last()
                && !goes_before(order, row, &last.order, spec)
            {
                continue;
            }
            let at = ranked.partition_point(|kept| !goes_before(order, row, &kept.order, spec));
            if at >= spec.to {
                continue;
            }
            self.touch(spec, *group);
            let ranked = self.partitions.get_mut(*group);
            if ranked.len() >= spec.to {
                let last = ranked.pop().map(|last| last.row);
                // One that came with this batch was not kept.
                self.gone.extend(last.filter(|row| row.0 & NEW == 0));
            }
            if ranked.len() == ranked.capacity() {
                // Never more than it can come to hold.
                ranked.reserve_exact(ranked.len().max(2).min(spec.to - ranked.len()));
            }
            let (order, row) = (order.key(row), RowId(row as u32 | NEW));
            ranked.insert(at, Ranked { order, row });
        }
        self.keep_new(input)
    }

    fn keep_new(&mut self, input: &Input) -> Result<()> {
        let mut new = Vec::new();
        for (group, _) in &self.touched {
            let rows = self.partitions.get(*group).iter();
            let rows = rows.map(|ranked| ranked.row.0);
            new.extend(rows.filter(|row| row & NEW != 0).map(|row| row & !NEW));
        }
        let mut ids = Vec::with_capacity(new.len());
        self.kept.rows.insert(&input.columns, &new, &mut ids)?;
        let mut ids = ids.into_iter();
        for (group, _) in &self.touched {
            let rows = self.partitions.get_mut(*group).iter_mut();
            let new = rows.filter(|ranked| ranked.row.0 & NEW != 0);
            new.zip(&mut ids).for_each(|(ranked, id)| ranked.row = id);
        }
        Ok(())
    }

    fn update<O: Order<Key = K>>(
        &mut self,
        spec: &TopNSpec,
        input: &Input,
        groups: &[u32],
        order: &O,
    ) -> Result<()> {
        let is_addition = |row: &u32| input.batch.kind(*row as usize).is_addition();
        let additions: Vec<u32> = (0..groups.len() as u32).filter(is_addition).collect();
        let mut ids = Vec::with_capacity(additions.len());
        self.kept
            .rows
            .insert(&input.columns, &additions, &mut ids)?;
        let mut ids = ids.into_iter();
        for (row, group) in groups.iter().enumerate() {
            self.touch(spec, *group);
            if !input.batch.kind(row).is_addition() {
                self.remove(input, row, *group, order)?;
                continue;
            }
            let ranked = self.partitions.get_mut(*group);
            let at = ranked.partition_point(|kept| !goes_before(order, row, &kept.order, spec));
            if let Some(id) = ids.next() {
                let order = order.key(row);
                ranked.insert(at, Ranked { order, row: id });
            }
        }
        Ok(())
    }

    fn remove<O: Order<Key = K>>(
        &mut self,
        input: &Input,
        row: usize,
        group: u32,
        order: &O,
    ) -> Result<()> {
        let (mut wanted, mut found) = (Vec::new(), Vec::new());
        let columns = input.batch.records().columns();
        self.kept.codec.encode(columns, row, &mut wanted)?;
        let ranked = self.partitions.get_mut(group);
        let start =
            ranked.partition_point(|kept| order.compare(row, &kept.order) == Ordering::Greater);
        for at in start..ranked.len() {
            if order.compare(row, &ranked[at].order) != Ordering::Equal {
                break;
            }
            found.clear();
            self.kept.rows.encode(ranked[at].row, &mut found);
            if found == wanted {
                self.gone.push(ranked.remove(at).row);
                break;
            }
        }
        Ok(())
    }
}

/// Whether a new row goes before a kept one.
#[inline]
fn goes_before<O: Order>(order: &O, row: usize, kept: &O::Key, spec: &TopNSpec) -> bool {
    match order.compare(row, kept) {
        Ordering::Less => true,
        Ordering::Equal => spec.last_wins,
        Ordering::Greater => false,
    }
}

impl<O: Order> Ranking<O> for RankedRows<O::Key> {
    fn new(spec: &TopNSpec) -> Self {
        RankedRows {
            kept: KeptRows::new(spec),
            partitions: Pages::new(),
            touched: Vec::new(),
            before: Vec::new(),
            written: Vec::new(),
            is_touched: Vec::new(),
            gone: Vec::new(),
            changes: Changes::default(),
        }
    }

    fn apply(&mut self, spec: &TopNSpec, input: &Input, groups: &[u32], order: &O) -> Result<()> {
        if spec.updates {
            self.update(spec, input, groups, order)
        } else {
            self.insert(spec, input, groups, order)
        }
    }

    fn written(&self) -> &[u32] {
        &self.written
    }

    fn emit(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()> {
        let mut start = 0;
        self.written.clear();
        for (group, end) in self.touched.drain(..) {
            self.is_touched[group as usize] = false;
            self.written.push(group);
            let before = &self.before[start..end];
            start = end;
            if spec.batch_mode {
                continue;
            }
            let after = self.partitions.get(group).iter().take(spec.to);
            let after = after.map(|ranked| ranked.row);
            if spec.with_rank {
                self.changes.by_rank(before, after, spec);
            } else {
                let after: Vec<RowId> = after.collect();
                self.changes.by_row(before, &after, spec);
            }
        }
        self.before.clear();
        self.kept.emit(spec, &mut self.changes, out)?;
        self.kept.rows.remove(&self.gone);
        self.gone.clear();
        Ok(())
    }

    fn emit_all(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()> {
        let mut result = Changes::default();
        for ranked in self.partitions.iter() {
            for (at, ranked) in ranked.iter().enumerate().take(spec.to).skip(spec.from - 1) {
                result.push(ranked.row, at, RowKind::Insert);
            }
        }
        self.kept.emit_all(spec, &result, out)
    }
}

/// The same at one moment.
pub struct SharedRankedRows<K> {
    kept: SharedRows,
    partitions: Pages<Vec<Ranked<K>>>,
}

impl<K: OrderKey> KeyedPayload for RankedRows<K> {
    type Head = ();
    type Shared = SharedRankedRows<K>;

    fn grow(&mut self, bound: usize) {
        self.partitions.grow_with(bound, Vec::new);
        self.is_touched.resize(bound, false);
    }

    fn restore(&mut self, group: u32, (): (), body: &[u8]) -> Result<()> {
        let (at, order, row) = self.kept.read(body)?;
        // A partition's rows come in their order.
        let ranked = self.partitions.get_mut(group);
        ranked.insert(at.min(ranked.len()), Ranked { order, row });
        Ok(())
    }

    fn is_empty(&self, group: u32) -> bool {
        self.partitions.get(group).is_empty()
    }

    fn clear(&mut self, group: u32) {
        if !self.partitions.get(group).is_empty() {
            let ranked = std::mem::take(self.partitions.get_mut(group));
            let rows: Vec<RowId> = ranked.iter().map(|ranked| ranked.row).collect();
            self.kept.rows.remove(&rows);
        }
    }

    fn share(&mut self) -> SharedRankedRows<K> {
        SharedRankedRows {
            kept: self.kept.rows.share(),
            partitions: self.partitions.share(),
        }
    }
}

impl<K: OrderKey> SharedPayload for SharedRankedRows<K> {
    fn write(&self, keys: &SharedStateKeys, entries: &mut KeyedWriter<'_, '_>) -> Result<()> {
        for (group, ranked) in (0..).zip(self.partitions.iter()) {
            if keys.is_expired(group) {
                continue;
            }
            for (at, Ranked { order, row }) in ranked.iter().enumerate() {
                entries.push(&(), keys, group, |out| {
                    write_row(at, order, (&self.kept, *row), out);
                })?;
            }
        }
        Ok(())
    }
}
