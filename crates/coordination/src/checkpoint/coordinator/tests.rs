//! The rules one by one, and invariants under any sequence of events.

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
    Decision::Trigger { checkpoint }
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
    assert_eq!(coordinator.on(&Event::Requested, 1_000_001), [trigger(1)]);
    assert_eq!(
        coordinator.on(&Event::Ended { task: 0 }, 1_000_002),
        [store(1), store(2)]
    );
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Time),
        1 => Just(Event::Requested),
        8 => (1u64..8, 0usize..3).prop_map(|(checkpoint, task)| acknowledged(checkpoint, task)),
        1 => (0usize..3).prop_map(|task| Event::Ended { task }),
        4 => (1u64..8).prop_map(|checkpoint| Event::Stored { checkpoint }),
        1 => (1u64..8).prop_map(|checkpoint| Event::StoringFailed { checkpoint }),
    ]
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
        for (event, passed) in events {
            now += passed;
            seen.push(event.clone());
            for decision in coordinator.on(&event, now) {
                match decision {
                    Decision::Trigger { checkpoint } => {
                        prop_assert!(checkpoint > triggered);
                        triggered = checkpoint;
                        since.resize(checkpoint as usize + 1, seen.len());
                        prop_assert!(coordinator.pending.len() <= max_concurrent + 1);
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
                        prop_assert!(checkpoint > completed);
                        completed = checkpoint;
                    }
                    Decision::Abort { checkpoint, .. } => prop_assert!(checkpoint != completed),
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
