//! Texts: `SPLIT_INDEX`, `REGEXP_REPLACE`, `REGEXP_EXTRACT`, `SPLIT`.

mod chosen;
mod column;
mod extract;
mod field;
mod letter_case;
mod like;
mod one_pass;
mod prepared;

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_schema::{DataType, Field};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use regex::{CaptureLocations, Regex};

use super::simple::exact;

pub use chosen::{Texts, choose};
pub use column::{SHORT_MAX, short_view};
pub use like::compile_like;
pub use prepared::{TextFunction, prepare};

const TEXT: DataType = DataType::Utf8View;

/// The functions of this file.
pub fn all() -> Vec<ScalarUDF> {
    vec![
        exact(
            "split_index",
            vec![vec![TEXT, TEXT, DataType::Int32]],
            |_| Ok(TEXT),
            split_index,
        ),
        exact(
            "regexp_replace",
            vec![vec![TEXT, TEXT, TEXT]],
            |_| Ok(TEXT),
            regexp_replace,
        ),
        exact(
            "regexp_extract",
            vec![vec![TEXT, TEXT], vec![TEXT, TEXT, DataType::Int32]],
            |_| Ok(TEXT),
            regexp_extract,
        ),
        exact("split", vec![vec![TEXT, TEXT]], |_| Ok(list_type()), split),
    ]
}

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", TEXT, true)))
}

/// The part with this number, from 0, or NULL. Separators next to each other enclose an empty part.
fn split_index(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = args[0].as_string_view();
    let separators = args[1].as_string_view();
    let indexes = args[2].as_primitive::<Int32Type>();
    let part = |row: usize| {
        if texts.is_null(row) || separators.is_null(row) || indexes.is_null(row) {
            return None;
        }
        let index = usize::try_from(indexes.value(row)).ok()?;
        let (text, separator) = (texts.value(row), separators.value(row));
        match separator.as_bytes() {
            [] => None,
            // One byte: no need for a substring search.
            [byte] => text.as_bytes().split(|b| b == byte).nth(index).map(|part| {
                // Cutting UTF-8 at an ASCII byte leaves UTF-8.
                std::str::from_utf8(part).unwrap_or_default()
            }),
            _ => text.split(separator).nth(index),
        }
    };
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    for row in 0..texts.len() {
        builder.append_option(part(row));
    }
    Ok(Arc::new(builder.finish()))
}

/// Replaces every match; an invalid pattern gives NULL, as in Flink.
fn regexp_replace(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = args[0].as_string_view();
    let patterns = args[1].as_string_view();
    let replacements = args[2].as_string_view();
    let mut last: Option<(String, Option<Regex>)> = None;
    let mut result = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) || patterns.is_null(row) || replacements.is_null(row) {
            result.push(None);
            continue;
        }
        let pattern = patterns.value(row);
        if last.as_ref().is_none_or(|(known, _)| known != pattern) {
            last = Some((pattern.to_owned(), Regex::new(pattern).ok()));
        }
        let regex = last.as_ref().and_then(|(_, regex)| regex.as_ref());
        result.push(regex.map(|regex| {
            regex
                .replace_all(texts.value(row), replacements.value(row))
                .into_owned()
        }));
    }
    Ok(Arc::new(StringViewArray::from_iter(result)))
}

/// The match, or the group with this number, of the first match; NULL without one.
fn regexp_extract(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, patterns) = (args[0].as_string_view(), args[1].as_string_view());
    let groups = args.get(2).map(|groups| groups.as_primitive::<Int32Type>());
    // The last pattern, and what it found last, which is used again for the next text.
    let mut last: Option<(String, Option<(Regex, CaptureLocations)>)> = None;
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) || patterns.is_null(row) {
            builder.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        if last.as_ref().is_none_or(|(known, _)| known != pattern) {
            let regex = Regex::new(pattern).ok();
            let matcher = regex.map(|regex| (regex.clone(), regex.capture_locations()));
            last = Some((pattern.to_owned(), matcher));
        }
        let group = groups.map_or(0, |groups| groups.value(row));
        let text = texts.value(row);
        let found = last
            .as_mut()
            .and_then(|(_, matcher)| matcher.as_mut())
            .and_then(|(regex, places)| {
                regex.captures_read(places, text)?;
                places.get(usize::try_from(group).ok()?)
            });
        builder.append_option(found.map(|(start, end)| &text[start..end]));
    }
    Ok(Arc::new(builder.finish()))
}

/// The parts of a text; an empty separator gives its characters.
fn split(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, separators) = (args[0].as_string_view(), args[1].as_string_view());
    let mut lists = ListBuilder::new(StringViewBuilder::new());
    for row in 0..texts.len() {
        if texts.is_null(row) || separators.is_null(row) {
            lists.append_null();
            continue;
        }
        let (text, separator) = (texts.value(row), separators.value(row));
        if separator.is_empty() {
            let mut bytes = [0; 4];
            text.chars()
                .for_each(|c| lists.values().append_value(c.encode_utf8(&mut bytes)));
        } else {
            text.split(separator)
                .for_each(|part| lists.values().append_value(part));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
