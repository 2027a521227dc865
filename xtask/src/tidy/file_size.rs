//! Files stay small: one concept a file.
//!
//! Over 500 lines counts against a budget, over 800 fails. Tests do not count, and a file of
//! nothing but tests has only the upper limit.

use anyhow::Result;

use super::tree::Tree;
use super::{Finding, Severity};

pub(crate) const CHECK: &str = "file-size";
const LINES_WANTED: usize = 500;
const LINES_MAX: usize = 800;

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let lines = file.lines_without_tests();
        let wanted = if file.is_tests() {
            LINES_MAX
        } else {
            LINES_WANTED
        };
        if lines <= wanted {
            continue;
        }
        let severity = if lines > LINES_MAX {
            Severity::Error
        } else {
            Severity::Budgeted
        };
        let message = format!(
            "{lines} lines without tests; at most {wanted}: split it by concept (a hard error over {LINES_MAX})"
        );
        findings.push(Finding::new(CHECK, &file.path, None, message, severity));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    fn planted(lines: usize, tests: usize) -> Plant {
        let plant = Plant::tidy();
        let code = "const _: () = ();\n".repeat(lines - 1);
        let tests = "    const _: () = ();\n".repeat(tests);
        let text = format!("//! Time.\n{code}#[cfg(test)]\nmod tests {{\n{tests}}}\n");
        plant.write("crates/core/src/time.rs", &text);
        plant
    }

    #[test]
    fn a_file_at_the_limit_passes_however_long_its_tests() {
        assert_eq!(planted(500, 900).findings(), Vec::<String>::new());
    }

    #[test]
    fn a_file_over_the_hard_limit_is_an_error() {
        planted(801, 0).assert_one(&["error: crates/core/src/time.rs: 801 lines", "[file-size]"]);
    }

    #[test]
    fn a_file_over_the_soft_limit_passes_within_the_budget_only() {
        let plant = planted(501, 0);
        plant.write("xtask/budget.toml", "file-size = 1\nfunction-size = 0\n");
        plant.assert_one(&["warning: crates/core/src/time.rs: 501 lines"]);
        plant.write("xtask/budget.toml", "file-size = 0\nfunction-size = 0\n");
        let findings = plant.findings();
        assert!(
            findings.iter().any(|found| found.starts_with("error:")),
            "{findings:?}"
        );
    }
}
