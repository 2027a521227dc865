//! A stream under construction: where its rows come from and what is known of them.

use datafusion_common::{DFSchema, DFSchemaRef};
use datafusion_expr::Expr;
use thalweg_core::graph::NodeId;

use crate::exec::window_spec::WindowSpec;

/// What a column stands for beyond its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnTrait {
    /// The column is an event-time attribute: watermarks speak of it.
    pub rowtime: bool,
    /// The column is a bound of a window.
    pub window: Option<WindowBound>,
}

/// Which bound of which window a column is.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowBound {
    /// Start, end or time.
    pub role: WindowRole,
    /// The windows.
    pub window: WindowSpec,
}

/// A bound of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowRole {
    /// `window_start`
    Start,
    /// `window_end`
    End,
    /// `window_time`
    Time,
}

/// The output of an operator of the plan.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The operator.
    pub node: NodeId,
    /// The columns.
    pub schema: DFSchemaRef,
    /// As many traits.
    pub traits: Vec<ColumnTrait>,
    /// Whether rows may be updated or deleted.
    pub updating: bool,
    /// The operator's own parallelism, which operators behind it keep.
    pub parallelism: Option<u32>,
    /// Whether it has one row at a time, or one a window: an aggregate without keys.
    pub single: bool,
    /// A window function that was left for the next aggregate: columns behind the input's are not
    /// there yet.
    pub pending: Option<PendingWindow>,
    /// The plan as text, one operator a line.
    pub text: Vec<String>,
}

/// A window function whose rows have not been assigned.
#[derive(Clone, Debug)]
pub struct PendingWindow {
    /// The windows.
    pub window: WindowSpec,
    /// Position of the time column.
    pub time: usize,
    /// Position of the first window column in the schema.
    pub bounds_at: usize,
    /// How many columns right before it the query does not know of: the time column, kept where
    /// the query had no more use for it.
    pub hidden: usize,
}

impl Stream {
    /// The position of a column that an expression is nothing but.
    pub fn position(&self, expression: &Expr) -> Option<usize> {
        position(&self.schema, expression)
    }
}

/// The position of a column that an expression is nothing but.
pub fn position(schema: &DFSchema, expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Column(column) => schema.maybe_index_of_column(column),
        Expr::Alias(alias) => position(schema, &alias.expr),
        _ => None,
    }
}
