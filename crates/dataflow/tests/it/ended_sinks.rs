//! Sinks whose input ends while the rest of the job goes on.

use std::sync::Arc;

use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::time::ProcessingTime;

use super::recovery::{Directory, Ledger, environment};

/// Ends when something is committed to the ledger; gives up if nothing ever is.
struct UntilCommitted(Ledger);

struct Waiting {
    ledger: Ledger,
    polls: u32,
}

impl SourceFactory for UntilCommitted {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Waiting {
            ledger: self.0.clone(),
            polls: 0,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

impl SourceReader for Waiting {
    fn open(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, _: &mut Outputs) -> Result<Poll> {
        if !self.ledger.values().is_empty() {
            return Ok(Poll::End);
        }
        self.polls += 1;
        if self.polls > 20_000 {
            return Err(Error::user("nothing is committed while the job runs"));
        }
        Ok(Poll::Idle {
            until: Some(ProcessingTime(ctx.now().millis() + 1)),
        })
    }
}

#[test]
fn what_a_sink_has_written_at_its_end_is_committed_while_others_go_on() {
    let directory = Directory::new("ended-sinks");
    let (ends, goes_on) = (Ledger::default(), Ledger::default());
    let env = environment(&directory);
    env.from_collection([1u64, 2, 3])
        .sink_to("Ends", Arc::new(ends.clone()));
    let waits = Arc::new(UntilCommitted(ends.clone()));
    env.from_source::<u64>("Waits", waits, None)
        .sink_to("Goes on", Arc::new(goes_on.clone()));
    env.execute().unwrap();
    assert_eq!(ends.values(), [1, 2, 3]);
}
