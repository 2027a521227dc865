//! Checkpoints in a directory, through attempts that leave something behind.

mod layers;

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::*;
use thalweg_core::config::ExecutionConfig;
use thalweg_core::id::JobId;
use thalweg_state::{CheckpointStore, LocalDirectory};

struct Directory(PathBuf, Arc<Requests>);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("thalweg-executor-{name}-{}", std::process::id());
        Directory(std::env::temp_dir().join(name), Arc::default())
    }

    fn store(&self) -> CheckpointStore {
        CheckpointStore::new(Arc::new(LocalDirectory::new(&self.0)), "job")
    }

    /// An executor of one task.
    fn executor(&self, restored: u64) -> CheckpointExecutor {
        self.retaining(1, restored)
    }

    fn retaining(&self, retained: usize, restored: u64) -> CheckpointExecutor {
        let (sender, _) = sync_channel(16);
        let spec = ExecutorSpec {
            config: CheckpointConfig {
                interval: Some(Duration::from_millis(100)),
                max_concurrent: 2,
                ..CheckpointConfig::default()
            },
            tasks: vec![vec![(OperatorUid::new("keyed"), 0)]],
            request: Arc::default(),
            listener: Arc::new(StoringListener::new(sender, restored)),
            checkpoints: Some(Checkpoints {
                store: self.store(),
                job_name: "counting".to_owned(),
                retained,
                warn: |_| {},
            }),
            savepoints: Savepoints::of(&ExecutionConfig::default(), JobId(0xAB << 120)),
            claimed: None,
            requests: self.1.clone(),
        };
        CheckpointExecutor::new(spec, restored, 0).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn acknowledged(checkpoint: u64) -> Event {
    Event::Acknowledged {
        checkpoint,
        task: 0,
    }
}

fn stored(executor: &mut CheckpointExecutor, checkpoint: u64, now: u64) {
    let todo = executor.on(&acknowledged(checkpoint), now);
    assert!(matches!(todo[..], [Todo::Store(c)] if c == checkpoint));
    let event = executor.store(checkpoint, ProcessingTime(0));
    assert_eq!(event, Event::Stored { checkpoint });
    executor.on(&event, now);
}

#[test]
fn the_number_of_a_damaged_checkpoint_is_not_used_again() {
    let directory = Directory::new("damaged");
    let mut first = directory.executor(0);
    first.on(&Event::Time, 100);
    stored(&mut first, 1, 101);
    first.on(&Event::Time, 200);
    stored(&mut first, 2, 201);
    // The second one turns out to be damaged: the next attempt starts from nothing.
    let mut second = directory.executor(0);
    second.on(&Event::Time, 100);
    assert_eq!(second.request.latest().checkpoint, 3);
    stored(&mut second, 3, 101);
    let kept: Vec<u64> = second.completed().collect();
    assert_eq!(kept, [3], "only the damaged one is deleted");
    assert!(directory.store().load(3).is_ok());
}

#[test]
fn a_damaged_checkpoint_is_deleted_before_a_whole_one() {
    let directory = Directory::new("first");
    let mut first = directory.retaining(2, 0);
    for (checkpoint, now) in [(1, 100), (2, 200)] {
        first.on(&Event::Time, now);
        stored(&mut first, checkpoint, now + 1);
    }
    let mut second = directory.retaining(2, 1);
    second.on(&Event::Time, 100);
    stored(&mut second, 3, 101);
    assert_eq!(directory.store().numbers().unwrap(), [3, 1]);
}

#[test]
fn a_checkpoint_that_became_superfluous_before_it_was_stored_leaves_nothing() {
    let directory = Directory::new("superfluous");
    let mut executor = directory.executor(0);
    executor.on(&Event::Time, 100);
    executor.on(&Event::Time, 200);
    let todo = executor.on(&acknowledged(1), 201);
    assert!(matches!(todo[..], [Todo::Store(1)]));
    stored(&mut executor, 2, 202);
    let event = executor.store(1, ProcessingTime(0));
    assert_eq!(event, Event::StoringFailed { checkpoint: 1 });
    assert!(
        executor.on(&event, 203).is_empty(),
        "it counts as no failure"
    );
    assert_eq!(directory.store().numbers().unwrap(), [2]);
}
