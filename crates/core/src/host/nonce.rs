//! Numbers that tell what is written to the outside from what others write there.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// A number that no other caller gets, in whichever process and on whichever machine, but for a
/// chance of one in 2^64 for each pair.
///
/// For names and ids in places that jobs share. It differs from run to run, so that no result and
/// no order of results may depend on it.
#[allow(
    clippy::disallowed_methods,
    reason = "the one number that must differ from run to run"
)]
pub fn nonce() -> u64 {
    // The keys are the operating system's, one pair for a thread, and rise with each call.
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_callers_get_the_same() {
        let some = || (0..1000).map(|_| nonce()).collect::<Vec<_>>();
        let all: BTreeSet<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(some)).collect();
            let drawn = threads.into_iter().flat_map(|one| one.join().unwrap());
            drawn.collect()
        });
        assert_eq!(all.len(), 4000);
    }
}
