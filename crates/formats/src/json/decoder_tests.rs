//! The learned layouts against the general parser: they must agree on every line.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::FormatOptions;

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// The schema of [`line`]s.
fn schema() -> SchemaRef {
    let inner = vec![
        field("id", DataType::Int64),
        field("text", DataType::Utf8View),
        field("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
    ];
    let item = Arc::new(field("item", DataType::Int32));
    Arc::new(Schema::new(vec![
        field("a", DataType::Int64),
        field("small", DataType::Int8),
        field("d", DataType::Float64),
        field("s", DataType::Utf8View),
        field("b", DataType::Boolean),
        field(
            "ltz",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        Field::new("must", DataType::Int64, false),
        field("row", DataType::Struct(inner.into())),
        field("list", DataType::List(item)),
        field("dec", DataType::Decimal128(6, 2)),
    ]))
}

/// Some columns of [`schema`], and some fields of its ROW.
fn narrow_schema() -> SchemaRef {
    let all = schema();
    let columns = ["must", "row", "s", "a"].map(|name| all.index_of(name).expect("a column"));
    let fields = columns.map(|at| match all.field(at).data_type() {
        DataType::Struct(inner) => field("row", DataType::Struct([Arc::clone(&inner[2])].into())),
        _ => all.field(at).clone(),
    });
    Arc::new(Schema::new(fields.to_vec()))
}

/// The columns and fields of a batch of [`schema`] that [`narrow_schema`] has.
fn narrowed(batch: &RecordBatch) -> RecordBatch {
    let schema = narrow_schema();
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).expect("a column");
        match (column.as_struct_opt(), field.data_type()) {
            (Some(row), DataType::Struct(fields)) => {
                let inner = vec![Arc::clone(row.column(2))];
                let row = StructArray::new(fields.clone(), inner, row.nulls().cloned());
                Arc::new(row) as ArrayRef
            }
            _ => Arc::clone(column),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("a narrowed batch")
}

fn decoder_of(schema: SchemaRef, options: &FormatOptions, batch_rows: usize) -> JsonDecoder {
    let options = JsonOptions::read(options).expect("options");
    JsonDecoder::new(options, schema, batch_rows).expect("a decoder")
}

fn new_decoder(options: &FormatOptions, batch_rows: usize) -> JsonDecoder {
    decoder_of(schema(), options, batch_rows)
}

/// Everything that can be seen of decoding `text` in chunks that end at `cuts`.
fn outcome(
    mut decoder: JsonDecoder,
    text: &[u8],
    cuts: &[usize],
) -> (Vec<RecordBatch>, String, u64) {
    let mut batches = Vec::new();
    let mut at = 0;
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(text.len());
    let mut error = String::new();
    'chunks: for to in ends {
        loop {
            let end = to == text.len();
            match decoder.decode(text.get(at..to).unwrap_or_default(), end) {
                Ok(used) => at += used,
                Err(fault) => {
                    error = fault.to_string();
                    break 'chunks;
                }
            }
            if decoder.rows() < decoder.batch_rows {
                break;
            }
            batches.push(decoder.flush().expect("a batch"));
        }
    }
    batches.push(decoder.flush().expect("a batch"));
    (batches, error, decoder.skipped())
}

fn check(options: &FormatOptions, text: &[u8], cuts: &[usize], batch_rows: usize) {
    let general = |schema| {
        let decoder = decoder_of(schema, options, batch_rows).without_layouts();
        outcome(decoder, text, &[])
    };
    let (whole, few) = (general(schema()), general(narrow_schema()));
    if whole.1.is_empty() && whole.2 == 0 {
        // A value that is NULL for its error in the one may be out of sight in the other.
        let narrowed: Vec<RecordBatch> = whole.0.iter().map(narrowed).collect();
        assert_eq!(few.0, narrowed, "{}", String::from_utf8_lossy(text));
    }
    for (schema, general) in [(schema(), whole), (narrow_schema(), few)] {
        for level in Level::all() {
            let decoder = decoder_of(Arc::clone(&schema), options, batch_rows).with_level(level);
            let learned = outcome(decoder, text, cuts);
            let text = String::from_utf8_lossy(text);
            assert_eq!(learned, general, "{level:?}: {text}");
        }
    }
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,30}",
        1 => "[a-z ]{60,300}",
        1 => Just("é\\u00e9\\n\\\"x".to_owned()),
        1 => Just("\\ud83d\\ude00 smile".to_owned()),
        1 => Just("bad \\q escape".to_owned()),
        1 => Just("lone \\ud83d".to_owned()),
    ]
    .prop_map(|text| format!("\"{text}\""))
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (-300i64..300).prop_map(|n| n.to_string()),
        2 => any::<i64>().prop_map(|n| n.to_string()),
        2 => (-1e6..1e6f64).prop_map(|d| format!("{d:.2}")),
        3 => string(),
        1 => Just("\"2024-03-09 05:58:30.123\"".to_owned()),
        1 => Just("\"2024-03-09 05:58:30Z\"".to_owned()),
        2 => Just("null".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("[1, 2,null]".to_owned()),
        1 => Just("{\"id\": 4, \"text\": \"t\", \"x\": [{}]}".to_owned()),
        1 => prop::sample::select(vec!["01", "-", "1.", "nul", "1e5", "-0", "\"x", "{", "tru", "00"])
            .prop_map(str::to_owned),
    ]
}

