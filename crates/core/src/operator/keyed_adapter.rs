//! Turns typed operators over keyed streams into batch operators.
//!
//! The keys of a batch are looked up first, all together, which lets the cache misses of a large
//! key index overlap; then each record is processed with the context at its key's slot.

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

fn intern<T: Data, K: Key>(
    rows: Rows<T>,
    selector: &impl Fn(&T) -> K,
    scratch: &mut Vec<u8>,
    ctx: &mut Context,
) -> Result<Rows<Keyed<T>>> {
    let states = ctx.states_mut();
    let mut slots = Vec::with_capacity(rows.len());
    let keys = states.keys_mut::<K>()?;
    if rows.hashes.len() == rows.values.len() {
        for (value, hash) in rows.values.iter().zip(&rows.hashes) {
            slots.push(keys.intern(selector(value), *hash));
        }
    } else {
        for value in &rows.values {
            let key = selector(value);
            let hash = key.stable_hash(scratch);
            slots.push(keys.intern(key, hash));
        }
    }
    for slot in &slots {
        states.touch(*slot);
    }
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
            Ok(swept(progress, ctx))
        }
        fn on_event_timer(
            &mut self,
            time: EventTime,
            ctx: &mut Context,
            out: &mut Outputs,
        ) -> Result<Progress> {
            let progress = self.inner.on_event_timer(time, ctx, out)?;
            Ok(swept(progress, ctx))
        }
        fn on_processing_timer(
            &mut self,
            time: ProcessingTime,
            ctx: &mut Context,
            out: &mut Outputs,
        ) -> Result<Progress> {
            let progress = self.inner.on_processing_timer(time, ctx, out)?;
            Ok(swept(progress, ctx))
        }
        fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
            self.inner.finish(ctx, out)
        }
    };
}

// A slot may be given back only when no record of a batch in hand refers to it.
fn swept(progress: Progress, ctx: &mut Context) -> Progress {
    if progress == Progress::Done {
        ctx.set_slot(Slot::NONE);
        ctx.states_mut().sweep();
    }
    progress
}

/// Runs an [`Operator`] on batches of a stream keyed by `selector`.
pub struct KeyedRowsOperator<T: Data, O: Data, F, Op> {
    inner: RowsOperator<Keyed<T>, O, AtKey<Op>>,
    selector: F,
    scratch: Vec<u8>,
}

impl<T: Data, O: Data, F, Op: Operator<T, O>> KeyedRowsOperator<T, O, F, Op> {
    /// Wraps an operator; the factory must have called `setup.states.keyed_by::<K>()`.
    pub fn new(operator: Op, selector: F, setup: &Setup<'_>) -> Self {
        KeyedRowsOperator {
            inner: RowsOperator::new(AtKey(operator), setup),
            selector,
            scratch: Vec::new(),
        }
    }
}

impl<T, O, K, F, Op> BatchOperator for KeyedRowsOperator<T, O, F, Op>
where
    T: Data,
    O: Data,
    K: Key,
    F: Fn(&T) -> K + Send,
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
        let keyed = intern(rows, &self.selector, &mut self.scratch, ctx)?;
        let progress = self.inner.process(port, Box::new(keyed), ctx, out)?;
        Ok(swept(progress, ctx))
    }

    forward_to_inner!();
}

/// Runs a [`TwoInputOperator`] on batches of two streams with the same key type.
pub struct KeyedTwoInputRowsOperator<A: Data, B: Data, O: Data, F, G, Op> {
    inner: TwoInputRowsOperator<Keyed<A>, Keyed<B>, O, AtKey<Op>>,
    first: F,
    second: G,
    scratch: Vec<u8>,
}

impl<A, B, O, F, G, Op> KeyedTwoInputRowsOperator<A, B, O, F, G, Op>
where
    A: Data,
    B: Data,
    O: Data,
    Op: TwoInputOperator<A, B, O>,
{
    /// Wraps an operator; the factory must have called `setup.states.keyed_by::<K>()`.
    pub fn new(operator: Op, first: F, second: G, setup: &Setup<'_>) -> Self {
        KeyedTwoInputRowsOperator {
            inner: TwoInputRowsOperator::new(AtKey(operator), setup),
            first,
            second,
            scratch: Vec::new(),
        }
    }
}

impl<A, B, O, K, F, G, Op> BatchOperator for KeyedTwoInputRowsOperator<A, B, O, F, G, Op>
where
    A: Data,
    B: Data,
    O: Data,
    K: Key,
    F: Fn(&A) -> K + Send,
    G: Fn(&B) -> K + Send,
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
                Box::new(intern(rows, &self.first, &mut self.scratch, ctx)?)
            }
            1 => {
                let rows = *downcast::<Rows<B>>(batch)?;
                Box::new(intern(rows, &self.second, &mut self.scratch, ctx)?)
            }
            other => return Err(Error::internal(format!("no input port {other}"))),
        };
        let progress = self.inner.process(port, keyed, ctx, out)?;
        Ok(swept(progress, ctx))
    }

    forward_to_inner!();
}
