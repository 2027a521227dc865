//! The rows of one side of a join, found by key.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Rows     | kept in whole batches and numbered; a dead row stays until half are dead      |
//! | Index    | rows of insertions wait unindexed until they are looked up ([`Backlog`])      |
//! | Entries  | up to [`ENTRY_ROWS_MAX`] rows of one key group, each behind its match count   |

use std::any::Any;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use thalweg_columnar::{BatchColumn, Picked, RowCodec, RowLog, hash_columns};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::key_group::key_group;
use thalweg_core::state::{
    EntrySink, ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable, written,
};

use super::join_backlog::Backlog;
use super::join_codes::KeyCodes;
use super::join_index::RowIndex;

const ENTRY_ROWS_MAX: usize = 512;
const COMPACT_ROWS_MIN: usize = 16_384;

/// All living rows of a side.
pub struct JoinSide {
    keys: Vec<usize>,
    codec: RowCodec,
    log: RowLog,
    index: RowIndex,
    backlog: Backlog,
    // By row; shorter than the log if the last rows live.
    dead: Vec<bool>,
    dead_rows: usize,
    // By row, if they are counted: how many rows of the other side match it.
    matches: Option<Vec<u32>>,
}

/// What the rows of a batch match.
#[derive(Default)]
pub struct Met {
    /// The batch's rows that match an indexed row, ascending.
    pub rows: Vec<u32>,
    /// The newest indexed row that each matches: the head of its chain.
    pub newest: Vec<u32>,
    /// Pairs of a row of the batch and a row that is not indexed.
    pub pairs: Vec<(u32, u32)>,
}

impl JoinSide {
    /// An empty side with its key columns. Matches are counted where the join pads or only tests.
    pub fn new(keys: Vec<usize>, schema: SchemaRef, counts_matches: bool) -> Self {
        let types = schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        JoinSide {
            keys,
            codec: RowCodec::new(types),
            log: RowLog::new(schema),
            index: RowIndex::default(),
            backlog: Backlog::default(),
            dead: Vec::new(),
            dead_rows: 0,
            matches: counts_matches.then(Vec::new),
        }
    }

    /// The rows' schema.
    pub fn schema(&self) -> &SchemaRef {
        self.log.schema()
    }

