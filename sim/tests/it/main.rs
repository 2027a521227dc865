//! Seeds without a violation, equal runs of equal seeds, planted bugs that are caught.

use thalweg_sim::{Plant, regressions, run};

#[test]
fn no_property_is_violated_in_the_first_seeds() {
    for seed in 1..=60 {
        let report = run(seed, None, false);
        assert_eq!(report.violation, None, "seed {seed}");
    }
}

#[test]
fn seeds_that_have_found_a_bug_find_it_no_more() {
    for seed in regressions::SEEDS {
        let report = run(*seed, None, false);
        assert_eq!(report.violation, None, "seed {seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut hashes = Vec::new();
    for seed in 1..=20 {
        let (first, second) = (run(seed, None, false), run(seed, None, false));
        assert_eq!(first, second, "seed {seed}");
        hashes.push(first.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20, "other seeds are other runs");
}

#[test]
fn every_planted_bug_is_caught() {
    const SEEDS: u64 = 300;
    for plant in Plant::ALL {
        let caught = (1..=SEEDS).find_map(|seed| {
            let violation = run(seed, Some(plant), false).violation?;
            Some((seed, violation))
        });
        match caught {
            Some((seed, violation)) => {
                println!("{plant:?}: seed {seed}: {violation}");
                let property = violation.split(':').next().unwrap_or_default();
                assert!(plant.breaks().contains(&property), "{plant:?}: {violation}");
            }
            None => panic!("{plant:?} is not caught by {SEEDS} seeds"),
        }
    }
}
