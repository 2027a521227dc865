//! Sequences that are dealt out.

use std::sync::Arc;

use super::*;
use crate::checkpoint::in_flight::InFlightLog;
use thalweg_core::container::{Container, downcast};
use thalweg_core::graph::KeyHasher;
use thalweg_core::rows::{Record, Rows};
use thalweg_core::time::EventTime;

struct Identity;
impl KeyHasher for Identity {
    fn hashes(&self, batch: &dyn Container, hashes: &mut Vec<u64>) -> Result<()> {
        let rows = batch.as_any().downcast_ref::<Rows<u64>>().unwrap();
        hashes.extend(&rows.values);
        Ok(())
    }
}

fn batch(values: &[u64]) -> Rows<u64> {
    let records = values.iter().map(|v| Record::new(*v, EventTime(0)));
    records.collect()
}

const fn channel(sender: u32) -> Place {
    Place { edge: 0, sender }
}

/// What an old instance held: `(place, watermark or values)`.
fn table(elements: &[(Place, std::result::Result<i64, &[u64]>)]) -> Option<TableSnapshot> {
    let mut log = InFlightLog::default();
    for (place, element) in elements {
        match element {
            Ok(watermark) => log.watermark(*place, Watermark(*watermark)),
            Err(values) => log.batch(*place, 0, &batch(values)).unwrap(),
        }
    }
    log.into_table(Schema::UInt(8))
}

fn deal(
    target: Target,
    old: &[Option<TableSnapshot>],
    parallelism: u32,
) -> Result<Vec<Vec<String>>> {
    let dealer = Dealer {
        parallelism,
        max_parallelism: 4,
        codecs: &[Some(ContainerCodec::rows::<u64>())],
        targets: &[target],
        schema: &Schema::UInt(8),
    };
    let text = |(port, element): (usize, StreamElement)| match element {
        StreamElement::Batch(batch) => {
            let values = downcast::<Rows<u64>>(batch).unwrap().values;
            format!("{port}{values:?}")
        }
        StreamElement::Watermark(watermark) => format!("W{}", watermark.0),
        other => panic!("{other:?}"),
    };
    let dealt = dealer.deal(old)?;
    Ok(dealt
        .into_iter()
        .map(|elements| elements.into_iter().map(text).collect())
        .collect())
}

fn by_key() -> Target {
    Target::Edge(Partitioning::Hash(Arc::new(Identity)))
}

#[test]
fn at_the_same_parallelism_every_instance_gets_its_own_in_order() {
    let old = [
        table(&[
            (Place::FRONT, Ok(3)),
            (channel(0), Ok(5)),
            (channel(0), Err(&[1])),
            (channel(0), Ok(9)),
            (channel(0), Err(&[2])),
            (channel(1), Ok(7)),
            (Place::FRONT, Err(&[0])),
        ]),
        None,
    ];
    let dealt = deal(by_key(), &old, 2).unwrap();
    assert_eq!(dealt[0], ["W3", "0[0]", "W5", "0[1]", "W7", "0[2]"]);
    assert!(dealt[1].is_empty());
}

#[test]
fn at_another_parallelism_records_follow_their_keys_and_watermarks_the_last_instance() {
    let old = [
        table(&[
            (Place::FRONT, Ok(1)),
            (channel(0), Ok(8)),
            (channel(0), Err(&[0, 1, 2, 3])),
        ]),
        table(&[
            (Place::FRONT, Ok(2)),
            (channel(0), Ok(4)),
            (channel(0), Err(&[3, 0])),
            (channel(0), Ok(6)),
        ]),
    ];
    let dealt = deal(by_key(), &old, 4).unwrap();
    for (instance, elements) in dealt.iter().enumerate() {
        let watermarks: Vec<_> = elements.iter().filter(|e| e.starts_with('W')).collect();
        assert_eq!(watermarks, ["W1", "W4", "W6"]);
        let records: Vec<_> = elements.iter().filter(|e| e.starts_with('0')).collect();
        let twice = instance == 0 || instance == 3;
        assert_eq!(
            records,
            vec![&format!("0[{instance}]"); 1 + usize::from(twice)]
        );
    }
    // An instance of which nothing was written down may have been behind.
    let dealt = deal(by_key(), &[old[0].clone(), None], 1).unwrap();
    assert_eq!(dealt[0], ["0[0, 1, 2, 3]"]);
}

#[test]
fn records_inside_of_a_chain_go_to_the_successor_of_their_instance() {
    let of = |value: u64| table(&[(Place::FRONT, Ok(0)), (Place::FRONT, Err(&[value]))]);
    let old = [of(0), of(1), of(2)];
    let dealt = deal(Target::Instance, &old, 2).unwrap();
    assert_eq!(dealt, [vec!["W0", "0[0]", "0[1]"], vec!["W0", "0[2]"]]);
}

#[test]
fn records_of_another_type_and_damaged_ones_are_refused() {
    let mut other = table(&[(channel(0), Err(&[1]))]).unwrap();
    other.schema = Schema::Text;
    let error = deal(by_key(), &[Some(other)], 1).unwrap_err();
    assert!(
        error.to_string().contains("of a type that has changed"),
        "{error}"
    );

    let mut damaged = table(&[(channel(0), Err(&[1]))]).unwrap();
    let mut entries = damaged.entries.iter().map(|(_, entry)| entry.to_vec());
    let mut first = entries.next().unwrap();
    first[8] = 7;
    let entries = std::iter::once(first).chain(entries);
    damaged.entries = entries.map(|entry| (None, entry)).collect();
    let error = deal(by_key(), &[Some(damaged)], 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an element in flight is of the unknown kind `7`"
    );
}
