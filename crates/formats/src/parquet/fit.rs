//! Columns of a file into the types a table declares: fields by name, values by cast.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StructArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field};

use crate::error::FormatError;
use crate::options::nearest;
use crate::types::sql_name;

/// `array`, whose name in errors is `path`, as the declared `field` wants it.
pub(super) fn fit(array: &ArrayRef, field: &Field, path: &str) -> Result<ArrayRef, FormatError> {
    if !field.is_nullable() && array.null_count() > 0 {
        let message = "NULL in a column declared NOT NULL";
        return Err(FormatError::corrupt(message).with_field(path));
    }
    if array.data_type() == field.data_type() {
        return Ok(Arc::clone(array));
    }
    let wrong = |error: ArrowError| {
        let (from, to) = (sql_name(array.data_type()), sql_name(field.data_type()));
        let message = format!("a value of the file's {from} is no {to}: {error}");
        FormatError::corrupt(message)
            .with_field(path)
            .with_source(error)
    };
    match (array.data_type(), field.data_type()) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let rows = array.as_struct();
            let columns = fields.iter().map(|inner| {
                let names = rows.column_names();
                let column = rows.column_by_name(inner.name());
                let column =
                    column.ok_or_else(|| missing(inner.name(), &names).with_field(path))?;
                // A field of a NULL row is NULL whatever it is declared.
                let inner = Field::clone(inner).with_nullable(true);
                fit(column, &inner, &format!("{path}.{}", inner.name()))
            });
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let nulls = rows.nulls().cloned();
            let built =
                StructArray::try_new_with_length(fields.clone(), columns, nulls, rows.len());
            Ok(Arc::new(built.map_err(wrong)?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = fit(list.values(), item, &format!("{path}[]"))?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            let built = ListArray::try_new(Arc::clone(item), offsets, values, nulls);
            Ok(Arc::new(built.map_err(wrong)?))
        }
        (_, to) => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(array, to, &options).map_err(wrong)
        }
    }
}

/// The error for a column that a file does not have.
pub(super) fn missing(name: &str, names: &[&str]) -> FormatError {
    let hint = match nearest(name, names) {
        Some(near) => format!("; its nearest is `{near}`"),
        None => String::new(),
    };
    FormatError::corrupt(format!("the file has no column `{name}`{hint}"))
}
