//! The input gate: reads the channels in turn and hands out what concerns the head operator.

use std::collections::VecDeque;

use thalweg_core::config::CheckpointMode;
use thalweg_core::container::Payload;
use thalweg_core::element::{Barrier, StreamElement};
use thalweg_core::error::Result;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

use super::alignment::{Aligned, BarrierAligner};
use super::overtaking::Overtaking;
use super::watermark_valve::{ValveOutput, WatermarkValve};
use crate::checkpoint::in_flight::{InFlightLog, Place, Restored};
use crate::exchange::Receiver;

/// A channel and the input port it belongs to.
pub struct InputChannel {
    /// The head operator's port.
    pub port: usize,
    /// Whose channel it is.
    pub place: Place,
    /// Barriers never overtake its records: where they go depends on who has sent them, or all
    /// instances must have read the same ones.
    pub stays_aligned: bool,
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
    // Whether an element was taken since the last look.
    taken: bool,
    queued: VecDeque<GateEvent>,
    /// What stood in front of the operator when its snapshot was taken: comes before all else.
    restored: Restored,
    /// Only where barriers may overtake records.
    overtaking: Option<Box<Overtaking>>,
}

impl InputGate {
    /// A gate over channels. `overtaking` says whether barriers may overtake records.
    pub fn new(
        channels: Vec<InputChannel>,
        mode: CheckpointMode,
        overtaking: bool,
        restored: Restored,
    ) -> Self {
        let count = channels.len();
        InputGate {
            channels,
            valve: WatermarkValve::new(count),
            aligner: BarrierAligner::new(count, mode),
            open: vec![true; count],
            next: 0,
            taken: false,
            queued: VecDeque::new(),
            restored,
            overtaking: overtaking.then(|| Box::new(Overtaking::new(count))),
        }
    }

    /// The next event, if any channel that may be read has one.
    ///
    /// # Errors
    /// What writing records down for a checkpoint fails with.
    pub fn poll(&mut self) -> Result<Option<GateEvent>> {
        if !self.restored.is_empty()
            && let Some(event) = self.poll_restored()
        {
            return Ok(Some(event));
        }
        self.poll_channels(|_| true)
    }

    /// As [`InputGate::poll`], of the channels alone whose barriers never overtake.
    ///
    /// # Errors
    /// As [`InputGate::poll`].
    pub fn poll_aligned(&mut self) -> Result<Option<GateEvent>> {
        // What was restored comes before any channel.
        if let Some(event) = self.poll_restored() {
            return Ok(Some(event));
        }
        self.poll_channels(|channel| channel.stays_aligned)
    }

    fn poll_channels(&mut self, of: impl Fn(&InputChannel) -> bool) -> Result<Option<GateEvent>> {
        loop {
            if let Some(event) = self.queued.pop_front() {
                return Ok(Some(event));
            }
            let Some((channel, element)) = self.receive(&of)? else {
                return Ok(None);
            };
            if let Some(event) = self.on_element(channel, element) {
                return Ok(Some(event));
            }
        }
    }

    fn poll_restored(&mut self) -> Option<GateEvent> {
        while let Some((port, element)) = self.restored.pop_front() {
            match element {
                StreamElement::Batch(batch) => return Some(GateEvent::Batch(port, batch)),
                StreamElement::Watermark(watermark) => {
                    if let Some(watermark) = self.valve.on_restored(watermark) {
                        return Some(GateEvent::Watermark(watermark));
                    }
                }
                // Nothing else is restored.
                _ => {}
            }
        }
        None
    }

    /// Whether an element was taken since the last call: it may have led to no event, and yet have
    /// made the room that its sender waits for.
    pub fn take_taken(&mut self) -> bool {
        std::mem::take(&mut self.taken)
    }

