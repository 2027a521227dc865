//! What the feature `rocksdb` needs to build: libclang, and headers for it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{python, shell};

/// The crate and its feature, for cargo.
pub(crate) const PACKAGE: [&str; 4] = [
    "--package",
    "thalweg-state-rocksdb",
    "--features",
    "rocksdb",
];

// The bindings are made with one of these; it comes with its library.
const LIBCLANG: &str = "libclang>=16,<19";
const LIBRARY: &str = "LIBCLANG_PATH";
const ARGUMENTS: &str = "BINDGEN_EXTRA_CLANG_ARGS";

/// The variables that cargo needs. What is set already is left alone, a libclang of the system is
/// used, and without one the library is installed under `target/`.
pub(crate) fn variables(root: &Path) -> Result<Vec<(&'static str, String)>> {
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

fn is_libclang(name: &str) -> bool {
    name == "libclang.so" || name.starts_with("libclang.so.") || name.starts_with("libclang-")
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
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so.1"] {
            assert!(is_libclang(name), "{name}");
        }
        for name in ["libclangBasic.a", "libclang_rt.builtins.a", "libLLVM-14.so"] {
            assert!(!is_libclang(name), "{name}");
        }
    }
}
