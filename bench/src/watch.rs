//! What the source of a running job sees of the clock: how long records wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::measure::quantile;

/// The longest time between two looks within each second.
#[derive(Default)]
pub struct Watch {
    started: Option<Instant>,
    last: Option<Instant>,
    records: u64,
    second: u64,
    longest: Duration,
    waits_ms: Vec<f64>,
}

impl Watch {
    /// Whether there was a look.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.started.is_some()
    }

    /// The source has made so many records since it has looked first. `over` is set when `seconds`
    /// have passed.
    pub fn look(&mut self, records: u64, seconds: u64, over: &AtomicBool) {
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now - last);
        }
        let second = (now - started).as_secs();
        if second > self.second {
            let longest_ms = self.longest.as_secs_f64() * 1000.0;
            self.waits_ms.push(longest_ms);
            self.second = second;
            self.longest = Duration::ZERO;
        }
        if second >= seconds {
            over.store(true, Ordering::Release);
        } else {
            self.records = records;
        }
    }

    /// Prints a line: name, records a second, seconds, and p50, p99 and maximum of the longest waits
    /// in milliseconds. Returns the records a second.
    ///
    /// # Errors
    /// If no second has passed.
    pub fn print(&mut self, name: &str, seconds: u64) -> Result<f64> {
        let rate = self.records as f64 / seconds as f64;
        self.waits_ms.sort_by(f64::total_cmp);
        let at = |share| quantile(&self.waits_ms, share).context("the job was too short");
        println!(
            "{name}\t{rate:.0}\t{}\t{:.2}\t{:.2}\t{:.2}",
            self.waits_ms.len(),
            at(0.5)?,
            at(0.99)?,
            at(1.0)?
        );
        Ok(rate)
    }
}
