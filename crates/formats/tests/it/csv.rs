//! CSV: Flink's rules, headers, quoting, errors with their place, and another reader as a witness.

use std::sync::Arc;

use proptest::prelude::*;
use thalweg_formats::{Origin, decoder, encoder};

use crate::support::{decode_in_chunks, options, rows, schema, show};

#[test]
fn an_empty_field_is_null_unless_it_is_a_string() {
    assert_eq!(
        show("csv", "", "a INT, s STRING, d DOUBLE", "1,,\n,x,2.5\n"),
        "1||NULL\nNULL|x|2.5"
    );
    let with = "csv.null-literal=NA csv.empty-string-as-null=true";
    assert_eq!(
        show("csv", with, "a INT, s STRING", "NA,NA\n7,\n\"NA\",x"),
        "NULL|NULL\n7|NULL\nNULL|x"
    );
    assert_eq!(
        show(
            "csv",
            "csv.null-literal=-1",
            "a BIGINT, s STRING",
            "-1,-1\n1,1"
        ),
        "NULL|NULL\n1|1"
    );
}

#[test]
fn quoted_fields_hold_delimiters_quotes_and_line_breaks() {
    let text =
        "1,\"a,b\"\n2,\"say \"\"hi\"\"\"\r\n3,\"two\nlines\"\n4,mid\"dle\n5,\"\"\n\"6\",\"end\"";
    assert_eq!(
        show("csv", "", "a INT, s STRING", text),
        "1|a,b\n2|say \"hi\"\n3|two\nlines\n4|mid\"dle\n5|\n6|end"
    );
}

#[test]
fn every_character_can_be_chosen() {
    let with = "csv.field-delimiter=\\t csv.quote-character=' csv.escape-character=\\";
    assert_eq!(
        show(
            "csv",
            with,
            "a INT, s STRING",
            "1\t'x\ty'\n2\tp\\\tq\\n\n3\t'a\\'b'"
        ),
        "1|x\ty\n2|p\tq\n\n3|a'b"
    );
    let with = "csv.field-delimiter=\\u0001 csv.disable-quote-character=true";
    assert_eq!(
        show("csv", with, "a INT, s STRING", "1\u{1}\"x\"\n"),
        "1|\"x\""
    );
    let error = show("csv", "csv.field-delimiter=;;", "a INT", "");
    assert_eq!(
        error,
        "option `csv.field-delimiter`: `;;` is not one ASCII character"
    );
}

#[test]
fn comments_blank_lines_and_a_trailing_comma_are_no_data() {
    let text = "# head\n1,2\n\n#x\n3,4,\n\r\n5,6";
    assert_eq!(
        show("csv", "csv.allow-comments=true", "a INT, b INT", text),
        "1|2\n3|4\n5|6"
    );
    assert_eq!(show("csv", "", "s STRING", "x\n\ny"), "x\n\ny");
}

#[test]
fn a_header_maps_columns_by_name() {
    let text = "x, b ,a\nq,2,1\nr,4,3\n";
    assert_eq!(
        show("csv", "csv.header=true", "a INT, b INT", text),
        "1|2\n3|4"
    );
    assert_eq!(
        show("csv", "csv.header=true", "a INT, c INT", text),
        "file:1:1: the header has no column `c`; its nearest is `x`"
    );
    assert_eq!(
        show(
            "csv",
            "csv.ignore-first-line=true",
            "a INT, b INT",
            "x,y\n1,2"
        ),
        "1|2"
    );
    assert_eq!(show("csv", "csv.header=true", "a INT", "a\n"), "");
}

#[test]
fn a_split_inside_a_file_learns_the_header_from_its_caller() {
    let with = options("csv.header=true");
    let mut decoder = decoder("csv", &with, schema("a INT, b INT"), None, 10).unwrap();
    decoder.begin(Origin {
        file: "f.csv".into(),
        line: 8,
        offset: 100,
    });
    assert!(decoder.needs_head());
    assert!(decoder.decode(b"1,2\n", true).is_err());
    decoder.head(b"b,a\n5,6\n").unwrap();
    assert!(!decoder.needs_head());
    assert_eq!(decoder.decode(b"1,2\n", true).unwrap(), 4);
    assert_eq!(rows(&decoder.flush().unwrap()), "2|1");
    let error = decoder.decode(b"x,2\n", true).unwrap_err();
    assert_eq!(error.to_string(), "f.csv:9:1: field `b`: `x` is not an INT");
    decoder.begin(Origin {
        file: "g.csv".into(),
        line: 1,
        offset: 0,
    });
    decoder.decode(b"a,b\n1,2\n", true).unwrap();
    assert_eq!(rows(&decoder.flush().unwrap()), "1|2");
}

