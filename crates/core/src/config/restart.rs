//! Restart strategies: how often a job may fail, and how long it waits.

use std::time::Duration;

/// `restart-strategy.type` with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum RestartStrategy {
    /// `none`: the first failure is the end.
    None,
    /// `fixed-delay`
    FixedDelay {
        /// `restart-strategy.fixed-delay.attempts`
        attempts: u32,
        /// `restart-strategy.fixed-delay.delay`
        delay: Duration,
    },
    /// `failure-rate`
    FailureRate {
        /// `restart-strategy.failure-rate.max-failures-per-interval`
        max: u32,
        /// `restart-strategy.failure-rate.failure-rate-interval`
        interval: Duration,
        /// `restart-strategy.failure-rate.delay`
        delay: Duration,
    },
    /// `exponential-delay`
    ExponentialDelay {
        /// `restart-strategy.exponential-delay.initial-backoff`
        initial: Duration,
        /// `restart-strategy.exponential-delay.max-backoff`
        max: Duration,
        /// `restart-strategy.exponential-delay.backoff-multiplier`
        multiplier: f64,
        /// `restart-strategy.exponential-delay.reset-backoff-threshold`
        reset_after: Duration,
        /// `restart-strategy.exponential-delay.jitter-factor`
        jitter: f64,
        /// `restart-strategy.exponential-delay.attempts-before-reset-backoff`; none: without end.
        attempts: Option<u32>,
    },
}

/// `jobmanager.execution.failover-strategy`: what starts again when a task fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailoverStrategy {
    /// `region`: the tasks that exchange records with it, in any number of steps.
    #[default]
    Region,
    /// `full`: all tasks of the job.
    Full,
}

impl RestartStrategy {
    /// What a job with checkpoints has when nothing is set.
    pub fn exponential() -> Self {
        RestartStrategy::ExponentialDelay {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            multiplier: 1.5,
            reset_after: Duration::from_secs(3600),
            jitter: 0.1,
            attempts: None,
        }
    }
}
