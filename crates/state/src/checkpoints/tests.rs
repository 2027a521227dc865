//! Checkpoints written, damaged, and read again.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::*;
use crate::format::{CheckpointKind, InstanceState, OperatorState, set_version};
use thalweg_core::data::Schema;
use thalweg_core::state::{Redistribution, TableSnapshot};

/// Files in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl CheckpointStorage for Memory {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.0
            .lock()
            .unwrap()
            .insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let files = self.0.lock().unwrap();
        let file = files.get(path).cloned();
        file.ok_or_else(|| Error::corrupt(format!("`{path}` does not exist")))
    }

    fn put_file(&self, path: &str, from: &Path) -> Result<()> {
        self.write(path, &std::fs::read(from)?)
    }

    fn get_file(&self, path: &str, _: u64) -> Result<PathBuf> {
        self.read(path).map(|_| PathBuf::from(path))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        let prefix = if directory.is_empty() {
            String::new()
        } else {
            format!("{directory}/")
        };
        let files = self.0.lock().unwrap();
        let below = files.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<String> = below
            .filter_map(|rest| rest.split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<()> {
        let below = format!("{path}/");
        let mut files = self.0.lock().unwrap();
        files.retain(|file, _| file != path && !file.starts_with(&below));
        Ok(())
    }

    fn display(&self, path: &str) -> String {
        format!("memory:{path}")
    }
}

fn snapshot(bytes: usize) -> StateSnapshot {
    StateSnapshot {
        tables: vec![TableSnapshot {
            name: "counts".to_owned(),
            redistribution: Redistribution::KeyGroup,
            schema: Schema::Int(8),
            entries: [(Some(7), vec![42; bytes])].into_iter().collect(),
        }],
        stores: Vec::new(),
    }
}

fn store() -> (Arc<Memory>, CheckpointStore) {
    let memory = Arc::new(Memory::default());
    (memory.clone(), CheckpointStore::new(memory, "job"))
}

/// A checkpoint of an operator with a small and a large instance.
fn complete(store: &CheckpointStore, checkpoint: u64) {
    let instance = |index: usize, bytes: usize| InstanceState {
        finished: false,
        location: store
            .write_state(checkpoint, &format!("count-{index}"), &snapshot(bytes))
            .unwrap(),
    };
    let metadata = Metadata {
        checkpoint,
        kind: CheckpointKind::Checkpoint,
        completed_at: 1_700_000_000_000,
        job_name: "counting".to_owned(),
        operators: vec![OperatorState {
            uid: OperatorUid::new("count"),
            name: "Count".to_owned(),
            max_parallelism: 128,
            instances: vec![instance(0, 10), instance(1, 100_000)],
        }],
        shared: BTreeSet::new(),
    };
    store.complete(&metadata).unwrap();
}

#[test]
fn a_checkpoint_comes_back_with_all_its_states() {
    let (memory, store) = store();
    complete(&store, 3);
    let files: Vec<String> = memory.0.lock().unwrap().keys().cloned().collect();
    assert_eq!(files, ["job/chk-3/_metadata", "job/chk-3/count-1"]);
    let loaded = store.load(3).unwrap();
    assert_eq!(loaded.metadata.checkpoint, 3);
    assert_eq!(loaded.place, "memory:job/chk-3");
    let states = &loaded.states[&OperatorUid::new("count")];
    assert_eq!(states, &[snapshot(10), snapshot(100_000)]);
    assert!(loaded.metadata.state_bytes() > 100_000);
}

#[test]
fn without_metadata_there_is_no_checkpoint() {
    let (_, store) = store();
    store.write_state(1, "count-0", &snapshot(100_000)).unwrap();
    assert_eq!(store.numbers().unwrap(), [1]);
    assert!(!store.is_complete(1).unwrap());
    assert!(store.load_newest(&mut |_| {}).unwrap().is_none());
    store.discard(1).unwrap();
    assert!(store.numbers().unwrap().is_empty());
}

#[test]
fn the_newest_whole_checkpoint_is_taken_and_damaged_ones_are_told() {
    let (memory, store) = store();
    for checkpoint in [1, 2, 10] {
        complete(&store, checkpoint);
    }
    memory
        .0
        .lock()
        .unwrap()
        .get_mut("job/chk-10/count-1")
        .unwrap()[5000] ^= 1;
    memory.0.lock().unwrap().remove("job/chk-2/count-1");
    let mut skipped = Vec::new();
    let loaded = store.load_newest(&mut |error| skipped.push(error.to_string()));
    assert_eq!(loaded.unwrap().unwrap().metadata.checkpoint, 1);
    assert_eq!(
        skipped,
        [
            "`memory:job/chk-10/count-1`: the checksum of this state file is wrong",
            "`job/chk-2/count-1` does not exist",
        ]
    );
    memory
        .0
        .lock()
        .unwrap()
        .get_mut("job/chk-1/_metadata")
        .unwrap()
        .truncate(50);
    let error = store.load_newest(&mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error
            .to_string()
            .contains("chk-1/_metadata`: this metadata file is not whole")
    );
}

#[test]
fn a_checkpoint_of_a_later_version_is_not_passed_over() {
    let (memory, store) = store();
    complete(&store, 1);
    complete(&store, 2);
    let mut files = memory.0.lock().unwrap();
    set_version(files.get_mut("job/chk-2/_metadata").unwrap(), 3);
    drop(files);
    let error = store.load_newest(&mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_user_may_name_a_checkpoint_or_a_directory_of_them() {
    let (memory, store) = store();
    complete(&store, 1);
    complete(&store, 2);
    let directory = |path: &str| {
        let moved = Memory::default();
        let files = memory.0.lock().unwrap();
        for (name, bytes) in files.iter() {
            if let Some(rest) = name.strip_prefix(path) {
                moved
                    .0
                    .lock()
                    .unwrap()
                    .insert(rest.to_owned(), bytes.clone());
            }
        }
        Arc::new(moved) as Arc<dyn CheckpointStorage>
    };
    let named = |path: &str| load_named(directory(path), &mut |_| {});
    assert_eq!(named("job/").unwrap().metadata.checkpoint, 2);
    assert_eq!(named("job/chk-1/").unwrap().metadata.checkpoint, 1);
    let error = named("nowhere/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert_eq!(
        error.to_string(),
        "there is no checkpoint in `memory:`: no `_metadata`, no `chk-…`"
    );
}

/// The bytes of version 1, which every later version must read.
#[test]
fn golden_files_of_version_1_are_read() {
    let golden = include_bytes!("../../golden/v1/_metadata");
    let (version, body) = open(FileKind::Metadata, golden).unwrap();
    assert_eq!(version, 1);
    let metadata = read_metadata(version, body).unwrap();
    assert_eq!(metadata.checkpoint, 3);
    assert_eq!(metadata.operators[0].instances.len(), 2);
    let state = include_bytes!("../../golden/v1/state");
    let (version, body) = open(FileKind::State, state).unwrap();
    assert_eq!(read_snapshot(version, body).unwrap(), snapshot(30));
}

/// The bytes that this version writes, and every later one must read.
#[test]
fn golden_files_of_version_2_are_what_is_written() {
    let (memory, store) = store();
    complete(&store, 3);
    let golden = include_bytes!("../../golden/v2/_metadata");
    assert_eq!(
        memory.0.lock().unwrap()["job/chk-3/_metadata"],
        golden,
        "the format has changed"
    );
    let state = include_bytes!("../../golden/v2/state");
    let (version, body) = open(FileKind::State, state).unwrap();
    let stored = read_snapshot(version, body).unwrap();
    assert_eq!(stored.tables, snapshot(30).tables);
    let mut again = Vec::new();
    write_snapshot(&stored, &mut again);
    assert_eq!(again, body);
    let files = &stored.stores[0].checkpoint.files;
    assert_eq!(
        (files[0].name.as_str(), files[0].bytes),
        ("000012-a.sst", 4711)
    );
    assert!(files[0].shared && !files[1].shared);
}
