//! Columns by the names in a file's first line.

use arrow_schema::Schema;

use super::field::{self, Stop, Syntax};
use crate::error::Fault;
use crate::options::nearest;

/// The names of a header line and where the next line begins; `None` if it may go on.
pub(super) fn names(
    bytes: &[u8],
    at: usize,
    end: bool,
    syntax: Syntax,
) -> Result<Option<(Vec<String>, usize)>, Fault> {
    let mut scratch = Vec::new();
    let mut names = Vec::new();
    let mut at = at;
    loop {
        let Some(field) = field::read(bytes, at, end, syntax, &mut scratch)? else {
            return Ok(None);
        };
        let text = match field.text {
            Some(range) => bytes.get(range).unwrap_or_default(),
            None => &scratch,
        };
        let Ok(name) = std::str::from_utf8(text.trim_ascii()) else {
            return Err(Fault::record(at, "a header that is not UTF-8"));
        };
        names.push(name.to_owned());
        match field.stop {
            Stop::Field(next) => at = next,
            Stop::Record(next) => return Ok(Some((names, next))),
        }
    }
}

/// For each field of a file with these `names`, the column of `schema` it is for.
pub(super) fn resolve(names: &[String], schema: &Schema) -> Result<Vec<Option<usize>>, Fault> {
    for field in schema.fields() {
        let found = names.iter().filter(|name| *name == field.name()).count();
        if found == 0 {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let near = nearest(field.name(), &known);
            let hint = near.map_or(String::new(), |near| format!("; its nearest is `{near}`"));
            let name = field.name();
            let message = format!("the header has no column `{name}`{hint}");
            return Err(Fault::record(0, message));
        }
        if found > 1 {
            let message = format!("the header has column `{}` {found} times", field.name());
            return Err(Fault::record(0, message));
        }
    }
    Ok(names
        .iter()
        .map(|name| schema.index_of(name).ok())
        .collect())
}
