//! A completed checkpoint can be read, and holds what every instance has handed over.

use thalweg_core::graph::JobGraph;
use thalweg_runtime::checkpoint::JobSnapshot;

use super::Verdict;
use crate::world::listener::{SimListener, snapshot_hash};

/// Compares a checkpoint that was read back with what its instances gave.
///
/// # Errors
/// The first difference.
pub fn check(
    checkpoint: u64,
    snapshot: &JobSnapshot,
    job: &JobGraph,
    listener: &SimListener,
) -> Verdict {
    for vertex in &job.vertices {
        for operator in &vertex.operators {
            let wrong = |what: &str| {
                let name = &operator.name;
                Err(format!(
                    "complete: checkpoint {checkpoint}: `{name}` {what}"
                ))
            };
            let Some(found) = snapshot.operators.get(&operator.uid) else {
                return wrong("is not in it");
            };
            if found.instances.len() != vertex.parallelism as usize {
                return wrong("has not all of its instances");
            }
            for (index, instance) in found.instances.iter().enumerate() {
                let whose = (operator.uid.clone(), index as u32);
                let given = listener.handed_over(checkpoint, &whose);
                if given.is_empty() {
                    return wrong(&format!("{index} has handed over nothing"));
                }
                let mut state = instance.state.clone();
                if state.take_in_flight() != listener.in_flight(checkpoint, &whose) {
                    return wrong(&format!("{index} has not the records that were in flight"));
                }
                if !given.contains(&snapshot_hash(&state)) {
                    return wrong(&format!("{index} has another state than it handed over"));
                }
            }
        }
    }
    Ok(())
}