#[test]
fn an_error_names_file_line_column_and_field() {
    let columns = "s STRING, dep_delay INT, t TIMESTAMP";
    let at = |text: &str| show("csv", "", columns, text);
    assert_eq!(
        at("a,1,\n\"x\ny\",2,\nabc,x12,\n"),
        "file:4:5: field `dep_delay`: `x12` is not an INT"
    );
    assert_eq!(
        at("a,3000000000,\n"),
        "file:1:3: field `dep_delay`: `3000000000` is not an INT"
    );
    assert_eq!(
        at("a,1,2024-13-01 00:00:00\n"),
        "file:1:5: field `t`: `2024-13-01 00:00:00` is not a TIMESTAMP(3)"
    );
    assert_eq!(at("a,1\n"), "file:1:4: the record has 2 of 3 fields");
    assert_eq!(
        at("a,1,,4\n"),
        "file:1:6: the record has more than 3 fields"
    );
    assert_eq!(
        at("a,1,\n\"x\n"),
        "file:2:1: a quoted field that does not end"
    );
    assert_eq!(
        at("\"x\"y,1,\n"),
        "file:1:4: text after the closing quote of a field"
    );
    assert_eq!(
        show("csv", "", "a INT NOT NULL, b INT", "1,1\n,2\n"),
        "file:2:1: field `a`: NULL in a column declared NOT NULL"
    );
    assert_eq!(
        show("csv", "csv.ignore-parse-error=true", "a INT", ""),
        "unknown option `csv.ignore-parse-error`; did you mean `csv.ignore-parse-errors`?"
    );
}

#[test]
fn ignoring_errors_keeps_the_good_rows_around_a_bad_one() {
    let text = "1,a\nx,b\n3\n4,d,e\n\"q\"r,1\n6,f\n7,\"open\n8,g\n9,\"h\"\n";
    let with = options("csv.ignore-parse-errors=true");
    let decode = |columns: &str| {
        let (batch, skipped) = decode_in_chunks(
            "csv",
            &with,
            &schema(columns),
            None,
            text.as_bytes(),
            1 << 20,
        )
        .unwrap();
        (rows(&batch), skipped)
    };
    let (good, skipped) = decode("a INT, s STRING");
    assert_eq!(good, "1|a\nNULL|b\n3|NULL\n6|f\n8|g\n9|h");
    assert_eq!(skipped, 3);
    let (good, skipped) = decode("a INT NOT NULL, s STRING");
    assert_eq!(good, "1|a\n3|NULL\n6|f\n8|g\n9|h");
    assert_eq!(skipped, 4);
}

#[test]
fn arrays_and_rows_are_split_by_the_element_delimiter() {
    let text = "1;2;;4,7;seven\n,\n3,;x\n";
    assert_eq!(
        show("csv", "", "l INT[], r ROW", text),
        "[1, 2, NULL, 4]|{x: 7, y: seven}\nNULL|NULL\n[3]|{x: NULL, y: x}"
    );
    assert_eq!(
        show("csv", "", "l INT[]", "1;x"),
        "file:1:1: field `l[]`: `1;x` is not an INT"
    );
    assert_eq!(
        show("csv", "", "m MAP", ""),
        "field `m`: CSV cannot hold a MAP of this type"
    );
}

#[test]
fn times_and_numbers_have_the_forms_people_write() {
    let columns = "t TIMESTAMP, z TIMESTAMP_LTZ, d DATE, c TIME, b BOOLEAN, i BIGINT";
    let text = "2013-01-01T05:00:00,2013-01-01T10:00:00Z,2013-01-01,05:00:00.5,TRUE, +7 \n\
                2013-01-01 05:00:00.123,2013-01-01 11:00:00+01:00,1970-01-02,23:59:59,false,007\n";
    assert_eq!(
        show("csv", "", columns, text),
        "2013-01-01T05:00:00|2013-01-01T10:00:00Z|2013-01-01|05:00:00.500|true|7\n\
         2013-01-01T05:00:00.123|2013-01-01T10:00:00Z|1970-01-02|23:59:59|false|7"
    );
}

