//! A layer of an operator instance's keyed state, in bytes.

use thalweg_core::data::{Data, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::state::{Entries, LayerTable, StateLayer};

const ENTRY_BYTES_MIN: usize = 8;

/// Appends a layer.
pub fn write_layer(layer: &StateLayer, out: &mut Vec<u8>) {
    layer.whole.encode(out);
    write_entries(&layer.removed, out);
    (layer.tables.len() as u32).encode(out);
    for table in &layer.tables {
        table.name.encode(out);
        write_entries(&table.cleared, out);
        write_entries(&table.entries, out);
    }
}

/// Reads a layer that takes up all of `bytes`.
///
/// # Errors
/// `Corrupt` if they are no layer.
pub fn read_layer(bytes: &[u8]) -> Result<StateLayer> {
    let mut input = bytes;
    let whole = bool::decode(&mut input)?;
    let removed = read_entries(&mut input)?;
    let mut tables = Vec::new();
    for _ in 0..take_len(&mut input, 12)? {
        tables.push(LayerTable {
            name: String::decode(&mut input)?,
            cleared: read_entries(&mut input)?,
            entries: read_entries(&mut input)?,
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

fn write_entries(entries: &Entries, out: &mut Vec<u8>) {
    (entries.len() as u32).encode(out);
    out.extend_from_slice(entries.as_bytes());
}

fn read_entries(input: &mut &[u8]) -> Result<Entries> {
    let count = take_len(input, ENTRY_BYTES_MIN)?;
    Entries::take(input, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            write_layer(&layer, &mut bytes);
            prop_assert_eq!(read_layer(&bytes).unwrap(), layer);
            for end in 0..bytes.len() {
                prop_assert!(read_layer(&bytes[..end]).is_err());
            }
            bytes.push(0);
            prop_assert!(read_layer(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_layer(&bytes);
        }
    }
}
