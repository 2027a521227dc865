//! `docs/features.md` is true: every feature once, and no claim without a test or file.
//!
//! A row is `| ID | feature | state | proof |`. The IDs are those of `xtask/features.txt`. A proof is
//! a test, written `crate::path::test_name` with the crate's name or its part after `thalweg-`,
//! or a file of the tree.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::Finding;
use super::lexer;
use super::tree::Tree;

const CHECK: &str = "features";
const PAGE: &str = "docs/features.md";
const IDS: &str = "xtask/features.txt";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let ids = tree.text(IDS)?;
    let mut missing: BTreeSet<&str> = ids.split_whitespace().collect();
    let known = missing.clone();
    let crates = crates(tree)?;
    let mut findings = Vec::new();
    for (index, line) in tree.text(PAGE)?.lines().enumerate() {
        let Some(row) = Row::parse(line) else {
            continue;
        };
        let mut report = |message: String| {
            findings.push(Finding::error(CHECK, PAGE, index + 1, message));
        };
        if !known.contains(row.id) {
            report(format!("`{}` is no feature of the list", row.id));
        } else if !missing.remove(row.id) {
            report(format!("`{}` stands here a second time", row.id));
        }
        if let Some(message) = row.fault(tree, &crates) {
            report(message);
        }
    }
    for id in missing {
        findings.push(Finding::of_file(CHECK, PAGE, format!("`{id}` is missing")));
    }
    Ok(findings)
}

struct Row<'a> {
    id: &'a str,
    state: &'a str,
    proofs: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// The row of a feature; heads, rules and text are none.
    fn parse(line: &'a str) -> Option<Row<'a>> {
        let line = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let id = *cells.first()?;
        let (letter, number) = id.split_at_checked(1)?;
        let is_id = letter.bytes().all(|byte| byte.is_ascii_uppercase())
            && number.len() == 3
            && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_id {
            return None;
        }
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        // Every second part of the proof's text stands between backticks.
        Some(Row {
            id,
            state: cell(2),
            proofs: cell(3).split('`').skip(1).step_by(2).collect(),
        })
    }

    /// What is wrong with the state or a proof.
    fn fault(&self, tree: &Tree, crates: &BTreeMap<String, String>) -> Option<String> {
        let Row { id, state, proofs } = self;
        match *state {
            "no" => None,
            "yes" | "part" => {
                if proofs.is_empty() {
                    return Some(format!("`{id}` is `{state}` and names no test and no file"));
                }
                let untrue = proofs.iter().find(|proof| !holds(proof, tree, crates))?;
                Some(format!("`{id}`: there is no test and no file `{untrue}`"))
            }
            other => Some(format!(
                "`{id}`: the state is `{other}`, not `yes`, `part` or `no`"
            )),
        }
    }
}

/// Whether the test or file is there.
fn holds(proof: &str, tree: &Tree, crates: &BTreeMap<String, String>) -> bool {
    let Some((name, path)) = proof.split_once("::") else {
        return !proof.is_empty() && tree.has_file(proof);
    };
    let test = path.rsplit("::").next().unwrap_or(path);
    let Some(directory) = crates.get(&name.replace('_', "-")) else {
        return false;
    };
    let needle = format!("fn {test}");
    let mut files = tree
        .rust()
        .iter()
        .filter(|file| file.path.starts_with(directory.as_str()));
    files.any(|file| lexer::find_all(&file.code, &needle).any(|at| is_test(&file.code[..at])))
}

/// Whether one of the attributes just before a function is `test`, `some::test` or `test(…)`.
fn is_test(before: &str) -> bool {
    let item = before
        .rfind(['}', ';', '{'])
        .map_or(before, |at| &before[at..]);
    item.contains("test]") || item.contains("test(")
}

/// The directories of the workspace's crates, by full and by short name.
fn crates(tree: &Tree) -> Result<BTreeMap<String, String>> {
    let mut crates = BTreeMap::new();
    for manifest in tree.ending("/Cargo.toml") {
        let table: toml::Table = tree
            .text(manifest)?
            .parse()
            .with_context(|| format!("`{manifest}` is no TOML"))?;
        let name = table
            .get("package")
            .and_then(|package| package.get("name")?.as_str());
        if let (Some(name), Some(directory)) = (name, manifest.strip_suffix("Cargo.toml")) {
            let short = name.strip_prefix("thalweg-").unwrap_or(name);
            crates.insert(short.to_owned(), directory.to_owned());
            crates.insert(name.to_owned(), directory.to_owned());
        }
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    fn planted(first: &str) -> Plant {
        let plant = Plant::tidy();
        plant.features(&format!("{first}\n| Q002 | b | no | – |\n"));
        let tests = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn orders_rows() {}\n\n    \
                     fn helper() {}\n}\n";
        plant.write("crates/core/src/time.rs", &format!("//! Time.\n{tests}"));
        plant
    }

    #[test]
    fn a_missing_a_doubled_and_an_unknown_feature_fail() {
        planted("").assert_one(&["`Q001` is missing", "[features]"]);
        let twice = "| Q001 | a | no | – |\n| Q001 | a | no | – |";
        planted(twice).assert_one(&["features.md:6", "`Q001` stands here a second time"]);
        let unknown = "| Q001 | a | no | – |\n| Q999 | a | no | – |";
        planted(unknown).assert_one(&["`Q999` is no feature of the list"]);
    }

    #[test]
    fn a_state_is_one_of_three_words() {
        planted("| Q001 | a | maybe | – |").assert_one(&["the state is `maybe`"]);
    }

    #[test]
    fn a_claim_needs_a_proof() {
        planted("| Q001 | a | yes | – |").assert_one(&["names no test and no file"]);
        planted("| Q001 | a | part | |").assert_one(&["names no test and no file"]);
    }

    #[test]
    fn a_proof_must_be_there() {
        for proof in [
            "core::time::tests::no_such",
            "core::time::helper",
            "other::orders_rows",
        ] {
            planted(&format!("| Q001 | a | yes | `{proof}` |")).assert_one(&[proof]);
        }
        planted("| Q001 | a | yes | `docs/book/none.md` |").assert_one(&["docs/book/none.md"]);
        let both = "| Q001 | a | part | `core::time::orders_rows`, `core::lost` |";
        planted(both).assert_one(&["`core::lost`"]);
    }

    #[test]
    fn tests_and_files_prove() {
        for proof in [
            "core::time::tests::orders_rows",
            "thalweg_core::orders_rows",
            "docs/book/start.md",
        ] {
            let plant = planted(&format!("| Q001 | a | yes | `{proof}` |"));
            assert_eq!(plant.findings(), Vec::<String>::new());
        }
    }
}
