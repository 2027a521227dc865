//! Flink SQL: dialect, catalog, planner and stream operators.
pub mod exec;
pub mod types;
pub mod error;
pub mod dialect;
pub mod functions;
pub mod plan;
