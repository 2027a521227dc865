//! How DataFusion plans what stands in a `FROM` clause: hints, windows, tables and views.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion_common::{DataFusionError, Result as PlanResult, TableReference, not_impl_err};
use datafusion_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, TableSource};
use sqlparser::ast::{self, TableFactor};

use super::nodes::WindowNode;
use crate::dialect::{TvfInput, WindowKind, WindowTvf, table_options, window_tvf};
use crate::error::SqlError;
use crate::exec::window_spec::WindowSpec;

/// Plans named tables, views and window functions; refuses what would silently be dropped.
#[derive(Debug)]
pub(super) struct FlinkRelations;

impl RelationPlanner for FlinkRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let own = |error: SqlError| DataFusionError::External(Box::new(error));
        if let Some(tvf) = window_tvf(&relation).map_err(own)? {
            return plan_window(tvf, context);
        }
        match &relation {
            TableFactor::Table {
                version: Some(version),
                ..
            } => {
                not_impl_err!("`{version}`: temporal and lookup joins")
            }
            TableFactor::Table {
                name,
                args: None,
                alias,
                ..
            } => {
                let hints = table_options(&relation);
                if hints.is_empty() {
                    return Ok(RelationPlanning::Original(Box::new(relation)));
                }
                // DataFusion would drop the hints, so they travel inside the name.
                let path: Vec<String> = identifiers(name);
                let mut hinted = path.join(PATH_SEPARATOR);
                for (key, value) in hints {
                    hinted.push_str(&format!("{HINT_SEPARATOR}{key}{VALUE_SEPARATOR}{value}"));
                }
                let source = context
                    .context_provider()
                    .get_table_source(TableReference::bare(hinted))?;
                let name = TableReference::bare(path.last().cloned().unwrap_or_default());
                let plan = LogicalPlanBuilder::scan(name, source, None)?.build()?;
                let alias = alias.clone();
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                    plan, alias,
                ))))
            }
            TableFactor::MatchRecognize { .. } => not_impl_err!("MATCH_RECOGNIZE"),
            _ => Ok(RelationPlanning::Original(Box::new(relation))),
        }
    }
}

const PATH_SEPARATOR: &str = "\u{1}";
const HINT_SEPARATOR: &str = "\u{2}";
const VALUE_SEPARATOR: &str = "\u{3}";

pub(super) type PathAndHints = (Vec<String>, Vec<(String, String)>);

pub(super) fn path_and_hints(name: &TableReference) -> PathAndHints {
    let hinted = name.table().contains(HINT_SEPARATOR) || name.table().contains(PATH_SEPARATOR);
    if !hinted {
        let parts = [name.catalog(), name.schema(), Some(name.table())];
        return (
            parts.into_iter().flatten().map(str::to_owned).collect(),
            Vec::new(),
        );
    }
    let mut parts = name.table().split(HINT_SEPARATOR);
    let path = parts
        .next()
        .unwrap_or_default()
        .split(PATH_SEPARATOR)
        .map(str::to_owned)
        .collect();
    let hint = |text: &str| {
        let (key, value) = text.split_once(VALUE_SEPARATOR)?;
        Some((key.to_owned(), value.to_owned()))
    };
    (path, parts.filter_map(hint).collect())
}

fn identifiers(name: &ast::ObjectName) -> Vec<String> {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    parts.map(|ident| ident.value.clone()).collect()
}

/// A planned table or view; DataFusion puts its plan where the name stood.
pub(super) struct Inlined(pub LogicalPlan);

impl TableSource for Inlined {
    fn schema(&self) -> SchemaRef {
        Arc::new(self.0.schema().as_arrow().clone())
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.0))
    }
}

fn plan_window(
    tvf: WindowTvf,
    context: &mut dyn RelationPlannerContext,
) -> PlanResult<RelationPlanning> {
    let relation = match tvf.input {
        TvfInput::Table(path) => TableFactor::Table {
            name: ast::ObjectName::from(path.parts),
            alias: None,
            args: None,
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        },
        TvfInput::Query(subquery) => TableFactor::Derived {
            lateral: false,
            subquery,
            alias: None,
            sample: None,
        },
    };
    let input = context.plan(relation)?;
    let schema = input.schema().clone();
    let time = context.sql_to_expr(ast::Expr::Identifier(tvf.time_column), &schema)?;
    let keys: PlanResult<Vec<Expr>> = tvf
        .partition_keys
        .into_iter()
        .map(|key| context.sql_to_expr(key, &schema))
        .collect();
    let size = tvf.size_ms.unwrap_or_default();
    let step = tvf.slide_ms.unwrap_or(size);
    let offset = tvf.offset_ms;
    let window = match tvf.kind {
        WindowKind::Tumble => WindowSpec::Tumble { size, offset },
        WindowKind::Hop => WindowSpec::Hop {
            slide: step,
            size,
            offset,
        },
        WindowKind::Cumulate => WindowSpec::Cumulate { step, size, offset },
        WindowKind::Session => WindowSpec::Session {
            gap: tvf.gap_ms.unwrap_or_default(),
        },
    };
    let node = WindowNode::try_new(input, time, window, keys?)?;
    let plan = LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    });
    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
        plan, tvf.alias,
    ))))
}
