//! A column that takes each of its texts from one of several places.

use arrow_array::builder::make_view;
use arrow_array::{Array, StringViewArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use super::column::SHORT_MAX;

/// Texts, one a row.
#[derive(Clone, Copy)]
pub enum Texts<'a> {
    /// Those of a column.
    Column(&'a StringViewArray),
    /// One text, or NULL, for all rows.
    Constant(Option<&'a str>),
}

/// The texts of the first choice whose rows include a row, else of the last one.
///
/// # Panics
/// If a column or a set of rows has not as many rows as are asked for.
pub fn choose(rows: usize, choices: &[(BooleanBuffer, Texts)], last: Texts) -> StringViewArray {
    let mut blocks = Vec::new();
    let mut views = match Views::of(last, &mut blocks) {
        // These are the first blocks, which keep their numbers.
        Views::Column { views, .. } => views.to_vec(),
        Views::Constant(view) => vec![view; rows],
    };
    assert_eq!(views.len(), rows, "one text a row");
    let mut valid = validity(last, rows);
    // From the last choice to the first, so that the first one has the last word.
    for (chosen, texts) in choices.iter().rev() {
        assert_eq!(chosen.len(), rows, "one choice a row");
        match Views::of(*texts, &mut blocks) {
            Views::Column { views: from, first } => {
                assert_eq!(from.len(), rows, "one text a row");
                chosen
                    .set_indices()
                    .for_each(|row| views[row] = moved(from[row], first));
            }
            Views::Constant(view) => chosen.set_indices().for_each(|row| views[row] = view),
        }
        valid = match (valid, validity(*texts, rows)) {
            (None, None) => None,
            (under, over) => {
                let all = || BooleanBuffer::new_set(rows);
                let (under, over) = (under.unwrap_or_else(all), over.unwrap_or_else(all));
                Some(&(chosen & &over) | &(&!chosen & &under))
            }
        };
    }
    let nulls = valid
        .map(NullBuffer::new)
        .filter(|nulls| nulls.null_count() > 0);
    // SAFETY: each view is that of a constant, or that of a valid column with the number of its
    // block changed to where this block lies now. The views and validity bits are `rows` each.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), blocks, nulls) }
}

enum Views<'a> {
    /// With the new number of the column's first block.
    Column {
        views: &'a [u128],
        first: u32,
    },
    Constant(u128),
}

impl<'a> Views<'a> {
    /// The views of texts, whose blocks are added to those that are there.
    fn of(texts: Texts<'a>, blocks: &mut Vec<Buffer>) -> Views<'a> {
        let first = blocks.len() as u32;
        match texts {
            Texts::Column(column) => {
                blocks.extend_from_slice(column.data_buffers());
                assert!(u32::try_from(blocks.len()).is_ok(), "too many blocks");
                Views::Column {
                    views: column.views(),
                    first,
                }
            }
            Texts::Constant(None) => Views::Constant(0),
            Texts::Constant(Some(text)) => {
                if text.len() > SHORT_MAX {
                    blocks.push(Buffer::from(text.as_bytes()));
                }
                Views::Constant(make_view(text.as_bytes(), first, 0))
            }
        }
    }
}

/// A view with the number of its block, if it has one, moved up.
#[inline]
fn moved(view: u128, first: u32) -> u128 {
    let long = view as u32 > SHORT_MAX as u32;
    // The sum stays within the number's bits: there are not more blocks than it can count.
    view + (u128::from(if long { first } else { 0 }) << 64)
}

/// Which texts are not NULL; `None` if all are.
fn validity(texts: Texts, rows: usize) -> Option<BooleanBuffer> {
    match texts {
        Texts::Column(column) => column.nulls().map(|nulls| nulls.inner().clone()),
        Texts::Constant(None) => Some(BooleanBuffer::new_unset(rows)),
        Texts::Constant(Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROWS: usize = 12;

    fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
        prop::collection::vec(prop::option::of("[a-zé]{0,16}"), ROWS)
    }

    fn places() -> impl Strategy<Value = (bool, Vec<Option<String>>)> {
        (any::<bool>(), texts())
    }

    proptest! {
        #[test]
        fn each_row_has_the_text_of_its_first_choice(
            choices in prop::collection::vec((prop::collection::vec(any::<bool>(), ROWS), places()), 0..4),
            last in places(),
        ) {
            let all: Vec<_> = choices.iter().map(|(_, place)| place).chain([&last]).collect();
            let columns: Vec<StringViewArray> = all.iter()
                .map(|(_, texts)| StringViewArray::from_iter(texts.iter().map(Option::as_deref)))
                .collect();
            // A constant is the first text of its list.
            let given = |at: usize| match all[at] {
                (true, _) => Texts::Column(&columns[at]),
                (false, texts) => Texts::Constant(texts[0].as_deref()),
            };
            let masks: Vec<_> = choices.iter().enumerate()
                .map(|(at, (chosen, _))| (BooleanBuffer::from(chosen.as_slice()), given(at)))
                .collect();
            let (views, buffers, nulls) = choose(ROWS, &masks, given(choices.len())).into_parts();
            let column = StringViewArray::try_new(views, buffers, nulls).unwrap();
            let expected = (0..ROWS).map(|row| {
                let first = choices.iter().position(|(chosen, _)| chosen[row]);
                let (column, texts) = all[first.unwrap_or(choices.len())];
                texts[if *column { row } else { 0 }].as_deref()
            });
            prop_assert_eq!(column, StringViewArray::from_iter(expected));
        }
    }
}
