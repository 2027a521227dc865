//! The side of the process that runs jobs: one socket, one thread that accepts, and one more for
//! each verb that is being answered.
#![allow(clippy::disallowed_methods)] // A shell: it owns threads and looks at the clock.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use thalweg::Error;
use thalweg::runtime::mini_cluster::{JobClient, JobStatus};

use super::{PROTOCOL, ask, directory, frames};

// Verbs that are answered at the same time; more are turned away.
const ANSWERS_MAX: usize = 32;
// How long a process waits at its end for answers to be sent.
const LEAVE_MILLIS_MAX: u32 = 2000;
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A job and when it was started.
struct Entry {
    client: JobClient,
    started: i64,
}

type Jobs = Arc<Mutex<BTreeMap<String, Entry>>>;

/// The jobs of this process, for others to reach.
#[derive(Default)]
pub struct Control {
    jobs: Jobs,
    socket: Option<PathBuf>,
    answering: Arc<AtomicUsize>,
    tried: bool,
}

/// A job that can be reached as long as this lives.
pub struct Registered {
    jobs: Jobs,
    id: String,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.jobs).remove(&self.id);
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            // One that stays is removed by whoever finds nobody behind it.
            let _ = fs::remove_file(socket);
        }
        // Who has just stopped the last job still waits for the answer.
        for _ in 0..LEAVE_MILLIS_MAX {
            if self.answering.load(Ordering::Acquire) == 0 {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

fn lock(jobs: &Jobs) -> MutexGuard<'_, BTreeMap<String, Entry>> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    /// Makes a job known. One that cannot be reached runs all the same, after a warning.
    pub fn register(&mut self, client: JobClient) -> Registered {
        if !std::mem::replace(&mut self.tried, true) {
            match listen(self.jobs.clone(), self.answering.clone()) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => eprintln!(
                    "warning: `thalweg list`, `stop` and `savepoint` cannot reach this process: \
                     {error:#}"
                ),
            }
        }
        let id = client.job_id().to_string();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        let started = i64::try_from(millis).unwrap_or(i64::MAX);
        lock(&self.jobs).insert(id.clone(), Entry { client, started });
        Registered {
            jobs: self.jobs.clone(),
            id,
        }
    }
}

/// Listens at a socket of this process.
fn listen(jobs: Jobs, answering: Arc<AtomicUsize>) -> Result<PathBuf> {
    let directory = directory::private()?;
    let socket = directory.join(format!("{}.sock", std::process::id()));
    let hidden = directory.join(format!(".{}.binding", std::process::id()));
    let _ = fs::remove_file(&hidden);
    let listener = UnixListener::bind(&hidden)?;
    directory::close_to_others(&hidden)?;
    // Whoever sees a socket that nobody listens at removes it: it appears when somebody does.
    fs::rename(&hidden, &socket)?;
    let accepting = Builder::new().name("control".to_owned());
    accepting.spawn(move || accept(&listener, &jobs, &answering))?;
    Ok(socket)
}

fn accept(listener: &UnixListener, jobs: &Jobs, answering: &Arc<AtomicUsize>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if answering.fetch_add(1, Ordering::AcqRel) >= ANSWERS_MAX {
            answering.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (jobs, count) = (jobs.clone(), answering.clone());
        let thread = Builder::new().name("control-answer".to_owned());
        let spawned = thread.spawn(move || {
            if let Err(error) = answer(stream, &jobs) {
                eprintln!("warning: a command could not be answered: {error:#}");
            }
            count.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            answering.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn answer(mut stream: UnixStream, jobs: &Jobs) -> Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let request = frames::read(&mut stream)?;
    let answer = match reply(&request, jobs) {
        Ok(fields) => [vec!["ok".to_owned()], fields].concat(),
        Err(error) => vec!["error".to_owned(), error.to_string()],
    };
    // Whoever has asked may have gone away.
    let _ = frames::write(&mut stream, &answer);
    Ok(())
}

fn reply(request: &[String], jobs: &Jobs) -> Result<Vec<String>, Error> {
    let request: Vec<&str> = request.iter().map(String::as_str).collect();
    let ["protocol", PROTOCOL, rest @ ..] = request.as_slice() else {
        return Err(Error::unsupported(
            "the process that runs the job is of another version of thalweg",
        ));
    };
    match *rest {
        [ask::LIST] => Ok(list(jobs)),
        [ask::SAVEPOINT, id, directory] => {
            let path = find(jobs, id)?.trigger_savepoint(named(directory))?;
            Ok(vec![path])
        }
        [ask::STOP, id, directory, drain] => {
            let job = find(jobs, id)?;
            let path = job.stop_with_savepoint(named(directory), drain == "drain")?;
            Ok(vec![path])
        }
        [ask::CANCEL, id] => {
            let job = find(jobs, id)?;
            job.cancel();
            while matches!(job.status(), JobStatus::Running | JobStatus::Restarting) {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            Ok(vec![job.status().as_str().to_owned()])
        }
        [ask::CHECKPOINT, id] => Ok(vec![find(jobs, id)?.trigger_checkpoint()?]),
        _ => Err(Error::unsupported("there is no such command")),
    }
}

fn list(jobs: &Jobs) -> Vec<String> {
    let jobs = lock(jobs);
    let entries = jobs.iter().flat_map(|(id, entry)| {
        [
            id.clone(),
            entry.client.job_name().to_owned(),
            entry.client.status().as_str().to_owned(),
            entry.started.to_string(),
        ]
    });
    entries.collect()
}

fn find(jobs: &Jobs, id: &str) -> Result<JobClient, Error> {
    let job = lock(jobs).get(id).map(|entry| entry.client.clone());
    job.ok_or_else(|| Error::user("the job has ended"))
}

fn named(directory: &str) -> Option<&str> {
    Some(directory).filter(|directory| !directory.is_empty())
}

/// Whether a path is a socket of ours.
pub fn is_socket(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "sock")
}
