//! A failure takes back what is connected with it, and nothing else.

use super::Verdict;
use crate::workload::Workload;
use crate::world::listener::Instance;

/// Whether the instances of a region are of one part of the workload.
///
/// # Errors
/// Two that have nothing to do with each other.
pub fn check(workload: &dyn Workload, instances: &[Instance]) -> Verdict {
    let mut parts = instances.iter().filter_map(|(uid, _)| workload.part(uid));
    let Some(part) = parts.next() else {
        return Ok(());
    };
    match parts.find(|other| *other != part) {
        Some(other) => Err(format!(
            "regions: a failure in part {part} takes back part {other}"
        )),
        None => Ok(()),
    }
}

/// Whether an instance may be opened: once, and once for each restart of its region.
///
/// # Errors
/// If it is opened once more.
pub fn check_open(instance: &Instance, times: u64, restarts: u64) -> Verdict {
    if times > restarts + 1 {
        let (uid, index) = instance;
        return Err(format!(
            "regions: `{uid}` {index} is opened {times} times, with {restarts} restarts"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_core::id::OperatorUid;

    #[test]
    fn an_instance_that_starts_again_without_need_is_found() {
        let instance = (OperatorUid::new("count"), 0);
        assert!(check_open(&instance, 1, 0).is_ok());
        assert!(check_open(&instance, 2, 1).is_ok());
        assert!(check_open(&instance, 2, 0).is_err());
    }
}
