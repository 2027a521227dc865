//! One statement from its tokens: dispatch on the first words.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::script::RawStatement;
use super::statement::{
    ClientCommand, ExplainDetail, JobStatement, ObjectKind, Options, Setting, SettingKey, Spanned,
    Statement, Unsupported,
};
use super::{alter, create, create_table, insert, prepass, show};
use crate::error::{SqlError, SqlResult, nearest};

/// The words a statement may begin with, for advice.
const FIRST_WORDS: &[&str] = &[
    "ADD", "ALTER", "ANALYZE", "BEGIN", "CALL", "CLEAR", "COMPILE", "CREATE", "DELETE", "DESC",
    "DESCRIBE", "DROP", "EXECUTE", "EXIT", "EXPLAIN", "HELP", "INSERT", "LOAD", "QUIT", "REMOVE",
    "REPLACE", "RESET", "SELECT", "SET", "SHOW", "SOURCE", "STOP", "TRUNCATE", "UNLOAD", "UPDATE",
    "USE", "VALUES", "WITH",
];

/// First words of statements without an implementation, and the feature they belong to.
///
/// The longest match comes first.
const ABSENT: &[(&[&str], &str)] = &[
    (&["ADD", "JAR"], "user artifacts"),
    (&["REMOVE", "JAR"], "user artifacts"),
    (&["ALTER", "CATALOG"], "changing catalogs"),
    (
        &["ALTER", "TEMPORARY", "SYSTEM", "FUNCTION"],
        "user-defined functions",
    ),
    (
        &["ALTER", "TEMPORARY", "FUNCTION"],
        "user-defined functions",
    ),
    (&["ALTER", "FUNCTION"], "user-defined functions"),
    (&["ALTER", "MODEL"], "models"),
    (&["ALTER", "MATERIALIZED", "TABLE"], "materialized tables"),
    (&["ALTER", "CONNECTION"], "connections"),
    (&["ANALYZE", "TABLE"], "statistics"),
    (&["CALL"], "procedures"),
    (&["COMPILE", "AND", "EXECUTE", "PLAN"], "compiled plans"),
    (&["COMPILE", "PLAN"], "compiled plans"),
    (&["EXECUTE", "PLAN"], "compiled plans"),
    (
        &["CREATE", "OR", "ALTER", "MATERIALIZED", "TABLE"],
        "materialized tables",
    ),
    (&["CREATE", "MATERIALIZED", "TABLE"], "materialized tables"),
    (&["CREATE", "TEMPORARY", "MODEL"], "models"),
    (&["CREATE", "MODEL"], "models"),
    (&["CREATE", "CONNECTION"], "connections"),
    (&["DROP", "MATERIALIZED", "TABLE"], "materialized tables"),
    (&["DROP", "TEMPORARY", "MODEL"], "models"),
    (&["DROP", "MODEL"], "models"),
    (&["DROP", "CONNECTION"], "connections"),
    (&["DESCRIBE", "MODEL"], "models"),
    (&["DESC", "MODEL"], "models"),
    (&["DELETE", "FROM"], "row-level changes"),
    (&["LOAD", "MODULE"], "modules"),
    (&["UNLOAD", "MODULE"], "modules"),
    (&["USE", "MODULES"], "modules"),
    (
        &["SHOW", "CREATE", "OR", "ALTER", "MATERIALIZED", "TABLE"],
        "materialized tables",
    ),
    (
        &["SHOW", "CREATE", "MATERIALIZED", "TABLE"],
        "materialized tables",
    ),
    (&["SHOW", "MATERIALIZED", "TABLES"], "materialized tables"),
    (&["SHOW", "CREATE", "MODEL"], "models"),
    (&["SHOW", "MODELS"], "models"),
    (&["SHOW", "CONNECTIONS"], "connections"),
    (&["TRUNCATE", "TABLE"], "row-level changes"),
    (&["UPDATE"], "row-level changes"),
];

/// Parses the tokens of one statement of the script `text`.
pub(super) fn statement(text: &str, raw: RawStatement) -> SqlResult<Spanned<Statement>> {
    let RawStatement {
        lexemes,
        start,
        end,
        bytes,
    } = raw;
    let own_text = text.get(bytes.clone()).unwrap_or("");
    let node = match client_command(own_text) {
        Some(command) => Statement::Client(command),
        None => {
            let mut cursor = Cursor::new(text, prepass::rewrite(lexemes)?, end);
            let node = dispatch(&mut cursor)?;
            if !matches!(node, Statement::Unsupported(_)) {
                cursor.end()?;
            }
            node
        }
    };
    Ok(Spanned {
        node,
        start,
        end,
        bytes,
    })
}

