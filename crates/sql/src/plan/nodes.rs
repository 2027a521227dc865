//! Logical nodes that DataFusion does not have: watermarks and window functions.

// DataFusion's trait asks for a standard set; nobody iterates over it for output.
#![allow(clippy::disallowed_types)]

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use datafusion_common::{DFSchema, DFSchemaRef, Result};
use datafusion_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::exec::window_spec::WindowSpec;

/// A `WATERMARK FOR column AS expression` clause. No filter may move below it: rows that are
/// dropped later still move the watermark.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatermarkNode {
    /// The rows.
    pub input: LogicalPlan,
    /// The time attribute.
    pub column: Expr,
    /// The watermark.
    pub expression: Expr,
}

impl PartialOrd for WatermarkNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.expression.partial_cmp(&other.expression)
    }
}

/// Positions in `schema` of the columns that expressions read.
fn positions(schema: &DFSchema, expressions: &[Expr]) -> Vec<usize> {
    expressions
        .iter()
        .flat_map(|expression| expression.column_refs())
        .filter_map(|column| schema.maybe_index_of_column(column))
        .collect()
}

fn with_positions(columns: &[usize], more: Vec<usize>) -> Vec<usize> {
    let mut all: Vec<usize> = columns.iter().copied().chain(more).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl UserDefinedLogicalNodeCore for WatermarkNode {
    fn name(&self) -> &str {
        "Watermark"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.column.clone(), self.expression.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watermark: for={}, as={}", self.column, self.expression)
    }

    fn with_exprs_and_inputs(
        &self,
        expressions: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let [column, expression] = expressions
            .try_into()
            .map_err(|_| wrong_shape("Watermark"))?;
        let input = inputs.pop().ok_or_else(|| wrong_shape("Watermark"))?;
        Ok(WatermarkNode {
            input,
            column,
            expression,
        })
    }

    fn necessary_children_exprs(&self, columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let own = positions(self.input.schema(), &self.expressions());
        Some(vec![with_positions(columns, own)])
    }
}

fn wrong_shape(node: &str) -> datafusion_common::DataFusionError {
    datafusion_common::DataFusionError::Internal(format!("{node} was rebuilt with another shape"))
}

/// A window table-valued function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowNode {
    /// The rows.
    pub input: LogicalPlan,
    /// The time attribute.
    pub time: Expr,
    /// The windows.
    pub window: WindowSpec,
    /// `SESSION`'s partition keys.
    pub keys: Vec<Expr>,
    schema: DFSchemaRef,
}

impl PartialOrd for WindowNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.window.partial_cmp(&other.window)
    }
}

impl WindowNode {
    /// A window function over `input`.
    ///
    /// # Errors
    /// If the input has a column with the name of a window column, or no such time column.
    pub fn try_new(
        input: LogicalPlan,
        time: Expr,
        window: WindowSpec,
        keys: Vec<Expr>,
    ) -> Result<Self> {
        use datafusion_expr::ExprSchemable;
        let time_type = time.get_type(input.schema())?;
        // Bounds are TIMESTAMP(3) without a zone; window_time keeps the attribute's kind.
        let bound = DataType::Timestamp(TimeUnit::Millisecond, None);
        let attribute = match time_type {
            DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone),
            other => {
                return datafusion_common::plan_err!(
                    "a window needs a time attribute, but `{time}` is of type `{other}`"
                );
            }
        };
        let mut fields: Vec<_> = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        for (name, data_type) in [
            ("window_start", bound.clone()),
            ("window_end", bound),
            ("window_time", attribute),
        ] {
            fields.push((None, Arc::new(Field::new(name, data_type, false))));
        }
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(WindowNode {
            input,
            time,
            window,
            keys,
            schema: Arc::new(schema),
        })
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "WindowTableFunction"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        std::iter::once(self.time.clone())
            .chain(self.keys.iter().cloned())
            .collect()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        ["window_start", "window_end", "window_time"]
            .map(str::to_owned)
            .into()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowTableFunction: {:?} on {}", self.window, self.time)
    }

    fn with_exprs_and_inputs(
        &self,
        mut expressions: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        if expressions.is_empty() {
            return Err(wrong_shape("WindowTableFunction"));
        }
        let time = expressions.remove(0);
        let input = inputs
            .pop()
            .ok_or_else(|| wrong_shape("WindowTableFunction"))?;
        WindowNode::try_new(input, time, self.window, expressions)
    }

    fn necessary_children_exprs(&self, columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let inputs = self.input.schema().fields().len();
        let passed: Vec<usize> = columns.iter().copied().filter(|c| *c < inputs).collect();
        let own = positions(self.input.schema(), &self.expressions());
        Some(vec![with_positions(&passed, own)])
    }
}
