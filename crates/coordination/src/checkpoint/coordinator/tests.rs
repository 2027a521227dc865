//! The rules one by one, and invariants under any sequence of events.

mod parts;

use super::*;
use proptest::prelude::*;

fn settings(interval: u64) -> CheckpointConfig {
    CheckpointConfig {
        interval: Some(Duration::from_millis(interval)),
        timeout: Duration::from_millis(1000),
        ..CheckpointConfig::default()
    }
}

fn trigger(checkpoint: u64) -> Decision {
    Decision::Trigger {
        checkpoint,
        purpose: Purpose::Checkpoint,
        request: None,
    }
}

fn requested(request: u64, purpose: Purpose) -> Event {
    Event::Requested { request, purpose }
}

fn asked(checkpoint: u64, request: u64, purpose: Purpose) -> Decision {
    Decision::Trigger {
        checkpoint,
        purpose,
        request: Some(request),
    }
}

fn store(checkpoint: u64) -> Decision {
    Decision::Store { checkpoint }
}

fn acknowledged(checkpoint: u64, task: usize) -> Event {
    Event::Acknowledged { checkpoint, task }
}

#[test]
fn a_checkpoint_is_complete_when_all_tasks_have_acknowledged_and_it_is_stored() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 2, 0, 0);
    assert_eq!(coordinator.next_time(), Some(100));
    assert!(coordinator.on(&Event::Time, 99).is_empty());
    assert_eq!(coordinator.on(&Event::Time, 100), [trigger(1)]);
    assert!(coordinator.on(&acknowledged(1, 0), 110).is_empty());
    assert!(
        coordinator.on(&acknowledged(1, 0), 111).is_empty(),
        "the same task twice"
    );
    assert!(
        coordinator
            .on(&Event::Stored { checkpoint: 1 }, 112)
            .is_empty(),
        "not asked for"
    );
    assert_eq!(coordinator.on(&acknowledged(1, 1), 120), [store(1)]);
    assert_eq!(
        coordinator.on(&Event::Stored { checkpoint: 1 }, 130),
        [Decision::Complete { checkpoint: 1 }]
    );
    assert_eq!(coordinator.on(&Event::Time, 200), [trigger(2)]);
}

#[test]
fn numbers_go_on_from_the_highest_one() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 1, 41, 0);
    assert_eq!(coordinator.on(&Event::Time, 100), [trigger(42)]);
}

#[test]
fn the_pause_is_kept_after_a_slow_checkpoint() {
    let mut coordinator = CheckpointCoordinator::new(
        CheckpointConfig {
            min_pause: Duration::from_millis(50),
            ..settings(100)
        },
        1,
        0,
        0,
    );
    assert_eq!(coordinator.on(&Event::Time, 100), [trigger(1)]);
    assert!(
        coordinator.on(&Event::Time, 200).is_empty(),
        "one at a time"
    );
    coordinator.on(&acknowledged(1, 0), 240);
    coordinator.on(&Event::Stored { checkpoint: 1 }, 240);
    assert_eq!(coordinator.next_time(), Some(290));
    assert_eq!(coordinator.on(&Event::Time, 290), [trigger(2)]);
}

#[test]
fn a_late_checkpoint_expires_and_more_failures_than_tolerated_fail_the_job() {
    let mut coordinator = CheckpointCoordinator::new(
        CheckpointConfig {
            tolerable_failures: 1,
            ..settings(100)
        },
        1,
        0,
        0,
    );
    let expired = |checkpoint| Decision::Abort {
        checkpoint,
        reason: Abort::Expired,
    };
    coordinator.on(&Event::Time, 100);
    assert_eq!(coordinator.next_time(), Some(1100));
    assert_eq!(coordinator.on(&Event::Time, 1100), [expired(1), trigger(2)]);
    assert!(
        coordinator.on(&acknowledged(1, 0), 1150).is_empty(),
        "too late"
    );
    assert_eq!(
        coordinator.on(&Event::Time, 2100),
        [expired(2), Decision::FailJob { failures: 2 }, trigger(3)]
    );
}

