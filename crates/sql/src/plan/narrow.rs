//! Reads no more of a table than the queries of a job need: fields of rows as well as columns.
//!
//! DataFusion drops columns that nobody reads, but a `ROW` is one column to it: of an event with
//! thirty fields, of which a query reads two, all thirty would be decoded. Here the needs of all
//! queries of a job are put together, a table at a time, so that a table that is read twice is
//! still decoded once; then its scans are planned over a declaration with only those columns and
//! fields. Above a scan that became wider a projection restores the columns that were there.

mod needs;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result as PlanResult};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};

use self::needs::{Need, Paths, needs_of};
use super::logical::{ScanSource, plan_error};
use super::relation::Table;
use crate::error::SqlResult;

/// One declared table and what all queries read of it.
struct Reading {
    table: Arc<Table>,
    narrowed: Arc<Table>,
    /// Columns that some scan reads.
    columns: BTreeSet<usize>,
    /// By column, the paths that are read.
    paths: Vec<Paths>,
}

/// The same plans, reading less. `prunes` tells whether a table's connector can leave out fields
/// of rows.
///
/// # Errors
/// Those of `prunes`, and of rebuilding a plan.
pub fn narrow(
    plans: &[LogicalPlan],
    prunes: &dyn Fn(&Table) -> SqlResult<bool>,
) -> SqlResult<Vec<LogicalPlan>> {
    let mut readings: Vec<Reading> = Vec::new();
    for plan in plans {
        needs_of(plan, &mut |scan, needs| note(&mut readings, scan, needs));
    }
    for reading in &mut readings {
        reading.narrowed = if prunes(&reading.table)? {
            Arc::new(narrowed(reading))
        } else {
            reading.table.clone()
        };
    }
    let rebuilt: PlanResult<Vec<LogicalPlan>> = plans
        .iter()
        .map(|plan| {
            plan.clone()
                .transform_up(|node| rebuild(node, &readings))
                .map(|transformed| transformed.data)
        })
        .collect();
    rebuilt.map_err(plan_error)
}

fn same_table(one: &Table, other: &Table) -> bool {
    let (a, b) = (&one.spec, &other.spec);
    a.name == b.name
        && one.connector == other.connector
        && a.options == b.options
        && a.schema == b.schema
        && a.metadata == b.metadata
}

fn note(readings: &mut Vec<Reading>, scan: &TableScan, needs: &[Need]) {
    let Some(source) = scan.source.downcast_ref::<ScanSource>() else {
        return;
    };
    let known = readings
        .iter()
        .position(|reading| same_table(&reading.table, &source.table));
    let at = known.unwrap_or_else(|| {
        readings.push(Reading {
            table: source.table.clone(),
            narrowed: source.table.clone(),
            columns: BTreeSet::new(),
            paths: vec![Paths::new(); source.columns()],
        });
        readings.len() - 1
    });
    let reading = &mut readings[at];
    for (column, need) in scanned(scan, source).into_iter().zip(needs) {
        reading.columns.insert(column);
        reading.paths[column].extend(need.iter().cloned());
    }
}

fn scanned(scan: &TableScan, source: &ScanSource) -> Vec<usize> {
    match &scan.projection {
        Some(columns) => columns.clone(),
        None => (0..source.columns()).collect(),
    }
}

/// The declaration with fewer fields in its rows.
fn narrowed(reading: &Reading) -> Table {
    let mut table = (*reading.table).clone();
    let fields: Vec<FieldRef> = table
        .spec
        .schema
        .fields()
        .iter()
        .zip(&reading.paths)
        .map(|(field, paths)| narrowed_field(field, paths))
        .collect();
    table.spec.schema = Arc::new(Schema::new(fields));
    table
}

fn narrowed_field(field: &FieldRef, paths: &Paths) -> FieldRef {
    let DataType::Struct(inner) = field.data_type() else {
        return field.clone();
    };
    if paths.iter().any(Vec::is_empty) {
        return field.clone();
    }
    let below = |name: &str| -> Paths {
        let inside = paths.iter().filter(|path| path[0] == name);
        inside.map(|path| path[1..].to_vec()).collect()
    };
    let mut kept: Vec<FieldRef> = inner
        .iter()
        .map(|field| (field, below(field.name())))
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(field, paths)| narrowed_field(field, &paths))
        .collect();
    if kept.is_empty() {
        // Whether the row is NULL may still matter.
        kept.extend(inner.first().cloned());
    }
    let data_type = DataType::Struct(kept.into());
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

fn rebuild(node: LogicalPlan, readings: &[Reading]) -> PlanResult<Transformed<LogicalPlan>> {
    let LogicalPlan::TableScan(scan) = &node else {
        return Ok(Transformed::yes(node.recompute_schema()?));
    };
    let Some(source) = scan.source.downcast_ref::<ScanSource>() else {
        return Ok(Transformed::no(node));
    };
    let Some(reading) = readings
        .iter()
        .find(|reading| same_table(&reading.table, &source.table))
    else {
        return Ok(Transformed::no(node));
    };
    let wanted = scanned(scan, source);
    let all: Vec<usize> = reading.columns.iter().copied().collect();
    let names = source.names();
    let source = Arc::new(ScanSource::new(reading.narrowed.clone()));
    let table = scan.table_name.clone();
    let builder = LogicalPlanBuilder::scan(table.clone(), source, Some(all.clone()))?;
    if wanted == all {
        return Ok(Transformed::yes(builder.build()?));
    }
    let columns = wanted.iter().map(|column| {
        let name = names[*column].clone();
        Expr::Column(Column::new(Some(table.clone()), name))
    });
    Ok(Transformed::yes(builder.project(columns)?.build()?))
}

#[cfg(test)]
mod tests;
