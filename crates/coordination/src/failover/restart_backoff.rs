//! What a restart strategy makes of one failure after another.

use std::collections::VecDeque;
use std::time::Duration;

use thalweg_core::config::RestartStrategy;
use thalweg_core::error::ErrorKind;
use thalweg_core::host::Random;

/// A strategy and what has happened to a job so far.
#[derive(Clone, Debug)]
pub struct RestartBackoff {
    strategy: RestartStrategy,
    // Milliseconds of the failures that still count.
    failures: VecDeque<u64>,
    restarts: u32,
    backoff: Duration,
    // Until then what fails has failed with what is being waited for.
    until: u64,
    random: Random,
}

impl RestartBackoff {
    /// A job that has not failed yet; `seed` is for the jitter.
    pub fn new(strategy: RestartStrategy, seed: u64) -> Self {
        RestartBackoff {
            strategy,
            failures: VecDeque::new(),
            restarts: 0,
            backoff: Duration::ZERO,
            until: 0,
            random: Random::new(seed),
        }
    }

    /// A failure at `now` (milliseconds): how long to wait before the next start, or `None` if the
    /// job has failed for good. An exponential delay counts what fails while it waits as one failure: parts
    /// of a job often fail for one reason.
    pub fn on_failure(&mut self, kind: ErrorKind, now: u64) -> Option<Duration> {
        if !is_worth_a_retry(kind) {
            return None;
        }
        match self.strategy.clone() {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                self.restarts += 1;
                (self.restarts <= attempts).then_some(delay)
            }
            RestartStrategy::FailureRate {
                max,
                interval,
                delay,
            } => {
                let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
                self.failures.push_back(now);
                while self
                    .failures
                    .front()
                    .is_some_and(|at| now.saturating_sub(*at) >= interval)
                {
                    self.failures.pop_front();
                }
                (self.failures.len() <= max as usize).then_some(delay)
            }
            RestartStrategy::ExponentialDelay {
                initial,
                max,
                multiplier,
                reset_after,
                jitter,
                attempts,
            } => {
                if now < self.until {
                    return Some(Duration::from_millis(self.until - now));
                }
                let quiet = self.failures.back().map(|last| now.saturating_sub(*last));
                let reset = u64::try_from(reset_after.as_millis()).unwrap_or(u64::MAX);
                let waited = u64::try_from(self.backoff.as_millis()).unwrap_or(u64::MAX);
                let again = quiet.is_some_and(|quiet| quiet < reset.saturating_add(waited));
                self.failures.clear();
                self.failures.push_back(now);
                self.restarts = if again { self.restarts + 1 } else { 1 };
                if attempts.is_some_and(|attempts| self.restarts > attempts) {
                    return None;
                }
                self.backoff = if again {
                    max.min(self.backoff.mul_f64(multiplier.max(1.0)))
                } else {
                    initial.min(max)
                };
                let wait = self.jittered(jitter, max);
                self.until =
                    now.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                Some(wait)
            }
        }
    }

    /// The wait, moved by at most the jitter's share of it.
    fn jittered(&mut self, jitter: f64, max: Duration) -> Duration {
        let share = self.random.below(2001) as f64 / 1000.0 - 1.0;
        let factor = 1.0 + share * jitter.clamp(0.0, 1.0);
        max.min(self.backoff.mul_f64(factor.max(0.0)))
    }
}

