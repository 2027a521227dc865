//! A program that has changed since its savepoint.

use super::*;

/// A savepoint of a job that counts, stopped somewhere.
fn stopped(scratch: &Scratch, ledger: &Ledger) -> String {
    let job = counting(&Gate::at(150), ledger, 2, None);
    let path = job
        .client()
        .stop_with_savepoint(Some(&scratch.text()), false);
    job.join().unwrap();
    path.unwrap()
}

#[test]
fn operators_find_their_state_by_uid_among_others_that_are_new() {
    let (scratch, ledger) = (Scratch::new("added"), Ledger::default());
    let path = stopped(&scratch, &ledger);
    let env = composed(&Gate::at(NUMBERS), &ledger, |numbers| {
        // New operators before and behind, one of them with state.
        let numbers = numbers
            .filter(|_| true)
            .key_by(|value| *value)
            .reduce(|one, _| one)
            .uid("new");
        counted(numbers)
    });
    env.configure(from(&path));
    start(&env).join().unwrap();
    assert_eq!(ledger.values(), expected());
}

#[test]
fn state_that_nobody_claims_is_named_and_left_behind_only_on_request() {
    let (scratch, ledger) = (Scratch::new("removed"), Ledger::default());
    let path = stopped(&scratch, &ledger);
    let other = Ledger::default();
    let plain = || {
        let env = composed(&Gate::at(NUMBERS), &other, |numbers| numbers);
        env.configure(from(&path));
        env
    };
    let env = plain();
    let refused = MiniCluster.start(&env.job_graph().unwrap(), &env.config());
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("(uid `count`)"), "{error}");
    assert!(error.contains("ignore-unclaimed-state"), "{error}");
    let env = plain();
    env.configure(|config| {
        let recovery = config.recovery.take();
        config.recovery = recovery.map(|recovery| Recovery {
            ignore_unclaimed: true,
            ..recovery
        });
    });
    start(&env).join().unwrap();
    // The numbers themselves, from where the source was stopped.
    let passed = ledger.values().len();
    let mut values = other.values();
    assert!(values.len() < NUMBERS as usize);
    values.dedup();
    assert!(values.contains(&(NUMBERS - 1)));
    // What the first job had left to commit belongs to its own values.
    assert!(values.len() + passed >= NUMBERS as usize);
}
