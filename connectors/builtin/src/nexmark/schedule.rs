//! When an event happens: whole numbers only, so that no run drifts from another.

/// How long event time runs at one of two different rates.
const STEP_SECONDS: u64 = 300;

/// Event times.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The time of event 0.
    pub base_ms: i64,
    /// Events a second, at least 1.
    pub first_rate: u64,
    /// Events a second in every other step, at least 1.
    pub next_rate: u64,
}

impl Schedule {
    /// The time of event `n`.
    pub fn time(&self, n: u64) -> i64 {
        if self.first_rate == self.next_rate {
            return self.base_ms.wrapping_add(millis(n, self.first_rate));
        }
        let first = self.first_rate * STEP_SECONDS;
        let round = first + self.next_rate * STEP_SECONDS;
        let (rounds, within) = (n / round, n % round);
        let step_ms = (STEP_SECONDS * 1000) as i64;
        let within_ms = match within.checked_sub(first) {
            None => millis(within, self.first_rate),
            Some(behind) => step_ms + millis(behind, self.next_rate),
        };
        // A round has 600 events at least, so the product is far from overflowing.
        self.base_ms
            .wrapping_add(rounds as i64 * 2 * step_ms + within_ms)
    }

    /// Appends the times of `count` events from `n` on.
    pub fn times(&self, n: u64, count: u64, out: &mut Vec<i64>) {
        if self.first_rate != self.next_rate {
            out.extend((n..n + count).map(|n| self.time(n)));
            return;
        }
        // One division for all: then quotient and remainder are counted on.
        let rate = self.first_rate;
        let (quotient_step, rest_step) = (1000 / rate, 1000 % rate);
        let mut rest = (u128::from(n) * 1000 % u128::from(rate)) as u64;
        let mut time = self.time(n);
        out.extend((0..count).map(|_| {
            let this = time;
            rest += rest_step;
            let carry = u64::from(rest >= rate);
            rest -= rate * carry;
            time = time.wrapping_add((quotient_step + carry) as i64);
            this
        }));
    }
}

fn millis(n: u64, rate: u64) -> i64 {
    match n.checked_mul(1000) {
        Some(product) => (product / rate) as i64,
        None => (u128::from(n) * 1000 / u128::from(rate)) as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_on_gives_the_time_of_each_event() {
        for (first_rate, next_rate) in [(7, 7), (1000, 1000), (3_000_001, 3_000_001), (2, 5)] {
            let schedule = Schedule {
                base_ms: 10,
                first_rate,
                next_rate,
            };
            for start in [0, 599, 1 << 40] {
                let mut times = Vec::new();
                schedule.times(start, 2000, &mut times);
                let each: Vec<i64> = (start..start + 2000).map(|n| schedule.time(n)).collect();
                assert_eq!(times, each);
                assert!(times.is_sorted());
            }
        }
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let schedule = Schedule {
            base_ms: 0,
            first_rate: 3,
            next_rate: 3,
        };
        assert_eq!(schedule.time(1), 333);
        assert_eq!(schedule.time(2), 666);
        assert_eq!(schedule.time(3_000_000_000), 1_000_000_000_000);
    }

    #[test]
    fn two_rates_take_turns_of_300_seconds() {
        let schedule = Schedule {
            base_ms: 0,
            first_rate: 1,
            next_rate: 10,
        };
        assert_eq!(schedule.time(299), 299_000);
        assert_eq!(schedule.time(300), 300_000);
        assert_eq!(schedule.time(301), 300_100);
        assert_eq!(schedule.time(3300), 600_000);
        assert_eq!(schedule.time(3301), 601_000);
    }
}
