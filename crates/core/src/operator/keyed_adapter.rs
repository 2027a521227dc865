//! Turns typed operators over keyed streams into batch operators.
//!
//! The keys of a batch are looked up first, all together, which lets the cache misses of a large
//! key index overlap; then each record is processed with the context at its key's slot.

use std::sync::Arc;

use super::batch::{BatchOperator, Progress, Setup};
use super::context::Context;
use super::typed::{Operator, TwoInputOperator};
use super::{RowsOperator, TwoInputRowsOperator};
use crate::container::{Payload, downcast};
use crate::data::{Data, Key};
use crate::error::{Error, Result};
use crate::operator::{Output, Outputs};
use crate::rows::{Record, Rows};
use crate::state::Slot;
use crate::time::{EventTime, ProcessingTime};

/// A record with the slot of its key.
#[derive(Clone)]
struct Keyed<T> {
    slot: Slot,
    value: T,
}

// The wrapped records never leave the adapter, but the inner adapter asks for `Data`.
impl<T: Data> Data for Keyed<T> {
    fn schema() -> crate::data::Schema {
        T::schema()
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.value.encode(out);
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        Ok(Keyed {
            slot: Slot::NONE,
            value: T::decode(input)?,
        })
    }
}

/// Takes the keys of records, a batch at a time, so that the call is not virtual for each record.
pub trait KeySelector<T, K>: Send + Sync {
    /// Appends the key of every value.
    fn select(&self, values: &[T], keys: &mut Vec<K>);
}

impl<T, K, F: Fn(&T) -> K + Send + Sync> KeySelector<T, K> for F {
    fn select(&self, values: &[T], keys: &mut Vec<K>) {
        keys.extend(values.iter().map(self));
    }
}

fn intern<T: Data, K: Key>(
    rows: Rows<T>,
    selector: &dyn KeySelector<T, K>,
    scratch: &mut Scratch<K>,
    ctx: &mut Context,
) -> Result<Rows<Keyed<T>>> {
    let states = ctx.states_mut();
    let mut slots = Vec::with_capacity(rows.len());
    selector.select(&rows.values, &mut scratch.keys);
    let hashes = if rows.hashes.len() == rows.values.len() {
        &rows.hashes
    } else {
        scratch.hashes.clear();
        let bytes = &mut scratch.bytes;
        let hashes = scratch.keys.iter().map(|key| key.stable_hash(bytes));
        scratch.hashes.extend(hashes);
        &scratch.hashes
    };
    let index = states.keys_mut::<K>()?;
    index.intern_batch(&mut scratch.keys, hashes, &mut slots);
    for slot in &slots {
        states.touch(*slot);
    }
    states.fetch()?;
    states.look_ahead(&slots);
    let values = rows
        .values
        .into_iter()
        .zip(slots)
        .map(|(value, slot)| Keyed { slot, value })
        .collect();
    Ok(Rows {
        values,
        times: rows.times,
        hashes: Vec::new(),
    })
}

/// The records without their slots, which may be given back until they come again.
fn unkeyed<T: Data>(rows: Rows<Keyed<T>>) -> Payload {
    Box::new(Rows {
        values: rows.values.into_iter().map(|keyed| keyed.value).collect(),
        times: rows.times,
        hashes: Vec::new(),
    })
}

struct Scratch<K> {
    keys: Vec<K>,
    hashes: Vec<u64>,
    bytes: Vec<u8>,
}

impl<K> Scratch<K> {
    fn new() -> Self {
        Scratch {
            keys: Vec::new(),
            hashes: Vec::new(),
            bytes: Vec::new(),
        }
    }
}

struct AtKey<Op>(Op);

impl<T: Data, O: Data, Op: Operator<T, O>> Operator<Keyed<T>, O> for AtKey<Op> {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.0.open(ctx)
    }
    #[inline]
    fn process(
        &mut self,
        record: Record<Keyed<T>>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        ctx.set_slot(record.value.slot);
        self.0
            .process(Record::new(record.value.value, record.time), ctx, out)
    }
    fn resume(&mut self, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        self.0.resume(ctx, out)
    }
    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.0.on_event_timer(time, ctx, out)
    }
    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.0.on_processing_timer(time, ctx, out)
    }
    fn finish(&mut self, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        ctx.set_slot(Slot::NONE);
        self.0.finish(ctx, out)
    }
}

impl<A: Data, B: Data, O: Data, Op: TwoInputOperator<A, B, O>>
    TwoInputOperator<Keyed<A>, Keyed<B>, O> for AtKey<Op>
{
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.0.open(ctx)
    }
    fn process_first(
        &mut self,
        record: Record<Keyed<A>>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        ctx.set_slot(record.value.slot);
        self.0
            .process_first(Record::new(record.value.value, record.time), ctx, out)
    }
    fn process_second(
        &mut self,
        record: Record<Keyed<B>>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        ctx.set_slot(record.value.slot);
        self.0
            .process_second(Record::new(record.value.value, record.time), ctx, out)
    }
    fn resume(&mut self, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        self.0.resume(ctx, out)
    }
    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.0.on_event_timer(time, ctx, out)
    }
    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.0.on_processing_timer(time, ctx, out)
    }
    fn finish(&mut self, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
        ctx.set_slot(Slot::NONE);
        self.0.finish(ctx, out)
    }
}

