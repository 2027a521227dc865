//! Checkpoints in a bucket: completed, damaged, passed over, deleted.

use std::fs;
use std::fs::OpenOptions;
use std::path::PathBuf;

use thalweg_core::data::Schema;
use thalweg_core::error::{Error, ErrorKind};
use thalweg_core::id::OperatorUid;
use thalweg_core::state::store::StoreFile;
use thalweg_core::state::{Redistribution, StateSnapshot, StateView, TableSnapshot};
use thalweg_state::checkpoints::load_named;
use thalweg_state::{
    CheckpointKind, CheckpointStore, InstanceState, Metadata, OperatorState, SharedFiles,
    savepoints,
};

use super::server::Server;

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

/// A checkpoint of an operator with a small and a large instance.
fn complete(store: &CheckpointStore, checkpoint: u64, kind: CheckpointKind, shared: &[&str]) {
    let instance = |index: usize, bytes: usize| InstanceState {
        layers: Vec::new(),
        finished: false,
        location: store
            .write_state(
                checkpoint,
                &format!("count-{index}"),
                &StateView::from(&snapshot(bytes)),
            )
            .unwrap(),
    };
    let metadata = Metadata {
        checkpoint,
        kind,
        completed_at: 1_700_000_000_000,
        job_name: "counting".to_owned(),
        operators: vec![OperatorState {
            uid: OperatorUid::new("count"),
            name: "Count".to_owned(),
            max_parallelism: 128,
            instances: vec![instance(0, 10), instance(1, 100_000)],
        }],
        shared: shared.iter().map(|name| (*name).to_owned()).collect(),
    };
    store.complete(&metadata).unwrap();
}

fn states(loaded: &thalweg_state::Loaded) -> &[StateSnapshot] {
    &loaded.states[&OperatorUid::new("count")]
}

#[test]
fn a_checkpoint_comes_back_and_damaged_ones_are_passed_over_for_the_newest_that_is_whole() {
    let server = Server::start();
    let store = CheckpointStore::new(server.shared("dir"), "job");
    store.check_writable().unwrap();
    assert!(store.load_newest(&mut |_| {}).unwrap().is_none());
    for checkpoint in 1..=5 {
        complete(&store, checkpoint, CheckpointKind::Checkpoint, &[]);
    }
    assert_eq!(
        server.objects("dir/job/chk-5"),
        ["dir/job/chk-5/_metadata", "dir/job/chk-5/count-1"]
    );
    let loaded = store.load_newest(&mut |_| panic!("all are whole")).unwrap();
    let loaded = loaded.unwrap();
    assert_eq!(loaded.metadata.checkpoint, 5);
    assert_eq!(loaded.place, "s3://checkpoints/dir/job/chk-5");
    assert_eq!(states(&loaded), [snapshot(10), snapshot(100_000)]);

    // Never completed; a state that is gone; one of which a byte is another; cut metadata.
    fs::remove_file(server.file("dir/job/chk-5/_metadata")).unwrap();
    fs::remove_file(server.file("dir/job/chk-4/count-1")).unwrap();
    let state = server.file("dir/job/chk-3/count-1");
    let mut bytes = fs::read(&state).unwrap();
    bytes[50_000] ^= 1;
    fs::write(&state, bytes).unwrap();
    let metadata = server.file("dir/job/chk-2/_metadata");
    let length = fs::metadata(&metadata).unwrap().len();
    let file = OpenOptions::new().write(true).open(metadata).unwrap();
    file.set_len(length - 1).unwrap();

    let mut passed_over = Vec::new();
    let mut hear = |error: &Error| passed_over.push(error.to_string());
    let loaded = store.load_newest(&mut hear).unwrap().unwrap();
    assert_eq!(loaded.metadata.checkpoint, 1);
    assert_eq!(states(&loaded), [snapshot(10), snapshot(100_000)]);
    let expected = [
        "s3://checkpoints/dir/job/chk-4/count-1",
        "s3://checkpoints/dir/job/chk-3/count-1",
        "s3://checkpoints/dir/job/chk-2/_metadata",
    ];
    assert_eq!(passed_over.len(), expected.len(), "{passed_over:?}");
    for (said, place) in passed_over.iter().zip(expected) {
        assert!(said.contains(place), "{said}");
    }
    fs::write(server.file("dir/job/chk-1/_metadata"), b"").unwrap();
    let error = store.load_newest(&mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);

    store.discard_all().unwrap();
    assert!(server.objects("").is_empty());
}

#[test]
fn shared_files_are_stored_once_and_deleted_with_the_last_checkpoint_that_names_them() {
    let server = Server::start();
    let store = CheckpointStore::new(server.shared("dir"), "job");
    let file = |name: &str| {
        let path: PathBuf = server.file("../").join(name);
        fs::write(&path, name).unwrap();
        StoreFile {
            name: name.to_owned(),
            shared: true,
            bytes: name.len() as u64,
            path,
        }
    };
    let mut files = SharedFiles::of(&store, std::iter::empty()).unwrap();
    for name in ["a-1", "a-2"] {
        files.put(&store, &file(name)).unwrap();
    }
    complete(&store, 1, CheckpointKind::Checkpoint, &["a-1", "a-2"]);
    files.refer(1, ["a-1", "a-2"].map(str::to_owned).into());
    let stored = fs::metadata(server.file("dir/job/shared/a-2")).unwrap();
    for name in ["a-2", "a-3"] {
        files.put(&store, &file(name)).unwrap();
    }
    let again = fs::metadata(server.file("dir/job/shared/a-2")).unwrap();
    assert_eq!(stored.modified().unwrap(), again.modified().unwrap());
    complete(&store, 2, CheckpointKind::Checkpoint, &["a-2", "a-3"]);
    files.refer(2, ["a-2", "a-3"].map(str::to_owned).into());
    assert_eq!(
        server.objects("dir/job/shared"),
        [
            "dir/job/shared/a-1",
            "dir/job/shared/a-2",
            "dir/job/shared/a-3"
        ]
    );
    store.discard(1).unwrap();
    files.forget(1);
    files.sweep(&store).unwrap();
    assert_eq!(
        server.objects("dir/job/shared"),
        ["dir/job/shared/a-2", "dir/job/shared/a-3"]
    );
    // Another process finds the same.
    let mut found = SharedFiles::of(&store, [2].into_iter()).unwrap();
    store.discard(2).unwrap();
    found.forget(2);
    found.sweep(&store).unwrap();
    assert!(server.objects("").is_empty());
}

#[test]
fn a_savepoint_is_loaded_by_its_name_and_disposed_with_what_belongs_to_it() {
    let server = Server::start();
    let name = "savepoint-123456-000000000000";
    let store = CheckpointStore::savepoint(server.shared("users"), name);
    store.check_writable().unwrap();
    complete(&store, 9, CheckpointKind::Savepoint, &[]);
    let at = server.shared(&format!("users/{name}"));
    let loaded = load_named(at.clone(), &mut |_| {}).unwrap();
    assert_eq!(states(&loaded), [snapshot(10), snapshot(100_000)]);
    assert!(savepoints::dispose(at.as_ref()).unwrap());
    assert!(server.objects("").is_empty());
    let again = savepoints::dispose(at.as_ref()).unwrap_err();
    assert!(
        again
            .to_string()
            .contains(&format!("s3://checkpoints/users/{name}"))
    );
}
