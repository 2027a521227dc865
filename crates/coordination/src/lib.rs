//! Decisions of a running job: when to checkpoint, when to restart.
//!
//! Everything here is a synchronous state machine: `(state, event, now) → decisions`. Who carries a
//! decision out, and what the time is, is the caller's affair; so the same code decides for the
//! threads of one process, for a cluster and in a simulation.

pub mod checkpoint;
pub mod failover;
