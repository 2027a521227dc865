//! From a query's tree to a graph of stream operators.
//!
//! ```text
//! ast ──rewrite──▶ ast ──logical (DataFusion)──▶ LogicalPlan ──optimize──▶ LogicalPlan
//!                                                                  │
//!                                               physical ◀─────────┘   time attributes, windows,
//!                                                  ▼                   changelog mode are inferred
//!                                             StreamGraph              on the way
//! ```

pub mod aggregates;
pub mod logical;
pub mod nodes;
pub mod physical;
mod physical_aggregate;
mod physical_join;
mod physical_top_n;
pub mod relation;
pub mod rewrite;
pub mod stream;
