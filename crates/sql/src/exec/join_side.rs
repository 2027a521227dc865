//! The rows of one side of a join, found by key.

use std::any::Any;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use thalweg_columnar::{GroupKeys, RowCodec, RowId, RowStore};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::state::{EntrySink, ErasedKeyIndex, Slot, StateTable};

use super::expr::batch;

const NONE: u32 = u32::MAX;

/// All living rows of a side. Rows of one key form a chain, oldest first.
pub struct JoinSide {
    keys: GroupKeys,
    rows: RowStore,
    codec: RowCodec,
    heads: Vec<u32>,
    tails: Vec<u32>,
    next: Vec<u32>,
    /// How many rows of the other side match each row: kept where the join pads or only tests.
    pub matches: Vec<u32>,
}

impl JoinSide {
    /// An empty side.
    pub fn new(key_types: Vec<DataType>, schema: SchemaRef) -> Self {
        let types = schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        JoinSide {
            keys: GroupKeys::new(key_types),
            rows: RowStore::new(schema),
            codec: RowCodec::new(types),
            heads: Vec::new(),
            tails: Vec::new(),
            next: Vec::new(),
            matches: Vec::new(),
        }
    }

    /// The kept rows.
    pub fn rows(&self) -> &RowStore {
        &self.rows
    }

    /// The key numbers of a batch's rows, numbering new keys.
    ///
    /// # Errors
    /// `Unsupported` for a key type without a canonical form.
    pub fn intern(&mut self, keys: &[ArrayRef], rows: usize, out: &mut Vec<u32>) -> Result<()> {
        self.keys.intern(keys, rows, out)?;
        self.heads.resize(self.keys.len(), NONE);
        self.tails.resize(self.keys.len(), NONE);
        Ok(())
    }

    /// Keeps a batch, whose rows can then be inserted.
    ///
    /// # Errors
    /// `User` if dead rows cannot be cleared away.
    pub fn add_batch(&mut self, records: RecordBatch) -> Result<thalweg_columnar::StoredBatch> {
        self.rows.add_batch(records)
    }

    /// Inserts a row of a kept batch at the end of its key's chain.
    pub fn insert(
        &mut self,
        stored: &thalweg_columnar::StoredBatch,
        row: usize,
        key: u32,
    ) -> RowId {
        let id = self.rows.insert(stored, row);
        let index = id.0 as usize;
        if self.next.len() <= index {
            self.next.resize(index + 1, NONE);
            self.matches.resize(index + 1, 0);
        }
        self.next[index] = NONE;
        self.matches[index] = 0;
        let tail = &mut self.tails[key as usize];
        if *tail == NONE {
            self.heads[key as usize] = id.0;
        } else {
            self.next[*tail as usize] = id.0;
        }
        *tail = id.0;
        id
    }

    /// The rows of a key, oldest first.
    pub fn chain(&self, key: u32) -> impl Iterator<Item = RowId> + '_ {
        let mut at = self.heads.get(key as usize).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            (at != NONE).then(|| {
                let id = RowId(at);
                at = self.next[at as usize];
                id
            })
        })
    }

    /// Takes a row equal to row `row` of `columns` out of its key's chain. `None` if there is no
    /// such row: what is retracted was never added, or its state has expired.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn remove(&mut self, columns: &[ArrayRef], row: usize, key: u32) -> Result<Option<RowId>> {
        let (mut wanted, mut found) = (Vec::new(), Vec::new());
        self.codec.encode(columns, row, &mut wanted)?;
        let mut before = NONE;
        let mut at = self.heads[key as usize];
        while at != NONE {
            let (kept, place) = self.rows.place(RowId(at));
            found.clear();
            self.codec.encode(kept.columns(), place, &mut found)?;
            if found == wanted {
                self.unlink(key, before, at);
                return Ok(Some(RowId(at)));
            }
            before = at;
            at = self.next[at as usize];
        }
        Ok(None)
    }

    fn unlink(&mut self, key: u32, before: u32, at: u32) {
        let next = self.next[at as usize];
        if before == NONE {
            self.heads[key as usize] = next;
        } else {
            self.next[before as usize] = next;
        }
        if next == NONE {
            self.tails[key as usize] = before;
        }
    }

    /// Forgets a row that was taken out of its chain and is no longer needed for output.
    pub fn forget(&mut self, id: RowId) {
        self.rows.remove(id);
    }
}

impl StateTable for JoinSide {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn snapshot(
        &self,
        _: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
        sink: &mut EntrySink<'_>,
    ) {
        let mut key_bytes = Vec::new();
        for key in 0..self.heads.len() as u32 {
            key_bytes.clear();
            self.keys.write_key(key, &mut key_bytes);
            for id in self.chain(key) {
                let mut bytes = Vec::new();
                (key_bytes.len() as u32).encode(&mut bytes);
                bytes.extend_from_slice(&key_bytes);
                self.matches[id.0 as usize].encode(&mut bytes);
                let (kept, row) = self.rows.place(id);
                let written = self.codec.encode(kept.columns(), row, &mut bytes);
                assert!(
                    written.is_ok(),
                    "rows in memory can be written: {written:?}"
                );
                sink(
                    Some(key_group(stable_hash_bytes(&key_bytes), max_parallelism)),
                    &bytes,
                );
            }
        }
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let len = take_len(&mut entry, 1)?;
        let key = self.keys.intern_bytes(take_bytes(&mut entry, len)?)?;
        self.heads.resize(self.keys.len(), NONE);
        self.tails.resize(self.keys.len(), NONE);
        let matches = u32::decode(&mut entry)?;
        let columns = self.codec.decode([entry])?;
        if columns.len() != self.rows.schema().fields().len() {
            return Err(Error::corrupt(
                "a stored row has the wrong number of columns",
            ));
        }
        let records = batch(&self.rows.schema().clone(), columns, 1)?;
        let stored = self.rows.add_batch(records)?;
        let id = self.insert(&stored, 0, key);
        self.matches[id.0 as usize] = matches;
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
