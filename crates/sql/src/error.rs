//! The error of the SQL crate: what went wrong, where in the text, and what to try instead.
//!
//! A statement fails with exactly one [`SqlError`]. Its [`ErrorKind`] says who must act, its
//! [`Position`] is relative to the whole script (not to the statement), and [`SqlError::render`]
//! draws the line of SQL with a caret under the token at fault.

use std::fmt;

/// What kind of mistake an error reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not SQL of the dialect.
    Syntax,
    /// A name (object, column, option, function) that nothing bears.
    Unknown,
    /// Types that do not fit together.
    Type,
    /// Valid Flink SQL that this engine does not implement.
    Unsupported,
    /// The catalog refuses: an object exists already, is of another kind, or is in use.
    Catalog,
    /// A value at fault while the statement runs.
    Data,
    /// A broken invariant of the engine.
    Internal,
}

/// A place in a script: both numbers begin at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Line of the script.
    pub line: u64,
    /// Character of the line.
    pub column: u64,
}

impl Position {
    /// The place at `line` and `column`, both beginning at 1.
    pub fn new(line: u64, column: u64) -> Self {
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The error of a SQL statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// Who must act.
    pub kind: ErrorKind,
    /// One line, lower case, values in back-ticks.
    pub message: String,
    /// Where in the script, when known.
    pub position: Option<Position>,
    /// Characters from `position` that are at fault; at least 1 when drawn.
    pub length: u64,
    /// What to try instead.
    pub hint: Option<String>,
}

/// The result of everything that reads or plans SQL.
pub type SqlResult<T> = Result<T, SqlError>;

impl SqlError {
    /// An error of `kind` without a place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            position: None,
            length: 1,
            hint: None,
        }
    }

    /// Text that is not SQL.
    pub fn syntax(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Syntax, message)
    }

    /// A name nothing bears.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unknown, message)
    }

    /// Types that do not fit.
    pub fn type_mismatch(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Type, message)
    }

    /// Flink SQL that is not implemented here.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A refusal of the catalog.
    pub fn catalog(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Catalog, message)
    }

    /// A value at fault.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// A broken invariant.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error at `position`, `length` characters long; a known place is kept.
    #[must_use]
    pub fn at(mut self, position: Position, length: u64) -> Self {
        if self.position.is_none() {
            self.position = Some(position);
            self.length = length.max(1);
        }
        self
    }

    /// The same error at the place of `span`, unless the span is empty or a place is known.
    #[must_use]
    pub fn at_span(self, span: sqlparser::tokenizer::Span) -> Self {
        if span.start.line == 0 {
            return self;
        }
        let length = if span.end.line == span.start.line {
            span.end.column.saturating_sub(span.start.column)
        } else {
            1
        };
        self.at(Position::new(span.start.line, span.start.column), length)
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error, advising the candidate nearest to `word` if one is near.
    #[must_use]
    pub fn with_nearest<'a>(
        self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(word, candidates) {
            Some(found) => self.with_hint(format!("did you mean `{found}`?")),
            None => self,
        }
    }

    /// Draws the error with the line of `text` it points at.
    ///
    /// `file` names the script, `text` is the whole script the position is relative to.
    ///
    /// # Examples
    /// ```
    /// use thalweg_sql::error::{Position, SqlError};
    /// let error = SqlError::syntax("expected `)`, found `FROM`").at(Position::new(1, 14), 4);
    /// assert_eq!(
    ///     error.render(Some("a.sql"), "SELECT a, (b FROM t"),
    ///     "error: a.sql:1:14: expected `)`, found `FROM`\n  \
    ///      1 | SELECT a, (b FROM t\n    |              ^^^^\n"
    /// );
    /// ```
    pub fn render(&self, file: Option<&str>, text: &str) -> String {
        let place = match (file, self.position) {
            (Some(file), Some(position)) => format!("{file}:{position}: "),
            (Some(file), None) => format!("{file}: "),
            (None, Some(position)) => format!("{position}: "),
            (None, None) => String::new(),
        };
        let mut out = format!("error: {place}{}\n", self.message);
        let mut gutter = 4;
        if let Some(position) = self.position
            && let Some(line) = line_of(text, position.line)
        {
            let number = position.line.to_string();
            gutter = number.len() + 3;
            out.push_str(&format!("  {number} | {}\n", line.replace('\t', " ")));
            out.push_str(&format!(
                "{:gutter$}| {}\n",
                "",
                caret_line(line, position.column, self.length)
            ));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("{:gutter$}hint: {hint}\n", ""));
        }
        out
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for SqlError {}

