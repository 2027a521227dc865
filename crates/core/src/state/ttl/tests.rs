//! What expires when, and that nothing of it stays.

use std::time::Duration;

use super::{StateTtlConfig, StateVisibility, UpdateType};
use crate::metrics::OperatorMetrics;
use crate::operator::{AggregateFunction, Context, SubtaskInfo};
use crate::state::{Cleaning, StateRegistry, StateSnapshot};
use crate::time::ProcessingTime;

const TTL_MS: i64 = 10;

fn ttl() -> StateTtlConfig {
    StateTtlConfig::new(Duration::from_millis(TTL_MS as u64))
}

pub(super) fn declared<S>(declare: impl FnOnce(&mut StateRegistry) -> S) -> (S, Context) {
    let mut states = StateRegistry::default();
    states.keyed_by::<u64>();
    let state = declare(&mut states);
    let info = SubtaskInfo {
        operator: "test".to_owned(),
        index: 0,
        parallelism: 1,
        max_parallelism: 8,
    };
    let mut ctx = Context::new(states, info, OperatorMetrics::default());
    at(&mut ctx, 0, 0);
    (state, ctx)
}

/// Moves the clock and to a key.
pub(super) fn at(ctx: &mut Context, now_ms: i64, key: u64) {
    ctx.set_now(ProcessingTime(now_ms));
    let slot = ctx.states_mut().keys_mut().unwrap().intern_key(key);
    ctx.states_mut().touch(slot);
    ctx.set_slot(slot);
}

pub(super) fn live_keys(ctx: &mut Context) -> usize {
    ctx.states_mut().keys_mut::<u64>().unwrap().len()
}

pub(super) fn clean_up(ctx: &mut Context, cleaning: Cleaning) {
    let now = ctx.now();
    ctx.states_mut().clean_up(now, cleaning);
    ctx.states_mut().sweep().unwrap();
}

pub(super) fn snapshot(ctx: &mut Context) -> StateSnapshot {
    ctx.snapshot().unwrap()
}

#[test]
fn a_value_is_gone_once_its_time_has_passed_since_it_was_written() {
    let (state, mut ctx) = declared(|states| states.with_ttl(ttl()).value("v"));
    state.set(&mut ctx, 7).unwrap();
    at(&mut ctx, 9, 0);
    assert_eq!(state.get(&mut ctx).unwrap(), Some(&7));
    at(&mut ctx, 10, 0);
    assert_eq!(state.get(&mut ctx).unwrap(), None);
    state.set(&mut ctx, 8).unwrap();
    at(&mut ctx, 19, 0);
    let changed = state.update(&mut ctx, || 0, |value| *value += 1);
    changed.unwrap();
    at(&mut ctx, 28, 0);
    assert_eq!(state.take(&mut ctx).unwrap(), Some(9));
    assert_eq!(state.take(&mut ctx).unwrap(), None);
    state.update(&mut ctx, || 20, |value| *value += 1).unwrap();
    at(&mut ctx, 38, 0);
    state.update(&mut ctx, || 30, |value| *value += 1).unwrap();
    assert_eq!(state.get(&mut ctx).unwrap(), Some(&31));
    state.clear(&mut ctx).unwrap();
    clean_up(&mut ctx, Cleaning::Part);
    assert_eq!(live_keys(&mut ctx), 0);
}

#[test]
fn reading_prolongs_a_life_only_if_it_is_said_to() {
    for (update, expected) in [
        (UpdateType::OnCreateAndWrite, None),
        (UpdateType::OnReadAndWrite, Some(&7)),
    ] {
        let config = ttl().update_type(update);
        let (state, mut ctx) = declared(|states| states.with_ttl(config).value("v"));
        state.set(&mut ctx, 7).unwrap();
        for now in [6, 12] {
            at(&mut ctx, now, 0);
            let found = state.get(&mut ctx).unwrap();
            assert_eq!(found, if now == 6 { Some(&7) } else { expected });
        }
    }
}

#[test]
fn expired_values_may_be_returned_until_they_are_cleaned_up() {
    let config = ttl()
        .state_visibility(StateVisibility::ReturnExpiredIfNotCleanedUp)
        .update_type(UpdateType::OnReadAndWrite);
    let (state, mut ctx) = declared(|states| states.with_ttl(config).value("v"));
    state.set(&mut ctx, 7).unwrap();
    at(&mut ctx, 50, 0);
    assert_eq!(state.get(&mut ctx).unwrap(), Some(&7));
    clean_up(&mut ctx, Cleaning::Part);
    at(&mut ctx, 50, 0);
    assert_eq!(state.get(&mut ctx).unwrap(), None, "a late read is no life");
}

