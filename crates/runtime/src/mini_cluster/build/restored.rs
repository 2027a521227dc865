//! What the instances of an operator start from.

use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{ChainedOperator, JobGraph};
use thalweg_core::state::{StateSnapshot, TableSnapshot, redistribute};

use super::stays_aligned;
use crate::checkpoint::in_flight::{self, Dealer, Restored, Target};
use crate::checkpoint::{JobSnapshot, OperatorSnapshot};

/// State and records in flight, dealt out to the new instances.
pub(super) struct RestoredOperator {
    instances: Vec<StateSnapshot>,
    in_flight: Vec<Restored>,
    finished: Vec<bool>,
}

impl RestoredOperator {
    /// What `restore` has of the operator at a position of a vertex's chain.
    pub(super) fn of(
        restore: Option<&JobSnapshot>,
        job: &JobGraph,
        vertex: usize,
        position: usize,
    ) -> Result<Option<Self>> {
        let operator = &job.vertices[vertex].operators[position];
        let max_parallelism = job.vertices[vertex].max_parallelism;
        let Some(snapshot) = restore.and_then(|restore| restore.operators.get(&operator.uid))
        else {
            return Ok(None);
        };
        if snapshot.max_parallelism != max_parallelism {
            return Err(Error::user(format!(
                "operator `{}`: its state has {} key groups, the job {max_parallelism}; set \
                 `pipeline.max-parallelism` to what it was",
                operator.name, snapshot.max_parallelism
            )));
        }
        let parallelism = job.vertices[vertex].parallelism;
        let (states, records) = parts(snapshot);
        let schema = in_flight::schema(operator);
        let dealer = Dealer {
            parallelism,
            max_parallelism,
            codecs: &operator.codecs,
            targets: &targets(job, vertex, position, operator),
            schema: &schema,
        };
        let in_flight = dealer
            .deal(&records)
            .map_err(|error| error.context(format!("operator `{}`", operator.name)))?;
        Ok(Some(RestoredOperator {
            instances: redistribute(&states, parallelism, max_parallelism),
            in_flight,
            finished: finished(snapshot, parallelism),
        }))
    }

    pub(super) fn state(&self, index: u32) -> &StateSnapshot {
        &self.instances[index as usize]
    }

    pub(super) fn take_in_flight(&mut self, index: u32) -> Restored {
        std::mem::take(&mut self.in_flight[index as usize])
    }

    /// Whether an instance has nothing more to do: its input had ended.
    pub(super) fn is_finished(&self, index: u32) -> bool {
        self.finished[index as usize]
    }
}

/// Which of the new instances have nothing more to do. If there are as many as there were, each is what
/// it was; otherwise what had not ended of one may have come to any other.
fn finished(snapshot: &OperatorSnapshot, parallelism: u32) -> Vec<bool> {
    if snapshot.instances.len() == parallelism as usize {
        let instances = snapshot.instances.iter();
        return instances.map(|instance| instance.finished).collect();
    }
    vec![snapshot.is_finished(); parallelism as usize]
}

fn parts(snapshot: &OperatorSnapshot) -> (Vec<StateSnapshot>, Vec<Option<TableSnapshot>>) {
    let instances = snapshot.instances.iter().map(|instance| {
        let mut state = instance.state.clone();
        let records = state.take_in_flight();
        (state, records)
    });
    instances.unzip()
}

/// Where the records of each input port go.
fn targets(
    job: &JobGraph,
    vertex: usize,
    position: usize,
    operator: &ChainedOperator,
) -> Vec<Target> {
    let of_port = |port| {
        let mut edges = job.edges.iter();
        let edge =
            edges.find(|edge| edge.to == vertex && edge.port == port && !stays_aligned(job, edge));
        match edge.filter(|_| position == 0) {
            Some(edge) => Target::Edge(edge.partitioning.clone()),
            None => Target::Instance,
        }
    };
    (0..operator.codecs.len()).map(of_port).collect()
}
