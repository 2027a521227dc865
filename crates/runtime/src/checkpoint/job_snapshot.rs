//! The state of a whole job in memory.

use std::collections::BTreeMap;

use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{Redistribution, StateSnapshot, TableSnapshot};

/// The snapshots of one checkpoint, by operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobSnapshot {
    /// The operators.
    pub operators: BTreeMap<OperatorUid, OperatorSnapshot>,
}

/// The snapshots of one operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorSnapshot {
    /// Its name.
    pub name: String,
    /// Its key groups.
    pub max_parallelism: u32,
    /// One an instance.
    pub instances: Vec<InstanceSnapshot>,
}

/// The snapshot of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceSnapshot {
    /// Its state.
    pub state: StateSnapshot,
    /// Whether its input had ended.
    pub finished: bool,
}

impl JobSnapshot {
    /// Adds the snapshot of an instance.
    pub fn put(&mut self, uid: &OperatorUid, info: &SubtaskInfo, instance: InstanceSnapshot) {
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
        let operator = self.operators.get_mut(uid);
        let instances = operator.map(|operator| &mut operator.instances);
        if let Some(instance) = instances.and_then(|i| i.get_mut(info.index as usize)) {
            instance.state.tables.push(records);
        }
    }
}

impl OperatorSnapshot {
    /// Whether all instances had seen the end of their input.
    pub fn is_finished(&self) -> bool {
        self.instances.iter().all(|instance| instance.finished)
    }
}
