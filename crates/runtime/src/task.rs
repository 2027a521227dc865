//! Tasks: a chain of operators, run one step at a time.

mod stage;
mod subtask;

pub use stage::{Emission, Incoming, Stage, StageBody, StageSpec};
pub use subtask::{StageLinks, Step, Subtask, SubtaskSpec};
