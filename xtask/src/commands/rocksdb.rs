//! `cargo xtask rocksdb`: clippy and the tests of the store in RocksDB, with what it needs to build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{python, shell};

// The crate and its feature, for cargo.
const PACKAGE: [&str; 4] = [
    "--package",
    "thalweg-state-rocksdb",
    "--features",
    "rocksdb",
];

// The bindings are made with one of these; it comes with its library.
const LIBCLANG: &str = "libclang>=16,<19";
const LIBRARY: &str = "LIBCLANG_PATH";
const ARGUMENTS: &str = "BINDGEN_EXTRA_CLANG_ARGS";

/// Runs clippy and the tests, to which `arguments` go; whether all is well, and what was printed.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(bool, Vec<String>)> {
    let variables = variables(root)?;
    let clippy = ["clippy", "--all-targets", "--quiet"];
    let clippy = [&clippy[..], &PACKAGE, &["--", "-D", "warnings"]].concat();
    let clean = shell::succeeds_with(root, "cargo", &clippy, &variables)?;
    let mut test = ["test", "--no-fail-fast"].to_vec();
    test.extend(PACKAGE);
    test.extend(arguments.iter().map(String::as_str));
    let (passed, lines) = shell::tee(root, "cargo", &test, &variables)?;
    Ok((clean && passed, lines))
}

/// The variables that cargo needs. What is set already is left alone, a libclang of the system is
/// used, and without one the library is installed under `target/`.
fn variables(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut variables = Vec::new();
    if env::var_os(LIBRARY).is_none() && !system_has_libclang() {
        let target = python::target_directory(root);
        let python = python::with(root, &target, &[LIBCLANG])?;
        let ask = "import os, clang.cindex as c; \
                   print(os.path.join(os.path.dirname(c.__file__), 'native'))";
        variables.push((LIBRARY, shell::output(root, &python, &["-c", ask])?));
    }
    if env::var_os(ARGUMENTS).is_none() {
        // A bare libclang has no headers of its own, such as `stdbool.h`; the C compiler has.
        let headers = shell::output(root, "cc", &["-print-file-name=include"])?;
        variables.push((ARGUMENTS, format!("-I{headers}")));
    }
    Ok(variables)
}

fn system_has_libclang() -> bool {
    let mut directories: Vec<PathBuf> = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ]
    .map(PathBuf::from)
    .into();
    let llvm = names(Path::new("/usr/lib"))
        .into_iter()
        .filter(|name| name.starts_with("llvm"));
    directories.extend(llvm.map(|name| Path::new("/usr/lib").join(name).join("lib")));
    directories
        .iter()
        .any(|directory| names(directory).iter().any(|name| is_libclang(name)))
}

/// `libclang.so`, with versions before or behind; not its neighbours, such as `libclang-cpp.so`.
fn is_libclang(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("libclang") else {
        return false;
    };
    let numbers = |c: char| c.is_ascii_digit() || c == '.';
    match rest.split_once(".so") {
        Some((before, behind)) => {
            let version = before.strip_prefix('-').unwrap_or(before);
            version.chars().all(numbers) && behind.chars().all(numbers)
        }
        None => false,
    }
}

/// The names in a directory; none if it cannot be read.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libclang_is_told_from_its_neighbours() {
        for name in [
            "libclang.so",
            "libclang.so.1",
            "libclang-14.so.1",
            "libclang-18.so.18",
        ] {
            assert!(is_libclang(name), "{name}");
        }
        for name in [
            "libclang-cpp.so.14",
            "libclangBasic.a",
            "libclang_rt.builtins.a",
            "libLLVM-14.so",
        ] {
            assert!(!is_libclang(name), "{name}");
        }
    }
}
