//! The functions of Flink SQL.

mod arithmetic;
mod simple;
pub mod text;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_expr::planner::ExprPlanner;
use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_nested::planner::{FieldAccessPlanner, NestedFunctionPlanner};

use crate::plan::aggregates::{AGGREGATES, aggregate, ranking};

/// The functions a session knows, by lower-case name.
pub struct Functions {
    scalars: BTreeMap<String, Arc<ScalarUDF>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
}

impl Default for Functions {
    fn default() -> Self {
        let mut functions = Functions {
            scalars: BTreeMap::new(),
            expr_planners: Vec::new(),
        };
        for function in datafusion_functions::all_default_functions() {
            functions.register(function);
        }
        for function in datafusion_functions_nested::all_default_nested_functions() {
            functions.register(function);
        }
        // Ours come last and replace those of the same name that mean something else.
        for function in [arithmetic::all(), text::all(), time::all()].concat() {
            functions.register(Arc::new(function));
        }
        functions.expr_planners = vec![
            Arc::new(CoreFunctionPlanner::default()),
            Arc::new(UnicodeFunctionPlanner),
            Arc::new(DatetimeFunctionPlanner),
            Arc::new(NestedFunctionPlanner),
            Arc::new(FieldAccessPlanner),
        ];
        functions
    }
}

impl Functions {
    fn register(&mut self, function: Arc<ScalarUDF>) {
        for alias in function.aliases() {
            self.scalars.insert(alias.to_lowercase(), function.clone());
        }
        self.scalars
            .insert(function.name().to_lowercase(), function);
    }

    /// A scalar function by its lower-case name.
    pub fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalars.get(name).cloned()
    }

    /// An aggregate function by its lower-case name.
    pub fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        aggregate(name)
    }

    /// A ranking function by its lower-case name.
    pub fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        ranking(name)
    }

    /// The names of all scalar functions.
    pub fn scalar_names(&self) -> Vec<String> {
        self.scalars.keys().cloned().collect()
    }

    /// The names of all aggregate functions.
    pub fn aggregate_names(&self) -> Vec<String> {
        AGGREGATES.iter().map(|name| (*name).to_owned()).collect()
    }

    /// How operators and access to fields are planned.
    pub fn expr_planners(&self) -> Vec<Arc<dyn ExprPlanner>> {
        self.expr_planners.clone()
    }
}
