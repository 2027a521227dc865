//! State that is stored in layers: which files there are, and what they come to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::sync_channel;

use super::*;
use crate::checkpoint::{BarrierListener, ManualRequest, Moment, Reply};
use thalweg_core::data::from_bytes;
use thalweg_core::id::OperatorUid;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, SubtaskInfo};
use thalweg_core::state::{StateRegistry, StateSnapshot, ValueState};

// So many that their state is no part of the metadata.
const KEYS: u64 = 2000;

/// An operator instance with a number for each key, and what it should hold.
struct Instance {
    ctx: Context,
    value: ValueState<u64>,
    model: BTreeMap<u64, u64>,
}

impl Instance {
    fn new() -> Self {
        let mut states = StateRegistry::default();
        states.keyed_by::<u64>();
        let value = states.value("value");
        let info = SubtaskInfo {
            operator: "Keyed".to_owned(),
            index: 0,
            parallelism: 1,
            max_parallelism: 4,
        };
        let mut ctx = Context::new(states, info, OperatorMetrics::default());
        ctx.track_changes();
        let mut instance = Instance {
            ctx,
            value,
            model: BTreeMap::new(),
        };
        instance.set(0..KEYS, 1);
        instance
    }

    fn each(&mut self, keys: Range<u64>, mut change: impl FnMut(&mut Self, u64)) {
        for key in keys {
            let states = self.ctx.states_mut();
            let slot = states.keys_mut().unwrap().intern_key(key);
            states.touch(slot);
            self.ctx.set_slot(slot);
            change(self, key);
        }
        self.ctx.states_mut().sweep().unwrap();
    }

    fn set(&mut self, keys: Range<u64>, value: u64) {
        self.each(keys, |at, key| {
            at.value.set(&mut at.ctx, value).unwrap();
            at.model.insert(key, value);
        });
    }

    fn clear(&mut self, keys: Range<u64>) {
        self.each(keys, |at, key| {
            at.value.clear(&mut at.ctx).unwrap();
            at.model.remove(&key);
        });
    }

    fn pass(&mut self, executor: &CheckpointExecutor, moment: Moment) {
        let info = self.ctx.info().clone();
        let uid = OperatorUid::new("keyed");
        let listener = executor.listener.clone();
        listener
            .on_operator(moment, &uid, &info, &mut || self.ctx.freeze())
            .unwrap();
    }

    /// A checkpoint that is triggered, handed over to, and stored.
    fn checkpoint(&mut self, executor: &mut CheckpointExecutor, checkpoint: u64) {
        executor.on(&Event::Time, 100 * checkpoint);
        assert_eq!(executor.request.latest().checkpoint, checkpoint);
        self.pass(executor, Moment::Barrier(checkpoint));
        stored(executor, checkpoint, 100 * checkpoint + 1);
    }

    /// A checkpoint has what the instance has, in layers that these checkpoints have written.
    fn check(&self, directory: &Directory, checkpoint: u64, layers: &[u64]) {
        let loaded = directory.store().load(checkpoint).unwrap();
        let uid = OperatorUid::new("keyed");
        let state = &loaded.states[&uid][0];
        assert!(held(state) == self.model, "checkpoint {checkpoint}");
        let files = &loaded.metadata.operators[0].instances[0].layers;
        let files = files.iter().map(|file| of(&file.name));
        assert_eq!(files.collect::<Vec<_>>(), layers);
    }
}

fn held(state: &StateSnapshot) -> BTreeMap<u64, u64> {
    let table = state.tables.iter().find(|table| table.name == "value");
    let entries = table.unwrap().entries.iter();
    entries
        .map(|(_, entry)| from_bytes::<(u64, u64)>(entry).unwrap())
        .collect()
}

/// The checkpoint that has written a layer.
fn of(name: &str) -> u64 {
    let rest = name.strip_prefix("layer-").unwrap();
    rest.split('-').next().unwrap().parse().unwrap()
}

