//! Who may depend on whom: every edge of the manifests stands in `xtask/dependencies.toml`.
//!
//! A new crate or edge is a decision: it gets a row there and a page in `docs/decisions/`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

const CHECK: &str = "dependencies";
const RULES: &str = "xtask/dependencies.toml";
const PREFIX: &str = "thalweg-";
const FACADE: &str = "thalweg";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let rules = table(tree, RULES)?;
    let everywhere = rules
        .get("everywhere")
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default();
    let rows = rules
        .get("crates")
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default();
    let manifests = manifests(tree)?;
    let mut findings = Vec::new();
    for (name, (path, manifest)) in &manifests {
        let Some(row) = rows.get(name).and_then(Value::as_table) else {
            let message = format!("the crate `{name}` has no row in `{RULES}`");
            findings.push(Finding::of_file(CHECK, path, message));
            continue;
        };
        let rules = Rules {
            row,
            everywhere: &everywhere,
        };
        for (kind, dependency) in edges(manifest) {
            let ours = own(&dependency, &manifests);
            if !rules.allow(kind, ours.as_deref(), &dependency) {
                let purpose = if kind == Kind::Dev { " for tests" } else { "" };
                let message = format!(
                    "`{name}` may not depend on `{dependency}`{purpose}: `{RULES}` lacks the \
                     edge, and a new one needs a page in `docs/decisions/`"
                );
                findings.push(Finding::of_file(CHECK, path, message));
            }
        }
    }
    for name in rows.keys().filter(|name| !manifests.contains_key(*name)) {
        let message = format!("there is no crate `{name}`: remove its row");
        findings.push(Finding::of_file(CHECK, RULES, message));
    }
    Ok(findings)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Dev,
}

/// What one crate may use.
struct Rules<'a> {
    row: &'a Table,
    everywhere: &'a Table,
}

impl Rules<'_> {
    fn allow(&self, kind: Kind, ours: Option<&str>, dependency: &str) -> bool {
        let dev = kind == Kind::Dev;
        match ours {
            Some(ours) => {
                lists(self.row, "ours", ours) || (dev && lists(self.row, "dev-ours", ours))
            }
            None => {
                let tables = [self.row, self.everywhere];
                let mut tables = tables.into_iter();
                tables.any(|table| {
                    lists(table, "third", dependency) || (dev && lists(table, "dev", dependency))
                })
            }
        }
    }
}

/// Whether the list `key` names `what`, or has `prefix*` for it.
fn lists(table: &Table, key: &str, what: &str) -> bool {
    let list = table.get(key).and_then(Value::as_array);
    let mut names = list.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| match name.strip_suffix('*') {
        Some(prefix) => what.starts_with(prefix),
        None => name == what,
    })
}

/// The manifests of the tree's crates by short name.
fn manifests(tree: &Tree) -> Result<BTreeMap<String, (String, Table)>> {
    let mut manifests = BTreeMap::new();
    for path in tree.ending("Cargo.toml") {
        let manifest = table(tree, path)?;
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name")?.as_str());
        if let Some(name) = name {
            manifests.insert(short(name), (path.to_owned(), manifest));
        }
    }
    Ok(manifests)
}

fn table(tree: &Tree, path: &str) -> Result<Table> {
    tree.text(path)?
        .parse()
        .with_context(|| format!("`{path}` is no TOML"))
}

fn short(name: &str) -> String {
    name.strip_prefix(PREFIX).unwrap_or(name).to_owned()
}

/// The short name if the dependency is one of our crates.
fn own(dependency: &str, manifests: &BTreeMap<String, (String, Table)>) -> Option<String> {
    let is_ours = dependency == FACADE || dependency.starts_with(PREFIX);
    let name = short(dependency);
    (is_ours || manifests.contains_key(&name)).then_some(name)
}

/// The dependencies of a manifest, those of its targets and features included.
fn edges(manifest: &Table) -> Vec<(Kind, String)> {
    let mut edges = Vec::new();
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    for table in std::iter::once(manifest).chain(targets) {
        for (key, kind) in [
            ("dependencies", Kind::Normal),
            ("build-dependencies", Kind::Normal),
            ("dev-dependencies", Kind::Dev),
        ] {
            let dependencies = table.get(key).and_then(Value::as_table);
            for (name, value) in dependencies.into_iter().flatten() {
                // `alias = { package = "name" }` depends on `name`.
                let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
                edges.push((kind, package.to_owned()));
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    #[test]
    fn a_new_edge_between_our_crates_fails() {
        let plant = Plant::tidy();
        plant.manifest("core", "[dependencies]\nthalweg-runtime.workspace = true\n");
        let expected = "`core` may not depend on `thalweg-runtime`";
        plant.assert_one(&["crates/core/Cargo.toml", expected, "[dependencies]"]);
    }

    #[test]
    fn a_new_third_party_fails_even_when_renamed_or_for_one_target() {
        for dependencies in [
            "[dependencies]\narrow = \"59\"\n",
            "[dependencies]\ncolumns = { package = \"arrow\", version = \"59\" }\n",
            "[target.'cfg(unix)'.dependencies]\narrow = \"59\"\n",
            "[build-dependencies]\narrow = \"59\"\n",
            "[dev-dependencies]\narrow = \"59\"\n",
        ] {
            let plant = Plant::tidy();
            plant.manifest("core", dependencies);
            plant.assert_one(&["`core` may not depend on `arrow`"]);
        }
    }

    #[test]
    fn what_tests_may_use_the_crate_may_not() {
        let plant = Plant::tidy();
        plant.manifest("core", "[dev-dependencies]\nproptest.workspace = true\n");
        assert_eq!(plant.findings(), Vec::<String>::new());
        plant.manifest("core", "[dependencies]\nproptest.workspace = true\n");
        plant.assert_one(&["`core` may not depend on `proptest`"]);
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_fail() {
        let plant = Plant::tidy();
        plant.manifest("extra", "");
        plant.assert_one(&["the crate `extra` has no row"]);
        let plant = Plant::tidy();
        std::fs::remove_dir_all(plant.root().join("crates/runtime")).unwrap();
        plant.assert_one(&["there is no crate `runtime`"]);
    }
}
