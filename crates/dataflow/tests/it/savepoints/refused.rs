//! Savepoints that come to nothing: whoever asked hears why, and the job goes on.

use std::sync::atomic::AtomicBool;

use thalweg_core::config::RestartStrategy;
use thalweg_core::error::{Error, ErrorKind};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};

use super::*;

#[test]
fn a_directory_that_cannot_be_written_is_named_and_the_job_goes_on() {
    let scratch = Scratch::new("unwritable");
    std::fs::write(&scratch.0, "a file").unwrap();
    let (gate, ledger) = (Gate::at(100), Ledger::default());
    let job = counting(&gate, &ledger, 2, None);
    let client = job.client();
    let error = client.trigger_savepoint(Some(&scratch.text())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retryable);
    let text = error.to_string();
    assert!(
        text.starts_with("no savepoint was taken: cannot "),
        "{text}"
    );
    for drain in [false, true] {
        client
            .stop_with_savepoint(Some(&scratch.text()), drain)
            .unwrap_err();
    }
    let nowhere = client.trigger_savepoint(None).unwrap_err().to_string();
    assert!(
        nowhere.contains("set `execution.checkpointing.savepoint-dir`"),
        "{nowhere}"
    );
    let none = client.trigger_checkpoint().unwrap_err().to_string();
    assert!(
        none.contains("`execution.checkpointing.dir` is not set"),
        "{none}"
    );
    std::fs::remove_file(&scratch.0).unwrap();
    gate.open_to(NUMBERS);
    job.join().unwrap();
    assert_eq!(ledger.values(), expected());
}

#[test]
fn the_default_directory_is_used_where_none_is_named() {
    let scratch = Scratch::new("default");
    let (gate, ledger) = (Gate::at(100), Ledger::default());
    let env = composed(&gate, &ledger, counted);
    env.configure(|config| config.checkpointing.savepoint_directory = Some(scratch.text()));
    let job = start(&env);
    let path = job.client().stop_with_savepoint(None, false).unwrap();
    assert!(Path::new(&path).starts_with(&scratch.0), "{path}");
    job.join().unwrap();
}

#[test]
fn a_job_that_has_ended_says_so() {
    let ledger = Ledger::default();
    let job = counting(&Gate::at(NUMBERS), &ledger, 2, None);
    let client = job.client();
    job.join().unwrap();
    assert_eq!(ended(&client), "the job has ended");
    let cancelled = counting(&Gate::at(1), &ledger, 2, None);
    let client = cancelled.client();
    client.cancel();
    cancelled.join().unwrap_err();
    assert_eq!(ended(&client), "the job has ended");
    assert_eq!(client.status(), JobStatus::Canceled);
}

/// An operator that hears no barrier until it is let go.
#[test]
fn a_savepoint_that_takes_too_long_leaves_nothing_behind_and_the_job_goes_on() {
    for stop in [false, true] {
        let scratch = Scratch::new("slow");
        let (gate, ledger) = (Gate::at(100), Ledger::default());
        let held = Arc::new(AtomicBool::new(true));
        let (holding, waiting) = (held.clone(), Arc::new(AtomicBool::new(false)));
        let seen = waiting.clone();
        let env = composed(&gate, &ledger, move |numbers| {
            counted(numbers.map(move |value| {
                while holding.load(Ordering::SeqCst) {
                    seen.store(true, Ordering::SeqCst);
                    std::thread::yield_now();
                }
                value
            }))
        });
        env.configure(|config| config.checkpointing.timeout = Duration::from_millis(20));
        let job = start(&env);
        while !waiting.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let client = job.client();
        let text = scratch.text();
        let error = if stop {
            client.stop_with_savepoint(Some(&text), false)
        } else {
            client.trigger_savepoint(Some(&text))
        };
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("longer than `execution.checkpointing.timeout`"),
            "{error}"
        );
        assert_eq!(error.contains("the job goes on"), stop, "{error}");
        assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 0);
        // The barrier comes after all: by then nobody waits for it, and nothing stays suspended.
        held.store(false, Ordering::SeqCst);
        gate.open_to(NUMBERS);
        job.join().unwrap();
        assert_eq!(ledger.values(), expected());
    }
}

