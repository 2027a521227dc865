//! Which column each key of an object is for.
//!
//! Keys mostly come in the order of the schema, so the key after the last one found is tried
//! before any search.

use crate::columns::{Columns, Data};

/// What the parser knows of an object: which column each key is for.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Keys and columns in the order of the schema.
    pub fields: Vec<(Box<[u8]>, usize)>,
    /// Places in `fields`, by key.
    sorted: Vec<usize>,
    /// Columns that must not be NULL.
    pub required: Vec<usize>,
}

impl Shape {
    fn of(columns: &Columns, ids: &[usize]) -> Shape {
        let mut shape = Shape::default();
        for &id in ids {
            if let Some(column) = columns.list.get(id) {
                shape
                    .fields
                    .push((column.field.name().as_bytes().into(), id));
                shape.required.extend((!column.nullable()).then_some(id));
            }
        }
        shape.sorted = (0..shape.fields.len()).collect();
        shape.sorted.sort_by_key(|place| &shape.fields[*place].0);
        shape
    }

    /// The place of `key`; it is mostly at `guess`.
    #[inline]
    pub fn find(&self, key: &[u8], guess: usize) -> Option<usize> {
        if self
            .fields
            .get(guess)
            .is_some_and(|(name, _)| **name == *key)
        {
            return Some(guess);
        }
        let found = self
            .sorted
            .binary_search_by(|place| self.fields[*place].0.as_ref().cmp(key));
        found.ok().map(|at| self.sorted[at])
    }
}

/// The shapes of the record and of each ROW column.
#[derive(Debug)]
pub(super) struct Shapes {
    pub record: Shape,
    pub by_column: Vec<Shape>,
}

impl Shapes {
    pub fn of(columns: &Columns) -> Shapes {
        let by_column = columns.list.iter().map(|column| match &column.data {
            Data::Struct { fields, .. } => Shape::of(columns, fields),
            _ => Shape::default(),
        });
        Shapes {
            by_column: by_column.collect(),
            record: Shape::of(columns, &columns.roots),
        }
    }
}
