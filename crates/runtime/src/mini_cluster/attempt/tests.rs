//! An attempt that cannot be started leaves nothing running.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_state::storage::{Buffered, StorageFile};
use thalweg_state::{CheckpointStorage, CheckpointStore};

use super::*;
use crate::mini_cluster::MiniCluster;

/// A storage that cannot tell what it holds.
struct Unlisted;

impl CheckpointStorage for Unlisted {
    fn write(&self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>> {
        Ok(Box::new(Buffered::new(self, path)))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::corrupt(format!("`{path}` does not exist")))
    }

    fn put_file(&self, _: &str, _: &Path) -> Result<()> {
        Ok(())
    }

    fn get_file(&self, path: &str, _: u64) -> Result<PathBuf> {
        Err(Error::corrupt(format!("`{path}` does not exist")))
    }

    fn list(&self, _: &str) -> Result<Vec<String>> {
        Err(Error::internal("planted"))
    }

    fn delete(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn display(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A source that never ends; its reader says when it is gone.
#[derive(Clone, Default)]
struct Endless(Arc<AtomicBool>);

struct EndlessReader(Arc<AtomicBool>);

impl SourceFactory for Endless {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(EndlessReader(self.0.clone())))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }
}

impl SourceReader for EndlessReader {
    fn poll(&mut self, _: &mut Context, _: &mut Outputs) -> Result<Poll> {
        Ok(Poll::Ready)
    }
}

impl Drop for EndlessReader {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn threads_end_when_the_coordinator_of_checkpoints_cannot_start() {
    let source = Endless::default();
    let env = StreamExecutionEnvironment::with_executor(Arc::new(MiniCluster));
    env.from_source::<u64>("Endless", Arc::new(source.clone()), None)
        .for_each(|_| {});
    let checkpoints = Checkpoints {
        store: CheckpointStore::new(Arc::new(Unlisted), "job"),
        job_name: "endless".to_owned(),
        retained: 1,
        warn: |_| {},
    };
    let spec = AttemptSpec {
        job: env.job_graph().unwrap(),
        config: env.config(),
        checkpoints: Some(checkpoints),
        savepoints: Savepoints::of(&env.config(), thalweg_core::id::JobId(1)),
        claimed: None,
        requests: Arc::default(),
    };
    let started = Attempt::start(&spec, &StartingPoint::default(), None);
    assert_eq!(started.err().unwrap().message(), "planted");
    assert!(source.0.load(Ordering::SeqCst), "the source is still there");
}
