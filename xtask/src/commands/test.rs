//! `cargo xtask test`: everything that must hold before a change is merged.
//!
//! All steps run even when one fails, so that one run shows all there is to mend. The result lines
//! of `cargo test` are repeated at the very end, where a reader and a machine look for them.

use std::path::Path;

use anyhow::Result;

use super::examples::{self, Profile};
use super::{rocksdb, services, sim};
use crate::shell::{self, Steps};
use crate::tidy;

/// Runs every step; `false` when one of them failed.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut steps = Steps::default();
    let mut results = Vec::new();
    steps.run("format", || {
        shell::succeeds(root, "cargo", &["fmt", "--all", "--check"])
    });
    steps.run("clippy", || {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ];
        shell::succeeds(root, "cargo", &arguments)
    });
    steps.run("tidy", || tidy::command(root));
    steps.run("services", || services::install(root));
    steps.run("tests", || {
        let arguments = ["test", "--workspace", "--no-fail-fast"];
        let (passed, lines) = shell::tee(root, "cargo", &arguments, &[])?;
        results = lines.into_iter().filter(|line| is_result(line)).collect();
        Ok(passed)
    });
    steps.run("rocksdb", || {
        let (passed, lines) = rocksdb::run(root, &[])?;
        results.extend(lines.into_iter().filter(|line| is_result(line)));
        Ok(passed)
    });
    steps.run("simulator", || sim::run(root, &simulated()));
    steps.run("examples", || examples::run(root, Profile::Dev, &[]));
    let passed = steps.summary();
    println!("\n== cargo test");
    for line in &results {
        println!("{line}");
    }
    Ok(passed)
}

/// The seeds that every change is run with; other seeds are for `cargo xtask sim`.
fn simulated() -> Vec<String> {
    ["--seed", "1", "--count", "1000"]
        .map(str::to_owned)
        .to_vec()
}

/// Whether a line of `cargo test` tells how a binary or a test ended badly, or counts tests.
fn is_result(line: &str) -> bool {
    line.starts_with("test result:")
        || (line.starts_with("test ") && line.ends_with("FAILED"))
        || line.starts_with("error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_counts_and_failures_and_drops_the_rest() {
        assert!(is_result("test result: ok. 3 passed; 0 failed; 0 ignored"));
        assert!(is_result("test a::b ... FAILED"));
        assert!(is_result("error: test failed, to rerun pass `-p xtask`"));
        assert!(!is_result("test a::b ... ok"));
        assert!(!is_result("running 3 tests"));
    }
}
