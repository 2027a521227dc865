//! Jobs and operators of the DataStream API on the real runtime.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broadcast;
mod ended_sinks;
mod evolution;
mod incremental;
mod joins;
mod operator_state;
mod pipelines;
mod random_programs;
mod recovery;
mod regions;
mod rolling;
mod savepoints;
mod sessions;
mod sinks;
mod triggers;
mod ttl;
mod unaligned;
mod watermarks;
mod window_functions;
mod window_model;
mod windows;
