//! Checkpoints and what is restored from them.

use std::collections::BTreeMap;
use std::fs;

use thalweg_core::host::Random;
use thalweg_core::state::store::{StateStore, StoreCheckpoint, WriteBatch};

use super::kit::{ALL, Entries, GROUPS, Subject, all, key, write_at_random};

pub fn what_is_not_in_a_checkpoint_is_gone_after_a_crash(subject: &Subject<'_>) {
    for seed in 0..6 {
        let random = &mut Random::new(seed);
        let mut model = Entries::new();
        let mut checkpoints = Vec::new();
        for attempt in 0..4 {
            let from: Vec<_> = checkpoints.last().cloned().into_iter().collect();
            let store = &mut *subject.open(ALL, &from);
            assert_eq!(all(store).unwrap(), model, "seed {seed}, attempt {attempt}");
            for _ in 0..random.below(8) {
                write_at_random(store, &mut model, &ALL, random);
                if random.below(2) == 0 {
                    checkpoints.push(subject.checkpoint(store));
                }
            }
            checkpoints.push(subject.checkpoint(store));
            // Lost with the process, and not a part of the model.
            let mut lost = model.clone();
            write_at_random(store, &mut lost, &ALL, random);
        }
    }
}

pub fn files_of_a_checkpoint_never_change(subject: &Subject<'_>) {
    let random = &mut Random::new(3);
    let store = &mut *subject.open(ALL, &[]);
    let mut model = Entries::new();
    let mut taken: Vec<(StoreCheckpoint, Vec<Vec<u8>>, Entries)> = Vec::new();
    for _ in 0..12 {
        write_at_random(store, &mut model, &ALL, random);
        let checkpoint = subject.checkpoint(store);
        let contents = contents(&checkpoint);
        taken.push((checkpoint, contents, model.clone()));
    }
    for (number, (checkpoint, before, state)) in taken.iter().enumerate() {
        assert!(contents(checkpoint) == *before, "checkpoint {number}");
        let restored = &mut *subject.open(ALL, std::slice::from_ref(checkpoint));
        assert_eq!(all(restored).unwrap(), *state, "checkpoint {number}");
        // What is done to the restored state is not done to the checkpoint.
        write_at_random(restored, &mut model, &ALL, random);
        subject.checkpoint(restored);
        assert!(contents(checkpoint) == *before, "checkpoint {number}");
    }
    let listed: Vec<u64> = taken[0].0.files.iter().map(|file| file.bytes).collect();
    let lengths: Vec<u64> = taken[0].1.iter().map(|bytes| bytes.len() as u64).collect();
    assert_eq!(listed, lengths);
}

fn contents(checkpoint: &StoreCheckpoint) -> Vec<Vec<u8>> {
    let files = checkpoint.files.iter();
    files.map(|file| fs::read(&file.path).unwrap()).collect()
}

/// Over two attempts: a name is never used for other bytes, and a small change leaves most files.
pub fn incremental_files_keep_their_names(subject: &Subject<'_>) {
    let random = &mut Random::new(5);
    let store = &mut *subject.open(ALL, &[]);
    let mut known = BTreeMap::new();
    let mut batch = WriteBatch::default();
    for number in 0..20_000 {
        let value: Vec<u8> = (0..8)
            .flat_map(|_| random.next_u64().to_le_bytes())
            .collect();
        batch.put(&key(number % GROUPS, 0, number + 4), &value);
    }
    store.write(&batch).unwrap();
    let first = subject.checkpoint(store);
    let all_bytes = new_shared_bytes(&first, &mut known);
    assert!(all_bytes > 20_000 * 64);
    let unchanged = subject.checkpoint(store);
    assert_eq!(new_shared_bytes(&unchanged, &mut known), 0);
    touch(store, 0);
    let second = subject.checkpoint(store);
    let changed = new_shared_bytes(&second, &mut known);
    assert!(
        changed > 0 && changed < all_bytes / 5,
        "{changed} of {all_bytes}"
    );
    // Two attempts go on from the same checkpoint, and write different things.
    for attempt in 1..3 {
        let store = &mut *subject.open(ALL, std::slice::from_ref(&second));
        let unchanged = subject.checkpoint(store);
        assert_eq!(new_shared_bytes(&unchanged, &mut known), 0, "{attempt}");
        touch(store, attempt);
        let changed = new_shared_bytes(&subject.checkpoint(store), &mut known);
        assert!(
            changed > 0 && changed < all_bytes / 5,
            "{changed} of {all_bytes}"
        );
    }
}

/// Changes a hundred entries of one key group.
fn touch(store: &mut dyn StateStore, content: u8) {
    let mut batch = WriteBatch::default();
    for number in 0..100 {
        batch.put(&key(3, 0, 3 + GROUPS * number + 4), &[content; 64]);
    }
    store.write(&batch).unwrap();
}

/// The bytes of shared files that were not known; those that were must be the same.
fn new_shared_bytes(checkpoint: &StoreCheckpoint, known: &mut BTreeMap<String, Vec<u8>>) -> u64 {
    let mut new = 0;
    for file in checkpoint.files.iter().filter(|file| file.shared) {
        let bytes = fs::read(&file.path).unwrap();
        match known.get(&file.name) {
            Some(before) => assert!(*before == bytes, "`{}` has other bytes", file.name),
            None => new += file.bytes,
        }
        known.insert(file.name.clone(), bytes);
    }
    new
}
