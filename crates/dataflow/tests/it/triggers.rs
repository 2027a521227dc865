//! Triggers and evictors.

use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_dataflow::stream::{DataStream, KeyedStream};
use thalweg_dataflow::window::{
    ContinuousEventTimeTrigger, ContinuousProcessingTimeTrigger, CountEvictor, CountTrigger,
    DeltaEvictor, DeltaTrigger, EventTimeTrigger, GlobalWindows, NeverTrigger,
    ProcessingTimeoutTrigger, PurgingTrigger, SlidingEventTimeWindows, TimeEvictor, TimeWindow,
    Trigger, TriggerContext, TriggerResult, TumblingEventTimeWindows,
};
use thalweg_testkit::check;

use crate::windows::{Row, by_word, ms};

fn tumbling<Tr: Trigger<Row, TimeWindow>>(
    trigger: Tr,
) -> impl Fn(DataStream<Row>) -> DataStream<Row> {
    move |stream| {
        by_word(&stream)
            .window(TumblingEventTimeWindows::of(ms(10)))
            .trigger(trigger.clone())
            .sum(|row| &mut row.1)
    }
}

#[test]
fn a_count_trigger_fires_every_so_many_records_and_keeps_the_contents() {
    check(
        tumbling(CountTrigger::of(2)),
        "a:1@0 a:2@1 a:4@2 a:8@3 a:16@4 W@20 end",
        "a:3@9 a:15@9 W@20 end",
    );
}

#[test]
fn a_purging_trigger_leaves_only_what_came_since() {
    check(
        tumbling(PurgingTrigger::of(CountTrigger::of(2))),
        "a:1@0 a:2@1 a:4@2 a:8@3 a:16@4 W@20 end",
        "a:3@9 a:12@9 W@20 end",
    );
    // Late records of a purged window come alone.
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .allowed_lateness(ms(10))
                .trigger(PurgingTrigger::of(EventTimeTrigger))
                .sum(|row| &mut row.1)
        },
        "a:1@0 W@9 a:2@1 W@19 a:4@2",
        "a:1@9 W@9 a:2@9 W@19",
    );
}

#[test]
fn a_never_trigger_never_fires() {
    check(tumbling(NeverTrigger), "a:1@0 W@20 end", "W@20 end");
}

#[test]
fn a_continuous_trigger_fires_at_every_multiple_of_the_event_time() {
    check(
        tumbling(ContinuousEventTimeTrigger::of(ms(4))),
        "a:1@1 W@3 W@4 a:2@5 W@8 W@9 end",
        "W@3 a:1@9 W@4 a:3@9 W@8 a:3@9 W@9 end",
    );
    // Before the epoch, too.
    check(
        tumbling(ContinuousEventTimeTrigger::of(ms(4))),
        "a:1@-9 W@-9 W@-8 W@-5 W@-1",
        "W@-9 a:1@-1 W@-8 W@-5 a:1@-1 a:1@-1 W@-1",
    );
}

#[test]
fn overlapping_windows_of_a_key_fire_by_their_own_timers_only() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(SlidingEventTimeWindows::of(ms(8), ms(4)))
                .trigger(Custom)
                .sum(|row| &mut row.1)
        },
        // [-4, 4) asks for 2, [0, 8) for 6; each fires at its own instant.
        "a:1@1 W@1 W@2 W@5 W@6 end",
        "W@1 a:1@3 W@2 W@5 a:1@7 W@6 end",
    );
}

/// Fires two instants before the window's end, once, and forgets.
#[derive(Clone)]
struct Custom;

impl Trigger<Row, TimeWindow> for Custom {
    type State = bool;

    fn on_element(
        &self,
        _: &Row,
        _: EventTime,
        window: &TimeWindow,
        asked: &mut bool,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        if !std::mem::replace(asked, true) {
            ctx.register_event_timer(EventTime(window.end - 2));
        }
        TriggerResult::Continue
    }

    fn on_event_time(
        &self,
        time: EventTime,
        window: &TimeWindow,
        _: &mut bool,
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        assert_eq!(time.0, window.end - 2, "a timer of another window");
        TriggerResult::FireAndPurge
    }
}

#[test]
fn a_deleted_timer_of_one_window_leaves_those_of_others() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(SlidingEventTimeWindows::of(ms(8), ms(4)))
                .trigger(SameInstant)
                .sum(|row| &mut row.1)
        },
        "a:1@1 a:2@2 W@3 W@20",
        "W@3 a:3@7 W@20",
    );
}

/// All windows ask for one instant; the earlier one takes it back with its second record.
#[derive(Clone)]
struct SameInstant;

