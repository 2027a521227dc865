//! Flink SQL: dialect, catalog, planner and stream operators.
