//! Warnings are allowed as often as `xtask/budget.toml` says, and the number only goes down.

use anyhow::{Context, Result};

use super::tree::Tree;
use super::{Finding, Severity, file_size, function_size};

const CHECK: &str = "budget";
const FILE: &str = "xtask/budget.toml";

/// Errors for checks with more warnings, or fewer, than their budget.
pub(crate) fn check(tree: &Tree, findings: &[Finding]) -> Result<Vec<Finding>> {
    let table: toml::Table = tree
        .text(FILE)?
        .parse()
        .with_context(|| format!("`{FILE}` is no TOML"))?;
    let mut errors = Vec::new();
    for check in [file_size::CHECK, function_size::CHECK] {
        let budget = table.get(check).and_then(toml::Value::as_integer);
        let budget = budget.with_context(|| format!("`{FILE}` lacks `{check}`"))?;
        let found = findings
            .iter()
            .filter(|found| found.check == check && found.severity == Severity::Budgeted)
            .count();
        let found = i64::try_from(found)?;
        if found > budget {
            let message = format!("`{check}` has {found} warnings; at most {budget}");
            errors.push(Finding::of_file(CHECK, FILE, message));
        } else if found < budget {
            let message = format!("`{check}` has only {found} warnings: lower it from {budget}");
            errors.push(Finding::of_file(CHECK, FILE, message));
        }
    }
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    #[test]
    fn a_budget_that_is_no_longer_needed_must_be_lowered() {
        let plant = Plant::tidy();
        plant.write("xtask/budget.toml", "file-size = 0\nfunction-size = 2\n");
        plant.assert_one(&["xtask/budget.toml", "only 0 warnings: lower it from 2"]);
    }
}
