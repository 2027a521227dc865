//! Parts of a job that fail and come back, at any time.

use super::*;

/// Tasks 0 and 1 are a region, task 2 is another.
const REGIONS: [&[usize]; 2] = [&[0, 1], &[2]];

#[derive(Clone, Debug)]
enum Step {
    Time,
    /// A task that is not away acknowledges the newest checkpoint.
    Acknowledge(usize),
    /// A task that is not away ends.
    End(usize),
    /// What is to be stored has been.
    Stored,
    Fail(usize),
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Time),
        6 => (0usize..3).prop_map(Step::Acknowledge),
        2 => (0usize..3).prop_map(Step::End),
        3 => Just(Step::Stored),
        1 => (0usize..2).prop_map(Step::Fail),
        3 => (0usize..2).prop_map(Step::Restart),
    ]
}

/// What a task has done since it last started.
#[derive(Clone, Debug, Default)]
struct Task {
    away: bool,
    ended: bool,
    acknowledged: BTreeSet<u64>,
}

proptest! {
    #[test]
    fn no_checkpoint_holds_what_a_task_did_before_it_failed(
        steps in prop::collection::vec((step(), 0u64..150), 0..150),
    ) {
        let settings = CheckpointConfig { max_concurrent: 2, ..settings(100) };
        let mut coordinator = CheckpointCoordinator::new(settings, 3, 0, 0);
        let mut tasks: Vec<Task> = vec![Task::default(); 3];
        let (mut now, mut newest) = (0, 0);
        let mut storing: BTreeSet<u64> = BTreeSet::new();
        for (step, passed) in steps {
            now += passed;
            let event = match step {
                Step::Time => Event::Time,
                Step::Acknowledge(task) if newest > 0 && !tasks[task].away && !tasks[task].ended => {
                    tasks[task].acknowledged.insert(newest);
                    acknowledged(newest, task)
                }
                Step::End(task) if !tasks[task].away && !tasks[task].ended => {
                    tasks[task].ended = true;
                    Event::Ended { task }
                }
                Step::Stored => match storing.pop_first() {
                    Some(checkpoint) => Event::Stored { checkpoint },
                    None => continue,
                },
                Step::Fail(region) if coordinator.may_fail_in_part()
                    && REGIONS[region].iter().any(|task| !tasks[*task].away && !tasks[*task].ended) =>
                {
                    for task in REGIONS[region] {
                        tasks[*task] = Task { away: true, ..Task::default() };
                    }
                    failed(REGIONS[region])
                }
                Step::Restart(region) if tasks[REGIONS[region][0]].away => {
                    for task in REGIONS[region] {
                        tasks[*task].away = false;
                    }
                    restarted(REGIONS[region])
                }
                _ => continue,
            };
            let decisions = coordinator.on(&event, now);
            if matches!(event, Event::Failed { .. }) {
                prop_assert!(coordinator.pending.is_empty(), "{:?}", coordinator.pending);
            }
            for decision in decisions {
                match decision {
                    Decision::Trigger { checkpoint, .. } => {
                        prop_assert!(tasks.iter().all(|task| !task.away), "all must hear of it");
                        newest = checkpoint;
                    }
                    Decision::Store { checkpoint } => {
                        for (at, task) in tasks.iter().enumerate() {
                            let has = task.ended || task.acknowledged.contains(&checkpoint);
                            prop_assert!(has && !task.away, "{checkpoint} lacks task {at}");
                        }
                        storing.insert(checkpoint);
                    }
                    Decision::Complete { checkpoint } => {
                        let last = coordinator.is_last(checkpoint);
                        prop_assert!(!last || tasks.iter().all(|task| task.ended));
                    }
                    Decision::Abort { checkpoint, .. } => {
                        storing.remove(&checkpoint);
                    }
                    Decision::FailJob { .. } => {}
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
        // Whatever has happened, the job comes to its end.
        if tasks.iter().any(|task| !task.ended) {
            for region in REGIONS {
                coordinator.on(&restarted(region), now);
            }
            let mut last = Vec::new();
            for (task, state) in tasks.iter().enumerate() {
                if !state.ended {
                    last = coordinator.on(&Event::Ended { task }, now);
                }
            }
            let stored = |d: &Decision| matches!(d, Decision::Store { checkpoint } if coordinator.is_last(*checkpoint));
            prop_assert!(last.iter().any(stored), "{last:?}");
        }
    }
}
