//! Bytes that every later version must write and read alike.

use std::sync::Arc;

use thalweg_formats::encoder;

use crate::support::{decode_in_chunks, options, rows, schema};

const COLUMNS: &str = "b BOOLEAN, i TINYINT, n BIGINT, f FLOAT, d DOUBLE, dec DECIMAL, s STRING, \
                       y BYTES, day DATE, c TIME, t TIMESTAMP, z TIMESTAMP_LTZ, l INT[], r ROW";

const JSON: &str = r#"{"b":true,"i":-128,"n":9223372036854775807,"f":0.1,"d":1e300,"dec":-0.05,"s":"é\n\u0001\"","y":"AQI=","day":"2024-02-29","c":"05:58:30.5","t":"2024-03-09 05:58:30.123","z":"1969-12-31 23:59:59.9Z","l":[1,null],"r":{"x":1,"y":"q"}}
{"b":null,"i":null,"n":null,"f":null,"d":null,"dec":null,"s":null,"y":null,"day":null,"c":null,"t":null,"z":null,"l":null,"r":null}
{"b":false,"i":0,"n":-1,"f":1.0,"d":"NaN","dec":100.00,"s":"","y":"","day":"1970-01-01","c":"00:00:00","t":"1970-01-01 00:00:00","z":"1970-01-01 00:00:00Z","l":[],"r":{"x":null,"y":null}}
"#;

const CSV: &str = "true,-128,9223372036854775807,0.1,1e300,-0.05,\"é\n\u{1}\"\"\",AQI=,2024-02-29,05:58:30.5,2024-03-09 05:58:30.123,1969-12-31 23:59:59.9Z,1;,1;q
NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA
";

fn again(format: &str, with: &str, text: &str) {
    let (columns, with) = (schema(COLUMNS), options(with));
    let (batch, _) =
        decode_in_chunks(format, &with, &columns, None, text.as_bytes(), 1 << 20).unwrap();
    let mut encoder = encoder(format, &with, Arc::clone(&columns)).unwrap();
    let mut out = Vec::new();
    encoder.encode(&batch, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), text);
}

#[test]
fn json_is_written_as_it_was_read() {
    again("json", "", JSON);
}

#[test]
fn csv_is_written_as_it_was_read() {
    again(
        "csv",
        "csv.null-literal=NA",
        &CSV.replace("1;,1;q", "1;NA,1;q"),
    );
}

#[test]
fn null_fields_can_be_left_out() {
    let columns = schema("a INT, r ROW");
    let text = "{\"a\":1}\n{\"r\":{\"x\":1}}\n{}\n";
    let with = options("json.encode.ignore-null-fields=true");
    let (batch, _) = decode_in_chunks("json", &with, &columns, None, text.as_bytes(), 99).unwrap();
    assert_eq!(rows(&batch), "1|NULL\nNULL|{x: 1, y: NULL}\nNULL|NULL");
    let mut out = Vec::new();
    encoder("json", &with, columns)
        .unwrap()
        .encode(&batch, &mut out)
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), text);
}
