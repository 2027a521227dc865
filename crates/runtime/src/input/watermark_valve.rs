//! Combines the watermarks of several channels into one.
//!
//! The combined watermark is the minimum over the *active* channels and never goes back. When all
//! channels are idle there is no minimum: the combined watermark jumps to the maximum over the
//! channels' last watermarks, and the whole input is idle. A channel that turns active again with
//! a watermark behind the combined one does not pull it back; it takes part in the minimum only
//! once it has caught up.

use thalweg_core::watermark::{Watermark, WatermarkStatus};

#[derive(Clone, Copy)]
struct Channel {
    watermark: Watermark,
    active: bool,
    // Takes part in the minimum: active and not behind what was already combined.
    aligned: bool,
}

/// What an update of a channel changed for the whole input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValveOutput {
    /// The combined watermark, if it advanced. Goes out before an idle status.
    pub watermark: Option<Watermark>,
    /// The whole input's status, if it changed.
    pub status: Option<WatermarkStatus>,
}

/// The combined watermark of an input.
pub struct WatermarkValve {
    channels: Vec<Channel>,
    combined: Watermark,
    status: WatermarkStatus,
}

impl WatermarkValve {
    /// A valve over `channels` channels, all active and without a watermark.
    pub fn new(channels: usize) -> Self {
        let channel = Channel {
            watermark: Watermark::MIN,
            active: true,
            aligned: true,
        };
        WatermarkValve {
            channels: vec![channel; channels],
            combined: Watermark::MIN,
            status: WatermarkStatus::Active,
        }
    }

    /// A channel has sent a watermark.
    pub fn on_watermark(&mut self, channel: usize, watermark: Watermark) -> ValveOutput {
        let state = &mut self.channels[channel];
        if !state.active || watermark <= state.watermark {
            return ValveOutput::default();
        }
        state.watermark = watermark;
        state.aligned |= watermark >= self.combined;
        ValveOutput {
            watermark: self.advance(),
            status: None,
        }
    }

    /// A channel has become idle or active.
    pub fn on_status(&mut self, channel: usize, status: WatermarkStatus) -> ValveOutput {
        let combined = self.combined;
        let state = &mut self.channels[channel];
        let active = status == WatermarkStatus::Active;
        if state.active == active {
            return ValveOutput::default();
        }
        state.active = active;
        state.aligned = active && state.watermark >= combined;
        if active {
            let woke = self.status == WatermarkStatus::Idle;
            self.status = WatermarkStatus::Active;
            return ValveOutput {
                watermark: None,
                status: woke.then_some(status),
            };
        }
        if self.channels.iter().any(|channel| channel.active) {
            return ValveOutput {
                watermark: self.advance(),
                status: None,
            };
        }
        self.status = WatermarkStatus::Idle;
        let last = self.channels.iter().map(|channel| channel.watermark).max();
        ValveOutput {
            watermark: last.and_then(|last| self.raise(last)),
            status: Some(WatermarkStatus::Idle),
        }
    }

    /// The last watermark of a channel.
    pub fn of_channel(&self, channel: usize) -> Watermark {
        self.channels[channel].watermark
    }

    /// A watermark of the whole input, from before a restore; returned if it advances.
    pub fn on_restored(&mut self, combined: Watermark) -> Option<Watermark> {
        self.raise(combined)
    }

    fn advance(&mut self) -> Option<Watermark> {
        let aligned = self.channels.iter().filter(|channel| channel.aligned);
        let minimum = aligned.map(|channel| channel.watermark).min()?;
        self.raise(minimum)
    }

    fn raise(&mut self, watermark: Watermark) -> Option<Watermark> {
        if watermark <= self.combined {
            return None;
        }
        self.combined = watermark;
        Some(watermark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: WatermarkStatus = WatermarkStatus::Idle;
    const ACTIVE: WatermarkStatus = WatermarkStatus::Active;

    fn advanced(to: i64) -> ValveOutput {
        ValveOutput {
            watermark: Some(Watermark(to)),
            status: None,
        }
    }

    #[test]
    fn the_combined_watermark_is_the_minimum_over_active_channels() {
        let mut valve = WatermarkValve::new(2);
        assert_eq!(valve.on_watermark(0, Watermark(5)), ValveOutput::default());
        assert_eq!(valve.on_watermark(1, Watermark(3)), advanced(3));
        assert_eq!(valve.on_watermark(1, Watermark(9)), advanced(5));
        assert_eq!(valve.on_status(0, IDLE), advanced(9));
    }

    #[test]
    fn when_all_channels_are_idle_the_watermark_jumps_to_the_maximum() {
        let mut valve = WatermarkValve::new(2);
        valve.on_watermark(0, Watermark(3));
        valve.on_watermark(1, Watermark(7));
        // Channel 1, the one ahead, is still active when channel 0 turns idle.
        assert_eq!(valve.on_status(0, IDLE), advanced(7));
        assert_eq!(
            valve.on_status(1, IDLE),
            ValveOutput {
                watermark: None,
                status: Some(IDLE)
            }
        );

        let mut valve = WatermarkValve::new(2);
        valve.on_watermark(0, Watermark(3));
        valve.on_watermark(1, Watermark(7));
        assert_eq!(valve.on_status(1, IDLE), ValveOutput::default());
        assert_eq!(
            valve.on_status(0, IDLE),
            ValveOutput {
                watermark: Some(Watermark(7)),
                status: Some(IDLE)
            }
        );
    }

    #[test]
    fn a_channel_that_wakes_up_behind_does_not_hold_the_others_until_it_has_caught_up() {
        let mut valve = WatermarkValve::new(2);
        valve.on_watermark(0, Watermark(3));
        valve.on_status(0, IDLE);
        assert_eq!(valve.on_watermark(1, Watermark(10)), advanced(10));
        assert_eq!(valve.on_status(0, ACTIVE), ValveOutput::default());
        assert_eq!(valve.on_watermark(1, Watermark(12)), advanced(12));
        assert_eq!(valve.on_watermark(0, Watermark(20)), ValveOutput::default());
        assert_eq!(valve.on_watermark(1, Watermark(30)), advanced(20));
    }

    #[test]
    fn the_first_channel_to_wake_makes_the_input_active() {
        let mut valve = WatermarkValve::new(1);
        assert_eq!(valve.on_status(0, IDLE).status, Some(IDLE));
        assert_eq!(valve.on_status(0, ACTIVE).status, Some(ACTIVE));
    }
}
