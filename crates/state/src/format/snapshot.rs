//! The state of one operator instance, in bytes.

use thalweg_core::data::{Data, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::state::{Entries, Redistribution, StateSnapshot, TableSnapshot};

use super::{schema, stores};

const ENTRY_BYTES_MIN: usize = 8;

const REDISTRIBUTIONS: [Redistribution; 6] = [
    Redistribution::KeyGroup,
    Redistribution::Timers,
    Redistribution::Split,
    Redistribution::Union,
    Redistribution::Broadcast,
    Redistribution::InFlight,
];

/// Appends a snapshot.
pub fn write_snapshot(snapshot: &StateSnapshot, out: &mut Vec<u8>) {
    (snapshot.tables.len() as u32).encode(out);
    for table in &snapshot.tables {
        table.name.encode(out);
        let number = REDISTRIBUTIONS
            .iter()
            .position(|known| *known == table.redistribution);
        // INVARIANT: the list has every variant; a test holds it.
        out.push(number.unwrap_or_default() as u8);
        schema::write(&table.schema, out);
        (table.entries.len() as u32).encode(out);
        out.extend_from_slice(table.entries.as_bytes());
    }
    stores::write(&snapshot.stores, out);
}

/// Reads a snapshot of a version that takes up all of `bytes`.
///
/// # Errors
/// `Corrupt` if they are no snapshot.
pub fn read_snapshot(version: u32, bytes: &[u8]) -> Result<StateSnapshot> {
    let mut input = bytes;
    let mut snapshot = StateSnapshot::default();
    for _ in 0..take_len(&mut input, 10)? {
        snapshot.tables.push(read_table(&mut input)?);
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

fn read_table(input: &mut &[u8]) -> Result<TableSnapshot> {
    let name = String::decode(input)?;
    let number = u8::decode(input)?;
    let redistribution = REDISTRIBUTIONS.get(usize::from(number)).copied();
    let redistribution = redistribution.ok_or_else(|| {
        Error::corrupt(format!(
            "state `{name}` moves in an unknown way (`{number}`)"
        ))
    })?;
    let schema = schema::read(input)?;
    let count = take_len(input, ENTRY_BYTES_MIN)?;
    let entries = Entries::take(input, count)?;
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
            write_snapshot(&snapshot, &mut bytes);
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
