//! Tests of the whole source.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, FieldRef, Float64Type, Int8Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time32MillisecondType, TimeUnit,
    TimestampMicrosecondType,
};
use thalweg_core::source::{Boundedness, Poll};
use thalweg_core::time::ProcessingTime;

use super::DataGen;
use crate::testing::{error, instance, lines, run, run_with_restore, sorted, source, table, whole};

fn field(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

/// A column with its declared type.
fn declared(name: &str, data_type: DataType, text: &str) -> FieldRef {
    let metadata = [("flink.type".to_owned(), text.to_owned())].into();
    Arc::new(Field::new(name, data_type, true).with_metadata(metadata))
}

/// The values of one column `c` in 2000 rows.
fn values(field: FieldRef, options: &[(&str, &str)]) -> ArrayRef {
    let mut options = options.to_vec();
    options.push(("number-of-rows", "2000"));
    rows(vec![field], &options).column(0).clone()
}

fn rows(fields: Vec<FieldRef>, options: &[(&str, &str)]) -> RecordBatch {
    let source = source(&DataGen, &table(fields, options)).unwrap();
    whole(&run(source.as_ref(), 1, 4096))
}

fn message(fields: Vec<FieldRef>, options: &[(&str, &str)]) -> String {
    error(&DataGen, &table(fields, options))
}

#[test]
fn sequences_count_and_the_shortest_ends_the_table() {
    let fields = vec![
        field("a", DataType::Int64),
        field("b", DataType::Utf8View),
        field("c", DataType::Decimal128(6, 2)),
        field("d", DataType::Float32),
    ];
    let options = [
        ("fields.a.kind", "sequence"),
        ("fields.a.start", "-1"),
        ("fields.a.end", "100"),
        ("fields.b.kind", "sequence"),
        ("fields.b.start", "7"),
        ("fields.b.end", "9"),
        ("fields.c.kind", "sequence"),
        ("fields.c.start", "0"),
        ("fields.c.end", "9999"),
        ("fields.d.kind", "sequence"),
        ("fields.d.start", "0"),
        ("fields.d.end", "3"),
    ];
    let source = source(&DataGen, &table(fields, &options)).unwrap();
    assert_eq!(source.boundedness(), Boundedness::Bounded);
    let expected = [
        "-1 | 7 | 0.00 | 0.0",
        "0 | 8 | 1.00 | 1.0",
        "1 | 9 | 2.00 | 2.0",
    ];
    assert_eq!(lines(&run(source.as_ref(), 1, 4096)), expected);
}

#[test]
fn parallelism_and_a_restore_change_no_row() {
    let fields = vec![
        field("n", DataType::Int64),
        field("text", DataType::Utf8View),
    ];
    let options = [
        ("fields.n.kind", "sequence"),
        ("fields.n.start", "1"),
        ("fields.n.end", "5000"),
        ("fields.text.length", "20"),
    ];
    let source = source(&DataGen, &table(fields, &options)).unwrap();
    let source = source.as_ref();
    let expected = sorted(&run(source, 1, 4096));
    assert_eq!(expected.len(), 5000);
    assert_eq!(sorted(&run(source, 3, 4096)), expected);
    assert_eq!(sorted(&run_with_restore(source, (1, 3), 1000)), expected);
    assert_eq!(sorted(&run_with_restore(source, (3, 2), 777)), expected);
}

#[test]
fn the_seed_decides_the_values() {
    let column = || field("c", DataType::Int64);
    let usual = values(column(), &[]);
    assert_eq!(&usual, &values(column(), &[("seed", "0")]));
    assert_ne!(&usual, &values(column(), &[("seed", "1")]));
    let two = rows(
        vec![column(), field("d", DataType::Int64)],
        &[("number-of-rows", "2000")],
    );
    assert_eq!(two.column(0), &usual);
    assert_ne!(two.column(1), &usual);
}

#[test]
fn rows_a_second_are_shared_by_the_instances() {
    let fields = vec![field("c", DataType::Int64)];
    let usual = source(&DataGen, &table(fields.clone(), &[])).unwrap();
    assert_eq!(usual.boundedness(), Boundedness::Unbounded);
    let (poll, batches) = instance(usual.as_ref(), 0, 1).poll(0).unwrap();
    assert_eq!((poll, batches[0].num_rows()), (Poll::Ready, 10));
    let options = [("rows-per-second", "10")];
    let slow = source(&DataGen, &table(fields, &options)).unwrap();
    let mut slow = instance(slow.as_ref(), 1, 2);
    assert_eq!(slow.poll(0).unwrap().1[0].num_rows(), 1);
    let until = Some(ProcessingTime(200));
    assert_eq!(slow.poll(0).unwrap().0, Poll::Idle { until });
    assert_eq!(slow.poll(200).unwrap().1[0].num_rows(), 1);
}

#[test]
fn numbers_lie_between_their_bounds_and_reach_them() {
    let bounds = [("fields.c.min", "-3"), ("fields.c.max", "3")];
    let ints = values(field("c", DataType::Int32), &bounds);
    let ints = ints.as_primitive::<Int32Type>().values();
    assert_eq!(ints.iter().min(), Some(&-3));
    assert_eq!(ints.iter().max(), Some(&3));
    let bytes = values(field("c", DataType::Int8), &[]);
    let bytes = bytes.as_primitive::<Int8Type>().values();
    assert!(bytes.iter().any(|value| *value < -100) && bytes.iter().any(|value| *value > 100));
    let all = values(field("c", DataType::Int64), &[]);
    let all = all.as_primitive::<Int64Type>().values();
    assert!(all.iter().any(|value| *value < 0) && all.iter().any(|value| *value > i64::MAX / 2));
    let floats = values(field("c", DataType::Float64), &bounds);
    let floats = floats.as_primitive::<Float64Type>().values();
    assert!(floats.iter().all(|value| (-3.0..=3.0).contains(value)));
    assert!(floats.iter().any(|value| *value > 2.9));
    let wide = values(field("c", DataType::Float64), &[]);
    let wide = wide.as_primitive::<Float64Type>().values();
    assert!(wide.iter().all(|value| value.is_finite()));
    let decimals = values(field("c", DataType::Decimal128(5, 2)), &bounds);
    let decimals = decimals.as_primitive::<Decimal128Type>().values();
    assert!(decimals.iter().all(|value| (-300..=300).contains(value)));
    assert!(decimals.iter().any(|value| *value % 100 != 0));
    let wide = values(field("c", DataType::Decimal128(38, 0)), &[]);
    let wide = wide.as_primitive::<Decimal128Type>().values();
    assert!(wide.iter().any(|value| *value < -(10i128.pow(37))));
}

#[test]
fn strings_have_their_lengths() {
    let lengths = |column: FieldRef, options: &[(&str, &str)]| {
        let values = values(column, options);
        let text = |value: Option<&str>| {
            let value = value.unwrap();
            assert!(value.bytes().all(|byte| byte.is_ascii_hexdigit()));
            value.len()
        };
        let lengths: Vec<usize> = values.as_string_view().iter().map(text).collect();
        let (min, max) = (lengths.iter().min(), lengths.iter().max());
        (*min.unwrap(), *max.unwrap())
    };
    let string = || declared("c", DataType::Utf8View, "STRING");
    assert_eq!(lengths(string(), &[]), (100, 100));
    assert_eq!(lengths(string(), &[("fields.c.length", "5")]), (5, 5));
    let variable = [("fields.c.length", "5"), ("fields.c.var-len", "true")];
    assert_eq!(lengths(string(), &variable), (1, 5));
    let char = declared("c", DataType::Utf8View, "CHAR(3)");
    assert_eq!(lengths(char.clone(), &[]), (3, 3));
    let varchar = declared("c", DataType::Utf8View, "VARCHAR(12)");
    assert_eq!(lengths(varchar.clone(), &[]), (12, 12));
    assert_eq!(
        message(vec![varchar], &[("fields.c.length", "13")]),
        "table `t`: option `fields.c.length` is `13`, but must be between 1 and 12"
    );
    assert_eq!(
        message(vec![char], &[("fields.c.length", "2")]),
        "table `t`: option `fields.c.length` is of no column, or does not fit the column's kind \
         and type"
    );
    let bytes = values(
        declared("c", DataType::Binary, "BYTES"),
        &[("fields.c.length", "9")],
    );
    let bytes = bytes.as_binary::<i32>();
    assert!(bytes.iter().all(|value| value.unwrap().len() == 9));
}

#[test]
fn dates_and_times_are_those_of_the_clock() {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = vec![
        field("d", DataType::Date32),
        field("t", DataType::Time32(TimeUnit::Millisecond)),
        field("now", micros.clone()),
        field("past", micros),
    ];
    let options = [("fields.past.max-past", "10 s"), ("number-of-rows", "100")];
    let source = source(&DataGen, &table(fields, &options)).unwrap();
    let now = 3 * 86_400_000 + 5_000;
    let (_, batches) = instance(source.as_ref(), 0, 1).poll(now).unwrap();
    let batch = &batches[0];
    assert_eq!(batch.column(0).as_primitive::<Date32Type>().value(9), 3);
    let time = batch.column(1).as_primitive::<Time32MillisecondType>();
    assert_eq!(time.value(9), 5_000);
    let times = |at: usize| batch.column(at).as_primitive::<TimestampMicrosecondType>();
    assert!(times(2).values().iter().all(|time| *time == now * 1000));
    let past = times(3).values();
    let range = (now - 10_000) * 1000..=now * 1000;
    assert!(past.iter().all(|time| range.contains(time)));
    assert!(past.iter().any(|time| *time < (now - 5000) * 1000));
}

#[test]
fn booleans_and_intervals_are_made() {
    let booleans = values(field("c", DataType::Boolean), &[]);
    let share = booleans.as_boolean().true_count();
    assert!((900..1100).contains(&share));
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    let bounds = [("fields.c.min", "2"), ("fields.c.max", "4")];
    let months = values(
        declared("c", interval.clone(), "INTERVAL YEAR(2) TO MONTH"),
        &bounds,
    );
    let months = months.as_primitive::<IntervalMonthDayNanoType>().values();
    assert!(
        months
            .iter()
            .all(|value| (2..=4).contains(&value.months) && value.nanoseconds == 0)
    );
    let millis = values(
        declared("c", interval, "INTERVAL DAY TO SECOND(3)"),
        &bounds,
    );
    let millis = millis.as_primitive::<IntervalMonthDayNanoType>().values();
    let range = 2_000_000..=4_000_000;
    assert!(
        millis
            .iter()
            .all(|value| value.months == 0 && range.contains(&value.nanoseconds))
    );
}

#[test]
fn the_share_of_nulls_is_as_wished() {
    for data_type in [
        DataType::Int64,
        DataType::Utf8View,
        DataType::Boolean,
        DataType::Decimal128(10, 2),
    ] {
        let rate = [("fields.c.null-rate", "0.25")];
        let nulls = values(field("c", data_type.clone()), &rate).null_count();
        assert!((430..570).contains(&nulls), "{nulls} of {data_type}");
        assert_eq!(values(field("c", data_type), &[]).null_count(), 0);
    }
    let not_null = Arc::new(Field::new("c", DataType::Int64, false));
    assert_eq!(
        message(vec![not_null], &[("fields.c.null-rate", "0.5")]),
        "table `t`: option `fields.c.null-rate` is `0.5`, but must be 0 for a column that is NOT \
         NULL"
    );
}

#[test]
fn wrong_options_and_types_are_named() {
    let of = |options: &[(&str, &str)]| message(vec![field("c", DataType::Int8)], options);
    assert_eq!(
        of(&[("fields.c.max", "128")]),
        "table `t`: option `fields.c.max` is `128`, but must be between -128 and 127"
    );
    assert_eq!(
        of(&[("fields.c.min", "5"), ("fields.c.max", "4")]),
        "table `t`: option `fields.c.max` is `4`, but must be at least `min`, which is 5"
    );
    assert_eq!(
        of(&[("fields.c.kind", "sequence"), ("fields.c.start", "1")]),
        "table `t`: option `fields.c.end` is missing: column `c` is a sequence"
    );
    assert_eq!(
        of(&[("fields.c.kind", "even")]),
        "table `t`: option `fields.c.kind` is `even`, but must be `random` or `sequence`"
    );
    assert_eq!(
        of(&[("fields.d.min", "1")]),
        "table `t`: option `fields.d.min` is of no column, or does not fit the column's kind and \
         type"
    );
    assert_eq!(
        of(&[("rows-per-second", "0")]),
        "table `t`: option `rows-per-second` is `0`, but must be a whole number above 0"
    );
    let list = DataType::List(field("item", DataType::Int8));
    let message = message(vec![field("c", list)], &[]);
    assert!(message.starts_with("table `t`: the datagen connector makes no values of type List"));
}
