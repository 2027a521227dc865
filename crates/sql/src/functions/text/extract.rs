//! The part of a text that a group of a pattern matches.

use memchr::memmem::Finder;
use regex::{CaptureLocations, Regex};
use regex_syntax::hir::{Hir, HirKind};

use super::one_pass::{Group, OnePass};

/// The farthest that a literal may be from the start of a match for the search to begin before it.
const REACH_MAX: usize = 64;
/// A search tries this many places of the literal one by one. The rest of the text is left to the
/// general matcher, whose time never grows faster than the text.
const ATTEMPTS_MAX: usize = 16;

/// A compiled pattern, and the group that is looked for.
pub struct Extractor {
    regex: Regex,
    group: usize,
    literal: Option<RequiredLiteral>,
    // INVARIANT: there is a literal with a reach.
    one_pass: Option<OnePass>,
}

/// A text that is in every match.
struct RequiredLiteral {
    finder: Finder<'static>,
    /// How many bytes of a match may be before it, if there is a limit.
    reach: Option<usize>,
}

impl Extractor {
    /// Compiles a pattern. An invalid one, or one without the group, never matches.
    pub fn new(pattern: &str, group: i32) -> Option<Extractor> {
        let regex = Regex::new(pattern).ok()?;
        let group = usize::try_from(group).ok()?;
        if group >= regex.captures_len() {
            return None;
        }
        // What is valid for `regex` is valid for its own parser.
        let parsed = regex_syntax::parse(pattern).ok();
        let literal = parsed.as_ref().and_then(RequiredLiteral::of);
        let near = literal
            .as_ref()
            .is_some_and(|literal| literal.reach.is_some());
        let index = u32::try_from(group).ok()?;
        let one_pass = parsed
            .filter(|_| near)
            .and_then(|parsed| OnePass::of(&parsed, index));
        Some(Extractor {
            regex,
            group,
            literal,
            one_pass,
        })
    }

    /// Memory for [`Extractor::find`].
    pub fn locations(&self) -> CaptureLocations {
        self.regex.capture_locations()
    }

    /// Where the group is in the first match; `None` if there is no match or the group took no part.
    #[inline]
    pub fn find(&self, text: &str, locations: &mut CaptureLocations) -> Group {
        let Some(literal) = &self.literal else {
            return self.find_from(text, 0, locations);
        };
        let first = literal.finder.find(text.as_bytes())?;
        let Some(reach) = literal.reach else {
            return self.find_from(text, 0, locations);
        };
        match &self.one_pass {
            Some(one_pass) => self.find_near(one_pass, text, first, reach, locations),
            None => self.find_from(text, first.saturating_sub(reach), locations),
        }
    }

    /// Tries the places from which a match can have the literal where it is found, `first` at
    /// first.
    #[inline]
    fn find_near(
        &self,
        one_pass: &OnePass,
        text: &str,
        first: usize,
        reach: usize,
        locations: &mut CaptureLocations,
    ) -> Group {
        let literal = self.literal.as_ref()?;
        let mut found = first;
        // No match begins before this place.
        let mut start = 0;
        for _ in 0..ATTEMPTS_MAX {
            start = start.max(found.saturating_sub(reach));
            for at in start..=found {
                if text.is_char_boundary(at)
                    && let Some(group) = one_pass.matches_at(text, at)
                {
                    return group;
                }
            }
            start = found + 1;
            found = start + literal.finder.find(text.as_bytes().get(start..)?)?;
        }
        self.find_from(text, start, locations)
    }

    /// Finds the first match from a place on, with what is before it in view.
    fn find_from(&self, text: &str, mut start: usize, locations: &mut CaptureLocations) -> Group {
        while !text.is_char_boundary(start) {
            start += 1;
        }
        if self.group == 0 {
            let found = self.regex.find_at(text, start)?;
            return Some((found.start(), found.end()));
        }
        self.regex.captures_read_at(locations, text, start)?;
        locations.get(self.group)
    }
}

impl RequiredLiteral {
    /// The longest literal in every match of a pattern, the nearer ones to its start preferred.
    fn of(pattern: &Hir) -> Option<RequiredLiteral> {
        let mut parts = Vec::new();
        in_sequence(pattern, &mut parts);
        let mut before = Some(0_usize);
        let mut best: Option<(Option<usize>, &[u8])> = None;
        for part in parts {
            if let HirKind::Literal(literal) = part.kind() {
                let reach = before.filter(|reach| *reach <= REACH_MAX);
                let rank = |reach: Option<usize>, bytes: &[u8]| (reach.is_some(), bytes.len());
                let better = |(known, bytes)| rank(reach, &literal.0) > rank(known, bytes);
                if best.is_none_or(better) {
                    best = Some((reach, &literal.0));
                }
            }
            let length = part.properties().maximum_len();
            before = before
                .zip(length)
                .map(|(before, length)| before.saturating_add(length));
        }
        best.map(|(reach, bytes)| RequiredLiteral {
            finder: Finder::new(bytes).into_owned(),
            reach,
        })
    }
}

