//! What scans read once a plan is narrowed.

use std::collections::BTreeMap;

use arrow_schema::Fields;
use datafusion_common::TableReference;
use datafusion_expr::{ExprFunctionExt, col, lit};
use thalweg_columnar::connector::TableSpec;

use super::*;
use crate::functions::Functions;

fn row(name: &str, fields: &[&str]) -> Field {
    let fields: Fields = fields
        .iter()
        .map(|name| Field::new(*name, DataType::Int64, true))
        .collect();
    Field::new(name, DataType::Struct(fields), true)
}

/// `events(kind, person(id, age), bid(auction, price, bidder))`
fn table() -> Arc<Table> {
    let schema = Schema::new(vec![
        Field::new("kind", DataType::Int64, true),
        row("person", &["id", "age"]),
        row("bid", &["auction", "price", "bidder"]),
    ]);
    Arc::new(Table {
        spec: TableSpec {
            name: "events".to_owned(),
            schema: Arc::new(schema),
            metadata: Vec::new(),
            options: BTreeMap::new(),
            primary_key: Vec::new(),
            partition_keys: Vec::new(),
        },
        connector: "memory".to_owned(),
        columns: Vec::new(),
        watermark: None,
    })
}

fn scan(columns: &[usize]) -> LogicalPlanBuilder {
    let source = Arc::new(ScanSource::new(table()));
    let table = TableReference::bare("events");
    LogicalPlanBuilder::scan(table, source, Some(columns.to_vec())).unwrap()
}

fn field(column: &str, name: &str) -> Expr {
    datafusion_functions::core::get_field().call(vec![col(column), lit(name)])
}

/// The type of each column that the plan's first scan reads, by name.
fn read(plan: &LogicalPlan) -> Vec<String> {
    if let LogicalPlan::TableScan(scan) = plan {
        let fields = scan.projected_schema.fields().iter();
        return fields
            .map(|field| match field.data_type() {
                DataType::Struct(inner) => {
                    let names: Vec<&str> = inner.iter().map(|f| f.name().as_str()).collect();
                    format!("{}({})", field.name(), names.join(","))
                }
                _ => field.name().clone(),
            })
            .collect();
    }
    read(plan.inputs()[0])
}

fn narrowed_plans(plans: &[LogicalPlan]) -> Vec<LogicalPlan> {
    narrow(plans, &|_| Ok(true)).unwrap()
}

#[test]
fn only_fields_that_are_read_are_scanned() {
    let plan = scan(&[0, 1, 2])
        .filter(field("person", "age").gt(lit(18_i64)))
        .unwrap()
        .project([field("bid", "price").alias("price"), col("kind")])
        .unwrap()
        .build()
        .unwrap();
    let narrowed = narrowed_plans(std::slice::from_ref(&plan));
    assert_eq!(read(&narrowed[0]), ["kind", "person(age)", "bid(price)"]);
    assert_eq!(narrowed[0].schema(), plan.schema());
}

#[test]
fn a_row_that_is_passed_on_keeps_the_fields_read_above() {
    let plan = scan(&[0, 2])
        .project([col("bid").alias("b"), col("kind")])
        .unwrap()
        .project([field("b", "bidder").alias("bidder")])
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(read(&narrowed_plans(&[plan])[0]), ["kind", "bid(bidder)"]);
}

#[test]
fn a_row_that_is_wanted_whole_stays_whole() {
    let plan = scan(&[1, 2])
        .project([col("person"), field("bid", "price").alias("price")])
        .unwrap()
        .build()
        .unwrap();
    let narrowed = narrowed_plans(std::slice::from_ref(&plan));
    assert_eq!(read(&narrowed[0]), ["person(id,age)", "bid(price)"]);
    assert_eq!(narrowed[0].schema(), plan.schema());
}

#[test]
fn two_queries_of_one_job_read_a_table_alike() {
    let one = scan(&[1]).project([field("person", "id").alias("id")]);
    let other = scan(&[0, 2]).project([field("bid", "price").alias("price")]);
    let plans = [
        one.unwrap().build().unwrap(),
        other.unwrap().build().unwrap(),
    ];
    let narrowed = narrowed_plans(&plans);
    let expected = ["kind", "person(id)", "bid(price)"];
    assert_eq!(read(&narrowed[0]), expected);
    assert_eq!(read(&narrowed[1]), expected);
    assert_eq!(narrowed[0].schema(), plans[0].schema());
    assert_eq!(narrowed[1].schema(), plans[1].schema());
}

#[test]
fn an_aggregate_reads_its_keys_and_arguments() {
    let sum = Functions::default().aggregate("sum").unwrap();
    let sum = sum.call(vec![field("bid", "price")]);
    let sum = sum.filter(field("bid", "auction").gt(lit(1_i64))).build();
    let plan = scan(&[1, 2])
        .aggregate([field("person", "id")], [sum.unwrap()])
        .unwrap()
        .build()
        .unwrap();
    let read = read(&narrowed_plans(&[plan])[0]);
    assert_eq!(read, ["person(id)", "bid(auction,price)"]);
}

#[test]
fn a_connector_that_cannot_prune_is_asked_for_whole_rows() {
    let plan = scan(&[2])
        .project([field("bid", "price").alias("price")])
        .unwrap()
        .build()
        .unwrap();
    let narrowed = narrow(&[plan], &|_| Ok(false)).unwrap();
    assert_eq!(read(&narrowed[0]), ["bid(auction,price,bidder)"]);
}
