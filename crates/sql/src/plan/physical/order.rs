//! `ORDER BY`, `LIMIT`, `OFFSET`.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion_common::DFSchema;
use datafusion_expr::{ExprSchemable, FetchType, LogicalPlan, SkipType, SortExpr};
use thalweg_core::config::RuntimeMode;
use thalweg_core::graph::Partitioning;

use super::{Factory, PhysicalPlanner, arrow_schema, nested};
use crate::error::{SqlError, SqlResult};
use crate::exec::limit::Limit;
use crate::exec::sort::Sort;
use crate::exec::top_n::SortKey;
use crate::plan::logical::plan_error;
use crate::plan::stream::Stream;

impl PhysicalPlanner<'_> {
    pub(super) fn sort_keys(
        &self,
        order: &[SortExpr],
        schema: &DFSchema,
    ) -> SqlResult<Vec<SortKey>> {
        order
            .iter()
            .map(|item| {
                Ok(SortKey {
                    expression: self.compile(&item.expr, schema)?,
                    data_type: item.expr.get_type(schema).map_err(plan_error)?,
                    descending: !item.asc,
                    nulls_first: item.nulls_first,
                })
            })
            .collect()
    }

    pub(super) fn plan_sort(
        &mut self,
        input: &LogicalPlan,
        order: &[SortExpr],
        skip: usize,
        fetch: Option<usize>,
    ) -> SqlResult<Stream> {
        let stream = self.plan_rows(input)?;
        let items: Vec<String> = order.iter().map(ToString::to_string).collect();
        let line = format!("Sort[{}{}]", items.join(", "), limit_text(skip, fetch));
        if self.settings.mode == RuntimeMode::Streaming {
            let Some(fetch) = fetch else {
                return Err(SqlError::unsupported(
                    "ORDER BY without LIMIT in streaming mode: rows can only be sorted once all \
                     are there (SET 'execution.runtime-mode' = 'batch')",
                ));
            };
            return self.plan_sorted_limit(stream, order, skip, fetch, line);
        }
        let keys = self.sort_keys(order, &stream.schema)?;
        let schema = arrow_schema(&stream.schema);
        self.add_sort(stream, keys, skip, fetch, schema, line)
    }

    pub(super) fn add_sort(
        &mut self,
        mut stream: Stream,
        keys: Vec<SortKey>,
        skip: usize,
        fetch: Option<usize>,
        schema: SchemaRef,
        line: String,
    ) -> SqlResult<Stream> {
        if stream.updating {
            return Err(SqlError::unsupported(
                "ORDER BY over an updating input in batch mode",
            ));
        }
        let factory: Factory = Arc::new(move |setup| {
            Ok(Box::new(Sort::new(
                keys.clone(),
                skip,
                fetch,
                schema.clone(),
                setup,
            )))
        });
        let edge = [(stream.node, Partitioning::Global)];
        stream.node = self.add_operator("Sort", factory, &edge, Some(1));
        stream.parallelism = Some(1);
        stream.text = nested(line, &[&stream.text]);
        Ok(stream)
    }

    pub(super) fn plan_limit(
        &mut self,
        limit: &datafusion_expr::logical_plan::Limit,
    ) -> SqlResult<Stream> {
        let SkipType::Literal(skip) = limit.get_skip_type().map_err(plan_error)? else {
            return Err(SqlError::unsupported("an OFFSET that is no number"));
        };
        let FetchType::Literal(fetch) = limit.get_fetch_type().map_err(plan_error)? else {
            return Err(SqlError::unsupported("a LIMIT that is no number"));
        };
        if let LogicalPlan::Sort(sort) = limit.input.as_ref() {
            let fetch = fetch.map(|n| sort.fetch.map_or(n, |m| n.min(m.saturating_sub(skip))));
            return self.plan_sort(&sort.input, &sort.expr, skip, fetch);
        }
        let stream = self.plan_rows(&limit.input)?;
        let line = format!(
            "Limit[{}]",
            limit_text(skip, fetch).trim_start_matches(", ")
        );
        if stream.updating {
            let all = fetch.ok_or_else(|| {
                SqlError::unsupported("OFFSET without LIMIT over an updating input")
            })?;
            return self.plan_sorted_limit(stream, &[], skip, all, line);
        }
        let mut stream = stream;
        let factory: Factory = Arc::new(move |setup| {
            Ok(Box::new(Limit::new(
                skip as u64,
                fetch.map(|n| n as u64),
                setup,
            )))
        });
        let edge = [(stream.node, Partitioning::Global)];
        stream.node = self.add_operator("Limit", factory, &edge, Some(1));
        stream.parallelism = Some(1);
        stream.text = nested(line, &[&stream.text]);
        Ok(stream)
    }
}

fn limit_text(skip: usize, fetch: Option<usize>) -> String {
    let mut text = String::new();
    if skip > 0 {
        text.push_str(&format!(", offset={skip}"));
    }
    if let Some(fetch) = fetch {
        text.push_str(&format!(", fetch={fetch}"));
    }
    text
}
