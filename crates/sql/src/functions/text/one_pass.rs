//! Patterns that are matched without ever going back.
//!
//! Most patterns of `REGEXP_EXTRACT` are a few literals and runs of characters, each run ended by
//! a character that is not in it: `(&|^)channel_id=([^&]*)`. For them a loop over the bytes finds
//! what a general automaton finds, in a fraction of the time. [`OnePass::of`] takes a pattern only
//! if that is certain:
//!
//! - What is alternative (`a|b`, `a?`) is written out as *branches*, in the order in which a
//!   backtracking matcher tries them. The first branch that matches is the match.
//! - A run takes all it can. A shorter run can matter only if what follows fails behind the longest
//!   one and fits behind a shorter one. There, the next byte is one of the run's; so what follows
//!   must either never fail, or not begin with such a byte.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// A pattern with more branches is left to the general matcher.
const BRANCHES_MAX: usize = 8;

/// Where a group matched, or that it took no part.
pub type Group = Option<(usize, usize)>;

/// A pattern in this form, and the group that is looked for.
#[derive(Debug)]
pub struct OnePass {
    branches: Vec<Vec<Step>>,
}

#[derive(Clone, Debug)]
enum Step {
    Literal(Vec<u8>),
    /// One character of ASCII.
    One(Box<ByteSet>),
    Run(Box<ByteSet>, AtLeast),
    TextStart,
    TextEnd,
    GroupStart,
    GroupEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtLeast {
    Zero,
    One,
}

impl OnePass {
    /// The pattern in this form, if it has one, to look for a group; 0 is the whole match.
    pub fn of(pattern: &Hir, group: u32) -> Option<OnePass> {
        let mut branches = branches(pattern, group)?;
        if group == 0 {
            for branch in &mut branches {
                branch.insert(0, Step::GroupStart);
                branch.push(Step::GroupEnd);
            }
        }
        let branches: Vec<_> = branches.into_iter().map(joined).collect();
        branches
            .iter()
            .all(|branch| never_goes_back(branch))
            .then_some(OnePass { branches })
    }

    /// Matches a text from the byte `at`, where a character begins, and says where the group is.
    #[inline]
    pub fn matches_at(&self, text: &str, at: usize) -> Option<Group> {
        let text = text.as_bytes();
        self.branches
            .iter()
            .find_map(|branch| run(branch, text, at))
    }
}

#[inline]
fn run(branch: &[Step], text: &[u8], mut at: usize) -> Option<Group> {
    let (mut start, mut group) = (0, None);
    for step in branch {
        match step {
            Step::Literal(literal) => {
                if !text[at..].starts_with(literal) {
                    return None;
                }
                at += literal.len();
            }
            Step::One(set) => {
                if !set.has(*text.get(at)?) {
                    return None;
                }
                at += 1;
            }
            Step::Run(set, at_least) => {
                let rest = &text[at..];
                let length = rest.iter().position(|byte| !set.has(*byte));
                let length = length.unwrap_or(rest.len());
                if length == 0 && *at_least == AtLeast::One {
                    return None;
                }
                at += length;
            }
            Step::TextStart if at != 0 => return None,
            Step::TextEnd if at != text.len() => return None,
            Step::TextStart | Step::TextEnd => {}
            Step::GroupStart => start = at,
            Step::GroupEnd => group = Some((start, at)),
        }
    }
    Some(group)
}

/// The branches of a pattern, or `None` if some part of it has no such form.
fn branches(pattern: &Hir, group: u32) -> Option<Vec<Vec<Step>>> {
    let single = |step| Some(vec![vec![step]]);
    match pattern.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        // Half of a character could begin within a run of whole ones.
        HirKind::Literal(literal) if std::str::from_utf8(&literal.0).is_ok() => {
            single(Step::Literal(literal.0.to_vec()))
        }
        HirKind::Class(class) => {
            let set = ByteSet::of_class(class)?;
            (!set.has(0x80)).then(|| vec![vec![Step::One(Box::new(set))]])
        }
        HirKind::Look(Look::Start) => single(Step::TextStart),
        HirKind::Look(Look::End) => single(Step::TextEnd),
        HirKind::Repetition(repetition) => repeated(repetition, group),
        HirKind::Capture(capture) => {
            let mut inner = branches(&capture.sub, group)?;
            if capture.index == group {
                for branch in &mut inner {
                    branch.insert(0, Step::GroupStart);
                    branch.push(Step::GroupEnd);
                }
            }
            Some(inner)
        }
        HirKind::Concat(parts) => {
            let mut whole = vec![Vec::new()];
            for part in parts {
                let next = branches(part, group)?;
                let pairs = whole.iter().flat_map(|first| {
                    next.iter()
                        .map(move |second: &Vec<Step>| [&first[..], second].concat())
                });
                whole = pairs.take(BRANCHES_MAX + 1).collect();
                if whole.len() > BRANCHES_MAX {
                    return None;
                }
            }
            Some(whole)
        }
        HirKind::Alternation(alternatives) => {
            let mut all = Vec::new();
            for alternative in alternatives {
                all.extend(branches(alternative, group)?);
                if all.len() > BRANCHES_MAX {
                    return None;
                }
            }
            Some(all)
        }
        _ => None,
    }
}

