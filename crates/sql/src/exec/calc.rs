//! Filters rows and computes columns.
//!
//! In three steps: read the *leaves* (columns, and fields of rows, which cost nothing to read),
//! note which rows meet the condition, compute columns of those rows. A column that is only passed
//! on is not touched at all: it is filtered where it is read, if it is.
//!
//! | Contract |                                                                            |
//! |----------|----------------------------------------------------------------------------|
//! | Input    | any changelog                                                              |
//! | Output   | the rows that meet the condition, with the computed columns, in order      |
//! | State    | none                                                                       |
//! | Updates  | a `-U +U` pair of which one row passes becomes a single `-D` or `+I`       |
//! | Cost     | one pass a column that is computed, none a column that is passed on        |
//! | Source   | Flink SQL, `StreamPhysicalCalc`                                            |

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use thalweg_columnar::{BatchColumn, ColumnBatch, RowKind, Selection};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress};

use super::expr::{Expression, batch, evaluate_all, evaluate_condition};

/// A column of the input, or a field of a row inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The column.
    pub column: usize,
    /// Positions of fields, from the column inwards.
    pub path: Vec<usize>,
}

impl Leaf {
    fn read(&self, input: &ColumnBatch) -> BatchColumn {
        let column = input.column(self.column);
        if self.path.is_empty() {
            return column;
        }
        column.map(|rows| {
            let first = rows.clone();
            let inside = |row: ArrayRef, field: &usize| field_of(&row, *field);
            self.path.iter().fold(first, inside)
        })
    }
}

/// A field of a row; a NULL row has NULL fields.
fn field_of(row: &ArrayRef, field: usize) -> ArrayRef {
    use arrow_array::cast::AsArray;
    let row = row.as_struct();
    let column = row.column(field);
    let Some(outer) = row.nulls() else {
        return column.clone();
    };
    let same = |inner: &NullBuffer| {
        inner.buffer().as_ptr() == outer.buffer().as_ptr() && inner.offset() == outer.offset()
    };
    if column.nulls().is_some_and(same) {
        return column.clone();
    }
    let nulls = NullBuffer::union(Some(outer), column.nulls());
    let data = column.to_data().into_builder().nulls(nulls).build();
    match data {
        Ok(data) => arrow_array::make_array(data),
        // INVARIANT: both null buffers are as long as the column.
        Err(error) => panic!("a field cannot be read: {error}"),
    }
}

/// Expressions over some of the leaves.
#[derive(Clone)]
pub struct Computation {
    /// The leaves they read, which are the columns that they know.
    pub leaves: Vec<usize>,
    /// Their schema.
    pub schema: SchemaRef,
    /// The expressions.
    pub expressions: Vec<Expression>,
}

/// Where a column of the output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputColumn {
    /// The leaf at this position, as it is.
    Leaf(usize),
    /// The computed expression at this position.
    Computed(usize),
}

/// A filter and a projection.
#[derive(Clone)]
pub struct Calc {
    /// What is read of the input.
    pub leaves: Vec<Leaf>,
    /// Rows that do not meet its one expression are dropped.
    pub condition: Option<Computation>,
    /// What is computed.
    pub computed: Computation,
    /// The output's columns.
    pub columns: Vec<OutputColumn>,
    /// The output's schema.
    pub schema: SchemaRef,
}

impl Calc {
    /// One that passes the first columns of its input, as many as the schema has.
    pub fn pass(schema: SchemaRef) -> Self {
        let columns = schema.fields().len();
        let leaf = |column| Leaf {
            column,
            path: Vec::new(),
        };
        Calc {
            leaves: (0..columns).map(leaf).collect(),
            condition: None,
            computed: Computation {
                leaves: Vec::new(),
                schema: Arc::new(arrow_schema::Schema::empty()),
                expressions: Vec::new(),
            },
            columns: (0..columns).map(OutputColumn::Leaf).collect(),
            schema,
        }
    }

    /// Applies filter and projection to a batch.
    ///
    /// # Errors
    /// What an expression fails with.
    pub fn apply(&self, input: &ColumnBatch) -> Result<ColumnBatch> {
        let mut leaves: Vec<BatchColumn> =
            self.leaves.iter().map(|leaf| leaf.read(input)).collect();
        let mut rows = input.num_rows();
        let mut kinds = input.kinds().map(<[u8]>::to_vec);
        if let Some(condition) = &self.condition {
            let mask = condition.mask(&leaves, rows)?;
            let selection = Arc::new(Selection::new(mask));
            if !selection.is_all() {
                rows = selection.rows();
                kinds = kinds.map(|kinds| filter_kinds(kinds, selection.mask()));
                for leaf in &mut leaves {
                    *leaf = leaf.select(&selection);
                }
            }
        }
        let computed = self.computed.evaluate(&leaves, rows)?;
        let column = |column: &OutputColumn| match column {
            OutputColumn::Leaf(leaf) => leaves[*leaf].clone(),
            OutputColumn::Computed(at) => BatchColumn::new(computed[*at].clone()),
        };
        let columns = self.columns.iter().map(column).collect();
        ColumnBatch::from_columns(&self.schema, columns, rows, kinds)
    }
}

impl Computation {
    fn records(&self, leaves: &[BatchColumn], rows: usize) -> Result<arrow_array::RecordBatch> {
        let read = |leaf: &usize| leaves[*leaf].dense().clone();
        batch(&self.schema, self.leaves.iter().map(read).collect(), rows)
    }

    fn mask(&self, leaves: &[BatchColumn], rows: usize) -> Result<BooleanArray> {
        let [condition] = self.expressions.as_slice() else {
            return Err(Error::internal("a filter has not one condition"));
        };
        evaluate_condition(condition, &self.records(leaves, rows)?)
    }

    fn evaluate(&self, leaves: &[BatchColumn], rows: usize) -> Result<Vec<ArrayRef>> {
        if self.expressions.is_empty() {
            return Ok(Vec::new());
        }
        evaluate_all(&self.expressions, &self.records(leaves, rows)?)
    }
}

/// Filters the kinds of a changelog so that it stays whole.
fn filter_kinds(mut kinds: Vec<u8>, mask: &BooleanArray) -> Vec<u8> {
    for row in 1..kinds.len() {
        let pair = kinds[row - 1] == RowKind::UpdateBefore as u8
            && kinds[row] == RowKind::UpdateAfter as u8;
        if pair && mask.value(row - 1) != mask.value(row) {
            kinds[row - 1] = RowKind::Delete as u8;
            kinds[row] = RowKind::Insert as u8;
        }
    }
    let kept = kinds.into_iter().enumerate();
    kept.filter(|(row, _)| mask.value(*row))
        .map(|(_, kind)| kind)
        .collect()
}

impl BatchOperator for Calc {
    fn process(
        &mut self,
        _: usize,
        batch: Payload,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let result = self.apply(downcast::<ColumnBatch>(batch)?.as_ref())?;
        out.emit(Box::new(result));
        Ok(Progress::Done)
    }
}
