//! A limit on rows a second of processing time: a bucket of tokens, in whole numbers.

use thalweg_core::time::ProcessingTime;

/// How long rows are saved up, so that batches are not single rows. It bounds the latency of all
/// that follows: a row waits for so long, and the watermark of event time that follows the clock
/// lags by as much. The clock's own grain is as fine as it goes.
const QUANTUM_MS: u64 = 1;
/// The most that may be caught up on after a standstill.
const BURST_MS: u64 = 1000;

/// What may be emitted now.
#[derive(Debug, PartialEq, Eq)]
pub enum Grant {
    /// So many rows, at least one.
    Rows(usize),
    /// Nothing before this time.
    Wait(ProcessingTime),
}

/// One instance's share of a rate.
#[derive(Debug)]
pub struct Throttle {
    /// Tokens that a millisecond brings: the rate of all instances together.
    rate: u64,
    /// Tokens that a row costs.
    cost: u64,
    tokens: u64,
    last: Option<ProcessingTime>,
}

impl Throttle {
    /// An instance's share of `rows_per_second`, which must not be 0, among `parallelism`.
    pub fn new(rows_per_second: u64, parallelism: u32) -> Self {
        Throttle {
            rate: rows_per_second,
            cost: 1000 * u64::from(parallelism.max(1)),
            tokens: 0,
            last: None,
        }
    }

    /// How many of `wanted` rows may be emitted at `now`. The rows granted count as emitted.
    pub fn grant(&mut self, now: ProcessingTime, wanted: usize) -> Grant {
        let wanted = wanted.max(1) as u64;
        let quantum = self.rate.saturating_mul(QUANTUM_MS).max(self.cost);
        let enough = quantum.min(self.cost.saturating_mul(wanted));
        self.tokens = match self.last {
            None => quantum,
            Some(last) => {
                let elapsed = now.millis().saturating_sub(last.millis()).max(0);
                let gain = self.rate.saturating_mul(elapsed.unsigned_abs());
                let burst = self.rate.saturating_mul(BURST_MS).max(self.cost);
                self.tokens.saturating_add(gain).min(burst)
            }
        };
        self.last = Some(now);
        if self.tokens < enough {
            let missing = (enough - self.tokens).div_ceil(self.rate.max(1));
            let missing = i64::try_from(missing).unwrap_or(i64::MAX);
            return Grant::Wait(ProcessingTime(now.millis().saturating_add(missing)));
        }
        let rows = (self.tokens / self.cost).min(wanted);
        self.tokens -= rows * self.cost;
        Grant::Rows(usize::try_from(rows).unwrap_or(usize::MAX))
    }

    /// Gives back rows that were granted and not emitted.
    pub fn give_back(&mut self, rows: usize) {
        let tokens = self.cost.saturating_mul(rows as u64);
        self.tokens = self.tokens.saturating_add(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_until(throttle: &mut Throttle, from: i64, until: i64) -> usize {
        let mut now = from;
        let mut rows = 0;
        while now < until {
            match throttle.grant(ProcessingTime(now), 4096) {
                Grant::Rows(granted) => rows += granted,
                Grant::Wait(time) => {
                    assert!(time.millis() > now);
                    now = time.millis();
                }
            }
        }
        rows
    }

    #[test]
    fn the_rate_is_kept_however_high_or_low_it_is() {
        for (rate, parallelism) in [(1, 1), (7, 1), (10_000, 3), (5_000_000, 2)] {
            let mut throttle = Throttle::new(rate, parallelism);
            let rows = rows_until(&mut throttle, 0, 100_000) as u64;
            let expected = rate * 100 / u64::from(parallelism);
            let slack = 1 + rate / 40;
            assert!(rows.abs_diff(expected) <= slack, "{rows} of {expected}");
        }
    }

    #[test]
    fn a_standstill_is_caught_up_on_by_a_second_at_most() {
        let mut throttle = Throttle::new(1000, 1);
        assert_eq!(throttle.grant(ProcessingTime(0), 4096), Grant::Rows(1));
        let late = ProcessingTime(3_600_000);
        assert_eq!(throttle.grant(late, 4096), Grant::Rows(1000));
        let wait = Grant::Wait(ProcessingTime(3_600_001));
        assert_eq!(throttle.grant(late, 4096), wait);
        // The clock went back: nothing is lost, nothing is gained.
        let wait = Grant::Wait(ProcessingTime(6));
        assert_eq!(throttle.grant(ProcessingTime(5), 4096), wait);
    }
}
