//! A keyed stream on its way into windows.

use std::marker::PhantomData;
use std::ops::AddAssign;
use std::time::Duration;

use thalweg_core::data::{Data, Key};
use thalweg_core::error::Result;
use thalweg_core::operator::{AggregateFunction, OutputTag};
use thalweg_core::state::StateRegistry;
use thalweg_core::time::duration_millis;

use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;
use crate::operators::max::{max_by_of, max_of};
use crate::operators::min::{min_by_of, min_of};
use crate::operators::sum::sum_of;
use crate::window::contents::{
    Aggregating, Contents, Evicting, Fold, Folding, Gather, Processed, Reducing,
};
use crate::window::function::Closure;
use crate::window::operator::{WindowOperator, WindowSettings};
use crate::window::{
    Collector, CountEvictor, CountTrigger, Evictor, GlobalWindows, NeverTrigger,
    ProcessWindowFunction, PurgingTrigger, Trigger, WindowAssigner, WindowContext,
};

/// A stream whose records are grouped into the windows of `A`, which fire by `Tr`.
///
/// | Setting                   | Default                                                         |
/// |---------------------------|-----------------------------------------------------------------|
/// | `trigger`                 | the assigner's                                                  |
/// | `evictor`                 | none: windows keep accumulators, not records                    |
/// | `allowed_lateness`        | zero                                                            |
/// | `side_output_late_data`   | none: late records are dropped and counted                      |
#[derive(Clone)]
pub struct WindowedStream<K, T, A, Tr, E = NoEvictor> {
    stream: KeyedStream<K, T>,
    assigner: A,
    trigger: Tr,
    evictor: E,
    lateness_ms: i64,
    late: Option<OutputTag<T>>,
    // All keys are one: the operator has one instance.
    all: bool,
}
