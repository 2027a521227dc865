//! A small tree on disk that is tidy, in which a test plants one violation.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Tree;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A temporary tree; removed when dropped.
pub(crate) struct Plant(PathBuf);

impl Plant {
    /// A tree in which every check passes: two crates, a book, a feature list.
    pub(crate) fn tidy() -> Plant {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("thalweg-tidy-{}-{number}", std::process::id());
        let plant = Plant(std::env::temp_dir().join(name));
        let members = "[workspace]\nmembers = [\"crates/core\", \"crates/runtime\"]\n";
        plant.write("Cargo.toml", members);
        plant.manifest("core", "[dependencies]\nhashbrown.workspace = true\n");
        plant.manifest("runtime", "[dependencies]\nthalweg-core.workspace = true\n");
        plant.write("crates/core/src/lib.rs", "//! Core.\nmod time;\n");
        plant.write("crates/core/src/time.rs", "//! Time.\n");
        plant.write("crates/runtime/src/lib.rs", "//! Runtime.\n");
        plant.write(
            "xtask/dependencies.toml",
            "[everywhere]\nthird = [\"hashbrown\"]\ndev = [\"proptest\"]\n\
             [crates.core]\nours = []\n[crates.runtime]\nours = [\"core\"]\n",
        );
        plant.write("xtask/budget.toml", "file-size = 0\nfunction-size = 0\n");
        plant.write("xtask/features.txt", "Q001 Q002\n");
        plant.features("| Q001 | a | no | – |\n| Q002 | b | no | – |\n");
        plant.write("docs/book/SUMMARY.md", "- [Start](start.md)\n");
        plant.write("docs/book/start.md", "# Start\n");
        plant
    }

    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// Writes a file, with its directories.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.0.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Writes the manifest of a crate.
    pub(crate) fn manifest(&self, name: &str, rest: &str) {
        let text = format!("[package]\nname = \"thalweg-{name}\"\n{rest}");
        self.write(&format!("crates/{name}/Cargo.toml"), &text);
    }

    /// Writes `docs/features.md` with these rows.
    pub(crate) fn features(&self, rows: &str) {
        let head = "# Features\n\n| ID | Feature | State | Proof |\n|---|---|---|---|\n";
        self.write("docs/features.md", &format!("{head}{rows}"));
    }

    /// What tidy as a whole finds.
    pub(crate) fn findings(&self) -> Vec<String> {
        let tree = Tree::read(&self.0).unwrap();
        super::findings(&tree)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Asserts that tidy finds exactly one thing, and that its text contains `parts`.
    pub(crate) fn assert_one(&self, parts: &[&str]) {
        let findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        for part in parts {
            assert!(
                findings[0].contains(part),
                "`{}` lacks `{part}`",
                findings[0]
            );
        }
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        // A directory that stays behind harms nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}
