//! How many events a second the `nexmark` connector makes on one core, for some tables.
//!
//! ```text
//!   cargo run --release -p thalweg-connector-builtin --example nexmark_speed
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use thalweg_columnar::connector::{ScanRequest, TableSpec};
use thalweg_connector_builtin::connectors;
use thalweg_core::error::{Error, Result};
use thalweg_core::host::Waker;
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{Context, Outputs, Setup, SubtaskInfo};
use thalweg_core::source::Poll;
use thalweg_core::state::StateRegistry;

const EVENTS: &str = "20000000";

const PERSON: &str = "id:b name:s emailAddress:s creditCard:s city:s state:s dateTime:t extra:s";
const AUCTION: &str = "id:b itemName:s description:s initialBid:b reserve:b dateTime:t expires:t \
                       seller:b category:b extra:s";
const BID: &str = "auction:b bidder:b price:b channel:s url:s dateTime:t extra:s";

fn main() -> Result<()> {
    println!(
        "{:<34} {:>12} {:>14} {:>14}",
        "table", "rows", "M rows/s", "M events/s"
    );
    for (name, entity, columns) in [
        ("bid, all columns", "bid", BID),
        (
            "bid, auction bidder price dateTime",
            "bid",
            "auction:b bidder:b price:b dateTime:t",
        ),
        ("bid, auction price", "bid", "auction:b price:b"),
        ("bid, channel url", "bid", "channel:s url:s"),
        ("auction, all columns", "auction", AUCTION),
        ("person, all columns", "person", PERSON),
    ] {
        measure(name, Some(entity), fields(columns))?;
    }
    let row = |name: &str, columns| {
        let inner = Fields::from(fields(columns));
        Arc::new(Field::new(name, DataType::Struct(inner), true))
    };
    let kind = || Arc::new(Field::new("event_type", DataType::Int32, true));
    let all = vec![
        kind(),
        row("person", PERSON),
        row("auction", AUCTION),
        row("bid", BID),
    ];
    measure("all events, all columns", None, all)?;
    measure(
        "all events, event_type bid",
        None,
        vec![kind(), row("bid", BID)],
    )
}

fn fields(columns: &str) -> Vec<FieldRef> {
    let field = |part: &str| {
        let (name, kind) = part.split_once(':').unwrap_or((part, "s"));
        let data_type = match kind {
            "b" => DataType::Int64,
            "t" => DataType::Timestamp(TimeUnit::Millisecond, None),
            _ => DataType::Utf8View,
        };
        Arc::new(Field::new(name, data_type, true))
    };
    columns.split_whitespace().map(field).collect()
}

#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

fn measure(name: &str, entity: Option<&str>, columns: Vec<FieldRef>) -> Result<()> {
    let options = [("events.num", Some(EVENTS)), ("entity", entity)];
    let spec = TableSpec {
        name: name.to_owned(),
        schema: Arc::new(Schema::new(columns)),
        metadata: Vec::new(),
        options: options
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect(),
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
    };
    let mut best = Duration::MAX;
    let mut rows = 0;
    for _ in 0..3 {
        let start = now();
        rows = run(&spec)?;
        best = best.min(start.elapsed());
    }
    let rate = |count: f64| count / best.as_secs_f64() / 1e6;
    let events: f64 = EVENTS.parse().unwrap_or(0.0);
    let (rows_rate, events_rate) = (rate(rows as f64), rate(events));
    println!("{name:<34} {rows:>12} {rows_rate:>14.1} {events_rate:>14.1}");
    Ok(())
}

fn run(spec: &TableSpec) -> Result<u64> {
    let scan = ScanRequest {
        projection: (0..spec.schema.fields().len()).collect(),
        metadata: Vec::new(),
        batch_rows: 4096,
    };
    let connector = connectors()
        .into_iter()
        .find(|connector| connector.identifier() == "nexmark")
        .ok_or_else(|| Error::internal("the connector is gone"))?;
    let source = connector.source(spec, &scan)?;
    let info = SubtaskInfo {
        operator: "source".to_owned(),
        index: 0,
        parallelism: 1,
        max_parallelism: 128,
    };
    let mut states = StateRegistry::default();
    let mut reader = source.create(&mut Setup {
        states: &mut states,
        info: &info,
        waker: Waker::none(),
        batch_rows: 4096,
        metrics: OperatorMetrics::default(),
    })?;
    let mut ctx = Context::new(states, info, OperatorMetrics::default());
    let mut out = Outputs::new(4096, Vec::new());
    reader.open(&mut ctx)?;
    while reader.poll(&mut ctx, &mut out)? != Poll::End {
        while let Some(element) = out.pop() {
            std::hint::black_box(element);
        }
    }
    Ok(out.records_out())
}