/// A command of the prompt: its argument need not be SQL.
fn client_command(text: &str) -> Option<ClientCommand> {
    let (word, rest) = match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    };
    match (word.to_ascii_uppercase().as_str(), rest.is_empty()) {
        ("HELP", true) => Some(ClientCommand::Help),
        ("QUIT" | "EXIT", true) => Some(ClientCommand::Quit),
        ("CLEAR", true) => Some(ClientCommand::Clear),
        ("SOURCE", false) => {
            let unquoted = rest
                .strip_prefix('\'')
                .and_then(|rest| rest.strip_suffix('\''));
            Some(ClientCommand::Source(unquoted.unwrap_or(rest).to_string()))
        }
        _ => None,
    }
}

fn dispatch(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    if let Some(absent) = unsupported(cursor) {
        return Ok(absent);
    }
    let Token::Word(word) = &cursor.peek().token else {
        if cursor.peek().token == Token::LParen {
            return Ok(Statement::Query(cursor.query()?.0));
        }
        return Err(cursor.expected("a statement"));
    };
    match word.value.to_ascii_uppercase().as_str() {
        "SELECT" | "WITH" | "VALUES" | "TABLE" => Ok(Statement::Query(cursor.query()?.0)),
        "INSERT" => Ok(Statement::Insert(Box::new(insert::insert(cursor)?))),
        "EXECUTE" => execute(cursor),
        "BEGIN" => insert::statement_set(cursor),
        "CREATE" => create::create(cursor),
        "REPLACE" => create_table::replace(cursor),
        "DROP" => create::drop(cursor),
        "ALTER" => alter::alter(cursor),
        "USE" => use_statement(cursor),
        "SET" => set(cursor),
        "RESET" => reset(cursor),
        "SHOW" => show::show(cursor),
        "DESC" | "DESCRIBE" => show::describe(cursor),
        "EXPLAIN" => explain(cursor),
        "STOP" => stop_job(cursor),
        other => {
            let near = nearest(other, FIRST_WORDS.iter().copied());
            let error = cursor.expected("a statement");
            Err(match near {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            })
        }
    }
}

fn unsupported(cursor: &Cursor<'_>) -> Option<Statement> {
    let (words, feature) = ABSENT.iter().find(|(words, _)| cursor.at_all(words))?;
    // A table may be called `plan` or `model`: only a name or a string continues a statement.
    if words.len() == 1 && matches!(cursor.peek_second().token, Token::EOF) {
        return None;
    }
    Some(Statement::Unsupported(Unsupported {
        what: words.join(" "),
        feature,
    }))
}

/// `EXECUTE STATEMENT SET BEGIN .. END`, or `EXECUTE` before a query or an insert.
fn execute(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("EXECUTE")?;
    if cursor.at("STATEMENT") {
        return insert::statement_set(cursor);
    }
    if cursor.at("INSERT") {
        return Ok(Statement::Insert(Box::new(insert::insert(cursor)?)));
    }
    Ok(Statement::Query(cursor.query()?.0))
}

fn use_statement(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("USE")?;
    let is_catalog = cursor.at("CATALOG") && matches!(cursor.peek_second().token, Token::Word(_));
    if is_catalog {
        cursor.expect("CATALOG")?;
        return Ok(Statement::UseCatalog(cursor.identifier()?));
    }
    Ok(Statement::Use(cursor.path()?))
}

/// A quoted key or value and its place.
fn setting_text(cursor: &mut Cursor<'_>) -> SqlResult<SettingKey> {
    let position = cursor.position();
    let span = cursor.peek().span;
    let key = cursor
        .string()
        .map_err(|error| error.with_hint("write `SET 'key' = 'value'`, both in single quotes"))?;
    let length = if span.start.line == span.end.line {
        span.end.column.saturating_sub(span.start.column)
    } else {
        1
    };
    Ok(SettingKey {
        key,
        position,
        length,
    })
}

fn set(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("SET")?;
    if cursor.at_end() {
        return Ok(Statement::Set(None));
    }
    let key = setting_text(cursor)?;
    cursor.expect_token(&Token::Eq)?;
    let value = setting_text(cursor)?;
    Ok(Statement::Set(Some(Setting {
        key,
        value: value.key,
        value_position: value.position,
        value_length: value.length,
    })))
}

