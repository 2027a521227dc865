//! Every Rust file begins with `//!`: what the file is for, before any code.

use anyhow::Result;

use super::Finding;
use super::tree::Tree;

const CHECK: &str = "module-docs";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let missing = tree
        .rust()
        .iter()
        .filter(|file| !file.text.starts_with("//! "));
    Ok(missing
        .map(|file| Finding::error(CHECK, &file.path, 1, "does not begin with `//!` docs"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    #[test]
    fn a_file_without_docs_at_its_head_fails() {
        let plant = Plant::tidy();
        plant.write("crates/core/src/time.rs", "fn a() {}\n//! Too late.\n");
        plant.assert_one(&["error: crates/core/src/time.rs:1", "[module-docs]"]);
    }

    #[test]
    fn empty_docs_fail() {
        let plant = Plant::tidy();
        plant.write("crates/core/src/time.rs", "//!\nfn a() {}\n");
        plant.assert_one(&["[module-docs]"]);
    }
}
