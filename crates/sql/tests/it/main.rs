//! Queries with their answers, error messages, and changelogs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod errors;
mod memory;
mod queries;
mod runner;
mod slt;
mod uids;
mod values;
