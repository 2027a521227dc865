//! The verbs that speak to jobs of other processes.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use thalweg::core::config::FileSystemOptions;
use thalweg::runtime::checkpoint::dispose;
use thalweg::sql::catalog::options::SessionOptions;

use crate::arguments::{
    CancelOptions, CheckpointOptions, ListOptions, SavepointOptions, StopOptions, Target,
};
use crate::control::client;
use crate::exit;

/// Prints an error; the code.
pub fn code(result: Result<()>) -> u8 {
    match result {
        Ok(()) => exit::OK,
        Err(error) => {
            eprintln!("error: {error:#}");
            exit::FAILED
        }
    }
}

/// Refuses what needs a cluster.
///
/// # Errors
/// If a cluster is named.
pub fn check(target: &Target) -> Result<()> {
    match &target.manager {
        Some(manager) => bail!(
            "`-m {manager}`: there are no clusters yet; without `-m` the jobs of this user on \
             this machine are meant"
        ),
        None => Ok(()),
    }
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("standard output")
}

/// A directory as the other process understands it, which may stand elsewhere.
fn absolute(directory: &str) -> Result<String> {
    if directory.contains("://") || directory.starts_with("file:") {
        return Ok(directory.to_owned());
    }
    let path = std::path::absolute(Path::new(directory));
    let path = path.with_context(|| format!("`{directory}`"))?;
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("`{}` is not UTF-8", path.display()),
    }
}

/// `thalweg list`
///
/// # Errors
/// If the jobs cannot be asked for.
pub fn list(options: &ListOptions) -> Result<()> {
    check(&options.target)?;
    let jobs = client::jobs()?;
    let running = options.running || options.all || !options.scheduled;
    if running && jobs.is_empty() {
        say("No running jobs.")?;
    } else if running {
        say("------------------ Running/Restarting Jobs -------------------")?;
        for found in &jobs {
            let job = &found.job;
            say(&format!("{} : {} ({})", job.id, job.name, job.status))?;
        }
        say("--------------------------------------------------------------")?;
    }
    // A job starts at once, or not at all.
    if options.scheduled || options.all || !options.running {
        say("No scheduled jobs.")?;
    }
    Ok(())
}

/// `thalweg savepoint`
///
/// # Errors
/// Why there is none, or why it was not deleted.
pub fn savepoint(options: &SavepointOptions) -> Result<()> {
    check(&options.target)?;
    if let Some(path) = &options.dispose {
        thalweg::register_file_systems();
        let gone = dispose(path, &file_systems(&options.properties)?)?;
        if !gone {
            eprintln!("warning: `{path}` has other files in it, which were kept");
        }
        return say(&format!("Savepoint '{path}' disposed."));
    }
    let Some(job) = &options.job else {
        bail!("which job? `thalweg list` shows them");
    };
    let directory = options.directory.as_deref().map(absolute).transpose()?;
    let path = client::find(job)?.savepoint(directory.as_deref())?;
    say(&format!("Savepoint completed. Path: {path}"))
}

/// Options of file systems, as a session takes them.
fn file_systems(properties: &[String]) -> Result<FileSystemOptions> {
    let mut options = SessionOptions::default();
    for property in properties {
        let Some((key, value)) = property.split_once('=') else {
            bail!("`-D {property}` is no KEY=VALUE");
        };
        options.set(key.trim(), value.trim())?;
    }
    Ok(options.file_systems())
}

/// `thalweg stop`
///
/// # Errors
/// Why the job goes on.
pub fn stop(options: &StopOptions) -> Result<()> {
    check(&options.target)?;
    let directory = options.directory.as_deref().map(absolute).transpose()?;
    let found = client::find(&options.job)?;
    let path = found.stop(directory.as_deref(), options.drain)?;
    say(&format!("Savepoint completed. Path: {path}"))
}

/// `thalweg cancel`
///
/// # Errors
/// If there is no such job.
pub fn cancel(options: &CancelOptions) -> Result<()> {
    check(&options.target)?;
    let found = client::find(&options.job)?;
    found.cancel()?;
    say(&format!("Cancelled job {}.", found.job.id))
}

/// `thalweg checkpoint`
///
/// # Errors
/// Why there is none.
pub fn checkpoint(options: &CheckpointOptions) -> Result<()> {
    check(&options.target)?;
    let path = client::find(&options.job)?.checkpoint()?;
    say(&format!("Checkpoint completed. Path: {path}"))
}
