//! The state of a whole job in memory.

use std::collections::BTreeMap;

use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, Redistribution, StateSnapshot, TableSnapshot};

/// The snapshots of one checkpoint, by operator.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSnapshot<S = StateSnapshot> {
    /// The operators.
    pub operators: BTreeMap<OperatorUid, OperatorSnapshot<S>>,
}

/// A [`JobSnapshot`] that is still to be encoded.
pub type FrozenJob = JobSnapshot<FrozenState>;

/// The snapshots of one operator.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorSnapshot<S = StateSnapshot> {
    /// Its name.
    pub name: String,
    /// Its key groups.
    pub max_parallelism: u32,
    /// One an instance.
    pub instances: Vec<InstanceSnapshot<S>>,
}

/// The snapshot of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceSnapshot<S = StateSnapshot> {
    /// Its state.
    pub state: S,
    /// Whether its input had ended.
    pub finished: bool,
}

impl<S> Default for JobSnapshot<S> {
    fn default() -> Self {
        JobSnapshot {
            operators: BTreeMap::new(),
        }
    }
}

impl<S> Default for OperatorSnapshot<S> {
    fn default() -> Self {
        OperatorSnapshot {
            name: String::new(),
            max_parallelism: 0,
            instances: Vec::new(),
        }
    }
}

impl<S: Clone + Default> JobSnapshot<S> {
    /// Adds the snapshot of an instance.
    pub fn put(&mut self, uid: &OperatorUid, info: &SubtaskInfo, instance: InstanceSnapshot<S>) {
        let operator = self.operators.entry(uid.clone()).or_default();
        if operator.instances.is_empty() {
            operator.name.clone_from(&info.operator);
            operator.max_parallelism = info.max_parallelism;
            operator
                .instances
                .resize(info.parallelism as usize, InstanceSnapshot::default());
        }
        operator.instances[info.index as usize] = instance;
    }
}

impl JobSnapshot {
    /// Whether any records were in flight.
    pub fn has_in_flight(&self) -> bool {
        let instances = self.operators.values().flat_map(|o| &o.instances);
        let mut tables = instances.flat_map(|instance| &instance.state.tables);
        tables.any(|table| table.redistribution == Redistribution::InFlight)
    }

    /// Adds the records in flight to the snapshot of an instance, if there is one.
    pub fn put_in_flight(&mut self, uid: &OperatorUid, info: &SubtaskInfo, records: TableSnapshot) {
        if let Some(state) = self.state_mut(uid, info) {
            state.tables.push(records);
        }
    }
}

impl FrozenJob {
    /// Adds the records in flight to the snapshot of an instance, if there is one.
    pub fn put_in_flight(&mut self, uid: &OperatorUid, info: &SubtaskInfo, records: TableSnapshot) {
        if let Some(state) = self.state_mut(uid, info) {
            state.tables.push(records.into());
        }
    }
}

impl<S> JobSnapshot<S> {
    fn state_mut(&mut self, uid: &OperatorUid, info: &SubtaskInfo) -> Option<&mut S> {
        let instances = &mut self.operators.get_mut(uid)?.instances;
        let instance = instances.get_mut(info.index as usize)?;
        Some(&mut instance.state)
    }
}

impl<S> OperatorSnapshot<S> {
    /// Whether all instances had seen the end of their input.
    pub fn is_finished(&self) -> bool {
        self.instances.iter().all(|instance| instance.finished)
    }
}
