//! Partitions that expire, against the sort of what is left.

use std::collections::BTreeSet;
use std::time::Duration;

use thalweg_core::time::ProcessingTime;

use super::*;

const TTL_MS: i64 = 100;

/// A partition's rows, as far as they matter, and when they changed last.
#[derive(Default)]
struct Partition {
    rows: Vec<Row>,
    updated: i64,
}

fn run(spec: &TopNSpec, seed: u64) {
    let mut random = Random::new(seed);
    let mut harness = Harness::new(spec);
    let mut partitions: BTreeMap<Option<i64>, Partition> = BTreeMap::new();
    let mut first = spec.clone();
    (first.from, first.with_rank) = (1, true);
    let mut now = 1000;
    for step in 0..120 {
        now += random.below(60) as i64;
        for (_, expired) in partitions.extract_if(.., |_, p| p.updated + TTL_MS <= now) {
            // Nobody takes back what has expired.
            for (row, _) in naive(spec, &expired.rows) {
                harness.result.remove(&row);
            }
        }
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        let mut before = BTreeMap::new();
        for at in 0..=random.below(8) {
            let mut value = |below| random.below(below) as i64;
            let key = Some(value(6)).filter(|key| *key > 0);
            let id = Some((step * 1000 + at) as i64);
            let mut row = [key, Some(value(8)), Some(value(8)), Some(value(8)), id];
            let partition = partitions.entry(key).or_default();
            let known = partition.rows.len() as u64;
            before
                .entry(key)
                .or_insert_with(|| naive(&first, &partition.rows));
            if spec.updates && known > 0 && random.below(3) == 0 {
                row = partition.rows.remove(random.below(known) as usize);
                kinds.push(RowKind::Delete as u8);
            } else {
                partition.rows.push(row);
                kinds.push(RowKind::Insert as u8);
            }
            rows.push(row);
        }
        for (key, before) in before {
            let partition = partitions.entry(key).or_default();
            if spec.updates || naive(&first, &partition.rows) != before {
                partition.updated = now;
            }
            if partition.rows.is_empty() {
                partitions.remove(&key);
            }
        }
        harness.ctx.set_now(ProcessingTime(now));
        harness.process(&rows, kinds);
        let living: Vec<Row> = partitions.values().flat_map(|p| p.rows.clone()).collect();
        let place = format!("step {step}, seed {seed}");
        assert_eq!(harness.result, naive(spec, &living), "{place}");
        if random.below(3) == 0 {
            let snapshot = harness.ctx.snapshot().unwrap();
            let entries = snapshot.tables[0].entries.iter();
            let stored: BTreeSet<Vec<u8>> = entries.map(|(_, entry)| key_of(entry)).collect();
            assert_eq!(stored.len(), partitions.len(), "{place}");
            harness.restore();
            harness.ctx.set_now(ProcessingTime(now));
            harness.operator.open(&mut harness.ctx).unwrap();
        }
    }
}

fn key_of(entry: &[u8]) -> Vec<u8> {
    let stored = crate::exec::keyed::entries::Stored::<()>::read(entry).unwrap();
    stored.key.to_vec()
}

#[test]
fn a_partition_whose_first_rows_have_not_changed_for_its_time_to_live_begins_anew() {
    for (seed, order) in orders().iter().enumerate() {
        for (range, updates) in [
            ((1, 1), false),
            ((1, 3), false),
            ((2, 4), false),
            ((1, 3), true),
        ] {
            let mut spec = spec(range, order);
            spec.updates = updates;
            spec.ttl = Some(Duration::from_millis(TTL_MS.unsigned_abs()));
            run(&spec, seed as u64);
        }
    }
}
