//! The one seam to the outside: clocks, randomness, wake-ups.
//!
//! Engine code asks the host for the time and never the operating system, so that the same code
//! runs under threads, under the stepped driver and in the simulator.

mod nonce;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub use self::nonce::{SeededNonces, nonce};

use crate::time::ProcessingTime;

/// A source of processing time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the epoch. May jump; nothing but processing time depends on it.
    fn now(&self) -> ProcessingTime;

    /// Nanoseconds since some fixed instant, never going back: for measuring spans.
    fn monotonic_nanos(&self) -> u64;
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `millis`.
    pub fn at(millis: i64) -> Self {
        ManualClock(AtomicI64::new(millis))
    }

    /// Moves the clock.
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> ProcessingTime {
        ProcessingTime(self.0.load(Ordering::Acquire))
    }

    fn monotonic_nanos(&self) -> u64 {
        self.0
            .load(Ordering::Acquire)
            .unsigned_abs()
            .saturating_mul(1_000_000)
    }
}

/// Wakes the thread that runs a task, from any thread.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Waker(Arc::new(wake))
    }

    /// A waker that wakes nobody: for drivers that poll every task anyway.
    pub fn none() -> Self {
        Waker::new(|| {})
    }

    /// Wakes the task's thread; cheap when it is awake.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// A seeded generator of pseudo-random numbers (SplitMix64): same seed, same numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a random number below 0 does not exist");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let mut a = Random::new(7);
        let mut b = Random::new(7);
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert!((0..1000).all(|_| a.below(3) < 3));
    }
}