#[test]
fn a_success_in_between_forgives() {
    let mut coordinator = CheckpointCoordinator::new(
        CheckpointConfig {
            tolerable_failures: 1,
            ..settings(100)
        },
        1,
        0,
        0,
    );
    for round in 0..5 {
        let (first, now) = (2 * round + 1, 10_000 * round);
        coordinator.on(&Event::Time, now + 200);
        coordinator.on(&acknowledged(first, 0), now + 200);
        let decisions = coordinator.on(&Event::StoringFailed { checkpoint: first }, now + 201);
        assert!(
            !decisions
                .iter()
                .any(|d| matches!(d, Decision::FailJob { .. }))
        );
        coordinator.on(&Event::Time, now + 400);
        coordinator.on(&acknowledged(first + 1, 0), now + 400);
        coordinator.on(
            &Event::Stored {
                checkpoint: first + 1,
            },
            now + 401,
        );
    }
}

#[test]
fn an_ended_task_counts_as_acknowledged_and_the_last_one_starts_the_last_checkpoint() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 3, 0, 0);
    coordinator.on(&Event::Time, 100);
    coordinator.on(&acknowledged(1, 0), 101);
    coordinator.on(&acknowledged(1, 1), 101);
    assert_eq!(coordinator.on(&Event::Ended { task: 2 }, 102), [store(1)]);
    coordinator.on(&Event::Stored { checkpoint: 1 }, 103);
    assert_eq!(coordinator.on(&Event::Time, 200), [trigger(2)]);
    coordinator.on(&Event::Ended { task: 0 }, 201);
    assert_eq!(
        coordinator.on(&Event::Ended { task: 1 }, 202),
        [store(2), store(3)]
    );
    assert_eq!(
        coordinator.on(&Event::Stored { checkpoint: 3 }, 203),
        [
            Decision::Complete { checkpoint: 3 },
            Decision::Abort {
                checkpoint: 2,
                reason: Abort::Subsumed
            }
        ]
    );
    assert_eq!(coordinator.next_time(), None, "nothing is left to do");
}

#[test]
fn a_checkpoint_that_a_task_has_gone_past_is_not_completed_by_the_end_of_the_task() {
    let config = CheckpointConfig {
        max_concurrent: 2,
        ..settings(100)
    };
    let mut coordinator = CheckpointCoordinator::new(config, 2, 0, 0);
    assert_eq!(coordinator.on(&Event::Time, 100), [trigger(1)]);
    assert_eq!(coordinator.on(&Event::Time, 200), [trigger(2)]);
    coordinator.on(&acknowledged(1, 0), 201);
    let skipped = Decision::Abort {
        checkpoint: 1,
        reason: Abort::Skipped,
    };
    assert_eq!(coordinator.on(&acknowledged(2, 1), 202), [skipped]);
    assert!(coordinator.on(&Event::Ended { task: 1 }, 203).is_empty());
    assert_eq!(coordinator.on(&acknowledged(2, 0), 204), [store(2)]);
}

#[test]
fn without_an_interval_there_is_a_checkpoint_on_request_and_at_the_end() {
    let mut coordinator = CheckpointCoordinator::new(CheckpointConfig::default(), 1, 0, 0);
    assert!(coordinator.on(&Event::Time, 1_000_000).is_empty());
    assert_eq!(
        coordinator.on(&requested(7, Purpose::Checkpoint), 1_000_001),
        [asked(1, 7, Purpose::Checkpoint)]
    );
    assert_eq!(
        coordinator.on(&Event::Ended { task: 0 }, 1_000_002),
        [store(1), store(2)]
    );
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![
        3 => Just(Purpose::Checkpoint),
        3 => Just(Purpose::Savepoint),
        1 => Just(Purpose::Suspend),
        1 => Just(Purpose::Drain),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Time),
        1 => (0u64..9, purpose()).prop_map(|(request, purpose)| requested(request, purpose)),
        8 => (1u64..8, 0usize..3).prop_map(|(checkpoint, task)| acknowledged(checkpoint, task)),
        1 => (0usize..3).prop_map(|task| Event::Ended { task }),
        4 => (1u64..8).prop_map(|checkpoint| Event::Stored { checkpoint }),
        1 => (1u64..8).prop_map(|checkpoint| Event::StoringFailed { checkpoint }),
    ]
}

fn failed(tasks: &[usize]) -> Event {
    Event::Failed {
        tasks: tasks.iter().copied().collect(),
    }
}

fn restarted(tasks: &[usize]) -> Event {
    Event::Restarted {
        tasks: tasks.iter().copied().collect(),
    }
}

