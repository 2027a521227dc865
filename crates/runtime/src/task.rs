//! Tasks: a chain of operators, run one step at a time.

mod links;
mod overtake;
mod passed;
mod sink_stage;
mod stage;
mod subtask;
mod suspension;

pub use links::StageLinks;
pub use sink_stage::SinkStage;
pub use stage::{Emission, Incoming, Stage, StageBody, StageSpec};
pub use subtask::{Step, Subtask, SubtaskSpec};
