//! The wrapped parser's view of Flink SQL: which clauses exist, and how the expressions parse
//! that exist nowhere else.
//!
//! | Expression                           | Tree                                              |
//! |--------------------------------------|---------------------------------------------------|
//! | `TABLE t [PARTITION BY k] [ORDER BY o]` as an argument | function [`TABLE_ARGUMENT`]     |
//! | `MAP['a', 1]`                        | function `MAP` of the keys and values in turn     |
//! | `CAST(x AS type)`, `TRY_CAST`        | cast; [`SqlType::from_ast`] reads its type        |
//! | `INTERVAL '5' SECOND`                | interval, checked                                 |
//! | `FINAL f(x)`, `RUNNING f(x)`         | function [`FINAL`] or [`RUNNING`] of the call     |
//! | `a BETWEEN SYMMETRIC b AND c`        | `(a BETWEEN b AND c OR a BETWEEN c AND b)`        |
//! | `a IS JSON OBJECT`                   | function [`IS_JSON`] of `a` and `'OBJECT'`        |
//! | `JSON_VALUE(..)` and its relatives   | see [`super::json`]                               |
//!
//! [`SqlType::from_ast`]: crate::types::SqlType::from_ast

use std::any::TypeId;

use sqlparser::ast::{
    BinaryOperator, CastKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName, UnaryOperator, Value,
    ValueWithSpan,
};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::data_type::parse_sql_type;
use super::interval::{interval_to_millis_or_months, not_quoted};
use super::parse_error::{at_word, eat_word, eat_words, encode, expect_word, expected, fail};
use super::prepass::OPTIONS_MARK;
use super::{json, keywords};

/// The function that a `TABLE t` argument parses to: the table's name as an identifier or a
/// sub-query, then [`PARTITION_BY`] and [`ORDER_BY`] of expressions if they are written.
pub const TABLE_ARGUMENT: &str = "$table";
/// The `PARTITION BY` of a [`TABLE_ARGUMENT`].
pub const PARTITION_BY: &str = "$partition_by";
/// The `ORDER BY` of a [`TABLE_ARGUMENT`].
pub const ORDER_BY: &str = "$order_by";
/// `FINAL` before a call in `MEASURES`.
pub const FINAL: &str = "$final";
/// `RUNNING` before a call in `MEASURES`.
pub const RUNNING: &str = "$running";
/// `IS JSON`.
pub const IS_JSON: &str = "$is_json";

type Parsed<T> = Result<T, ParserError>;

/// The dialect of Flink SQL.
#[derive(Debug, Default, Clone, Copy)]
pub struct FlinkDialect;

