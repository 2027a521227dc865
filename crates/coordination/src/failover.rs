//! Whether, when and with which tasks a failed job starts again.

mod history;
mod regions;
mod restart_backoff;

pub use history::{ExceptionHistory, Failure, Restarted};
pub use regions::Regions;
pub use restart_backoff::RestartBackoff;
