//! What tests of operators, functions and jobs need.
//!
//! ```text
//!   Notation    a stream as text: a@0 k:v@5 W@9 idle active P@100 end
//!   check       one operator, one case, every way to cut, batch, restore and rescale it
//!   check_job   one whole job, every order of steps, interrupted and finished elsewhere
//!   run_along   one whole job, interrupted several times
//! ```
//!
//! All of them run the runtime's own subtasks, channels, gates and barriers; only the clock and
//! the threads are replaced. Tests of this kind live in `tests/it/`: inside the unit tests of
//! `thalweg-dataflow` there would be two copies of that crate.

use std::sync::Arc;

use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_runtime::MiniCluster;

mod harness;
mod job;
mod notation;
mod store;

pub use harness::{Harness, check, check_factory, check_two};
pub use job::{check_job, run_along};
pub use notation::Notation;

/// An environment whose jobs run on threads of this process.
pub fn environment() -> StreamExecutionEnvironment {
    StreamExecutionEnvironment::with_executor(Arc::new(MiniCluster))
}
