//! Whether and when a failed job starts again.

mod restart_strategy;

pub use restart_strategy::{RestartBackoff, RestartStrategy};
