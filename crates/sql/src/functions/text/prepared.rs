//! Functions of a text whose other arguments are constants: what depends on these alone is made
//! once an operator, not once a batch.

use std::sync::Arc;

use arrow_array::{Array, StringViewArray};
use datafusion_common::ScalarValue;
use regex::Regex;

use super::column::TextColumn;
use super::extract::Extractor;
use super::field::field;
use super::letter_case::LetterCase;

/// A function from texts to texts, a row each.
pub type TextFunction = Arc<dyn Fn(&StringViewArray) -> StringViewArray + Send + Sync>;

/// The function of this name with these arguments behind the text, if it can be prepared.
pub fn prepare(name: &str, constants: &[ScalarValue]) -> Option<TextFunction> {
    Some(match (name, constants) {
        ("lower", []) => Arc::new(|texts| LetterCase::Lower.convert(texts)),
        ("upper", []) => Arc::new(|texts| LetterCase::Upper.convert(texts)),
        ("regexp_extract", [pattern]) => regexp_extract(text(pattern)?, 0),
        ("regexp_extract", [pattern, ScalarValue::Int32(Some(group))]) => {
            regexp_extract(text(pattern)?, *group)
        }
        ("regexp_replace", [pattern, replacement]) => {
            regexp_replace(text(pattern)?, text(replacement)?)
        }
        ("split_index", [separator, ScalarValue::Int32(Some(index))]) => {
            split_index(text(separator)?, *index)?
        }
        _ => return None,
    })
}

fn text(constant: &ScalarValue) -> Option<&str> {
    constant.try_as_str().flatten()
}

fn regexp_extract(pattern: &str, group: i32) -> TextFunction {
    let Some(extractor) = Extractor::new(pattern, group) else {
        return Arc::new(|texts| StringViewArray::new_null(texts.len()));
    };
    Arc::new(move |texts| {
        let mut locations = extractor.locations();
        parts(texts, |text| extractor.find(text, &mut locations))
    })
}

fn regexp_replace(pattern: &str, replacement: &str) -> TextFunction {
    let Ok(regex) = Regex::new(pattern) else {
        return Arc::new(|texts| StringViewArray::new_null(texts.len()));
    };
    let replacement = replacement.to_owned();
    Arc::new(move |texts| {
        let mut column = TextColumn::over(texts);
        for row in 0..texts.len() {
            if texts.is_null(row) {
                column.push_null();
                continue;
            }
            let text = texts.value(row);
            match regex.replace_all(text, replacement.as_str()) {
                // Borrowed as a whole: nothing matched.
                std::borrow::Cow::Borrowed(_) => column.push_part(row, 0, text.len()),
                std::borrow::Cow::Owned(replaced) => column.push(&replaced),
            }
        }
        column.finish()
    })
}

/// `None` for a separator that is not a single byte.
fn split_index(separator: &str, index: i32) -> Option<TextFunction> {
    let [separator] = *separator.as_bytes() else {
        return None;
    };
    let Ok(index) = usize::try_from(index) else {
        return Some(Arc::new(|texts| StringViewArray::new_null(texts.len())));
    };
    Some(Arc::new(move |texts| {
        parts(texts, |text| field(text.as_bytes(), separator, index))
    }))
}

/// Parts of the texts; they are not copied.
fn parts(
    texts: &StringViewArray,
    mut part: impl FnMut(&str) -> Option<(usize, usize)>,
) -> StringViewArray {
    let mut column = TextColumn::over(texts);
    for row in 0..texts.len() {
        let found = if texts.is_null(row) {
            None
        } else {
            part(texts.value(row))
        };
        match found {
            Some((start, end)) => column.push_part(row, start, end),
            None => column.push_null(),
        }
    }
    column.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::Functions;
    use arrow_array::ArrayRef;
    use arrow_array::cast::AsArray;
    use arrow_schema::{DataType, Field};
    use datafusion_common::config::ConfigOptions;
    use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
    use proptest::prelude::*;

    fn constant(text: &str) -> ScalarValue {
        ScalarValue::Utf8View(Some(text.to_owned()))
    }

    /// The general form, with all arguments as columns.
    fn general(name: &str, texts: &StringViewArray, constants: &[ScalarValue]) -> ArrayRef {
        let rows = texts.len();
        let mut args = vec![ColumnarValue::Array(Arc::new(texts.clone()))];
        for constant in constants {
            args.push(ColumnarValue::Array(
                constant.to_array_of_size(rows).unwrap(),
            ));
        }
        let fields = args
            .iter()
            .map(|arg| Arc::new(Field::new("", arg.data_type(), true)));
        let function = Functions::default().scalar(name).unwrap();
        let called = function.invoke_with_args(ScalarFunctionArgs {
            arg_fields: fields.collect(),
            args,
            number_rows: rows,
            return_field: Arc::new(Field::new("", DataType::Utf8View, true)),
            config_options: Arc::new(ConfigOptions::default()),
        });
        called.unwrap().into_array(rows).unwrap()
    }

    fn assert_same(name: &str, texts: &[Option<String>], constants: &[ScalarValue]) {
        let texts = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
        let prepared = prepare(name, constants).unwrap()(&texts);
        assert_eq!(
            &prepared,
            general(name, &texts, constants).as_string_view(),
            "{name} {constants:?}"
        );
    }

    proptest! {
        #[test]
        fn prepared_functions_do_what_the_general_ones_do(
            texts in prop::collection::vec(prop::option::of("[ab/é&=]{0,20}"), 0..20)
        ) {
            let number = |n| ScalarValue::Int32(Some(n));
            for index in [-1, 0, 1, 2, 5] {
                assert_same("split_index", &texts, &[constant("/"), number(index)]);
                assert_same("regexp_extract", &texts, &[constant("(/|^)a(b*)"), number(index)]);
            }
            for pattern in ["a=", "[ab]+", "(", ""] {
                assert_same("regexp_extract", &texts, &[constant(pattern)]);
                assert_same("regexp_replace", &texts, &[constant(pattern), constant("<$0 and more>")]);
            }
            assert_same("lower", &texts, &[]);
            assert_same("upper", &texts, &[]);
        }
    }

    #[test]
    fn constants_that_are_null_or_of_another_kind_are_left_alone() {
        assert!(prepare("regexp_extract", &[ScalarValue::Utf8View(None)]).is_none());
        assert!(
            prepare(
                "split_index",
                &[constant("ab"), ScalarValue::Int32(Some(1))]
            )
            .is_none()
        );
        assert!(prepare("split_index", &[constant("a"), ScalarValue::Int32(None)]).is_none());
        assert!(prepare("reverse", &[]).is_none());
    }
}
