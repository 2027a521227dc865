//! Checkpoints written, damaged, and read again.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::*;
use crate::format::{ByteSink, CheckpointKind, InstanceState, OperatorState, set_version};
use crate::shared_files::SharedFiles;
use crate::storage::{Buffered, StorageFile};
use thalweg_core::data::{Field, Schema, from_bytes, to_bytes};
use thalweg_core::state::{Entries, LayerTable, Redistribution, TableSnapshot};

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

    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>> {
        Ok(Box::new(Buffered::new(self, path)))
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
            .write_state(
                checkpoint,
                &format!("count-{index}"),
                &StateView::from(&snapshot(bytes)),
            )
            .unwrap(),
        layers: Vec::new(),
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
    store
        .write_state(1, "count-0", &StateView::from(&snapshot(100_000)))
        .unwrap();
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
    set_version(files.get_mut("job/chk-2/_metadata").unwrap(), 4);
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

/// The bytes of version 2, and of it what version 1 did not have.
#[test]
fn golden_files_of_version_2_are_read() {
    check_metadata(include_bytes!("../../golden/v2/_metadata-layers"));
    check_state(include_bytes!("../../golden/v2/state"));
    check_layer(include_bytes!("../../golden/v2/layer"));
}

/// The bytes that this version writes, and every later one must read.
#[test]
fn golden_files_of_version_3_are_what_is_written() {
    let (memory, store) = store();
    complete(&store, 3);
    let golden = include_bytes!("../../golden/v3/_metadata");
    assert_eq!(
        memory.0.lock().unwrap()["job/chk-3/_metadata"],
        golden,
        "the format has changed"
    );
    let golden = include_bytes!("../../golden/v3/_metadata-layers");
    let mut again = Vec::new();
    write_metadata(&check_metadata(golden), &mut again);
    assert_eq!(seal(FileKind::Metadata, &again), golden);

    let written = |write: &dyn Fn(&mut ByteSink<'_>) -> Result<()>| {
        let mut bytes = Vec::new();
        write(&mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        bytes
    };
    let golden = include_bytes!("../../golden/v3/state");
    let state = check_state(golden);
    let again = written(&|out| write_snapshot(&StateView::from(&state), out));
    assert_eq!(seal(FileKind::State, &again), golden);
    let golden = include_bytes!("../../golden/v3/layer");
    let layer = check_layer(golden);
    let again = written(&|out| write_layer(&LayerView::from(&layer), out).map(drop));
    assert_eq!(seal(FileKind::Layer, &again), golden);
}

fn check_metadata(golden: &[u8]) -> Metadata {
    let (version, body) = open(FileKind::Metadata, golden).unwrap();
    let metadata = read_metadata(version, body).unwrap();
    let layers = &metadata.operators[0].instances[0].layers;
    let names = ["layer-2-0-0-18bcfe56800", "layer-3-0-0-18bcfe56bd0"];
    assert_eq!([layers[0].name.as_str(), layers[1].name.as_str()], names);
    assert_eq!(layers[1].bytes, 97);
    assert_eq!(metadata.shared, names.map(str::to_owned).into());
    metadata
}

fn check_state(golden: &[u8]) -> StateSnapshot {
    let (version, body) = open(FileKind::State, golden).unwrap();
    let state = read_snapshot(version, body).unwrap();
    assert_eq!(state.tables, snapshot(30).tables);
    let files = &state.stores[0].checkpoint.files;
    assert_eq!(
        (files[0].name.as_str(), files[0].bytes),
        ("000012-a.sst", 4711)
    );
    assert!(files[0].shared && !files[1].shared);
    state
}

fn check_layer(golden: &[u8]) -> StateLayer {
    let (version, body) = open(FileKind::Layer, golden).unwrap();
    let layer = read_layer(version, body).unwrap();
    let entries = |all: &[(u32, &[u8])]| all.iter().map(|(g, e)| (Some(*g), e)).collect();
    let table = |name: &str, cleared: &[(u32, &[u8])], written: &[(u32, &[u8])]| LayerTable {
        name: name.to_owned(),
        cleared: entries(cleared),
        entries: entries(written),
    };
    let expected = StateLayer {
        whole: false,
        removed: entries(&[(7, b"gone")]),
        tables: vec![
            table("counts", &[], &[(7, b"key value"), (300, b"")]),
            table("names", &[(1, b"cleared")], &[]),
        ],
    };
    assert_eq!(layer, expected);
    layer
}

/// Two checkpoints whose state is in layers, the first of which both have.
fn in_layers(store: &CheckpointStore) {
    let schema = Schema::Struct(
        "keyed".into(),
        vec![
            Field::new("key", Schema::UInt(1)),
            Field::new("value", Schema::Text),
        ],
    );
    let mut beside = snapshot(0);
    beside.tables[0].schema = schema;
    beside.tables[0].entries = Entries::default();
    let layer = |whole: bool, removed: &[u8], written: &[(u8, &str)]| StateLayer {
        whole,
        removed: removed.iter().map(|key| (Some(0), [*key])).collect(),
        tables: vec![LayerTable {
            name: "counts".to_owned(),
            cleared: Entries::default(),
            entries: written
                .iter()
                .map(|entry| (Some(0), to_bytes(&(entry.0, entry.1.to_owned()))))
                .collect(),
        }],
    };
    let mut shared = SharedFiles::default();
    let large = store.clone().with_inline_bytes_max(0);
    let mut layers = Vec::new();
    let whole = layer(true, &[], &[(1, "one"), (2, "two"), (3, "three")]);
    let change = layer(false, &[1, 3], &[(2, "zwei"), (3, "drei"), (4, "vier")]);
    for (checkpoint, layer) in [(1, whole), (2, change)] {
        let name = format!("layer-{checkpoint}");
        let written = shared
            .put_layer(&large, &name, &LayerView::from(&layer))
            .unwrap();
        let WrittenLayer::File { bytes, .. } = written else {
            panic!("no small state stands in the metadata of this store");
        };
        layers.push(LayerFile { name, bytes });
        complete_in(store, checkpoint, &beside, &layers);
    }
}

fn complete_in(
    store: &CheckpointStore,
    checkpoint: u64,
    beside: &StateSnapshot,
    layers: &[LayerFile],
) {
    let location = store
        .write_state(checkpoint, "count-0", &StateView::from(beside))
        .unwrap();
    let instance = InstanceState {
        finished: false,
        location,
        layers: layers.to_vec(),
    };
    let metadata = Metadata {
        checkpoint,
        kind: CheckpointKind::Checkpoint,
        completed_at: 0,
        job_name: "counting".to_owned(),
        operators: vec![OperatorState {
            uid: OperatorUid::new("count"),
            name: "Count".to_owned(),
            max_parallelism: 128,
            instances: vec![instance],
        }],
        shared: layers.iter().map(|layer| layer.name.clone()).collect(),
    };
    store.complete(&metadata).unwrap();
}

#[test]
fn layers_are_read_as_one_state() {
    let (_, store) = store();
    in_layers(&store);
    let read = |checkpoint: u64| {
        let loaded = store.load(checkpoint).unwrap();
        let entries = &loaded.states[&OperatorUid::new("count")][0].tables[0].entries;
        let entries = entries.iter().map(|(_, entry)| from_bytes(entry).unwrap());
        let mut entries: Vec<(u8, String)> = entries.collect();
        entries.sort();
        entries
            .into_iter()
            .map(|(k, v)| format!("{k} {v}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(read(1), ["1 one", "2 two", "3 three"]);
    assert_eq!(read(2), ["2 zwei", "3 drei", "4 vier"]);
    let shared: Vec<String> = store.references(2).unwrap().into_iter().collect();
    assert_eq!(shared, ["layer-1", "layer-2"]);
}

#[test]
fn a_damaged_layer_is_told_with_every_checkpoint_that_needs_it() {
    let (memory, store) = store();
    in_layers(&store);
    let damage = |path: &str| memory.0.lock().unwrap().get_mut(path).unwrap()[40] ^= 1;
    let mut skipped = Vec::new();
    damage("job/shared/layer-2");
    let loaded = store.load_newest(&mut |error| skipped.push(error.to_string()));
    assert_eq!(loaded.unwrap().unwrap().metadata.checkpoint, 1);
    damage("job/shared/layer-1");
    let error = store.load_newest(&mut |error| skipped.push(error.to_string()));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Corrupt);
    let told = |checkpoint: u64, layer: u64| {
        format!(
            "`memory:job/chk-{checkpoint}` needs `memory:job/shared/layer-{layer}`, as others may: \
             the checksum of this layer file is wrong"
        )
    };
    assert_eq!(skipped, [told(2, 2), told(2, 1), told(1, 1)]);
    memory.0.lock().unwrap().remove("job/shared/layer-1");
    let error = store.load(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error
            .to_string()
            .contains("`job/shared/layer-1` does not exist"),
        "{error}"
    );
}
