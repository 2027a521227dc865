//! Prints how many Nexmark-like rows a second one thread decodes from JSON and CSV.
//!
//! `cargo run --release -p thalweg-formats --example decode_speed [-- part of a case's name [file]]`
//!
//! The file holds Nexmark events as JSON, to be decoded in the place of those made here.
#![allow(clippy::unwrap_used, clippy::type_complexity)]
#![allow(clippy::disallowed_methods, reason = "measures time")]

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use thalweg_formats::{FormatOptions, decoder, encoder};

const ROWS: usize = 400_000;
const RUNS: usize = 9;
const CHUNK: usize = 1 << 20;
const BATCH_ROWS: usize = 8_192;

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn timestamp(name: &str) -> Field {
    field(name, DataType::Timestamp(TimeUnit::Millisecond, None))
}

fn bid_fields() -> Vec<Field> {
    vec![
        field("auction", DataType::Int64),
        field("bidder", DataType::Int64),
        field("price", DataType::Int64),
        field("channel", DataType::Utf8View),
        field("url", DataType::Utf8View),
        timestamp("dateTime"),
        field("extra", DataType::Utf8View),
    ]
}

fn event_schema() -> SchemaRef {
    let row = |name: &str, fields: Vec<Field>| field(name, DataType::Struct(Fields::from(fields)));
    let text = |name: &str| field(name, DataType::Utf8View);
    let big = |name: &str| field(name, DataType::Int64);
    let person = vec![
        big("id"),
        text("name"),
        text("emailAddress"),
        text("creditCard"),
        text("city"),
        text("state"),
        timestamp("dateTime"),
        text("extra"),
    ];
    let auction = vec![
        big("id"),
        text("itemName"),
        text("description"),
        big("initialBid"),
        big("reserve"),
        timestamp("dateTime"),
        timestamp("expires"),
        big("seller"),
        big("category"),
        text("extra"),
    ];
    Arc::new(Schema::new(vec![
        field("event_type", DataType::Int32),
        row("person", person),
        row("auction", auction),
        row("bid", bid_fields()),
    ]))
}

/// What a query over bids, or one that needs only the time of each event, wants of the events.
fn few_fields(with_bid: &[&str]) -> SchemaRef {
    let all = event_schema();
    let narrow = |name: &str, wanted: &[&str]| {
        let row = all.field_with_name(name).unwrap();
        let DataType::Struct(fields) = row.data_type() else {
            panic!("{name} is no ROW");
        };
        let kept = fields
            .iter()
            .filter(|f| wanted.contains(&f.name().as_str()));
        field(name, DataType::Struct(kept.cloned().collect()))
    };
    Arc::new(Schema::new(vec![
        field("event_type", DataType::Int32),
        narrow("person", &["dateTime"]),
        narrow("auction", &["dateTime"]),
        narrow("bid", with_bid),
    ]))
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn text(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| char::from(b'a' + self.below(26) as u8))
            .collect()
    }
}

struct Texts {
    bids: Vec<u8>,
    events: Vec<u8>,
    csv: Vec<u8>,
}

fn generate() -> Texts {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut texts = Texts {
        bids: vec![],
        events: vec![],
        csv: vec![],
    };
    for i in 0..ROWS as u64 {
        let time = format!(
            "2024-03-09 {:02}:{:02}:{:02}.{:03}",
            i / 36_000_000 % 24,
            i / 600_000 % 60,
            i / 10_000 % 60,
            i / 10 % 1_000
        );
        let (id, extra_len) = (1_000 + random.below(i + 10), 60 + random.below(45) as usize);
        let extra = random.text(extra_len);
        if i % 50 == 0 {
            writeln!(texts.events, "{{\"event_type\":0,\"person\":{{\"id\":{id},\"name\":\"Ann Lee\",\"emailAddress\":\"a@b.com\",\"creditCard\":\"1111 2222 3333 4444\",\"city\":\"Boise\",\"state\":\"ID\",\"dateTime\":\"{time}\",\"extra\":\"{extra}\"}},\"auction\":null,\"bid\":null}}").unwrap();
        } else if i % 50 < 4 {
            writeln!(texts.events, "{{\"event_type\":1,\"person\":null,\"auction\":{{\"id\":{id},\"itemName\":\"thing\",\"description\":\"{extra}\",\"initialBid\":17,\"reserve\":99,\"dateTime\":\"{time}\",\"expires\":\"{time}\",\"seller\":{id},\"category\":13,\"extra\":\"{extra}\"}},\"bid\":null}}").unwrap();
        }
        let (bidder, price) = (
            1_000 + random.below(i / 4 + 10),
            100 + random.below(100_000_000),
        );
        let channel = match random.below(8) {
            0 => "Google".to_owned(),
            1 => "Facebook".to_owned(),
            2 => "Baidu".to_owned(),
            3 => "Apple".to_owned(),
            _ => format!("channel-{}", random.below(10_000)),
        };
        let url = format!(
            "https://www.nexmark.com/{}/{}/item.htm?query=1",
            random.text(5),
            random.text(4)
        );
        let bid = format!(
            "{{\"auction\":{id},\"bidder\":{bidder},\"price\":{price},\"channel\":\"{channel}\",\"url\":\"{url}\",\"dateTime\":\"{time}\",\"extra\":\"{extra}\"}}"
        );
        writeln!(texts.bids, "{bid}").unwrap();
        if i % 50 >= 4 {
            writeln!(
                texts.events,
                "{{\"event_type\":2,\"person\":null,\"auction\":null,\"bid\":{bid}}}"
            )
            .unwrap();
        }
        writeln!(
            texts.csv,
            "{id},{bidder},{price},{channel},{url},{time},{extra}"
        )
        .unwrap();
    }
    texts
}