#[test]
fn elements_of_a_list_expire_one_by_one() {
    let (state, mut ctx) = declared(|states| states.with_ttl(ttl()).list("l"));
    for now in [0, 4, 8] {
        at(&mut ctx, now, 0);
        state.add(&mut ctx, now).unwrap();
    }
    let at_time = |ctx: &mut Context, now| {
        at(ctx, now, 0);
        state.get(ctx).unwrap().copied().collect::<Vec<_>>()
    };
    assert_eq!(at_time(&mut ctx, 9), [0, 4, 8]);
    assert_eq!(at_time(&mut ctx, 13), [4, 8]);
    at(&mut ctx, 14, 0);
    assert_eq!(snapshot(&mut ctx).tables[0].entries.len(), 1);
    assert_eq!(at_time(&mut ctx, 17), [8]);
    assert!(at_time(&mut ctx, 18).is_empty());
    state.update(&mut ctx, vec![1, 2]).unwrap();
    assert_eq!(at_time(&mut ctx, 27), [1, 2]);
    state.clear(&mut ctx).unwrap();
    assert!(snapshot(&mut ctx).tables[0].entries.is_empty());
}

#[test]
fn entries_of_a_map_expire_one_by_one_and_live_on_by_their_own_reads() {
    let config = ttl().update_type(UpdateType::OnReadAndWrite);
    let (state, mut ctx) = declared(|states| states.with_ttl(config).map("m"));
    state.insert(&mut ctx, 'a', 1).unwrap();
    state.insert(&mut ctx, 'b', 2).unwrap();
    at(&mut ctx, 5, 0);
    assert_eq!(state.get(&mut ctx, &'a').unwrap(), Some(&1));
    assert_eq!(state.len(&mut ctx).unwrap(), 2);
    at(&mut ctx, 10, 0);
    assert_eq!(state.get(&mut ctx, &'b').unwrap(), None);
    assert_eq!(state.insert(&mut ctx, 'b', 3).unwrap(), None);
    assert_eq!(state.insert(&mut ctx, 'b', 4).unwrap(), Some(3));
    let mut entries: Vec<_> = state.iter(&mut ctx).unwrap().collect();
    entries.sort_unstable();
    assert_eq!(entries, [(&'a', &1), (&'b', &4)]);
    at(&mut ctx, 19, 0);
    assert_eq!(state.remove(&mut ctx, &'a').unwrap(), Some(1));
    at(&mut ctx, 20, 0);
    assert_eq!(state.remove(&mut ctx, &'b').unwrap(), None);
    assert!(state.is_empty(&mut ctx).unwrap());
    clean_up(&mut ctx, Cleaning::Part);
    assert_eq!(live_keys(&mut ctx), 0, "an empty map holds no key");
}

#[derive(Clone)]
struct Sum;

impl AggregateFunction for Sum {
    type Input = i64;
    type Accumulator = i64;
    type Output = i64;

    fn create_accumulator(&self) -> i64 {
        0
    }
    fn add(&self, accumulator: &mut i64, value: i64) {
        *accumulator += value;
    }
    fn result(&self, accumulator: &i64) -> i64 {
        *accumulator
    }
    fn merge(&self, first: i64, second: i64) -> i64 {
        first + second
    }
}

#[test]
fn what_is_folded_begins_anew_when_it_has_expired() {
    let ((reducing, aggregating), mut ctx) = declared(|states| {
        let mut states = states.with_ttl(ttl());
        let reducing = states.reducing("r", |a: i64, b: i64| a + b);
        (reducing, states.aggregating("a", Sum))
    });
    for (now, expected) in [(0, 1), (9, 2), (18, 3), (28, 1), (30, 2)] {
        at(&mut ctx, now, 0);
        reducing.add(&mut ctx, 1).unwrap();
        aggregating.add(&mut ctx, 1).unwrap();
        assert_eq!(reducing.get(&mut ctx).unwrap(), Some(&expected), "{now}");
        assert_eq!(aggregating.get(&mut ctx).unwrap(), Some(expected), "{now}");
    }
    at(&mut ctx, 40, 0);
    assert_eq!(reducing.get(&mut ctx).unwrap(), None);
    assert_eq!(aggregating.get(&mut ctx).unwrap(), None);
}

