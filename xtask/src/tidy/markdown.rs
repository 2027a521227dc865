//! Links in Markdown text.

/// The targets of `[text](target)` and `[name]: target` with their lines, without code.
pub(crate) fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let line = without_code(line);
            links.extend(inline(&line).into_iter().map(|target| (index + 1, target)));
            links.extend(reference(&line).map(|target| (index + 1, target)));
        }
    }
    links
}

/// The line with what stands between backticks blanked.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .map(|(index, part)| if index % 2 == 0 { part } else { " " })
        .collect()
}

fn inline(line: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        if let Some(end) = rest.find(')') {
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            targets.push(target.trim_matches(['<', '>']).to_owned());
        }
    }
    targets
}

fn reference(line: &str) -> Option<String> {
    let (_, target) = line.strip_prefix('[')?.split_once("]: ")?;
    target.split_whitespace().next().map(str::to_owned)
}

/// Whether a target is a file of ours: no URL, and no place in the same page.
pub(crate) fn is_relative(target: &str) -> bool {
    !target.is_empty()
        && !target.starts_with('#')
        && !target.contains("://")
        && !target.starts_with("mailto:")
}

/// The file a link of the page `page` means, relative to the root.
pub(crate) fn resolve(page: &str, target: &str) -> String {
    let file = target.split('#').next().unwrap_or_default();
    let directory = page.rsplit_once('/').map_or("", |(directory, _)| directory);
    let joined = if file.starts_with('/') {
        file.to_owned()
    } else {
        format!("{directory}/{file}")
    };
    super::dead_modules::normal(&joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_and_skips_code() {
        let text = "[a](a.md) and ![b](img/b.png \"title\")\n```\n[c](c.md)\n```\n`[d](d.md)`\n\
                    [e]: e.md\n";
        let found: Vec<_> = links(text).into_iter().collect();
        let expected = [(1, "a.md"), (1, "img/b.png"), (6, "e.md")];
        assert_eq!(
            found,
            expected.map(|(line, target)| (line, target.to_owned()))
        );
    }

    #[test]
    fn resolves_against_the_page() {
        assert_eq!(
            resolve("docs/book/a.md", "../decisions/1.md#why"),
            "docs/decisions/1.md"
        );
        assert_eq!(resolve("README.md", "docs/"), "docs");
    }
}
