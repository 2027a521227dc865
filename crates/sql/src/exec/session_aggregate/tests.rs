//! Sessions of many keys: what is left when they have ended.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use thalweg_core::host::Waker;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{OutputElement, SubtaskInfo};
use thalweg_core::state::StateRegistry;

use super::super::aggregate::{AggregateCall, AggregateKind};
use super::super::window_aggregate::{Phase, WindowColumn};
use super::super::window_spec::WindowSpec;
use super::*;

fn spec() -> WindowAggregateSpec {
    let fields = vec![
        Field::new("k", DataType::Int64, true),
        Field::new("n", DataType::Int64, false),
    ];
    let count = AggregateCall {
        kind: AggregateKind::Count,
        args: Vec::new(),
        arg_types: Vec::new(),
        filter: None,
        distinct: false,
        result: DataType::Int64,
    };
    WindowAggregateSpec {
        phase: Phase::Complete,
        window: WindowSpec::Session { gap: 10 },
        time: Arc::new(Column::new("ts", 1)),
        keys: vec![Arc::new(Column::new("k", 0))],
        key_types: vec![DataType::Int64],
        calls: vec![count],
        columns: vec![WindowColumn::Key(0), WindowColumn::Call(0)],
        schema: Arc::new(Schema::new(fields)),
        updates: false,
    }
}

fn rows(keys: std::ops::Range<i64>, time: i64) -> Box<ColumnBatch> {
    let times = TimestampMillisecondArray::from_iter_values(keys.clone().map(|_| time));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(keys)),
        Arc::new(times),
    ];
    let ts = DataType::Timestamp(TimeUnit::Millisecond, None);
    let fields = vec![
        Field::new("k", DataType::Int64, true),
        Field::new("ts", ts, true),
    ];
    let records = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    Box::new(ColumnBatch::insertions(records))
}

#[test]
fn a_key_without_a_session_is_forgotten_even_if_its_rows_are_late() {
    let info = SubtaskInfo {
        operator: "SessionAggregate".to_owned(),
        index: 0,
        parallelism: 1,
        max_parallelism: 8,
    };
    let mut states = StateRegistry::default();
    let mut setup = Setup {
        states: &mut states,
        info: &info,
        waker: Waker::none(),
        batch_rows: 16,
        metrics: OperatorMetrics::default(),
    };
    let mut operator = SessionAggregate::new(spec(), &mut setup).unwrap();
    let mut ctx = Context::new(states, info, OperatorMetrics::default());
    let mut out = Outputs::new(16, Vec::new());
    // Keys 0 to 99 end first; keys 100 to 149 go on, and 50 to 149 have a second session open.
    for (keys, time) in [(0..100, 0), (100..150, 5), (50..150, 30)] {
        let done = operator.process(0, rows(keys, time), &mut ctx, &mut out);
        assert_eq!(done.unwrap(), Progress::Done);
    }
    let keys =
        |ctx: &Context, operator: &SessionAggregate| ctx.states().get(&operator.table).keys.count();
    assert_eq!(keys(&ctx, &operator), 150);
    ctx.set_watermark(Watermark(20));
    let mut emitted = 0;
    while let Some(time) = ctx.pop_event_timer().unwrap() {
        let mut progress = operator.on_event_timer(time, &mut ctx, &mut out).unwrap();
        loop {
            while let Some(OutputElement::Main(payload)) = out.pop() {
                emitted += downcast::<ColumnBatch>(payload).unwrap().num_rows();
            }
            if progress == Progress::Done {
                break;
            }
            progress = operator.resume(&mut ctx, &mut out).unwrap();
        }
    }
    assert_eq!(emitted, 150);
    assert_eq!(keys(&ctx, &operator), 100);
    // Late rows of keys that are there and of others.
    let done = operator.process(0, rows(0..120, 1), &mut ctx, &mut out);
    assert_eq!(done.unwrap(), Progress::Done);
    assert_eq!(ctx.metrics().late_dropped.get(), 120);
    assert_eq!(keys(&ctx, &operator), 100);
}
