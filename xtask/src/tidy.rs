//! `cargo xtask tidy`: the rules of the house that no compiler knows, one check a file.
//!
//! A check is a function from the [`Tree`] to findings. It never prints, and it reads the tree
//! only, so that its tests can plant a violation in a tree of their own ([`plant`]).

mod banned;
mod book;
mod budget;
mod dead_modules;
mod dependencies;
mod features;
mod file_size;
mod function_size;
mod lexer;
mod links;
mod markdown;
mod module_docs;
#[cfg(test)]
mod plant;
mod tree;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use tree::Tree;

/// Something a check found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, relative to the root of the tree, with `/`.
    path: String,
    /// The line, from 1, where there is one.
    line: Option<usize>,
    /// What is wrong and what to do.
    message: String,
    /// The check that found it.
    check: &'static str,
    /// Whether it fails the run by itself; if not, it counts against the budget of its check.
    severity: Severity,
}

/// What a finding does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Error,
    /// Allowed as often as `xtask/budget.toml` says.
    Budgeted,
}

impl Finding {
    fn error(check: &'static str, path: &str, line: usize, message: impl Into<String>) -> Self {
        Finding::new(check, path, Some(line), message, Severity::Error)
    }

    fn of_file(check: &'static str, path: &str, message: impl Into<String>) -> Self {
        Finding::new(check, path, None, message, Severity::Error)
    }

    fn budgeted(check: &'static str, path: &str, line: usize, message: impl Into<String>) -> Self {
        Finding::new(check, path, Some(line), message, Severity::Budgeted)
    }

    fn new(
        check: &'static str,
        path: &str,
        line: Option<usize>,
        message: impl Into<String>,
        severity: Severity,
    ) -> Self {
        Finding {
            path: path.to_owned(),
            line,
            message: message.into(),
            check,
            severity,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Budgeted => "warning",
        };
        write!(f, "{word}: {}", self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {} [{}]", self.message, self.check)
    }
}

type Check = fn(&Tree) -> Result<Vec<Finding>>;

const CHECKS: &[Check] = &[
    dependencies::check,
    file_size::check,
    function_size::check,
    banned::check,
    module_docs::check,
    dead_modules::check,
    book::check,
    links::check,
    features::check,
];

/// Runs all checks and prints what they found; `false` when the tree is not tidy.
pub(crate) fn command(root: &Path) -> Result<bool> {
    let tree = Tree::read(root)?;
    let findings = findings(&tree)?;
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    let warnings = findings.len() - errors;
    let (files, lines) = tree.size();
    println!("tidy: {files} Rust files, {lines} lines, {errors} errors, {warnings} warnings");
    Ok(errors == 0)
}

/// What all checks find, sorted by place; warnings over their budget are an error of their own.
fn findings(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for check in CHECKS {
        findings.extend(check(tree)?);
    }
    findings.extend(budget::check(tree, &findings)?);
    findings.sort();
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::plant::Plant;

    #[test]
    fn a_tidy_tree_has_no_findings() {
        assert_eq!(Plant::tidy().findings(), Vec::<String>::new());
    }

    #[test]
    fn the_command_fails_on_a_planted_violation_and_passes_without_it() {
        let plant = Plant::tidy();
        assert!(super::command(plant.root()).unwrap());
        plant.write("crates/core/src/lib.rs", "fn no_module_docs() {}\n");
        assert!(!super::command(plant.root()).unwrap());
    }
}
