//! The `thalweg` command.

mod arguments;
mod control;
mod fold;
mod interrupt;
mod jobs;
mod output;
mod progress;
mod prompt;
mod run;
mod script;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes that scripts rely on.
pub mod exit {
    /// Every statement and job succeeded.
    pub const OK: u8 = 0;
    /// A statement or a job failed.
    pub const FAILED: u8 = 1;
    /// Stopped by Ctrl-C.
    pub const INTERRUPTED: u8 = 130;
}

fn main() -> ExitCode {
    // Wrong usage ends in clap with code 2, help and version with 0.
    let arguments = Arguments::parse();
    let code = match arguments.command {
        Command::Sql(options) => script::run(&options, false),
        Command::Run(options) => run::run(&options),
        Command::List(options) => verbs::code(verbs::list(&options)),
        Command::Savepoint(options) => verbs::code(verbs::savepoint(&options)),
        Command::Stop(options) => verbs::code(verbs::stop(&options)),
        Command::Cancel(options) => verbs::code(verbs::cancel(&options)),
        Command::Checkpoint(options) => verbs::code(verbs::checkpoint(&options)),
    };
    ExitCode::from(code)
}
