//! The state of a whole job in memory.

use std::collections::BTreeMap;

use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::StateSnapshot;

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

impl OperatorSnapshot {
    /// Whether all instances had seen the end of their input.
    pub fn is_finished(&self) -> bool {
        self.instances.iter().all(|instance| instance.finished)
    }
}
