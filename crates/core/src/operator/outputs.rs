//! What an operator instance has emitted and the runtime has not yet taken.

use std::collections::VecDeque;

use crate::container::Payload;
use crate::watermark::{Watermark, WatermarkStatus};

/// One emitted element.
pub enum OutputElement {
    /// A batch for the main output.
    Main(Payload),
    /// A batch for the side output with this index.
    Side(usize, Payload),
    /// A watermark of the operator's own.
    Watermark(Watermark),
    /// An idleness status of the operator's own.
    Status(WatermarkStatus),
}

/// Takes what an operator emits, in order.
pub struct Outputs {
    queue: VecDeque<OutputElement>,
    side_names: Vec<String>,
    rows: usize,
    rows_max: usize,
    records_out: u64,
}

impl Outputs {
    /// Outputs that count as full at `rows_max` records; `side_names` are the side outputs that
    /// somebody reads.
    pub fn new(rows_max: usize, side_names: Vec<String>) -> Self {
        Outputs {
            queue: VecDeque::new(),
            side_names,
            rows: 0,
            rows_max: rows_max.max(1),
            records_out: 0,
        }
    }

    /// Emits a batch; empty ones vanish.
    pub fn emit(&mut self, batch: Payload) {
        if !batch.is_empty() {
            self.rows += batch.len();
            self.records_out += batch.len() as u64;
            self.queue.push_back(OutputElement::Main(batch));
        }
    }

    /// Emits a batch to a side output; dropped when nobody reads it.
    pub fn emit_side(&mut self, name: &str, batch: Payload) {
        if let Some(index) = self.side_names.iter().position(|known| known == name) {
            self.rows += batch.len();
            self.queue.push_back(OutputElement::Side(index, batch));
        }
    }

    /// Emits a watermark. Only for sources and operators that generate watermarks.
    pub fn emit_watermark(&mut self, watermark: Watermark) {
        self.queue.push_back(OutputElement::Watermark(watermark));
    }

    /// Emits a status. Only for sources and operators that generate watermarks.
    pub fn emit_status(&mut self, status: WatermarkStatus) {
        self.queue.push_back(OutputElement::Status(status));
    }

    /// Whether the operator should stop and say `Pending`.
    pub fn is_full(&self) -> bool {
        self.rows >= self.rows_max
    }

    /// The most records an operator should put into one batch.
    pub fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes the oldest element.
    pub fn pop(&mut self) -> Option<OutputElement> {
        let element = self.queue.pop_front();
        if let Some(OutputElement::Main(batch) | OutputElement::Side(_, batch)) = &element {
            self.rows -= batch.len();
        }
        element
    }

    /// Records emitted to the main output since the start.
    pub fn records_out(&self) -> u64 {
        self.records_out
    }
}
