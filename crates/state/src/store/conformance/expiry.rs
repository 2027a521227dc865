//! Values with a time to live.

use std::time::Duration;

use thalweg_core::state::store::{StateStore, StoreTable, WriteBatch};

use super::kit::{ALL, Entries, GROUPS, Subject, all, key};

const PLAIN: u8 = 0;
const EXPIRING: u8 = 1;

/// When a store drops what is expired is its own affair; what is not expired is always there.
pub fn values_live_for_their_time_and_those_without_a_time_for_ever(subject: &Subject<'_>) {
    let ttl = Some(Duration::from_millis(100));
    let tables = [StoreTable::default(), StoreTable { ttl }];
    let mut store = subject
        .try_open(&subject.fresh("store"), ALL, &tables, &[])
        .unwrap();
    let mut model = Entries::new();
    for round in 0..20u32 {
        let now_ms = 1000 + i64::from(round) * 20;
        subject.clock.set(now_ms);
        let mut batch = WriteBatch::default();
        for number in 0..400 {
            for table in [PLAIN, EXPIRING] {
                let key = key(number % GROUPS, table, 4 + round * 50 + number);
                let value = [&now_ms.to_le_bytes()[..], b"value"].concat();
                batch.put(&key, &value);
                model.insert(key, value);
            }
        }
        store.write(&batch).unwrap();
        assert_alive(&mut *store, &model, &tables, now_ms);
        let checkpoint = subject.checkpoint(&mut *store);
        if round % 4 == 3 {
            store = subject
                .try_open(&subject.fresh("store"), ALL, &tables, &[checkpoint])
                .unwrap();
            assert_alive(&mut *store, &model, &tables, now_ms);
        }
    }
}

fn assert_alive(store: &mut dyn StateStore, model: &Entries, tables: &[StoreTable], now_ms: i64) {
    let stored = all(store).unwrap();
    for (key, value) in model {
        let table = tables[usize::from(key[2])];
        if !table.is_expired(value, now_ms) {
            assert_eq!(stored.get(key), Some(value), "{key:?} at {now_ms}");
        }
    }
    for (key, value) in &stored {
        assert_eq!(model.get(key), Some(value), "{key:?} was never written so");
    }
}
