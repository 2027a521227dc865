//! The programs say what they should.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn a_program_goes_on_with_another_type_of_its_state() {
    let program = env!("CARGO_BIN_EXE_state_migration");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = "stopped in the middle: true\n\
        customer 0: 30000 orders, order 89997 last\n\
        customer 1: 30000 orders, order 89998 last\n\
        customer 2: 30000 orders, order 89999 last\n\
        each order once: true\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_program_changes_its_rules_while_it_runs() {
    let program = env!("CARGO_BIN_EXE_rules");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = "40 ms: ada wants 900 EUR of at most 500, refusal 1\n\
        50 ms: bob wants 600 EUR of at most 500, refusal 1\n\
        60 ms: bob wants 300 EUR of at most 200, refusal 2\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn a_program_goes_on_with_one_pipeline_while_the_other_starts_again() {
    let program = env!("CARGO_BIN_EXE_regions");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let task = "Generator Source -> orders -> Reduce -> ForEach (1/1)";
    let expected = format!(
        "orders: started 2 times\n\
         clicks: started 1 times\n\
         task `{task}`: the network is down\n\
         started again: {task}\n"
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn tables_outside_of_a_job_that_fails_have_every_payment_and_balance_once() {
    let program = env!("CARGO_BIN_EXE_outside_systems");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = "failed: true\n\
        60000 payments, each once: true\n\
        balances: {0: 12000, 1: 12000, 2: 12000, 3: 12000, 4: 12000}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
