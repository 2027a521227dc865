//! The state of one operator instance, in bytes.

use thalweg_core::data::{Data, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::state::{Redistribution, StateSnapshot, StateView, TableSnapshot};

use super::envelope::ByteSink;
use super::{entries, schema, stores};

const REDISTRIBUTIONS: [Redistribution; 6] = [
    Redistribution::KeyGroup,
    Redistribution::Timers,
    Redistribution::Split,
    Redistribution::Union,
    Redistribution::Broadcast,
    Redistribution::InFlight,
];

/// Writes a state, encoding it as it goes.
///
/// # Errors
/// What `out` fails with; what a store fails with that the state lies in.
pub fn write_snapshot(state: &StateView<'_>, out: &mut ByteSink<'_>) -> Result<()> {
    let mut head = Vec::new();
    (state.tables.len() as u32).encode(&mut head);
    for table in &state.tables {
        head.extend_from_slice(&(table.name.len() as u32).to_le_bytes());
        head.extend_from_slice(table.name.as_bytes());
        let number = REDISTRIBUTIONS
            .iter()
            .position(|known| *known == table.redistribution);
        // INVARIANT: the list has every variant; a test holds it.
        head.push(number.unwrap_or_default() as u8);
        schema::write(table.schema, &mut head);
        out(&head)?;
        head.clear();
        entries::write(&table.content, out)?;
    }
    stores::write(&state.stores, &mut head);
    out(&head)
}

/// Reads a snapshot of a version that takes up all of `bytes`.
///
/// # Errors
/// `Corrupt` if they are no snapshot.
pub fn read_snapshot(version: u32, bytes: &[u8]) -> Result<StateSnapshot> {
    let mut input = bytes;
    let mut snapshot = StateSnapshot::default();
    for _ in 0..take_len(&mut input, 10)? {
        snapshot.tables.push(read_table(version, &mut input)?);
    }
    if version >= 2 {
        snapshot.stores = stores::read(&mut input)?;
    }
    if input.is_empty() {
        Ok(snapshot)
    } else {
        let left = input.len();
        Err(Error::corrupt(format!(
            "{left} bytes are left behind a snapshot"
        )))
    }
}

fn read_table(version: u32, input: &mut &[u8]) -> Result<TableSnapshot> {
    let name = String::decode(input)?;
    let number = u8::decode(input)?;
    let redistribution = REDISTRIBUTIONS.get(usize::from(number)).copied();
    let redistribution = redistribution.ok_or_else(|| {
        Error::corrupt(format!(
            "state `{name}` moves in an unknown way (`{number}`)"
        ))
    })?;
    let schema = schema::read(input)?;
    let entries = entries::read(version, input)?;
    Ok(TableSnapshot {
        name,
        redistribution,
        schema,
        entries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::VERSION;
    use proptest::prelude::*;
    use thalweg_core::data::Schema;

    fn table() -> impl Strategy<Value = TableSnapshot> {
        let group = prop_oneof![Just(None), (0u32..32_768).prop_map(Some)];
        let entry = (group, prop::collection::vec(any::<u8>(), 0..20));
        let entries =
            prop::collection::vec(entry, 0..8).prop_map(|entries| entries.into_iter().collect());
        ("[a-z_]{0,8}", 0usize..6, entries).prop_map(|(name, way, entries)| TableSnapshot {
            name,
            redistribution: REDISTRIBUTIONS[way],
            schema: Schema::List(Box::new(Schema::Int(8))),
            entries,
        })
    }

    proptest! {
        #[test]
        fn a_snapshot_comes_back(tables in prop::collection::vec(table(), 0..4)) {
            let snapshot = StateSnapshot { tables, stores: Vec::new() };
            let mut bytes = Vec::new();
            write_snapshot(&StateView::from(&snapshot), &mut |part| {
                bytes.extend_from_slice(part);
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(read_snapshot(VERSION, &bytes).unwrap(), snapshot);
            for end in 0..bytes.len() {
                prop_assert!(read_snapshot(VERSION, &bytes[..end]).is_err());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_snapshot(VERSION, &bytes);
        }
    }

    #[test]
    fn every_way_to_move_has_a_number() {
        let known = |way: Redistribution| match way {
            Redistribution::KeyGroup => 0,
            Redistribution::Timers => 1,
            Redistribution::Split => 2,
            Redistribution::Union => 3,
            Redistribution::Broadcast => 4,
            Redistribution::InFlight => 5,
        };
        let numbers: Vec<usize> = REDISTRIBUTIONS.iter().map(|way| known(*way)).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    }
}
