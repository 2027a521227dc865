//! Key groups that move between instances.

use thalweg_core::host::Random;
use thalweg_core::key_group::owner;
use thalweg_core::state::KeyGroups;
use thalweg_core::state::store::{StateStore, StoreCheckpoint, group_range};

use super::kit::{ALL, Entries, GROUPS, Subject, all, looked_up, write_at_random};

pub fn key_groups_move_from_one_to_two_to_three_to_one(subject: &Subject<'_>) {
    for seed in 0..6 {
        let random = &mut Random::new(seed);
        let mut model = Entries::new();
        let mut checkpoints: Vec<StoreCheckpoint> = Vec::new();
        for parallelism in [1, 2, 3, 1, 3, 2, 2] {
            let mut taken = Vec::new();
            for groups in shares(parallelism) {
                let store = &mut *subject.open(groups.clone(), &checkpoints);
                assert_holds(
                    store,
                    &part(&model, &groups),
                    &format!("seed {seed}, {groups:?}"),
                );
                for _ in 0..random.below(4) {
                    write_at_random(store, &mut model, &groups, random);
                }
                taken.push(subject.checkpoint(store));
                // And the store goes on as before.
                write_at_random(store, &mut part(&model, &groups), &groups, random);
            }
            checkpoints = taken;
        }
        let store = &mut *subject.open(ALL, &checkpoints);
        assert_holds(store, &model, &format!("seed {seed}, at the end"));
    }
}

fn shares(parallelism: u32) -> Vec<KeyGroups> {
    let of = |instance| {
        let owned = |group: &u32| owner(*group, parallelism, GROUPS) == instance;
        let groups: Vec<u32> = (0..GROUPS).filter(owned).collect();
        groups[0]..groups[groups.len() - 1] + 1
    };
    (0..parallelism).map(of).collect()
}

fn part(model: &Entries, groups: &KeyGroups) -> Entries {
    let (start, end) = group_range(groups);
    let range = model.range(start.to_vec()..end.to_vec());
    range.map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Both by scanning and by looking up.
fn assert_holds(store: &mut dyn StateStore, expected: &Entries, when: &str) {
    assert_eq!(all(store).unwrap(), *expected, "{when}");
    let mut keys = thalweg_core::state::store::ByteRows::default();
    for key in expected.keys() {
        keys.push(key);
    }
    let found = looked_up(store, &keys).unwrap();
    let values: Vec<_> = expected.values().map(|value| Some(value.clone())).collect();
    assert!(found == values, "{when}");
}
