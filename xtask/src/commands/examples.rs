//! `cargo xtask examples`: runs the SQL of `examples/` and compares it with independent answers.
//!
//! The answers come from DuckDB, which lives in a Python environment of its own under `target/`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{python, shell};

const REQUIREMENTS: &str = "examples/checks/requirements.txt";
const CHECKS: &str = "examples/checks";
const RUNNER: &str = "examples/checks/run.py";

/// Which binary is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The one that `cargo test` has mostly built already.
    Dev,
    /// The one that users run.
    Release,
}

/// Builds the binary unless `THALWEG` names one, then runs the checks with `arguments`.
pub(crate) fn run(root: &Path, profile: Profile, arguments: &[String]) -> Result<bool> {
    let target = python::target_directory(root);
    let python = python::with(root, &target, &["--requirement", REQUIREMENTS])?;
    // Without `-B` Python would leave its caches in the source tree.
    let own = [
        "-B",
        "-m",
        "unittest",
        "discover",
        "--quiet",
        "--start-directory",
        CHECKS,
    ];
    if !shell::succeeds(root, &python, &own)? {
        return Ok(false);
    }
    let binary = match env::var_os("THALWEG") {
        Some(path) => PathBuf::from(path),
        None => {
            // The whole workspace, as in the tests: one package alone would select other features
            // of its dependencies and build those again.
            let (flags, folder): (&[&str], _) = match profile {
                Profile::Dev => (&["build", "--quiet", "--workspace"], "debug"),
                Profile::Release => (
                    &["build", "--quiet", "--release", "--package", "thalweg-cli"],
                    "release",
                ),
            };
            if !shell::succeeds(root, "cargo", flags)? {
                return Ok(false);
            }
            target.join(folder).join("thalweg")
        }
    };
    let mut all = vec![
        "-B".to_owned(),
        RUNNER.to_owned(),
        binary.display().to_string(),
    ];
    all.extend_from_slice(arguments);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    shell::succeeds(root, &python, &all)
}
