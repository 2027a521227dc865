//! Which fields of which columns the parts of a plan read.

use std::collections::BTreeSet;

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, JoinType};
use datafusion_expr::{Expr, LogicalPlan, TableScan};

use crate::plan::leaf::leaf;
use crate::plan::nodes::{WatermarkNode, WindowNode};

/// Field names from a column inwards; the empty path is the whole column.
pub type Paths = BTreeSet<Vec<String>>;

/// What is read of a column; empty if nobody reads it.
pub type Need = Paths;

/// Tells what a plan whose whole output is wanted reads of each of its scans.
pub fn needs_of(plan: &LogicalPlan, note: &mut dyn FnMut(&TableScan, &[Need])) {
    visit(plan, &whole(plan.schema().fields().len()), note);
}

fn whole(columns: usize) -> Vec<Need> {
    vec![Paths::from([Vec::new()]); columns]
}

fn visit(plan: &LogicalPlan, needs: &[Need], note: &mut dyn FnMut(&TableScan, &[Need])) {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let mut needs = needs.to_vec();
            add_all(&mut needs, &scan.filters, &scan.projected_schema);
            note(scan, &needs);
        }
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let mut below = vec![Need::new(); schema.fields().len()];
            for (expression, need) in projection.expr.iter().zip(needs) {
                add_through(&mut below, expression, need, schema);
            }
            visit(&projection.input, &below, note);
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Window(_) => pass(plan, needs, note),
        LogicalPlan::Extension(extension)
            if extension.node.as_any().is::<WatermarkNode>()
                || extension.node.as_any().is::<WindowNode>() =>
        {
            pass(plan, needs, note);
        }
        LogicalPlan::Union(union) => {
            for input in &union.inputs {
                visit(input, needs, note);
            }
        }
        LogicalPlan::Aggregate(aggregate) => {
            let schema = aggregate.input.schema();
            let mut below = vec![Need::new(); schema.fields().len()];
            add_all(&mut below, &aggregate.group_expr, schema);
            add_all(&mut below, &aggregate.aggr_expr, schema);
            visit(&aggregate.input, &below, note);
        }
        LogicalPlan::Join(join) => visit_join(join, needs, note),
        other => {
            for input in other.inputs() {
                visit(input, &whole(input.schema().fields().len()), note);
            }
        }
    }
}

/// A node whose first columns are its one input's.
fn pass(plan: &LogicalPlan, needs: &[Need], note: &mut dyn FnMut(&TableScan, &[Need])) {
    for input in plan.inputs() {
        let columns = input.schema().fields().len();
        let mut below = needs[..columns].to_vec();
        add_all(&mut below, &plan.expressions(), input.schema());
        visit(input, &below, note);
    }
}

fn visit_join(
    join: &datafusion_expr::Join,
    needs: &[Need],
    note: &mut dyn FnMut(&TableScan, &[Need]),
) {
    let (left, right) = (join.left.schema(), join.right.schema());
    let (lefts, rights) = (left.fields().len(), right.fields().len());
    let (mut below_left, mut below_right) = match join.join_type {
        _ if needs.len() == lefts + rights => (needs[..lefts].to_vec(), needs[lefts..].to_vec()),
        JoinType::LeftSemi | JoinType::LeftAnti => (needs.to_vec(), vec![Need::new(); rights]),
        _ => (whole(lefts), whole(rights)),
    };
    for (one, other) in &join.on {
        add_all(&mut below_left, [one, other], left);
        add_all(&mut below_right, [one, other], right);
    }
    add_all(&mut below_left, &join.filter, left);
    add_all(&mut below_right, &join.filter, right);
    visit(&join.left, &below_left, note);
    visit(&join.right, &below_right, note);
}

/// What an expression of which `need` is read reads.
fn add_through(needs: &mut [Need], expression: &Expr, need: &Need, schema: &DFSchema) {
    let inner = match expression {
        Expr::Alias(alias) => return add_through(needs, &alias.expr, need, schema),
        inner => inner,
    };
    match leaf(inner, schema) {
        Some((column, path)) => {
            let paths = need.iter().map(|more| [path.as_slice(), more].concat());
            needs[column].extend(paths);
            if need.is_empty() && !path.is_empty() {
                // It is computed, though nobody reads it.
                needs[column].insert(path);
            }
        }
        None => add_all(needs, [inner], schema),
    }
}

fn add_all<'a>(
    needs: &mut [Need],
    expressions: impl IntoIterator<Item = &'a Expr>,
    schema: &DFSchema,
) {
    for expression in expressions {
        // The closure never fails.
        let _ = expression.apply(|part| {
            Ok(match leaf(part, schema) {
                Some((column, path)) => {
                    needs[column].insert(path);
                    TreeNodeRecursion::Jump
                }
                None => TreeNodeRecursion::Continue,
            })
        });
    }
}
