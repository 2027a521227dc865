//! Tests of the whole source.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType,
};
use thalweg_core::source::{Boundedness, Poll};
use thalweg_core::time::ProcessingTime;

use super::Nexmark;
use crate::testing::{
    error, instance, lines, run, run_with_restore, sorted, source, source_of, table, whole,
};

fn field(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

/// Fields from `name:type` with b for BIGINT, s for STRING and t for TIMESTAMP(3).
fn fields(text: &str) -> Vec<FieldRef> {
    let of = |part: &str| {
        let (name, kind) = part.split_once(':').unwrap();
        let data_type = match kind {
            "b" => DataType::Int64,
            "s" => DataType::Utf8View,
            _ => DataType::Timestamp(TimeUnit::Millisecond, None),
        };
        field(name, data_type)
    };
    text.split(' ').map(of).collect()
}

fn person() -> Vec<FieldRef> {
    fields("id:b name:s emailAddress:s creditCard:s city:s state:s dateTime:t extra:s")
}

fn auction() -> Vec<FieldRef> {
    fields(
        "id:b itemName:s description:s initialBid:b reserve:b dateTime:t expires:t seller:b \
         category:b extra:s",
    )
}

fn bid() -> Vec<FieldRef> {
    fields("auction:b bidder:b price:b channel:s url:s dateTime:t extra:s")
}

fn events() -> Vec<FieldRef> {
    let row = |fields: Vec<FieldRef>| DataType::Struct(Fields::from(fields));
    vec![
        field("event_type", DataType::Int32),
        field("person", row(person())),
        field("auction", row(auction())),
        field("bid", row(bid())),
    ]
}

/// All rows of one instance.
fn rows(fields: Vec<FieldRef>, options: &[(&str, &str)]) -> RecordBatch {
    let source = source(&Nexmark, &table(fields, options)).unwrap();
    whole(&run(source.as_ref(), 1, 4096))
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<i64> {
    let column = batch.column_by_name(name).unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap().as_string_view();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

fn share(values: &[i64], of: impl Fn(&i64) -> bool) -> f64 {
    values.iter().filter(|value| of(value)).count() as f64 / values.len() as f64
}

#[test]
fn a_shorter_run_is_the_beginning_of_a_longer_one() {
    let short = rows(events(), &[("events.num", "5000")]);
    let long = rows(events(), &[("events.num", "9000"), ("seed", "1")]);
    assert_eq!((short.num_rows(), long.num_rows()), (5000, 9000));
    assert_eq!(short, long.slice(0, 5000));
    let other = rows(events(), &[("events.num", "5000"), ("seed", "2")]);
    assert_ne!(short, other);
}

#[test]
fn parallelism_batches_and_a_restore_change_no_row() {
    for (fields, entity) in [
        (events(), None),
        (bid(), Some("bid")),
        (person(), Some("person")),
    ] {
        let mut options = vec![("events.num", "9500")];
        options.extend(entity.map(|entity| ("entity", entity)));
        for preload in ["false", "true"] {
            options.push(("preload", preload));
            let source = source(&Nexmark, &table(fields.clone(), &options)).unwrap();
            let source = source.as_ref();
            let expected = sorted(&run(source, 1, 4096));
            assert_eq!(sorted(&run(source, 3, 100)), expected);
            assert_eq!(sorted(&run_with_restore(source, (1, 3), 5_000)), expected);
            assert_eq!(sorted(&run_with_restore(source, (3, 1), 5)), expected);
            assert_eq!(sorted(&run_with_restore(source, (2, 2), 1500)), expected);
            options.pop();
        }
    }
}

#[test]
fn a_restored_instance_goes_on_in_order() {
    let options = [("events.num", "20000"), ("entity", "bid")];
    let source = source(&Nexmark, &table(bid(), &options)).unwrap();
    let parts = run_with_restore(source.as_ref(), (1, 1), 7_000);
    assert_eq!(lines(&parts), lines(&run(source.as_ref(), 1, 4096)));
}

#[test]
fn a_flat_table_has_the_values_of_the_rows_of_all_events() {
    let all = rows(events(), &[("events.num", "10000")]);
    for (at, name, fields) in [
        (1, "person", person()),
        (2, "auction", auction()),
        (3, "bid", bid()),
    ] {
        let flat = rows(fields, &[("events.num", "10000"), ("entity", name)]);
        let nested = all.column(at).as_struct();
        let mask = arrow::compute::is_not_null(nested).unwrap();
        for (column, nested) in flat.columns().iter().zip(nested.columns()) {
            let kept = arrow::compute::filter(nested, &mask).unwrap();
            assert_eq!(column.to_data(), kept.to_data());
        }
    }
}

#[test]
fn rows_and_their_fields_are_null_for_events_of_another_type() {
    let all = rows(events(), &[("events.num", "100")]);
    let kinds = all.column(0).as_primitive::<Int32Type>();
    let expected = |n: i32| i32::from(n % 50 >= 1) + i32::from(n % 50 >= 4);
    for (row, kind) in kinds.values().iter().enumerate() {
        assert_eq!(*kind, expected(row as i32));
        for (at, entity) in (0..).zip(["person", "auction", "bid"]) {
            let nested = all.column_by_name(entity).unwrap().as_struct();
            assert_eq!(nested.is_valid(row), at == *kind);
            let inner = |column: &Arc<dyn Array>| column.is_valid(row) == (at == *kind);
            assert!(nested.columns().iter().all(inner));
        }
    }
}

#[test]
fn a_projection_changes_no_value() {
    let options = [("events.num", "9000")];
    let all = rows(events(), &options);
    let table = table(events(), &options);
    for projection in [vec![3], vec![2, 0], vec![]] {
        let source = source_of(&Nexmark, &table, projection.clone()).unwrap();
        let batches = run(source.as_ref(), 1, 4096);
        assert_eq!(whole(&batches), all.project(&projection).unwrap());
    }
    // Fields may be fewer and in another order.
    let some = fields("url:s auction:b");
    let options = [("events.num", "9000"), ("entity", "bid")];
    let few = rows(some, &options);
    let bids = rows(bid(), &options);
    assert_eq!(few, bids.project(&[4, 0]).unwrap());
}

#[test]
fn times_follow_the_event_numbers() {
    let options = [
        ("events.num", "10000"),
        ("entity", "bid"),
        ("first-event.rate", "3"),
        ("base-time", "50"),
    ];
    let bids = rows(bid(), &options);
    let times = bids.column_by_name("dateTime").unwrap();
    let times = times.as_primitive::<TimestampMillisecondType>();
    let expected = (0..10_000i64).filter(|n| n % 50 >= 4);
    let expected: Vec<i64> = expected.map(|n| 50 + n * 1000 / 3).collect();
    assert_eq!(times.values().to_vec(), expected);
}

#[test]
fn bids_are_spread_as_the_generator_says() {
    let bids = rows(bid(), &[("events.num", "200000"), ("entity", "bid")]);
    assert_eq!(bids.num_rows(), 200_000 / 50 * 46);
    let auctions = numbers(&bids, "auction");
    assert!((0.49..0.53).contains(&share(&auctions, |id| id % 100 == 0)));
    let bidders = numbers(&bids, "bidder");
    assert!((0.74..0.77).contains(&share(&bidders, |id| id % 100 == 1)));
    // The latest auction of all is number 11,999; some bids are for one not yet open.
    assert!(auctions.iter().all(|id| (1000..13_010).contains(id)));
    assert!(bidders.iter().all(|id| (1000..5_011).contains(id)));
    let prices = numbers(&bids, "price");
    assert!(
        prices
            .iter()
            .all(|price| (100..=100_000_000).contains(price))
    );
    for decade in 0..6 {
        let low = 100 * 10i64.pow(decade);
        let share = share(&prices, |price| (low..low * 10).contains(price));
        assert!((0.15..0.18).contains(&share), "{share}");
    }
    let extras = texts(&bids, "extra");
    assert!(extras.iter().all(|text| (54..82).contains(&text.len())));
    let mean = extras.iter().map(String::len).sum::<usize>() as f64 / extras.len() as f64;
    assert!((67.0..68.0).contains(&mean), "{mean}");
}

#[test]
fn a_channel_always_has_the_same_address() {
    let bids = rows(bid(), &[("events.num", "200000"), ("entity", "bid")]);
    let (channels, urls) = (texts(&bids, "channel"), texts(&bids, "url"));
    let pairs: BTreeSet<(&String, &String)> = channels.iter().zip(&urls).collect();
    assert!((9_900..=10_004).contains(&pairs.len()), "{}", pairs.len());
    let hot = channels
        .iter()
        .filter(|channel| !channel.starts_with("channel-"));
    assert!((0.49..0.51).contains(&(hot.count() as f64 / channels.len() as f64)));
    let start = "https://www.nexmark.com/";
    assert!(
        urls.iter()
            .all(|url| url.starts_with(start) && url.split('/').count() == 7)
    );
    let mut with_id = pairs.iter().filter(|(_, url)| url.contains("&channel_id="));
    assert!(
        with_id
            .by_ref()
            .all(|(channel, _)| channel.starts_with("channel-"))
    );
    let share = pairs
        .iter()
        .filter(|(_, url)| url.contains("&channel_id="))
        .count();
    assert!((8_800..9_200).contains(&share), "{share}");
}

#[test]
fn persons_and_auctions_count_up_and_hold_plausible_texts() {
    let persons = rows(person(), &[("events.num", "100000"), ("entity", "person")]);
    assert_eq!(numbers(&persons, "id"), (1000..3000).collect::<Vec<i64>>());
    assert!(
        texts(&persons, "name")
            .iter()
            .all(|name| name.contains(' '))
    );
    let card = |card: &String| {
        card.len() == 19 && card.split(' ').all(|group| group.parse::<u16>().is_ok())
    };
    assert!(texts(&persons, "creditCard").iter().all(card));
    let address = |text: &String| text.contains('@') && text.ends_with(".com");
    assert!(texts(&persons, "emailAddress").iter().all(address));
    let auctions = rows(
        auction(),
        &[("events.num", "100000"), ("entity", "auction")],
    );
    assert_eq!(numbers(&auctions, "id"), (1000..7000).collect::<Vec<i64>>());
    let (initial, reserve) = (
        numbers(&auctions, "initialBid"),
        numbers(&auctions, "reserve"),
    );
    assert!(
        initial
            .iter()
            .zip(&reserve)
            .all(|(initial, reserve)| initial < reserve)
    );
    let categories: BTreeSet<i64> = numbers(&auctions, "category").into_iter().collect();
    assert_eq!(categories, (10..15).collect());
    let times = |name| auctions.column_by_name(name).unwrap();
    let opened = times("dateTime").as_primitive::<TimestampMillisecondType>();
    let expires = times("expires").as_primitive::<TimestampMillisecondType>();
    // 100 auctions open in 1666 events, 166 or 167 ms at the usual rate: twice that at most.
    let open = expires.values().iter().zip(opened.values());
    let lengths: Vec<i64> = open.map(|(end, start)| end - start).collect();
    assert!(lengths.iter().all(|length| (1..=334).contains(length)));
    assert!((0.4..0.6).contains(&share(&lengths, |length| *length < 167)));
}

#[test]
fn proportions_may_leave_types_out() {
    let options = [
        ("events.num", "1000"),
        ("person.proportion", "0"),
        ("auction.proportion", "0"),
        ("bid.proportion", "1"),
    ];
    let all = rows(events(), &options);
    assert_eq!(all.column(1).null_count(), 1000);
    assert_eq!(all.column(3).null_count(), 0);
}

#[test]
fn rows_a_second_are_limited_and_do_not_change() {
    let mut options = vec![("events.num", "10000"), ("entity", "bid")];
    let expected = rows(bid(), &options);
    options.push(("rows-per-second", "1000"));
    let source = source(&Nexmark, &table(bid(), &options)).unwrap();
    let mut limited = instance(source.as_ref(), 0, 1);
    let (poll, batches) = limited.poll(5000).unwrap();
    assert_eq!((poll, batches[0].num_rows()), (Poll::Ready, 1));
    let until = Some(ProcessingTime(5001));
    assert_eq!(limited.poll(5000).unwrap().0, Poll::Idle { until });
    let rest = limited.run(usize::MAX);
    let limited = whole(&[batches, rest].concat());
    assert_eq!(limited, expected);
}

#[test]
fn without_a_number_of_events_there_is_no_end() {
    let options = [("entity", "auction")];
    let source = source(&Nexmark, &table(auction(), &options)).unwrap();
    assert_eq!(source.boundedness(), Boundedness::Unbounded);
    let batches = instance(source.as_ref(), 0, 2).run(100_000);
    assert!(batches.iter().all(|batch| batch.num_rows() == 4096));
}

#[test]
fn wrong_columns_are_named() {
    let message = |fields, options: &[(&str, &str)]| error(&Nexmark, &table(fields, options));
    let bid_option = [("entity", "bid")];
    assert_eq!(
        message(fields("auction:b prize:b"), &bid_option),
        "table `t`: the nexmark connector has no column `prize`; the columns of `bid` are \
         `auction`, `bidder`, `price`, `channel`, `url`, `dateTime`, `extra`"
    );
    assert_eq!(
        message(fields("auction:b price:s"), &bid_option),
        "table `t`: column `price` is declared as STRING, but must be BIGINT"
    );
    let row = |text| DataType::Struct(Fields::from(fields(text)));
    assert_eq!(
        message(vec![field("bid", row("price:b dateTime:b"))], &[]),
        "table `t`: column `bid.dateTime` is declared as BIGINT, but must be TIMESTAMP(3)"
    );
    assert_eq!(
        message(vec![field("bid", DataType::Int32)], &[]),
        "table `t`: column `bid` is declared as INT, but must be ROW"
    );
    assert_eq!(
        message(fields("bids:b"), &[]),
        "table `t`: the nexmark connector has no column `bids`; it has `event_type`, `person`, \
         `auction` and `bid`"
    );
    let not_null = Arc::new(Field::new("bid", row("price:b"), false));
    assert_eq!(
        message(vec![not_null], &[]),
        "table `t`: column `bid` cannot be NOT NULL: it is NULL for the other types of events"
    );
}

#[test]
fn wrong_options_are_named() {
    let message = |options: &[(&str, &str)]| error(&Nexmark, &table(Vec::new(), options));
    assert_eq!(
        message(&[("entity", "offer")]),
        "table `t`: option `entity` is `offer`, but must be `person`, `auction` or `bid`"
    );
    assert_eq!(
        message(&[("first-event.rate", "0")]),
        "table `t`: option `first-event.rate` is `0`, but must be a whole number between 1 and \
         1000000000"
    );
    assert_eq!(
        message(&[("events.num", "many")]),
        "table `t`: option `events.num` is `many`, but must be a number of events"
    );
    assert_eq!(
        message(&[("entity", "person"), ("person.proportion", "0")]),
        "table `t`: the proportions leave no event to make"
    );
    assert_eq!(
        message(&[("preload", "true")]),
        "table `t`: option `preload` needs option `events.num`"
    );
}
