//! Functions fit on a screen: at most 70 lines, counted from `fn` to the closing brace.
//!
//! Longer ones count against a budget. Tests do not count.

use anyhow::Result;

use super::Finding;
use super::lexer;
use super::tree::{RustFile, Tree};

pub(crate) const CHECK: &str = "function-size";
const LINES_MAX: usize = 70;

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (line, name, lines) in functions(file) {
            if lines > LINES_MAX {
                let message = format!("`{name}` has {lines} lines; at most {LINES_MAX}: split it");
                findings.push(Finding::budgeted(CHECK, &file.path, line, message));
            }
        }
    }
    Ok(findings)
}

/// Line, name and length of each function outside of tests.
fn functions(file: &RustFile) -> Vec<(usize, &str, usize)> {
    let mut functions = Vec::new();
    for at in lexer::find_all(&file.code, "fn") {
        let rest = file.code[at + 2..].trim_start();
        let end = rest
            .bytes()
            .position(|byte| !lexer::is_word(byte))
            .unwrap_or(rest.len());
        // `fn(u8)` is a type.
        if end == 0 || file.is_test_code(at) {
            continue;
        }
        if let Some(open) = lexer::body(&file.code, at) {
            let first = file.line(at);
            let last = file.line(lexer::closing_brace(&file.code, open));
            functions.push((first, &rest[..end], last - first + 1));
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    fn planted(lines: usize) -> Plant {
        let plant = Plant::tidy();
        let body = "    // } a brace in a comment closes nothing\n".repeat(lines - 2);
        let text = format!("//! Time.\ntype F = fn(u8);\n\nfn long() {{\n{body}}}\n");
        plant.write("crates/core/src/time.rs", &text);
        plant
    }

    #[test]
    fn a_function_of_seventy_lines_passes() {
        assert_eq!(planted(70).findings(), Vec::<String>::new());
    }

    #[test]
    fn a_longer_function_is_a_warning_and_over_the_budget_an_error() {
        let plant = planted(71);
        let findings = plant.findings();
        assert!(
            findings
                .iter()
                .any(|f| f.contains("time.rs:4: `long` has 71 lines"))
        );
        assert!(
            findings
                .iter()
                .any(|f| f.starts_with("error: xtask/budget.toml"))
        );
        plant.write("xtask/budget.toml", "file-size = 0\nfunction-size = 1\n");
        plant.assert_one(&["warning: crates/core/src/time.rs:4"]);
    }

    #[test]
    fn tests_may_be_long() {
        let plant = planted(70);
        let body = "        f();\n".repeat(100);
        let tests = format!("#[cfg(test)]\nmod tests {{\n    fn long() {{\n{body}    }}\n}}\n");
        plant.write("crates/core/src/time.rs", &format!("//! Time.\n{tests}"));
        assert_eq!(plant.findings(), Vec::<String>::new());
    }
}
