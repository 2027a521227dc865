//! Raw: a value a line.

use std::sync::Arc;

use thalweg_formats::encoder;

use crate::support::{decode_in_chunks, options, rows, schema, show};

#[test]
fn a_line_is_a_string_as_it_is() {
    assert_eq!(
        show("raw", "", "s STRING", "a,b\n\n\"é\"\r\nlast"),
        "a,b\n\n\"é\"\nlast"
    );
}

#[test]
fn numbers_are_their_bytes_in_the_chosen_order() {
    let decode = |with: &str, columns: &str, bytes: &[u8]| {
        let (batch, _) =
            decode_in_chunks("raw", &options(with), &schema(columns), None, bytes, 99).unwrap();
        rows(&batch)
    };
    assert_eq!(
        decode("", "i INT", b"\x00\x00\x01\x02\n\xff\xff\xff\xfe\n"),
        "258\n-2"
    );
    assert_eq!(
        decode("raw.endianness=little-endian", "i SMALLINT", b"\x02\x01\n"),
        "258"
    );
    assert_eq!(decode("", "b BOOLEAN", b"\x01\n\x00"), "true\nfalse");
    assert_eq!(decode("", "d DOUBLE", &1.5f64.to_be_bytes()), "1.5");
    assert_eq!(decode("raw.charset=ISO-8859-1", "s STRING", b"\xe9\n"), "é");
}

#[test]
fn what_is_no_value_is_an_error() {
    assert_eq!(
        show("raw", "", "i INT", "abc"),
        "file:1:1: field `i`: `abc` is not an INT"
    );
    assert_eq!(
        show("raw", "", "a INT, b INT", ""),
        "the raw format has exactly one column, and not 2"
    );
    assert_eq!(
        show("raw", "", "a ROW", ""),
        "field `a`: the raw format cannot hold a ROW"
    );
    assert_eq!(
        show("raw", "raw.charset=EBCDIC", "s STRING", ""),
        "option `raw.charset`: `EBCDIC` is not a known character set"
    );
    let error = decode_in_chunks(
        "raw",
        &options(""),
        &schema("s STRING"),
        None,
        b"ok\na\xff",
        99,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "file:2:2: field `s`: a string that is not UTF-8"
    );
}

#[test]
fn what_is_written_is_read_back() {
    for (with, columns, text) in [
        ("", "s STRING", &b"one\n\ntwo\n"[..]),
        ("raw.charset=ISO-8859-1", "s STRING", b"\xe9t\xe9\n"),
        (
            "raw.endianness=little-endian",
            "i INT",
            b"\x01\x02\x03\x04\n",
        ),
        ("", "b BYTES", b"\xff\xfe\n"),
        ("", "f FLOAT", b"\x3f\x80\x00\x00\n"),
    ] {
        let columns = schema(columns);
        let (batch, _) = decode_in_chunks("raw", &options(with), &columns, None, text, 99).unwrap();
        let mut out = Vec::new();
        let mut encoder = encoder("raw", &options(with), Arc::clone(&columns)).unwrap();
        encoder.encode(&batch, &mut out).unwrap();
        assert_eq!(out, text);
    }
}
