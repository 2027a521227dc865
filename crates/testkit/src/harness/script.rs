//! The two ends of a tested job: a source that plays what it is told, a sink that writes it down.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::sink::{SinkFactory, SinkWriter};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

use crate::notation::{Notation, render_record};

/// What a source is told to emit.
pub(super) enum Cue {
    Batch(Payload),
    Watermark(Watermark),
    Status(WatermarkStatus),
    End,
}

/// The cues of one source.
#[derive(Clone, Default)]
pub(super) struct Script(Arc<Mutex<VecDeque<Cue>>>);

impl Script {
    pub(super) fn push(&self, cue: Cue) {
        lock(&self.0).push_back(cue);
    }
}

impl SourceFactory for Script {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(self.clone()))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

impl SourceReader for Script {
    fn poll(&mut self, _: &mut Context, out: &mut Outputs) -> Result<Poll> {
        match lock(&self.0).pop_front() {
            Some(Cue::Batch(batch)) => out.emit(batch),
            Some(Cue::Watermark(watermark)) => out.emit_watermark(watermark),
            Some(Cue::Status(status)) => out.emit_status(status),
            Some(Cue::End) => return Ok(Poll::End),
            None => return Ok(Poll::Idle { until: None }),
        }
        Ok(Poll::Ready)
    }
}

/// What one output emitted, as text.
pub(super) struct Recording {
    tokens: Vec<String>,
    // A restored job hears its last watermark and status again: only changes are written down.
    watermark: Watermark,
    status: WatermarkStatus,
}

impl Default for Recording {
    fn default() -> Self {
        Recording {
            tokens: Vec::new(),
            watermark: Watermark::MIN,
            status: WatermarkStatus::Active,
        }
    }
}

/// The recording of one output; only the main output's has watermarks and the end.
#[derive(Clone)]
pub(super) struct Recorder {
    recording: Arc<Mutex<Recording>>,
    prefix: String,
    controls: bool,
}

impl Recorder {
    pub(super) fn main() -> Self {
        Recorder {
            recording: Arc::default(),
            prefix: String::new(),
            controls: true,
        }
    }

    pub(super) fn side(name: &str) -> Self {
        Recorder {
            recording: Arc::default(),
            prefix: format!("{name}>"),
            controls: false,
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.recording)).tokens
    }

    pub(super) fn sink<T: Notation>(&self) -> Arc<dyn SinkFactory> {
        let recorder = self.clone();
        Arc::new(
            move |setup: &mut Setup<'_>| -> Result<Box<dyn SinkWriter>> {
                Ok(Box::new(RecordingSink::<T> {
                    recorder: recorder.clone(),
                    // All records go to the first instance; the others would repeat its watermarks.
                    first: setup.info.index == 0,
                    marker: std::marker::PhantomData,
                }))
            },
        )
    }
}

struct RecordingSink<T> {
    recorder: Recorder,
    first: bool,
    marker: std::marker::PhantomData<fn(T)>,
}

impl<T> RecordingSink<T> {
    fn controls(&self) -> bool {
        self.first && self.recorder.controls
    }
}

impl<T: Notation> SinkWriter for RecordingSink<T> {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        let rows = *downcast::<Rows<T>>(batch)?;
        let prefix = &self.recorder.prefix;
        let mut recording = lock(&self.recorder.recording);
        for (value, time) in rows.values.iter().zip(rows.times) {
            let record = render_record(value, EventTime(time));
            recording.tokens.push(format!("{prefix}{record}"));
        }
        Ok(())
    }

    fn write_watermark(&mut self, watermark: Watermark, _: &mut Context) -> Result<()> {
        let mut recording = lock(&self.recorder.recording);
        if self.controls() && watermark > recording.watermark {
            recording.watermark = watermark;
            if watermark != Watermark::MAX {
                recording.tokens.push(format!("W@{}", watermark.0));
            }
        }
        Ok(())
    }

    fn write_status(&mut self, status: WatermarkStatus, _: &mut Context) -> Result<()> {
        let mut recording = lock(&self.recorder.recording);
        if self.controls() && status != recording.status {
            recording.status = status;
            recording.tokens.push(match status {
                WatermarkStatus::Active => "active".to_owned(),
                WatermarkStatus::Idle => "idle".to_owned(),
            });
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        if self.controls() {
            lock(&self.recorder.recording).tokens.push("end".to_owned());
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
