//! The JSON functions whose arguments carry clauses.
//!
//! They parse to functions of their positional arguments, followed by the written clauses as
//! named arguments:
//!
//! | Clause                                  | Argument                                     |
//! |-----------------------------------------|----------------------------------------------|
//! | `RETURNING type`                        | `returning => CAST(NULL AS type)`            |
//! | `NULL ON EMPTY`, `EMPTY ARRAY ON ERROR` | `on_empty => 'NULL'`, `on_error => 'EMPTY ARRAY'` |
//! | `DEFAULT e ON EMPTY`, `.. ON ERROR`     | `default_on_empty => e`, `default_on_error => e` |
//! | `WITH CONDITIONAL ARRAY WRAPPER`        | `wrapper => 'CONDITIONAL'` (or `'UNCONDITIONAL'`, `'WITHOUT'`) |
//! | `ABSENT ON NULL`                        | `on_null => 'ABSENT'`                        |
//!
//! `JSON_OBJECT` and `JSON_OBJECTAGG` take keys and values in turn.

use sqlparser::ast::{
    CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, Ident, Value,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::data_type::parse_sql_type;
use super::flink::{argument, call};
use super::parse_error::{at_word, eat_word, eat_words, expect_word, expected};

const FUNCTIONS: &[&str] = &[
    "JSON_ARRAY",
    "JSON_ARRAYAGG",
    "JSON_EXISTS",
    "JSON_OBJECT",
    "JSON_OBJECTAGG",
    "JSON_QUERY",
    "JSON_VALUE",
];

type Parsed<T> = Result<T, ParserError>;

/// Whether `upper` is a JSON function parsed here.
pub(super) fn is_function(upper: &str) -> bool {
    FUNCTIONS.contains(&upper)
}

/// Parses the call that begins at the parser's token.
pub(super) fn parse(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LParen)?;
    let mut arguments = Vec::new();
    match name.value.to_ascii_uppercase().as_str() {
        "JSON_ARRAY" | "JSON_ARRAYAGG" => values(parser, &mut arguments)?,
        "JSON_OBJECT" | "JSON_OBJECTAGG" => pairs(parser, &mut arguments)?,
        _ => {
            arguments.push(argument(parser.parse_expr()?));
            parser.expect_token(&Token::Comma)?;
            arguments.push(argument(parser.parse_expr()?));
            while parser.peek_token_ref().token != Token::RParen {
                arguments.push(clause(parser)?);
            }
        }
    }
    parser.expect_token(&Token::RParen)?;
    let mut function = call(name, arguments);
    if eat_word(parser, "FILTER") {
        parser.expect_token(&Token::LParen)?;
        expect_word(parser, "WHERE")?;
        let filter = parser.parse_expr()?;
        parser.expect_token(&Token::RParen)?;
        if let Expr::Function(function) = &mut function {
            function.filter = Some(Box::new(filter));
        }
    }
    Ok(function)
}

fn named(name: &str, value: Expr) -> FunctionArg {
    FunctionArg::Named {
        name: Ident::new(name),
        arg: FunctionArgExpr::Expr(value),
        operator: FunctionArgOperator::RightArrow,
    }
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_string()).with_empty_span())
}

/// `{NULL | ABSENT} ON NULL`, if it stands here.
fn on_null(parser: &mut Parser<'_>) -> Option<FunctionArg> {
    ["NULL", "ABSENT"]
        .into_iter()
        .find(|word| eat_words(parser, &[word, "ON", "NULL"]))
        .map(|word| named("on_null", text(word)))
}

fn values(parser: &mut Parser<'_>, arguments: &mut Vec<FunctionArg>) -> Parsed<()> {
    loop {
        if let Some(clause) = on_null(parser) {
            arguments.push(clause);
            return Ok(());
        }
        if parser.peek_token_ref().token == Token::RParen {
            return Ok(());
        }
        arguments.push(argument(parser.parse_expr()?));
        if let Some(clause) = on_null(parser) {
            arguments.push(clause);
            return Ok(());
        }
        if !parser.consume_token(&Token::Comma) {
            return Ok(());
        }
    }
}

fn pairs(parser: &mut Parser<'_>, arguments: &mut Vec<FunctionArg>) -> Parsed<()> {
    loop {
        if let Some(clause) = on_null(parser) {
            arguments.push(clause);
            return Ok(());
        }
        if parser.peek_token_ref().token == Token::RParen {
            return Ok(());
        }
        let names_column = at_word(parser, 1, "VALUE") || at_word(parser, 1, "KEY");
        if !names_column {
            eat_word(parser, "KEY");
        }
        arguments.push(argument(parser.parse_expr()?));
        if !parser.consume_token(&Token::Colon) {
            expect_word(parser, "VALUE")?;
        }
        arguments.push(argument(parser.parse_expr()?));
        if let Some(clause) = on_null(parser) {
            arguments.push(clause);
            return Ok(());
        }
        if !parser.consume_token(&Token::Comma) {
            return Ok(());
        }
    }
}

fn clause(parser: &mut Parser<'_>) -> Parsed<FunctionArg> {
    if eat_word(parser, "RETURNING") {
        let data_type = parse_sql_type(parser)?;
        let null = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::Value(Value::Null.with_empty_span())),
            data_type: data_type.to_ast(),
            array: false,
            format: None,
        };
        return Ok(named("returning", null));
    }
    if at_word(parser, 0, "WITH") || at_word(parser, 0, "WITHOUT") {
        return wrapper(parser);
    }
    if eat_word(parser, "DEFAULT") {
        let value = parser.parse_expr()?;
        return Ok(named(&format!("default_{}", event(parser)?), value));
    }
    let behaviours = [
        &["NULL"][..],
        &["ERROR"],
        &["TRUE"],
        &["FALSE"],
        &["UNKNOWN"],
        &["EMPTY", "ARRAY"],
        &["EMPTY", "OBJECT"],
    ];
    match behaviours
        .into_iter()
        .find(|words| eat_words(parser, words))
    {
        Some(words) => Ok(named(event(parser)?, text(&words.join(" ")))),
        None => expected(parser, "`)`"),
    }
}

fn event(parser: &mut Parser<'_>) -> Parsed<&'static str> {
    expect_word(parser, "ON")?;
    if eat_word(parser, "EMPTY") {
        return Ok("on_empty");
    }
    expect_word(parser, "ERROR")?;
    Ok("on_error")
}

fn wrapper(parser: &mut Parser<'_>) -> Parsed<FunctionArg> {
    let kind = if eat_word(parser, "WITHOUT") {
        "WITHOUT"
    } else {
        expect_word(parser, "WITH")?;
        if eat_word(parser, "CONDITIONAL") {
            "CONDITIONAL"
        } else {
            eat_word(parser, "UNCONDITIONAL");
            "UNCONDITIONAL"
        }
    };
    eat_word(parser, "ARRAY");
    expect_word(parser, "WRAPPER")?;
    Ok(named("wrapper", text(kind)))
}
