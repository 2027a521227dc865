//! Reads and writes, without checkpoints.

use std::ops::ControlFlow;

use thalweg_core::error::Error;
use thalweg_core::host::Random;
use thalweg_core::state::store::{ByteRows, WriteBatch, table_range};

use super::kit::{ALL, Entries, GROUPS, Subject, all, key, looked_up, scanned, write_at_random};

const SEEDS: u64 = 12;
const MEMORY_ROUNDS: u32 = 600;

pub fn a_store_reads_like_a_sorted_map(subject: &Subject<'_>) {
    for seed in 0..SEEDS {
        let random = &mut Random::new(seed);
        let store = &mut *subject.open(ALL, &[]);
        let mut model = Entries::new();
        for round in 0..30 {
            write_at_random(store, &mut model, &ALL, random);
            let mut keys = ByteRows::default();
            for _ in 0..random.below(400) {
                let group = random.below(u64::from(GROUPS)) as u32;
                keys.push(&key(group, random.below(3) as u8, random.below(60) as u32));
            }
            let expected: Vec<_> = keys.iter().map(|key| model.get(key).cloned()).collect();
            let found = looked_up(store, &keys).unwrap();
            assert!(found == expected, "seed {seed}, round {round}");
            let (start, end) = table_range(random.below(u64::from(GROUPS)) as u32, 1);
            let range = model.range(start.to_vec()..end.to_vec());
            let expected: Entries = range.map(|(k, v)| (k.clone(), v.clone())).collect();
            let found = scanned(store, &start, &end).unwrap();
            assert_eq!(found, expected, "seed {seed}, round {round}");
        }
        assert_eq!(all(store).unwrap(), model, "seed {seed}");
        assert!(scanned(store, b"\0\x05", b"\0\x05").unwrap().is_empty());
    }
}

pub fn an_error_or_a_stop_of_the_caller_ends_a_call(subject: &Subject<'_>) {
    let store = &mut *subject.open(ALL, &[]);
    let mut keys = ByteRows::default();
    let mut batch = WriteBatch::default();
    for number in 0..10 {
        keys.push(&key(1, 0, number));
        batch.put(&key(1, 0, number), b"v");
    }
    store.write(&batch).unwrap();
    let mut calls = 0;
    let failed = store.get_many(&keys, &mut |_, _| {
        calls += 1;
        Err(Error::user("enough"))
    });
    assert_eq!(failed.unwrap_err().message(), "enough");
    assert_eq!(calls, 1);
    let mut visited = 0;
    let stopped = store.scan(&[0], &[1], &mut |_, _| {
        visited += 1;
        Ok(if visited == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    stopped.unwrap();
    assert_eq!(visited, 3);
    let failed = store.scan(&[0], &[1], &mut |_, _| Err(Error::user("no more")));
    assert_eq!(failed.unwrap_err().message(), "no more");
}

/// Writes and reads several times the memory of the backend, if that has a bound.
pub fn a_store_stays_within_its_memory(subject: &Subject<'_>) {
    let random = &mut Random::new(7);
    let store = &mut *subject.open(ALL, &[]);
    let budget = subject.backend.memory_budget_bytes();
    let mut batch = WriteBatch::default();
    let mut keys = ByteRows::default();
    let mut most = 0;
    let mut written = 0;
    for round in 0..MEMORY_ROUNDS {
        batch.clear();
        keys.clear();
        for number in 0..256 {
            // Numbers at random do not compress.
            let value: Vec<u8> = (0..32)
                .flat_map(|_| random.next_u64().to_le_bytes())
                .collect();
            let key = key(number % GROUPS, 0, round * 256 + number + 4);
            batch.put(&key, &value);
            keys.push(&key);
        }
        store.write(&batch).unwrap();
        written += batch.total_bytes() as u64;
        let found = looked_up(store, &keys).unwrap();
        assert!(found.iter().all(Option::is_some), "round {round}");
        most = most.max(store.memory_bytes());
    }
    assert!(most > 0 && most <= budget, "{most} of {budget} bytes");
    let stored = store.approximate_bytes();
    assert!(stored >= written / 2, "{stored} of {written} bytes");
}