impl Trigger<Row, TimeWindow> for SameInstant {
    type State = u32;

    fn on_element(
        &self,
        _: &Row,
        _: EventTime,
        window: &TimeWindow,
        seen: &mut u32,
        ctx: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        *seen += 1;
        if *seen == 1 {
            ctx.register_event_timer(EventTime(5));
        } else if window.start < 0 {
            ctx.delete_event_timer(EventTime(5));
        }
        TriggerResult::Continue
    }

    fn on_event_time(
        &self,
        _: EventTime,
        _: &TimeWindow,
        _: &mut u32,
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        TriggerResult::Fire
    }

    fn on_processing_time(
        &self,
        _: ProcessingTime,
        _: &TimeWindow,
        _: &mut u32,
        _: &mut TriggerContext<'_>,
    ) -> TriggerResult {
        TriggerResult::Fire
    }
}

fn global(stream: &DataStream<Row>) -> KeyedStream<String, Row> {
    by_word(stream)
}

const END: &str = "9223372036854775807";

#[test]
fn a_continuous_trigger_fires_at_every_multiple_of_the_clock() {
    check(
        |stream: DataStream<Row>| {
            global(&stream)
                .window(GlobalWindows::create())
                .trigger(ContinuousProcessingTimeTrigger::of(ms(10)))
                .sum(|row| &mut row.1)
        },
        "P@3 a:1 P@9 P@10 a:2 P@20 P@25 W@1",
        &format!("a:1@{END} a:3@{END} W@1"),
    );
}

#[test]
fn a_delta_trigger_fires_when_a_record_is_far_from_the_last_that_fired() {
    check(
        |stream: DataStream<Row>| {
            global(&stream)
                .window(GlobalWindows::create())
                .trigger(DeltaTrigger::of(5.0, |a: &Row, b: &Row| (b.1 - a.1) as f64))
                .max(|row| &mut row.1)
        },
        "a:1@0 a:6@1 a:7@2 a:12@3 a:13@4",
        &format!("a:7@{END} a:13@{END}"),
    );
}

#[test]
fn a_count_window_with_a_timeout_gives_its_records_back_when_the_count_is_not_reached() {
    check(
        |stream: DataStream<Row>| {
            let trigger = ProcessingTimeoutTrigger::of(CountTrigger::of(3), ms(10));
            global(&stream)
                .window(GlobalWindows::create())
                .trigger(PurgingTrigger::of(trigger))
                .sum(|row| &mut row.1)
        },
        // The third record fires; the two behind it wait until the clock is at 15.
        "P@0 a:1 a:2 P@5 a:4 a:8 a:16 P@14 P@15 a:32 a:64 P@16 a:128",
        &format!("a:7@{END} a:24@{END} a:224@{END}"),
    );
}

#[test]
fn evictors_remove_records_before_or_after_the_function() {
    let run = |evictor: CountEvictor| {
        move |stream: DataStream<Row>| {
            global(&stream)
                .window(GlobalWindows::create())
                .trigger(CountTrigger::of(2))
                .evictor(evictor)
                .sum(|row| &mut row.1)
        }
    };
    check(
        run(CountEvictor::of(3)),
        "a:1@0 a:2@0 a:4@0 a:8@0",
        &format!("a:3@{END} a:14@{END}"),
    );
    check(
        run(CountEvictor::of(1).after()),
        "a:1@0 a:2@0 a:4@0 a:8@0",
        &format!("a:3@{END} a:14@{END}"),
    );
}

#[test]
fn a_time_evictor_keeps_what_is_not_much_older_than_the_youngest() {
    check(
        |stream: DataStream<Row>| {
            global(&stream)
                .window(GlobalWindows::create())
                .trigger(CountTrigger::of(1))
                .evictor(TimeEvictor::of(ms(10)))
                .sum(|row| &mut row.1)
        },
        "a:1@0 a:2@9 a:4@10 a:8@5 a:16@30",
        &format!("a:1@{END} a:3@{END} a:6@{END} a:14@{END} a:16@{END}"),
    );
}

#[test]
fn a_delta_evictor_keeps_what_is_close_to_the_last_record() {
    check(
        |stream: DataStream<Row>| {
            global(&stream)
                .window(GlobalWindows::create())
                .trigger(CountTrigger::of(2))
                .evictor(DeltaEvictor::of(10.0, |a: &Row, last: &Row| {
                    (last.1 - a.1).abs() as f64
                }))
                .sum(|row| &mut row.1)
        },
        "a:1@0 a:5@0 a:50@0 a:52@0",
        &format!("a:6@{END} a:102@{END}"),
    );
}
