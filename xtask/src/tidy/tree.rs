//! The files of a workspace, read once for all checks.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lexer;

/// Directories that are no part of the source.
const SKIPPED: &[&str] = &["target", "node_modules", "__pycache__"];
/// Hidden directories that are.
const HIDDEN: &[&str] = &[".ci", ".cargo", ".github"];

/// A workspace: its files' names, and the text of its Rust sources.
pub(crate) struct Tree {
    root: PathBuf,
    paths: Vec<String>,
    rust: Vec<RustFile>,
}

/// A Rust source.
pub(crate) struct RustFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// The same length, with comments and the contents of literals blanked.
    pub(crate) code: String,
    /// Byte ranges of items under `#[cfg(test)]`.
    tests: Vec<Range<usize>>,
}

impl Tree {
    /// Reads the tree under `root`, without what builds leave behind.
    pub(crate) fn read(root: &Path) -> Result<Tree> {
        let mut paths = Vec::new();
        walk(root, "", &mut paths)?;
        paths.sort();
        let mut rust = Vec::new();
        for path in paths.iter().filter(|path| path.ends_with(".rs")) {
            let file = root.join(path);
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read `{path}`"))?;
            rust.push(RustFile::new(path.clone(), text));
        }
        Ok(Tree {
            root: root.to_owned(),
            paths,
            rust,
        })
    }

    /// The Rust sources, sorted by path.
    pub(crate) fn rust(&self) -> &[RustFile] {
        &self.rust
    }

    /// The Rust source at `path`.
    pub(crate) fn rust_file(&self, path: &str) -> Option<&RustFile> {
        let found = self
            .rust
            .binary_search_by(|file| file.path.as_str().cmp(path));
        found.ok().map(|at| &self.rust[at])
    }

    /// Files whose name ends with `suffix`, sorted.
    pub(crate) fn ending<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = &'a str> {
        self.paths
            .iter()
            .map(String::as_str)
            .filter(move |path| path.ends_with(suffix))
    }

    /// Whether the tree has this file, or a directory of this name.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.has_file(path) || self.root.join(path).is_dir()
    }

    /// Whether the tree has this file.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.paths
            .binary_search_by(|one| one.as_str().cmp(path))
            .is_ok()
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Result<String> {
        let file = self.root.join(path);
        fs::read_to_string(file).with_context(|| format!("cannot read `{path}`"))
    }

    /// How many Rust files and lines there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        (
            self.rust.len(),
            self.rust.iter().map(|file| file.text.lines().count()).sum(),
        )
    }
}

impl RustFile {
    fn new(path: String, text: String) -> Self {
        let code = lexer::mask(&text);
        let tests = lexer::test_items(&code);
        RustFile {
            path,
            text,
            code,
            tests,
        }
    }

    /// Whether the whole file is tests: under a `tests` directory, or called `tests.rs`.
    pub(crate) fn is_tests(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
    }

    /// Whether the byte `at` is in a test item, or the file is tests.
    pub(crate) fn is_test_code(&self, at: usize) -> bool {
        self.is_tests() || self.tests.iter().any(|range| range.contains(&at))
    }

    /// The line of the byte `at`, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// The number of lines outside of test items.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let tests: usize = self.tests.iter().map(|range| self.lines_of(range)).sum();
        self.text.lines().count() - tests
    }

    fn lines_of(&self, range: &Range<usize>) -> usize {
        self.text[range.clone()].lines().count()
    }
}

fn walk(root: &Path, prefix: &str, paths: &mut Vec<String>) -> Result<()> {
    let directory = root.join(prefix);
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("cannot list `{}`", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
            if !hidden && !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, paths)?;
            }
        } else if kind.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> RustFile {
        RustFile::new(path.to_owned(), text.to_owned())
    }

    #[test]
    fn counts_lines_without_the_test_module() {
        let text = "//! Docs.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        let source = file("crates/core/src/a.rs", text);
        assert_eq!(source.lines_without_tests(), 3);
        assert!(source.is_test_code(text.find("fn b").unwrap()));
        assert!(!source.is_test_code(text.find("fn a").unwrap()));
    }

    #[test]
    fn a_file_of_tests_is_test_code_throughout() {
        assert!(file("crates/core/tests/it/main.rs", "").is_tests());
        assert!(file("crates/core/src/window/tests.rs", "").is_tests());
        assert!(!file("crates/testkit/src/lib.rs", "").is_tests());
    }
}
