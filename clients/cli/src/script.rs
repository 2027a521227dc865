//! Runs scripts: statement after statement, waiting for each job.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use thalweg::core::config::RuntimeMode;
use thalweg::runtime::{MiniCluster, RunningJob};
use thalweg::sql::dialect::{Script, locate};
use thalweg::sql::error::SqlError;
use thalweg::sql::session::{InsertJob, Outcome, QueryJob, Session};

use crate::arguments::{OutputFormat, SqlOptions};
use crate::control::server::Control;
use crate::exit;
use crate::interrupt::Interrupt;
use crate::jobs;
use crate::output::Printer;
use crate::progress::Progress;

/// Why a statement did not succeed.
pub enum Failure {
    /// The statement is wrong.
    Sql(Box<SqlError>),
    /// The job failed.
    Job(thalweg::Error),
    /// A job of another process could not be told what it should do.
    Command(anyhow::Error),
    /// Ctrl-C.
    Interrupted,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Failure::Sql(Box::new(error))
    }
}

impl From<thalweg::Error> for Failure {
    fn from(error: thalweg::Error) -> Self {
        Failure::Job(error)
    }
}

/// A session with the way its results are shown.
pub struct Runner {
    /// The session.
    pub session: Session,
    /// How rows are printed.
    pub output: OutputFormat,
    /// Only final rows.
    pub final_rows: bool,
    /// No progress.
    pub quiet: bool,
    /// Ctrl-C.
    pub interrupt: Interrupt,
    /// Whether standard output says the ids of jobs.
    pub announce: bool,
    /// Where others reach the jobs.
    pub control: Control,
}

/// Runs `thalweg sql`, and what `thalweg run` makes of its options, which announces its jobs.
pub fn run(options: &SqlOptions, announce: bool) -> u8 {
    let terminal = std::io::stdout().is_terminal();
    let default = if terminal {
        OutputFormat::Table
    } else {
        OutputFormat::Json
    };
    let mut runner = Runner {
        session: thalweg::session(),
        output: options.output.unwrap_or(default),
        final_rows: options.final_rows,
        quiet: options.quiet,
        interrupt: Interrupt::listen(),
        announce,
        control: Control::default(),
    };
    for setting in &options.settings {
        let Some((key, value)) = setting.split_once('=') else {
            eprintln!("error: `--set {setting}` is no KEY=VALUE");
            return 2;
        };
        if let Err(error) = runner.session.options_mut().set(key.trim(), value.trim()) {
            eprint!("{}", error.render(None, ""));
            return exit::FAILED;
        }
    }
    for file in &options.files {
        let name = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("error: cannot read `{name}`: {error}");
                return exit::FAILED;
            }
        };
        let code = runner.run_text(Some(&name), &text);
        if code != exit::OK {
            return code;
        }
    }
    for text in &options.texts {
        let code = runner.run_text(None, text);
        if code != exit::OK {
            return code;
        }
    }
    if options.files.is_empty() && options.texts.is_empty() {
        return crate::prompt::run(&mut runner);
    }
    exit::OK
}

impl Runner {
    /// Runs all statements of a text; stops at the first that fails.
    pub fn run_text(&mut self, file: Option<&str>, text: &str) -> u8 {
        for statement in Script::new(text) {
            let result = statement.and_then(|statement| {
                let result = self.session.execute(&statement.node);
                result.map_err(|error| locate(error, text, &statement))
            });
            let outcome = match result {
                Ok(outcome) => outcome,
                Err(error) => {
                    eprint!("{}", error.render(file, text));
                    return exit::FAILED;
                }
            };
            match self.show(outcome) {
                Ok(()) => {}
                Err(Failure::Interrupted) => return exit::INTERRUPTED,
                Err(Failure::Sql(error)) => {
                    eprint!("{}", error.render(file, text));
                    return exit::FAILED;
                }
                Err(Failure::Job(error)) => {
                    eprintln!("error: {error}");
                    return exit::FAILED;
                }
                Err(Failure::Command(error)) => {
                    eprintln!("error: {error:#}");
                    return exit::FAILED;
                }
            }
        }
        exit::OK
    }

