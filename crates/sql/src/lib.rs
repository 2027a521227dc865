//! Flink SQL: dialect, catalog, planner and stream operators.
pub mod catalog;
pub mod dialect;
pub mod error;
pub mod exec;
pub mod functions;
pub mod plan;
pub mod session;
pub mod types;
