//! Relative links in Markdown lead somewhere.

use anyhow::Result;

use super::Finding;
use super::markdown;
use super::tree::Tree;

const CHECK: &str = "links";

pub(crate) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for page in tree.ending(".md") {
        for (line, target) in markdown::links(&tree.text(page)?) {
            if markdown::is_relative(&target) && !tree.has(&markdown::resolve(page, &target)) {
                let message = format!("the link to `{target}` leads nowhere");
                findings.push(Finding::error(CHECK, page, line, message));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::super::plant::Plant;

    #[test]
    fn a_broken_link_fails_with_its_line() {
        let plant = Plant::tidy();
        plant.write("README.md", "# Us\n\nSee [there](docs/nowhere.md).\n");
        plant.assert_one(&["README.md:3", "`docs/nowhere.md` leads nowhere", "[links]"]);
    }

    #[test]
    fn links_to_files_directories_places_and_the_web_pass() {
        let plant = Plant::tidy();
        let text = "[a](docs/book/start.md#start) [b](docs) [c](#us) [d](https://example.com/x)\n";
        plant.write("README.md", text);
        assert_eq!(plant.findings(), Vec::<String>::new());
    }
}
