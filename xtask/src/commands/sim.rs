//! `cargo xtask sim`: runs seeds of the simulator, built for speed.

use std::path::Path;

use anyhow::Result;

use crate::shell;

/// Passes the arguments on; `false` if a seed violates a property.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<bool> {
    let mut all = vec![
        "run",
        "--quiet",
        "--release",
        "--package",
        "thalweg-sim",
        "--",
    ];
    all.extend(arguments.iter().map(String::as_str));
    shell::succeeds(root, "cargo", &all)
}