#[test]
fn a_checkpoint_under_way_is_over_when_tasks_fail_and_none_starts_before_they_are_back() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 3, 0, 0);
    assert_eq!(coordinator.on(&Event::Time, 100), [trigger(1)]);
    assert!(coordinator.on(&acknowledged(1, 2), 110).is_empty());
    let aborted = |checkpoint| Decision::Abort {
        checkpoint,
        reason: Abort::TaskFailed,
    };
    assert_eq!(coordinator.on(&failed(&[0, 1]), 120), [aborted(1)]);
    assert!(coordinator.on(&acknowledged(1, 2), 130).is_empty());
    assert!(coordinator.on(&Event::Time, 500).is_empty(), "two are away");
    assert_eq!(coordinator.next_time(), None);
    // It counts as no failure of checkpoints, and the next one needs all tasks.
    assert_eq!(coordinator.on(&restarted(&[0, 1]), 600), [trigger(2)]);
    assert!(coordinator.on(&acknowledged(2, 0), 610).is_empty());
    assert!(coordinator.on(&acknowledged(2, 2), 610).is_empty());
    assert_eq!(coordinator.on(&acknowledged(2, 1), 610), [store(2)]);
    // While it is being stored it is not yet what they go back to.
    assert_eq!(coordinator.on(&failed(&[2]), 620), [aborted(2)]);
    let stored = Event::Stored { checkpoint: 2 };
    assert!(coordinator.on(&stored, 630).is_empty());
}

#[test]
fn a_task_that_had_ended_and_goes_back_has_its_end_still_to_come() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 2, 0, 0);
    assert!(coordinator.on(&Event::Ended { task: 0 }, 10).is_empty());
    assert!(coordinator.on(&failed(&[0]), 20).is_empty());
    // The other one ends: the job has not.
    assert!(coordinator.on(&Event::Ended { task: 1 }, 30).is_empty());
    assert!(coordinator.on(&restarted(&[0]), 40).is_empty());
    assert!(coordinator.may_fail_in_part());
    assert_eq!(coordinator.on(&Event::Ended { task: 0 }, 50), [store(1)]);
    assert!(!coordinator.may_fail_in_part(), "all have ended");
}

#[test]
fn a_job_that_stops_fails_as_a_whole() {
    for purpose in [Purpose::Drain, Purpose::Suspend] {
        let mut coordinator = CheckpointCoordinator::new(settings(100), 1, 0, 0);
        coordinator.on(&requested(7, purpose), 10);
        if purpose == Purpose::Suspend {
            // Until the savepoint is there nothing is committed with it.
            assert!(coordinator.may_fail_in_part());
            coordinator.on(&acknowledged(1, 0), 20);
            coordinator.on(&Event::Stored { checkpoint: 1 }, 30);
        }
        assert!(!coordinator.may_fail_in_part(), "{purpose:?}");
    }
}

