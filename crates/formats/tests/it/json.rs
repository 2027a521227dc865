//! JSON: Flink's rules, errors with their place, and another parser as a witness.

use proptest::prelude::*;
use sonic_rs::{JsonContainerTrait, JsonNumberTrait, JsonValueTrait};

use crate::support::{decode_in_chunks, options, rows, schema, show};

#[test]
fn keys_are_found_in_any_order_and_unknown_ones_are_passed_over() {
    let text =
        "{\"b\":\"x\",\"zz\":{\"a\":[1,{\"a\":2}]},\"a\":1}\n{\"a\":2}\n\n  \n{\"b\":null,\"a\":3}";
    assert_eq!(
        show("json", "", "a BIGINT, b STRING", text),
        "1|x\n2|NULL\n3|NULL"
    );
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_counts() {
    let text = "{\"a\":1,\"a\":2,\"r\":{\"x\":1},\"r\":{\"y\":\"q\"}}\n{\"a\":1,\"a\":null}\n{\"a\":null,\"a\":7}";
    assert_eq!(
        show("json", "", "a BIGINT, r ROW", text),
        "2|{x: NULL, y: q}\nNULL|NULL\n7|NULL"
    );
}

#[test]
fn strings_hold_escapes_surrogates_and_text_of_other_values() {
    let text = r#"{"s":"a\"\\\/\b\f\n\r\té😀"}
{"s":12.50}
{"s":true}
{"s":{"k" : [1, "a b"]}}"#;
    let expected = "a\"\\/\u{8}\u{c}\n\r\té😀\n12.50\ntrue\n{\"k\":[1,\"a b\"]}";
    assert_eq!(show("json", "", "s STRING", text), expected);
}

#[test]
fn numbers_may_be_strings_and_integers_lose_their_fraction() {
    let text =
        "{\"i\":\" 12 \",\"d\":\"NaN\"}\n{\"i\":1.9,\"d\":1e3}\n{\"i\":-2e2,\"d\":\"-Infinity\"}";
    assert_eq!(
        show("json", "", "i INT, d DOUBLE", text),
        "12|NaN\n1|1000.0\n-200|-inf"
    );
}

#[test]
fn a_decimal_beyond_its_precision_is_null() {
    let text = "{\"d\":12345678.9}\n{\"d\":123456789}\n{\"d\":\"0.005\"}\n{\"d\":-1e-1}";
    assert_eq!(
        show("json", "", "d DECIMAL", text),
        "12345678.90\nNULL\n0.01\n-0.10"
    );
}

#[test]
fn nested_values_keep_their_nulls() {
    let text = r#"{"r":{"x":1,"y":null},"l":[1,null,3],"m":{"k":1,"j":null,"k":5},"rs":[{"x":1},null,{}]}
{"r":null,"l":[],"m":{},"rs":[]}
{"l":null}"#;
    assert_eq!(
        show("json", "", "r ROW, l INT[], m MAP, rs ROW[]", text),
        "{x: 1, y: NULL}|[1, NULL, 3]|{k: 5, j: NULL}|[{x: 1, y: NULL}, NULL, {x: NULL, y: NULL}]\n\
         NULL|[]|{}|[]\nNULL|NULL|NULL|NULL"
    );
}

#[test]
fn timestamps_follow_the_chosen_standard() {
    let columns = "t TIMESTAMP, z TIMESTAMP_LTZ";
    let sql = "{\"t\":\"2024-03-09 05:58:30.123\",\"z\":\"2024-03-09 05:58:30Z\"}";
    let iso = "{\"t\":\"2024-03-09T05:58:30.123\",\"z\":\"2024-03-09T05:58:30Z\"}";
    let expected = "2024-03-09T05:58:30.123|2024-03-09T05:58:30Z";
    assert_eq!(show("json", "", columns, sql), expected);
    let standard = "json.timestamp-format.standard=ISO-8601";
    assert_eq!(show("json", standard, columns, iso), expected);
    assert!(show("json", standard, columns, sql).contains("is not a TIMESTAMP(3)"));
    assert!(show("json", "", columns, iso).contains("is not a TIMESTAMP(3)"));
    let offset = "{\"t\":null,\"z\":\"2024-03-09T07:58:30+02:00\"}";
    let with_offset = "json.timestamp-format.standard=ISO-8601-WITH-OFFSET";
    assert_eq!(
        show("json", with_offset, columns, offset),
        "NULL|2024-03-09T05:58:30Z"
    );
}

#[test]
fn an_error_names_file_line_column_and_field() {
    let text = "{\"a\":1,\"r\":{\"x\":1}}\n{\"a\":2,\"r\":{\"x\":\"x12\"}}\n{\"a\":3}";
    assert_eq!(
        show("json", "", "a INT, r ROW", text),
        "file:2:17: field `r.x`: `x12` is not a BIGINT"
    );
    assert_eq!(
        show("json", "", "a TINYINT", "{\"a\":128}"),
        "file:1:6: field `a`: `128` is not a TINYINT"
    );
    assert_eq!(
        show("json", "", "a INT", "{\"a\":1}\n{\"a\":1"),
        "file:2:7: not JSON: `,` or `}` expected, but the line ends"
    );
    assert_eq!(
        show("json", "", "a INT NOT NULL", "{\"a\":1}\n{\"b\":1}"),
        "file:2:1: field `a`: NULL in a column declared NOT NULL"
    );
    assert_eq!(
        show(
            "json",
            "json.fail-on-missing-field=true",
            "a INT, b INT",
            "{\"a\":1}"
        ),
        "file:1:1: field `b`: the field is missing"
    );
    assert_eq!(
        show("json", "", "a INT", "[1]"),
        "file:1:1: not JSON: an object expected, but found `[`"
    );
    assert_eq!(
        show("json", "json.timestamp-format.standart=SQL", "a INT", ""),
        "unknown option `json.timestamp-format.standart`; did you mean `json.timestamp-format.standard`?"
    );
}

#[test]
fn bytes_that_are_not_utf8_are_found_with_their_place() {
    let text = b"{\"s\":\"fine\"}\n{\"s\":\"0123456789abcdef\xff\"}\n";
    let columns = schema("s STRING");
    let error = decode_in_chunks("json", &options(""), &columns, None, text, 1 << 20).unwrap_err();
    assert_eq!(
        error.to_string(),
        "file:2:23: field `s`: a string that is not UTF-8"
    );
}

#[test]
fn ignoring_errors_keeps_the_good_rows_around_a_bad_one() {
    let text = "{\"a\":1,\"l\":[1]}\n{\"a\":2,\"l\":[2}\n{\"a\":\"x\",\"l\":[3,\"q\",{}]}\n{\"a\":4,\"l\":7}\n";
    let with = options("json.ignore-parse-errors=true");
    let columns = schema("a INT, l INT[]");
    let (batch, skipped) =
        decode_in_chunks("json", &with, &columns, None, text.as_bytes(), 1 << 20).unwrap();
    assert_eq!(rows(&batch), "1|[1]\nNULL|[3, NULL, NULL]\n4|NULL");
    assert_eq!(skipped, 1);
    let columns = schema("a INT NOT NULL, l INT[]");
    let (batch, skipped) =
        decode_in_chunks("json", &with, &columns, None, text.as_bytes(), 1 << 20).unwrap();
    assert_eq!(rows(&batch), "1|[1]\n4|NULL");
    assert_eq!(skipped, 2);
}

#[test]
fn a_file_in_chunks_of_any_size_is_the_same_file() {
    let text = "\u{feff}{\"a\":1,\"s\":\"é\\\"\",\"r\":{\"x\":5,\"y\":\"longer than twelve bytes\"}}\r\n\
                {\"a\":2,\"s\":\"plain\",\"r\":null}\n\n{\"a\":3,\"s\":\"é\\\"\",\"r\":{\"x\":6,\"y\":\"q\"}}";
    let columns = schema("a BIGINT, s STRING, r ROW");
    let whole = show("json", "", "a BIGINT, s STRING, r ROW", text);
    for chunk in 1..text.len() + 1 {
        let (batch, _) =
            decode_in_chunks("json", &options(""), &columns, None, text.as_bytes(), chunk).unwrap();
        assert_eq!(rows(&batch), whole, "chunks of {chunk}");
    }
}

#[test]
fn a_projection_has_its_columns_in_its_order() {
    let text = b"{\"a\":1,\"b\":\"x\",\"c\":[1]}\n{\"a\":2,\"b\":\"y\",\"c\":[]}\n";
    let columns = schema("a INT, b STRING, c INT[]");
    let project = |projection: &[usize]| {
        let (batch, _) =
            decode_in_chunks("json", &options(""), &columns, Some(projection), text, 99).unwrap();
        (rows(&batch), batch.num_rows())
    };
    assert_eq!(project(&[2, 0]).0, "[1]|1\n[]|2");
    assert_eq!(project(&[]).1, 2);
}

#[test]
fn too_deep_nesting_is_an_error_and_no_overflow() {
    let text = format!("{{\"z\":{}", "[".repeat(100_000));
    assert_eq!(
        show("json", "", "a INT", &text),
        "file:1:262: values lie too deep"
    );
}

fn document() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[ -!#-\\[\\]-~é😀]{0,20}",
        Just("\\n\\u00e9\\\"".to_owned()),
        Just("\\ud83d\\ude00".to_owned())
    ];
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (-1e9..1e9f64).prop_map(|d| format!("{d:?}")),
        text.prop_map(|t| format!("\"{t}\"")),
        prop::sample::select(vec![
            "null", "true", "false", "1e3", "-0", "0.5", "01", "+1", ".5", "1.", "nan"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let object = prop::collection::vec(("[a-d]", inner.clone()), 0..4).prop_map(|pairs| {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(k, v)| format!("\"{k}\" : {v}"))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        });
        let array = prop::collection::vec(inner, 0..4).prop_map(|v| format!("[{}]", v.join(" ,")));
        prop_oneof![object, array]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_line_is_valid_and_means_what_another_parser_says(value in document()) {
        let line = format!("{{\"s\":{value}}}");
        let witness: Option<sonic_rs::Value> = sonic_rs::from_str(&line).ok();
        let columns = schema("s STRING");
        let ours = decode_in_chunks("json", &options(""), &columns, None, line.as_bytes(), 1 << 20);
        prop_assert_eq!(ours.is_ok(), witness.is_some(), "{}", line);
        if let (Ok((batch, _)), Some(witness)) = (ours, witness) {
            let value = witness.get("s").unwrap();
            if let Some(text) = value.as_str() {
                prop_assert_eq!(rows(&batch), text);
            } else if value.is_null() {
                prop_assert_eq!(rows(&batch), "NULL");
            } else if value.as_object().is_some() || value.as_array().is_some() {
                let again: sonic_rs::Value = sonic_rs::from_str(&rows(&batch)).unwrap();
                prop_assert_eq!(&again, value);
            }
            if let Some(number) = value.as_number().and_then(|n| n.as_i64()) {
                prop_assert_eq!(show("json", "", "s BIGINT", &line), number.to_string());
            }
        }
    }

    #[test]
    fn random_bytes_never_panic_and_strings_are_always_utf8(
        parts in prop::collection::vec(prop_oneof![
            Just(b"{\"s\":\"".to_vec()), Just(b"\",\"t\":\"".to_vec()), Just(b"\"}\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..30), Just("é".as_bytes().to_vec()),
        ], 0..40),
    ) {
        let columns = schema("s STRING, t VARCHAR");
        let with = options("json.ignore-parse-errors=true");
        let (batch, _) =
            decode_in_chunks("json", &with, &columns, None, &parts.concat(), 1 << 20).unwrap();
        for column in batch.columns() {
            column.to_data().validate_full().unwrap();
        }
    }
}
