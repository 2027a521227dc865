//! Broadcast state: equal copies in all instances, for reading on one side and writing on the other.

use std::time::Duration;

use thalweg_core::error::{ErrorKind, Result};
use thalweg_core::operator::{BroadcastContext, BroadcastOperator, Context, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::{
    BroadcastState, ListState, MapState, ReducingState, StateTtlConfig, TtlListState, TtlMapState,
    TtlValueState, ValueState,
};
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_testkit::{check_job, check_two, run_along};

/// Passes numbers that are above the limit of their key's parity; a limit below 0 is taken back.
struct Limits {
    limits: BroadcastState<i64, i64>,
    held: ListState<i64>,
    passed: ValueState<i64>,
}

impl BroadcastOperator<i64, i64, i64> for Limits {
    fn process(&mut self, n: Record<i64>, ctx: &mut Context, _: &mut Output<i64>) -> Result<()> {
        self.held.add(ctx, n.value)?;
        ctx.register_event_timer(n.time);
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        limit: Record<i64>,
        ctx: &mut BroadcastContext<'_>,
        out: &mut Output<i64>,
    ) -> Result<()> {
        assert!(ctx.key::<i64>().is_err(), "there is no key");
        let (parity, limit) = (limit.value.rem_euclid(2), limit.value);
        if limit < 0 {
            self.limits.remove(ctx, &parity);
        } else {
            self.limits.insert(ctx, parity, limit);
        }
        // Every key says how much it has passed so far, once over all instances.
        ctx.apply_to_keyed_state(&self.passed, |ctx| {
            let passed = self.passed.take(ctx)?.unwrap_or_default();
            let key = *ctx.key::<i64>()?;
            out.emit(1000 * key + passed, EventTime(0));
            Ok(())
        })
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<i64>,
    ) -> Result<()> {
        for n in self.held.take(ctx)? {
            let limit = self.limits.get(ctx, &n.rem_euclid(2)).copied();
            if limit.is_none_or(|limit| n > limit) {
                *self.passed.get_or_insert_with(ctx, || 0)? += 1;
                out.emit(n, time);
            }
        }
        Ok(())
    }
}

fn limits(numbers: DataStream<i64>, limits: DataStream<i64>) -> DataStream<i64> {
    numbers
        .key_by(|n| n % 10)
        .connect(&limits.broadcast_stream())
        .process(|states| Limits {
            limits: states.broadcast("limits"),
            held: states.list("held"),
            passed: states.value("passed"),
        })
}

#[test]
fn a_rule_holds_for_all_keys_from_when_it_is_there_and_as_long_as_it_is() {
    check_two(
        limits,
        // 7 is odd, 12 even: each is judged when the watermark passes it.
        "7@1 W@2 2>9@3 7@4 12@5 W@6 2>-1@7 7@8 W@9",
        "7@1 W@2 7001@0 12@5 W@6 2001@0 7@8 W@9",
    );
}

/// Counts its records, and tells at the end what it was told.
struct Told {
    told: BroadcastState<String, i64>,
}

impl BroadcastOperator<i64, (String, i64), Vec<(String, i64)>> for Told {
    fn process(
        &mut self,
        _: Record<i64>,
        _: &mut Context,
        _: &mut Output<Vec<(String, i64)>>,
    ) -> Result<()> {
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        told: Record<(String, i64)>,
        ctx: &mut BroadcastContext<'_>,
        _: &mut Output<Vec<(String, i64)>>,
    ) -> Result<()> {
        let (word, number) = told.value;
        *self.told.get_or_insert_with(ctx, word, || 0) += number;
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Output<Vec<(String, i64)>>) -> Result<()> {
        let mut told: Vec<_> = self.told.iter(ctx).collect();
        told.sort_unstable();
        let told = told.into_iter().map(|(word, n)| (word.clone(), *n));
        out.emit(told.collect(), EventTime::NONE);
        Ok(())
    }
}

fn words(env: &StreamExecutionEnvironment) -> DataStream<(String, i64)> {
    env.from_generator(Some(60), |n| (format!("word {}", n % 7), n as i64))
}

#[test]
fn every_instance_has_an_equal_copy_at_any_parallelism() {
    let build = |env: &StreamExecutionEnvironment| {
        let told = env
            .from_generator(Some(20), |n| n as i64)
            .connect(&words(env).broadcast_stream())
            .process(|states| Told {
                told: states.broadcast("told"),
            })
            .set_parallelism(3);
        // Equal copies are one, whatever the parallelism before it.
        told.key_by(|copy| copy.clone())
            .reduce(|copy, _| copy)
            .uid("copies")
    };
    let sum = |word: i64| (0..60).filter(|n| n % 7 == word).sum::<i64>();
    let copy: Vec<_> = (0..7).map(|w| (format!("word {w}"), sum(w))).collect();
    check_job(build, vec![copy; 3]);
}

#[test]
fn without_keys_there_is_no_keyed_state_to_apply_to() {
    struct Unkeyed(ValueState<i64>);
    impl BroadcastOperator<i64, i64, i64> for Unkeyed {
        fn process(&mut self, _: Record<i64>, _: &mut Context, _: &mut Output<i64>) -> Result<()> {
            Ok(())
        }
        fn process_broadcast(
            &mut self,
            _: Record<i64>,
            ctx: &mut BroadcastContext<'_>,
            _: &mut Output<i64>,
        ) -> Result<()> {
            ctx.apply_to_keyed_state(&self.0, |_| Ok(()))
        }
    }
    let env = thalweg_testkit::environment();
    let numbers = env.from_collection([1i64]);
    let connected = numbers.connect(&env.from_collection([2i64]).broadcast_stream());
    let process = connected.process(|states| Unkeyed(states.value("keyed")));
    let error = process.execute_and_collect().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains("call `key_by`"), "{error}");
}