/// `x?`, and `x*` and `x+` of a character.
fn repeated(repetition: &Repetition, group: u32) -> Option<Vec<Vec<Step>>> {
    if (repetition.min, repetition.max) == (0, Some(1)) {
        let mut all = branches(&repetition.sub, group)?;
        let at = if repetition.greedy { all.len() } else { 0 };
        all.insert(at, Vec::new());
        return Some(all);
    }
    let at_least = match (repetition.min, repetition.max, repetition.greedy) {
        (0, None, true) => AtLeast::Zero,
        (1, None, true) => AtLeast::One,
        _ => return None,
    };
    let set = match repetition.sub.kind() {
        HirKind::Class(class) => ByteSet::of_class(class)?,
        HirKind::Literal(literal) => match *literal.0 {
            [byte] if byte.is_ascii() => ByteSet::of_byte(byte),
            _ => return None,
        },
        _ => return None,
    };
    Some(vec![vec![Step::Run(Box::new(set), at_least)]])
}

/// The steps with literals next to each other as one.
fn joined(branch: Vec<Step>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(branch.len());
    for step in branch {
        match (steps.last_mut(), step) {
            (Some(Step::Literal(first)), Step::Literal(second)) => first.extend(second),
            (_, step) => steps.push(step),
        }
    }
    steps
}

/// Whether the longest run is always the one that counts.
fn never_goes_back(branch: &[Step]) -> bool {
    let runs = branch.iter().enumerate();
    let mut runs = runs.filter_map(|(at, step)| match step {
        Step::Run(set, _) => Some((at, set)),
        _ => None,
    });
    runs.all(|(at, set)| {
        let rest = &branch[at + 1..];
        rest.iter().all(never_fails) || must_begin_outside(rest, set)
    })
}

fn never_fails(step: &Step) -> bool {
    matches!(
        step,
        Step::Run(_, AtLeast::Zero) | Step::GroupStart | Step::GroupEnd
    )
}

/// Whether no match of the steps begins with a byte of the set, nor before one.
fn must_begin_outside(steps: &[Step], set: &ByteSet) -> bool {
    for step in steps {
        match step {
            Step::Literal(literal) => {
                if let Some(first) = literal.first() {
                    return !set.has(*first);
                }
            }
            Step::One(next) | Step::Run(next, AtLeast::One) => return !set.meets(next),
            // It may take nothing, so that what follows it begins in its place.
            Step::Run(next, AtLeast::Zero) => {
                if set.meets(next) {
                    return false;
                }
            }
            Step::TextEnd => return true,
            Step::TextStart => return false,
            Step::GroupStart | Step::GroupEnd => {}
        }
    }
    false
}

/// Some bytes. Those that are not ASCII are in it all or not at all, so that a run of them never
/// ends within a character.
#[derive(Clone, Debug)]
struct ByteSet([bool; 256]);

impl ByteSet {
    fn of_byte(byte: u8) -> ByteSet {
        let mut set = ByteSet([false; 256]);
        set.0[usize::from(byte)] = true;
        set
    }

