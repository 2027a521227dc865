//! Every Rust file is compiled: it is the root of a target, or a `mod` leads to it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::Finding;
use super::lexer;
use super::tree::{RustFile, Tree};

const CHECK: &str = "dead-file";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = Vec::new();
    for manifest in tree.ending("Cargo.toml") {
        open.extend(roots(tree, manifest)?);
    }
    while let Some(path) = open.pop() {
        if let Some(file) = tree.rust_file(&path)
            && reached.insert(path.clone())
        {
            open.extend(children(file));
        }
    }
    let dead = tree
        .rust()
        .iter()
        .filter(|file| !reached.contains(&file.path));
    Ok(dead
        .map(|file| Finding::of_file(CHECK, &file.path, "no `mod` leads to it"))
        .collect())
}

/// The files that cargo compiles for a manifest without a `mod`.
fn roots(tree: &Tree, manifest: &str) -> Result<Vec<String>> {
    let directory = manifest.strip_suffix("Cargo.toml").unwrap_or_default();
    let mut roots = Vec::new();
    for file in tree.rust() {
        if let Some(rest) = file.path.strip_prefix(directory) {
            let parts: Vec<&str> = rest.split('/').collect();
            let is_root = matches!(
                parts.as_slice(),
                ["build.rs"]
                    | ["src", "lib.rs" | "main.rs"]
                    | ["src", "bin", _]
                    | ["src", "bin", _, "main.rs"]
                    | ["tests" | "benches" | "examples", _]
                    | ["tests" | "benches" | "examples", _, "main.rs"]
            );
            if is_root {
                roots.push(file.path.clone());
            }
        }
    }
    let table: toml::Table = tree
        .text(manifest)?
        .parse()
        .with_context(|| format!("`{manifest}` is no TOML"))?;
    for kind in ["lib", "bin", "test", "bench", "example"] {
        let targets = match table.get(kind) {
            Some(toml::Value::Array(targets)) => targets.clone(),
            Some(target) => vec![target.clone()],
            None => Vec::new(),
        };
        let paths = targets
            .iter()
            .filter_map(|target| target.get("path")?.as_str());
        roots.extend(paths.map(|path| format!("{directory}{path}")));
    }
    Ok(roots)
}

/// The files that the `mod` and `include!` items of a file may name.
fn children(file: &RustFile) -> Vec<String> {
    let (parent, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    // `mod x;` in lib.rs, main.rs, mod.rs or the root of a target stands beside it, else below it.
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let below = if parent.is_empty() {
        stem.to_owned()
    } else {
        format!("{parent}/{stem}")
    };
    let mut children = Vec::new();
    for at in lexer::find_all(&file.code, "mod") {
        let rest = file.code[at + 3..].trim_start();
        let end = rest
            .bytes()
            .position(|byte| !lexer::is_word(byte))
            .unwrap_or(rest.len());
        if end == 0 || !rest[end..].trim_start().starts_with(';') {
            continue;
        }
        let module = &rest[..end];
        let inline = enclosing_modules(&file.code, at);
        for base in [parent, below.as_str()] {
            let directory = join(base, &inline);
            children.push(join(&directory, &format!("{module}.rs")));
            children.push(join(&directory, &format!("{module}/mod.rs")));
        }
    }
    children.extend(named_paths(file).map(|path| normal(&join(parent, path))));
    children
}

/// The names of the inline modules around `at`, outermost first, joined with `/`.
fn enclosing_modules(code: &str, at: usize) -> String {
    let mut names = Vec::new();
    for start in lexer::find_all(&code[..at], "mod") {
        let rest = code[start + 3..].trim_start();
        let end = rest
            .bytes()
            .position(|byte| !lexer::is_word(byte))
            .unwrap_or(rest.len());
        if !rest[end..].trim_start().starts_with('{') {
            continue;
        }
        if let Some(open) = lexer::body(code, start)
            && lexer::closing_brace(code, open) > at
        {
            names.push(&rest[..end]);
        }
    }
    names.join("/")
}

/// The file names in `#[path = "…"]` and `include!("…")`.
fn named_paths(file: &RustFile) -> impl Iterator<Item = &str> {
    let starts = ["#[path", "include!"].into_iter();
    starts
        .flat_map(|start| lexer::find_all(&file.code, start))
        .filter_map(|at| {
            let rest = &file.text[at..];
            let open = rest.find('"')? + 1;
            let length = rest[open..].find('"')?;
            Some(&rest[open..open + length])
        })
}

fn join(base: &str, rest: &str) -> String {
    match (base, rest) {
        ("", rest) => rest.to_owned(),
        (base, "") => base.to_owned(),
        (base, rest) => format!("{base}/{rest}"),
    }
}

/// The path without `.` and `..`.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;
    use super::*;

    #[test]
    fn a_file_that_no_module_names_fails() {
        let plant = Plant::tidy();
        plant.write("crates/core/src/forgotten.rs", "//! Forgotten.\n");
        plant.assert_one(&[
            "crates/core/src/forgotten.rs: no `mod` leads to it",
            "[dead-file]",
        ]);
    }

    #[test]
    fn a_module_in_a_comment_leads_nowhere() {
        let plant = Plant::tidy();
        plant.write(
            "crates/core/src/lib.rs",
            "//! Core.\nmod time;\n// mod forgotten;\n",
        );
        plant.write("crates/core/src/forgotten.rs", "//! Forgotten.\n");
        plant.assert_one(&["forgotten.rs"]);
    }

    #[test]
    fn every_way_to_name_a_file_is_followed() {
        let plant = Plant::tidy();
        let lib = "//! Core.\nmod time;\n#[path = \"other/name.rs\"]\nmod renamed;\n\
                   mod inline {\n    mod inner;\n}\ninclude!(\"../table.rs\");\n";
        plant.write("crates/core/src/lib.rs", lib);
        plant.write("crates/core/src/time.rs", "//! Time.\nmod zone;\n");
        for path in [
            "src/time/zone.rs",
            "src/other/name.rs",
            "src/inline/inner.rs",
            "table.rs",
            "src/bin/tool.rs",
            "tests/it/main.rs",
            "build.rs",
        ] {
            plant.write(&format!("crates/core/{path}"), "//! Docs.\n");
        }
        assert_eq!(plant.findings(), Vec::<String>::new());
    }

    #[test]
    fn a_path_loses_its_dots() {
        assert_eq!(normal("a/./b/../c.rs"), "a/c.rs");
    }
}
