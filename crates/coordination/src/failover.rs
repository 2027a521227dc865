//! Whether and when a failed job starts again.

mod restart_backoff;

pub use restart_backoff::RestartBackoff;
