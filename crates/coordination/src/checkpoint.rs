//! When checkpoints start, when they are complete, what becomes of those that fail.

mod coordinator;
mod pending;
mod purpose;
mod requests;

pub use coordinator::{Abort, CheckpointCoordinator, Decision, Event};
pub use purpose::Purpose;
