//! The side of the verbs: asks every process of this user.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{JobEntry, PROTOCOL, ask, directory, frames, server};

/// A job, and where its process listens.
pub struct Found {
    socket: PathBuf,
    /// The job.
    pub job: JobEntry,
}

/// All jobs of this user that run on this machine, oldest first.
///
/// # Errors
/// If the directory cannot be read.
pub fn jobs() -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for socket in sockets()? {
        let Some(fields) = ask_at(&socket, &[ask::LIST])? else {
            continue;
        };
        for fields in fields.chunks_exact(4) {
            found.push(Found {
                socket: socket.clone(),
                job: JobEntry {
                    id: fields[0].clone(),
                    name: fields[1].clone(),
                    status: fields[2].clone(),
                    started: fields[3].parse().unwrap_or_default(),
                },
            });
        }
    }
    found.sort_by(|a, b| (a.job.started, &a.job.id).cmp(&(b.job.started, &b.job.id)));
    Ok(found)
}

fn sockets() -> Result<Vec<PathBuf>> {
    let directory = directory::path()?;
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        // Nothing has run yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", directory.display()));
        }
    };
    let mut sockets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if server::is_socket(&path) {
            sockets.push(path);
        }
    }
    Ok(sockets)
}

/// The job of an id, or of the beginning of one that no other job shares.
///
/// # Errors
/// If there is none, or more than one; the error lists those there are.
pub fn find(id: &str) -> Result<Found> {
    let mut all = jobs()?;
    let mut fitting = all.iter().enumerate().filter(|(_, found)| {
        let id = id.to_ascii_lowercase();
        !id.is_empty() && found.job.id.starts_with(&id)
    });
    match (fitting.next().map(|(at, _)| at), fitting.next()) {
        (Some(at), None) => Ok(all.swap_remove(at)),
        (Some(_), Some(_)) => bail!("more than one job begins with `{id}`; {}", listed(&all)),
        (None, _) => bail!("there is no job `{id}`; {}", listed(&all)),
    }
}

fn listed(all: &[Found]) -> String {
    if all.is_empty() {
        return "no job of this user is running on this machine".to_owned();
    }
    let lines = all.iter().map(|found| {
        let JobEntry { id, name, .. } = &found.job;
        format!("\n  {id} {name}")
    });
    format!("these are running:{}", lines.collect::<String>())
}

impl Found {
    /// Asks the job's process; what it answers.
    ///
    /// # Errors
    /// What the job says, or that its process has gone.
    pub fn ask(&self, what: &str, arguments: &[&str]) -> Result<String> {
        let request = [&[what, self.job.id.as_str()], arguments].concat();
        let Some(fields) = ask_at(&self.socket, &request)? else {
            bail!("the process of job {} has gone", self.job.id);
        };
        Ok(fields.into_iter().next().unwrap_or_default())
    }

    /// Takes a savepoint; its path. No directory: the job's own default.
    ///
    /// # Errors
    /// As [`Found::ask`].
    pub fn savepoint(&self, directory: Option<&str>) -> Result<String> {
        self.ask(ask::SAVEPOINT, &[directory.unwrap_or_default()])
    }

    /// Stops the job with a savepoint; its path.
    ///
    /// # Errors
    /// As [`Found::ask`].
    pub fn stop(&self, directory: Option<&str>, drain: bool) -> Result<String> {
        let drain = if drain { "drain" } else { "" };
        self.ask(ask::STOP, &[directory.unwrap_or_default(), drain])
    }

    /// Cancels the job.
    ///
    /// # Errors
    /// As [`Found::ask`].
    pub fn cancel(&self) -> Result<()> {
        self.ask(ask::CANCEL, &[]).map(drop)
    }

    /// Takes a checkpoint; its path.
    ///
    /// # Errors
    /// As [`Found::ask`].
    pub fn checkpoint(&self) -> Result<String> {
        self.ask(ask::CHECKPOINT, &[])
    }
}

/// `None` if nobody is there any more.
fn ask_at(socket: &Path, request: &[&str]) -> Result<Option<Vec<String>>> {
    let at = || format!("`{}`", socket.display());
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                ErrorKind::ConnectionRefused => {
                    // Its process was killed. Another verb may be as quick as this one.
                    let _ = fs::remove_file(socket);
                    Ok(None)
                }
                ErrorKind::NotFound => Ok(None),
                _ => Err(error).with_context(at),
            };
        }
    };
    let fields = [&["protocol", PROTOCOL], request].concat();
    let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
    frames::write(&mut stream, &fields).with_context(at)?;
    let answer = match frames::read(&mut stream) {
        Ok(answer) => answer,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error).with_context(at),
    };
    match answer.split_first() {
        Some((first, fields)) if first == "ok" => Ok(Some(fields.to_vec())),
        Some((_, why)) => bail!("{}", why.join(" ")),
        None => bail!("{}: an empty answer", at()),
    }
}