impl Dialect for FlinkDialect {
    /// The generic dialect's: the parser asks for its type before it accepts many a clause.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_comment_optimizer_hint(&self) -> bool {
        true
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        keywords::is_reserved(keyword)
    }

    /// A colon separates key and value in `JSON_OBJECT`; it is no operator.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Parsed<u8>> {
        match parser.peek_token_ref().token {
            Token::Colon => Some(Ok(self.prec_unknown())),
            _ => None,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Parsed<Expr>> {
        prefix(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<Parsed<Expr>> {
        infix(self, parser, expr)
    }
}

/// A call of `name` with `arguments`.
pub(super) fn call(name: Ident, arguments: Vec<FunctionArg>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// A positional argument.
pub(super) fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// The name of a function at `span`.
pub(super) fn ident(name: &str, span: Span) -> Ident {
    Ident::with_span(span, name)
}

fn prefix(parser: &mut Parser<'_>) -> Option<Parsed<Expr>> {
    let token = parser.peek_token_ref();
    let span = token.span;
    let Token::Word(word) = &token.token else {
        return None;
    };
    if word.quote_style.is_some() {
        return None;
    }
    let followed_by = |wanted: &Token| parser.peek_nth_token_ref(1).token == *wanted;
    let calls = followed_by(&Token::LParen);
    let upper = word.value.to_ascii_uppercase();
    match upper.as_str() {
        "TABLE" => Some(table_argument(parser, span)),
        "INTERVAL" => Some(interval(parser)),
        "CAST" if calls => Some(cast(parser, CastKind::Cast)),
        "TRY_CAST" if calls => Some(cast(parser, CastKind::TryCast)),
        "MAP" if followed_by(&Token::LBracket) => Some(map(parser, span)),
        "FINAL" | "RUNNING" if is_call(parser, 1) => {
            let name = if upper == "FINAL" { FINAL } else { RUNNING };
            parser.advance_token();
            let inner = parser.parse_prefix();
            Some(inner.map(|inner| call(ident(name, span), vec![argument(inner)])))
        }
        _ if calls && json::is_function(&upper) => Some(json::parse(parser)),
        _ if keywords::ends_expression(word) => Some(expected(parser, "an expression")),
        _ => None,
    }
}

fn is_call(parser: &Parser<'_>, ahead: usize) -> bool {
    let is_name = matches!(&parser.peek_nth_token_ref(ahead).token,
        Token::Word(word) if !keywords::ends_expression(word));
    is_name && parser.peek_nth_token_ref(ahead + 1).token == Token::LParen
}

/// `TABLE name [PARTITION BY ..] [ORDER BY ..]` or `TABLE (query) ..`.
fn table_argument(parser: &mut Parser<'_>, span: Span) -> Parsed<Expr> {
    parser.advance_token();
    let table = if parser.consume_token(&Token::LParen) {
        let query = parser.parse_query()?;
        parser.expect_token(&Token::RParen)?;
        Expr::Subquery(query)
    } else {
        if !matches!(parser.peek_token_ref().token, Token::Word(_)) {
            return expected(parser, "a table's name");
        }
        let mut parts = vec![parser.parse_identifier()?];
        while parser.consume_token(&Token::Period) {
            parts.push(parser.parse_identifier()?);
        }
        match <[Ident; 1]>::try_from(parts) {
            Ok([name]) => Expr::Identifier(name),
            Err(parts) => Expr::CompoundIdentifier(parts),
        }
    };
    if at_word(parser, 0, "PARTITION") && at_word(parser, 2, OPTIONS_MARK) {
        let error = crate::error::SqlError::unsupported(
            "a hint on the table of a window function is not supported",
        )
        .with_hint("create a view over the table with the hint");
        return fail(error, parser.peek_token_ref().span);
    }
    let mut arguments = vec![argument(table)];
    if eat_words(parser, &["PARTITION", "BY"]) {
        let keys = expressions(parser)?;
        arguments.push(argument(call(ident(PARTITION_BY, span), keys)));
    }
    if eat_words(parser, &["ORDER", "BY"]) {
        let keys = expressions(parser)?;
        arguments.push(argument(call(ident(ORDER_BY, span), keys)));
    }
    Ok(call(ident(TABLE_ARGUMENT, span), arguments))
}

/// `a` or `(a, b)`: without parentheses a comma separates the function's arguments.
fn expressions(parser: &mut Parser<'_>) -> Parsed<Vec<FunctionArg>> {
    let list = if parser.consume_token(&Token::LParen) {
        let list = parser.parse_comma_separated(Parser::parse_expr)?;
        parser.expect_token(&Token::RParen)?;
        list
    } else {
        vec![parser.parse_expr()?]
    };
    Ok(list.into_iter().map(argument).collect())
}

fn map(parser: &mut Parser<'_>, span: Span) -> Parsed<Expr> {
    parser.advance_token();
    parser.expect_token(&Token::LBracket)?;
    let mut arguments = Vec::new();
    if !parser.consume_token(&Token::RBracket) {
        loop {
            arguments.push(argument(parser.parse_expr()?));
            parser.expect_token(&Token::Comma)?;
            arguments.push(argument(parser.parse_expr()?));
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        parser.expect_token(&Token::RBracket)?;
    }
    Ok(call(ident("MAP", span), arguments))
}

fn cast(parser: &mut Parser<'_>, kind: CastKind) -> Parsed<Expr> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let expr = parser.parse_expr()?;
    expect_word(parser, "AS")?;
    let data_type = parse_sql_type(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Cast {
        kind,
        expr: Box::new(expr),
        data_type: data_type.to_ast(),
        array: false,
        format: None,
    })
}

fn interval(parser: &mut Parser<'_>) -> Parsed<Expr> {
    parser.advance_token();
    let sign = match parser.peek_token_ref().token {
        Token::Minus => Some(UnaryOperator::Minus),
        Token::Plus => Some(UnaryOperator::Plus),
        _ => None,
    };
    if sign.is_some() {
        parser.advance_token();
    }
    let token = parser.next_token();
    let Token::SingleQuotedString(text) = token.token else {
        return fail(not_quoted(), token.span);
    };
    let literal = Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text),
        span: token.span,
    });
    let value = match sign {
        Some(op) => Expr::UnaryOp {
            op,
            expr: Box::new(literal),
        },
        None => literal,
    };
    if !parser.next_token_is_temporal_unit() {
        return expected(parser, "an interval's unit");
    }
    let leading_field = parser.parse_date_time_field()?;
    let seconds = matches!(
        leading_field,
        DateTimeField::Second | DateTimeField::Seconds
    );
    let (leading_precision, mut fraction) = if seconds {
        parser.parse_optional_precision_scale()?
    } else {
        (parser.parse_optional_precision()?, None)
    };
    let mut last_field = None;
    if !seconds && eat_word(parser, "TO") {
        last_field = Some(parser.parse_date_time_field()?);
        fraction = parser.parse_optional_precision()?;
    }
    let interval = Interval {
        value: Box::new(value),
        leading_field: Some(leading_field),
        leading_precision,
        last_field,
        fractional_seconds_precision: fraction,
    };
    interval_to_millis_or_months(&interval).map_err(encode)?;
    Ok(Expr::Interval(interval))
}

fn infix(dialect: &FlinkDialect, parser: &mut Parser<'_>, expr: &Expr) -> Option<Parsed<Expr>> {
    let not = usize::from(at_word(parser, 0, "NOT"));
    let symmetric = at_word(parser, not + 1, "SYMMETRIC");
    if at_word(parser, not, "BETWEEN") && (symmetric || at_word(parser, not + 1, "ASYMMETRIC")) {
        for _ in 0..not + 2 {
            parser.advance_token();
        }
        return Some(between(dialect, parser, expr, not == 1, symmetric));
    }
    if at_word(parser, 0, "IS") {
        let not = usize::from(at_word(parser, 1, "NOT"));
        if at_word(parser, 1 + not, "JSON") {
            let span = parser.peek_token_ref().span;
            for _ in 0..not + 2 {
                parser.advance_token();
            }
            return Some(Ok(is_json(parser, expr, not == 1, span)));
        }
    }
    None
}

fn between(
    dialect: &FlinkDialect,
    parser: &mut Parser<'_>,
    expr: &Expr,
    negated: bool,
    symmetric: bool,
) -> Parsed<Expr> {
    let precedence = dialect.prec_value(Precedence::Between);
    let low = parser.parse_subexpr(precedence)?;
    expect_word(parser, "AND")?;
    let high = parser.parse_subexpr(precedence)?;
    let within = |low: &Expr, high: &Expr, negated| Expr::Between {
        expr: Box::new(expr.clone()),
        negated,
        low: Box::new(low.clone()),
        high: Box::new(high.clone()),
    };
    if !symmetric {
        return Ok(within(&low, &high, negated));
    }
    let either = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(within(&low, &high, false)),
        op: BinaryOperator::Or,
        right: Box::new(within(&high, &low, false)),
    }));
    Ok(negate(either, negated))
}

fn is_json(parser: &mut Parser<'_>, expr: &Expr, negated: bool, span: Span) -> Expr {
    let kind = ["VALUE", "OBJECT", "ARRAY", "SCALAR"]
        .into_iter()
        .find(|kind| eat_word(parser, kind))
        .unwrap_or("VALUE");
    let kind = Expr::Value(Value::SingleQuotedString(kind.to_string()).with_empty_span());
    let test = call(
        ident(IS_JSON, span),
        vec![argument(expr.clone()), argument(kind)],
    );
    negate(test, negated)
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if !negated {
        return expr;
    }
    Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(expr),
    }
}
