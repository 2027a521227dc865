//! What is drawn from a seed before a run begins.

use std::time::Duration;

use thalweg_core::config::{CheckpointConfig, FailoverStrategy};
use thalweg_core::host::Random;

use crate::faults::Fault;

/// Random choices, in the words of those who make them.
pub struct Dice(Random);

impl Dice {
    /// Dice of a seed; each `purpose` has its own, so that one more throw here changes nothing
    /// there.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed = Random::new(seed ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Dice(Random::new(mixed.next_u64()))
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// One of `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high - low + 1)
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.0.below(times) == 0
    }

    /// One of several, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.below(of.len() as u64) as usize]
    }
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Key groups, in every attempt.
    pub max_parallelism: u32,
    /// When checkpoints are taken.
    pub checkpointing: CheckpointConfig,
    /// What starts again when a task fails.
    pub failover: FailoverStrategy,
    /// The kinds of faults that may happen in this run.
    pub kinds: Vec<Fault>,
    /// How many faults there are, at most.
    pub faults: u64,
    /// Steps between two faults, at most.
    pub gap: u64,
}

impl Scenario {
    /// Draws a scenario. Some kinds of faults are left out, so that a run may get far with the
    /// others; one run in eight has none at all. Whether state is stored in layers is drawn from
    /// other dice.
    pub fn draw(dice: &mut Dice, layers: &mut Dice) -> Self {
        let millis = Duration::from_millis;
        let checkpointing = CheckpointConfig {
            interval: Some(millis(dice.between(5, 60))),
            timeout: millis(dice.pick(&[200, 1000, 10_000])),
            min_pause: millis(dice.pick(&[0, 0, 20])),
            max_concurrent: dice.between(1, 3) as usize,
            tolerable_failures: dice.between(0, 3) as u32,
            retained: dice.between(1, 3) as usize,
            incremental: layers.one_in(2),
            ..CheckpointConfig::default()
        };
        let kinds = Fault::ALL.into_iter().filter(|_| !dice.one_in(3)).collect();
        Scenario {
            max_parallelism: dice.pick(&[4, 7, 128]),
            checkpointing,
            failover: match layers.one_in(4) {
                true => FailoverStrategy::Full,
                false => FailoverStrategy::Region,
            },
            kinds,
            faults: if dice.one_in(8) {
                0
            } else {
                dice.between(1, 16)
            },
            gap: dice.pick(&[50, 300, 900]),
        }
    }
}
