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
mod from_clause;
mod leaf;
pub mod logical;
pub mod narrow;
pub mod nodes;
pub mod physical;
pub mod relation;
pub mod rewrite;
mod shared;
pub mod stream;
