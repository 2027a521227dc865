//! Random uses of keyed state, frozen time and again and written as layers: merged they are what a
//! whole snapshot is, whichever of the freezings were stored, and through changes of parallelism.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use thalweg_core::data::Data;
use thalweg_core::key_group::{key_group, owner};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, SubtaskInfo};
use thalweg_core::state::{
    Entries, FrozenState, MapState, StateLayer, StateRegistry, StateSnapshot, StateTtlConfig,
    TtlListState, ValueState, merge_layers, redistribute,
};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;
use thalweg_state::format::{VERSION, read_layer, read_snapshot, write_layer, write_snapshot};

const GROUPS: u32 = 8;
const TTL_MS: u64 = 20;

#[derive(Clone, Debug)]
enum Use {
    Value(String, u32),
    Clear(String),
    Insert(String, u8, u32),
    Remove(String, u8),
    Push(String, u8),
    Touch(String),
    Timer(String, i64),
    Advance(i64),
    Wait(i64),
    /// Frozen: for a savepoint or in vain, or for a checkpoint that is stored.
    Freeze(bool),
    /// Started again from the last stored checkpoint's state at another parallelism.
    Restart(u32),
}

fn uses() -> impl Strategy<Value = Vec<Vec<Use>>> {
    let key = || "[a-c]{0,3}";
    let one = prop_oneof![
        6 => (key(), any::<u32>()).prop_map(|(key, value)| Use::Value(key, value)),
        6 => key().prop_map(Use::Clear),
        3 => (key(), 0..3u8, any::<u32>()).prop_map(|(key, at, value)| Use::Insert(key, at, value)),
        3 => (key(), 0..3u8).prop_map(|(key, at)| Use::Remove(key, at)),
        2 => (key(), any::<u8>()).prop_map(|(key, value)| Use::Push(key, value)),
        1 => key().prop_map(Use::Touch),
        2 => (key(), 0..50i64).prop_map(|(key, at)| Use::Timer(key, at)),
        1 => (0..50i64).prop_map(Use::Advance),
        1 => (0..15i64).prop_map(Use::Wait),
        5 => any::<bool>().prop_map(Use::Freeze),
        1 => (1..4u32).prop_map(Use::Restart),
    ];
    let batch = proptest::collection::vec(one, 1..6);
    proptest::collection::vec(batch, 0..40)
}

struct Instance {
    ctx: Context,
    value: ValueState<u32>,
    map: MapState<u8, u32>,
    list: TtlListState<u8>,
    /// The freezing that was stored last, and its layers.
    chain: Option<(u64, Vec<StateLayer>)>,
}

fn instance((index, parallelism): (u32, u32), now: i64, restore: &StateSnapshot) -> Instance {
    let mut states = StateRegistry::default();
    states.keyed_by::<String>();
    let ttl = StateTtlConfig::new(std::time::Duration::from_millis(TTL_MS));
    let (value, map) = (states.value("v"), states.map("m"));
    let list = states.with_ttl(ttl).list("l");
    let info = SubtaskInfo {
        operator: "layered".to_owned(),
        index,
        parallelism,
        max_parallelism: GROUPS,
    };
    let mut ctx = Context::new(states, info, OperatorMetrics::default());
    ctx.set_now(ProcessingTime(now));
    ctx.track_changes();
    ctx.restore(restore).unwrap();
    Instance {
        ctx,
        value,
        map,
        list,
        chain: None,
    }
}

type Sorted = BTreeMap<String, Vec<(Option<u32>, Vec<u8>)>>;

/// A snapshot without the order of its entries, which says nothing.
fn sorted(snapshot: &StateSnapshot) -> Sorted {
    let sorted = |entries: &Entries| {
        let mut all: Vec<_> = entries.iter().map(|(g, e)| (g, e.to_vec())).collect();
        all.sort();
        all
    };
    let tables = snapshot.tables.iter();
    tables
        .map(|table| (table.name.clone(), sorted(&table.entries)))
        .collect()
}

