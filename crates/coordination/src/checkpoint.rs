//! When checkpoints start, when they are complete, what becomes of those that fail.

mod coordinator;
mod pending;

pub use coordinator::{Abort, CheckpointCoordinator, Decision, Event};
