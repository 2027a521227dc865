//! A keyed stream and a broadcast one.

use std::sync::Arc;

use super::{KeySelector, Keyed, Scratch, intern, swept, unkeyed};
use crate::container::{Payload, downcast};
use crate::data::{Data, Key};
use crate::error::Result;
use crate::operator::broadcast::forward_broadcast;
use crate::operator::{
    BatchOperator, BroadcastContext, BroadcastOperator, Context, Output, Outputs, Progress, Setup,
    TwoInputOperator, TwoInputRowsOperator,
};
use crate::rows::{Record, Rows};
use crate::time::{EventTime, ProcessingTime};

/// Its first input has keys, its second has none.
struct BroadcastAtKey<Op>(Op);

impl<T, B, O, Op> TwoInputOperator<Keyed<T>, B, O> for BroadcastAtKey<Op>
where
    T: Data,
    B: Data,
    O: Data,
    Op: BroadcastOperator<T, B, O>,
{
    #[inline]
    fn process_first(
        &mut self,
        record: Record<Keyed<T>>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        ctx.set_slot(record.value.slot);
        self.0
            .process(Record::new(record.value.value, record.time), ctx, out)
    }

    forward_broadcast!();
}

/// Runs a [`BroadcastOperator`] on batches of a keyed stream and of a broadcast one.
pub struct KeyedBroadcastRowsOperator<T: Data, B: Data, K, O: Data, Op> {
    inner: TwoInputRowsOperator<Keyed<T>, B, O, BroadcastAtKey<Op>>,
    selector: Arc<dyn KeySelector<T, K>>,
    scratch: Scratch<K>,
}

impl<T, B, K, O, Op> KeyedBroadcastRowsOperator<T, B, K, O, Op>
where
    T: Data,
    B: Data,
    K: Key,
    O: Data,
    Op: BroadcastOperator<T, B, O>,
{
    /// Wraps an operator whose factory has declared its state.
    pub fn new(operator: Op, selector: Arc<dyn KeySelector<T, K>>, setup: &mut Setup<'_>) -> Self {
        setup.states.keyed_by::<K>();
        KeyedBroadcastRowsOperator {
            inner: TwoInputRowsOperator::new(BroadcastAtKey(operator), setup),
            selector,
            scratch: Scratch::new(),
        }
    }
}

impl<T, B, K, O, Op> BatchOperator for KeyedBroadcastRowsOperator<T, B, K, O, Op>
where
    T: Data,
    B: Data,
    K: Key,
    O: Data,
    Op: BroadcastOperator<T, B, O>,
{
    fn process(
        &mut self,
        port: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let batch: Payload = match port {
            0 => {
                let rows = *downcast::<Rows<T>>(batch)?;
                let scratch = &mut self.scratch;
                Box::new(intern(rows, self.selector.as_ref(), scratch, ctx)?)
            }
            _ => batch,
        };
        let progress = self.inner.process(port, batch, ctx, out)?;
        swept(progress, ctx)
    }

    fn give_back(&mut self) -> Option<(usize, Payload)> {
        match self.inner.take_rest() {
            (Some(rows), _) => Some((0, unkeyed(rows))),
            (None, Some(rows)) => Some((1, Box::new(rows))),
            (None, None) => None,
        }
    }

    forward_to_inner!();
}
