//! The words that mean something to the grammar.
//!
//! The wrapped parser knows a thousand keywords of a dozen dialects and gives many of them a
//! meaning wherever they stand (`FORMAT`, `SAMPLE`, `TOP`, `PIVOT`). A word that is not listed
//! here reaches it as a plain identifier, so Flink's non-reserved words stay usable as names and
//! no clause of another dialect is ever understood.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

/// Words with a meaning in queries and expressions, sorted.
const GRAMMAR: &[&str] = &[
    "ABSENT",
    "AFTER",
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "BETWEEN",
    "BOTH",
    "BY",
    "CASE",
    "CAST",
    "CEIL",
    "CENTURY",
    "CROSS",
    "CUBE",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "DATE",
    "DAY",
    "DAYS",
    "DECADE",
    "DEFINE",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DOW",
    "DOY",
    "ELSE",
    "EMPTY",
    "END",
    "EPOCH",
    "ERROR",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "EXTRACT",
    "FALSE",
    "FETCH",
    "FILTER",
    "FIRST",
    "FLOOR",
    "FOLLOWING",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "GROUPING",
    "GROUPS",
    "HAVING",
    "HOUR",
    "HOURS",
    "IGNORE",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "ISODOW",
    "ISOYEAR",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEADING",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MATCH",
    "MATCHES",
    "MATCH_RECOGNIZE",
    "MEASURES",
    "MICROSECOND",
    "MILLENNIUM",
    "MILLISECOND",
    "MINUTE",
    "MINUTES",
    "MONTH",
    "MONTHS",
    "NANOSECOND",
    "NATURAL",
    "NEXT",
    "NOT",
    "NULL",
    "NULLS",
    "OF",
    "OFFSET",
    "OMIT",
    "ON",
    "ONE",
    "ONLY",
    "OR",
    "ORDER",
    "ORDINALITY",
    "OUTER",
    "OVER",
    "OVERLAPS",
    "OVERLAY",
    "PARTITION",
    "PAST",
    "PATTERN",
    "PER",
    "PLACING",
    "POSITION",
    "PRECEDING",
    "QUALIFY",
    "QUARTER",
    "RANGE",
    "RECURSIVE",
    "RESPECT",
    "RIGHT",
    "ROLLUP",
    "ROW",
    "ROWS",
    "SECOND",
    "SECONDS",
    "SELECT",
    "SET",
    "SETS",
    "SHOW",
    "SIMILAR",
    "SKIP",
    "SOME",
    "SUBSTRING",
    "SYSTEM_TIME",
    "TABLE",
    "TABLESAMPLE",
    "THEN",
    "TIES",
    "TIME",
    "TIMESTAMP",
    "TO",
    "TRAILING",
    "TRIM",
    "TRUE",
    "TRY_CAST",
    "UNBOUNDED",
    "UNION",
    "UNKNOWN",
    "UNMATCHED",
    "UNNEST",
    "UPDATE",
    "USING",
    "VALUES",
    "WEEK",
    "WEEKS",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
    "WITHOUT",
    "YEAR",
    "YEARS",
    "ZONE",
];

/// Words that begin an expression of their own: never a column's name without back-ticks.
const RESERVED: &[Keyword] = &[
    Keyword::ARRAY,
    Keyword::CASE,
    Keyword::CAST,
    Keyword::EXISTS,
    Keyword::EXTRACT,
    Keyword::INTERVAL,
    Keyword::NOT,
    Keyword::OVERLAY,
    Keyword::SUBSTRING,
    Keyword::TRIM,
    Keyword::TRY_CAST,
];

/// Words that can never begin an expression: a clause is missing before them.
const CLAUSES: &[&str] = &[
    "AND",
    "AS",
    "BY",
    "ELSE",
    "END",
    "EXCEPT",
    "FETCH",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INTERSECT",
    "IS",
    "JOIN",
    "LIKE",
    "LIMIT",
    "ON",
    "OR",
    "ORDER",
    "QUALIFY",
    "SELECT",
    "THEN",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
];

/// The token of an unquoted word.
pub(super) fn word(text: &str) -> Token {
    let upper = text.to_ascii_uppercase();
    match GRAMMAR.binary_search(&upper.as_str()) {
        Ok(_) => Token::make_word(text, None),
        Err(_) => Token::Word(plain(text, None)),
    }
}

/// The token of a word that is a name whatever it spells.
pub(super) fn name(text: &str, quote_style: Option<char>) -> Token {
    Token::Word(plain(text, quote_style))
}

fn plain(text: &str, quote_style: Option<char>) -> Word {
    Word {
        value: text.to_string(),
        quote_style,
        keyword: Keyword::NoKeyword,
    }
}

/// Whether `keyword` begins an expression of its own.
pub(super) fn is_reserved(keyword: Keyword) -> bool {
    RESERVED.contains(&keyword)
}

/// Whether an expression cannot begin with `word`.
pub(super) fn ends_expression(word: &Word) -> bool {
    word.quote_style.is_none()
        && CLAUSES
            .binary_search(&word.value.to_ascii_uppercase().as_str())
            .is_ok()
}

/// Whether `token` is the unquoted word `expected`, letter case aside.
pub(super) fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(GRAMMAR.is_sorted());
        assert!(CLAUSES.is_sorted());
    }

    #[test]
    fn a_word_of_another_dialect_is_a_name() {
        let Token::Word(word) = word("Format") else {
            panic!("not a word");
        };
        assert_eq!(
            (word.keyword, word.value.as_str()),
            (Keyword::NoKeyword, "Format")
        );
    }
}
