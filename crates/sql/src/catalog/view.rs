//! Views: their text as written, and their query with every table named in full.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, TableFactor,
    VisitMut, VisitorMut,
};

use super::Catalog;
use crate::dialect::{ObjectPath, TABLE_ARGUMENT};
use crate::error::{SqlError, SqlResult};

/// A view.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewDefinition {
    /// The names it gives its columns; empty: those of the query.
    pub columns: Vec<String>,
    /// Its query, tables named in full, so that it means the same in every session.
    pub query: Box<Query>,
    /// Its query as written.
    pub text: String,
    /// Its comment.
    pub comment: Option<String>,
}

/// `query` with every table named in full.
///
/// # Errors
/// `Syntax` for a name of more than three parts.
pub(super) fn expanded(catalog: &Catalog, query: &Query) -> SqlResult<Box<Query>> {
    let mut query = Box::new(query.clone());
    let mut expander = Expander {
        catalog,
        scopes: Vec::new(),
    };
    match query.visit(&mut expander) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Expander<'a> {
    catalog: &'a Catalog,
    /// The names of the common table expressions in sight, by query.
    scopes: Vec<BTreeSet<String>>,
}

impl Expander<'_> {
    fn full(&self, parts: &[Ident]) -> SqlResult<Option<Vec<Ident>>> {
        if let [name] = parts
            && self.scopes.iter().any(|scope| scope.contains(&name.value))
        {
            return Ok(None);
        }
        let span = parts
            .first()
            .map_or(sqlparser::tokenizer::Span::empty(), |part| part.span);
        let full = self.catalog.qualify(&ObjectPath::from(parts.to_vec()))?;
        Ok(Some(
            [full.catalog, full.database, full.object]
                .into_iter()
                .map(|name| Ident::with_quote_and_span('`', span, name))
                .collect(),
        ))
    }

    fn expand_argument(&self, argument: &mut FunctionArg) -> SqlResult<()> {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
            return Ok(());
        };
        let parts = match expr {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            _ => return Ok(()),
        };
        if let Some(full) = self.full(&parts)? {
            *expr = Expr::CompoundIdentifier(full);
        }
        Ok(())
    }
}

impl VisitorMut for Expander<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables);
        self.scopes
            .push(names.map(|cte| cte.alias.name.value.clone()).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<SqlError> {
        if let TableFactor::Table {
            name,
            args: None,
            alias,
            ..
        } = table
        {
            let parts: Vec<Ident> = name
                .0
                .iter()
                .filter_map(|part| part.as_ident().cloned())
                .collect();
            match self.full(&parts) {
                Ok(None) => {}
                Ok(Some(full)) => {
                    // Columns may be qualified with the name as it was written.
                    if let (None, Some(own)) = (&alias, parts.last()) {
                        *alias = Some(sqlparser::ast::TableAlias {
                            explicit: true,
                            name: own.clone(),
                            columns: Vec::new(),
                            at: None,
                        });
                    }
                    *name = ObjectName::from(full);
                }
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        if let Expr::Function(function) = expr
            && function.name.to_string() == TABLE_ARGUMENT
            && let FunctionArguments::List(list) = &mut function.args
            && let Some(table) = list.args.first_mut()
            && let Err(error) = self.expand_argument(table)
        {
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }
}
