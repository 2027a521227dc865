//! The input gate: reads the channels in turn and hands out what concerns the head operator.

use thalweg_core::config::CheckpointMode;
use thalweg_core::container::Payload;
use thalweg_core::element::{Barrier, StreamElement};
use thalweg_core::watermark::{Watermark, WatermarkStatus};

use super::alignment::{Aligned, BarrierAligner};
use super::watermark_valve::{ValveOutput, WatermarkValve};
use crate::exchange::Receiver;

/// A channel and the input port it belongs to.
pub struct InputChannel {
    /// The head operator's port.
    pub port: usize,
    /// The receiving end.
    pub receiver: Receiver,
}

/// What the head operator has to hear of.
pub enum GateEvent {
    /// A batch for a port.
    Batch(usize, Payload),
    /// The combined watermark has advanced.
    Watermark(Watermark),
    /// All channels are idle, or one is active again.
    Status(WatermarkStatus),
    /// All channels have delivered this barrier.
    Barrier(Barrier),
    /// All channels of a port have ended.
    EndOfPort(usize),
    /// All channels have ended.
    EndOfInput,
}

/// All input channels of a subtask.
pub struct InputGate {
    channels: Vec<InputChannel>,
    valve: WatermarkValve,
    aligner: BarrierAligner,
    open: Vec<bool>,
    next: usize,
    queued: std::collections::VecDeque<GateEvent>,
}

impl InputGate {
    /// A gate over channels.
    pub fn new(channels: Vec<InputChannel>, mode: CheckpointMode) -> Self {
        let count = channels.len();
        InputGate {
            channels,
            valve: WatermarkValve::new(count),
            aligner: BarrierAligner::new(count, mode),
            open: vec![true; count],
            next: 0,
            queued: std::collections::VecDeque::new(),
        }
    }

    /// The next event, if any channel that may be read has one.
    pub fn poll(&mut self) -> Option<GateEvent> {
        loop {
            if let Some(event) = self.queued.pop_front() {
                return Some(event);
            }
            let (channel, element) = self.receive()?;
            if let Some(event) = self.on_element(channel, element) {
                return Some(event);
            }
        }
    }

    /// Whether a poll would find nothing.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
            && (0..self.channels.len())
                .all(|i| self.aligner.is_blocked(i) || self.channels[i].receiver.is_empty())
    }

    fn receive(&mut self) -> Option<(usize, StreamElement)> {
        let count = self.channels.len();
        for offset in 0..count {
            let channel = (self.next + offset) % count;
            if self.aligner.is_blocked(channel) {
                continue;
            }
            if let Some(element) = self.channels[channel].receiver.receive() {
                self.next = channel + 1;
                return Some((channel, element));
            }
        }
        None
    }

    fn on_element(&mut self, channel: usize, element: StreamElement) -> Option<GateEvent> {
        match element {
            StreamElement::Batch(batch) => {
                return Some(GateEvent::Batch(self.channels[channel].port, batch));
            }
            StreamElement::Watermark(watermark) => {
                let output = self.valve.on_watermark(channel, watermark);
                self.queue(output);
            }
            StreamElement::Status(status) => {
                let output = self.valve.on_status(channel, status);
                self.queue(output);
            }
            StreamElement::Barrier(barrier) => {
                if let Aligned::Complete(barrier) = self.aligner.on_barrier(channel, barrier) {
                    return Some(GateEvent::Barrier(barrier));
                }
            }
            StreamElement::EndOfInput => self.on_end(channel),
        }
        None
    }

    fn queue(&mut self, output: ValveOutput) {
        self.queued
            .extend(output.watermark.map(GateEvent::Watermark));
        self.queued.extend(output.status.map(GateEvent::Status));
    }

    fn on_end(&mut self, channel: usize) {
        self.open[channel] = false;
        // A sender ends with the last watermark; one that failed to must not hold the others.
        let output = self.valve.on_status(channel, WatermarkStatus::Active);
        self.queue(output);
        let output = self.valve.on_watermark(channel, Watermark::MAX);
        self.queue(output);
        self.queued
            .extend(self.aligner.on_end(channel).map(GateEvent::Barrier));
        let port = self.channels[channel].port;
        let mut of_port = self
            .channels
            .iter()
            .zip(&self.open)
            .filter(|(c, _)| c.port == port);
        if of_port.all(|(_, open)| !open) {
            self.queued.push_back(GateEvent::EndOfPort(port));
        }
        if self.open.iter().all(|open| !open) {
            self.queued.push_back(GateEvent::EndOfInput);
        }
    }
}
