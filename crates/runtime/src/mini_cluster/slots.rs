//! Which thread runs which task, and which tasks fail together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thalweg_coordination::failover::Regions;
use thalweg_core::config::FailoverStrategy;
use thalweg_core::graph::{JobGraph, JobVertex};
use thalweg_core::id::OperatorUid;

use super::build::connected;
use crate::exchange::Parker;

/// The threads of a job, each with its parker. Tasks are numbered through the job, vertex by vertex.
pub struct Slots {
    of_task: Vec<usize>,
    parkers: Vec<Arc<Parker>>,
}

impl Slots {
    /// Instance i of every vertex in slot i.
    pub fn shared(job: &JobGraph) -> Self {
        let of_task: Vec<usize> = tasks(job).map(|(_, index)| index as usize).collect();
        let slots = of_task.iter().max().map_or(1, |last| last + 1);
        Slots {
            of_task,
            parkers: (0..slots).map(|_| Arc::default()).collect(),
        }
    }

    /// As [`Slots::shared`], but no thread runs tasks of two regions: it can end with its region.
    pub(super) fn by_region(job: &JobGraph, regions: &Regions) -> Self {
        let mut threads = BTreeMap::new();
        let of_task = tasks(job).enumerate().map(|(task, (_, index))| {
            let next = threads.len();
            *threads.entry((regions.of(task), index)).or_insert(next)
        });
        let of_task = of_task.collect();
        Slots {
            of_task,
            parkers: threads.iter().map(|_| Arc::default()).collect(),
        }
    }

    /// The same, with new parkers for the threads of some tasks: a parker belongs to one thread.
    pub(super) fn renew(&mut self, tasks: &BTreeSet<usize>) {
        for slot in self.of_tasks(tasks) {
            self.parkers[slot] = Arc::default();
        }
    }

    /// The slots of some tasks.
    pub(super) fn of_tasks(&self, tasks: &BTreeSet<usize>) -> BTreeSet<usize> {
        tasks.iter().map(|task| self.of_task[*task]).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.parkers.len()
    }

    /// The slot of a task.
    pub fn of(&self, task: usize) -> usize {
        self.of_task[task]
    }

    /// The parker of a task's slot.
    pub fn parker(&self, task: usize) -> &Arc<Parker> {
        &self.parkers[self.of_task[task]]
    }

    /// All parkers, by slot.
    pub fn parkers(&self) -> &[Arc<Parker>] {
        &self.parkers
    }
}

/// Every task: the position of its vertex, and its number there.
fn tasks(job: &JobGraph) -> impl Iterator<Item = (usize, u32)> + '_ {
    let vertices = job.vertices.iter().enumerate();
    vertices.flat_map(|(vertex, of)| (0..of.parallelism).map(move |index| (vertex, index)))
}

/// The names of tasks, as errors have them.
pub fn task_names(job: &JobGraph) -> Vec<String> {
    let name = |(vertex, index): (usize, u32)| task_name(&job.vertices[vertex], index);
    tasks(job).map(name).collect()
}

pub(super) fn task_name(vertex: &JobVertex, index: u32) -> String {
    format!("{} ({}/{})", vertex.name, index + 1, vertex.parallelism)
}

/// The operator instances of every task.
pub fn instances(job: &JobGraph) -> Vec<Vec<(OperatorUid, u32)>> {
    let of_task = |(vertex, index): (usize, u32)| {
        let operators = job.vertices[vertex].operators.iter();
        let instances = operators.map(|operator| (operator.uid.clone(), index));
        instances.collect()
    };
    tasks(job).map(of_task).collect()
}

/// Which tasks of a job start again together. Every edge of a job is pipelined.
pub fn regions(job: &JobGraph, strategy: FailoverStrategy) -> Regions {
    let count = tasks(job).count();
    if strategy == FailoverStrategy::Full {
        return Regions::whole(count);
    }
    let firsts = firsts(job);
    let links = job.edges.iter().flat_map(|edge| {
        let (from, to) = (firsts[edge.from], firsts[edge.to]);
        let senders = job.vertices[edge.from].parallelism;
        let receivers = job.vertices[edge.to].parallelism;
        let pairs = (0..senders).flat_map(move |s| (0..receivers).map(move |r| (s, r)));
        let linked =
            pairs.filter(move |(s, r)| connected(&edge.partitioning, *s, *r, senders, receivers));
        linked.map(move |(s, r)| (from + s as usize, to + r as usize))
    });
    Regions::pipelined(count, links)
}

/// The number of each vertex's first task.
pub(super) fn firsts(job: &JobGraph) -> Vec<usize> {
    let mut next = 0;
    let first = |parallelism: u32| {
        let first = next;
        next += parallelism as usize;
        first
    };
    let parallelisms = job.vertices.iter().map(|vertex| vertex.parallelism);
    parallelisms.map(first).collect()
}

/// Which tasks are built: some, or all.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// All of the job's.
    All,
    /// Those of regions that are whole: nobody else exchanges records with them.
    Of(&'a BTreeSet<usize>),
}

impl Part<'_> {
    /// Whether a task is built.
    pub fn contains(self, task: usize) -> bool {
        match self {
            Part::All => true,
            Part::Of(tasks) => tasks.contains(&task),
        }
    }
}