proptest! {
    #[test]
    fn whatever_happens_only_whole_checkpoints_complete_and_in_order(
        events in prop::collection::vec((event(), 0u64..300), 0..120),
        max_concurrent in 1usize..3,
    ) {
        let settings = CheckpointConfig { max_concurrent, tolerable_failures: 2, ..settings(100) };
        let mut coordinator = CheckpointCoordinator::new(settings, 3, 0, 0);
        let (mut now, mut completed, mut triggered) = (0, 0, 0);
        let mut seen: Vec<Event> = Vec::new();
        let mut asked: BTreeSet<u64> = BTreeSet::new();
        let mut since: Vec<usize> = vec![0];
        let mut done: BTreeSet<u64> = BTreeSet::new();
        let mut purposes = std::collections::BTreeMap::new();
        let mut stopping = false;
        for (event, passed) in events {
            now += passed;
            seen.push(event.clone());
            let known: Vec<_> = coordinator.pending.iter().map(|p| (p.checkpoint, p.purpose)).collect();
            purposes.extend(known);
            for decision in coordinator.on(&event, now) {
                match decision {
                    Decision::Trigger { checkpoint, purpose, .. } => {
                        prop_assert!(checkpoint > triggered);
                        prop_assert!(!stopping, "nothing starts behind a stop");
                        triggered = checkpoint;
                        since.resize(checkpoint as usize + 1, seen.len());
                        let under_way = || coordinator.pending.iter();
                        let own = under_way().filter(|p| !p.purpose.is_savepoint());
                        prop_assert!(own.count() <= max_concurrent + 1);
                        let mut open = under_way().filter(|p| p.stage == Stage::Collecting);
                        let alone = open.clone().count() == 1;
                        let any = open.clone().any(|p| p.purpose.is_savepoint());
                        prop_assert!(alone || !any, "a savepoint is alone on its way");
                        prop_assert_eq!(open.next_back().map(|p| p.purpose), Some(purpose));
                    }
                    Decision::Drain { .. } => {
                        prop_assert!(!stopping);
                        stopping = true;
                    }
                    Decision::Refuse { .. } => {
                        prop_assert!(stopping || coordinator.running.is_empty());
                    }
                    Decision::Store { checkpoint } => {
                        prop_assert!(asked.insert(checkpoint), "stored twice");
                        let after = since.get(checkpoint as usize).copied();
                        let after = after.unwrap_or(seen.len());
                        for task in 0..3 {
                            let ended = seen.iter().position(|e| *e == Event::Ended { task });
                            let past = |e: &Event| matches!(e, Event::Acknowledged { checkpoint: c, task: t }
                                if *c > checkpoint && *t == task);
                            let skipped = |end: usize| seen[after.min(end)..end].iter().any(past);
                            let has = seen.contains(&acknowledged(checkpoint, task))
                                || ended.is_some_and(|end| !skipped(end));
                            prop_assert!(has, "{checkpoint} lacks the snapshot of {task}");
                        }
                    }
                    Decision::Complete { checkpoint } => {
                        prop_assert!(asked.contains(&checkpoint));
                        prop_assert_eq!(&event, &Event::Stored { checkpoint });
                        prop_assert!(done.insert(checkpoint), "completed twice");
                        let purpose = purposes[&checkpoint];
                        stopping |= purpose.stops();
                        if !purpose.is_savepoint() {
                            prop_assert!(checkpoint > completed);
                            completed = checkpoint;
                        }
                    }
                    Decision::Abort { checkpoint, .. } => {
                        prop_assert!(!done.contains(&checkpoint));
                    }
                    Decision::FailJob { failures } => prop_assert!(failures > 2),
                }
            }
            if let Some(next) = coordinator.next_time() {
                let storing = coordinator.pending.iter().any(|p| p.stage == Stage::Storing);
                prop_assert!(next > now || storing, "a time that has passed decides nothing");
            }
        }
    }
}

#[test]
fn the_last_checkpoint_is_tried_again_as_often_as_failures_are_tolerated() {
    let config = CheckpointConfig {
        tolerable_failures: 1,
        ..CheckpointConfig::default()
    };
    let mut coordinator = CheckpointCoordinator::new(config, 1, 0, 0);
    assert_eq!(coordinator.on(&Event::Ended { task: 0 }, 1), [store(1)]);
    let aborted = |checkpoint| Decision::Abort {
        checkpoint,
        reason: Abort::NotStored,
    };
    assert_eq!(
        coordinator.on(&Event::StoringFailed { checkpoint: 1 }, 2),
        [aborted(1), store(2)]
    );
    assert!(coordinator.is_last(2));
    assert_eq!(
        coordinator.on(&Event::StoringFailed { checkpoint: 2 }, 3),
        [aborted(2), Decision::FailJob { failures: 2 }]
    );
}

#[test]
fn a_savepoint_waits_for_the_barrier_before_it_and_holds_up_the_one_behind_it() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 1, 0, 0);
    assert_eq!(coordinator.on(&Event::Time, 100), [trigger(1)]);
    let savepoint = requested(7, Purpose::Savepoint);
    assert!(coordinator.on(&savepoint, 150).is_empty());
    // It need not wait until the other is durable.
    assert_eq!(
        coordinator.on(&acknowledged(1, 0), 160),
        [store(1), asked(2, 7, Purpose::Savepoint)]
    );
    let complete = |checkpoint| Decision::Complete { checkpoint };
    let stored = |checkpoint| Event::Stored { checkpoint };
    assert_eq!(coordinator.on(&stored(1), 170), [complete(1)]);
    assert!(coordinator.on(&Event::Time, 250).is_empty(), "one barrier");
    assert_eq!(
        coordinator.on(&acknowledged(2, 0), 260),
        [store(2), trigger(3)]
    );
    coordinator.on(&acknowledged(3, 0), 261);
    assert_eq!(
        coordinator.on(&stored(3), 262),
        [complete(3)],
        "2 is no older one of its kind"
    );
    assert_eq!(coordinator.on(&stored(2), 263), [complete(2)]);
    // From start to start of the job's own: the savepoint between them does not count.
    assert_eq!(coordinator.next_time(), Some(360));
}