#[test]
fn trap_08_keys_that_do_not_come_again_do_not_stay() {
    let (state, mut ctx) = declared(|states| states.with_ttl(ttl()).value("v"));
    let mut most = 0;
    for now in 0..10_000 {
        at(&mut ctx, now, now as u64);
        state.set(&mut ctx, 1u8).unwrap();
        clean_up(&mut ctx, Cleaning::Part);
        most = most.max(live_keys(&mut ctx));
    }
    assert!(most < 3 * TTL_MS as usize, "{most} keys at once");

    let config = ttl().disable_cleanup_in_background();
    let (state, mut ctx) = declared(|states| states.with_ttl(config).value("v"));
    for now in 0..100 {
        at(&mut ctx, now, now as u64);
        state.set(&mut ctx, 1u8).unwrap();
        clean_up(&mut ctx, Cleaning::Part);
    }
    assert_eq!(live_keys(&mut ctx), 100, "nothing was said to clean it up");
    let entries = snapshot(&mut ctx).tables[0].entries.len();
    assert_eq!(entries, TTL_MS as usize);
}

#[test]
fn a_large_collection_is_not_examined_for_every_access_to_others() {
    let config = ttl().cleanup_incrementally(1);
    let (state, mut ctx) = declared(|states| states.with_ttl(config).list("l"));
    state.update(&mut ctx, vec![0; 50]).unwrap();
    clean_up(&mut ctx, Cleaning::Part);
    // The list has taken 50 accesses' worth: what is added now is seen by none until then.
    at(&mut ctx, 5, 1);
    state.add(&mut ctx, 1).unwrap();
    ctx.set_now(ProcessingTime(100));
    clean_up(&mut ctx, Cleaning::Part);
    assert_eq!(live_keys(&mut ctx), 2);
    for _ in 0..60 {
        at(&mut ctx, 100, 2);
        state.clear(&mut ctx).unwrap();
        clean_up(&mut ctx, Cleaning::Part);
    }
    assert_eq!(live_keys(&mut ctx), 0);
}

#[test]
fn a_restored_value_expires_when_it_would_have() {
    let (state, mut ctx) = declared(|states| states.with_ttl(ttl()).value::<u32>("v"));
    state.set(&mut ctx, 7).unwrap();
    at(&mut ctx, 5, 1);
    state.set(&mut ctx, 8).unwrap();
    let stored = snapshot(&mut ctx);
    // The type of the value may have changed as any other.
    let (state, mut ctx) = declared(|states| states.with_ttl(ttl()).value::<u64>("v"));
    ctx.restore(&stored).unwrap();
    at(&mut ctx, 12, 0);
    assert_eq!(state.get(&mut ctx).unwrap(), None);
    at(&mut ctx, 12, 1);
    assert_eq!(state.get(&mut ctx).unwrap(), Some(&8));
}

#[test]
fn a_time_to_live_can_neither_be_given_to_stored_state_nor_taken_from_it() {
    let plain: [fn(&mut StateRegistry); 3] = [
        |states| {
            states.value::<u8>("s");
        },
        |states| {
            states.list::<u8>("s");
        },
        |states| {
            states.map::<u8, u8>("s");
        },
    ];
    let living: [fn(&mut StateRegistry); 3] = [
        |states| {
            states.with_ttl(ttl()).value::<u8>("s");
        },
        |states| {
            states.with_ttl(ttl()).list::<u8>("s");
        },
        |states| {
            states.with_ttl(ttl()).map::<u8, u8>("s");
        },
    ];
    let refusal = |from: fn(&mut StateRegistry), to: fn(&mut StateRegistry)| {
        let stored = declared(from).1.snapshot().unwrap();
        let error = declared(to).1.restore(&stored).unwrap_err();
        error.to_string()
    };
    for (plain, living) in plain.into_iter().zip(living) {
        assert_eq!(
            refusal(plain, living),
            "state `s`: stored without a time to live, now with one: its values have no time"
        );
        assert_eq!(
            refusal(living, plain),
            "state `s`: stored with a time to live, now without: expired values would come back"
        );
    }
}
