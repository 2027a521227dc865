//! What the engine tells a sink: its timers, and what cuts its stream.

use std::sync::{Arc, Mutex};

use thalweg_core::container::Payload;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::SinkWriter;
use thalweg_core::time::ProcessingTime;

use super::{Gate, NUMBERS, Scratch, start};

/// Notes each call but those with rows.
struct Diary(Arc<Mutex<Vec<&'static str>>>);

impl Diary {
    fn note(&self, call: &'static str) {
        self.0.lock().unwrap().push(call);
    }
}

impl SinkWriter for Diary {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let now = ctx.now();
        ctx.register_processing_timer(now);
        Ok(())
    }

    fn write(&mut self, _: Payload, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn on_processing_timer(&mut self, at: ProcessingTime, ctx: &mut Context) -> Result<()> {
        assert!(at <= ctx.now());
        self.note("timer");
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        self.note("checkpoint");
        Ok(())
    }

    fn flush_for_savepoint(&mut self, _: &mut Context) -> Result<()> {
        self.note("savepoint");
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        self.note("end");
        Ok(())
    }
}

#[test]
fn a_sink_is_told_of_its_timers_and_whether_a_checkpoint_or_a_savepoint_cuts_its_stream() {
    let scratch = Scratch::new("told");
    let diary = Arc::default();
    for (stops, last) in [(true, "savepoint"), (false, "end")] {
        let gate = Gate::at(10);
        let env = thalweg_testkit::environment();
        let checkpoints = scratch.0.join("checkpoints").display().to_string();
        env.configure(|config| config.checkpointing.directory = Some(checkpoints));
        let notes = Arc::clone(&diary);
        let sink = move |_: &mut Setup<'_>| -> Result<Box<dyn SinkWriter>> {
            Ok(Box::new(Diary(Arc::clone(&notes))))
        };
        env.from_source::<u64>("Gate", Arc::new(gate.clone()), None)
            .sink_to("Diary", Arc::new(sink));
        let job = start(&env);
        let (client, place) = (job.client(), scratch.text());
        client.trigger_savepoint(Some(&place)).unwrap();
        client.trigger_checkpoint().unwrap();
        if stops {
            client.stop_with_savepoint(Some(&place), false).unwrap();
        } else {
            gate.open_to(NUMBERS);
        }
        job.join().unwrap();
        let told = std::mem::take(&mut *diary.lock().unwrap());
        assert_eq!(told, ["timer", "savepoint", "checkpoint", last]);
    }
}
