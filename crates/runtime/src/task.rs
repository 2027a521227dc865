//! Tasks: a chain of operators, run one step at a time.

mod overtake;
mod passed;
mod sink_stage;
mod stage;
mod subtask;

pub use sink_stage::SinkStage;
pub use stage::{Emission, Incoming, Stage, StageBody, StageSpec};
pub use subtask::{StageLinks, Step, Subtask, SubtaskSpec};
