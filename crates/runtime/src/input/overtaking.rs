//! A barrier overtakes what a gate's channels hold.
//!
//! ```text
//!   ring   … ▮ b3 b2 │ b1      the barrier ▮ of checkpoint 5 is announced before it is read
//!   stash            └─▶ b1 b2 b3      taken out up to the barrier, written down, processed later
//!   held             the sender may send what its barrier waits for, and else nothing, until the
//!                    stash is empty
//! ```
//!
//! The operator's snapshot is taken at once. From then on every batch that leaves a ring in front
//! of its barrier is written down, whether it goes into the stash or straight to the operator: a
//! channel whose barrier nobody has announced yet is read as ever.

use std::collections::VecDeque;

use thalweg_core::element::StreamElement;
use thalweg_core::error::Result;

use super::gate::InputChannel;
use crate::checkpoint::in_flight::InFlightLog;

/// What a gate keeps where barriers may overtake records.
pub(super) struct Overtaking {
    /// What was taken out of each channel before its time.
    stash: Vec<VecDeque<StreamElement>>,
    /// The newest barrier that each channel has delivered.
    reached: Vec<u64>,
    capture: Option<Capture>,
}

struct Capture {
    checkpoint: u64,
    /// The channels whose barrier is still to come.
    open: Vec<bool>,
    log: InFlightLog,
}

impl Overtaking {
    pub(super) fn new(channels: usize) -> Self {
        Overtaking {
            stash: (0..channels).map(|_| VecDeque::new()).collect(),
            reached: vec![0; channels],
            capture: None,
        }
    }

    /// Whether nothing of a channel waits in the stash.
    pub(super) fn is_empty(&self, channel: usize) -> bool {
        self.stash[channel].is_empty()
    }

    /// The next element of a channel.
    pub(super) fn receive(
        &mut self,
        index: usize,
        channel: &mut InputChannel,
    ) -> Result<Option<StreamElement>> {
        let stash = &mut self.stash[index];
        if let Some(element) = stash.pop_front() {
            if stash.is_empty() {
                channel.receiver.hold(false);
            }
            return Ok(Some(element));
        }
        let element = channel.receiver.receive();
        if let Some(element) = &element {
            self.leaves_ring(index, channel, element)?;
        }
        Ok(element)
    }

    /// An element leaves its ring.
    fn leaves_ring(
        &mut self,
        index: usize,
        channel: &InputChannel,
        element: &StreamElement,
    ) -> Result<()> {
        if let StreamElement::Barrier(barrier) = element {
            self.reached[index] = self.reached[index].max(barrier.checkpoint);
        }
        let Some(capture) = self.capture.as_mut().filter(|capture| capture.open[index]) else {
            return Ok(());
        };
        match element {
            StreamElement::Barrier(barrier) => {
                capture.open[index] = barrier.checkpoint < capture.checkpoint;
            }
            StreamElement::EndOfInput => capture.open[index] = false,
            other => write_down(&mut capture.log, channel, other)?,
        }
        Ok(())
    }

    /// A barrier overtakes: begins to write down, behind what `log` has already. `ended` says which
    /// channels have been read to their end.
    pub(super) fn begin(
        &mut self,
        checkpoint: u64,
        mut log: InFlightLog,
        channels: &[InputChannel],
        ended: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let mut open = Vec::with_capacity(channels.len());
        for (index, channel) in channels.iter().enumerate() {
            let stash = &self.stash[index];
            let mut waits = self.reached[index] < checkpoint && !ended(index);
            for element in stash {
                match element {
                    StreamElement::Barrier(barrier) if barrier.checkpoint >= checkpoint => break,
                    StreamElement::EndOfInput => waits = false,
                    other => write_down(&mut log, channel, other)?,
                }
            }
            open.push(waits);
        }
        self.capture = Some(Capture {
            checkpoint,
            open,
            log,
        });
        Ok(())
    }

    /// Empties the channels whose barrier, or end, is on its way. Once all have come, what was
    /// written down.
    pub(super) fn go_on(
        &mut self,
        channels: &mut [InputChannel],
    ) -> Result<Option<(u64, InFlightLog)>> {
        for (index, channel) in channels.iter_mut().enumerate() {
            loop {
                let Some(capture) = &self.capture else {
                    return Ok(None);
                };
                let announced = channel.receiver.announced().map_or(0, |b| b.checkpoint);
                let comes = announced >= capture.checkpoint || channel.receiver.ends();
                if !capture.open[index] || !comes {
                    break;
                }
                channel.receiver.hold(true);
                let Some(element) = channel.receiver.receive() else {
                    break;
                };
                let checkpoint = capture.checkpoint;
                self.leaves_ring(index, channel, &element)?;
                // A newer barrier has yet to pass: nothing behind it may be read before.
                match element {
                    StreamElement::Barrier(barrier) if barrier.checkpoint <= checkpoint => {}
                    other => self.stash[index].push_back(other),
                }
            }
            // Nothing was in front of the barrier.
            let emptied = self.stash[index].is_empty() && !self.is_open(index);
            if emptied && !channel.stays_aligned {
                channel.receiver.hold(false);
            }
        }
        let done = self
            .capture
            .take_if(|capture| !capture.open.contains(&true));
        Ok(done.map(|capture| (capture.checkpoint, capture.log)))
    }

    fn is_open(&self, index: usize) -> bool {
        self.capture
            .as_ref()
            .is_some_and(|capture| capture.open[index])
    }

    /// Whether [`Overtaking::go_on`] would find something.
    pub(super) fn has_work(&self, channels: &[InputChannel]) -> bool {
        let Some(capture) = &self.capture else {
            return false;
        };
        let mut open = channels
            .iter()
            .zip(&capture.open)
            .filter(|(_, open)| **open);
        open.any(|(channel, _)| {
            let announced = channel.receiver.announced().map_or(0, |b| b.checkpoint);
            let comes = announced >= capture.checkpoint || channel.receiver.ends();
            comes && !channel.receiver.is_empty()
        })
    }

    /// Whether something is still to be written down.
    pub(super) fn is_capturing(&self) -> bool {
        self.capture.is_some()
    }
}

fn write_down(
    log: &mut InFlightLog,
    channel: &InputChannel,
    element: &StreamElement,
) -> Result<()> {
    match element {
        StreamElement::Batch(batch) => log.batch(channel.place, channel.port, batch.as_ref()),
        StreamElement::Watermark(watermark) => {
            log.watermark(channel.place, *watermark);
            Ok(())
        }
        StreamElement::Status(_) | StreamElement::Barrier(_) | StreamElement::EndOfInput => Ok(()),
    }
}

#[cfg(test)]
mod tests;