fn line_of(text: &str, line: u64) -> Option<&str> {
    let index = usize::try_from(line.checked_sub(1)?).ok()?;
    text.split('\n')
        .nth(index)
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
}

/// Blanks up to `column`, then carets as wide as the `length` characters there.
fn caret_line(line: &str, column: u64, length: u64) -> String {
    let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let length = usize::try_from(length.max(1)).unwrap_or(1);
    let indent: usize = line.chars().take(before).map(width).sum();
    let carets: usize = line.chars().skip(before).take(length).map(width).sum();
    format!("{}{}", " ".repeat(indent), "^".repeat(carets.max(1)))
}

/// Columns a terminal gives to `c`: two for East Asian wide characters and emoji.
fn width(c: char) -> usize {
    let wide = matches!(
        u32::from(c),
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
            | 0xFE30..=0xFE4F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF
            | 0x20000..=0x3FFFD
    );
    if wide { 2 } else { 1 }
}

/// The candidate nearest to `word` by edit distance, letter case aside, if one is near enough.
///
/// Near enough is one edit in three letters, and at least one. Ties go to the first candidate.
///
/// # Examples
/// ```
/// use thalweg_sql::error::nearest;
/// assert_eq!(nearest("ordres", ["orders", "users"]), Some("orders"));
/// assert_eq!(nearest("x", ["orders", "users"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let limit = (word.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.to_lowercase().chars().collect();
        if other.len().abs_diff(word.len()) > limit {
            continue;
        }
        let distance = edit_distance(&word, &other);
        // A one-letter word is one edit from every other: advice would be noise.
        let near = distance <= limit && distance < word.len().max(1);
        if near && best.is_none_or(|(known, _)| distance < known) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut two_back: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut current = Vec::with_capacity(previous.len());
        current.push(i + 1);
        let mut left = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let pair = previous.get(j..j + 2).unwrap_or(&[0, 0]);
            let [diagonal, above] = [pair[0], pair[1]];
            let mut cost = (diagonal + usize::from(x != y))
                .min(above + 1)
                .min(left + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if let Some(&before) = two_back.get(j.wrapping_sub(1))
                && swapped
            {
                cost = cost.min(before + 1);
            }
            current.push(cost);
            left = cost;
        }
        two_back = std::mem::replace(&mut previous, current);
    }
    previous.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_drawn_under_its_token() {
        let error = SqlError::syntax("expected `)`, found `FROM`")
            .at(Position::new(3, 14), 4)
            .with_hint("close the parenthesis");
        assert_eq!(
            error.render(Some("script.sql"), "a\nb\nSELECT a, (b FROM t"),
            "error: script.sql:3:14: expected `)`, found `FROM`\n  3 | SELECT a, (b FROM t\n    \
             |              ^^^^\n    hint: close the parenthesis\n"
        );
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_caret_in_place() {
        let error = SqlError::syntax("no").at(Position::new(1, 6), 1);
        assert_eq!(
            error.render(None, "\t'名' x"),
            "error: 1:6: no\n  1 |  '名' x\n    |       ^\n"
        );
    }

    #[test]
    fn a_place_past_the_text_is_drawn_without_its_line() {
        let error = SqlError::syntax("no").at(Position::new(9, 1), 1);
        assert_eq!(error.render(Some("f"), "x"), "error: f:9:1: no\n");
        assert_eq!(SqlError::syntax("no").render(None, "x"), "error: no\n");
    }

    #[test]
    fn the_nearest_name_is_within_a_third_of_its_letters() {
        assert_eq!(nearest("biddre", ["auction", "bidder"]), Some("bidder"));
        assert_eq!(nearest("BIDDER", ["bidder"]), Some("bidder"));
        assert_eq!(nearest("price", ["auction", "bidder"]), None);
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(nearest("", ["b"]), None);
    }
}
