//! Jobs on real threads whose checkpoints store what has changed.

use std::path::PathBuf;

use thalweg_core::error::ErrorKind;
use thalweg_dataflow::environment::StreamExecutionEnvironment;

use super::recovery::{Directory, Ledger, NUMBERS, job_of};

// So many that the state of an instance is no longer part of the metadata.
const KEYS: u64 = 1999;

/// How often each remainder has come so far, in state that is stored in layers.
fn job(ledger: &Ledger, directory: &Directory, failing: &[u64]) -> StreamExecutionEnvironment {
    let env = job_of(ledger, directory, failing, |numbers| {
        numbers
            .map(|value| (value % KEYS, 1u64))
            .key_by(|pair: &(u64, u64)| pair.0)
            .reduce(|one, other| (one.0, one.1 + other.1))
            .map(|(key, count)| key * NUMBERS + count)
    });
    env.configure(|config| config.checkpointing.incremental = true);
    env
}

fn expected() -> Vec<u64> {
    let mut values: Vec<u64> = (0..NUMBERS)
        .map(|number| (number % KEYS) * NUMBERS + number / KEYS + 1)
        .collect();
    values.sort_unstable();
    values
}

/// The files that several checkpoints of the one job may refer to.
fn shared(job: &str) -> Vec<PathBuf> {
    let shared = std::fs::read_dir(PathBuf::from(job).join("shared")).unwrap();
    shared.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_job_that_fails_goes_on_from_layers_and_commits_every_result_once() {
    let (ledger, directory) = (Ledger::default(), Directory::new("layers"));
    let env = job(&ledger, &directory, &[350, 1700, 2900, 3300, 3900]);
    env.execute().unwrap();
    assert_eq!(ledger.values(), expected());
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "shared files are deleted with the last checkpoint");
}

#[test]
fn a_job_goes_on_from_the_layers_of_another_at_another_parallelism() {
    let (ledger, directory) = (Ledger::default(), Directory::new("layers-retained"));
    // All keys are there by then, and are in a checkpoint: the source has waited for one.
    let env = job(&ledger, &directory, &[3500]);
    Directory::retain(&env);
    env.execute().unwrap_err();
    let kept = directory.kept();
    assert!(!shared(&kept.path).is_empty());
    let go_on = || {
        let env = job(&ledger, &directory, &[]);
        env.set_parallelism(3)
            .configure(|config| config.recovery = Some(kept.clone()));
        env.execute()
    };
    let mut whole = Vec::new();
    for file in shared(&kept.path) {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        whole.push((file, bytes));
    }
    let error = go_on().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    assert!(text.contains("` needs `"), "{text}");
    assert!(text.contains("/shared/layer-"), "{text}");
    for (file, bytes) in whole {
        std::fs::write(&file, &bytes).unwrap();
    }
    go_on().unwrap();
    assert_eq!(ledger.values(), expected());
}
