//! `MIN` and `MAX` of texts over insertions, compared where they lie.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_schema::DataType;
use thalweg_columnar::Pages;
use thalweg_core::error::Result;

use super::{Accumulator, Input};

/// The least or greatest text of each group, by bytes.
pub struct TextExtreme {
    values: Pages<Option<String>>,
    max: bool,
}

impl TextExtreme {
    /// A maximum or minimum.
    pub fn new(max: bool) -> Self {
        TextExtreme {
            values: Pages::new(),
            max,
        }
    }

    /// Whether texts come in this type.
    pub fn takes(data_type: &DataType) -> bool {
        data_type == &DataType::Utf8View
    }

    #[inline]
    fn offer(&mut self, group: u32, text: &str) {
        match self.values.get_mut(group) {
            Some(best) => {
                let better = if self.max {
                    text > best.as_str()
                } else {
                    text < best.as_str()
                };
                if better {
                    best.clear();
                    best.push_str(text);
                }
            }
            none => *none = Some(text.to_owned()),
        }
    }
}

impl Accumulator for TextExtreme {
    fn resize(&mut self, groups: usize) {
        self.values.grow(groups, None);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let texts = input.args[0].as_string_view();
        input.for_each(|row, group, _| self.offer(group, texts.value(row)));
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let texts = state[0].as_string_view();
        for (row, group) in groups.iter().enumerate() {
            if texts.is_valid(row) {
                self.offer(*group, texts.value(row));
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Utf8View]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let texts = groups
            .iter()
            .map(|group| self.values.get(*group).as_deref());
        Ok(Arc::new(StringViewArray::from_iter(texts)))
    }

    fn clear(&mut self, group: u32) {
        *self.values.get_mut(group) = None;
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(TextExtreme {
            values: self.values.share(),
            max: self.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extreme_is_that_of_bytes_in_every_group() {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![
            Some("b"),
            None,
            Some("a text longer than a view"),
            Some("a"),
            Some("é"),
        ]));
        let args = [texts];
        let groups = [0, 0, 0, 1, 1];
        for (max, expected) in [
            (false, ["a text longer than a view", "a"]),
            (true, ["b", "é"]),
        ] {
            let mut extreme = TextExtreme::new(max);
            extreme.resize(3);
            let input = Input {
                groups: &groups,
                args: &args,
                filter: None,
                kinds: None,
            };
            extreme.update(&input).unwrap();
            // Once more through the state, beside a text that is no extreme.
            let state = extreme.state(&[0, 1, 2]).unwrap();
            let middle: ArrayRef = Arc::new(StringViewArray::from(vec!["aa", "b", "x"]));
            extreme.merge(&[0, 1, 2], &[middle]).unwrap();
            extreme.clear(2);
            extreme.merge(&[0, 1, 2], &state).unwrap();
            let [first, second] = expected.map(Some);
            let expected: ArrayRef = Arc::new(StringViewArray::from(vec![first, second, None]));
            assert_eq!(&extreme.result(&[0, 1, 2]).unwrap(), &expected);
        }
    }
}
