//! `CREATE TABLE .. LIKE source`: which parts of the source a table takes over.
//!
//! Without options everything is included and the new table's options win. `ALL` sets what is
//! not named otherwise. Physical columns are always included, before the new ones.

use super::table::{Column, ColumnOrigin, TableDefinition};
use crate::dialect::{CreateTable, LikeClause, LikeFeature, MergeStrategy};
use crate::error::{SqlError, SqlResult};

impl TableDefinition {
    /// The definition of a table declared like `source`.
    ///
    /// # Errors
    /// `Catalog` when a part is defined twice, and those of [`TableDefinition::new`].
    pub fn from_like(create: &CreateTable, like: &LikeClause, source: &Self) -> SqlResult<Self> {
        let strategy = |feature| strategy(like, feature);
        let mut table = Self::declared(create)?;
        let declared = std::mem::take(&mut table.columns);
        table.columns = merge_columns(source, declared, create, like)?;
        table.watermark = merge(
            source.watermark.clone(),
            table.watermark.take(),
            strategy(LikeFeature::Watermarks),
            "watermark",
        )?;
        let key = (!table.primary_key.is_empty())
            .then(|| (table.primary_key.clone(), table.primary_key_name.clone()));
        let source_key = (!source.primary_key.is_empty())
            .then(|| (source.primary_key.clone(), source.primary_key_name.clone()));
        let merged = merge(
            source_key,
            key,
            strategy(LikeFeature::Constraints),
            "primary key",
        )?;
        (table.primary_key, table.primary_key_name) = merged.unwrap_or_default();
        table.partition_keys = merge(
            (!source.partition_keys.is_empty()).then(|| source.partition_keys.clone()),
            (!table.partition_keys.is_empty()).then(|| table.partition_keys.clone()),
            strategy(LikeFeature::Partitions),
            "list of partition keys",
        )?
        .unwrap_or_default();
        table.distribution = merge(
            source.distribution.clone(),
            table.distribution.take(),
            strategy(LikeFeature::Distribution),
            "distribution",
        )?;
        table.options = merge_options(source, create, strategy(LikeFeature::Options))?;
        table.finish(create)?;
        Ok(table)
    }
}

/// What happens to `feature`.
fn strategy(like: &LikeClause, feature: LikeFeature) -> MergeStrategy {
    let given = |wanted| {
        like.options
            .iter()
            .rev()
            .find(|option| option.feature == wanted)
            .map(|option| option.strategy)
    };
    let default = match feature {
        LikeFeature::Options => MergeStrategy::Overwriting,
        _ => MergeStrategy::Including,
    };
    given(feature)
        .or(given(LikeFeature::All))
        .unwrap_or(default)
}

/// A part that the source and the new table may both define.
fn merge<T>(
    source: Option<T>,
    own: Option<T>,
    strategy: MergeStrategy,
    what: &str,
) -> SqlResult<Option<T>> {
    match (source, own, strategy) {
        (_, own, MergeStrategy::Excluding) | (None, own, _) => Ok(own),
        (Some(source), None, _) => Ok(Some(source)),
        (Some(_), own, MergeStrategy::Overwriting) => Ok(own),
        (Some(_), Some(_), MergeStrategy::Including) => Err(SqlError::catalog(format!(
            "the table declares a {what} and takes over another with `LIKE`"
        ))),
    }
}

fn merge_columns(
    source: &TableDefinition,
    declared: Vec<Column>,
    create: &CreateTable,
    like: &LikeClause,
) -> SqlResult<Vec<Column>> {
    let strategy_of = |column: &Column| match column.origin {
        ColumnOrigin::Physical => MergeStrategy::Including,
        ColumnOrigin::Computed { .. } => strategy(like, LikeFeature::Generated),
        ColumnOrigin::Metadata { .. } => strategy(like, LikeFeature::Metadata),
    };
    let mut columns: Vec<Column> = source
        .columns
        .iter()
        .filter(|column| strategy_of(column) != MergeStrategy::Excluding)
        .cloned()
        .collect();
    for column in declared {
        match columns.iter_mut().find(|known| known.name == column.name) {
            None => columns.push(column),
            Some(known)
                if strategy_of(known) == MergeStrategy::Overwriting
                    && std::mem::discriminant(&known.origin)
                        == std::mem::discriminant(&column.origin) =>
            {
                *known = column;
            }
            Some(_) => {
                let message = format!(
                    "the column `{}` is declared and taken over with `LIKE`",
                    column.name
                );
                let span = create
                    .columns
                    .iter()
                    .find(|def| def.name.value == column.name)
                    .map_or(sqlparser::tokenizer::Span::empty(), |def| def.name.span);
                return Err(SqlError::catalog(message).at_span(span));
            }
        }
    }
    Ok(columns)
}

fn merge_options(
    source: &TableDefinition,
    create: &CreateTable,
    strategy: MergeStrategy,
) -> SqlResult<Vec<(String, String)>> {
    if strategy == MergeStrategy::Excluding {
        return Ok(create.options.clone());
    }
    let mut options = source.options.clone();
    for (key, value) in &create.options {
        match options.iter_mut().find(|(known, _)| known == key) {
            None => options.push((key.clone(), value.clone())),
            Some((_, known)) if strategy == MergeStrategy::Overwriting => known.clone_from(value),
            Some(_) => {
                return Err(SqlError::catalog(format!(
                    "the option `{key}` is given and taken over with `LIKE`"
                ))
                .with_hint("`OVERWRITING OPTIONS` lets the table's own win"));
            }
        }
    }
    Ok(options)
}
