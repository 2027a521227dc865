//! Where rows come from: scans, watermarks, constants.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use datafusion_common::{DFSchema, DFSchemaRef, ScalarValue};
use datafusion_expr::{Expr, Operator, TableScan};
use thalweg_columnar::connector::ScanRequest;
use thalweg_core::config::RuntimeMode;
use thalweg_core::graph::{NodeKind, Partitioning, StreamNode};

use super::{Factory, PhysicalPlanner, arrow_schema, nested};
use crate::error::{SqlError, SqlResult};
use crate::exec::values::Values;
use crate::exec::watermark::{WatermarkAssigner, WatermarkRule};
use crate::plan::logical::ScanSource;
use crate::plan::nodes::WatermarkNode;
use crate::plan::relation::check_options;
use crate::plan::stream::{ColumnTrait, Stream};

impl PhysicalPlanner<'_> {
    pub(super) fn plan_scan(&mut self, scan: &TableScan) -> SqlResult<Stream> {
        let source = scan.source.downcast_ref::<ScanSource>().ok_or_else(|| {
            SqlError::internal(format!("table `{}` has no connector", scan.table_name))
        })?;
        let table = &source.table;
        let physical = table.spec.schema.fields().len();
        let all = physical + table.spec.metadata.len();
        let wanted: Vec<usize> = scan
            .projection
            .clone()
            .unwrap_or_else(|| (0..all).collect());
        let request = ScanRequest {
            projection: wanted.iter().copied().filter(|c| *c < physical).collect(),
            metadata: wanted
                .iter()
                .filter(|c| **c >= physical)
                .map(|c| c - physical)
                .collect(),
            batch_rows: self.settings.batch_rows,
        };
        let connector = (self.connectors)(&table.connector)?;
        // Hints may have added options since the table was declared.
        check_options(table, connector.as_ref())?;
        let factory = connector
            .source(&table.spec, &request)
            .map_err(|error| SqlError::catalog(error.to_string()))?;
        let name = format!("Source: {}", table.spec.name);
        let node = self
            .graph
            .add_node(StreamNode::new(name.clone(), NodeKind::Source(factory)));
        let columns: Vec<String> = scan.projected_schema.field_names();
        Ok(Stream {
            node,
            schema: scan.projected_schema.clone(),
            traits: vec![ColumnTrait::default(); wanted.len()],
            updating: false,
            parallelism: None,
            single: false,
            pending: None,
            text: vec![format!("{name}[{}]", columns.join(", "))],
        })
    }

    pub(super) fn plan_values(
        &mut self,
        rows: &[Vec<Expr>],
        schema: &DFSchemaRef,
    ) -> SqlResult<Stream> {
        let arrow = arrow_schema(schema);
        let empty = DFSchema::empty();
        let one = RecordBatch::try_new_with_options(
            Arc::new(arrow_schema::Schema::empty()),
            Vec::new(),
            &RecordBatchOptions::new().with_row_count(Some(1)),
        )
        .map_err(|error| SqlError::internal(error.to_string()))?;
        let mut batches = Vec::new();
        for row in rows {
            let mut columns = Vec::new();
            for (expr, field) in row.iter().zip(arrow.fields()) {
                let value = crate::exec::expr::evaluate(&self.compile(expr, &empty)?, &one)
                    .map_err(|error| SqlError::data(error.to_string()))?;
                let value = arrow::compute::cast(&value, field.data_type())
                    .map_err(|error| SqlError::type_mismatch(error.to_string()))?;
                columns.push(value);
            }
            let batch = crate::exec::expr::batch(&arrow, columns, 1)
                .map_err(|error| SqlError::type_mismatch(error.to_string()))?;
            batches.push(batch);
        }
        if batches.len() > 1 {
            let whole = arrow_select::concat::concat_batches(&arrow, &batches)
                .map_err(|error| SqlError::internal(error.to_string()))?;
            batches = vec![whole];
        }
        let text = format!("Values[{} rows]", rows.len());
        let source = Arc::new(Values(batches));
        let mut node = StreamNode::new("Values", NodeKind::Source(source));
        node.parallelism = Some(1);
        let node = self.graph.add_node(node);
        Ok(Stream {
            node,
            schema: schema.clone(),
            traits: vec![ColumnTrait::default(); schema.fields().len()],
            updating: false,
            parallelism: None,
            single: false,
            pending: None,
            text: vec![text],
        })
    }

    pub(super) fn plan_watermark(&mut self, watermark: &WatermarkNode) -> SqlResult<Stream> {
        let mut input = self.plan_rows(&watermark.input)?;
        let column = input
            .position(&watermark.column)
            .ok_or_else(|| SqlError::internal("the time attribute is no column"))?;
        input.traits[column].rowtime = true;
        if self.settings.mode == RuntimeMode::Batch {
            // The only watermark of a batch is the one at its end: nothing is late.
            return Ok(input);
        }
        let rule = self.watermark_rule(&watermark.expression, &input)?;
        let idle = self.settings.idle_timeout;
        let factory: Factory =
            Arc::new(move |_| Ok(Box::new(WatermarkAssigner::new(rule.clone(), idle))));
        let edge = [(input.node, Partitioning::Unspecified)];
        let node = self.add_operator("Watermark", factory, &edge, input.parallelism);
        self.graph.nodes[node.0].generates_watermarks = true;
        input.node = node;
        let line = format!(
            "Watermark[{} AS {}]",
            watermark.column, watermark.expression
        );
        input.text = nested(line, &[&input.text]);
        Ok(input)
    }

    fn watermark_rule(&self, expression: &Expr, input: &Stream) -> SqlResult<WatermarkRule> {
        if let Expr::BinaryExpr(difference) = expression
            && difference.op == Operator::Minus
            && input.position(&difference.left).is_some()
            && let Some(delay) = whole_millis(&difference.right)
        {
            let column = self.compile(&difference.left, &input.schema)?;
            return Ok(WatermarkRule::Bounded { column, delay });
        }
        let expression = self.compile(expression, &input.schema)?;
        Ok(WatermarkRule::Computed(expression))
    }
}

/// The milliseconds of a constant interval, if it is a whole number of them.
fn whole_millis(expression: &Expr) -> Option<i64> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    match expression {
        Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => {
            Some(i64::from(interval.days) * DAY + i64::from(interval.milliseconds))
        }
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => {
            let whole = interval.months == 0 && interval.nanoseconds % 1_000_000 == 0;
            let days = i64::from(interval.days) * DAY;
            whole.then(|| days + interval.nanoseconds / 1_000_000)
        }
        _ => None,
    }
}
