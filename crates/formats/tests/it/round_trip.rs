//! Any batch that is written is read back as it was.

use arrow_array::RecordBatch;
use proptest::prelude::*;
use thalweg_formats::encoder;

use crate::support::{decode_in_chunks, options, schema};

/// JSON is the simplest way to any batch; that it is read rightly, other tests say.
fn batch(columns: &str, lines: &[String]) -> RecordBatch {
    let text = lines.join("\n");
    let (batch, skipped) = decode_in_chunks(
        "json",
        &options(""),
        &schema(columns),
        None,
        text.as_bytes(),
        1 << 20,
    )
    .unwrap();
    assert_eq!(skipped, 0);
    batch
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,4}",
        "[ -~]{1,40}",
        "(é|😀|\"|,|\n|\r|\\\\|\t|\u{1}|#| ){1,6}",
    ]
    .prop_map(|text| sonic_rs::to_string(&text).unwrap())
}

fn or_null(value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop_oneof![5 => value, 1 => Just("null".to_owned())].boxed()
}

fn scalars() -> impl Strategy<Value = String> {
    let timestamp = "20[0-9]{2}-0[1-9]-[12][0-8] [01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?";
    (
        or_null(any::<bool>().prop_map(|v| v.to_string())),
        or_null(any::<i8>().prop_map(|v| v.to_string())),
        or_null(any::<i64>().prop_map(|v| v.to_string())),
        or_null(any::<f32>().prop_filter("finite", |v| v.is_finite()).prop_map(|v| format!("{v:?}"))),
        or_null(any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(|v| format!("{v:?}"))),
        or_null((-9_999_999_999i64..9_999_999_999).prop_map(|v| format!("{}e-2", v))),
        or_null(text()),
        or_null("([A-Za-z0-9]{4}){1,4}".prop_map(|v| format!("\"{v}\""))),
        or_null("[12][0-9]{3}-0[1-9]-[12][0-8]".prop_map(|v| format!("\"{v}\""))),
        or_null("[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?".prop_map(|v| format!("\"{v}\""))),
        or_null(timestamp.prop_map(|v| format!("\"{v}\""))),
        or_null(timestamp.prop_map(|v| format!("\"{v}Z\""))),
    )
        .prop_map(|v| {
            format!(
                "\"b\":{},\"i\":{},\"n\":{},\"f\":{},\"d\":{},\"dec\":{},\"s\":{},\"y\":{},\"day\":{},\"c\":{},\"t\":{},\"z\":{}",
                v.0, v.1, v.2, v.3, v.4, v.5, v.6, v.7, v.8, v.9, v.10, v.11
            )
        })
}

const SCALARS: &str = "b BOOLEAN, i TINYINT, n BIGINT, f FLOAT, d DOUBLE, dec DECIMAL, s STRING, \
                       y BYTES, day DATE, c TIME, t TIMESTAMP, z TIMESTAMP_LTZ";

fn nested() -> impl Strategy<Value = String> {
    let row = || {
        or_null(
            (
                or_null((0..9i64).prop_map(|v| v.to_string())),
                or_null(text()),
            )
                .prop_map(|(x, y)| format!("{{\"x\":{x},\"y\":{y}}}")),
        )
    };
    let list = |item: BoxedStrategy<String>| {
        or_null(prop::collection::vec(item, 0..4).prop_map(|v| format!("[{}]", v.join(","))))
    };
    let number = || or_null((0..99i32).prop_map(|v| v.to_string()));
    let map = |value: BoxedStrategy<String>| {
        let entries = prop::collection::btree_map("[a-c\"]{0,2}", value, 0..4);
        or_null(entries.prop_map(|entries| {
            let pairs: Vec<String> = entries
                .iter()
                .map(|(k, v)| format!("{}:{v}", sonic_rs::to_string(k).unwrap()))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }))
    };
    (
        row(),
        list(row()),
        list(number()),
        map(number()),
        map(list(number())),
    )
        .prop_map(|v| {
            format!(
                "\"r\":{},\"rs\":{},\"l\":{},\"m\":{},\"ms\":{}",
                v.0, v.1, v.2, v.3, v.4
            )
        })
}

fn check(format: &str, with: &str, batch: &RecordBatch, chunk: usize) -> Result<(), TestCaseError> {
    let with = options(with);
    let mut out = Vec::new();
    let mut encoder = encoder(format, &with, batch.schema()).unwrap();
    encoder.header(&mut out).unwrap();
    encoder.encode(batch, &mut out).unwrap();
    let (back, _) = decode_in_chunks(format, &with, &batch.schema(), None, &out, chunk).unwrap();
    prop_assert_eq!(&back, batch, "{}", String::from_utf8_lossy(&out));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn scalars_come_back_from_every_text_format(
        lines in prop::collection::vec(scalars().prop_map(|v| format!("{{{v}}}")), 0..12),
        chunk in 1usize..2_000,
    ) {
        let batch = batch(SCALARS, &lines);
        check("json", "", &batch, chunk)?;
        check("json", "json.timestamp-format.standard=ISO-8601", &batch, chunk)?;
        check("json", "json.encode.ignore-null-fields=true", &batch, chunk)?;
        check("csv", "csv.null-literal=\u{1}NULL", &batch, chunk)?;
        check("csv", "csv.null-literal=~NULL csv.header=true csv.allow-comments=true", &batch, chunk)?;
        check("csv", "csv.null-literal=~NULL csv.field-delimiter=\\t csv.quote-character=' csv.escape-character=\\", &batch, chunk)?;
        check("csv", "csv.null-literal=~NULL csv.disable-quote-character=true csv.escape-character=^ csv.trim-spaces=false", &batch, chunk)?;
        check("csv", "csv.null-literal=~NULL csv.trim-spaces=true", &batch, chunk)?;
    }

    #[test]
    fn nested_values_come_back_from_json(
        lines in prop::collection::vec(nested().prop_map(|v| format!("{{{v}}}")), 0..12),
        chunk in 1usize..2_000,
    ) {
        let batch = batch("r ROW, rs ROW[], l INT[], m MAP, ms MAP[]", &lines);
        check("json", "", &batch, chunk)?;
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let batch = batch(
        "m MAP, s STRING",
        &["{\"m\":{\"b\":1,\"a\":2},\"s\":\"x\"}".to_owned()],
    );
    let write = || {
        let mut out = Vec::new();
        encoder("json", &options(""), batch.schema())
            .unwrap()
            .encode(&batch, &mut out)
            .unwrap();
        out
    };
    assert_eq!(write(), write());
    assert_eq!(write(), b"{\"m\":{\"b\":1,\"a\":2},\"s\":\"x\"}\n");
}
