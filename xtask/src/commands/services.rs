//! `cargo xtask services`: the servers that tests start, installed under the target directory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::{python, shell};

/// A server that is a crate: its name, its version, the features that its program needs.
struct Service {
    name: &'static str,
    version: &'static str,
    features: &'static str,
}

// One that speaks S3 and keeps objects as files, so that a test can damage them.
const SERVICES: [Service; 1] = [Service {
    name: "s3s-fs",
    version: "0.14.1",
    features: "binary",
}];

/// Installs what is not there yet; whether all is there.
pub(crate) fn install(root: &Path) -> Result<bool> {
    let services = python::target_directory(root).join("services");
    let mut all = true;
    for service in &SERVICES {
        let program = services.join("bin").join(service.name);
        let stamp = services.join(format!("{}.version", service.name));
        let installed = fs::read_to_string(&stamp).unwrap_or_default();
        if program.exists() && installed == service.version {
            println!("{} {} is there", service.name, service.version);
            continue;
        }
        if !install_one(root, &services, service)? {
            all = false;
            continue;
        }
        fs::write(&stamp, service.version)
            .with_context(|| format!("cannot write `{}`", stamp.display()))?;
    }
    Ok(all)
}

fn install_one(root: &Path, services: &Path, service: &Service) -> Result<bool> {
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