    /// Whether a poll would find nothing.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
            && self.restored.is_empty()
            && (0..self.channels.len()).all(|i| {
                self.aligner.is_blocked(i)
                    || (self.channels[i].receiver.is_empty() && self.is_unstashed(i))
            })
    }

    fn is_unstashed(&self, channel: usize) -> bool {
        let overtaking = self.overtaking.as_ref();
        overtaking.is_none_or(|overtaking| overtaking.is_empty(channel))
    }

    fn receive(
        &mut self,
        of: impl Fn(&InputChannel) -> bool,
    ) -> Result<Option<(usize, StreamElement)>> {
        let count = self.channels.len();
        for offset in 0..count {
            let index = (self.next + offset) % count;
            let channel = &mut self.channels[index];
            if self.aligner.is_blocked(index) || !of(channel) {
                continue;
            }
            let element = match &mut self.overtaking {
                None => channel.receiver.receive(),
                Some(overtaking) => overtaking.receive(index, channel)?,
            };
            if let Some(element) = element {
                self.next = index + 1;
                self.taken = true;
                return Ok(Some((index, element)));
            }
        }
        Ok(None)
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

    /// The newest barrier that is on its way and has not passed.
    pub fn announced(&self) -> Option<Barrier> {
        self.overtaking.as_ref()?;
        let barriers = self.channels.iter().filter_map(|c| c.receiver.announced());
        let newer = barriers.filter(|barrier| barrier.checkpoint > self.aligner.last());
        newer.max_by_key(|barrier| barrier.checkpoint)
    }

    /// Whether all senders have ended, or will with what is already on its way.
    pub fn ends(&self) -> bool {
        self.channels.iter().all(|channel| channel.receiver.ends())
    }

    /// Whether any channel stays aligned.
    pub fn stays_aligned(&self) -> bool {
        self.channels.iter().any(|channel| channel.stays_aligned)
    }

    /// Whether a channel that stays aligned has still to deliver a barrier. If not, it may overtake
    /// what the other channels hold.
    pub fn awaits(&self, barrier: Barrier) -> bool {
        let channels = self.channels.iter().enumerate();
        let mut aligned = channels.filter(|(_, channel)| channel.stays_aligned);
        aligned.any(|(index, _)| self.open[index] && !self.aligner.has(index, barrier.checkpoint))
    }

    /// A barrier overtakes what the channels hold, which is written down from now on behind what
    /// `log` has already.
    ///
    /// # Errors
    /// `User` if a batch has no wire form.
    pub fn overtake(&mut self, barrier: Barrier, mut log: InFlightLog) -> Result<()> {
        let Some(overtaking) = &mut self.overtaking else {
            return Ok(());
        };
        self.aligner.overtake(barrier);
        for (port, element) in &self.restored {
            match element {
                StreamElement::Batch(batch) => log.batch(Place::FRONT, *port, batch.as_ref())?,
                StreamElement::Watermark(watermark) => log.watermark(Place::FRONT, *watermark),
                _ => {}
            }
        }
        for (index, channel) in self.channels.iter().enumerate() {
            log.watermark(channel.place, self.valve.of_channel(index));
        }
        let open = &self.open;
        overtaking.begin(barrier.checkpoint, log, &self.channels, |i| !open[i])
    }

    /// Goes on writing down; once all barriers have come, what was written.
    ///
    /// # Errors
    /// `User` if a batch has no wire form.
    pub fn capture(&mut self) -> Result<Option<(u64, InFlightLog)>> {
        match &mut self.overtaking {
            Some(overtaking) => overtaking.go_on(&mut self.channels),
            None => Ok(None),
        }
    }

    /// Whether records are being written down.
    pub fn is_capturing(&self) -> bool {
        let overtaking = self.overtaking.as_ref();
        overtaking.is_some_and(|overtaking| overtaking.is_capturing())
    }

    /// Whether [`InputGate::capture`] would find something.
    pub fn has_captures(&self) -> bool {
        let overtaking = self.overtaking.as_ref();
        overtaking.is_some_and(|overtaking| overtaking.has_work(&self.channels))
    }

    /// Holds the channels that stay aligned and have the barrier on its way: what they hold up to
    /// it is read whether there is room behind the operator or not, and that shall be all.
    pub fn hold_aligned(&self, barrier: Barrier) {
        for channel in self.channels.iter().filter(|channel| channel.stays_aligned) {
            let announced = channel.receiver.announced();
            if announced.is_some_and(|known| known.checkpoint >= barrier.checkpoint) {
                channel.receiver.hold(true);
            }
        }
    }

    /// Lets the channels that stay aligned go.
    pub fn release_aligned(&self) {
        let aligned = self.channels.iter().filter(|channel| channel.stays_aligned);
        aligned.for_each(|channel| channel.receiver.hold(false));
    }

    /// Whether a channel that stays aligned has something to read.
    pub fn has_aligned(&self) -> bool {
        let channels = self.channels.iter().enumerate();
        let mut readable =
            channels.filter(|(i, c)| c.stays_aligned && !self.aligner.is_blocked(*i));
        !self.queued.is_empty()
            || !self.restored.is_empty()
            || readable.any(|(_, channel)| !channel.receiver.is_empty())
    }
}
