//! `cargo xtask services`: the servers that tests start, installed under the target directory.
//!
//! The first run fetches them from the registries of their languages; later ones find them there.

mod crates;
mod maven;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::python;

/// Installs what is not there yet; whether all is there.
pub(crate) fn install(root: &Path) -> Result<bool> {
    let services = python::target_directory(root).join("services");
    let mut all = true;
    for service in &crates::SERVICES {
        let program = services.join("bin").join(service.name);
        let stamp = Stamp::new(&services, service.name, service.version.to_owned());
        all &= stamp.or_install(&program, || crates::install(root, &services, service))?;
    }
    for service in &maven::SERVICES {
        let pom = service.pom(root);
        let version =
            fs::read_to_string(&pom).with_context(|| format!("cannot read `{}`", pom.display()))?;
        let libraries = services.join(service.name);
        let stamp = Stamp::new(&services, service.name, version);
        all &= stamp.or_install(&libraries, || maven::install(root, &pom, &libraries))?;
    }
    Ok(all)
}

/// What of a service was installed last.
struct Stamp {
    name: &'static str,
    file: PathBuf,
    wanted: String,
}

impl Stamp {
    fn new(services: &Path, name: &'static str, wanted: String) -> Self {
        Stamp {
            name,
            file: services.join(format!("{name}.version")),
            wanted,
        }
    }

    /// Installs the service if `place` is not there or another version; whether it is there now.
    fn or_install(&self, place: &Path, install: impl FnOnce() -> Result<bool>) -> Result<bool> {
        let installed = fs::read_to_string(&self.file).unwrap_or_default();
        if place.exists() && installed == self.wanted {
            println!("{} is there", self.name);
            return Ok(true);
        }
        println!("installing {}", self.name);
        if !install()? {
            return Ok(false);
        }
        fs::write(&self.file, &self.wanted)
            .with_context(|| format!("cannot write `{}`", self.file.display()))?;
        Ok(true)
    }
}
