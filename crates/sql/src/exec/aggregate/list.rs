//! `LISTAGG`: texts in order of arrival, joined by a separator.

use std::sync::Arc;

use arrow::compute::cast;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BinaryArray, StringViewArray};
use arrow_schema::DataType;
use thalweg_columnar::{Pages, arrow_error};
use thalweg_core::data::{from_bytes, to_bytes};
use thalweg_core::error::Result;

use super::{Accumulator, Input};

/// The texts of each group.
pub struct ListAgg {
    groups: Pages<Vec<String>>,
    separator: String,
}

impl ListAgg {
    /// Texts joined by `separator`.
    pub fn new(separator: String) -> Self {
        ListAgg {
            groups: Pages::new(),
            separator,
        }
    }
}

impl Accumulator for ListAgg {
    fn resize(&mut self, groups: usize) {
        self.groups.grow_with(groups, Vec::new);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let texts = cast(&input.args[0], &DataType::Utf8View).map_err(arrow_error)?;
        let texts = texts.as_string_view();
        input.for_each(|row, group, sign| {
            let list = self.groups.get_mut(group);
            if sign > 0 {
                list.push(texts.value(row).to_owned());
            } else if let Some(place) = list.iter().position(|text| text == texts.value(row)) {
                list.remove(place);
            }
        });
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let blobs = groups.iter().map(|group| to_bytes(self.groups.get(*group)));
        Ok(vec![Arc::new(BinaryArray::from_iter_values(blobs))])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let blobs = state[0].as_binary::<i32>();
        for (row, group) in groups.iter().enumerate() {
            let texts: Vec<String> = from_bytes(blobs.value(row))?;
            self.groups.get_mut(*group).extend(texts);
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Binary]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let joined = groups.iter().map(|group| {
            let list = self.groups.get(*group);
            (!list.is_empty()).then(|| list.join(&self.separator))
        });
        Ok(Arc::new(StringViewArray::from_iter(joined)))
    }

    fn clear(&mut self, group: u32) {
        self.groups.get_mut(group).clear();
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(ListAgg {
            groups: self.groups.share(),
            separator: self.separator.clone(),
        })
    }
}
