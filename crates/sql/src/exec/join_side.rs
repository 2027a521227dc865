//! The rows of one side of a join, found by key.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Rows     | kept in whole batches and numbered; a dead row stays until half are dead      |
//! | Index    | rows of insertions wait unindexed until they are looked up ([`Backlog`])      |
//! | Lifetime | with a time to live each row has the time at which it came; an expired row is |
//! |          | passed over, and counts as dead once the cleaning has come by                 |
//! | Snapshot | batches are shared as they are ([`frozen`])                                   |

mod frozen;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use thalweg_columnar::{BatchColumn, Pages, Picked, RowCodec, RowLog};
use thalweg_core::data::Schema;
use thalweg_core::error::{Error, Result};
use thalweg_core::state::{Cleaning, ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable};
use thalweg_core::time::ProcessingTime;

use self::frozen::{FrozenSide, StoredRows};
use super::join_backlog::Backlog;
use super::join_codes::KeyCodes;
use super::join_index::RowIndex;
use super::keyed::lifetime::Lifetime;

const COMPACT_ROWS_MIN: usize = 16_384;

/// What is kept beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Keeps {
    /// How many rows of the other side match each.
    pub matches: bool,
    /// How long a row lives; `None` for ever.
    pub ttl: Option<Duration>,
}

/// All living rows of a side.
pub struct JoinSide {
    keys: Vec<usize>,
    codec: RowCodec,
    log: RowLog,
    index: RowIndex,
    backlog: Backlog,
    // By row; shorter than the log if the last rows live.
    dead: Pages<bool>,
    dead_rows: usize,
    // By row, if they are counted: how many rows of the other side match it.
    matches: Option<Pages<u32>>,
    keeps: Keeps,
    lifetime: Option<Lifetime>,
    // The time of the batch that is being joined.
    now: ProcessingTime,
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
    pub fn new(keys: Vec<usize>, schema: SchemaRef, keeps: Keeps) -> Self {
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
            dead: Pages::new(),
            dead_rows: 0,
            matches: keeps.matches.then(Pages::new),
            keeps,
            lifetime: keeps.ttl.and_then(Lifetime::new),
            now: ProcessingTime(0),
        }
    }

    /// Whether rows expire.
    pub fn expires(&self) -> bool {
        self.lifetime.is_some()
    }

    /// Rows that were restored without a time live from now on.
    pub fn begin(&mut self, now: ProcessingTime) {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.begin(now);
        }
    }

    /// A batch of so many rows is about to be joined: what is expired now is so until the next one.
    pub fn begin_batch(&mut self, rows: usize, now: ProcessingTime) {
        self.now = now;
        self.bury_expired(Some(rows));
    }

    /// Counts some expired rows as dead: as many are examined as so many accesses pay for.
    fn bury_expired(&mut self, accesses: Option<usize>) {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.pay(accesses);
        }
        let now = self.now;
        let next = |side: &mut JoinSide| side.lifetime.as_mut()?.next_expired(now);
        while let Some(number) = next(self) {
            self.bury(number);
        }
    }

    fn bury(&mut self, number: u32) {
        if self.lives(number) {
            self.dead.grow(number as usize + 1, false);
            *self.dead.get_mut(number) = true;
            self.dead_rows += 1;
        }
    }

    fn is_expired(&self, number: u32) -> bool {
        let lifetime = self.lifetime.as_ref();
        lifetime.is_some_and(|lifetime| lifetime.is_expired(number, self.now))
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
            matches.grow(self.log.end() as usize, 0);
        }
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.grow_updated(self.log.end() as usize, self.now);
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
        if self.expires() {
            met.pairs.retain(|(_, number)| !self.is_expired(*number));
        }
        met
    }

    /// Appends the rows of a chain, oldest first.
    #[inline]
    pub fn chain(&self, newest: u32, rows: &mut Vec<u32>) {
        let first = rows.len();
        self.index.chain(newest, rows);
        if self.expires() {
            let mut at = first;
            for found in first..rows.len() {
                if !self.is_expired(rows[found]) {
                    rows[at] = rows[found];
                    at += 1;
                }
            }
            rows.truncate(at);
        }
    }

    /// How many rows of the other side match a row.
    ///
    /// # Errors
    /// `Internal` if they are not counted.
    pub fn matches_mut(&mut self, number: u32) -> Result<&mut u32> {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.touch(number, self.now);
        }
        let matches = self.matches.as_mut();
        let matches = matches.map(|matches| matches.get_mut(number));
        matches.ok_or_else(|| Error::internal("this join does not count matches"))
    }

    /// Takes away a row equal to row `row` of a batch. `false` if there is none: what is retracted
    /// was never added. Its columns can still be asked for until the next batch. All rows must be
    /// indexed.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn remove(&mut self, records: &RecordBatch, keys: &KeyCodes, row: usize) -> Result<bool> {
        let (log, codec, lifetime, now) =
            (&self.log, &self.codec, self.lifetime.as_ref(), self.now);
        let (mut wanted, mut found) = (Vec::new(), Vec::new());
        codec.encode(records.columns(), row, &mut wanted)?;
        let gone = self.index.remove(keys, row, |number| -> Result<bool> {
            if lifetime.is_some_and(|lifetime| lifetime.is_expired(number, now)) {
                return Ok(false);
            }
            found.clear();
            log.encode(number, codec, &mut found)?;
            Ok(found == wanted)
        })?;
        if let Some(number) = gone {
            self.bury(number);
        }
        Ok(gone.is_some())
    }

    /// How many rows are kept, dead ones included.
    #[cfg(test)]
    pub fn kept_rows(&self) -> u32 {
        self.log.end()
    }

    fn lives(&self, number: u32) -> bool {
        number as usize >= self.dead.len() || !*self.dead.get(number)
    }

    /// Copies the living rows together, and indexes them.
    fn compact(&mut self) -> Result<()> {
        let lives = |row: &u32| self.lives(*row) && !self.is_expired(*row);
        let living: Vec<u32> = (0..self.log.end()).filter(lives).collect();
        let mut compacted = JoinSide::new(self.keys.clone(), self.schema().clone(), self.keeps);
        compacted.now = self.now;
        for numbers in living.chunks(COMPACT_ROWS_MIN) {
            let columns = self.pick(numbers).columns()?;
            let columns: Vec<BatchColumn> = columns.into_iter().map(BatchColumn::new).collect();
            let keys = compacted.codes(&columns, numbers.len())?;
            let first = compacted.keep(columns, numbers.len())?;
            compacted.index.insert_all(&keys, first);
        }
        if let (Some(new), Some(old)) = (&mut compacted.matches, &self.matches) {
            let numbers: Vec<u32> = (0..living.len() as u32).collect();
            new.for_each_mut(&numbers, |row, count| *count = *old.get(living[row]));
        }
        if let (Some(new), Some(old)) = (&mut compacted.lifetime, &self.lifetime) {
            new.take_over(old, &living);
        }
        *self = compacted;
        Ok(())
    }
}

