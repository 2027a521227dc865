//! Servers that are crates.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell;

/// A server that is a crate.
pub(super) struct Crate {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// What its program needs.
    features: &'static str,
}

// One that speaks S3 and keeps objects as files, so that a test can damage them.
pub(super) const SERVICES: [Crate; 1] = [Crate {
    name: "s3s-fs",
    version: "0.14.1",
    features: "binary",
}];

/// Installs a program into `services/bin`; whether that went well.
pub(super) fn install(root: &Path, services: &Path, service: &Crate) -> Result<bool> {
    let build = services.join("build");
    let (directory, built) = (services.display().to_string(), build.display().to_string());
    // Without optimization: it is built in a third of the time, and serves a test as well.
    let arguments = [
        "install",
        service.name,
        "--version",
        service.version,
        "--features",
        service.features,
        "--locked",
        "--debug",
        "--force",
        "--no-track",
        "--root",
        &directory,
    ];
    let variables = [
        ("CARGO_TARGET_DIR", built),
        ("CARGO_PROFILE_DEV_DEBUG", "0".to_owned()),
    ];
    let passed = shell::succeeds_with(root, "cargo", &arguments, &variables)?;
    // Most of a gigabyte that nothing needs any more.
    if build.exists() {
        fs::remove_dir_all(&build)
            .with_context(|| format!("cannot remove `{}`", build.display()))?;
    }
    Ok(passed)
}