/// A value that fits the column at `place`, mostly.
fn fitting(place: usize) -> BoxedStrategy<String> {
    let fits: BoxedStrategy<String> = match place {
        0 | 6 => (-100_000i64..100_000).prop_map(|n| n.to_string()).boxed(),
        1 => (-128i64..128).prop_map(|n| n.to_string()).boxed(),
        2 => (-1e6..1e6f64).prop_map(|d| format!("{d:?}")).boxed(),
        3 => string().boxed(),
        4 => any::<bool>().prop_map(|b| b.to_string()).boxed(),
        5 => (0..60u32)
            .prop_map(|s| format!("\"2024-03-09 05:58:{s:02}.5Z\""))
            .boxed(),
        7 => (any::<i32>(), string())
            .prop_map(|(id, text)| {
                format!("{{\"id\":{id},\"text\":{text},\"at\":\"2024-03-09 05:58:30.123\"}}")
            })
            .boxed(),
        8 => prop::collection::vec(0..9, 0..4)
            .prop_map(|v| format!("{v:?}"))
            .boxed(),
        _ => (-99_999i64..99_999)
            .prop_map(|n| format!("{}.{:02}", n / 100, n.abs() % 100))
            .boxed(),
    };
    prop_oneof![40 => fits, 2 => Just("null".to_owned()), 1 => value()].boxed()
}

const NAMES: [&str; 12] = [
    "a", "small", "d", "s", "b", "ltz", "must", "row", "list", "dec", "unknown", "\\u0061",
];

