//! Where a typed operator puts its records.

use std::any::Any;
use std::marker::PhantomData;

use super::outputs::Outputs;
use crate::container::Payload;
use crate::data::Data;
use crate::rows::{Record, Rows};
use crate::time::EventTime;
use crate::watermark::{Watermark, WatermarkStatus};

/// Names a side output and its type.
pub struct OutputTag<T> {
    name: String,
    marker: PhantomData<fn() -> T>,
}

impl<T: Data> OutputTag<T> {
    /// A tag; two tags with the same name in one operator are the same output.
    pub fn new(name: impl Into<String>) -> Self {
        OutputTag {
            name: name.into(),
            marker: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T> Clone for OutputTag<T> {
    fn clone(&self) -> Self {
        OutputTag {
            name: self.name.clone(),
            marker: PhantomData,
        }
    }
}

trait SideBuffer: Send {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn take(&mut self) -> Option<Payload>;
}

impl<T: Data> SideBuffer for Rows<T> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn take(&mut self) -> Option<Payload> {
        (!self.is_empty()).then(|| Box::new(std::mem::take(self)) as Payload)
    }
}

/// The output of one call of a typed operator: a batch under construction.
pub struct Output<O> {
    rows: Rows<O>,
    capacity: usize,
    paused: bool,
    sides: Vec<(String, Box<dyn SideBuffer>)>,
    controls: Vec<(usize, Control)>,
}

#[derive(Clone, Copy)]
enum Control {
    Watermark(Watermark),
    Status(WatermarkStatus),
}

impl<O: Data> Output<O> {
    /// An output that counts as full at `capacity` records.
    pub fn new(capacity: usize) -> Self {
        Output {
            rows: Rows::default(),
            capacity: capacity.max(1),
            paused: false,
            sides: Vec::new(),
            controls: Vec::new(),
        }
    }

    /// Emits a record.
    #[inline]
    pub fn push(&mut self, record: Record<O>) {
        self.rows.push(record.value, record.time);
    }

    /// Emits a value with a timestamp.
    #[inline]
    pub fn emit(&mut self, value: O, time: EventTime) {
        self.rows.push(value, time);
    }

    /// Emits to a side output. Without a consumer the record is dropped.
    pub fn side<T: Data>(&mut self, tag: &OutputTag<T>, record: Record<T>) {
        if !self.sides.iter().any(|(name, _)| *name == tag.name) {
            self.sides
                .push((tag.name.clone(), Box::new(Rows::<T>::default())));
        }
        for (name, buffer) in &mut self.sides {
            if *name == tag.name {
                let rows = buffer.as_any_mut().downcast_mut::<Rows<T>>();
                assert!(
                    rows.is_some(),
                    "side output `{name}` is used with two types"
                );
                if let Some(rows) = rows {
                    rows.push(record.value, record.time);
                }
                return;
            }
        }
    }

    /// Whether it has as many records as it should; pushing more is allowed but a loop should
    /// [`pause`](Output::pause).
    #[inline]
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.capacity
    }

    /// Asks for a call of `resume` once there is room.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Emits a watermark behind the records so far. Only for operators that generate watermarks.
    pub fn emit_watermark(&mut self, watermark: Watermark) {
        self.controls
            .push((self.rows.len(), Control::Watermark(watermark)));
    }

    /// Says that this output is idle or active. Only for operators that generate watermarks.
    pub fn emit_status(&mut self, status: WatermarkStatus) {
        self.controls
            .push((self.rows.len(), Control::Status(status)));
    }

    /// Makes room for `additional` records at once.
    pub fn reserve(&mut self, additional: usize) {
        self.rows.values.reserve(additional);
        self.rows.times.reserve(additional);
    }

    pub(crate) fn take_paused(&mut self) -> bool {
        std::mem::take(&mut self.paused)
    }

    /// Moves everything to the runtime's outputs.
    pub(crate) fn flush(&mut self, outputs: &mut Outputs) {
        if self.controls.is_empty() {
            if !self.rows.is_empty() {
                outputs.emit(Box::new(std::mem::take(&mut self.rows)));
            }
        } else {
            self.flush_with_controls(outputs);
        }
        for (name, buffer) in &mut self.sides {
            if let Some(batch) = buffer.take() {
                outputs.emit_side(name, batch);
            }
        }
    }

    fn flush_with_controls(&mut self, outputs: &mut Outputs) {
        let rows = std::mem::take(&mut self.rows);
        let mut records = rows.values.into_iter().zip(rows.times);
        let mut done = 0;
        for (position, control) in self.controls.drain(..) {
            let mut batch = Rows::with_capacity(position - done);
            for (value, time) in records.by_ref().take(position - done) {
                batch.push(value, EventTime(time));
            }
            done = position;
            if !batch.is_empty() {
                outputs.emit(Box::new(batch));
            }
            match control {
                Control::Watermark(watermark) => outputs.emit_watermark(watermark),
                Control::Status(status) => outputs.emit_status(status),
            }
        }
        let mut batch = Rows::default();
        for (value, time) in records {
            batch.push(value, EventTime(time));
        }
        if !batch.is_empty() {
            outputs.emit(Box::new(batch));
        }
    }
}