fn reset(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("RESET")?;
    if cursor.at_end() {
        return Ok(Statement::Reset(None));
    }
    Ok(Statement::Reset(Some(setting_text(cursor)?)))
}

fn explain(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect("EXPLAIN")?;
    let mut details = Vec::new();
    if !cursor.eat_all(&["PLAN", "FOR"]) {
        while let Some(detail) = explain_detail(cursor) {
            details.push(detail);
            if !cursor.eat_token(&Token::Comma) {
                break;
            }
        }
    }
    let statement = if cursor.at("INSERT") {
        Statement::Insert(Box::new(insert::insert(cursor)?))
    } else if cursor.at("STATEMENT") {
        insert::statement_set(cursor)?
    } else if cursor.at("EXECUTE") {
        execute(cursor)?
    } else if cursor.at("CREATE") || cursor.at("REPLACE") {
        let span = cursor.peek().span;
        let message = "`EXPLAIN` of a `CREATE` statement is not supported";
        return Err(SqlError::unsupported(message).at_span(span));
    } else {
        Statement::Query(cursor.query()?.0)
    };
    Ok(Statement::Explain {
        details,
        statement: Box::new(statement),
    })
}

fn explain_detail(cursor: &mut Cursor<'_>) -> Option<ExplainDetail> {
    let known = [
        ("ESTIMATED_COST", ExplainDetail::EstimatedCost),
        ("CHANGELOG_MODE", ExplainDetail::ChangelogMode),
        ("JSON_EXECUTION_PLAN", ExplainDetail::JsonExecutionPlan),
        ("PLAN_ADVICE", ExplainDetail::PlanAdvice),
    ];
    known
        .into_iter()
        .find(|(word, _)| cursor.eat(word))
        .map(|(_, detail)| detail)
}

fn stop_job(cursor: &mut Cursor<'_>) -> SqlResult<Statement> {
    cursor.expect_all(&["STOP", "JOB"])?;
    let id = cursor.string()?;
    let with_savepoint = cursor.eat_all(&["WITH", "SAVEPOINT"]);
    let with_drain = cursor.eat_all(&["WITH", "DRAIN"]);
    Ok(Statement::Job(JobStatement::Stop {
        id,
        with_savepoint,
        with_drain,
    }))
}

/// `('key' = 'value', ..)`.
pub(super) fn options(cursor: &mut Cursor<'_>) -> SqlResult<Options> {
    cursor.expect_token(&Token::LParen)?;
    let mut options = Options::new();
    if cursor.eat_token(&Token::RParen) {
        return Ok(options);
    }
    loop {
        let span = cursor.peek().span;
        let key = cursor.string()?;
        if options.iter().any(|(known, _)| *known == key) {
            let message = format!("the option `{key}` is given twice");
            return Err(SqlError::syntax(message).at_span(span));
        }
        cursor.expect_token(&Token::Eq)?;
        options.push((key, cursor.string()?));
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(options)
}

/// `WITH ('key' = 'value', ..)`, if it stands here.
pub(super) fn with_options(cursor: &mut Cursor<'_>) -> SqlResult<Options> {
    match cursor.eat("WITH") {
        true => options(cursor),
        false => Ok(Options::new()),
    }
}

/// `COMMENT '..'`, if it stands here.
pub(super) fn comment(cursor: &mut Cursor<'_>) -> SqlResult<Option<String>> {
    match cursor.eat("COMMENT") {
        true => cursor.string().map(Some),
        false => Ok(None),
    }
}

/// `a` or `a.b.c`.
pub(super) fn dotted(cursor: &mut Cursor<'_>) -> SqlResult<Vec<Ident>> {
    let mut parts = vec![cursor.identifier()?];
    while cursor.eat_token(&Token::Period) {
        parts.push(cursor.identifier()?);
    }
    Ok(parts)
}

/// The kinds of objects `CREATE`, `DROP` and `SHOW CREATE` know, by their words.
pub(super) fn object_kind(cursor: &mut Cursor<'_>) -> SqlResult<ObjectKind> {
    Ok(
        match cursor.one_of(&["TABLE", "VIEW", "DATABASE", "CATALOG", "FUNCTION"])? {
            "TABLE" => ObjectKind::Table,
            "VIEW" => ObjectKind::View,
            "DATABASE" => ObjectKind::Database,
            "CATALOG" => ObjectKind::Catalog,
            _ => ObjectKind::Function,
        },
    )
}