/// The parts of a pattern that follow each other in every match.
fn in_sequence<'a>(pattern: &'a Hir, parts: &mut Vec<&'a Hir>) {
    match pattern.kind() {
        HirKind::Concat(inner) => inner.iter().for_each(|part| in_sequence(part, parts)),
        HirKind::Capture(capture) => in_sequence(&capture.sub, parts),
        _ => parts.push(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::super::one_pass::tests::patterns;
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(pattern: &str, group: i32, text: &'a str) -> Option<&'a str> {
        let extractor = Extractor::new(pattern, group)?;
        let range = extractor.find(text, &mut extractor.locations());
        range.map(|(start, end)| &text[start..end])
    }

    #[test]
    fn a_parameter_of_an_address() {
        let pattern = "(&|^)channel_id=([^&]*)";
        let found = |text| found(pattern, 2, text);
        assert_eq!(found("https://h/p?query=1&channel_id=12&x=3"), Some("12"));
        assert_eq!(found("channel_id=7"), Some("7"));
        assert_eq!(found("?channel_id=7"), None);
        assert_eq!(found("?channel_id=7&channel_id=&channel_id=8"), Some(""));
        assert_eq!(found("é&channel_id=é"), Some("é"));
        assert_eq!(found("channel_i"), None);
        assert_eq!(found(""), None);
        let extractor = Extractor::new(pattern, 2).unwrap();
        assert!(extractor.one_pass.is_some());
        assert_eq!(extractor.literal.unwrap().reach, Some(1));
    }

    #[test]
    fn groups_that_are_not_there() {
        assert_eq!(found("a(b)?", 1, "a"), None);
        assert_eq!(found("a(b)?", 2, "ab"), None);
        assert_eq!(found("a(b)?", -1, "ab"), None);
        assert_eq!(found("a(b", 0, "ab"), None);
        assert_eq!(found("a(b)?", 0, "xab"), Some("ab"));
        // The general matcher tells them apart as well.
        assert_eq!(found("a{2}(b)?", 1, "aa"), None);
    }

    #[test]
    fn what_is_around_the_start_of_a_search_counts() {
        assert_eq!(found(r"\bid=(\d+)", 1, "xid=1 id=2"), Some("2"));
        assert_eq!(found("^id=(.*)", 1, "xid=1"), None);
        assert_eq!(found("(?m)^id=(.*)$", 1, "xid=1\nid=2\n"), Some("2"));
    }

    #[test]
    fn a_text_with_many_places_that_fail_is_searched_to_its_end() {
        let pattern = "x=([a-z=]*);";
        let text = format!("{}1 x=yes;", "x=".repeat(10 * ATTEMPTS_MAX));
        assert_eq!(found(pattern, 1, &text), Some("yes"));
        let text = format!("{}é", "x=é".repeat(10 * ATTEMPTS_MAX));
        assert_eq!(found(pattern, 1, &text), None);
    }

    #[test]
    fn the_literal_that_narrows_the_search_most() {
        let literal = |pattern: &str| {
            let literal = RequiredLiteral::of(&regex_syntax::parse(pattern).unwrap())?;
            let bytes = literal.finder.needle().to_vec();
            Some((String::from_utf8(bytes).unwrap(), literal.reach))
        };
        assert_eq!(literal("a(.?bcd)e"), Some(("bcd".to_owned(), Some(5))));
        // Far from the start it only tells which texts have no match.
        assert_eq!(literal(".*abc"), Some(("abc".to_owned(), None)));
        assert_eq!(literal("x.*abc"), Some(("x".to_owned(), Some(0))));
        assert_eq!(literal("(abc|abd)?e*"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn finds_what_a_search_with_the_pattern_alone_finds(
            pattern in patterns(), text in "[ab=é\n]{0,40}", group in 0_i32..3
        ) {
            let regex = Regex::new(&pattern).unwrap();
            let expected = regex.captures(&text).and_then(|all| all.get(group as usize));
            prop_assert_eq!(found(&pattern, group, &text), expected.map(|group| group.as_str()));
        }
    }
}
