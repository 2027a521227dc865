//! `INSERT INTO`: fits a query's columns to a table's and ends in its connector.

use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use thalweg_core::graph::NodeKind;
use thalweg_core::source::Boundedness;

use super::Session;
use super::job::{InsertJob, add_sink};
use super::relations::planned_table;
use crate::dialect::Insert;
use crate::error::{SqlError, SqlResult};
use crate::plan::logical::{optimize, plan_error};
use crate::plan::relation::{Table, check_options};

impl Session {
    /// One job of one or more inserts.
    pub(super) fn insert_job(&self, inserts: &[Insert]) -> SqlResult<InsertJob> {
        let (mut plans, mut tables) = (Vec::new(), Vec::new());
        for insert in inserts {
            if insert.overwrite || !insert.partition.is_empty() || insert.on_conflict.is_some() {
                return Err(
                    SqlError::unsupported("INSERT OVERWRITE, PARTITION and ON CONFLICT")
                        .at(insert.position, 6),
                );
            }
            let hints: Vec<(String, String)> = insert
                .hints
                .iter()
                .flat_map(|hint| hint.pairs())
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            let (name, definition) = self.catalog.table(&insert.table)?;
            let table = planned_table(&name, &definition.with_options(&hints))?;
            let plan = self.plan(&insert.query)?;
            plans.push(fit(plan, insert, &table)?);
            tables.push(table);
        }
        let (_, graph, mut config, boundedness) = self.with_physical(|planner, _| {
            for (stream, table) in planner.plan_all(&plans)?.into_iter().zip(&tables) {
                let connector = self.connector(&table.connector)?;
                check_options(table, connector.as_ref())?;
                if stream.updating && !connector.accepts_updates() {
                    return Err(SqlError::type_mismatch(format!(
                        "table `{}` takes insertions only, but the query updates and deletes rows",
                        table.spec.name
                    )));
                }
                let sink = connector
                    .sink(&table.spec)
                    .map_err(|error| SqlError::catalog(error.to_string()))?;
                let name = format!("Sink: {}", table.spec.name);
                let parallelism = connector
                    .sink_parallelism(&table.spec)
                    .map_err(|error| SqlError::catalog(error.to_string()))?;
                add_sink(planner, &stream, &name, NodeKind::Sink(sink), parallelism);
            }
            Ok(())
        })?;
        if !self.options.is_set("pipeline.name") {
            let names: Vec<&str> = tables.iter().map(|t| t.spec.name.as_str()).collect();
            config.job_name = format!("insert-into_{}", names.join(","));
        }
        Ok(InsertJob {
            graph,
            config,
            bounded: boundedness == Boundedness::Bounded,
        })
    }
}

/// Puts the query's columns into the table's order and types.
fn fit(plan: LogicalPlan, insert: &Insert, table: &Table) -> SqlResult<LogicalPlan> {
    let fields = table.spec.schema.fields();
    let targets: Vec<usize> = if insert.columns.is_empty() {
        (0..fields.len()).collect()
    } else {
        let mut targets = Vec::new();
        for name in &insert.columns {
            let names = fields.iter().map(|field| field.name().as_str());
            let at = fields.iter().position(|field| *field.name() == name.value);
            targets.push(at.ok_or_else(|| {
                SqlError::unknown(format!(
                    "table `{}` has no column `{}`",
                    table.spec.name, name.value
                ))
                .with_nearest(&name.value, names)
                .at_span(name.span)
            })?);
        }
        targets
    };
    let given = plan.schema().columns();
    if given.len() != targets.len() {
        return Err(SqlError::type_mismatch(format!(
            "the query has {} columns, but table `{}` takes {}",
            given.len(),
            table.spec.name,
            targets.len()
        ))
        .at(insert.position, 6));
    }
    let mut expressions = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let source = targets.iter().position(|target| *target == at);
        let expression = match source {
            Some(column) => {
                let have = plan.schema().field(column).data_type();
                if !assignable(have, field.data_type()) {
                    return Err(SqlError::type_mismatch(format!(
                        "column `{}` of table `{}` is {}, but the query's column {} is {}",
                        field.name(),
                        table.spec.name,
                        type_name(field.data_type()),
                        column + 1,
                        type_name(have)
                    ))
                    .at(insert.position, 6));
                }
                let expr = Expr::Column(given[column].clone());
                if have == field.data_type() {
                    expr
                } else {
                    datafusion_expr::cast(expr, field.data_type().clone())
                }
            }
            None => Expr::Literal(
                ScalarValue::try_new_null(field.data_type()).map_err(plan_error)?,
                None,
            ),
        };
        expressions.push(expression.alias(field.name()));
    }
    let plan = LogicalPlanBuilder::from(plan)
        .project(expressions)
        .and_then(LogicalPlanBuilder::build)
        .map_err(plan_error)?;
    optimize(plan).map_err(plan_error)
}

fn type_name(data_type: &DataType) -> String {
    crate::types::SqlType::from_arrow(data_type)
        .map_or_else(|_| data_type.to_string(), |sql_type| sql_type.to_string())
}

/// Whether Flink assigns a value without an explicit cast: within a family of types.
fn assignable(from: &DataType, to: &DataType) -> bool {
    let text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let time = |t: &DataType| matches!(t, DataType::Timestamp(_, _));
    from == to
        || *from == DataType::Null
        || (from.is_numeric() && to.is_numeric())
        || (text(from) && text(to))
        || (time(from) && time(to))
        || (from.is_nested() && to.is_nested() && arrow::compute::can_cast_types(from, to))
}
