//! Window table functions in a parsed query.
//!
//! ```text
//! TABLE(TUMBLE  (TABLE t, DESCRIPTOR(ts), size [, offset]))
//! TABLE(HOP     (TABLE t, DESCRIPTOR(ts), slide, size [, offset]))
//! TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), step, max_size [, offset]))
//! TABLE(SESSION (TABLE t [PARTITION BY k], DESCRIPTOR(ts), gap))
//! ```
//!
//! The arguments may be named: `DATA`, `TIMECOL`, `SIZE`, `SLIDE`, `STEP`, `GAP` and
//! `` `OFFSET` ``, `DATA` first. The surrounding `TABLE( )` may be left out.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    Spanned, SymbolDefinition, TableAlias, TableFactor,
};
use sqlparser::tokenizer::Span;

use super::flink::{PARTITION_BY, TABLE_ARGUMENT};
use super::interval::{IntervalValue, interval_to_millis_or_months};
use super::prepass::WITHIN_MARK;
use super::statement::ObjectPath;
use crate::error::{SqlError, SqlResult};

/// A kind of window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// Windows of one size, end to end.
    Tumble,
    /// Windows of one size that begin a slide apart.
    Hop,
    /// Windows of one start that grow by a step.
    Cumulate,
    /// Windows that end after a gap without rows.
    Session,
}

impl WindowKind {
    fn of(name: &ObjectName) -> Option<Self> {
        let [part] = name.0.as_slice() else {
            return None;
        };
        let name = part.as_ident()?;
        if name.quote_style.is_some() {
            return None;
        }
        Some(match name.value.to_ascii_uppercase().as_str() {
            "TUMBLE" => Self::Tumble,
            "HOP" => Self::Hop,
            "CUMULATE" => Self::Cumulate,
            "SESSION" => Self::Session,
            _ => return None,
        })
    }

    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tumble => "TUMBLE",
            Self::Hop => "HOP",
            Self::Cumulate => "CUMULATE",
            Self::Session => "SESSION",
        }
    }

    /// Its arguments in order; the last is optional, except of a session.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Tumble => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
            Self::Hop => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
            Self::Cumulate => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
            Self::Session => &["DATA", "TIMECOL", "GAP"],
        }
    }
}

/// A window table function over a table.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowTvf {
    /// The kind of window.
    pub kind: WindowKind,
    /// The rows it assigns to windows.
    pub input: TvfInput,
    /// The time attribute.
    pub time_column: Ident,
    /// Length of a window in ms, the greatest of `CUMULATE`; none for `SESSION`.
    pub size_ms: Option<i64>,
    /// `HOP`'s slide or `CUMULATE`'s step in ms.
    pub slide_ms: Option<i64>,
    /// `SESSION`'s gap in ms.
    pub gap_ms: Option<i64>,
    /// Shift of all windows in ms, possibly negative.
    pub offset_ms: i64,
    /// `SESSION`'s `PARTITION BY`.
    pub partition_keys: Vec<Expr>,
    /// The alias of the result.
    pub alias: Option<TableAlias>,
    /// The place of the function.
    pub span: Span,
}

/// The input of a window table function.
#[derive(Debug, Clone, PartialEq)]
pub enum TvfInput {
    /// `TABLE name`.
    Table(ObjectPath),
    /// `(query)` or `TABLE (query)`.
    Query(Box<Query>),
}

/// A table function in `FROM` that is no window function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableFunctionCall<'a> {
    /// `LATERAL`: its arguments see the tables before it.
    pub lateral: bool,
    /// The call.
    pub function: &'a Function,
    /// The alias of the result.
    pub alias: Option<&'a TableAlias>,
}

/// The window function that `table` is, or nothing if it is something else.
///
/// # Errors
/// `Syntax` or `Unsupported` when it is a window function with wrong arguments.
pub fn window_tvf(table: &TableFactor) -> SqlResult<Option<WindowTvf>> {
    let (name, arguments, alias) = match table {
        TableFactor::TableFunction {
            expr: Expr::Function(function),
            alias,
        } => match &function.args {
            FunctionArguments::List(list) => (&function.name, &list.args, alias),
            _ => return Ok(None),
        },
        TableFactor::Table {
            name,
            args: Some(args),
            alias,
            ..
        } => (name, &args.args, alias),
        _ => return Ok(None),
    };
    let Some(kind) = WindowKind::of(name) else {
        return Ok(None);
    };
    let arguments = Arguments::assign(kind, arguments, name.span())?;
    let (input, partition_keys) = arguments.input()?;
    let tvf = WindowTvf {
        kind,
        input,
        partition_keys,
        time_column: arguments.time_column()?,
        size_ms: arguments.length("SIZE")?,
        slide_ms: match kind {
            WindowKind::Hop => arguments.length("SLIDE")?,
            _ => arguments.length("STEP")?,
        },
        gap_ms: arguments.length("GAP")?,
        offset_ms: arguments.millis("OFFSET")?.unwrap_or(0),
        alias: alias.clone(),
        span: arguments.span,
    };
    check(&tvf)?;
    Ok(Some(tvf))
}

