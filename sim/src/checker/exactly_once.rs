//! The ledger holds every row of the model once, and no other.
//!
//! If all newer checkpoints are damaged the job goes back behind commits. Rows committed before
//! may then appear again, once for each time: see [`Ledger::go_back`].

use std::collections::{BTreeMap, BTreeSet};

use super::Verdict;
use crate::world::ledger::{Ledger, Transaction};

/// Compares a ledger with the model.
///
/// # Errors
/// The first difference.
pub fn check(ledger: &Ledger, expected: &[String]) -> Verdict {
    compare(ledger.committed().values(), expected)
}

/// Compares transactions with the model: within an epoch no row may appear twice.
///
/// # Errors
/// The first difference.
pub fn compare<'a>(
    committed: impl IntoIterator<Item = &'a Transaction>,
    expected: &[String],
) -> Verdict {
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for transaction in committed {
        for row in &transaction.rows {
            if !expected.contains(row.as_str()) {
                return Err(format!("exactly once: the row `{row}` is wrong"));
            }
            if !seen.entry(row).or_default().insert(transaction.epoch) {
                return Err(format!("exactly once: the row `{row}` appears twice"));
            }
        }
    }
    match expected.iter().find(|row| !seen.contains_key(*row)) {
        Some(row) => Err(format!("exactly once: the row `{row}` is missing")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(committed: &[(&[&str], u64)], expected: &[&str]) -> Verdict {
        let texts = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect();
        let transaction = |(rows, epoch): &(&[&str], u64)| Transaction {
            rows: texts(rows),
            epoch: *epoch,
        };
        let committed: Vec<Transaction> = committed.iter().map(transaction).collect();
        let expected: Vec<String> = texts(expected);
        compare(&committed, &expected)
    }

    #[test]
    fn a_missing_a_repeated_and_a_foreign_row_are_found() {
        assert!(verdict(&[(&["a"], 0), (&["b"], 0)], &["a", "b"]).is_ok());
        assert!(verdict(&[(&["a"], 0)], &["a", "b"]).is_err());
        assert!(verdict(&[(&["a"], 0), (&["a"], 0)], &["a"]).is_err());
        assert!(verdict(&[(&["a"], 0), (&["c"], 0)], &["a"]).is_err());
    }

    #[test]
    fn after_going_back_a_row_may_come_once_more() {
        assert!(verdict(&[(&["a"], 0), (&["a"], 1)], &["a"]).is_ok());
        assert!(verdict(&[(&["a"], 1), (&["a"], 1)], &["a"]).is_err());
    }
}
