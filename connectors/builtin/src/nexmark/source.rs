//! The source.
//!
//! | Contract |                                                                              |
//! |----------|------------------------------------------------------------------------------|
//! | Output   | the events of the instance's blocks of 4,096 event numbers, in order         |
//! | State    | `blocks`: operator list, how far each class of blocks is; dealt out anew     |
//! | Cost     | no more than the columns that are read                                       |
//! | Source   | the public Nexmark generator                                                 |

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use thalweg_columnar::connector::{ScanRequest, TableSpec};
use thalweg_columnar::{ColumnBatch, arrow_error};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};

use super::config::Config;
use super::generator::Generator;
use super::rows::Rows;
use super::shape::{self, Column};
use crate::blocks::{Blocks, Progress};
use crate::throttle::{Grant, Throttle};

const BLOCK_EVENTS: u64 = 4096;
// So that a poll ends soon even if nearly all events are of another type.
const BLOCKS_PER_POLL_MAX: usize = 1024;

/// What all instances have in common.
struct Plan {
    config: Config,
    /// The columns that are read.
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Places in a round of the events that are made.
    wanted: Range<u64>,
    blocks: Blocks,
    /// Made by the first instance.
    generator: OnceLock<Generator>,
}

/// The source's factory.
pub struct NexmarkSource(Arc<Plan>);

impl NexmarkSource {
    /// A source for a table.
    ///
    /// # Errors
    /// `User` for wrong options and columns that the connector does not make.
    pub fn new(table: &TableSpec, scan: &ScanRequest) -> Result<Self> {
        if !scan.metadata.is_empty() {
            return Err(Error::unsupported(
                "metadata columns of the nexmark connector",
            ));
        }
        let config = Config::new(table)?;
        let all = shape::columns(table, config.entity)?;
        let columns = scan.projection.iter().map(|at| all.get(*at).cloned());
        let columns: Option<Vec<Column>> = columns.collect();
        let schema = table.schema.project(&scan.projection);
        Ok(NexmarkSource(Arc::new(Plan {
            schema: Arc::new(schema.map_err(arrow_error)?),
            columns: columns.ok_or_else(|| Error::internal("a scan reads unknown columns"))?,
            wanted: match config.entity {
                Some(entity) => config.mix.offsets(entity),
                None => 0..config.mix.total(),
            },
            blocks: Blocks {
                size: BLOCK_EVENTS,
                end: config.events.unwrap_or(u64::MAX),
            },
            generator: OnceLock::new(),
            config,
        })))
    }
}

impl SourceFactory for NexmarkSource {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let plan = self.0.clone();
        let parallelism = setup.info.parallelism;
        let own = plan.blocks.deal(setup.info.index, parallelism);
        let left = setup.states.operator_list("blocks", Redistribution::Split);
        let rate = plan.config.rows_per_second;
        if plan.config.preload {
            return Ok(Box::new(PreloadedReader {
                plan,
                own,
                left,
                batch_rows: setup.batch_rows,
                batches: Vec::new(),
                next: 0,
            }));
        }
        Ok(Box::new(NexmarkReader {
            plan,
            own,
            left,
            throttle: rate.map(|rate| Throttle::new(rate, parallelism)),
            rows: Rows::default(),
        }))
    }

    fn boundedness(&self) -> Boundedness {
        match self.0.config.events {
            Some(_) => Boundedness::Bounded,
            None => Boundedness::Unbounded,
        }
    }
}

impl Plan {
    /// Takes the next events off what is left, `rows_max` at most.
    fn take(&self, left: &mut Vec<Progress>, rows_max: usize, rows: &mut Rows) {
        rows.clear();
        for _ in 0..BLOCKS_PER_POLL_MAX {
            let Some((at, events)) = self.blocks.earliest(left) else {
                break;
            };
            if rows.len() >= rows_max {
                break;
            }
            let Config { mix, schedule, .. } = &self.config;
            let start = events.start;
            let end = rows.extend(mix, schedule, &self.wanted, events, rows_max);
            self.blocks.advance(left, at, start..end);
        }
    }

    fn batch(&self, rows: &Rows) -> Result<ColumnBatch> {
        let generator = self.generator.get_or_init(|| Generator::new(&self.config));
        let records = generator.batch(&self.schema, &self.columns, rows)?;
        Ok(ColumnBatch::insertions(records))
    }
}

struct NexmarkReader {
    plan: Arc<Plan>,
    own: Vec<Progress>,
    left: OperatorListState<Progress>,
    throttle: Option<Throttle>,
    rows: Rows,
}

impl SourceReader for NexmarkReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.left.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let now = ctx.now();
        let left = self.left.get_mut(ctx.states_mut());
        if left.is_empty() {
            return Ok(Poll::End);
        }
        let mut rows_max = out.rows_max();
        if let Some(throttle) = &mut self.throttle {
            match throttle.grant(now, rows_max) {
                Grant::Rows(granted) => rows_max = granted,
                Grant::Wait(until) => return Ok(Poll::Idle { until: Some(until) }),
            }
        }
        self.plan.take(left, rows_max, &mut self.rows);
        if let Some(throttle) = &mut self.throttle {
            throttle.give_back(rows_max - self.rows.len());
        }
        if self.rows.len() > 0 {
            out.emit(Box::new(self.plan.batch(&self.rows)?));
        }
        Ok(Poll::Ready)
    }
}

/// Makes everything first.
struct PreloadedReader {
    plan: Arc<Plan>,
    own: Vec<Progress>,
    left: OperatorListState<Progress>,
    batch_rows: usize,
    /// Each batch and what is left behind it.
    batches: Vec<(ColumnBatch, Vec<Progress>)>,
    next: usize,
}

impl SourceReader for PreloadedReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.left.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        let mut left = self.left.get(ctx.states()).to_vec();
        let mut rows = Rows::default();
        while !left.is_empty() {
            self.plan.take(&mut left, self.batch_rows, &mut rows);
            if rows.len() > 0 {
                self.batches.push((self.plan.batch(&rows)?, left.clone()));
            }
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let left = self.left.get_mut(ctx.states_mut());
        let Some((batch, behind)) = self.batches.get(self.next) else {
            left.clear();
            return Ok(Poll::End);
        };
        out.emit(Box::new(batch.clone()));
        left.clone_from(behind);
        self.next += 1;
        Ok(Poll::Ready)
    }
}
