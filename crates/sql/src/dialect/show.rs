//! `SHOW` and `DESCRIBE`.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::parse::object_kind;
use super::statement::{JobStatement, ObjectKind, Show, ShowFilter, ShowKind, Statement};
use crate::error::SqlResult;

/// `SHOW ..`.
pub(super) fn show(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("SHOW")?;
    if cursor.eat("CREATE") {
        let kind = object_kind(cursor)?;
        let name = cursor.path()?;
        return Ok(Statement::ShowCreate { kind, name });
    }
    if cursor.eat("JOBS") {
        return Ok(Statement::Job(JobStatement::Show));
    }
    let kind = show_kind(cursor)?;
    let mut from = None;
    if kind == ShowKind::Partitions || cursor.eat("FROM") || cursor.eat("IN") {
        from = Some(cursor.path()?);
    } else if kind == ShowKind::Columns {
        return Err(cursor.expected("`FROM` and a table"));
    }
    let filter = filter(cursor)?;
    Ok(Statement::Show(Show { kind, from, filter }))
}

fn show_kind(cursor: &mut Cursor<'_>) -> SqlResult<ShowKind> {
    let compound = [
        (&["CURRENT", "CATALOG"][..], ShowKind::CurrentCatalog),
        (&["CURRENT", "DATABASE"], ShowKind::CurrentDatabase),
        (&["USER", "FUNCTIONS"], ShowKind::Functions { user: true }),
        (&["FULL", "MODULES"], ShowKind::Modules { full: true }),
        (&["CATALOGS"], ShowKind::Catalogs),
        (&["DATABASES"], ShowKind::Databases),
        (&["TABLES"], ShowKind::Tables),
        (&["VIEWS"], ShowKind::Views),
        (&["COLUMNS"], ShowKind::Columns),
        (&["PARTITIONS"], ShowKind::Partitions),
        (&["FUNCTIONS"], ShowKind::Functions { user: false }),
        (&["PROCEDURES"], ShowKind::Procedures),
        (&["MODULES"], ShowKind::Modules { full: false }),
        (&["JARS"], ShowKind::Jars),
    ];
    let found = compound
        .into_iter()
        .find(|(words, _)| cursor.eat_all(words));
    match found {
        Some((_, kind)) => Ok(kind),
        None => Err(cursor
            .expected("what to show, for instance `TABLES`")
            .with_nearest(
                &cursor.peek().token.to_string(),
                [
                    "CATALOGS",
                    "COLUMNS",
                    "CREATE",
                    "DATABASES",
                    "FUNCTIONS",
                    "JOBS",
                    "MODULES",
                    "PARTITIONS",
                    "TABLES",
                    "VIEWS",
                ],
            )),
    }
}

fn filter(cursor: &mut Cursor<'_>) -> SqlResult<Option<ShowFilter>> {
    let negated = cursor.eat("NOT");
    if !negated && !cursor.at("LIKE") && !cursor.at("ILIKE") {
        return Ok(None);
    }
    let ignore_case = cursor.one_of(&["LIKE", "ILIKE"])? == "ILIKE";
    Ok(Some(ShowFilter {
        negated,
        ignore_case,
        pattern: cursor.string()?,
    }))
}

impl ShowFilter {
    /// Whether `name` passes.
    pub fn accepts(&self, name: &str) -> bool {
        let (pattern, name) = match self.ignore_case {
            true => (self.pattern.to_lowercase(), name.to_lowercase()),
            false => (self.pattern.clone(), name.to_string()),
        };
        let pattern: Vec<char> = pattern.chars().collect();
        let name: Vec<char> = name.chars().collect();
        like(&pattern, &name) != self.negated
    }
}

/// `%` any text, `_` any character, `\` the next character itself.
fn like(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['%', rest @ ..] => {
            (0..=name.len()).any(|skip| like(rest, name.get(skip..).unwrap_or(&[])))
        }
        ['\\', escaped, rest @ ..] => {
            name.first() == Some(escaped) && like(rest, name.get(1..).unwrap_or(&[]))
        }
        [one, rest @ ..] => {
            name.first().is_some_and(|c| *one == '_' || c == one)
                && like(rest, name.get(1..).unwrap_or(&[]))
        }
    }
}

/// `DESC[RIBE] ..`.
pub(super) fn describe(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    if !cursor.eat("DESC") {
        cursor.expect("DESCRIBE")?;
    }
    if cursor.at("JOB") && matches!(cursor.peek_second().token, Token::SingleQuotedString(_)) {
        cursor.expect("JOB")?;
        return Ok(Statement::Job(JobStatement::Describe(cursor.string()?)));
    }
    let kinds = [
        ("CATALOG", ObjectKind::Catalog),
        ("DATABASE", ObjectKind::Database),
        ("FUNCTION", ObjectKind::Function),
    ];
    let is_kind = matches!(cursor.peek_second().token, Token::Word(_));
    let mut kind = ObjectKind::Table;
    if is_kind && let Some((_, found)) = kinds.into_iter().find(|(word, _)| cursor.eat(word)) {
        kind = found;
    }
    let extended = cursor.at("EXTENDED") && matches!(cursor.peek_second().token, Token::Word(_));
    if extended {
        cursor.expect("EXTENDED")?;
    }
    let name = cursor.path()?;
    Ok(Statement::Describe {
        kind,
        name,
        extended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_follows_like() {
        let filter = |pattern: &str, ignore_case, negated| ShowFilter {
            negated,
            ignore_case,
            pattern: pattern.to_string(),
        };
        assert!(filter("%d_r%", false, false).accepts("bidder"));
        assert!(!filter("%D_R%", false, false).accepts("bidder"));
        assert!(filter("%D_R%", true, false).accepts("bidder"));
        assert!(filter("a\\_b", false, false).accepts("a_b"));
        assert!(!filter("a\\_b", false, false).accepts("acb"));
        assert!(filter("a%", false, true).accepts("b"));
    }
}