fn line() -> impl Strategy<Value = String> {
    let values: Vec<_> = (0..NAMES.len()).map(fitting).collect();
    let order = prop_oneof![
        4 => Just((0..10).collect::<Vec<usize>>()),
        1 => Just(vec![10, 6, 0, 3]),
        1 => prop::collection::vec(0..NAMES.len(), 0..12),
    ];
    (values, order, prop::sample::select(vec!["", "", " ", "\t"])).prop_map(
        |(values, order, blank)| {
            let pairs: Vec<String> = order
                .iter()
                .map(|i| format!("\"{}\":{blank}{}", NAMES[*i], values[*i]))
                .collect();
            format!("{{{}}}{blank}", pairs.join(","))
        },
    )
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    let other = prop_oneof![
        Just(String::new()),
        Just("garbage".to_owned()),
        Just("{}x".to_owned())
    ];
    let line = prop_oneof![30 => line(), 1 => other];
    let ending = prop::sample::select(vec!["\n", "\n", "\n", "\r\n"]);
    (prop::collection::vec((line, ending), 0..24), any::<bool>()).prop_map(|(lines, last)| {
        let mut text: String = lines
            .iter()
            .flat_map(|(line, end)| [line.as_str(), *end])
            .collect();
        if !last {
            text.truncate(text.trim_end().len());
        }
        text.into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn learned_layouts_and_the_general_parser_agree_on_any_lines(
        text in lines(), cuts in prop::collection::vec(0usize..4_000, 0..4), batch_rows in 1usize..9,
    ) {
        check(&FormatOptions::new(), &text, &cuts, batch_rows);
        let ignoring = FormatOptions::new().with("json.ignore-parse-errors", "true");
        check(&ignoring, &text, &cuts, batch_rows);
        let missing = FormatOptions::new().with("json.fail-on-missing-field", "true");
        check(&missing, &text, &cuts, batch_rows);
    }

    #[test]
    fn they_agree_on_lines_with_random_bytes_changed(
        mut text in lines(), changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        for (at, byte) in changes {
            let len = text.len();
            if len > 0 {
                text[at % len] = byte;
            }
        }
        let ignoring = FormatOptions::new().with("json.ignore-parse-errors", "true");
        check(&ignoring, &text, &[], 100);
        check(&FormatOptions::new(), &text, &[], 100);
    }
}

#[test]
fn what_a_narrowed_row_leaves_out_is_passed_over_and_still_must_be_json() {
    let line = |id: &str, text: &str| {
        format!(
            "{{\"must\":1,\"d\":2.5,\"row\":{{\"id\":{id},\"text\":{text},\"at\":\"2024-03-09 05:58:30.123\"}},\"list\":[1]}}\n"
        )
    };
    let good = line("7", "\"x\"").repeat(5);
    for (id, text, error) in [
        ("8", "\"longer than sixteen bytes, and \\u00e9\"", ""),
        ("null", "{\"at\":\"never\",\"id\":[]}", ""),
        ("1e5", "null", ""),
        ("\"not a number\"", "17", ""),
        ("01", "\"x\"", "line 6, column 31"),
        ("8", "\"x\\q\"", "line 6, column 42"),
        ("8", "\"x", "line 6"),
        ("{", "\"x\"", "line 6"),
        ("8,", "\"x\"", "line 6, column 33"),
    ] {
        let text = format!("{good}{}{good}", line(id, text));
        check(&FormatOptions::new(), text.as_bytes(), &[], 100);
        let decoder = decoder_of(narrow_schema(), &FormatOptions::new(), 100);
        let (batches, found, _) = outcome(decoder, text.as_bytes(), &[]);
        assert!(
            found.starts_with(error) && found.is_empty() == error.is_empty(),
            "{found}"
        );
        let rows = if error.is_empty() { 11 } else { 5 };
        let batch = batches.first().expect("a batch");
        assert_eq!((batch.num_rows(), batch.num_columns()), (rows, 4), "{text}");
        let row = batch.column_by_name("row").expect("a ROW").as_struct();
        assert_eq!((row.num_columns(), row.null_count()), (1, 0));
        assert_eq!(row.column(0).null_count(), 0);
    }
}

#[test]
fn lines_of_one_layout_are_decoded_by_it() {
    let mut decoder = new_decoder(&FormatOptions::new(), 100);
    let line = "{\"a\":1,\"must\":2,\"s\":\"x\",\"row\":{\"id\":7}}\n";
    let used = decoder
        .decode(line.repeat(50).as_bytes(), true)
        .expect("lines");
    assert_eq!(used, line.len() * 50);
    let hits: Vec<u64> = decoder
        .layouts
        .list
        .iter()
        .map(|layout| layout.hits)
        .collect();
    assert_eq!(hits, [49]);
}

#[test]
fn each_kind_of_event_keeps_its_layout() {
    let mut decoder = new_decoder(&FormatOptions::new(), 1_000);
    let kinds = [
        "{\"must\":0,\"row\":null,\"list\":[1]}\n",
        "{\"must\":1,\"row\":{\"id\":1},\"list\":null}\n",
        "{\"must\":2,\"s\":\"x\"}\n",
    ];
    let text: String = (0..300).map(|i| kinds[i * i % 3]).collect();
    decoder.decode(text.as_bytes(), true).expect("lines");
    let hits: u64 = decoder.layouts.list.iter().map(|layout| layout.hits).sum();
    assert_eq!(hits, 300 - decoder.layouts.list.len() as u64);
}

#[test]
fn a_stream_without_any_order_stops_learning() {
    let mut decoder = new_decoder(&FormatOptions::new(), 100_000);
    let text: String = (0..5_000)
        .map(|i| format!("{{\"must\":1,\"k{i}\":0}}\n"))
        .collect();
    decoder.decode(text.as_bytes(), true).expect("lines");
    assert_eq!(decoder.rows(), 5_000);
    assert_eq!(decoder.layouts.patience, PATIENCE_MAX);
}
