//! A query's tree to an optimized logical plan, by DataFusion with Flink's rules.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{
    Column, DataFusionError, Result as PlanResult, TableReference, not_impl_err, plan_err,
};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{
    AggregateUDF, Expr, Extension, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF,
    TableSource, WindowUDF,
};
use datafusion_optimizer::analyzer::Analyzer;
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::{Optimizer, OptimizerContext, OptimizerRule};
use datafusion_sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use sqlparser::ast::{self};

use super::from_clause::{FlinkRelations, Inlined, path_and_hints};
use super::nodes::WatermarkNode;
use super::relation::{ColumnSource, Relation, Relations, Table};
use super::rewrite::rewrite_query;
use crate::error::{ErrorKind, SqlError, SqlResult};
use crate::functions::Functions;
use crate::types::SqlType;

/// A declared table as DataFusion sees it: physical columns, then metadata columns.
pub struct ScanSource {
    /// The declaration.
    pub table: Arc<Table>,
    schema: SchemaRef,
}

impl ScanSource {
    /// The source of a declared table.
    pub fn new(table: Arc<Table>) -> Self {
        let mut fields: Vec<FieldRef> = table.spec.schema.fields().iter().cloned().collect();
        fields.extend(table.spec.metadata.iter().map(|(_, field)| field.clone()));
        let schema = Arc::new(Schema::new(fields));
        ScanSource { table, schema }
    }

    /// How many columns it has, metadata included.
    pub fn columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        let fields = self.schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }
}

impl TableSource for ScanSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// Plans queries against a catalog and a set of functions.
pub struct LogicalPlanner<'a> {
    relations: &'a dyn Relations,
    functions: &'a Functions,
}

impl<'a> LogicalPlanner<'a> {
    /// A planner.
    pub fn new(relations: &'a dyn Relations, functions: &'a Functions) -> Self {
        LogicalPlanner {
            relations,
            functions,
        }
    }

    /// The optimized plan of a query.
    ///
    /// # Errors
    /// What is wrong with the query, where that is known with its place.
    pub fn plan(&self, query: &ast::Query) -> SqlResult<LogicalPlan> {
        let plan = self.plan_unoptimized(query)?;
        optimize(plan).map_err(plan_error)
    }

    /// The plan of a query before optimization.
    ///
    /// # Errors
    /// As [`LogicalPlanner::plan`].
    pub fn plan_unoptimized(&self, query: &ast::Query) -> SqlResult<LogicalPlan> {
        let query = rewrite_query(query.clone())?;
        let provider = Provider::new(self);
        let planner = SqlToRel::new_with_options(&provider, parser_options());
        let statement = ast::Statement::Query(Box::new(query));
        planner.sql_statement_to_plan(statement).map_err(|error| {
            let first = provider
                .error
                .lock()
                .ok()
                .and_then(|mut error| error.take());
            first.unwrap_or_else(|| plan_error(error))
        })
    }
}

fn parser_options() -> ParserOptions {
    ParserOptions {
        parse_float_as_decimal: true,
        enable_ident_normalization: false,
        support_varchar_with_length: true,
        map_string_types_to_utf8view: true,
        enable_options_value_normalization: false,
        collect_spans: true,
        // Flink: ascending order puts NULLs first, descending last.
        default_null_ordering: NullOrdering::NullsMin,
    }
}

