//! Sources from memory: collections and generators.
//!
//! | Contract |                                                                   |
//! |----------|-------------------------------------------------------------------|
//! | Output   | instance i of p emits the records i, i + p, i + 2p, … in order    |
//! | State    | `next`: operator list, the number of the next record              |
//! | Cost     | one clone or call a record                                        |
//! | Source   | Flink `fromData`, `DataGeneratorSource`                           |

use std::sync::Arc;

use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::EventTime;

/// The values of a collection.
pub struct CollectionSource<T> {
    values: Arc<[T]>,
}

impl<T> CollectionSource<T> {
    /// A source of these values.
    pub fn new(values: Arc<[T]>) -> Self {
        CollectionSource { values }
    }
}

impl<T: Data> SourceFactory for CollectionSource<T> {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let values = self.values.clone();
        let count = values.len() as u64;
        // A record's number is below the length.
        Ok(reader(setup, Some(count), move |n| {
            values[n as usize].clone()
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

/// Records made by a function of their number.
pub struct GeneratorSource<F> {
    count: Option<u64>,
    generate: Arc<F>,
}

impl<F> GeneratorSource<F> {
    /// A source of `count` records, or endless.
    pub fn new(count: Option<u64>, generate: F) -> Self {
        GeneratorSource {
            count,
            generate: Arc::new(generate),
        }
    }
}

impl<T: Data, F: Fn(u64) -> T + Send + Sync + 'static> SourceFactory for GeneratorSource<F> {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let generate = self.generate.clone();
        Ok(reader(setup, self.count, move |n| generate(n)))
    }

    fn boundedness(&self) -> Boundedness {
        self.count
            .map_or(Boundedness::Unbounded, |_| Boundedness::Bounded)
    }
}

/// A residue class of record numbers: `next`, `next + stride`, …
type Progress = (u64, u64);

struct NumberedReader<F> {
    count: u64,
    generate: F,
    first: u64,
    stride: u64,
    progress: OperatorListState<Progress>,
}

fn reader<T: Data>(
    setup: &mut Setup<'_>,
    count: Option<u64>,
    generate: impl Fn(u64) -> T + Send + 'static,
) -> Box<dyn SourceReader> {
    Box::new(NumberedReader {
        count: count.unwrap_or(u64::MAX),
        generate,
        first: u64::from(setup.info.index),
        stride: u64::from(setup.info.parallelism),
        progress: setup.states.operator_list("next", Redistribution::Split),
    })
}

impl<T: Data, F: Fn(u64) -> T + Send> SourceReader for NumberedReader<F> {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            self.progress
                .get_mut(ctx.states_mut())
                .push((self.first, self.stride));
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let progress = self.progress.get_mut(ctx.states_mut());
        let Some((next, stride)) = progress.iter_mut().find(|(next, _)| *next < self.count) else {
            return Ok(Poll::End);
        };
        let mut rows = Rows::with_capacity(out.rows_max());
        while *next < self.count && rows.len() < out.rows_max() {
            rows.push((self.generate)(*next), EventTime::NONE);
            *next = next.saturating_add(*stride);
        }
        out.emit(Box::new(rows));
        Ok(Poll::Ready)
    }
}
