//! Calls that engine code must not make, each with its replacement.
//!
//! `clippy.toml` bans what the compiler can resolve; this check sees macros and attributes too,
//! and needs no build.

use anyhow::Result;

use super::Finding;
use super::lexer;
use super::tree::{RustFile, Tree};

const CHECK: &str = "banned";

/// Where the outside world begins: clocks, threads and sleeps are allowed there.
const SHELLS: &[&str] = &[
    "crates/core/src/host.rs",
    "crates/core/src/host/",
    "crates/runtime/src/driver/",
    "crates/runtime/src/mini_cluster/",
    "crates/cluster/",
    // A connector whose client library blocks reads on a thread of its own.
    "connectors/",
    "clients/",
    "deploy/",
    "examples/",
    "bench/",
    "xtask/",
];

/// Programs beside a crate's library are no engine code.
const PROGRAMS: &[&str] = &["/examples/", "/benches/"];

/// Crates whose results must not depend on the order of a hash map.
const ORDERED: &[&str] = &[
    "crates/core/",
    "crates/dataflow/",
    "crates/state/",
    "crates/coordination/",
    "crates/runtime/",
    "crates/testkit/",
    "sim/",
];

/// What is banned, and what to do instead.
struct Rule {
    needle: &'static str,
    instead: &'static str,
    scope: Scope,
}

#[derive(Clone, Copy)]
enum Scope {
    /// Everywhere, tests included.
    Everywhere,
    /// Outside of the shells, tests included.
    Engine,
    /// Outside of the shells and of tests.
    EngineCode,
    /// In the crates of `ORDERED`, outside of tests.
    Ordered,
}

const RULES: &[Rule] = &[
    engine("SystemTime::now", "ask the `Clock` of `thalweg_core::host`"),
    engine("Instant::now", "ask the `Clock` of `thalweg_core::host`"),
    engine_code(
        "thread::spawn",
        "threads belong to the drivers of the runtime",
    ),
    engine_code(
        "thread::Builder",
        "threads belong to the drivers of the runtime",
    ),
    engine(
        "thread::sleep",
        "register a timer, or let the test drive the clock",
    ),
    engine("mpsc::channel", "use a bounded channel"),
    engine("thread_rng", "use the seeded `thalweg_core::host::Random`"),
    engine("RandomState", "use `thalweg_core::collections`"),
    everywhere(
        "todo!",
        "write it, or return an error of kind `Unsupported`",
    ),
    everywhere(
        "unimplemented!",
        "write it, or return an error of kind `Unsupported`",
    ),
    everywhere("dbg!", "remove it"),
    everywhere("#[ignore", "a test runs, or it goes"),
    Rule {
        needle: "std::collections::",
        instead: "std's hash maps iterate in random order: use `thalweg_core::collections`",
        scope: Scope::Ordered,
    },
];

const fn engine(needle: &'static str, instead: &'static str) -> Rule {
    Rule {
        needle,
        instead,
        scope: Scope::Engine,
    }
}

const fn engine_code(needle: &'static str, instead: &'static str) -> Rule {
    Rule {
        needle,
        instead,
        scope: Scope::EngineCode,
    }
}

const fn everywhere(needle: &'static str, instead: &'static str) -> Rule {
    Rule {
        needle,
        instead,
        scope: Scope::Everywhere,
    }
}

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for rule in RULES {
            for at in lexer::find_all(&file.code, rule.needle) {
                if let Some(what) = breaks(rule, file, at) {
                    let message = format!("`{what}` is banned here: {}", rule.instead);
                    findings.push(Finding::error(CHECK, &file.path, file.line(at), message));
                }
            }
        }
    }
    Ok(findings)
}

/// What stands at `at` against the rule, if the rule applies there.
fn breaks<'a>(rule: &'a Rule, file: &RustFile, at: usize) -> Option<&'a str> {
    let under = |places: &[&str]| places.iter().any(|place| file.path.starts_with(place));
    let shell = under(SHELLS) || PROGRAMS.iter().any(|part| file.path.contains(part));
    match rule.scope {
        Scope::Everywhere => Some(rule.needle.trim_start_matches("#[")),
        Scope::Engine => (!shell).then_some(rule.needle),
        Scope::EngineCode => (!shell && !file.is_test_code(at)).then_some(rule.needle),
        Scope::Ordered => {
            let imported = imported(&file.code[at + rule.needle.len()..]);
            let applies = under(ORDERED) && !file.is_test_code(at);
            let mut maps = ["HashMap", "HashSet"].into_iter();
            maps.find(|name| applies && lexer::find_all(imported, name).next().is_some())
        }
    }
}

/// The names that follow a path: one, or a list in braces.
fn imported(rest: &str) -> &str {
    let end = if rest.starts_with('{') {
        lexer::closing_brace(rest, 0)
    } else {
        rest.bytes()
            .position(|byte| !lexer::is_word(byte))
            .unwrap_or(rest.len())
    };
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    fn planted(path: &str, code: &str) -> Plant {
        let plant = Plant::tidy();
        plant.write(
            "crates/core/src/lib.rs",
            "//! Core.\nmod host;\nmod time;\n",
        );
        plant.write("crates/core/src/host.rs", "//! The host.\n");
        plant.write("crates/core/src/time.rs", "//! Time.\n");
        plant.write(path, &format!("//! Time.\n{code}\n"));
        plant
    }

    #[test]
    fn each_banned_call_fails_in_the_engine() {
        for code in [
            "fn a() { std::time::SystemTime::now(); }",
            "fn a() { Instant::now(); }",
            "fn a() { std::thread::spawn(|| {}); }",
            "fn a() { std::thread::sleep(x); }",
            "fn a() { let (tx, rx) = std::sync::mpsc::channel(); }",
            "fn a() { todo!() }",
            "fn a() { unimplemented!() }",
            "fn a() { dbg!(1); }",
            "#[test]\n#[ignore]\nfn a() {}",
            "#[ignore = \"slow\"]\nfn a() {}",
            "use std::collections::HashMap;",
            "use std::collections::{BTreeMap, HashSet};",
            "fn a() { std::collections::HashMap::new(); }",
        ] {
            planted("crates/core/src/time.rs", code).assert_one(&["time.rs:", "[banned]"]);
        }
    }

    #[test]
    fn other_code_comments_and_strings_pass() {
        for code in [
            "// SystemTime::now() is banned\nconst A: &str = \"todo!()\";",
            "use std::collections::{BTreeMap, VecDeque};",
            "fn a() { sync_mpsc::channels(); my_todo!(); }",
            "#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}",
            "#[cfg(test)]\nmod tests {\n    fn a() { std::thread::spawn(f); }\n}",
        ] {
            let findings = planted("crates/core/src/time.rs", code).findings();
            assert_eq!(findings, Vec::<String>::new(), "{code}");
        }
    }

    #[test]
    fn clocks_are_allowed_in_the_shells() {
        for path in ["crates/core/src/host.rs", "crates/core/benches/speed.rs"] {
            let plant = planted(path, "fn a() { Instant::now(); }");
            assert_eq!(plant.findings(), Vec::<String>::new());
        }
    }
}
