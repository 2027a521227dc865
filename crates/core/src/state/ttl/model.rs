//! Random uses of state with a time to live, against a list of what was written when.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::{at, clean_up, declared, live_keys, snapshot};
use super::{StateTtlConfig, TtlListState, TtlMapState, TtlStates, TtlValueState, UpdateType};
use crate::operator::Context;
use crate::state::Cleaning;

const TTL_MS: i64 = 20;
const KEYS: u64 = 3;

#[derive(Clone, Debug)]
enum Use {
    Wait(i64),
    Key(u64),
    Set(u8),
    Get,
    Clear,
    Push(u8),
    List,
    Insert(u8, u8),
    Lookup(u8),
    Remove(u8),
    CleanUp,
    Restore,
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let one = prop_oneof![
        3 => (0..TTL_MS).prop_map(Use::Wait),
        2 => (0..KEYS).prop_map(Use::Key),
        2 => any::<u8>().prop_map(Use::Set),
        2 => Just(Use::Get),
        1 => Just(Use::Clear),
        2 => any::<u8>().prop_map(Use::Push),
        2 => Just(Use::List),
        2 => (0..3u8, any::<u8>()).prop_map(|(key, value)| Use::Insert(key, value)),
        2 => (0..3u8).prop_map(Use::Lookup),
        1 => (0..3u8).prop_map(Use::Remove),
        1 => Just(Use::CleanUp),
        1 => Just(Use::Restore),
    ];
    proptest::collection::vec(one, 0..80)
}

/// What a key has: values and since when, in order of writing.
#[derive(Clone, Default)]
struct Model {
    value: Vec<(i64, u8)>,
    list: Vec<(i64, u8)>,
    map: Vec<(i64, (u8, u8))>,
}

fn alive<T>(entries: &mut Vec<(i64, T)>, now: i64) {
    entries.retain(|(since, _)| now < since + TTL_MS);
}

impl Model {
    fn forget(&mut self, now: i64) {
        alive(&mut self.value, now);
        alive(&mut self.list, now);
        alive(&mut self.map, now);
    }

    fn is_empty(&self) -> bool {
        self.value.is_empty() && self.list.is_empty() && self.map.is_empty()
    }
}

type Handles = (TtlValueState<u8>, TtlListState<u8>, TtlMapState<u8, u8>);

fn declare(mut states: TtlStates<'_>) -> Handles {
    (states.value("v"), states.list("l"), states.map("m"))
}

struct Run {
    config: StateTtlConfig,
    renews: bool,
    handles: Handles,
    ctx: Context,
    models: Vec<Model>,
    now: i64,
    key: u64,
}

impl Run {
    fn new(renews: bool) -> Self {
        let config = StateTtlConfig::new(Duration::from_millis(TTL_MS as u64));
        let config = match renews {
            true => config.update_type(UpdateType::OnReadAndWrite),
            false => config,
        };
        let (handles, ctx) = declared(|states| declare(states.with_ttl(config)));
        Run {
            config,
            renews,
            handles,
            ctx,
            models: vec![Model::default(); KEYS as usize],
            now: 0,
            key: 0,
        }
    }

    fn step(&mut self, step: &Use) {
        match step {
            Use::Wait(millis) => self.now += millis,
            Use::Key(key) => self.key = *key,
            _ => {}
        }
        let (now, renews) = (self.now, self.renews);
        self.models.iter_mut().for_each(|model| model.forget(now));
        at(&mut self.ctx, now, self.key);
        let (value, list, map) = &self.handles;
        let (ctx, model) = (&mut self.ctx, &mut self.models[self.key as usize]);
        let renew = |since: &mut i64| *since = if renews { now } else { *since };
        match *step {
            Use::Wait(_) | Use::Key(_) => {}
            Use::Set(to) => {
                value.set(ctx, to).unwrap();
                model.value = vec![(now, to)];
            }
            Use::Get => {
                model.value.iter_mut().for_each(|(since, _)| renew(since));
                let expected = model.value.first().map(|(_, value)| value);
                assert_eq!(value.get(ctx).unwrap(), expected);
            }
            Use::Clear => {
                value.clear(ctx).unwrap();
                model.value.clear();
            }
            Use::Push(element) => {
                list.add(ctx, element).unwrap();
                model.list.push((now, element));
            }
            Use::List => {
                model.list.iter_mut().for_each(|(since, _)| renew(since));
                let expected: Vec<&u8> = model.list.iter().map(|(_, element)| element).collect();
                assert_eq!(list.get(ctx).unwrap().collect::<Vec<_>>(), expected);
            }
            Use::Insert(key, to) => {
                let before = map.insert(ctx, key, to).unwrap();
                assert_eq!(before, taken(&mut model.map, key));
                model.map.push((now, (key, to)));
            }
            Use::Lookup(key) => {
                let found = model.map.iter_mut().find(|(_, entry)| entry.0 == key);
                let expected = found.map(|(since, entry)| {
                    renew(since);
                    &entry.1
                });
                assert_eq!(map.get(ctx, &key).unwrap(), expected);
                assert_eq!(map.len(ctx).unwrap(), model.map.len());
            }
            Use::Remove(key) => {
                let removed = map.remove(ctx, &key).unwrap();
                assert_eq!(removed, taken(&mut model.map, key));
            }
            Use::CleanUp => clean_up(ctx, Cleaning::Part),
            Use::Restore => self.restore(),
        }
    }

    fn restore(&mut self) {
        let stored = snapshot(&mut self.ctx);
        let entries: Vec<usize> = stored.tables.iter().map(|t| t.entries.len()).collect();
        let of = |some: fn(&Model) -> bool| self.models.iter().filter(|m| some(m)).count();
        assert_eq!(
            entries[..3],
            [
                of(|model| !model.value.is_empty()),
                of(|model| !model.list.is_empty()),
                of(|model| !model.map.is_empty())
            ]
        );
        let config = self.config;
        let (handles, mut ctx) = declared(|states| declare(states.with_ttl(config)));
        ctx.restore(&stored).unwrap();
        (self.handles, self.ctx) = (handles, ctx);
    }
}

fn taken(map: &mut Vec<(i64, (u8, u8))>, key: u8) -> Option<u8> {
    let at = map.iter().position(|(_, entry)| entry.0 == key)?;
    Some(map.remove(at).1.1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_read_is_what_was_written_within_the_time_to_live(
        steps in uses(),
        renews in any::<bool>(),
    ) {
        let mut run = Run::new(renews);
        for step in &steps {
            run.step(step);
        }
        // Slots are held by what is there, and by nothing else.
        clean_up(&mut run.ctx, Cleaning::Barrier);
        let expected = run.models.iter().filter(|model| !model.is_empty()).count();
        prop_assert_eq!(live_keys(&mut run.ctx), expected);
    }
}