fn decode(format: &str, text: &[u8], schema: &SchemaRef, projection: Option<&[usize]>) -> usize {
    let options = FormatOptions::new();
    let mut decoder =
        decoder(format, &options, Arc::clone(schema), projection, BATCH_ROWS).unwrap();
    let (mut at, mut rows) = (0, 0);
    while at < text.len() {
        let to = (at + CHUNK).min(text.len());
        at += decoder.decode(&text[at..to], to == text.len()).unwrap();
        if decoder.rows() >= BATCH_ROWS || at == text.len() {
            rows += decoder.flush().unwrap().num_rows();
        }
    }
    rows
}

fn report(name: &str, rows: usize, bytes: usize, mut run: impl FnMut() -> usize) {
    if std::env::args()
        .nth(1)
        .is_some_and(|part| !name.contains(&part))
    {
        return;
    }
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(run(), rows);
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (best, median) = (seconds[0], seconds[RUNS / 2]);
    println!(
        "{name:34} {:7.2} M rows/s (best {:6.2}) {:6.2} GB/s",
        rows as f64 / median / 1e6,
        rows as f64 / best / 1e6,
        bytes as f64 / median / 1e9,
    );
}

fn main() {
    let mut texts = generate();
    let mut events_rows = ROWS;
    if let Some(file) = std::env::args().nth(2) {
        texts.events = std::fs::read(file).unwrap();
        events_rows = texts.events.iter().filter(|byte| **byte == b'\n').count();
    }
    println!(
        "{} B a bid as JSON, {} B an event, {} B as CSV",
        texts.bids.len() / ROWS,
        texts.events.len() / events_rows,
        texts.csv.len() / ROWS
    );
    let bids: SchemaRef = Arc::new(Schema::new(bid_fields()));
    decode_bids("json", &texts.bids, &bids);
    decode_events(&texts.events, events_rows);
    decode_bids("csv", &texts.csv, &bids);
    write_again(&texts.bids, &bids);
}

fn decode_bids(format: &str, text: &[u8], bids: &SchemaRef) {
    let cases: [(&str, Option<&[usize]>); 3] = [
        ("all columns", None),
        ("auction and price", Some(&[0, 2])),
        ("url", Some(&[4])),
    ];
    for (name, projection) in cases {
        report(&format!("{format} bids, {name}"), ROWS, text.len(), || {
            decode(format, text, bids, projection)
        });
    }
}

fn decode_events(text: &[u8], rows: usize) {
    let all = event_schema();
    let two = few_fields(&["auction", "dateTime"]);
    let four = few_fields(&["auction", "bidder", "price", "dateTime"]);
    let cases: [(&str, &SchemaRef, Option<&[usize]>); 5] = [
        ("all columns", &all, None),
        ("bid only", &all, Some(&[3])),
        ("type only", &all, Some(&[0])),
        ("auction and time", &two, None),
        ("numbers and time", &four, None),
    ];
    for (name, schema, projection) in cases {
        report(&format!("json events, {name}"), rows, text.len(), || {
            decode("json", text, schema, projection)
        });
    }
}

fn write_again(text: &[u8], bids: &SchemaRef) {
    let mut decoder = decoder("json", &FormatOptions::new(), Arc::clone(bids), None, ROWS).unwrap();
    decoder.decode(text, true).unwrap();
    let batch = decoder.flush().unwrap();
    for format in ["json", "csv"] {
        let mut encoder = encoder(format, &FormatOptions::new(), Arc::clone(bids)).unwrap();
        let mut out = Vec::with_capacity(text.len() + 1024);
        report(&format!("{format} bids, written"), ROWS, text.len(), || {
            out.clear();
            encoder.encode(&batch, &mut out).unwrap();
            batch.num_rows()
        });
    }
}
