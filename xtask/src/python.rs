//! A Python environment of our own under `target/`, for what comes as Python packages.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::shell;

/// Where cargo builds.
pub(crate) fn target_directory(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

/// The Python of the environment, in which `wanted`, arguments of pip, is installed; made, or
/// completed, when it is not there.
pub(crate) fn with(root: &Path, target: &Path, wanted: &[&str]) -> Result<String> {
    let directory = target.join("check-venv");
    let python = directory.join("bin").join("python").display().to_string();
    let path = directory.display().to_string();
    if !Path::new(&python).exists() && !shell::succeeds(root, "python3", &["-m", "venv", &path])? {
        bail!("cannot make a Python environment in `{path}`: is the `venv` module installed?");
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let install: Vec<&str> = pip.iter().chain(wanted).copied().collect();
    if !shell::succeeds(root, &python, &install)? {
        bail!("cannot install `{}` into `{path}`", wanted.join(" "));
    }
    Ok(python)
}