#[test]
fn a_savepoint_that_fails_fails_nothing_else() {
    let mut coordinator = CheckpointCoordinator::new(CheckpointConfig::default(), 1, 0, 0);
    coordinator.on(&requested(1, Purpose::Savepoint), 0);
    coordinator.on(&acknowledged(1, 0), 1);
    let aborted = |checkpoint, reason| Decision::Abort { checkpoint, reason };
    assert_eq!(
        coordinator.on(&Event::StoringFailed { checkpoint: 1 }, 2),
        [aborted(1, Abort::NotStored)]
    );
    coordinator.on(&requested(2, Purpose::Suspend), 3);
    assert_eq!(coordinator.next_time(), Some(600_003));
    assert_eq!(
        coordinator.on(&Event::Time, 600_003),
        [aborted(2, Abort::Expired)]
    );
    // The job goes on, and may be stopped another time.
    assert_eq!(
        coordinator.on(&requested(3, Purpose::Suspend), 600_004),
        [asked(3, 3, Purpose::Suspend)]
    );
}

#[test]
fn nothing_starts_behind_a_savepoint_that_suspends_the_job() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 1, 0, 0);
    coordinator.on(&requested(1, Purpose::Suspend), 1);
    assert!(
        coordinator
            .on(&requested(2, Purpose::Savepoint), 2)
            .is_empty()
    );
    assert_eq!(coordinator.on(&acknowledged(1, 0), 3), [store(1)]);
    assert!(coordinator.on(&Event::Time, 500).is_empty());
    assert_eq!(
        coordinator.on(&Event::Stored { checkpoint: 1 }, 501),
        [
            Decision::Complete { checkpoint: 1 },
            Decision::Refuse { request: 2 }
        ]
    );
    assert_eq!(
        coordinator.on(&requested(3, Purpose::Drain), 502),
        [Decision::Refuse { request: 3 }]
    );
    assert_eq!(coordinator.next_time(), None);
}

#[test]
fn the_last_checkpoint_of_a_drained_job_is_the_savepoint() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 2, 0, 0);
    assert_eq!(
        coordinator.on(&requested(5, Purpose::Drain), 1),
        [Decision::Drain { request: 5 }]
    );
    assert!(coordinator.on(&Event::Time, 1000).is_empty());
    assert!(coordinator.on(&Event::Ended { task: 0 }, 1001).is_empty());
    assert_eq!(coordinator.on(&Event::Ended { task: 1 }, 1002), [store(1)]);
    assert!(coordinator.is_last(1));
    // Not stored: all is emitted, so the job ends with a checkpoint of its own.
    assert_eq!(
        coordinator.on(&Event::StoringFailed { checkpoint: 1 }, 1003),
        [
            Decision::Abort {
                checkpoint: 1,
                reason: Abort::NotStored
            },
            store(2)
        ]
    );
    assert!(coordinator.is_last(2));
}

#[test]
fn a_job_that_has_ended_takes_no_savepoint() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 1, 0, 0);
    coordinator.on(&Event::Ended { task: 0 }, 1);
    assert_eq!(
        coordinator.on(&requested(4, Purpose::Savepoint), 2),
        [Decision::Refuse { request: 4 }]
    );
}

#[test]
fn a_checkpoint_that_is_slower_than_the_stop_behind_it_is_given_up() {
    let mut coordinator = CheckpointCoordinator::new(settings(100), 1, 0, 0);
    coordinator.on(&Event::Time, 100);
    coordinator.on(&acknowledged(1, 0), 101);
    coordinator.on(&requested(1, Purpose::Suspend), 102);
    coordinator.on(&acknowledged(2, 0), 103);
    let subsumed = Decision::Abort {
        checkpoint: 1,
        reason: Abort::Subsumed,
    };
    assert_eq!(
        coordinator.on(&Event::Stored { checkpoint: 2 }, 104),
        [Decision::Complete { checkpoint: 2 }, subsumed]
    );
    let late = coordinator.on(&Event::Stored { checkpoint: 1 }, 105);
    assert!(late.is_empty(), "{late:?}");
}
