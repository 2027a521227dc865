//! Random uses of keyed state over a store, against maps: whatever fits into memory, and whenever
//! the instance is frozen and restored, with the store's files, without, or at another parallelism.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use thalweg_core::config::CacheMemory;
use thalweg_core::data::Data;
use thalweg_core::host::ManualClock;
use thalweg_core::key_group::{groups_of, key_group, owner};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, SubtaskInfo};
use thalweg_core::state::store::StateBackend;
use thalweg_core::state::{
    ListState, MapState, PagingSpec, StateRegistry, StateSnapshot, ValueState, WorkingDirectory,
    redistribute,
};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;
use thalweg_state::store::MemoryBackend;

const GROUPS: u32 = 8;
const KEYS: u64 = 40;

#[derive(Clone, Debug)]
enum Use {
    Value(u64, u32),
    Clear(u64),
    Push(u64, String),
    Insert(u64, u8, u32),
    Remove(u64, u8),
    Timer(u64, i64),
    Advance(i64),
    /// Frozen, and restored at a parallelism; with the files of stores or with entries.
    Restore(u32, bool),
}

fn uses() -> impl Strategy<Value = Vec<Vec<Use>>> {
    let key = || 0..KEYS;
    let one = prop_oneof![
        6 => (key(), any::<u32>()).prop_map(|(key, value)| Use::Value(key, value)),
        4 => key().prop_map(Use::Clear),
        3 => (key(), "[a-c]{0,3}").prop_map(|(key, text)| Use::Push(key, text)),
        3 => (key(), 0..3u8, any::<u32>()).prop_map(|(key, at, value)| Use::Insert(key, at, value)),
        3 => (key(), 0..3u8).prop_map(|(key, at)| Use::Remove(key, at)),
        2 => (key(), 0..50i64).prop_map(|(key, at)| Use::Timer(key, at)),
        1 => (0..50i64).prop_map(Use::Advance),
        1 => (1..4u32, any::<bool>()).prop_map(|(to, files)| Use::Restore(to, files)),
    ];
    let batch = proptest::collection::vec(one, 1..6);
    proptest::collection::vec(batch, 0..40)
}

/// What a key has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    value: Option<u32>,
    list: Vec<String>,
    map: BTreeMap<u8, u32>,
    timers: std::collections::BTreeSet<i64>,
}

struct Instance {
    ctx: Context,
    value: ValueState<u32>,
    list: ListState<String>,
    map: MapState<u8, u32>,
    directory: std::path::PathBuf,
}

fn instance(
    (index, parallelism): (u32, u32),
    cache_bytes: usize,
    restore: Option<&StateSnapshot>,
) -> Instance {
    static STORES: AtomicU64 = AtomicU64::new(0);
    let id = STORES.fetch_add(1, Ordering::Relaxed);
    let id = format!("{}-{id}", std::process::id());
    let backend: Arc<dyn StateBackend> = Arc::new(MemoryBackend);
    let directory = std::env::temp_dir().join(format!("thalweg-paging-{id}"));
    let mut states = StateRegistry::default();
    states.keyed_by::<u64>();
    let (value, list, map) = (states.value("v"), states.list("l"), states.map("m"));
    let info = SubtaskInfo {
        operator: "paged".to_owned(),
        index,
        parallelism,
        max_parallelism: GROUPS,
    };
    let mut ctx = Context::new(states, info, OperatorMetrics::default());
    let spec = PagingSpec {
        directory: WorkingDirectory::new(directory.clone(), backend.clone()),
        backend,
        id,
        key_groups: groups_of(index, parallelism, GROUPS),
        max_parallelism: GROUPS,
        cache: Arc::new(CacheMemory::new(cache_bytes)),
        clock: Arc::new(ManualClock::default()),
    };
    let stores = restore.map_or(&[][..], |snapshot| &snapshot.stores);
    ctx.page(spec, stores).unwrap();
    if let Some(snapshot) = restore {
        ctx.restore(snapshot).unwrap();
    }
    Instance {
        ctx,
        value,
        list,
        map,
        directory,
    }
}

struct Run {
    instances: Vec<Instance>,
    model: BTreeMap<u64, Kept>,
    watermark: i64,
    cache_bytes: usize,
}

impl Run {
    fn new(cache_bytes: usize) -> Self {
        Run {
            instances: vec![instance((0, 1), cache_bytes, None)],
            model: BTreeMap::new(),
            watermark: i64::MIN,
            cache_bytes,
        }
    }

    /// The instance of a key, standing at it.
    fn at(&mut self, key: u64) -> &mut Instance {
        let hash = key.stable_hash(&mut Vec::new());
        let parallelism = self.instances.len() as u32;
        let of = owner(key_group(hash, GROUPS), parallelism, GROUPS);
        let instance = &mut self.instances[of as usize];
        let states = instance.ctx.states_mut();
        let slot = states.keys_mut().unwrap().intern(key, hash);
        states.touch(slot);
        states.fetch().unwrap();
        instance.ctx.set_slot(slot);
        instance
    }

