//! A line on a terminal's standard error while a job runs.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use thalweg::runtime::RunningJob;

/// The line; nothing when standard error is no terminal.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins to show progress, unless told not to.
    pub fn begin(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress(Some(bar))
    }

    /// Shows where a job is.
    pub fn show(&self, job: &RunningJob, elapsed: Duration) {
        let Some(bar) = &self.0 else { return };
        let (mut read, mut out, mut watermark) = (0, 0, i64::MIN);
        for (name, instances) in job.metrics() {
            for metrics in instances {
                if name.starts_with("Source") {
                    read += metrics.records_out.get();
                } else if name.starts_with("Collect") || name.starts_with("Sink") {
                    out += metrics.records_in.get();
                }
                watermark = watermark.max(metrics.watermark().0);
            }
        }
        let rate = read as f64 / elapsed.as_secs_f64().max(0.001);
        let mut text = format!("{read} rows in, {out} out, {rate:.0} rows/s");
        if watermark != i64::MIN && watermark != i64::MAX {
            let time = arrow::temporal_conversions::timestamp_ms_to_datetime(watermark);
            if let Some(time) = time {
                text.push_str(&format!(", watermark {time}"));
            }
        }
        bar.set_message(text);
    }

    /// Takes the line away.
    pub fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}
