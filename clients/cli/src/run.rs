//! `thalweg run`: a script as a job that says its id and may start from a savepoint.

use crate::arguments::{ClaimOption, RunOptions, SqlOptions};
use crate::verbs;
use crate::{exit, script};

/// Runs the script with the settings that the options stand for.
pub fn run(options: &RunOptions) -> u8 {
    if let Err(error) = verbs::check(&options.target) {
        return verbs::code(Err(error));
    }
    if options.detached {
        eprintln!(
            "error: `-d`: there are no clusters yet, so a job needs its process; run it in the \
             background of your shell"
        );
        return exit::FAILED;
    }
    if let Some(program) = options.program.first() {
        eprintln!(
            "error: `{program}`: a program runs its jobs itself; start it without `thalweg run`, \
             and a script with `-f`"
        );
        return exit::FAILED;
    }
    if options.files.is_empty() {
        eprintln!("error: which script? `thalweg run -f job.sql`");
        return 2;
    }
    script::run(
        &SqlOptions {
            files: options.files.clone(),
            texts: Vec::new(),
            settings: settings(options),
            output: None,
            final_rows: false,
            quiet: options.quiet,
        },
        true,
    )
}

/// What is set before the script runs. `-D` comes first: the options that name a thing win.
fn settings(options: &RunOptions) -> Vec<String> {
    let mut settings = options.properties.clone();
    if let Some(parallelism) = options.parallelism {
        settings.push(format!("parallelism.default={parallelism}"));
    }
    if let Some(path) = &options.savepoint {
        settings.push(format!("execution.state-recovery.path={path}"));
    }
    if options.allow_non_restored_state {
        settings.push("execution.state-recovery.ignore-unclaimed-state=true".to_owned());
    }
    if let Some(mode) = options.claim_mode {
        let mode = match mode {
            ClaimOption::Claim => "CLAIM",
            ClaimOption::NoClaim => "NO_CLAIM",
            ClaimOption::Legacy => "LEGACY",
        };
        settings.push(format!("execution.state-recovery.claim-mode={mode}"));
    }
    settings
}
