//! Servers that are Java libraries.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

/// A server whose libraries a project file in `xtask/services/` names.
pub(super) struct Java {
    pub(super) name: &'static str,
}

pub(super) const SERVICES: [Java; 1] = [Java { name: "kafka" }];

impl Java {
    /// The project file.
    pub(super) fn pom(&self, root: &Path) -> PathBuf {
        root.join("xtask/services")
            .join(format!("{}.xml", self.name))
    }
}

/// Copies the libraries into a directory; whether that went well.
pub(super) fn install(root: &Path, pom: &Path, libraries: &Path) -> Result<bool> {
    if libraries.exists() {
        fs::remove_dir_all(libraries)
            .with_context(|| format!("cannot remove `{}`", libraries.display()))?;
    }
    let (pom, output) = (
        pom.display().to_string(),
        format!("-DoutputDirectory={}", libraries.display()),
    );
    let arguments = [
        "--batch-mode",
        "--quiet",
        "--file",
        &pom,
        "dependency:copy-dependencies",
        &output,
        "-DincludeScope=runtime",
    ];
    let copied = shell::succeeds(root, "mvn", &arguments);
    copied.context("Kafka comes by Maven: `apt-get install maven default-jre-headless`")
}