impl StateTable for JoinSide {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn clean_up(&mut self, now: ProcessingTime, _: Cleaning, _: &mut dyn FnMut(Slot)) {
        self.now = now;
        self.bury_expired(None);
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        Arc::new(FrozenSide {
            keys: self.keys.clone(),
            log: self.log.clone(),
            dead: self.dead.share(),
            matches: self.matches.as_mut().map(Pages::share),
            lifetime: self.lifetime.as_mut().map(|l| l.share(freezing.now)),
            max_parallelism: freezing.max_parallelism,
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let StoredRows {
            matches,
            updated_ms,
            rows,
        } = StoredRows::read(entry)?;
        let count = rows.len();
        let columns = self.codec.decode(rows)?;
        let columns: Vec<BatchColumn> = columns.into_iter().map(BatchColumn::new).collect();
        let keys = self.codes(&columns, count)?;
        let first = self.append(columns, &keys)?;
        let numbers: Vec<u32> = (first..first + count as u32).collect();
        if let Some(kept) = &mut self.matches {
            kept.for_each_mut(&numbers, |row, count| *count = matches[row]);
        }
        if let Some(lifetime) = &mut self.lifetime {
            for (number, updated_ms) in numbers.iter().zip(updated_ms) {
                lifetime.restore(*number, updated_ms);
            }
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
