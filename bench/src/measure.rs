//! Time that a job takes, and what a list of times says.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

/// An instant and the CPU seconds that the process had spent by then.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    wall: Instant,
    cpu: f64,
}

/// Wall and CPU seconds.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Seconds that have passed.
    pub wall: f64,
    /// Seconds that all threads of the process have worked, or the kernel for them.
    pub cpu: f64,
}

impl Moment {
    /// This moment.
    ///
    /// # Errors
    /// If the kernel does not tell the CPU time.
    pub fn now() -> Result<Self> {
        Ok(Moment {
            wall: Instant::now(),
            cpu: cpu_seconds()?,
        })
    }

    /// What has passed since.
    ///
    /// # Errors
    /// If the kernel does not tell the CPU time.
    pub fn elapsed(&self) -> Result<Span> {
        Ok(Span {
            wall: self.wall.elapsed().as_secs_f64(),
            cpu: cpu_seconds()? - self.cpu,
        })
    }
}

/// Runs `run` several times and returns the span of median wall time.
///
/// # Errors
/// What `run` fails with.
pub fn median(repetitions: usize, mut run: impl FnMut() -> Result<Span>) -> Result<Span> {
    let mut spans = Vec::new();
    for _ in 0..repetitions.max(1) {
        spans.push(run()?);
    }
    spans.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    Ok(spans[spans.len() / 2])
}

/// The value that a share of the sorted values does not exceed.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

/// CPU seconds of this process so far.
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("`/proc/self/stat` is needed")?;
    // Fields are counted from behind the name, which may hold anything.
    let (_, fields) = stat
        .rsplit_once(')')
        .context("`/proc/self/stat` has no name")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    // The kernel counts in hundredths of a second on every Linux there is.
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_one_value_are_that_value() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 1.0), Some(3.0));
    }

    #[test]
    fn the_median_run_is_the_one_in_the_middle() {
        let mut walls = [3.0, 1.0, 2.0].into_iter();
        let next = || {
            let wall = walls.next().context("asked too often")?;
            Ok(Span { wall, cpu: 0.0 })
        };
        assert_eq!(median(3, next).unwrap().wall, 2.0);
    }
}
