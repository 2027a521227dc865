//! The operator contract: what user code and library operators implement, and who calls what when.
//!
//! An operator is a synchronous state machine over records. It declares named state and timers
//! and never sees a barrier, a snapshot, a thread, a socket or a clock, and never forwards a
//! watermark: the runtime does these for all operators, once.
//!
//! ```text
//!   factory.create(setup)      declares state and timers; called once an instance
//!        │                     (the runtime now restores declared state)
//!      open ───────────────────────────────────────────────┐
//!        │                                                 │  one thread at a time
//!   ┌─▶ process(batch) ──▶ Done                            │  never concurrently
//!   │     └─▶ Pending ──▶ resume … ──▶ Done                │
//!   │                     (output full: the runtime first  │
//!   │                      drains it, then calls again)    │
//!   ├── on_event_timer       watermark ≥ timer, in order   │  before the watermark goes on
//!   ├── on_processing_timer  clock ≥ timer                 │
//!   │                                                      │
//!   └── (the runtime snapshots here: between two calls,    │
//!        never while an operator is `Pending`)             │
//!      finish ── every input ended, all event timers fired ┘
//! ```
//!
//! Two layers: [`Operator`], [`TwoInputOperator`] and [`BroadcastOperator`] are typed and called
//! once a record; [`BatchOperator`] is what the runtime calls, once a batch. The adapters in this module turn the
//! first into the second with the record loop inside, monomorphised. Column operators implement
//! [`BatchOperator`] themselves.

mod adapter;
mod batch;
mod broadcast;
mod context;
mod keyed_adapter;
mod output;
mod outputs;
mod typed;
mod watermark_output;

pub use adapter::{RowsOperator, TwoInputRowsOperator};
pub use batch::{BatchOperator, OperatorFactory, Progress, Setup, SubtaskInfo};
pub use broadcast::{BroadcastContext, BroadcastOperator, Broadcasting};
pub use context::Context;
pub use keyed_adapter::{
    KeySelector, KeyedBroadcastRowsOperator, KeyedRowsOperator, KeyedTwoInputRowsOperator,
};
pub use output::{Output, OutputTag};
pub use outputs::{OutputElement, Outputs};
pub use typed::{AggregateFunction, Operator, TwoInputOperator};
pub use watermark_output::WatermarkOutput;