/// Turns a planning error into one with a place where DataFusion knew it.
pub fn plan_error(error: DataFusionError) -> SqlError {
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(own) = inner.downcast_ref::<SqlError>()
    {
        return own.clone();
    }
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let text = error.strip_backtrace();
    let text = text
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("Schema error: ")
        .trim_start_matches("This feature is not implemented: ")
        .to_owned();
    let kind = match error.find_root() {
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::SchemaError(_, _) => ErrorKind::Unknown,
        _ => ErrorKind::Type,
    };
    let mut sql_error = match text.split_once("\nDid you mean ") {
        Some((message, near)) => SqlError::new(ErrorKind::Unknown, message.trim_end_matches('.'))
            .with_hint(format!("did you mean {}", near.replace('\'', "`"))),
        None => SqlError::new(kind, text),
    };
    sql_error.message = sql_error.message.replace('\'', "`");
    match span {
        Some(span) => {
            // Columns count from 1, the end is exclusive.
            let length = span.end.column.saturating_sub(span.start.column).max(1);
            let position = crate::error::Position::new(span.start.line, span.start.column);
            sql_error.at(position, length)
        }
        None => sql_error,
    }
}

/// Applies type coercion and the rules that keep a stream's meaning.
pub fn optimize(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    use datafusion_optimizer as rules;
    let options = ConfigOptions::default();
    let analyzer = Analyzer::with_rules(vec![Arc::new(TypeCoercion::new())]);
    let plan = analyzer.execute_and_check(plan, &options, |_, _| {})?;
    let list: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(rules::simplify_expressions::SimplifyExpressions::new()),
        Arc::new(rules::replace_distinct_aggregate::ReplaceDistinctWithAggregate::new()),
        Arc::new(rules::decorrelate_predicate_subquery::DecorrelatePredicateSubquery::new()),
        Arc::new(rules::scalar_subquery_to_join::ScalarSubqueryToJoin::new()),
        Arc::new(rules::extract_equijoin_predicate::ExtractEquijoinPredicate::new()),
        Arc::new(rules::eliminate_duplicated_expr::EliminateDuplicatedExpr::new()),
        Arc::new(rules::eliminate_filter::EliminateFilter::new()),
        Arc::new(rules::eliminate_cross_join::EliminateCrossJoin::new()),
        Arc::new(rules::eliminate_outer_join::EliminateOuterJoin::new()),
        Arc::new(rules::push_down_filter::PushDownFilter::new()),
        Arc::new(rules::common_subexpr_eliminate::CommonSubexprEliminate::new()),
        Arc::new(rules::optimize_projections::OptimizeProjections::new()),
    ];
    let context = OptimizerContext::new().with_max_passes(4);
    Optimizer::with_rules(list).optimize(plan, &context, |_, _| {})
}

struct Provider<'a> {
    planner: &'a LogicalPlanner<'a>,
    config: ConfigOptions,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    type_planner: Arc<dyn TypePlanner>,
    // The first error of ours, which DataFusion would only carry as text.
    error: std::sync::Mutex<Option<SqlError>>,
}

impl<'a> Provider<'a> {
    fn new(planner: &'a LogicalPlanner<'a>) -> Self {
        Provider {
            planner,
            config: ConfigOptions::default(),
            relation_planners: vec![Arc::new(FlinkRelations)],
            expr_planners: planner.functions.expr_planners(),
            type_planner: Arc::new(FlinkTypes),
            error: std::sync::Mutex::new(None),
        }
    }

    fn keep(&self, error: SqlError) -> DataFusionError {
        let text = error.message.clone();
        if let Ok(mut first) = self.error.lock() {
            first.get_or_insert(error);
        }
        DataFusionError::Plan(text)
    }

    fn plan_named(&self, path: &[String], hints: &[(String, String)]) -> PlanResult<LogicalPlan> {
        let relation = self
            .planner
            .relations
            .resolve(path, hints)
            .map_err(|error| self.keep(error))?;
        match relation {
            Relation::Table(table) => self.plan_table(&table, path),
            Relation::View { query, columns } => {
                let plan = self
                    .planner
                    .plan_unoptimized(&query)
                    .map_err(|error| self.keep(without_place(error, path)))?;
                rename(plan, path, &columns)
            }
        }
    }

