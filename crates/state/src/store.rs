//! Stores below keyed state: one in memory, and what every store must do.
//!
//! The contract is `thalweg_core::state::store`; [`conformance`] is its meaning in tests, which
//! each backend runs.

pub mod conformance;
mod memory;

pub use memory::{MemoryBackend, MemoryStore};
