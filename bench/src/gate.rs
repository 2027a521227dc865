//! Holds all sources back until each is ready, so that making events is not measured.
//!
//! A source that makes its events first does so in `open`, in each instance for itself. If the
//! clock started with the first to be ready, it would measure how long the others still make
//! events; if with the last, what the first has already done would be free. So nobody starts
//! before all can. The readers are also kept until the measurement is over: to free the
//! events takes as long as a fast query does.

use std::sync::{Arc, Mutex, PoisonError};

use thalweg::Result;
use thalweg::core::graph::{JobGraph, NodeKind};
use thalweg::core::operator::{Context, Outputs, Setup};
use thalweg::core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg::core::time::ProcessingTime;

use crate::measure::Moment;

/// A gate in front of the sources of one job.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    instances: usize,
    ready: usize,
    opened: Option<Moment>,
    done: Vec<Box<dyn SourceReader>>,
}

impl Gate {
    /// Puts every source of the job behind the gate.
    pub fn put_before(&self, job: &mut JobGraph) {
        let vertices = job.vertices.iter_mut();
        for operator in vertices.flat_map(|vertex| &mut vertex.operators) {
            if let NodeKind::Source(source) = &operator.kind {
                operator.kind = NodeKind::Source(Arc::new(GatedSource {
                    source: source.clone(),
                    gate: self.clone(),
                }));
            }
        }
    }

    /// When the last instance was ready and the gate opened.
    pub fn opened(&self) -> Option<Moment> {
        self.with(|state| state.opened)
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct GatedSource {
    source: Arc<dyn SourceFactory>,
    gate: Gate,
}

impl SourceFactory for GatedSource {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let reader = self.source.create(setup)?;
        // All instances are created before any is opened.
        self.gate.with(|state| state.instances += 1);
        Ok(Box::new(GatedReader {
            reader: Some(reader),
            gate: self.gate.clone(),
            through: false,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        self.source.boundedness()
    }
}

struct GatedReader {
    // None only while it is dropped.
    reader: Option<Box<dyn SourceReader>>,
    gate: Gate,
    through: bool,
}

impl GatedReader {
    fn reader(&mut self) -> Result<&mut Box<dyn SourceReader>> {
        let none = || thalweg::Error::internal("a source is polled after its end");
        self.reader.as_mut().ok_or_else(none)
    }
}

impl SourceReader for GatedReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.reader()?.open(ctx)?;
        let now = Moment::now().map_err(|error| thalweg::Error::internal(format!("{error:#}")))?;
        self.gate.with(|state| {
            state.ready += 1;
            if state.ready == state.instances {
                state.opened = Some(now);
            }
        });
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        if !self.through {
            if self.gate.opened().is_none() {
                let until = Some(ProcessingTime(ctx.now().millis() + 1));
                return Ok(Poll::Idle { until });
            }
            self.through = true;
        }
        self.reader()?.poll(ctx, out)
    }
}

impl Drop for GatedReader {
    fn drop(&mut self) {
        let reader = self.reader.take();
        self.gate.with(|state| state.done.extend(reader));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg::prelude::*;
    use thalweg::runtime::MiniCluster;

    #[test]
    fn a_job_behind_a_gate_runs_to_its_end_and_the_gate_knows_when_it_began() {
        let env = StreamExecutionEnvironment::new();
        env.set_parallelism(2);
        let seen = Arc::new(Mutex::new(0));
        let into = seen.clone();
        env.from_generator(Some(1000), |n| n)
            .for_each(move |n| *into.lock().unwrap() += n);
        let mut job = env.job_graph().unwrap();
        let gate = Gate::default();
        gate.put_before(&mut job);
        assert!(gate.opened().is_none());
        MiniCluster
            .start(&job, &env.config())
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(*seen.lock().unwrap(), 499_500);
        assert!(gate.opened().is_some());
    }
}
