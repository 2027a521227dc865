//! What every operator that makes watermarks has in common: they rise, and a silent input becomes
//! idle.

use std::time::Duration;

use super::context::Context;
use super::outputs::Outputs;
use crate::time::ProcessingTime;
use crate::watermark::{Watermark, WatermarkStatus};

/// The watermarks and the idleness of one operator instance.
///
/// Idleness is measured from when the input has run dry, so that time during which the task was
/// blocked by its receivers does not count.
#[derive(Debug)]
pub struct WatermarkOutput {
    last: Watermark,
    idle_after: Option<Duration>,
    timer: Option<ProcessingTime>,
    idle: bool,
}

impl WatermarkOutput {
    /// No watermark yet; idle after `idle_after` without a record, or never.
    pub fn new(idle_after: Option<Duration>) -> Self {
        WatermarkOutput {
            last: Watermark::MIN,
            idle_after,
            timer: None,
            idle: false,
        }
    }

    /// Emits a watermark if it is higher than the last.
    pub fn advance(&mut self, watermark: Option<Watermark>, out: &mut Outputs) {
        if let Some(watermark) = watermark.filter(|watermark| *watermark > self.last) {
            self.last = watermark;
            out.emit_watermark(watermark);
        }
    }

    /// Records have come.
    pub fn wake(&mut self, ctx: &mut Context, out: &mut Outputs) {
        if let Some(at) = self.timer.take() {
            ctx.delete_processing_timer(at);
        }
        if std::mem::take(&mut self.idle) {
            out.emit_status(WatermarkStatus::Active);
        }
    }

    /// The input has run dry: call it from `flush`.
    pub fn run_dry(&mut self, ctx: &mut Context) {
        if let Some(timeout) = self.idle_after
            && !self.idle
            && self.timer.is_none()
        {
            let at = ctx.now() + timeout.max(Duration::from_millis(1));
            ctx.register_processing_timer(at);
            self.timer = Some(at);
        }
    }

    /// A processing timer has fired. One that was restored with a snapshot means nothing.
    pub fn on_processing_timer(&mut self, time: ProcessingTime, out: &mut Outputs) {
        if self.timer == Some(time) {
            self.timer = None;
            self.idle = true;
            out.emit_status(WatermarkStatus::Idle);
        }
    }
}
