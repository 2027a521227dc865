//! `memory`: a table whose rows stand in its declaration.
//!
//! Row `n` belongs to split `n mod 4`; the splits are dealt out to the instances, and each knows how
//! far it is. A table that is `'ordered'` has one split: its rows come in the order given.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::ProcessingTime;

use crate::values;

const SPLITS: u64 = 4;

/// The connector.
pub struct Memory;

const OPTIONS: &[ConnectorOption] = &[
    ConnectorOption {
        key: "rows",
        doc: "The rows, one a line, values separated by `|`.",
        default: "",
    },
    ConnectorOption {
        key: "ordered",
        doc: "Whether one instance makes all rows.",
        default: "false",
    },
];

impl TableConnector for Memory {
    fn identifier(&self) -> &'static str {
        "memory"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        OPTIONS
    }

    fn source(&self, table: &TableSpec, scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        let rows = table.options.get("rows").map_or("", String::as_str);
        let lines: Vec<&str> = rows.lines().filter(|line| !line.is_empty()).collect();
        let whole = values::batch(&table.schema, &lines);
        let ordered = table
            .options
            .get("ordered")
            .is_some_and(|text| text == "true");
        Ok(Arc::new(MemorySource {
            rows: whole
                .project(&scan.projection)
                .map_err(thalweg_columnar::arrow_error)?,
            splits: if ordered { 1 } else { SPLITS },
        }))
    }
}

struct MemorySource {
    rows: RecordBatch,
    splits: u64,
}

impl SourceFactory for MemorySource {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let (index, parallelism) = (setup.info.index, setup.info.parallelism);
        let own = (0..self.splits).filter(|s| s % u64::from(parallelism) == u64::from(index));
        Ok(Box::new(MemoryReader {
            rows: self.rows.clone(),
            splits: self.splits,
            own: own.collect(),
            next: setup.states.operator_list("next", Redistribution::Split),
            pause: None,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct MemoryReader {
    rows: RecordBatch,
    splits: u64,
    own: Vec<u64>,
    /// The next row of every split of this instance.
    next: OperatorListState<u64>,
    pause: Option<ProcessingTime>,
}

impl SourceReader for MemoryReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.next.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let now = ctx.now();
        if let Some(until) = self.pause.filter(|until| *until > now) {
            return Ok(Poll::Idle { until: Some(until) });
        }
        let next = self.next.get_mut(ctx.states_mut());
        let mut batches = Vec::new();
        while batches.len() < out.rows_max()
            && let Some(row) = next.iter_mut().min()
            && *row < self.rows.num_rows() as u64
        {
            batches.push(self.rows.slice(*row as usize, 1));
            *row += self.splits;
        }
        if batches.is_empty() {
            return Ok(Poll::End);
        }
        let batch = arrow::compute::concat_batches(&self.rows.schema(), &batches);
        let batch = batch.map_err(thalweg_columnar::arrow_error)?;
        out.emit(Box::new(ColumnBatch::insertions(batch)));
        // A pause after every batch, so that a barrier can come between any two.
        self.pause = Some(now + Duration::from_millis(1));
        Ok(Poll::Idle { until: self.pause })
    }
}