fn check(tvf: &WindowTvf) -> SqlResult<()> {
    let name = tvf.kind.name();
    if !tvf.partition_keys.is_empty() && tvf.kind != WindowKind::Session {
        let message = format!("`PARTITION BY` belongs to `SESSION`, not to `{name}`");
        return Err(SqlError::syntax(message).at_span(tvf.span));
    }
    if let (Some(size), Some(slide)) = (tvf.size_ms, tvf.slide_ms)
        && size % slide != 0
    {
        let message = format!(
            "the size of `{name}` ({size} ms) must be a multiple of its {} ({slide} ms)",
            if tvf.kind == WindowKind::Hop {
                "slide"
            } else {
                "step"
            }
        );
        return Err(SqlError::syntax(message).at_span(tvf.span));
    }
    Ok(())
}

/// The table function that `table` is, other than a window function.
pub fn table_function(table: &TableFactor) -> Option<TableFunctionCall<'_>> {
    match table {
        TableFactor::TableFunction {
            expr: Expr::Function(function),
            alias,
        } => Some(TableFunctionCall {
            lateral: false,
            function,
            alias: alias.as_ref(),
        }),
        TableFactor::Function {
            lateral,
            name,
            args,
            alias,
            ..
        } if name.to_string().eq_ignore_ascii_case("TABLE") => match args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function)))] => {
                Some(TableFunctionCall {
                    lateral: *lateral,
                    function,
                    alias: alias.as_ref(),
                })
            }
            _ => None,
        },
        _ => None,
    }
}

/// The interval of a pattern's `WITHIN` clause, and the definitions without it.
pub fn match_within(symbols: &[SymbolDefinition]) -> (Option<&Expr>, &[SymbolDefinition]) {
    match symbols {
        [first, rest @ ..]
            if first.symbol.value == WITHIN_MARK && first.symbol.quote_style.is_none() =>
        {
            (Some(&first.definition), rest)
        }
        _ => (None, symbols),
    }
}

/// The arguments of a window function by their names.
struct Arguments<'a> {
    kind: WindowKind,
    span: Span,
    values: Vec<Option<&'a Expr>>,
}

impl<'a> Arguments<'a> {
    fn assign(kind: WindowKind, given: &'a [FunctionArg], span: Span) -> SqlResult<Self> {
        let parameters = kind.parameters();
        let mut values: Vec<Option<&Expr>> = vec![None; parameters.len()];
        let mut by_name = false;
        for (index, argument) in given.iter().enumerate() {
            let (slot, value) = match argument {
                FunctionArg::Unnamed(value) if !by_name => (Some(index), value),
                FunctionArg::Unnamed(_) => {
                    let message = "a named argument cannot be followed by an unnamed one";
                    return Err(SqlError::syntax(message).at_span(span));
                }
                FunctionArg::Named { name, arg, .. } => {
                    by_name = true;
                    let slot = parameters
                        .iter()
                        .position(|p| name.value.eq_ignore_ascii_case(p));
                    if slot.is_none() {
                        let message = format!("`{}` has no argument `{}`", kind.name(), name.value);
                        return Err(SqlError::unknown(message)
                            .with_nearest(&name.value, parameters.iter().copied())
                            .at_span(name.span));
                    }
                    if index == 0 && slot != Some(0) {
                        let message = "`DATA` must be the first argument";
                        return Err(SqlError::syntax(message).at_span(name.span));
                    }
                    (slot, arg)
                }
                FunctionArg::ExprNamed { .. } => (None, &FunctionArgExpr::Wildcard),
            };
            let place = slot.and_then(|slot| values.get_mut(slot));
            match (place, value) {
                (Some(place @ None), FunctionArgExpr::Expr(value)) => *place = Some(value),
                (Some(Some(_)), _) => {
                    let message = format!("an argument of `{}` is given twice", kind.name());
                    return Err(SqlError::syntax(message).at_span(span));
                }
                _ => {
                    return Err(Self::wrong_count(kind, given.len()).at_span(span));
                }
            }
        }
        let optional = usize::from(kind != WindowKind::Session);
        let required = parameters.len() - optional;
        if values.iter().take(required).any(Option::is_none) {
            return Err(Self::wrong_count(kind, given.len()).at_span(span));
        }
        Ok(Self { kind, span, values })
    }