    fn plan_table(&self, table: &Arc<Table>, path: &[String]) -> PlanResult<LogicalPlan> {
        let name = path.last().cloned().unwrap_or_default();
        let physical = table.spec.schema.fields().len();
        let reference = TableReference::bare(name.clone());
        let source = ScanSource::new(table.clone());
        let schema = source.schema();
        let scan = LogicalPlanBuilder::scan(reference.clone(), Arc::new(source), None)?.build()?;
        let planner = SqlToRel::new_with_options(self, parser_options());
        let column = |position: usize, name: &str| {
            let inner = schema.field(position).name().clone();
            Expr::Column(Column::new(Some(reference.clone()), inner))
                .alias_qualified(Some(reference.clone()), name)
        };
        let mut expressions = Vec::new();
        for (name, source) in &table.columns {
            expressions.push(match source {
                ColumnSource::Physical(position) => column(*position, name),
                ColumnSource::Metadata(position) => column(physical + position, name),
                ColumnSource::Computed(expr) => {
                    let expr = super::rewrite::rewrite_expr((**expr).clone())
                        .map_err(|error| self.keep(error))?;
                    planner
                        .sql_to_expr(expr, scan.schema(), &mut Default::default())
                        .map_err(|error| {
                            error.context(format!("computed column `{name}` of the table"))
                        })?
                        .alias_qualified(Some(reference.clone()), name)
                }
            });
        }
        let plan = LogicalPlanBuilder::from(scan)
            .project(expressions)?
            .build()?;
        let Some((attribute, expr)) = &table.watermark else {
            return Ok(plan);
        };
        let expr = super::rewrite::rewrite_expr(expr.clone()).map_err(|error| self.keep(error))?;
        let expression = planner.sql_to_expr(expr, plan.schema(), &mut Default::default())?;
        let column = Expr::Column(Column::new(Some(reference), attribute));
        let node = WatermarkNode {
            input: plan,
            column,
            expression,
        };
        Ok(LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        }))
    }
}

/// Places inside a view's text mean nothing in the script that uses it.
fn without_place(mut error: SqlError, path: &[String]) -> SqlError {
    error.position = None;
    error.message = format!("in view `{}`: {}", path.join("."), error.message);
    error
}

fn rename(plan: LogicalPlan, path: &[String], columns: &[String]) -> PlanResult<LogicalPlan> {
    let name = path.last().cloned().unwrap_or_default();
    let plan = if columns.is_empty() {
        plan
    } else {
        if columns.len() != plan.schema().fields().len() {
            return plan_err!(
                "view `{name}` names {} columns, but its query has {}",
                columns.len(),
                plan.schema().fields().len()
            );
        }
        let renamed: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .zip(columns)
            .map(|(column, name)| Expr::Column(column).alias(name))
            .collect();
        LogicalPlanBuilder::from(plan).project(renamed)?.build()?
    };
    LogicalPlanBuilder::from(plan)
        .alias(TableReference::bare(name))?
        .build()
}

impl ContextProvider for Provider<'_> {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let (path, hints) = path_and_hints(&name);
        Ok(Arc::new(Inlined(self.plan_named(&path, &hints)?)))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(self.type_planner.clone())
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.planner.functions.scalar(name)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.planner.functions.aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.planner.functions.window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.config
    }

    fn udf_names(&self) -> Vec<String> {
        self.planner.functions.scalar_names()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.planner.functions.aggregate_names()
    }

    fn udwf_names(&self) -> Vec<String> {
        vec!["row_number".to_owned()]
    }

    fn create_cte_work_table(&self, name: &str, _: SchemaRef) -> PlanResult<Arc<dyn TableSource>> {
        not_impl_err!("WITH RECURSIVE `{name}`")
    }
}

#[derive(Debug)]
struct FlinkTypes;

impl TypePlanner for FlinkTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> PlanResult<Option<FieldRef>> {
        let planned = SqlType::from_ast(sql_type)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(Some(Arc::new(Field::new("", planned.to_arrow(), true))))
    }
}