    fn show(&mut self, outcome: Outcome) -> Result<(), Failure> {
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Rows(rows) => {
                let mut printer = Printer::new(self.output, rows.schema(), false, false);
                printer.print(&thalweg::columnar::ColumnBatch::insertions(rows))?;
                printer.finish()?;
                Ok(())
            }
            Outcome::Query(job) => self.run_query(*job),
            Outcome::Insert(job) => self.run_insert(*job),
            Outcome::Job(job) => {
                let rows = jobs::execute(&job).map_err(Failure::Command)?;
                self.show(rows.map_or(Outcome::Done, Outcome::Rows))
            }
        }
    }

    fn run_query(&mut self, query: QueryJob) -> Result<(), Failure> {
        let batch = query.config.mode == RuntimeMode::Batch;
        let clash = query
            .schema
            .fields()
            .iter()
            .any(|field| field.name() == "op");
        if clash && self.output == OutputFormat::Json && !self.final_rows {
            let message = "a result column is called `op`, which JSON output needs for row kinds";
            return Err(SqlError::type_mismatch(message).into());
        }
        let with_op = match self.output {
            OutputFormat::Json => true,
            _ => query.updating && !batch,
        };
        let mut printer = Printer::new(self.output, query.schema.clone(), with_op, self.final_rows);
        let job = MiniCluster.start(&query.graph, &query.config)?;
        let client = job.client();
        let progress = Progress::begin(self.quiet);
        let started = now();
        let mut printed = Ok(());
        loop {
            match query.rows.recv_timeout(Duration::from_millis(100)) {
                Ok(rows) => {
                    printed = printer.print(&rows);
                    if printed.is_err() {
                        client.cancel();
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => progress.show(&job, started.elapsed()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.interrupt.is_set() {
                client.cancel();
                break;
            }
        }
        drop(query.rows);
        progress.end();
        if closed_pipe(&printed) {
            // Whoever read the rows has seen enough: `… | head` is no failure.
            drop(job.join());
            return Ok(());
        }
        let ended = self.end(job);
        // What was printed before a failure stays: rows before a bad one are good.
        let finished = printed.and_then(|()| printer.finish().map(drop));
        ended?;
        finished.map_err(Failure::Job)
    }

    fn run_insert(&mut self, insert: InsertJob) -> Result<(), Failure> {
        let job = MiniCluster.start(&insert.graph, &insert.config)?;
        let _registered = self.control.register(job.client());
        if self.announce {
            let mut out = std::io::stdout();
            writeln!(out, "Job has been submitted with JobID {}", job.id())
                .and_then(|()| out.flush())
                .map_err(thalweg::Error::from)?;
        }
        if let Some(directory) = &insert.config.checkpointing.directory {
            let directory = directory.trim_end_matches('/');
            eprintln!("checkpoints of this job: {directory}/{}", job.id());
        }
        let client = job.client();
        let progress = Progress::begin(self.quiet);
        let started = now();
        while !job.is_finished() {
            std::thread::park_timeout(Duration::from_millis(5));
            progress.show(&job, started.elapsed());
            if self.interrupt.is_set() {
                client.cancel();
                break;
            }
        }
        progress.end();
        self.end(job)
    }

    fn end(&self, job: RunningJob) -> Result<(), Failure> {
        match job.join() {
            Ok(result) => {
                let skipped = result.sum(|metrics| metrics.rows_skipped.get());
                let late = result.sum(|metrics| metrics.late_dropped.get());
                if skipped > 0 {
                    eprintln!("warning: {skipped} malformed rows were skipped");
                }
                if late > 0 {
                    eprintln!("warning: {late} rows came too late for their window");
                }
                Ok(())
            }
            Err(_) if self.interrupt.is_set() => {
                self.interrupt.clear();
                Err(Failure::Interrupted)
            }
            Err(error) => Err(Failure::Job(error)),
        }
    }
}

fn closed_pipe(printed: &thalweg::Result<()>) -> bool {
    use std::error::Error;
    let Err(error) = printed else { return false };
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>());
    cause.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[allow(clippy::disallowed_methods)] // A command line may look at the clock.
fn now() -> Instant {
    Instant::now()
}