    fn wrong_count(kind: WindowKind, given: usize) -> SqlError {
        let form = match kind {
            WindowKind::Tumble => "TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset])",
            WindowKind::Hop => "HOP(TABLE t, DESCRIPTOR(time), slide, size [, offset])",
            WindowKind::Cumulate => "CUMULATE(TABLE t, DESCRIPTOR(time), step, size [, offset])",
            WindowKind::Session => "SESSION(TABLE t [PARTITION BY key], DESCRIPTOR(time), gap)",
        };
        let plural = if given == 1 { "" } else { "s" };
        SqlError::syntax(format!(
            "`{}` does not take {given} argument{plural}",
            kind.name()
        ))
        .with_hint(format!("write `{form}`"))
    }

    fn get(&self, name: &str) -> Option<&'a Expr> {
        let index = self.kind.parameters().iter().position(|p| *p == name)?;
        self.values.get(index).copied().flatten()
    }

    fn error_at(&self, expr: &Expr, error: SqlError) -> SqlError {
        error.at_span(expr.span()).at_span(self.span)
    }

    fn input(&self) -> SqlResult<(TvfInput, Vec<Expr>)> {
        let Some(data) = self.get("DATA") else {
            return Err(Self::wrong_count(self.kind, 0).at_span(self.span));
        };
        let wrong = || {
            let message = format!(
                "the first argument of `{}` must be a table",
                self.kind.name()
            );
            self.error_at(
                data,
                SqlError::syntax(message).with_hint("write `TABLE name`"),
            )
        };
        let Expr::Function(function) = data else {
            return match data {
                Expr::Subquery(query) => Ok((TvfInput::Query(query.clone()), Vec::new())),
                _ => Err(wrong()),
            };
        };
        if function.name.to_string() != TABLE_ARGUMENT {
            return Err(wrong());
        }
        let mut parts = positional(function);
        let input = match parts.next() {
            Some(Expr::Identifier(name)) => TvfInput::Table(ObjectPath::from(vec![name.clone()])),
            Some(Expr::CompoundIdentifier(names)) => {
                TvfInput::Table(ObjectPath::from(names.clone()))
            }
            Some(Expr::Subquery(query)) => TvfInput::Query(query.clone()),
            _ => return Err(wrong()),
        };
        let mut keys = Vec::new();
        for part in parts {
            match part {
                Expr::Function(part) if part.name.to_string() == PARTITION_BY => {
                    keys.extend(positional(part).cloned());
                }
                _ => {
                    let message = format!("`{}` takes no `ORDER BY`", self.kind.name());
                    return Err(self.error_at(data, SqlError::syntax(message)));
                }
            }
        }
        Ok((input, keys))
    }

    fn time_column(&self) -> SqlResult<Ident> {
        let column = self.get("TIMECOL").and_then(|descriptor| match descriptor {
            Expr::Function(function)
                if function.name.to_string().eq_ignore_ascii_case("DESCRIPTOR") =>
            {
                let mut columns = positional(function);
                match (columns.next(), columns.next()) {
                    (Some(Expr::Identifier(column)), None) => Some(column.clone()),
                    _ => None,
                }
            }
            _ => None,
        });
        column.ok_or_else(|| {
            let message = format!(
                "the time column of `{}` must be given as `DESCRIPTOR(column)`",
                self.kind.name()
            );
            SqlError::syntax(message).at_span(self.span)
        })
    }

    /// A signed length in ms.
    fn millis(&self, name: &str) -> SqlResult<Option<i64>> {
        let Some(expr) = self.get(name) else {
            return Ok(None);
        };
        let Expr::Interval(interval) = expr else {
            let message = format!(
                "{} of `{}` must be an interval literal, not `{expr}`",
                name.to_ascii_lowercase(),
                self.kind.name()
            );
            return Err(self.error_at(expr, SqlError::syntax(message)));
        };
        match interval_to_millis_or_months(interval)? {
            IntervalValue::Millis(millis) => Ok(Some(millis)),
            IntervalValue::Months(_) => {
                let message = format!("a window of `{}` cannot last months", self.kind.name());
                Err(self.error_at(expr, SqlError::unsupported(message)))
            }
        }
    }

    /// A positive length in ms.
    fn length(&self, name: &str) -> SqlResult<Option<i64>> {
        match (self.millis(name)?, self.get(name)) {
            (Some(millis), Some(expr)) if millis <= 0 => {
                let message = format!(
                    "{} of `{}` must be positive, not {millis} ms",
                    name.to_ascii_lowercase(),
                    self.kind.name()
                );
                Err(self.error_at(expr, SqlError::syntax(message)))
            }
            (millis, _) => Ok(millis),
        }
    }
}

/// The positional arguments of a call.
fn positional(function: &Function) -> impl Iterator<Item = &Expr> {
    let arguments = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    arguments.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}
