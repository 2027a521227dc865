//! Numbers that tell what is written to the outside from what others write there.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::marker::PhantomData;

use super::Random;

thread_local! {
    static SEEDED: RefCell<Option<Random>> = const { RefCell::new(None) };
}

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
    if let Some(seeded) = SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map(Random::next_u64)) {
        return seeded;
    }
    // The keys are the operating system's, one pair for a thread, and rise with each call.
    RandomState::new().hash_one(std::process::id())
}

/// While it lives, [`nonce`] is a function of a seed on the thread that has made it: for simulators,
/// whose runs are to be repeated.
#[derive(Debug)]
#[must_use = "nonces are random again when it is dropped"]
pub struct SeededNonces(PhantomData<*const ()>);

impl SeededNonces {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        SEEDED.set(Some(Random::new(seed)));
        SeededNonces(PhantomData)
    }
}

impl Drop for SeededNonces {
    fn drop(&mut self) {
        SEEDED.set(None);
    }
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

    #[test]
    fn a_simulator_gets_the_same_again_and_nobody_behind_it() {
        let of = |seed| {
            let _seeded = SeededNonces::new(seed);
            (nonce(), nonce())
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert_ne!(of(7).0, of(7).1);
        assert_ne!(nonce(), nonce());
        assert_ne!(nonce(), of(7).0);
    }
}
