//! Joins records of two keyed streams that are close to each other in time.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | two, keyed by one type, any order, with timestamps                          |
//! | Output   | what the function emits, a call a pair; timestamp: the later of the pair    |
//! | State    | `buffers`: ValueState, the records a partner may still come for             |
//! | Timers   | event time, one a key, at the next record to be forgotten                   |
//! | Late     | a record behind the watermark is dropped and counted, or goes to its late   |
//! |          | output                                                                      |
//! | Cost     | a search in the other side's buffer and an insertion into the own a record  |
//! | Source   | Flink `KeyedStream.intervalJoin`, `IntervalJoinOperator`                    |

use thalweg_core::data::{Data, Key};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Output, OutputTag, TwoInputOperator};
use thalweg_core::rows::Record;
use thalweg_core::state::ValueState;
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

use crate::stream::{DataStream, KeyedStream};
use crate::window::Collector;

impl<K: Key, A: Data> KeyedStream<K, A> {
    /// Joins each record with those of `other` that have the same key and a timestamp within
    /// bounds around its own.
    ///
    /// # Examples
    /// ```
    /// # let env = thalweg_testkit::environment();
    /// use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
    ///
    /// let strategy = || WatermarkStrategy::for_monotonous_timestamps()
    ///     .with_timestamp_assigner(|n: &i64| *n);
    /// let orders = env.from_collection([10i64, 20]).assign_timestamps_and_watermarks(strategy());
    /// let payments = env.from_collection([8i64, 12, 30]).assign_timestamps_and_watermarks(strategy());
    /// let mut paid = orders
    ///     .key_by(|_| ())
    ///     .interval_join(&payments.key_by(|_| ()))
    ///     .between_ms(0, 10)
    ///     .process(|order, payment, out| {
    ///         out.collect((*order, *payment));
    ///         Ok(())
    ///     })
    ///     .execute_and_collect()?;
    /// paid.sort();
    /// assert_eq!(paid, [(10, 12), (20, 30)]);
    /// # Ok::<(), thalweg_core::Error>(())
    /// ```
    /// # Source
    /// Flink `KeyedStream.intervalJoin`.
    pub fn interval_join<B: Data>(&self, other: &KeyedStream<K, B>) -> IntervalJoin<K, A, B> {
        IntervalJoin {
            left: self.clone(),
            right: other.clone(),
            bounds: Bounds { lower: 0, upper: 0 },
            left_late: None,
            right_late: None,
        }
    }
}

/// An interval join under construction; without bounds it joins equal timestamps.
pub struct IntervalJoin<K, A, B> {
    left: KeyedStream<K, A>,
    right: KeyedStream<K, B>,
    bounds: Bounds,
    left_late: Option<OutputTag<A>>,
    right_late: Option<OutputTag<B>>,
}

/// Of the right record's timestamp minus the left one's, inclusive, in milliseconds.
#[derive(Clone, Copy)]
struct Bounds {
    lower: i64,
    upper: i64,
}

impl<K: Key, A: Data, B: Data> IntervalJoin<K, A, B> {
    /// A right record joins when its timestamp is at least `lower` and at most `upper`
    /// milliseconds behind the left one's. Both are inclusive and may be negative.
    #[must_use]
    pub fn between_ms(mut self, lower: i64, upper: i64) -> Self {
        self.bounds = Bounds { lower, upper };
        self
    }

    /// Makes the lower bound exclusive. Call it after [`IntervalJoin::between_ms`], once.
    #[must_use]
    pub fn lower_bound_exclusive(mut self) -> Self {
        self.bounds.lower = self.bounds.lower.saturating_add(1);
        self
    }

    /// Makes the upper bound exclusive. Call it after [`IntervalJoin::between_ms`], once.
    #[must_use]
    pub fn upper_bound_exclusive(mut self) -> Self {
        self.bounds.upper = self.bounds.upper.saturating_sub(1);
        self
    }

    /// Sends left records that are behind the watermark to a side output of the result.
    #[must_use]
    pub fn side_output_left_late_data(mut self, tag: &OutputTag<A>) -> Self {
        self.left_late = Some(tag.clone());
        self
    }

    /// Sends right records that are behind the watermark to a side output of the result.
    #[must_use]
    pub fn side_output_right_late_data(mut self, tag: &OutputTag<B>) -> Self {
        self.right_late = Some(tag.clone());
        self
    }

    /// Calls a function with every pair: left, right, results.
    pub fn process<O, F>(self, function: F) -> DataStream<O>
    where
        O: Data,
        F: Fn(&A, &B, &mut Collector<'_, O>) -> Result<()> + Clone + Send + Sync + 'static,
    {
        let IntervalJoin {
            left,
            right,
            bounds,
            left_late,
            right_late,
        } = self;
        left.connect(&right)
            .apply("IntervalJoin", move |states| Join {
                buffers: states.value("buffers"),
                bounds,
                left_late: left_late.clone(),
                right_late: right_late.clone(),
                function: function.clone(),
            })
    }
}

/// The records of a key that may still find a partner, by timestamp, then by arrival.
#[derive(Clone, thalweg_core::Data)]
struct Buffers<A, B> {
    left: Vec<(i64, A)>,
    right: Vec<(i64, B)>,
    /// When the key's timer fires.
    armed: Option<i64>,
}

impl<A, B> Buffers<A, B> {
    fn new() -> Self {
        Buffers {
            left: Vec::new(),
            right: Vec::new(),
            armed: None,
        }
    }
}

impl Bounds {
    /// The last instant at which a partner of a left record may come.
    fn left_until(self, time: i64) -> i64 {
        time.saturating_add(self.upper.max(0))
    }

