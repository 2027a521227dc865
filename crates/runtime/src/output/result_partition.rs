//! A subtask's end of one output edge: open batches, waiting elements, channels.
//!
//! Records of a spread edge gather in one open batch a channel. An open batch is sent when it is
//! full, when a control element must follow it, or when the task has nothing more to do, so an
//! idle stream never waits for a batch to fill.

use std::collections::VecDeque;

use thalweg_core::container::Payload;
use thalweg_core::element::{Barrier, StreamElement};
use thalweg_core::error::Result;
use thalweg_core::graph::Partitioning;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

use super::partitioner::Partitioner;
use crate::exchange::Sender;

/// A control element, which goes to every channel.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// See [`StreamElement::Watermark`].
    Watermark(Watermark),
    /// See [`StreamElement::Status`].
    Status(WatermarkStatus),
    /// See [`StreamElement::Barrier`].
    Barrier(Barrier),
    /// See [`StreamElement::EndOfInput`].
    EndOfInput,
}

impl From<Control> for StreamElement {
    fn from(control: Control) -> Self {
        match control {
            Control::Watermark(watermark) => StreamElement::Watermark(watermark),
            Control::Status(status) => StreamElement::Status(status),
            Control::Barrier(barrier) => StreamElement::Barrier(barrier),
            Control::EndOfInput => StreamElement::EndOfInput,
        }
    }
}

// A share of a full batch that is sent rather than copied together with the next one. A full batch
// over two to four channels leaves such shares.
const OPEN_SHARE: usize = 5;

/// One output edge of a subtask.
pub struct ResultPartition {
    partitioner: Partitioner,
    open: Vec<Option<Payload>>,
    senders: Vec<Sender>,
    waiting: Vec<VecDeque<StreamElement>>,
    // How many of the waiting elements of a channel a barrier or the end waits for.
    pressing: Vec<usize>,
    batch_rows: usize,
    // An open batch with so many records is sent.
    enough_rows: usize,
    whole_batches: bool,
    // Whether an element left since the last look.
    sent: bool,
}

impl ResultPartition {
    /// A partition over the channels of `senders`.
    pub fn new(
        partitioning: Partitioning,
        senders: Vec<Sender>,
        max_parallelism: u32,
        batch_rows: usize,
        seed: u64,
    ) -> Self {
        let channels = senders.len();
        let whole_batches = channels == 1
            || matches!(
                partitioning,
                Partitioning::Forward | Partitioning::Global | Partitioning::Broadcast
            );
        ResultPartition {
            partitioner: Partitioner::new(partitioning, channels, max_parallelism, seed),
            open: (0..channels).map(|_| None).collect(),
            senders,
            waiting: (0..channels).map(|_| VecDeque::new()).collect(),
            pressing: vec![0; channels],
            batch_rows,
            enough_rows: (batch_rows / OPEN_SHARE).max(1),
            whole_batches,
            sent: false,
        }
    }

    /// Whether everything emitted so far has left; only then may more be emitted.
    pub fn is_ready(&mut self) -> bool {
        let mut ready = true;
        let channels = self.waiting.iter_mut().zip(&mut self.pressing);
        for ((waiting, pressing), sender) in channels.zip(&mut self.senders) {
            while let Some(element) = waiting.pop_front() {
                let sent = if *pressing > 0 {
                    sender.press(element)
                } else {
                    sender.send(element)
                };
                if let Err(element) = sent {
                    waiting.push_front(element);
                    break;
                }
                *pressing = pressing.saturating_sub(1);
                self.sent = true;
            }
            ready &= waiting.is_empty() && !sender.is_held();
        }
        ready
    }

    /// Whether an element has left since the last call: a sender that is otherwise blocked has
    /// moved when it has.
    pub fn take_sent(&mut self) -> bool {
        std::mem::take(&mut self.sent)
    }

    /// Emits a batch.
    ///
    /// # Errors
    /// What the user's partitioner or key selector fails with.
    pub fn emit(&mut self, batch: Payload) -> Result<()> {
        if self.whole_batches || batch.len() >= self.batch_rows {
            self.close_open();
        }
        self.partitioner.partition(batch, &mut self.open)?;
        for channel in 0..self.open.len() {
            let full = self.whole_batches
                || self.open[channel]
                    .as_ref()
                    .is_some_and(|b| b.len() >= self.enough_rows);
            if full {
                self.close(channel);
            }
        }
        self.is_ready();
        Ok(())
    }

    /// Emits a control element behind all batches.
    pub fn control(&mut self, control: Control) {
        self.close_open();
        for waiting in &mut self.waiting {
            waiting.push_back(control.into());
        }
        match control {
            Control::Barrier(barrier) if barrier.overtakes_from.is_some() => {
                self.press_waiting();
                self.senders.iter().for_each(|s| s.announce(barrier));
            }
            Control::EndOfInput => {
                self.press_waiting();
                self.senders.iter().for_each(Sender::announce_end);
            }
            _ => {}
        }
        self.is_ready();
    }

    /// Sends the open batches: the task has nothing more to do for now.
    pub fn flush(&mut self) {
        self.close_open();
        self.is_ready();
    }

    fn press_waiting(&mut self) {
        for (pressing, waiting) in self.pressing.iter_mut().zip(&self.waiting) {
            *pressing = waiting.len();
        }
    }

    fn close_open(&mut self) {
        for channel in 0..self.open.len() {
            self.close(channel);
        }
    }

    fn close(&mut self, channel: usize) {
        if let Some(batch) = self.open[channel].take() {
            self.waiting[channel].push_back(StreamElement::Batch(batch));
        }
    }
}