impl Instance {
    /// Writes the layers of a frozen state as whoever stores checkpoints does; gives what is read.
    fn store(&mut self, frozen: &FrozenState) -> StateSnapshot {
        let generation = frozen.generation().unwrap();
        let chain = self.chain.take();
        let since = chain.as_ref().map(|(stored, _)| *stored);
        let changes = since.and_then(|since| frozen.changes_since(since));
        let layer = frozen.layer(changes.as_ref()).encode().unwrap();
        if let Some(changes) = &changes {
            assert!(layer.len() <= changes.len(), "the bound holds");
        }
        let mut layers = chain.map(|(_, layers)| layers).unwrap_or_default();
        if layer.whole {
            layers.clear();
        }
        let mut bytes = Vec::new();
        write_layer(&frozen.layer(changes.as_ref()), &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        let read = read_layer(VERSION, &bytes).unwrap();
        assert_eq!(read, layer);
        layers.push(read);
        let mut beside = Vec::new();
        write_snapshot(&frozen.beside_layers(), &mut |part| {
            beside.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        let mut read = read_snapshot(VERSION, &beside).unwrap();
        merge_layers(&mut read, &layers).unwrap();
        self.chain = Some((generation, layers));
        read
    }
}

struct Run {
    instances: Vec<Instance>,
    watermark: i64,
    now: i64,
    deltas: u64,
}

impl Run {
    fn new() -> Self {
        Run {
            instances: vec![instance((0, 1), 0, &StateSnapshot::default())],
            watermark: i64::MIN,
            now: 0,
            deltas: 0,
        }
    }

    /// The instance of a key, standing at it.
    fn at(&mut self, key: &str) -> &mut Instance {
        let hash = key.to_owned().stable_hash(&mut Vec::new());
        let parallelism = self.instances.len() as u32;
        let of = owner(key_group(hash, GROUPS), parallelism, GROUPS);
        let instance = &mut self.instances[of as usize];
        let states = instance.ctx.states_mut();
        let slot = states.keys_mut().unwrap().intern(key.to_owned(), hash);
        states.touch(slot);
        instance.ctx.set_slot(slot);
        instance
    }

    fn step(&mut self, step: &Use) {
        match step {
            Use::Value(key, value) => {
                let at = self.at(key);
                at.value.set(&mut at.ctx, *value).unwrap();
            }
            Use::Clear(key) => {
                let at = self.at(key);
                at.value.clear(&mut at.ctx).unwrap();
                at.list.clear(&mut at.ctx).unwrap();
            }
            Use::Insert(key, at_key, value) => {
                let at = self.at(key);
                at.map.insert(&mut at.ctx, *at_key, *value).unwrap();
            }
            Use::Remove(key, at_key) => {
                let at = self.at(key);
                at.map.remove(&mut at.ctx, at_key).unwrap();
            }
            Use::Push(key, value) => {
                let at = self.at(key);
                at.list.add(&mut at.ctx, *value).unwrap();
            }
            Use::Touch(key) => drop(self.at(key).ctx.key::<String>().cloned()),
            Use::Timer(key, time) => self.at(key).ctx.register_event_timer(EventTime(*time)),
            Use::Advance(to) => {
                self.watermark = self.watermark.max(*to);
                for instance in &mut self.instances {
                    instance.ctx.set_watermark(Watermark(self.watermark));
                    while instance.ctx.pop_event_timer().unwrap().is_some() {}
                }
            }
            Use::Wait(ms) => {
                self.now += ms;
                for instance in &mut self.instances {
                    instance.ctx.set_now(ProcessingTime(self.now));
                }
            }
            Use::Freeze(stored) => drop(self.freeze(*stored)),
            Use::Restart(parallelism) => self.restart(*parallelism),
        }
    }

    fn sweep(&mut self) {
        for instance in &mut self.instances {
            instance.ctx.states_mut().sweep().unwrap();
        }
    }

    /// Freezes every instance; what is stored is compared with a whole snapshot.
    fn freeze(&mut self, stored: bool) -> Vec<StateSnapshot> {
        let mut all = Vec::new();
        for instance in &mut self.instances {
            let frozen = instance.ctx.freeze().unwrap();
            let whole = frozen.whole().encode().unwrap();
            if stored {
                let had = instance.chain.as_ref().map_or(0, |(_, l)| l.len());
                let read = instance.store(&frozen);
                let has = instance.chain.as_ref().map_or(0, |(_, l)| l.len());
                self.deltas += u64::from(has > had);
                assert_eq!(expired_out(&read, self.now), sorted(&whole));
                all.push(read);
            }
        }
        all
    }

    fn restart(&mut self, parallelism: u32) {
        self.sweep();
        let snapshots = self.freeze(true);
        let dealt = redistribute(&snapshots, parallelism, GROUPS);
        let new = (0..parallelism).zip(&dealt);
        let new = new.map(|(index, part)| instance((index, parallelism), self.now, part));
        self.instances = new.collect();
    }
}

/// What a layer has of values whose time came later is read, and dropped then, as on any restart.
fn expired_out(read: &StateSnapshot, now: i64) -> Sorted {
    let mut restored = instance((0, 1), now, read);
    let expired = sorted(&restored.ctx.freeze().unwrap().whole().encode().unwrap());
    let mut left = sorted(read);
    if let Some(list) = expired.get("l") {
        left.insert("l".to_owned(), list.clone());
    }
    left
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn merged_layers_are_a_whole_snapshot(batches in uses()) {
        let mut run = Run::new();
        for batch in &batches {
            for step in batch {
                run.step(step);
            }
            run.sweep();
        }
        run.restart(2);
        run.freeze(true);
    }
}

#[test]
fn what_was_frozen_in_vain_is_in_the_next_change() {
    let mut run = Run::new();
    for key in ["a", "b", "c"] {
        run.step(&Use::Value(key.to_owned(), 1));
    }
    run.sweep();
    run.freeze(true);
    run.step(&Use::Clear("a".to_owned()));
    run.sweep();
    // A savepoint, and a checkpoint that is never stored.
    run.freeze(false);
    run.step(&Use::Value("b".to_owned(), 2));
    run.freeze(false);
    run.step(&Use::Value("d".to_owned(), 3));
    run.freeze(true);
    assert_eq!(run.deltas, 2, "the whole, and one change");
    let (_, layers) = run.instances[0].chain.as_ref().unwrap();
    assert_eq!(layers[1].removed.len(), 1);
    assert_eq!(layers[1].tables[0].entries.len(), 2);
    // Nobody remembers changes for ever.
    for _ in 0..5 {
        run.freeze(false);
    }
    run.freeze(true);
    let (_, layers) = run.instances[0].chain.as_ref().unwrap();
    assert!(layers.len() == 1 && layers[0].whole);
}

#[test]
fn more_removed_keys_than_are_remembered_make_the_next_layer_whole() {
    let mut run = Run::new();
    run.step(&Use::Value("kept".to_owned(), 1));
    run.sweep();
    run.freeze(true);
    for number in 0..5000 {
        run.step(&Use::Value(number.to_string(), 1));
        run.step(&Use::Clear(number.to_string()));
        run.sweep();
    }
    run.freeze(true);
    run.step(&Use::Value("kept".to_owned(), 2));
    run.freeze(true);
    let (_, layers) = run.instances[0].chain.as_ref().unwrap();
    let sizes: Vec<_> = layers
        .iter()
        .map(|layer| (layer.whole, layer.len()))
        .collect();
    assert_eq!(sizes, [(true, 1), (false, 1)]);
}

#[test]
fn layers_that_are_not_those_of_a_state_are_damage() {
    let mut run = Run::new();
    run.step(&Use::Value("a".to_owned(), 1));
    let frozen = run.instances[0].ctx.freeze().unwrap();
    let whole = frozen.layer(None).encode().unwrap();
    let beside = frozen.beside_layers().encode().unwrap();
    let merged = |layers: &[StateLayer]| merge_layers(&mut beside.clone(), layers);
    assert!(merged(std::slice::from_ref(&whole)).is_ok());
    let change = StateLayer {
        whole: false,
        ..whole.clone()
    };
    for wrong in [vec![change.clone()], vec![whole.clone(), whole.clone()]] {
        let error = merged(&wrong).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the first layer of a state is not the whole of it, or not the only one"
        );
    }
    let mut other = change;
    other.tables[0].name = "other".to_owned();
    let error = merged(&[whole, other]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a layer holds state `other`, of which the state itself does not know"
    );
}
