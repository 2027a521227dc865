//! Windows: finite pieces of a keyed stream.
//!
//! ```text
//!   record ─▶ assigner ─▶ windows ─▶ pane of (key, window) ─▶ trigger ─▶ window function ─▶ result
//!             which?                 contents, trigger state,  when?     what?
//!                                    timers                    ▲
//!                                                  clock, watermark
//! ```
//!
//! *Assigner*: says in which windows a record belongs, and whether windows merge.
//! *Trigger*: says when the contents are emitted (fire), and when they are forgotten (purge).
//! *Evictor*: removes records from the contents before or after the function sees them.
//! *Window function*: folds records as they come, or sees all of them when the window fires.
//!
//! INVARIANT: a pane lives until its cleanup time (its window's last instant plus the allowed
//! lateness, in event time); a record is late only when all its windows are past theirs. A result's
//! timestamp is its window's last instant, `end - 1` ms.

pub mod assigner;
pub mod evictor;
pub mod function;
pub mod time_window;
pub mod trigger;

pub(crate) mod contents;
mod few;
mod merging;
pub(crate) mod operator;
mod pane;

pub use assigner::WindowAssigner;
pub use assigner::global::GlobalWindows;
pub use assigner::session::{
    DynamicEventTimeSessionWindows, DynamicProcessingTimeSessionWindows, EventTimeSessionWindows,
    ProcessingTimeSessionWindows,
};
pub use assigner::sliding::{SlidingEventTimeWindows, SlidingProcessingTimeWindows};
pub use assigner::tumbling::{
    TumblingEventTimeWindows, TumblingProcessingTimeWindows, WindowStagger,
};
pub use evictor::{CountEvictor, DeltaEvictor, Elements, Evictor, EvictorContext, TimeEvictor};
pub use function::{Collector, ProcessWindowFunction, WindowContext};
pub use time_window::{GlobalWindow, TimeWindow, Window};
pub use trigger::continuous::{ContinuousEventTimeTrigger, ContinuousProcessingTimeTrigger};
pub use trigger::count::CountTrigger;
pub use trigger::delta::DeltaTrigger;
pub use trigger::event_time::EventTimeTrigger;
pub use trigger::never::NeverTrigger;
pub use trigger::processing_time::ProcessingTimeTrigger;
pub use trigger::purging::PurgingTrigger;
pub use trigger::timeout::ProcessingTimeoutTrigger;
pub use trigger::{Trigger, TriggerContext, TriggerResult};
