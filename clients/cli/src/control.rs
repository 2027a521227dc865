//! How processes that run jobs and the verbs of the command line find each other.
//!
//! ```text
//!   thalweg run ──▶ <runtime directory>/<pid>.sock ◀── thalweg list, savepoint, stop, …
//!                   one a process, for all of its jobs
//! ```
//!
//! Only the user who runs the jobs reaches them: the directory and the sockets are theirs alone.

pub mod client;
mod directory;
mod frames;
pub mod server;

/// What each message begins with: both sides may be of different versions.
const PROTOCOL: &str = "thalweg-control-1";

/// What a verb asks of the process that runs a job.
mod ask {
    /// The jobs: four fields each.
    pub const LIST: &str = "list";
    /// Job, directory.
    pub const SAVEPOINT: &str = "savepoint";
    /// Job, directory, `drain` or nothing.
    pub const STOP: &str = "stop";
    /// Job.
    pub const CANCEL: &str = "cancel";
    /// Job.
    pub const CHECKPOINT: &str = "checkpoint";
}

/// A job that runs somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEntry {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is doing.
    pub status: String,
    /// When it was started, in milliseconds since the epoch.
    pub started: i64,
}