/// A ledger that cannot be reached once.
struct Unreachable {
    ledger: Ledger,
    failing: Arc<AtomicBool>,
}

struct FailingCommitter {
    inner: Box<dyn Committer>,
    failing: Arc<AtomicBool>,
}

impl SinkFactory for Unreachable {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        self.ledger.create(setup)
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        let committer = self.ledger.committer()?;
        Ok(committer.map(|inner| {
            let failing = self.failing.clone();
            Box::new(FailingCommitter { inner, failing }) as Box<dyn Committer>
        }))
    }
}

impl Committer for FailingCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        // Part of it has happened.
        self.inner
            .commit(&committables[..committables.len().min(1)])?;
        if self.failing.swap(false, Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Retryable, "unreachable"));
        }
        self.inner.commit(committables)
    }
}

#[test]
fn a_job_that_fails_as_it_stops_goes_on_from_the_savepoint() {
    let (checkpoints, savepoints) = (Scratch::new("fails-own"), Scratch::new("fails"));
    let (gate, ledger) = (Gate::at(100), Ledger::default());
    let env = thalweg_testkit::environment();
    env.set_parallelism(2).configure(|config| {
        config.batch_rows = 4;
        config.checkpointing.directory = Some(checkpoints.text());
        config.restart = RestartStrategy::FixedDelay {
            attempts: 1,
            delay: Duration::ZERO,
        };
    });
    let failing = Arc::new(AtomicBool::new(false));
    let sink = Unreachable {
        ledger: ledger.clone(),
        failing: failing.clone(),
    };
    let numbers = env.from_source("Gate", Arc::new(gate.clone()), None);
    counted(numbers).sink_to("Ledger", Arc::new(sink));
    let job = start(&env);
    gate.wait_for(4 * 50);
    job.client().trigger_checkpoint().unwrap();
    // Two sinks, of which each commits twice for one checkpoint.
    while ledger.commits() < 4 {
        std::thread::yield_now();
    }
    gate.wait_for(4 * 100);
    failing.store(true, Ordering::SeqCst);
    let error = job
        .client()
        .stop_with_savepoint(Some(&savepoints.text()), false);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("is complete, but the job failed as it stopped"),
        "{error}"
    );
    assert!(error.contains(&savepoints.text()), "{error}");
    gate.open_to(NUMBERS);
    job.join().unwrap();
    // From the older checkpoint, what the savepoint has committed would come twice.
    assert_eq!(ledger.values(), expected());
}

#[test]
fn a_job_that_fails_or_is_cancelled_meanwhile_leaves_no_half_of_a_savepoint() {
    for cancelled in [false, true] {
        let scratch = Scratch::new("meanwhile");
        let (gate, ledger) = (Gate::at(100), Ledger::default());
        let held = Arc::new(AtomicBool::new(true));
        let holding = held.clone();
        let env = composed(&gate, &ledger, move |numbers| {
            counted(numbers.try_map(move |_| -> Result<u64> {
                while holding.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                Err(Error::new(ErrorKind::User, "planted"))
            }))
        });
        let job = start(&env);
        let (client, text) = (job.client(), scratch.text());
        let asking = std::thread::Builder::new()
            .spawn(move || client.stop_with_savepoint(Some(&text), false))
            .unwrap();
        // Its directory is there, and its barrier is stuck.
        while std::fs::read_dir(&scratch.0).map_or(0, Iterator::count) == 0 {
            std::thread::yield_now();
        }
        if cancelled {
            job.client().cancel();
        }
        held.store(false, Ordering::SeqCst);
        job.join().unwrap_err();
        let error = asking.join().unwrap().unwrap_err().to_string();
        if cancelled {
            assert_eq!(error, "the job was cancelled before it was complete");
        } else {
            assert!(
                error.starts_with("the job failed before it was complete: "),
                "{error}"
            );
            assert!(error.ends_with("planted"), "{error}");
        }
        assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 0);
    }
}