    fn step(&mut self, step: &Use) {
        match step {
            Use::Value(key, value) => {
                let at = self.at(*key);
                at.value.set(&mut at.ctx, *value).unwrap();
                self.model.entry(*key).or_default().value = Some(*value);
            }
            Use::Clear(key) => {
                let at = self.at(*key);
                let taken = at.value.take(&mut at.ctx).unwrap();
                let list = at.list.take(&mut at.ctx).unwrap();
                let kept = self.model.entry(*key).or_default();
                assert_eq!(taken, kept.value.take());
                assert_eq!(list, std::mem::take(&mut kept.list));
            }
            Use::Push(key, text) => {
                let at = self.at(*key);
                at.list.add(&mut at.ctx, text.clone()).unwrap();
                self.model.entry(*key).or_default().list.push(text.clone());
            }
            Use::Insert(key, at_key, value) => {
                let at = self.at(*key);
                let before = at.map.insert(&mut at.ctx, *at_key, *value).unwrap();
                let kept = self.model.entry(*key).or_default();
                assert_eq!(before, kept.map.insert(*at_key, *value));
            }
            Use::Remove(key, at_key) => {
                let at = self.at(*key);
                let before = at.map.remove(&mut at.ctx, at_key).unwrap();
                let kept = self.model.entry(*key).or_default();
                assert_eq!(before, kept.map.remove(at_key));
            }
            Use::Timer(key, time) => {
                let at = self.at(*key);
                at.ctx.register_event_timer(EventTime(*time));
                self.model.entry(*key).or_default().timers.insert(*time);
            }
            Use::Advance(to) => self.advance(*to),
            Use::Restore(parallelism, files) => self.restore(*parallelism, *files),
        }
    }

    /// Timers fire at their keys, whose state is there by then.
    fn advance(&mut self, to: i64) {
        self.watermark = self.watermark.max(to);
        for instance in &mut self.instances {
            instance.ctx.set_watermark(Watermark(self.watermark));
            while let Some(EventTime(time)) = instance.ctx.pop_event_timer().unwrap() {
                let key = *instance.ctx.key::<u64>().unwrap();
                let kept = self.model.entry(key).or_default();
                assert!(kept.timers.remove(&time), "timer {time} of {key}");
                assert_eq!(
                    instance.value.get(&instance.ctx).unwrap(),
                    kept.value.as_ref()
                );
                instance.ctx.states_mut().sweep().unwrap();
            }
        }
        for kept in self.model.values() {
            assert!(kept.timers.iter().all(|time| *time > self.watermark));
        }
    }

    fn sweep(&mut self) {
        for instance in &mut self.instances {
            instance.ctx.states_mut().sweep().unwrap();
        }
    }

    fn restore(&mut self, parallelism: u32, files: bool) {
        self.sweep();
        let frozen = self.instances.iter_mut().map(|i| i.ctx.freeze().unwrap());
        let frozen: Vec<_> = frozen.collect();
        let snapshots = frozen.iter().map(|frozen| match files {
            true => frozen.beside_store().encode().unwrap(),
            false => frozen.whole().encode().unwrap(),
        });
        let snapshots: Vec<_> = snapshots.collect();
        let dealt = redistribute(&snapshots, parallelism, GROUPS);
        let cache_bytes = self.cache_bytes;
        let new = (0..parallelism).zip(&dealt);
        let new = new.map(|(i, part)| instance((i, parallelism), cache_bytes, Some(part)));
        self.instances = new.collect();
    }

    fn check(&mut self) {
        for key in 0..KEYS {
            let kept = self.model.get(&key).cloned().unwrap_or_default();
            let at = self.at(key);
            assert_eq!(
                at.value.get(&at.ctx).unwrap().copied(),
                kept.value,
                "key {key}"
            );
            assert_eq!(at.list.get(&at.ctx).unwrap(), kept.list);
            let map: BTreeMap<u8, u32> = at
                .map
                .iter(&at.ctx)
                .unwrap()
                .map(|(k, v)| (*k, *v))
                .collect();
            assert_eq!(map, kept.map);
        }
        self.sweep();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn state_over_a_store_is_what_was_written(
        batches in uses(),
        // Nothing but a batch, some keys, everything.
        cache_bytes in prop_oneof![Just(1usize), Just(2000), Just(4000), Just(1 << 20)],
    ) {
        let mut run = Run::new(cache_bytes);
        for batch in &batches {
            for step in batch {
                run.step(step);
            }
            run.sweep();
        }
        run.check();
        run.advance(100);
        run.restore(2, true);
        run.check();
        let directories: Vec<_> = run.instances.iter().map(|i| i.directory.clone()).collect();
        drop(run);
        for directory in directories {
            prop_assert!(!directory.exists(), "{} is left", directory.display());
        }
    }
}
