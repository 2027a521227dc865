//! What a batch does to the result of a join: pairs and padded rows that come and go.

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::SchemaRef;
use arrow_select::take::take;
use thalweg_columnar::{Picked, RowKind, arrow_error};
use thalweg_core::error::Result;

use super::hash_join::JoinSpec;
use super::join_side::JoinSide;

/// Output under construction: rows of the input, rows of the other side, kinds.
#[derive(Default)]
pub struct Emission {
    // Row of the input or, for padded rows of the other side, none.
    own: Vec<Option<u32>>,
    other: Vec<Option<u32>>,
    /// One a row.
    pub kinds: Vec<u8>,
}

impl Emission {
    /// Adds a row: NULLs stand in for a row that is not there.
    pub fn push(&mut self, own: Option<u32>, other: Option<u32>, kind: RowKind) {
        self.own.push(own);
        self.other.push(other);
        self.kinds.push(kind as u8);
    }

    /// The columns that a join of an input at `port` emits.
    ///
    /// # Errors
    /// `User` if a column cannot be gathered.
    pub fn columns(
        &self,
        spec: &JoinSpec,
        port: usize,
        input: &RecordBatch,
        side: &JoinSide,
    ) -> Result<Vec<ArrayRef>> {
        let own = OwnRows {
            records: input,
            rows: UInt32Array::from(self.own.clone()),
        };
        let others = OtherRows::new(side, &self.other);
        let width = spec.left.fields().len();
        let wanted = spec.wanted.iter().map(|at| match (*at < width, port) {
            (true, 0) => own.column(*at),
            (true, _) => others.column(*at),
            (false, 0) => others.column(at - width),
            (false, _) => own.column(at - width),
        });
        wanted.collect()
    }
}

/// Rows of the input, or NULLs.
struct OwnRows<'a> {
    records: &'a RecordBatch,
    rows: UInt32Array,
}

impl OwnRows<'_> {
    fn column(&self, at: usize) -> Result<ArrayRef> {
        take(self.records.column(at), &self.rows, None).map_err(arrow_error)
    }
}

/// Rows of the other side, or NULLs.
struct OtherRows<'a> {
    present: Picked<'a>,
    // Where among those that are present, unless all are.
    places: Option<UInt32Array>,
    schema: &'a SchemaRef,
}

impl<'a> OtherRows<'a> {
    fn new(side: &'a JoinSide, numbers: &[Option<u32>]) -> Self {
        let present: Vec<u32> = numbers.iter().flatten().copied().collect();
        let mut next = 0u32;
        let mut place = || {
            next += 1;
            next - 1
        };
        let padded = present.len() < numbers.len();
        OtherRows {
            present: side.pick(&present),
            places: padded.then(|| numbers.iter().map(|n| n.map(|_| place())).collect()),
            schema: side.schema(),
        }
    }

    fn column(&self, at: usize) -> Result<ArrayRef> {
        let Some(places) = &self.places else {
            return self.present.column(at);
        };
        if places.null_count() == places.len() {
            return Ok(new_null_array(
                self.schema.field(at).data_type(),
                places.len(),
            ));
        }
        take(&self.present.column(at)?, places, None).map_err(arrow_error)
    }
}
