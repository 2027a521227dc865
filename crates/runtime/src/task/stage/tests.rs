//! A sink in its stage, from its start to behind its end.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use thalweg_core::host::Waker;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Setup, SubtaskInfo};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::state::StateRegistry;

use super::*;
use crate::checkpoint::{BarrierListener, StoringListener};

/// Writes what it has been called for, and remembers what is committed.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Vec<u8>>>>);

impl SinkFactory for Log {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(LogWriter(b"")))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(self.clone())))
    }
}

impl Committer for Log {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        self.0.lock().unwrap().extend_from_slice(committables);
        Ok(())
    }
}

struct LogWriter(&'static [u8]);

impl SinkWriter for LogWriter {
    fn write(&mut self, _: Payload, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        self.0 = b"barrier";
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        Ok(vec![self.0.to_vec()])
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        self.0 = b"end";
        Ok(())
    }
}

/// A stage that was restored from checkpoint 3.
fn stage(log: &Log) -> (Stage, Arc<StoringListener>) {
    let info = SubtaskInfo {
        operator: "Log".to_owned(),
        index: 0,
        parallelism: 1,
        max_parallelism: 4,
    };
    let mut states = StateRegistry::default();
    let metrics = OperatorMetrics::default();
    let sink = SinkStage::new(
        log,
        &mut Setup {
            states: &mut states,
            info: &info,
            waker: Waker::none(),
            batch_rows: 4,
            metrics: metrics.clone(),
        },
    );
    let mut stage = Stage::new(StageSpec {
        uid: OperatorUid::new("log"),
        body: StageBody::Sink(sink.unwrap()),
        ctx: Context::new(states, info, metrics),
        generates_watermarks: false,
        sides: Vec::new(),
        batch_rows: 4,
        finished: false,
        in_flight: Schema::Bytes,
        restored: Restored::default(),
    });
    stage.open(ProcessingTime(0)).unwrap();
    let (sender, _) = sync_channel(8);
    (stage, Arc::new(StoringListener::new(sender, 3)))
}

fn take(stage: &mut Stage, control: Control, listener: &Arc<StoringListener>) {
    let listener: SharedListener = listener.clone();
    stage.push(Incoming::Control(control));
    stage.step(ProcessingTime(0), &listener).unwrap();
}

/// How much waits to be committed in a checkpoint.
fn waiting(listener: &StoringListener, checkpoint: u64) -> usize {
    let job = listener.take(checkpoint);
    let state = &job.operators[&OperatorUid::new("log")].instances[0].state;
    let snapshot = state.whole().encode().unwrap();
    let tables = snapshot.tables.iter();
    let mut named = tables.filter(|table| table.name == "_committables");
    named.next().unwrap().entries.len()
}

#[test]
fn what_is_left_at_the_end_is_due_with_the_next_checkpoint_and_in_none_behind_it() {
    let log = Log::default();
    let (mut stage, listener) = stage(&log);
    take(&mut stage, Control::EndOfInput, &listener);
    // It is not in the checkpoint that the job has started from.
    assert!(!stage.has_commit(listener.durable()));
    assert_eq!(waiting(&listener, 4), 1);
    listener.set_durable(4);
    assert!(stage.has_commit(listener.durable()));
    let shared: SharedListener = listener.clone();
    stage.commit(listener.durable(), &shared).unwrap();
    assert_eq!(*log.0.lock().unwrap(), [b"end".to_vec()]);
    assert!(!stage.waits_for_commit());
    assert_eq!(waiting(&listener, 5), 0);
}

#[test]
fn what_is_left_at_the_end_is_not_due_with_the_barrier_before_it() {
    let log = Log::default();
    let (mut stage, listener) = stage(&log);
    let barrier = Barrier {
        checkpoint: 7,
        kind: BarrierKind::Checkpoint,
        overtakes_from: None,
    };
    take(&mut stage, Control::Barrier(barrier), &listener);
    take(&mut stage, Control::EndOfInput, &listener);
    assert_eq!(waiting(&listener, 7), 1);
    listener.set_durable(7);
    let shared: SharedListener = listener.clone();
    stage.commit(listener.durable(), &shared).unwrap();
    assert_eq!(*log.0.lock().unwrap(), [b"barrier".to_vec()]);
    assert!(!stage.has_commit(Some(7)) && stage.has_commit(Some(8)));
    assert_eq!(waiting(&listener, 8), 1);
}
