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
fn tables_outside_of_a_job_that_fails_have_every_payment_and_balance_once() {
    let program = env!("CARGO_BIN_EXE_outside_systems");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = "failed: true\n\
        60000 payments, each once: true\n\
        balances: {0: 12000, 1: 12000, 2: 12000, 3: 12000, 4: 12000}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