    /// Some rows, whose columns can then be asked for.
    pub fn pick(&self, numbers: &[u32]) -> Picked<'_> {
        self.log.pick(numbers)
    }

    /// The codes of a batch's keys.
    ///
    /// # Errors
    /// `User` for a key type that cannot be hashed.
    pub fn codes(&self, columns: &[BatchColumn], rows: usize) -> Result<KeyCodes> {
        let keys = self.keys.iter().map(|key| columns[*key].clone());
        KeyCodes::new(&keys.collect::<Vec<BatchColumn>>(), rows)
    }

    /// Adds a batch of living rows. Returns the number of the first.
    ///
    /// # Errors
    /// `Unsupported` for more rows than there are numbers.
    pub fn append(&mut self, columns: Vec<BatchColumn>, keys: &KeyCodes) -> Result<u32> {
        let first = self.keep(columns, keys.rows())?;
        if !self.backlog.push(keys, first) {
            self.index.insert_all(keys, first);
        }
        Ok(first)
    }

    /// Keeps a batch whose rows are linked one by one. Returns the number of the first.
    ///
    /// # Errors
    /// `Unsupported` for more rows than there are numbers.
    pub fn keep(&mut self, columns: Vec<BatchColumn>, rows: usize) -> Result<u32> {
        if self.dead_rows > COMPACT_ROWS_MIN && self.dead_rows > self.log.end() as usize / 2 {
            self.compact()?;
        }
        let first = self.log.push(columns, rows)?;
        if let Some(matches) = &mut self.matches {
            matches.resize(self.log.end() as usize, 0);
        }
        Ok(first)
    }

    /// Makes a kept row one that is found: row `row` of the batch whose codes are given.
    pub fn link(&mut self, keys: &KeyCodes, row: usize, number: u32) {
        self.index.insert(keys, row, number);
    }

    /// Indexes all rows.
    pub fn index_all(&mut self) {
        self.backlog.drain(&mut self.index);
    }

    /// What the rows of a batch of the other side match. Rows that wait unindexed take part, and
    /// some may be indexed for it.
    pub fn meet(&mut self, wanted: &KeyCodes, pairs_max: usize) -> Met {
        let mut met = Met::default();
        self.backlog
            .meet(wanted, pairs_max, &mut self.index, &mut met.pairs);
        self.index.probe(wanted, &mut met.rows, &mut met.newest);
        met
    }

    /// Appends the rows of a chain, oldest first.
    #[inline]
    pub fn chain(&self, newest: u32, rows: &mut Vec<u32>) {
        self.index.chain(newest, rows);
    }

    /// How many rows of the other side match a row.
    ///
    /// # Errors
    /// `Internal` if they are not counted.
    pub fn matches_mut(&mut self, number: u32) -> Result<&mut u32> {
        self.matches
            .as_mut()
            .and_then(|matches| matches.get_mut(number as usize))
            .ok_or_else(|| Error::internal("this join does not count matches"))
    }

    /// Takes away a row equal to row `row` of a batch. `false` if there is none: what is retracted
    /// was never added. Its columns can still be asked for until the next batch. All rows must be
    /// indexed.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn remove(&mut self, records: &RecordBatch, keys: &KeyCodes, row: usize) -> Result<bool> {
        let (log, codec) = (&self.log, &self.codec);
        let (mut wanted, mut found) = (Vec::new(), Vec::new());
        codec.encode(records.columns(), row, &mut wanted)?;
        let gone = self.index.remove(keys, row, |number| -> Result<bool> {
            found.clear();
            log.encode(number, codec, &mut found)?;
            Ok(found == wanted)
        })?;
        if let Some(number) = gone {
            let number = number as usize;
            if self.dead.len() <= number {
                self.dead.resize(number + 1, false);
            }
            self.dead[number] = true;
            self.dead_rows += 1;
        }
        Ok(gone.is_some())
    }

    fn lives(&self, number: u32) -> bool {
        !self.dead.get(number as usize).copied().unwrap_or(false)
    }

    /// Copies the living rows together. All rows are indexed: some were removed.
    fn compact(&mut self) -> Result<()> {
        let living: Vec<u32> = (0..self.log.end()).filter(|row| self.lives(*row)).collect();
        let mut compacted = JoinSide::new(
            self.keys.clone(),
            self.schema().clone(),
            self.matches.is_some(),
        );
        for numbers in living.chunks(COMPACT_ROWS_MIN) {
            let columns = self.pick(numbers).columns()?;
            let columns: Vec<BatchColumn> = columns.into_iter().map(BatchColumn::new).collect();
            let keys = compacted.codes(&columns, numbers.len())?;
            let first = compacted.keep(columns, numbers.len())?;
            compacted.index.insert_all(&keys, first);
        }
        if let (Some(new), Some(old)) = (&mut compacted.matches, &self.matches) {
            for (new, row) in new.iter_mut().zip(&living) {
                *new = old[*row as usize];
            }
        }
        *self = compacted;
        Ok(())
    }

    fn write(&self, max_parallelism: u32, sink: &mut EntrySink<'_>) -> Result<()> {
        let mut open = vec![(Vec::new(), 0); max_parallelism as usize];
        let (mut hashes, mut bytes) = (Vec::new(), Vec::new());
        for (first, columns, rows) in self.log.batches() {
            hashes.clear();
            let keys = self.keys.iter().map(|key| columns[*key].clone());
            hash_columns(&keys.collect::<Vec<ArrayRef>>(), &mut hashes)?;
            for row in 0..rows {
                let number = first + row as u32;
                if !self.lives(number) {
                    continue;
                }
                let hash = hashes.get(row);
                let group = hash.map_or(0, |hash| key_group(*hash, max_parallelism));
                let (entry, rows) = &mut open[group as usize];
                let matches = self.matches.as_ref().map(|all| all[number as usize]);
                matches.unwrap_or(0).encode(entry);
                bytes.clear();
                self.codec.encode(&columns, row, &mut bytes)?;
                (bytes.len() as u32).encode(entry);
                entry.extend_from_slice(&bytes);
                *rows += 1;
                if *rows == ENTRY_ROWS_MAX {
                    sink(Some(group), entry);
                    entry.clear();
                    *rows = 0;
                }
            }
        }
        for (group, (entry, _)) in open.iter().enumerate() {
            if !entry.is_empty() {
                sink(Some(group as u32), entry);
            }
        }
        Ok(())
    }
}

impl StateTable for JoinSide {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        let max_parallelism = freezing.max_parallelism;
        written(|sink| {
            let written = self.write(max_parallelism, sink);
            assert!(
                written.is_ok(),
                "rows in memory can be written: {written:?}"
            );
        })
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let (mut matches, mut rows) = (Vec::new(), Vec::new());
        while !entry.is_empty() {
            matches.push(u32::decode(&mut entry)?);
            let len = take_len(&mut entry, 1)?;
            rows.push(take_bytes(&mut entry, len)?);
        }
        let count = rows.len();
        let columns = self.codec.decode(rows)?;
        let columns: Vec<BatchColumn> = columns.into_iter().map(BatchColumn::new).collect();
        let keys = self.codes(&columns, count)?;
        let first = self.append(columns, &keys)? as usize;
        if let Some(kept) = &mut self.matches {
            kept[first..].copy_from_slice(&matches);
        }
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