/// The checkpoints whose layers are there.
fn shared(directory: &Directory) -> Vec<u64> {
    let names = directory.store().shared().unwrap();
    let mut numbers: Vec<u64> = names.iter().map(|name| of(name)).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_checkpoint_stores_what_has_changed_and_shares_the_rest() {
    let directory = Directory::new("layers");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    instance.check(&directory, 1, &[1]);
    instance.set(0..10, 2);
    instance.clear(5..8);
    instance.clear(20..30);
    instance.set(25..26, 3);
    instance.checkpoint(&mut executor, 2);
    instance.check(&directory, 2, &[1, 2]);
    let loaded = directory.store().load(2).unwrap();
    let files = &loaded.metadata.operators[0].instances[0].layers;
    assert!(files[1].bytes * 20 < files[0].bytes, "{files:?}");
    assert_eq!(
        directory.store().numbers().unwrap(),
        [2],
        "the first one is no longer kept, but its layer is"
    );
    // Nothing has changed, and then the input ends: no file says more.
    instance.checkpoint(&mut executor, 3);
    instance.check(&directory, 3, &[1, 2]);
    instance.pass(&executor, Moment::End);
    for checkpoint in [4, 5] {
        executor.on(&Event::Time, 100 * checkpoint);
        stored(&mut executor, checkpoint, 100 * checkpoint + 1);
        instance.check(&directory, checkpoint, &[1, 2]);
    }
    assert_eq!(shared(&directory), [1, 2]);
}

#[test]
fn all_is_written_again_before_changes_are_more_than_half_or_too_many() {
    let directory = Directory::new("half");
    let (mut executor, mut instance) = (directory.retaining(2, 0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    instance.set(0..700, 2);
    instance.checkpoint(&mut executor, 2);
    instance.set(700..1100, 2);
    instance.checkpoint(&mut executor, 3);
    instance.check(&directory, 3, &[3]);
    assert_eq!(shared(&directory), [1, 2, 3], "the second one is kept");
    for checkpoint in 4..=20 {
        instance.set(checkpoint..checkpoint + 1, checkpoint);
        instance.checkpoint(&mut executor, checkpoint);
        let from = if checkpoint < 19 { 3 } else { 19 };
        let layers: Vec<u64> = (from..=checkpoint).collect();
        instance.check(&directory, checkpoint, &layers);
    }
    assert_eq!(shared(&directory), [19, 20], "no other is kept");
}

#[test]
fn what_an_aborted_checkpoint_had_is_stored_with_the_next() {
    let directory = Directory::new("aborted");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    instance.clear(0..5);
    executor.on(&Event::Time, 200);
    instance.pass(&executor, Moment::Barrier(2));
    instance.set(7..9, 2);
    // The third one makes the second superfluous.
    instance.checkpoint(&mut executor, 3);
    instance.check(&directory, 3, &[1, 3]);
}

#[test]
fn a_checkpoint_whose_metadata_fails_leaves_no_layer() {
    let directory = Directory::new("metadata");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    instance.clear(0..5);
    executor.on(&Event::Time, 200);
    instance.pass(&executor, Moment::Barrier(2));
    executor.on(&acknowledged(2), 201);
    let in_the_way = directory.0.join("job/chk-2/_metadata/in-the-way");
    std::fs::create_dir_all(in_the_way).unwrap();
    let event = executor.store(2, ProcessingTime(0));
    assert_eq!(event, Event::StoringFailed { checkpoint: 2 });
    assert_eq!(shared(&directory), [1, 2]);
    executor.on(&event, 202);
    instance.checkpoint(&mut executor, 3);
    instance.check(&directory, 3, &[1, 3]);
    assert_eq!(shared(&directory), [1, 3]);
}

#[test]
fn a_savepoint_is_whole_and_does_not_disturb_the_layers() {
    let directory = Directory::new("savepoint-between");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    instance.set(0..5, 2);
    let (sender, answer) = sync_channel(1);
    let request = ManualRequest::Savepoint {
        directory: Some(directory.0.join("savepoints").display().to_string()),
    };
    directory.1.push(request, Reply::new(sender)).unwrap();
    executor.take_requests(150, ProcessingTime(0));
    instance.pass(&executor, Moment::Barrier(2));
    stored(&mut executor, 2, 151);
    let place = answer.recv().unwrap().unwrap();
    let savepoint = CheckpointStore::savepoint(Arc::new(LocalDirectory::new(place)), "");
    let loaded = savepoint.load(0).unwrap();
    assert!(loaded.metadata.shared.is_empty());
    let state = &loaded.states[&OperatorUid::new("keyed")][0];
    assert!(held(state) == instance.model);
    instance.clear(5..9);
    instance.checkpoint(&mut executor, 3);
    instance.check(&directory, 3, &[1, 3]);
}

#[test]
fn a_crash_leaves_no_layer_behind_the_next_start() {
    let directory = Directory::new("crash");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    instance.set(0..5, 2);
    instance.checkpoint(&mut executor, 2);
    // The third one was being stored when the process ended.
    let orphan = directory.0.join("job/shared/layer-3-0-0-0");
    std::fs::write(&orphan, "a part of a layer").unwrap();
    drop(executor);
    let (mut executor, mut instance) = (directory.executor(2), Instance::new());
    assert_eq!(shared(&directory), [1, 2]);
    // What another attempt has frozen says nothing of this one.
    instance.checkpoint(&mut executor, 3);
    instance.check(&directory, 3, &[3]);
    assert_eq!(shared(&directory), [3]);
}

#[test]
fn small_state_stands_in_the_metadata_whole() {
    let directory = Directory::new("small");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.clear(100..KEYS);
    instance.checkpoint(&mut executor, 1);
    instance.set(0..5, 2);
    instance.checkpoint(&mut executor, 2);
    instance.check(&directory, 2, &[]);
    assert!(shared(&directory).is_empty());
}

/// The instance that starts again counts its changes from its own start, not from what was stored.
#[test]
fn an_instance_that_has_failed_and_starts_again_is_written_whole() {
    let directory = Directory::new("again");
    let (mut executor, mut instance) = (directory.executor(0), Instance::new());
    instance.checkpoint(&mut executor, 1);
    let tasks = BTreeSet::from([0]);
    executor.on(
        &Event::Failed {
            tasks: tasks.clone(),
        },
        150,
    );
    executor.on(&Event::Restarted { tasks }, 160);
    let mut again = Instance::new();
    again.set(0..10, 7);
    again.checkpoint(&mut executor, 2);
    again.check(&directory, 2, &[2]);
    again.set(3..5, 8);
    again.checkpoint(&mut executor, 3);
    again.check(&directory, 3, &[2, 3]);
}
