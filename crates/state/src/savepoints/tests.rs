//! What is deleted, and what is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thalweg_core::data::Schema;
use thalweg_core::id::OperatorUid;
use thalweg_core::state::{
    LayerView, Redistribution, StateLayer, StateSnapshot, StateView, TableSnapshot,
};

use super::*;
use crate::checkpoints::{CheckpointStore, load_named};
use crate::format::{InstanceState, OperatorState};
use crate::shared_files::SharedFiles;
use crate::storage::LocalDirectory;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("thalweg-savepoints-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One with a state file of its own beside the metadata.
fn written(store: &CheckpointStore, kind: CheckpointKind) {
    let snapshot = StateSnapshot {
        tables: vec![TableSnapshot {
            name: "big".to_owned(),
            redistribution: Redistribution::Split,
            schema: Schema::Int(8),
            entries: [(None, vec![7; 100_000])].into_iter().collect(),
        }],
        stores: Vec::new(),
    };
    let location = store
        .write_state(3, "state-0-0", &StateView::from(&snapshot))
        .unwrap();
    let metadata = Metadata {
        checkpoint: 3,
        kind,
        completed_at: 0,
        job_name: "clicks".to_owned(),
        operators: vec![OperatorState {
            uid: OperatorUid::new("count"),
            name: "Count".to_owned(),
            max_parallelism: 128,
            instances: vec![InstanceState {
                finished: false,
                location,
                layers: Vec::new(),
            }],
        }],
        shared: std::collections::BTreeSet::new(),
    };
    store.complete(&metadata).unwrap();
}

fn at(path: &Path) -> LocalDirectory {
    LocalDirectory::new(path)
}

#[test]
fn a_name_has_six_digits_of_the_job_and_twelve_others() {
    let job = JobId(0xABCD_EF00_0000_0000_0000_0000_0000_0001);
    let name = directory_name(job, "1");
    let rest = name.strip_prefix("savepoint-abcdef-").unwrap();
    assert!(
        rest.len() == 12 && rest.chars().all(|c| c.is_ascii_hexdigit()),
        "{name}"
    );
    assert_ne!(name, directory_name(job, "2"));
}

#[test]
fn a_savepoint_can_be_moved_read_and_deleted() {
    let scratch = Scratch::new("moved");
    let store = CheckpointStore::savepoint(Arc::new(at(&scratch.0)), "savepoint-1");
    written(&store, CheckpointKind::Savepoint);
    let moved = scratch.0.join("elsewhere/mine");
    std::fs::create_dir(scratch.0.join("elsewhere")).unwrap();
    std::fs::rename(scratch.0.join("savepoint-1"), &moved).unwrap();
    let loaded = load_named(Arc::new(at(&moved)), &mut |_| {}).unwrap();
    let state = loaded.states.values().next().unwrap();
    assert_eq!(
        state[0].tables[0]
            .entries
            .iter()
            .map(|(_, entry)| entry.len())
            .sum::<usize>(),
        100_000
    );
    assert!(dispose(&at(&moved)).unwrap());
    assert!(!moved.exists());
    let again = dispose(&at(&moved)).unwrap_err().to_string();
    assert!(again.contains("is no savepoint"), "{again}");
}

#[test]
fn what_a_user_keeps_beside_a_savepoint_stays() {
    let scratch = Scratch::new("beside");
    let store = CheckpointStore::savepoint(Arc::new(at(&scratch.0)), "savepoint-1");
    written(&store, CheckpointKind::Savepoint);
    let directory = scratch.0.join("savepoint-1");
    std::fs::write(directory.join("notes.txt"), "before the upgrade").unwrap();
    assert!(!dispose(&at(&directory)).unwrap());
    let left: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["notes.txt"]);
}

#[test]
fn what_is_no_savepoint_is_not_deleted() {
    let scratch = Scratch::new("refused");
    let store = CheckpointStore::new(Arc::new(at(&scratch.0)), "job");
    written(&store, CheckpointKind::Checkpoint);
    let checkpoint = scratch.0.join("job/chk-3");
    let error = dispose(&at(&checkpoint)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(
        text.contains("is checkpoint 3 of job `clicks`, not a savepoint"),
        "{text}"
    );
    assert!(dispose(&at(&scratch.0.join("job"))).is_err());
    // A damaged one may be anybody's.
    std::fs::write(checkpoint.join("_metadata"), "garbage").unwrap();
    let error = dispose(&at(&checkpoint)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("_metadata`"), "{error}");
    assert!(checkpoint.join("state-0-0").exists() && checkpoint.join("_metadata").exists());
}

#[test]
fn what_a_job_has_claimed_is_deleted_whatever_it_was() {
    let scratch = Scratch::new("claimed");
    let store = CheckpointStore::new(Arc::new(at(&scratch.0)), "job");
    written(&store, CheckpointKind::Checkpoint);
    let checkpoint = at(&scratch.0.join("job/chk-3"));
    assert!(delete_claimed(&checkpoint).unwrap());
    assert!(delete_claimed(&checkpoint).unwrap(), "it is gone already");
}

#[test]
fn a_claimed_checkpoint_takes_the_shared_files_along_that_no_other_refers_to() {
    let scratch = Scratch::new("shared");
    let store = CheckpointStore::new(Arc::new(at(&scratch.0)), "job");
    let mut shared = SharedFiles::default();
    for name in ["layer-1", "layer-2", "layer-3"] {
        let layer = StateLayer::default();
        shared
            .put_layer(&store, name, &LayerView::from(&layer))
            .unwrap();
    }
    for (checkpoint, names) in [(3, ["layer-1", "layer-2"]), (4, ["layer-1", "layer-3"])] {
        let metadata = Metadata {
            checkpoint,
            kind: CheckpointKind::Checkpoint,
            completed_at: 0,
            job_name: "clicks".to_owned(),
            operators: Vec::new(),
            shared: names.map(str::to_owned).into(),
        };
        store.complete(&metadata).unwrap();
    }
    let claimed = |checkpoint: u64| at(&scratch.0.join(format!("job/chk-{checkpoint}")));
    // What the other one refers to cannot be known while its metadata cannot be read.
    let other = scratch.0.join("job/chk-3/_metadata");
    let whole = std::fs::read(&other).unwrap();
    std::fs::write(&other, &whole[..20]).unwrap();
    let metadata = std::fs::read(scratch.0.join("job/chk-4/_metadata")).unwrap();
    assert!(delete_claimed(&claimed(4)).unwrap());
    assert_eq!(store.shared().unwrap(), ["layer-1", "layer-2", "layer-3"]);
    std::fs::create_dir(scratch.0.join("job/chk-4")).unwrap();
    std::fs::write(scratch.0.join("job/chk-4/_metadata"), metadata).unwrap();
    std::fs::write(&other, whole).unwrap();
    assert!(delete_claimed(&claimed(4)).unwrap());
    assert_eq!(store.shared().unwrap(), ["layer-1", "layer-2"]);
    assert!(delete_claimed(&claimed(3)).unwrap());
    assert!(store.shared().unwrap().is_empty());
}
