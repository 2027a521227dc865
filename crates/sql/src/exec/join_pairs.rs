//! Rows of two sides next to each other: conditions on them, and their columns.

use std::sync::Arc;

use arrow::compute::kernels::cmp::eq;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Schema, SchemaRef};
use arrow_select::filter::filter;
use arrow_select::take::take;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use thalweg_columnar::{Picked, RowCodec, arrow_error};
use thalweg_core::error::Result;

use super::expr::{Expression, batch, evaluate_condition};

/// A condition on pairs, with the columns that it reads.
#[derive(Clone)]
pub struct PairCondition {
    expression: Expression,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl PairCondition {
    /// From an expression over left and right columns together.
    ///
    /// # Errors
    /// If the expression cannot be rewritten.
    pub fn new(expression: Expression, pairs: &SchemaRef) -> datafusion_common::Result<Self> {
        let columns = collect_columns(&expression);
        let mut columns: Vec<usize> = columns.iter().map(Column::index).collect();
        columns.sort_unstable();
        let rewritten = expression.transform(|node| {
            let Some(column) = node.downcast_ref::<Column>() else {
                return Ok(Transformed::no(node));
            };
            let index = columns.partition_point(|known| *known < column.index());
            let moved: Expression = Arc::new(Column::new(column.name(), index));
            Ok(Transformed::yes(moved))
        });
        let fields: Vec<_> = columns
            .iter()
            .map(|at| pairs.fields()[*at].clone())
            .collect();
        Ok(PairCondition {
            expression: rewritten?.data,
            columns,
            schema: Arc::new(Schema::new(fields)),
        })
    }
}

/// Where the rows of one side of the pairs are.
pub enum PairSide<'a> {
    /// All rows of a batch, in order.
    Whole(&'a RecordBatch),
    /// Rows of a batch.
    Batch(&'a RecordBatch, UInt32Array),
    /// Kept rows.
    Kept(Picked<'a>),
}

impl<'a> PairSide<'a> {
    /// Some rows of a batch.
    pub fn rows(records: &'a RecordBatch, rows: &[u32]) -> Self {
        let in_order = || rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        if rows.len() == records.num_rows() && in_order() {
            return PairSide::Whole(records);
        }
        PairSide::Batch(records, rows.to_vec().into())
    }

    fn width(&self) -> usize {
        match self {
            PairSide::Whole(records) | PairSide::Batch(records, _) => records.num_columns(),
            PairSide::Kept(picked) => picked.width(),
        }
    }

    fn column(&self, at: usize) -> Result<ArrayRef> {
        match self {
            PairSide::Whole(records) => Ok(records.column(at).clone()),
            PairSide::Batch(records, rows) => {
                take(records.column(at), rows, None).map_err(arrow_error)
            }
            PairSide::Kept(picked) => picked.column(at),
        }
    }
}

/// Pairs of rows. A column is gathered when it is first asked for.
pub struct Pairs<'a> {
    left: PairSide<'a>,
    right: PairSide<'a>,
    rows: usize,
    gathered: Vec<Option<ArrayRef>>,
}

impl<'a> Pairs<'a> {
    /// `rows` pairs.
    pub fn new(left: PairSide<'a>, right: PairSide<'a>, rows: usize) -> Self {
        let gathered = vec![None; left.width() + right.width()];
        Pairs {
            left,
            right,
            rows,
            gathered,
        }
    }

    fn column(&mut self, at: usize) -> Result<ArrayRef> {
        if let Some(column) = &self.gathered[at] {
            return Ok(column.clone());
        }
        let width = self.left.width();
        let column = if at < width {
            self.left.column(at)?
        } else {
            self.right.column(at - width)?
        };
        self.gathered[at] = Some(column.clone());
        Ok(column)
    }

    /// Which pairs have equal values in some pairs of columns and meet a condition. `None` if all
    /// do.
    ///
    /// # Errors
    /// What the condition fails with.
    pub fn matching(
        &mut self,
        equal: &[(usize, usize)],
        condition: Option<&PairCondition>,
    ) -> Result<Option<BooleanArray>> {
        let mut mask: Option<BooleanArray> = None;
        let width = self.left.width();
        for (left, right) in equal {
            let equal = equal_values(&self.column(*left)?, &self.column(width + right)?)?;
            mask = Some(both(mask, equal));
        }
        if let Some(condition) = condition {
            let columns: Result<Vec<ArrayRef>> = condition
                .columns
                .iter()
                .map(|column| self.column(*column))
                .collect();
            let pairs = batch(&condition.schema, columns?, self.rows)?;
            mask = Some(both(
                mask,
                evaluate_condition(&condition.expression, &pairs)?,
            ));
        }
        Ok(mask.filter(|mask| mask.true_count() < self.rows))
    }

    /// Some columns. Left ones are numbered first.
    ///
    /// # Errors
    /// `User` if a column cannot be gathered.
    pub fn columns(&mut self, wanted: &[usize]) -> Result<Vec<ArrayRef>> {
        wanted.iter().map(|at| self.column(*at)).collect()
    }

    /// What has been gathered, for [`Pairs::with_gathered`] of the pairs where `mask` is true.
    ///
    /// # Errors
    /// `User` if a column cannot be filtered.
    pub fn filtered(self, mask: &BooleanArray) -> Result<Vec<Option<ArrayRef>>> {
        let columns = self.gathered.into_iter();
        columns
            .map(|column| {
                column
                    .map(|c| filter(&c, mask).map_err(arrow_error))
                    .transpose()
            })
            .collect()
    }

    /// The same pairs with columns that are known already.
    #[must_use]
    pub fn with_gathered(mut self, gathered: Vec<Option<ArrayRef>>) -> Self {
        self.gathered = gathered;
        self
    }
}

fn both(mask: Option<BooleanArray>, other: BooleanArray) -> BooleanArray {
    match mask {
        Some(mask) => BooleanArray::new(mask.values() & other.values(), None),
        None => other,
    }
}

/// Where two columns have equal canonical bytes and no NULL.
fn equal_values(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanArray> {
    if !left.data_type().is_nested() && left.data_type() != &DataType::Null {
        let equal = eq(left, right).map_err(arrow_error)?;
        return Ok(match equal.nulls() {
            Some(nulls) => BooleanArray::new(equal.values() & nulls.inner(), None),
            None => equal,
        });
    }
    let codec = RowCodec::new(vec![left.data_type().clone()]);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut equal = Vec::with_capacity(left.len());
    for row in 0..left.len() {
        one.clear();
        other.clear();
        codec.encode(std::slice::from_ref(left), row, &mut one)?;
        codec.encode(std::slice::from_ref(right), row, &mut other)?;
        equal.push(left.is_valid(row) && one == other);
    }
    Ok(equal.into())
}

/// The numbers where `mask` is true.
pub fn retain(numbers: &mut Vec<u32>, mask: &BooleanArray) {
    let mut at = 0;
    numbers.retain(|_| {
        at += 1;
        mask.value(at - 1)
    });
}
