//! Keys that come and go, against a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringViewArray};
use thalweg_core::host::Random;

use super::*;

type Model = BTreeMap<Option<u64>, u32>;

fn key_bytes(columns: &[ArrayRef]) -> Vec<u8> {
    let mut encoded = EncodedRows::default();
    encoded.encode(columns, 1).unwrap();
    encoded.iter().next().unwrap().to_vec()
}

/// Numbers are unique among the keys that live, and shared copies keep what they had.
fn numbers_are_those_of_a_map(
    types: Vec<DataType>,
    columns: impl Fn(&[Option<u64>]) -> Vec<ArrayRef>,
    nulls: bool,
) {
    let mut random = Random::new(11);
    let mut keys = GroupKeys::new(types);
    let mut model = Model::new();
    let mut copies: Vec<(SharedKeys, Model)> = Vec::new();
    for round in 0..600 {
        // The first NULL comes when numbers have been given back already.
        let null = |random: &mut Random| nulls && round > 300 && random.below(40) == 0;
        let rows: Vec<Option<u64>> = (0..random.below(200))
            .map(|_| {
                let key = random.below(3000);
                (!null(&mut random)).then_some(key)
            })
            .collect();
        let mut groups = Vec::new();
        keys.intern(&columns(&rows), rows.len(), &mut groups)
            .unwrap();
        for (row, group) in rows.iter().zip(groups) {
            let taken = model.values().any(|known| *known == group);
            match model.get(row) {
                Some(known) => assert_eq!(*known, group),
                None => {
                    assert!(!taken, "a number is given twice");
                    model.insert(*row, group);
                }
            }
        }
        // Now and then nearly all go.
        let share = if round % 100 == 99 { 19 } else { 3 };
        let gone: Vec<Option<u64>> = model.keys().copied().collect();
        for key in gone.into_iter().filter(|_| random.below(20) < share) {
            if let Some(group) = model.remove(&key) {
                keys.remove(group);
                keys.remove(group);
            }
        }
        assert_eq!(keys.len(), model.len());
        assert!(keys.bound() <= 3001);
        if random.below(50) == 0 {
            copies.push((keys.share(), model.clone()));
        }
    }
    copies.push((keys.share(), model));
    for (copy, model) in copies {
        for (key, group) in model {
            let mut bytes = Vec::new();
            copy.write_key(group, &mut bytes);
            assert_eq!(bytes, key_bytes(&columns(&[key])));
        }
    }
}

fn integers(rows: &[Option<u64>]) -> ArrayRef {
    Arc::new(
        rows.iter()
            .map(|n| n.map(|n| n as i64 * 7 - 9000))
            .collect::<Int64Array>(),
    )
}

#[test]
fn keys_of_one_number_come_and_go() {
    numbers_are_those_of_a_map(vec![DataType::Int64], |rows| vec![integers(rows)], false);
}

#[test]
fn keys_of_two_numbers_come_and_go_and_change_their_form() {
    let columns = |rows: &[Option<u64>]| vec![integers(rows), integers(rows)];
    numbers_are_those_of_a_map(vec![DataType::Int64, DataType::Int64], columns, true);
}

#[test]
fn keys_of_texts_come_and_go() {
    let text = |n: u64| format!("{n}-").repeat(1 + n as usize % 700);
    let columns = |rows: &[Option<u64>]| {
        let texts = rows.iter().map(|n| n.map(text));
        vec![Arc::new(texts.collect::<StringViewArray>()) as ArrayRef]
    };
    numbers_are_those_of_a_map(vec![DataType::Utf8View], columns, true);
}
