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