/// What a second attempt can help against.
fn is_worth_a_retry(kind: ErrorKind) -> bool {
    match kind {
        // An older copy, another machine or the same input in another order may do.
        ErrorKind::Retryable | ErrorKind::Corrupt | ErrorKind::Internal => true,
        ErrorKind::User | ErrorKind::Unsupported | ErrorKind::Fenced => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: ErrorKind = ErrorKind::Retryable;

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn what_a_retry_cannot_help_is_not_retried() {
        let strategy = RestartStrategy::FixedDelay {
            attempts: 100,
            delay: Duration::ZERO,
        };
        let mut backoff = RestartBackoff::new(strategy, 0);
        for kind in [ErrorKind::User, ErrorKind::Unsupported, ErrorKind::Fenced] {
            assert_eq!(backoff.on_failure(kind, 0), None, "{kind:?}");
        }
        for kind in [
            ErrorKind::Retryable,
            ErrorKind::Corrupt,
            ErrorKind::Internal,
        ] {
            assert_eq!(backoff.on_failure(kind, 0), seconds(0), "{kind:?}");
        }
        let mut none = RestartBackoff::new(RestartStrategy::None, 0);
        assert_eq!(none.on_failure(FAILED, 0), None);
    }

    #[test]
    fn a_fixed_delay_ends_after_its_attempts() {
        let strategy = RestartStrategy::FixedDelay {
            attempts: 2,
            delay: Duration::from_secs(3),
        };
        let mut backoff = RestartBackoff::new(strategy, 0);
        assert_eq!(backoff.on_failure(FAILED, 0), seconds(3));
        assert_eq!(backoff.on_failure(FAILED, 1_000_000), seconds(3));
        assert_eq!(backoff.on_failure(FAILED, 2_000_000), None);
    }

    #[test]
    fn a_failure_rate_forgets_what_is_long_ago() {
        let strategy = RestartStrategy::FailureRate {
            max: 2,
            interval: Duration::from_secs(10),
            delay: Duration::from_secs(1),
        };
        let mut backoff = RestartBackoff::new(strategy, 0);
        assert_eq!(backoff.on_failure(FAILED, 0), seconds(1));
        assert_eq!(backoff.on_failure(FAILED, 5_000), seconds(1));
        assert_eq!(backoff.on_failure(FAILED, 10_000), seconds(1));
        assert_eq!(backoff.on_failure(FAILED, 14_999), None);
    }

    #[test]
    fn an_exponential_delay_grows_to_its_limit_and_starts_anew_after_a_quiet_time() {
        let strategy = RestartStrategy::ExponentialDelay {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(5),
            multiplier: 2.0,
            reset_after: Duration::from_secs(60),
            jitter: 0.0,
            attempts: Some(5),
        };
        let mut backoff = RestartBackoff::new(strategy, 0);
        let waits: Vec<_> = (0..4)
            .map(|n| backoff.on_failure(FAILED, n * 10_000))
            .collect();
        assert_eq!(waits, [seconds(1), seconds(2), seconds(4), seconds(5)]);
        assert_eq!(backoff.on_failure(FAILED, 200_000), seconds(1));
        for n in 1..5 {
            assert!(backoff.on_failure(FAILED, 200_000 + n * 10_000).is_some());
        }
        assert_eq!(backoff.on_failure(FAILED, 250_000), None);
    }

    #[test]
    fn what_fails_while_an_exponential_delay_waits_counts_once() {
        let strategy = RestartStrategy::ExponentialDelay {
            initial: Duration::from_secs(2),
            max: Duration::from_secs(60),
            multiplier: 2.0,
            reset_after: Duration::from_secs(60),
            jitter: 0.0,
            attempts: Some(2),
        };
        let mut backoff = RestartBackoff::new(strategy, 0);
        assert_eq!(backoff.on_failure(FAILED, 1_000), seconds(2));
        for _ in 0..20 {
            assert_eq!(backoff.on_failure(FAILED, 2_000), seconds(1));
        }
        assert_eq!(backoff.on_failure(ErrorKind::User, 2_500), None);
        assert_eq!(backoff.on_failure(FAILED, 3_000), seconds(4), "the second");
        assert_eq!(backoff.on_failure(FAILED, 7_000), None, "the third");
    }

    #[test]
    fn jitter_moves_the_wait_by_no_more_than_its_share() {
        let mut backoff = RestartBackoff::new(RestartStrategy::exponential(), 7);
        let wait = backoff.on_failure(FAILED, 0).unwrap();
        assert!(wait >= Duration::from_millis(900) && wait <= Duration::from_millis(1100));
    }
}
