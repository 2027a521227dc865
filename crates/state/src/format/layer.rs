//! A layer of an operator instance's keyed state, in bytes.

use thalweg_core::data::{Data, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::state::{LayerTable, LayerView, StateLayer};

use super::entries;
use super::envelope::ByteSink;

/// Writes a layer, encoding it as it goes. Returns how many entries and removals it holds.
///
/// # Errors
/// What `out` fails with.
pub fn write_layer(layer: &LayerView<'_>, out: &mut ByteSink<'_>) -> Result<usize> {
    out(&[u8::from(layer.whole)])?;
    let mut count = entries::write(&layer.removed, out)?;
    out(&(layer.tables.len() as u32).to_le_bytes())?;
    for table in &layer.tables {
        out(&(table.name.len() as u32).to_le_bytes())?;
        out(table.name.as_bytes())?;
        count += entries::write(&table.cleared, out)?;
        count += entries::write(&table.entries, out)?;
    }
    Ok(count)
}

/// Reads a layer of a version that takes up all of `bytes`.
///
/// # Errors
/// `Corrupt` if they are no layer.
pub fn read_layer(version: u32, bytes: &[u8]) -> Result<StateLayer> {
    let mut input = bytes;
    let whole = bool::decode(&mut input)?;
    let removed = entries::read(version, &mut input)?;
    let mut tables = Vec::new();
    for _ in 0..take_len(&mut input, 12)? {
        tables.push(LayerTable {
            name: String::decode(&mut input)?,
            cleared: entries::read(version, &mut input)?,
            entries: entries::read(version, &mut input)?,
        });
    }
    if !input.is_empty() {
        let left = input.len();
        return Err(Error::corrupt(format!(
            "{left} bytes are left behind a layer"
        )));
    }
    Ok(StateLayer {
        whole,
        removed,
        tables,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::VERSION;
    use proptest::prelude::*;
    use thalweg_core::state::Entries;

    fn entries() -> impl Strategy<Value = Entries> {
        let entry = (0u32..32_768, prop::collection::vec(any::<u8>(), 0..20));
        let entry = entry.prop_map(|(group, bytes)| (Some(group), bytes));
        prop::collection::vec(entry, 0..5).prop_map(|entries| entries.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_layer_comes_back_and_a_part_of_one_does_not(
            whole in any::<bool>(),
            removed in entries(),
            tables in prop::collection::vec(("[a-z]{0,4}", entries(), entries()), 0..3),
        ) {
            let tables = tables.into_iter();
            let tables = tables.map(|(name, cleared, entries)| LayerTable { name, cleared, entries });
            let layer = StateLayer { whole, removed, tables: tables.collect() };
            let mut bytes = Vec::new();
            let count = write_layer(&LayerView::from(&layer), &mut |part| {
                bytes.extend_from_slice(part);
                Ok(())
            });
            prop_assert_eq!(count.unwrap(), layer.len());
            prop_assert_eq!(read_layer(VERSION, &bytes).unwrap(), layer);
            for end in 0..bytes.len() {
                prop_assert!(read_layer(VERSION, &bytes[..end]).is_err());
            }
            bytes.push(0);
            prop_assert!(read_layer(VERSION, &bytes).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_layer(VERSION, &bytes);
        }
    }
}
