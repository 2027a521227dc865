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
pub mod relation;
pub mod rewrite;
mod top_n;
mod windows;