    /// The last instant at which a partner of a right record may come.
    fn right_until(self, time: i64) -> i64 {
        time.saturating_sub(self.lower.min(0))
    }
}

fn insert<T>(buffer: &mut Vec<(i64, T)>, time: i64, value: T) {
    let position = buffer.partition_point(|(other, _)| *other <= time);
    buffer.insert(position, (time, value));
}

/// The records between two instants, inclusive.
fn between<T>(buffer: &[(i64, T)], from: i64, to: i64) -> &[(i64, T)] {
    let start = buffer.partition_point(|(time, _)| *time < from);
    let end = buffer.partition_point(|(time, _)| *time <= to);
    buffer.get(start..end).unwrap_or_default()
}

struct Join<A, B, F> {
    buffers: ValueState<Buffers<A, B>>,
    bounds: Bounds,
    left_late: Option<OutputTag<A>>,
    right_late: Option<OutputTag<B>>,
    function: F,
}

/// Whether a record may join; a late one is sent away.
fn on_time<T: Data, O: Data>(
    record: Record<T>,
    tag: Option<&OutputTag<T>>,
    ctx: &Context,
    out: &mut Output<O>,
) -> Result<Option<Record<T>>> {
    if record.time == EventTime::NONE {
        return Err(Error::user(
            "a record without a timestamp met an interval join: call \
             `assign_timestamps_and_watermarks` first",
        ));
    }
    let watermark = ctx.watermark();
    if watermark == Watermark::MIN || record.time.0 >= watermark.0 {
        return Ok(Some(record));
    }
    match tag {
        Some(tag) => out.side(tag, record),
        None => ctx.metrics().late_dropped.add(1),
    }
    Ok(None)
}

/// Makes sure that the key's timer fires at `until` or before.
fn arm(armed: &mut Option<i64>, until: i64) -> Option<EventTime> {
    if armed.is_some_and(|at| at <= until) {
        return None;
    }
    *armed = Some(until);
    Some(EventTime(until))
}

impl<A, B, O, F> TwoInputOperator<A, B, O> for Join<A, B, F>
where
    A: Data,
    B: Data,
    O: Data,
    F: Fn(&A, &B, &mut Collector<'_, O>) -> Result<()> + Send + 'static,
{
    fn process_first(
        &mut self,
        record: Record<A>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let Some(record) = on_time(record, self.left_late.as_ref(), ctx, out)? else {
            return Ok(());
        };
        let (bounds, time) = (self.bounds, record.time.0);
        let buffers = self.buffers.get_or_insert_with(ctx, Buffers::new)?;
        let from = time.saturating_add(bounds.lower);
        let to = time.saturating_add(bounds.upper);
        for (other, right) in between(&buffers.right, from, to) {
            let mut out = Collector::new(out, EventTime(time.max(*other)));
            (self.function)(&record.value, right, &mut out)?;
        }
        insert(&mut buffers.left, time, record.value);
        if let Some(at) = arm(&mut buffers.armed, bounds.left_until(time)) {
            ctx.register_event_timer(at);
        }
        Ok(())
    }

    fn process_second(
        &mut self,
        record: Record<B>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        let Some(record) = on_time(record, self.right_late.as_ref(), ctx, out)? else {
            return Ok(());
        };
        let (bounds, time) = (self.bounds, record.time.0);
        let buffers = self.buffers.get_or_insert_with(ctx, Buffers::new)?;
        let from = time.saturating_sub(bounds.upper);
        let to = time.saturating_sub(bounds.lower);
        for (other, left) in between(&buffers.left, from, to) {
            let mut out = Collector::new(out, EventTime(time.max(*other)));
            (self.function)(left, &record.value, &mut out)?;
        }
        insert(&mut buffers.right, time, record.value);
        if let Some(at) = arm(&mut buffers.armed, bounds.right_until(time)) {
            ctx.register_event_timer(at);
        }
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        _: &mut Output<O>,
    ) -> Result<()> {
        let Some(mut buffers) = self.buffers.take(ctx)? else {
            return Ok(());
        };
        // A later timer whose place an earlier one took has nothing to say.
        if buffers.armed != Some(time.0) {
            return self.buffers.set(ctx, buffers);
        }
        let bounds = self.bounds;
        let gone = |until: i64| until <= time.0;
        let left = buffers
            .left
            .partition_point(|(at, _)| gone(bounds.left_until(*at)));
        buffers.left.drain(..left);
        let right = buffers
            .right
            .partition_point(|(at, _)| gone(bounds.right_until(*at)));
        buffers.right.drain(..right);
        let left = buffers.left.first().map(|(at, _)| bounds.left_until(*at));
        let right = buffers.right.first().map(|(at, _)| bounds.right_until(*at));
        buffers.armed = left.into_iter().chain(right).min();
        let Some(next) = buffers.armed else {
            return Ok(());
        };
        ctx.register_event_timer(EventTime(next));
        self.buffers.set(ctx, buffers)
    }
}