#[test]
fn a_file_in_chunks_of_any_size_is_the_same_file() {
    let text = "\u{feff}a,s,t\r\n1,\"é\"\"x\"\"\n2,\",2024-03-09 05:58:30.123\r\n\r\n2,plain text that is long,\r\n3,\"\",2024-03-09 05:58:30";
    let columns = "s STRING, a BIGINT, t TIMESTAMP";
    let whole = show("csv", "csv.header=true", columns, text);
    assert_eq!(whole.lines().count(), 4, "{whole}");
    let with = options("csv.header=true");
    for chunk in 1..text.len() + 1 {
        let (batch, _) =
            decode_in_chunks("csv", &with, &schema(columns), None, text.as_bytes(), chunk).unwrap();
        assert_eq!(rows(&batch), whole, "chunks of {chunk}");
    }
}

#[test]
fn a_projection_passes_over_quoted_and_wrong_fields() {
    let text = b"1,\"a,\nb\",x\n2,\"\",y\n";
    let columns = schema("a INT, s STRING, wrong INT");
    let project = |projection: &[usize]| {
        let (batch, _) =
            decode_in_chunks("csv", &options(""), &columns, Some(projection), text, 5).unwrap();
        (rows(&batch), batch.num_rows())
    };
    assert_eq!(project(&[0]).0, "1\n2");
    assert_eq!(project(&[1, 0]).0, "a,\nb|1\n|2");
    assert_eq!(project(&[]).1, 2);
}

#[test]
fn a_written_file_has_quotes_only_where_they_are_needed() {
    let columns = schema("a INT, s STRING, t TIMESTAMP_LTZ");
    let text = b"1,plain text,2024-03-09 05:58:30Z\n,\"a,b\"\"c\n\",\n";
    let (batch, _) = decode_in_chunks("csv", &options(""), &columns, None, text, 99).unwrap();
    let mut encoder = encoder("csv", &options("csv.header=true"), Arc::clone(&columns)).unwrap();
    let mut out = Vec::new();
    encoder.header(&mut out).unwrap();
    encoder.encode(&batch, &mut out).unwrap();
    let expected = [b"a,s,t\n", &text[..]].concat();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        String::from_utf8(expected).unwrap()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn records_are_those_of_another_reader(
        text in "(([a-c ]{0,20}|\"([a-c,\n]|\"\"){0,20}\"),([a-c][a-c\"]{0,20}|\"([a,]|\"\"){0,9}\"|x)(\r?\n)){0,8}",
        chunk in 1usize..40,
    ) {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let expected: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let columns = schema("a STRING, b STRING");
        let (batch, _) = decode_in_chunks("csv", &options(""), &columns, None, text.as_bytes(), chunk).unwrap();
        let expected: Vec<String> = expected.iter().map(|record| record.join("|")).collect();
        prop_assert_eq!(rows(&batch), expected.join("\n"));
    }

    #[test]
    fn chunks_of_any_size_give_the_same_rows_errors_and_skips(
        parts in prop::collection::vec(prop::sample::select(vec![
            "1", "-20", "x", "", "\"", "\"\"", ",", ",", ",", "\n", "\r\n", "\r", "é", "a b", "#", "\\", "\"q\"",
            "2024-03-09 05:58:30.123",
        ]), 0..60),
        chunk in 1usize..20,
        with in prop::sample::select(vec![
            "", "csv.allow-comments=true csv.null-literal=x", "csv.escape-character=\\ csv.trim-spaces=true",
            "csv.header=true", "csv.disable-quote-character=true csv.ignore-first-line=true",
        ]),
    ) {
        let text = parts.concat();
        let columns = schema("1 BIGINT, x STRING, t TIMESTAMP");
        for ignore in ["", " csv.ignore-parse-errors=true csv.ignore-trailing-unmappable=true"] {
            let with = options(&format!("{with}{ignore}"));
            let seen = |chunk| match decode_in_chunks("csv", &with, &columns, None, text.as_bytes(), chunk) {
                Ok((batch, skipped)) => format!("{}, {skipped} skipped", rows(&batch)),
                Err(error) => error.to_string(),
            };
            prop_assert_eq!(seen(chunk), seen(1 << 20));
        }
    }

    #[test]
    fn random_bytes_never_panic_and_strings_are_always_utf8(
        bytes in prop::collection::vec(prop_oneof![
            5 => b'a'..=b'e', 2 => Just(b','), 1 => Just(b'\n'), 1 => Just(b'"'), 2 => any::<u8>()], 0..200),
        chunk in 1usize..50,
    ) {
        let columns = schema("s STRING, t VARCHAR, n INT");
        let with = options("csv.ignore-parse-errors=true");
        let (batch, _) = decode_in_chunks("csv", &with, &columns, None, &bytes, chunk).unwrap();
        for column in batch.columns() {
            column.to_data().validate_full().unwrap();
        }
    }
}
