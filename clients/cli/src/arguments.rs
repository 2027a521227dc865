//! What the command line may say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Stateful stream processing in one binary.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, about, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run Flink SQL: scripts, statements, or an interactive prompt
    Sql(SqlOptions),
    /// Run a script of jobs, from a savepoint if one is named
    Run(RunOptions),
    /// List the jobs of this user that run on this machine
    List(ListOptions),
    /// Take a savepoint of a running job, or delete one
    Savepoint(SavepointOptions),
    /// Stop a job with a savepoint
    Stop(StopOptions),
    /// Stop a job as it is; what is not committed is lost
    Cancel(CancelOptions),
    /// Take a checkpoint of a running job now
    Checkpoint(CheckpointOptions),
}

/// Which cluster is meant.
#[derive(Debug, Args)]
pub struct Target {
    /// The cluster; without it, the jobs of this user on this machine
    #[arg(short = 'm', long = "jobmanager", value_name = "HOST:PORT")]
    pub manager: Option<String>,
}

/// Options of `thalweg run`.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// Run the statements of a file; may be given several times, in order
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Start from a savepoint or checkpoint
    #[arg(short = 's', long = "fromSavepoint", value_name = "SAVEPOINT")]
    pub savepoint: Option<String>,
    /// Leave state behind that the job has no operator for
    #[arg(
        short = 'n',
        long = "allow-non-restored-state",
        alias = "allowNonRestoredState"
    )]
    pub allow_non_restored_state: bool,
    /// Who owns the savepoint from now on
    #[arg(
        long = "claim-mode",
        alias = "claimMode",
        value_enum,
        ignore_case = true
    )]
    pub claim_mode: Option<ClaimOption>,
    /// Instances of each operator
    #[arg(short = 'p', long = "parallelism", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub parallelism: Option<u32>,
    /// Set an option before anything runs
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    pub properties: Vec<String>,
    /// Do not wait for the job
    #[arg(short = 'd', long = "detached")]
    pub detached: bool,
    /// Show no progress, even on a terminal
    #[arg(long)]
    pub quiet: bool,
    /// A program with its arguments
    #[arg(trailing_var_arg = true, value_name = "PROGRAM", hide = true)]
    pub program: Vec<String>,
}

/// Who owns what a job has started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClaimOption {
    /// Whoever owned it; the job does not touch it
    #[value(name = "NO_CLAIM", alias = "no-claim")]
    NoClaim,
    /// The job, which deletes it once it is replaced
    #[value(name = "CLAIM")]
    Claim,
    /// Refused
    #[value(name = "LEGACY", hide = true)]
    Legacy,
}

/// Options of `thalweg list`.
#[derive(Debug, Args)]
pub struct ListOptions {
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// Running jobs only
    #[arg(short = 'r', long = "running")]
    pub running: bool,
    /// Scheduled jobs only
    #[arg(short = 's', long = "scheduled")]
    pub scheduled: bool,
    /// All jobs
    #[arg(short = 'a', long = "all")]
    pub all: bool,
}

/// Options of `thalweg savepoint`.
#[derive(Debug, Args)]
pub struct SavepointOptions {
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// The job: its id, or the beginning of it
    pub job: Option<String>,
    /// Where the savepoint gets its directory; by default the job's
    /// `execution.checkpointing.savepoint-dir`
    pub directory: Option<String>,
    /// Delete a savepoint
    #[arg(short = 'd', long = "dispose", value_name = "PATH", conflicts_with_all = ["job", "directory"])]
    pub dispose: Option<String>,
    /// Set an option of the file system that a savepoint is deleted from, such as `s3.endpoint`
    #[arg(short = 'D', value_name = "KEY=VALUE", requires = "dispose")]
    pub properties: Vec<String>,
}

/// Options of `thalweg stop`.
#[derive(Debug, Args)]
pub struct StopOptions {
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// Where the savepoint gets its directory; by default the job's
    /// `execution.checkpointing.savepoint-dir`
    #[arg(short = 'p', long = "savepointPath", value_name = "DIR")]
    pub directory: Option<String>,
    /// Emit everything first, as at the end of the input; the job is not meant to go on
    #[arg(short = 'd', long = "drain")]
    pub drain: bool,
    /// The job: its id, or the beginning of it
    pub job: String,
}

/// Options of `thalweg cancel`.
#[derive(Debug, Args)]
pub struct CancelOptions {
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// The job: its id, or the beginning of it
    pub job: String,
}

/// Options of `thalweg checkpoint`.
#[derive(Debug, Args)]
pub struct CheckpointOptions {
    /// Which cluster.
    #[command(flatten)]
    pub target: Target,
    /// The job: its id, or the beginning of it
    pub job: String,
}

/// Options of `thalweg sql`.
#[derive(Debug, Args)]
pub struct SqlOptions {
    /// Run the statements of a file; may be given several times, in order
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Run the statements of a text, after all files
    #[arg(short = 'e', long = "execute", value_name = "SQL")]
    pub texts: Vec<String>,
    /// Set an option before anything runs
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// How rows are printed; the default is `table` on a terminal and `json` otherwise
    #[arg(long, value_enum)]
    pub output: Option<OutputFormat>,
    /// Print only the final rows, once a job has ended
    #[arg(long = "final")]
    pub final_rows: bool,
    /// Show no progress, even on a terminal
    #[arg(long)]
    pub quiet: bool,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A table with borders
    Table,
    /// One JSON object a row
    Json,
    /// Comma-separated values with a header
    Csv,
    /// One line a change, as `+I[1, text]`
    Changelog,
}
