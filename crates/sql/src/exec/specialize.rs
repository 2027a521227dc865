//! Faster and safer forms of compiled expressions.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TreeNode};

use super::choose::Choose;
use super::choose_text::ChooseText;
use super::expr::Expression;
use super::prepared::Prepared;
use super::remainder::Remainder;
use super::scale::Scale;
use super::short_circuit::ShortCircuit;
use super::text_match::TextMatch;
use super::text_set::TextSet;

/// Replaces each part of an expression that has a better form.
///
/// # Errors
/// If the expression cannot be rebuilt.
pub fn specialize(expression: Expression, schema: &Schema) -> Result<Expression> {
    let replaced = expression.transform_up(|part| {
        if let Some(choose) = Choose::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(choose) as Expression));
        }
        if let Some(choose) = ChooseText::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(choose) as Expression));
        }
        if let Some(scale) = Scale::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(scale) as Expression));
        }
        if let Some(remainder) = Remainder::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(remainder) as Expression));
        }
        if let Some(prepared) = Prepared::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(prepared) as Expression));
        }
        if let Some(set) = TextSet::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(set) as Expression));
        }
        if let Some(compiled) = TextMatch::of(&part, schema)? {
            return Ok(Transformed::yes(Arc::new(compiled) as Expression));
        }
        if let Some(guarded) = ShortCircuit::of(&part) {
            return Ok(Transformed::yes(Arc::new(guarded) as Expression));
        }
        Ok(Transformed::no(part))
    })?;
    Ok(replaced.data)
}
