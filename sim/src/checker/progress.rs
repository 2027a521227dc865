//! After the last fault the job comes to its end.

use super::Verdict;

// Several times what the longest of some ten thousand runs has needed; the summary tells it.
const STEPS_MAX: u64 = 200_000;

/// A job that still runs so many steps after the last fault.
///
/// # Errors
/// If these are too many.
pub fn check(steps_since_last_fault: u64) -> Verdict {
    if steps_since_last_fault > STEPS_MAX {
        return Err(format!(
            "progress: no end {STEPS_MAX} steps after the last fault"
        ));
    }
    Ok(())
}
