//! From a session's options to what follows a failure.

use std::time::Duration;

use thalweg_core::config::{FailoverStrategy, RestartStrategy};

use crate::catalog::options::{OptionValue, SessionOptions};

fn key(name: &str) -> String {
    format!("restart-strategy.{name}")
}

fn count(options: &SessionOptions, name: &str) -> Option<u32> {
    let number = options.integer(&key(name))?;
    u32::try_from(number).ok()
}

fn length(options: &SessionOptions, name: &str) -> Duration {
    options.duration(&key(name)).unwrap_or_default()
}

fn factor(options: &SessionOptions, name: &str) -> f64 {
    match options.value(&key(name)) {
        Some(OptionValue::Double(factor)) => factor,
        _ => 0.0,
    }
}

/// `restart-strategy.*`
pub(super) fn strategy(options: &SessionOptions) -> RestartStrategy {
    let strategy = options.text("restart-strategy.type").unwrap_or_default();
    match strategy.to_ascii_lowercase().replace('-', "").as_str() {
        "none" | "off" | "disable" => RestartStrategy::None,
        "fixeddelay" => RestartStrategy::FixedDelay {
            attempts: count(options, "fixed-delay.attempts").unwrap_or(1),
            delay: length(options, "fixed-delay.delay"),
        },
        "failurerate" => RestartStrategy::FailureRate {
            max: count(options, "failure-rate.max-failures-per-interval").unwrap_or(1),
            interval: length(options, "failure-rate.failure-rate-interval"),
            delay: length(options, "failure-rate.delay"),
        },
        _ => RestartStrategy::ExponentialDelay {
            initial: length(options, "exponential-delay.initial-backoff"),
            max: length(options, "exponential-delay.max-backoff"),
            multiplier: factor(options, "exponential-delay.backoff-multiplier"),
            reset_after: length(options, "exponential-delay.reset-backoff-threshold"),
            jitter: factor(options, "exponential-delay.jitter-factor"),
            attempts: count(options, "exponential-delay.attempts-before-reset-backoff"),
        },
    }
}

/// `jobmanager.execution.failover-strategy`
pub(super) fn failover(options: &SessionOptions) -> FailoverStrategy {
    match options.text("jobmanager.execution.failover-strategy") {
        Some(strategy) if strategy.eq_ignore_ascii_case("full") => FailoverStrategy::Full,
        _ => FailoverStrategy::Region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(set: &[(&str, &str)]) -> SessionOptions {
        let mut options = SessionOptions::default();
        for (key, value) in set {
            options.set(key, value).unwrap();
        }
        options
    }

    #[test]
    fn without_options_a_job_has_the_strategies_of_programs() {
        let none = options(&[]);
        assert_eq!(strategy(&none), RestartStrategy::exponential());
        assert_eq!(failover(&none), FailoverStrategy::default());
    }

    #[test]
    fn options_are_read_under_their_keys() {
        let seconds = Duration::from_secs;
        let set = options(&[
            ("jobmanager.execution.failover-strategy", "full"),
            ("restart-strategy.exponential-delay.initial-backoff", "2 s"),
            ("restart-strategy.exponential-delay.max-backoff", "20 s"),
            ("restart-strategy.exponential-delay.backoff-multiplier", "3"),
            (
                "restart-strategy.exponential-delay.reset-backoff-threshold",
                "5 min",
            ),
            ("restart-strategy.exponential-delay.jitter-factor", "0.25"),
            (
                "restart-strategy.exponential-delay.attempts-before-reset-backoff",
                "7",
            ),
        ]);
        assert_eq!(failover(&set), FailoverStrategy::Full);
        let expected = RestartStrategy::ExponentialDelay {
            initial: seconds(2),
            max: seconds(20),
            multiplier: 3.0,
            reset_after: seconds(300),
            jitter: 0.25,
            attempts: Some(7),
        };
        assert_eq!(strategy(&set), expected);
        let fixed = options(&[
            ("restart-strategy.type", "fixed-delay"),
            ("restart-strategy.fixed-delay.attempts", "3"),
        ]);
        let expected = RestartStrategy::FixedDelay {
            attempts: 3,
            delay: seconds(1),
        };
        assert_eq!(strategy(&fixed), expected);
        let rate = options(&[("restart-strategy.type", "failurerate")]);
        let expected = RestartStrategy::FailureRate {
            max: 1,
            interval: seconds(60),
            delay: seconds(1),
        };
        assert_eq!(strategy(&rate), expected);
        for none in ["none", "off", "disable"] {
            let none = options(&[("restart-strategy.type", none)]);
            assert_eq!(strategy(&none), RestartStrategy::None);
        }
    }
}