const KEYS: u64 = 700;
const RULES: i64 = 300;

/// Counts for each key how many multiples of 50 were broadcast.
struct Fifties {
    fifties: BroadcastState<i64, ()>,
    count: ValueState<i64>,
}

impl BroadcastOperator<u64, i64, (u64, i64)> for Fifties {
    fn process(
        &mut self,
        _: Record<u64>,
        ctx: &mut Context,
        _: &mut Output<(u64, i64)>,
    ) -> Result<()> {
        let before = self.fifties.len(ctx) as i64;
        self.count.set(ctx, before)?;
        ctx.register_event_timer(EventTime(i64::MAX));
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        rule: Record<i64>,
        ctx: &mut BroadcastContext<'_>,
        _: &mut Output<(u64, i64)>,
    ) -> Result<()> {
        if rule.value % 50 != 0 {
            return Ok(());
        }
        self.fifties.insert(ctx, rule.value, ());
        ctx.apply_to_keyed_state(&self.count, |ctx| {
            *self.count.get_or_insert_with(ctx, || 0)? += 1;
            Ok(())
        })
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<(u64, i64)>,
    ) -> Result<()> {
        let count = self.count.get(ctx)?.copied().unwrap_or_default();
        out.emit((*ctx.key::<u64>()?, count), time);
        Ok(())
    }
}

#[test]
fn a_rule_is_applied_once_to_each_of_more_keys_than_are_in_memory() {
    let build = |env: &StreamExecutionEnvironment| {
        let rules = env.from_collection(0..RULES).uid("rules");
        env.from_generator(Some(KEYS), |n| n)
            .uid("keys")
            .key_by(|n| *n)
            .connect(&rules.broadcast_stream())
            .process(|states| Fifties {
                fifties: states.broadcast("fifties"),
                count: states.value("count"),
            })
            .uid("fifties")
    };
    for store in [false, true] {
        let mut counts = run_along(build, &[(1, 100), (2, 60), (1, 1)], false, store).unwrap();
        counts.sort_unstable();
        let expected: Vec<_> = (0..KEYS).map(|key| (key, RULES / 50)).collect();
        assert_eq!(counts, expected, "in a store: {store}");
    }
}

/// Has something in a state of each kind, and tells for each which keys have.
struct Kinds {
    value: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<i64, i64>,
    sum: ReducingState<i64, fn(i64, i64) -> i64>,
    ttl_value: TtlValueState<i64>,
    ttl_list: TtlListState<i64>,
    ttl_map: TtlMapState<i64, i64>,
}

impl BroadcastOperator<i64, i64, String> for Kinds {
    fn process(&mut self, n: Record<i64>, ctx: &mut Context, _: &mut Output<String>) -> Result<()> {
        let n = n.value;
        match n % 7 {
            0 => self.value.set(ctx, n),
            1 => self.list.add(ctx, n),
            2 => self.map.insert(ctx, n, n).map(drop),
            3 => self.sum.add(ctx, n),
            4 => self.ttl_value.set(ctx, n),
            5 => self.ttl_list.add(ctx, n),
            _ => self.ttl_map.insert(ctx, n, n).map(drop),
        }
    }

    fn process_broadcast(
        &mut self,
        kind: Record<i64>,
        ctx: &mut BroadcastContext<'_>,
        out: &mut Output<String>,
    ) -> Result<()> {
        let kind = kind.value;
        let mut tell = |ctx: &mut Context| {
            out.emit(format!("{kind}-{}", ctx.key::<i64>()?), EventTime(0));
            Ok(())
        };
        match kind {
            0 => ctx.apply_to_keyed_state(&self.value, &mut tell),
            1 => ctx.apply_to_keyed_state(&self.list, &mut tell),
            2 => ctx.apply_to_keyed_state(&self.map, &mut tell),
            3 => ctx.apply_to_keyed_state(&self.sum, &mut tell),
            4 => ctx.apply_to_keyed_state(&self.ttl_value, &mut tell),
            5 => ctx.apply_to_keyed_state(&self.ttl_list, &mut tell),
            _ => ctx.apply_to_keyed_state(&self.ttl_map, &mut tell),
        }
    }
}

#[test]
fn keys_are_visited_that_have_something_in_that_state_and_no_others() {
    let hour = StateTtlConfig::new(Duration::from_secs(3600));
    let build = move |numbers: DataStream<i64>, kinds: DataStream<i64>| {
        let keyed = numbers.key_by(|n| *n);
        keyed
            .connect(&kinds.broadcast_stream())
            .process(move |states| Kinds {
                value: states.value("value"),
                list: states.list("list"),
                map: states.map("map"),
                sum: states.reducing("sum", |one, other| one + other),
                ttl_value: states.with_ttl(hour).value("ttl value"),
                ttl_list: states.with_ttl(hour).list("ttl list"),
                ttl_map: states.with_ttl(hour).map("ttl map"),
            })
    };
    check_two(
        build,
        "70@0 71@0 72@0 73@0 74@0 75@0 76@0 W@1 \
         2>0@2 2>1@2 2>2@2 2>3@2 2>4@2 2>5@2 2>6@2 W@3",
        "W@1 0-70@0 1-71@0 2-72@0 3-73@0 4-74@0 5-75@0 6-76@0 W@3",
    );
}
