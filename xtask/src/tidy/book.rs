//! Every page of the book is in its table of contents.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Finding;
use super::markdown;
use super::tree::Tree;

const CHECK: &str = "book";
const BOOK: &str = "docs/book/";
const SUMMARY: &str = "docs/book/SUMMARY.md";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let pages: Vec<&str> = tree
        .ending(".md")
        .filter(|page| page.starts_with(BOOK))
        .collect();
    if pages.is_empty() {
        return Ok(Vec::new());
    }
    if !tree.has_file(SUMMARY) {
        return Ok(vec![Finding::of_file(
            CHECK,
            SUMMARY,
            "the book has no table of contents",
        )]);
    }
    let links = markdown::links(&tree.text(SUMMARY)?);
    let listed: BTreeSet<String> = links
        .iter()
        .map(|(_, target)| markdown::resolve(SUMMARY, target))
        .collect();
    let lost = pages
        .into_iter()
        .filter(|page| *page != SUMMARY && !listed.contains(*page));
    Ok(lost
        .map(|page| Finding::of_file(CHECK, page, format!("`{SUMMARY}` has no link to it")))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    #[test]
    fn a_page_outside_of_the_contents_fails() {
        let plant = Plant::tidy();
        plant.write("docs/book/lost.md", "# Lost\n");
        plant.assert_one(&["docs/book/lost.md", "[book]"]);
    }
}