macro_rules! forward_to_inner {
    () => {
        fn open(&mut self, ctx: &mut Context) -> Result<()> {
            self.inner.open(ctx)
        }
        fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
            let progress = self.inner.resume(ctx, out)?;
            swept(progress, ctx)
        }
        fn on_event_timer(
            &mut self,
            time: EventTime,
            ctx: &mut Context,
            out: &mut Outputs,
        ) -> Result<Progress> {
            let progress = self.inner.on_event_timer(time, ctx, out)?;
            swept(progress, ctx)
        }
        fn on_processing_timer(
            &mut self,
            time: ProcessingTime,
            ctx: &mut Context,
            out: &mut Outputs,
        ) -> Result<Progress> {
            let progress = self.inner.on_processing_timer(time, ctx, out)?;
            swept(progress, ctx)
        }
        fn after_timers(&mut self, out: &mut Outputs) {
            self.inner.after_timers(out);
        }
        fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
            self.inner.finish(ctx, out)
        }
    };
}

// Behind the macro, which it uses.
mod broadcast;
pub use broadcast::KeyedBroadcastRowsOperator;

// A slot may be given back only when no record of a batch in hand refers to it.
fn swept(progress: Progress, ctx: &mut Context) -> Result<Progress> {
    if progress == Progress::Done {
        ctx.set_slot(Slot::NONE);
        ctx.sweep()?;
    }
    Ok(progress)
}

/// Runs an [`Operator`] on batches of a keyed stream.
pub struct KeyedRowsOperator<T: Data, K, O: Data, Op> {
    inner: RowsOperator<Keyed<T>, O, AtKey<Op>>,
    selector: Arc<dyn KeySelector<T, K>>,
    scratch: Scratch<K>,
}

impl<T: Data, K: Key, O: Data, Op: Operator<T, O>> KeyedRowsOperator<T, K, O, Op> {
    /// Wraps an operator whose factory has declared its state.
    pub fn new(operator: Op, selector: Arc<dyn KeySelector<T, K>>, setup: &mut Setup<'_>) -> Self {
        setup.states.keyed_by::<K>();
        KeyedRowsOperator {
            inner: RowsOperator::new(AtKey(operator), setup),
            selector,
            scratch: Scratch::new(),
        }
    }
}

impl<T, K, O, Op> BatchOperator for KeyedRowsOperator<T, K, O, Op>
where
    T: Data,
    K: Key,
    O: Data,
    Op: Operator<T, O>,
{
    fn process(
        &mut self,
        port: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let rows = *downcast::<Rows<T>>(batch)?;
        let keyed = intern(rows, self.selector.as_ref(), &mut self.scratch, ctx)?;
        let progress = self.inner.process(port, Box::new(keyed), ctx, out)?;
        swept(progress, ctx)
    }

    fn give_back(&mut self) -> Option<(usize, Payload)> {
        let rows = self.inner.take_rest()?;
        Some((0, unkeyed(rows)))
    }

    forward_to_inner!();
}

/// Runs a [`TwoInputOperator`] on batches of two streams with the same key type.
pub struct KeyedTwoInputRowsOperator<A: Data, B: Data, K, O: Data, Op> {
    inner: TwoInputRowsOperator<Keyed<A>, Keyed<B>, O, AtKey<Op>>,
    first: Arc<dyn KeySelector<A, K>>,
    second: Arc<dyn KeySelector<B, K>>,
    scratch: Scratch<K>,
}

impl<A, B, K, O, Op> KeyedTwoInputRowsOperator<A, B, K, O, Op>
where
    A: Data,
    B: Data,
    K: Key,
    O: Data,
    Op: TwoInputOperator<A, B, O>,
{
    /// Wraps an operator whose factory has declared its state.
    pub fn new(
        operator: Op,
        first: Arc<dyn KeySelector<A, K>>,
        second: Arc<dyn KeySelector<B, K>>,
        setup: &mut Setup<'_>,
    ) -> Self {
        setup.states.keyed_by::<K>();
        KeyedTwoInputRowsOperator {
            inner: TwoInputRowsOperator::new(AtKey(operator), setup),
            first,
            second,
            scratch: Scratch::new(),
        }
    }
}

impl<A, B, K, O, Op> BatchOperator for KeyedTwoInputRowsOperator<A, B, K, O, Op>
where
    A: Data,
    B: Data,
    K: Key,
    O: Data,
    Op: TwoInputOperator<A, B, O>,
{
    fn process(
        &mut self,
        port: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let keyed: Payload = match port {
            0 => {
                let rows = *downcast::<Rows<A>>(batch)?;
                Box::new(intern(rows, self.first.as_ref(), &mut self.scratch, ctx)?)
            }
            1 => {
                let rows = *downcast::<Rows<B>>(batch)?;
                Box::new(intern(rows, self.second.as_ref(), &mut self.scratch, ctx)?)
            }
            other => return Err(Error::internal(format!("no input port {other}"))),
        };
        let progress = self.inner.process(port, keyed, ctx, out)?;
        swept(progress, ctx)
    }

    fn give_back(&mut self) -> Option<(usize, Payload)> {
        match self.inner.take_rest() {
            (Some(rows), _) => Some((0, unkeyed(rows))),
            (None, Some(rows)) => Some((1, unkeyed(rows))),
            (None, None) => None,
        }
    }

    forward_to_inner!();
}
