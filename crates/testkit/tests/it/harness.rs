//! Operators that are wrong in one way each, and the run that finds them out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thalweg_core::Result;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_dataflow::stream::DataStream;
use thalweg_testkit::{Harness, check, check_job, check_two};

fn message(run: impl FnOnce()) -> String {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => panic!("the kit found nothing"),
        Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

/// Counts records in a field instead of in state.
struct Forgetful(i64);

impl Operator<i64, i64> for Forgetful {
    fn process(&mut self, r: Record<i64>, _: &mut Context, out: &mut Output<i64>) -> Result<()> {
        self.0 += 1;
        out.emit(self.0, r.time);
        Ok(())
    }
}

#[test]
fn state_that_is_not_declared_is_found_by_the_restored_run() {
    let text = message(|| {
        check(
            |stream: DataStream<i64>| stream.process(|_| Forgetful(0)),
            "7@0 7@1",
            "1@0 2@1",
        );
    });
    assert!(text.contains("restored after every element"), "{text}");
    assert!(text.contains("expected 2@1, found 1@1"), "{text}");
    assert!(text.contains("expected: 1@0 2@1"), "{text}");
}

/// Emits the number of its instance.
struct PerInstance(ValueState<i64>);

impl Operator<i64, i64> for PerInstance {
    fn process(&mut self, r: Record<i64>, ctx: &mut Context, out: &mut Output<i64>) -> Result<()> {
        *self.0.get_or_insert_with(ctx, || 0)? += 1;
        out.emit(i64::from(ctx.info().index), r.time);
        Ok(())
    }
}

#[test]
fn a_result_that_depends_on_the_instance_is_found_by_the_rescaled_runs() {
    let build = |stream: DataStream<i64>| {
        let keyed = stream.key_by(|n| *n);
        keyed.process(|states| PerInstance(states.value("count")))
    };
    let (input, expected) = ("1@0 2@1 3@2 4@3 5@4", "0@0 0@1 0@2 0@3 0@4");
    let text = message(|| check(build, input, expected));
    assert!(text.contains("rescaled 1 → 2 → 1"), "{text}");
    Harness::one(build)
        .without_rescaling()
        .check(input, expected);
}

#[test]
fn a_wrong_expectation_shows_both_streams_and_the_input() {
    let text = message(|| {
        check(
            |stream: DataStream<i64>| stream.map(|n| n + 1),
            "1@0 W@3",
            "3@0 W@3",
        );
    });
    for part in [
        "one by one",
        "input: 1@0 W@3",
        "expected: 3@0 W@3",
        "actual: 2@0 W@3",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Repeats the last value of each key when its timers fire.
struct Echo(ValueState<i64>);

impl Operator<i64, i64> for Echo {
    fn process(&mut self, r: Record<i64>, ctx: &mut Context, _: &mut Output<i64>) -> Result<()> {
        self.0.set(ctx, r.value)?;
        ctx.register_event_timer(EventTime(10));
        ctx.register_event_timer(EventTime(10));
        ctx.register_processing_timer(ProcessingTime(100));
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<i64>,
    ) -> Result<()> {
        let value = self.0.get(ctx)?.copied().unwrap_or_default();
        out.emit(value, time);
        Ok(())
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Output<i64>,
    ) -> Result<()> {
        let value = self.0.take(ctx)?.unwrap_or_default();
        out.emit(-value, EventTime(time.0));
        Ok(())
    }
}

#[test]
fn trap_04_timers_fire_once_a_key_and_instant_before_their_watermark_and_after_a_restore() {
    check(
        |stream: DataStream<i64>| {
            let keyed = stream.key_by(|n| n % 2);
            keyed.process(|states| Echo(states.value("last")))
        },
        "1@0 3@1 2@2 W@9 W@10 P@99 P@100",
        "W@9 3@10 2@10 W@10 -3@100 -2@100",
    );
}

#[test]
fn two_inputs_have_their_own_watermarks_and_share_their_minimum() {
    check_two(
        |a: DataStream<i64>, b: DataStream<String>| {
            a.connect(&b).map(|n| n.to_string(), |text| text)
        },
        "1@0 2>x@1 1>W@5 2>W@3 W@7 end",
        "1@0 x@1 W@3 W@7 end",
    );
}

#[test]
fn a_job_whose_result_changes_with_its_parallelism_is_found() {
    let text = message(|| {
        check_job(
            |env| {
                env.from_collection(0..6i64)
                    .rebalance()
                    .process(|_| Forgetful(0))
            },
            1..=6i64,
        );
    });
    assert!(text.contains("parallelism 2"), "{text}");
}

#[test]
fn what_waits_for_room_in_a_channel_leaves_when_nothing_comes_behind_it() {
    Harness::one(|stream: DataStream<i64>| stream.rebalance().map(|n| n))
        .configure(|config| {
            config.batch_rows = 1;
            config.channel_batches = 1;
            config.chaining = false;
        })
        .check("1@0 2@1 3@2 4@3 5@4", "1@0 2@1 3@2 4@3 5@4");
}

#[test]
fn a_job_whose_channels_hold_one_batch_runs_to_its_end_in_every_order_of_steps() {
    check_job(
        |env| {
            let numbers = env.from_collection(0..30i64).rebalance();
            numbers.map(|n| n).key_by(|n| n % 7).reduce(|_, n| n)
        },
        0..30i64,
    );
}

#[test]
fn an_operator_by_its_factory_is_checked_too() {
    use std::sync::Arc;
    use thalweg_core::operator::{BatchOperator, RowsOperator, Setup};

    let factory = |setup: &mut Setup<'_>| -> Result<Box<dyn BatchOperator>> {
        Ok(Box::new(RowsOperator::<i64, i64, _>::new(Double, setup)))
    };
    thalweg_testkit::check_factory::<i64, i64>(Arc::new(factory), "2@0 W@1", "4@0 W@1");
}

struct Double;

impl Operator<i64, i64> for Double {
    fn process(&mut self, r: Record<i64>, _: &mut Context, out: &mut Output<i64>) -> Result<()> {
        out.emit(r.value * 2, r.time);
        Ok(())
    }
}