    /// The bytes of a class of characters; `None` if it has some that are not ASCII, but not all.
    fn of_class(class: &Class) -> Option<ByteSet> {
        let Class::Unicode(class) = class else {
            return None;
        };
        let mut set = ByteSet([false; 256]);
        for range in class.ranges() {
            let (first, last) = (range.start(), range.end());
            for byte in (0..0x80_u8).filter(|byte| (first..=last).contains(&char::from(*byte))) {
                set.0[usize::from(byte)] = true;
            }
            if !last.is_ascii() {
                if first > '\u{80}' || last != char::MAX {
                    return None;
                }
                set.0[0x80..].fill(true);
            }
        }
        Some(set)
    }

    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    fn meets(&self, other: &ByteSet) -> bool {
        self.0.iter().zip(&other.0).any(|(one, two)| *one && *two)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn compiled(pattern: &str, group: u32) -> Option<OnePass> {
        OnePass::of(&regex_syntax::parse(pattern).unwrap(), group)
    }

    #[test]
    fn patterns_that_may_have_to_go_back_are_refused() {
        let certain = [
            "(&|^)channel_id=([^&]*)",
            "^([a-z]+)://([^/]+)(/.*)?$",
            "a*b*c*",
            "x=(a*)a*",
            "[^/]*$",
            "(|a)b",
            "(?s).*",
        ];
        for pattern in certain {
            assert!(compiled(pattern, 1).is_some(), "{pattern}");
        }
        let uncertain = [
            "a*a",
            "a*[ab]c",
            "a*b*a",
            "(ab)*",
            "a*?b",
            "a{2}",
            r"\d+x",
            r"\bx",
            "[^é]*",
            "é*",
            "é+=",
            ".b.",
            "(?m)a*$",
            "a*^",
            "(a|b|c|d|ef|gh|ij)(|x)(|y)",
            ".*b",
        ];
        for pattern in uncertain {
            assert!(compiled(pattern, 1).is_none(), "{pattern}");
        }
    }

    #[test]
    fn a_group_that_took_no_part_is_told_from_an_empty_one() {
        let pattern = compiled("a(b)?", 1).unwrap();
        assert_eq!(pattern.matches_at("ab", 0), Some(Some((1, 2))));
        assert_eq!(pattern.matches_at("ac", 0), Some(None));
        assert_eq!(pattern.matches_at("b", 0), None);
        let pattern = compiled("a(b*)", 1).unwrap();
        assert_eq!(pattern.matches_at("ac", 0), Some(Some((1, 1))));
    }

    /// Patterns of a few characters, nested to a small depth; many can be matched in one pass.
    pub fn patterns() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a", "b", "é", "=", "ab", "[ab]", "[^a]", "[^=é]", ".", "a*", "b+", "[^b]*", "[^=]+",
            "[ab]*", "a*?", "^", "$", "a?", "b??", "(?i:a)", r"\w", "é*", "é+=", "a{2}", "",
            "(?s:.)*",
        ]);
        leaf.prop_map(str::to_owned)
            .prop_recursive(3, 12, 4, |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                    prop::collection::vec(inner.clone(), 1..3)
                        .prop_map(|parts| format!("({})", parts.join("|"))),
                    inner.clone().prop_map(|part| format!("(?:{part})?")),
                    inner.prop_map(|part| format!("({part})*")),
                ]
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn finds_at_every_place_what_the_general_matcher_finds(
            pattern in patterns(), text in "[ab=é\n]{0,9}", group in 0_u32..3
        ) {
            let Some(one_pass) = compiled(&pattern, group) else { return Ok(()) };
            let regex = Regex::new(&pattern).unwrap();
            for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
                // A match that begins here is the leftmost from here on.
                let found = regex.captures_at(&text, at);
                let here = found.filter(|found| found.get(0).is_some_and(|all| all.start() == at));
                let expected = here.map(|found| found.get(group as usize).map(|group| (group.start(), group.end())));
                prop_assert_eq!(one_pass.matches_at(&text, at), expected);
            }
        }
    }
}
