//! The shapes of a snapshot's entries, and how entries of an older shape are read.

use super::key_index::ErasedKeyIndex;
use super::table::StateTable;
use crate::data::{Data, Field, Rewrite, Schema};
use crate::error::{Error, Result};

/// The stored name of a value with a time to live: no type of a program can have it.
pub(super) const TIMED: &str = "value with a time to live";

const KEYED: &str = "keyed";
const KEY: &str = "key";

/// The shape of a table's entries, the key included.
pub(super) fn entry(table: &dyn StateTable, keys: Option<&dyn ErasedKeyIndex>) -> Schema {
    match keys {
        Some(keys) if table.has_keys() => Schema::Struct(
            KEYED.into(),
            vec![
                Field::new(KEY, keys.schema()),
                Field::new("value", table.schema()),
            ],
        ),
        _ => table.schema(),
    }
}

/// The shape of a timer.
pub(super) fn timer(keys: Option<&dyn ErasedKeyIndex>) -> Schema {
    let time = Field::new("time", i64::schema());
    let key = keys.map(|keys| Field::new(KEY, keys.schema()));
    Schema::Struct("timer".into(), std::iter::once(time).chain(key).collect())
}

/// How entries of a stored shape become entries of `table`; none if they are.
pub(super) fn rewrite(
    stored: &Schema,
    table: &dyn StateTable,
    keys: Option<&dyn ErasedKeyIndex>,
) -> Result<Option<Rewrite>> {
    match (keyed_parts(stored), keys.filter(|_| table.has_keys())) {
        (Some((key, value)), Some(keys)) => {
            check_key(key, keys)?;
            check_ttl(value, &table.schema())?;
            match Rewrite::between(value, &table.schema())? {
                Some(rewrite) => rewrite.behind(key).map(Some),
                None => Ok(None),
            }
        }
        (Some(_), None) => Err(Error::user("stored under keys, now without")),
        (None, Some(_)) => Err(Error::user("stored without keys, now under keys")),
        (None, None) => Rewrite::between(stored, &table.schema()),
    }
}

/// Refuses timers whose keys are stored with other bytes than today's.
pub(super) fn check_timer_key(stored: &Schema, keys: Option<&dyn ErasedKeyIndex>) -> Result<()> {
    match (stored, keys) {
        (Schema::Struct(_, fields), Some(keys)) => {
            let key = fields.iter().find(|field| field.name.text == KEY);
            key.map_or(Ok(()), |key| check_key(&key.schema, keys))
        }
        _ => Ok(()),
    }
}

fn check_key(stored: &Schema, keys: &dyn ErasedKeyIndex) -> Result<()> {
    Rewrite::check_key(stored, &keys.schema()).map_err(|error| error.context(KEY))
}

/// Nobody knows when values began to live that were stored without a time.
fn check_ttl(stored: &Schema, declared: &Schema) -> Result<()> {
    match (has_ttl(stored), has_ttl(declared)) {
        (false, true) => Err(Error::user(
            "stored without a time to live, now with one: its values have no time",
        )),
        (true, false) => Err(Error::user(
            "stored with a time to live, now without: expired values would come back",
        )),
        _ => Ok(()),
    }
}

fn has_ttl(schema: &Schema) -> bool {
    match schema {
        Schema::Struct(name, _) => name.text == TIMED,
        Schema::List(element) | Schema::Map(_, element) => has_ttl(element),
        _ => false,
    }
}

/// The shape of the keys of stored entries, if they have keys.
pub(super) fn stored_key(stored: &Schema) -> Option<&Schema> {
    keyed_parts(stored).map(|(key, _)| key)
}

fn keyed_parts(schema: &Schema) -> Option<(&Schema, &Schema)> {
    match schema {
        Schema::Struct(name, fields) if name.text == KEYED => match fields.as_slice() {
            [key, value] if key.name.text == KEY => Some((&key.schema, &value.schema)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{InstantSlots, Redistribution, StateRegistry, StateSnapshot};
    use crate::data::{Data, Key};
    use crate::error::ErrorKind;
    use crate::time::ProcessingTime;

    const GROUPS: u32 = 8;

    fn snapshot(
        states: &mut StateRegistry,
        timers: Vec<(&'static str, InstantSlots)>,
    ) -> StateSnapshot {
        let frozen = states.freeze(GROUPS, ProcessingTime(0), timers);
        frozen.and_then(|frozen| frozen.whole().encode()).unwrap()
    }

    /// A snapshot of `value` under `key`, with a timer.
    fn stored<K: Key, T: Data>(key: K, value: T) -> StateSnapshot {
        let mut states = StateRegistry::default();
        states.keyed_by::<K>();
        let handle = states.keyed::<T>("total");
        let slot = states.keys_mut::<K>().unwrap().intern_key(key);
        states.value_or_insert_with(&handle, slot, || value);
        snapshot(&mut states, vec![("event-time", vec![(5, vec![slot])])])
    }

    fn restored<K: Key, T: Data>(snapshot: &StateSnapshot, key: K) -> Result<Option<T>, String> {
        let mut states = StateRegistry::default();
        states.keyed_by::<K>();
        let handle = states.keyed::<T>("total");
        let timers = states
            .restore(snapshot)
            .map_err(|error| error.to_string())?;
        let slot = states.keys_mut::<K>().unwrap().intern_key(key);
        assert_eq!(timers, [("event-time".to_owned(), 5, slot)]);
        Ok(states.get(&handle).get(slot).cloned())
    }

    #[test]
    fn a_value_behind_a_key_of_any_length_is_read_as_its_newer_type() {
        let snapshot = stored("key".to_owned(), vec![(1u8, 0.5f32)]);
        let newer = restored::<_, Vec<(u64, Option<f64>)>>(&snapshot, "key".to_owned());
        assert_eq!(newer, Ok(Some(vec![(1, Some(0.5))])));
        let same = restored::<_, Vec<(u8, f32)>>(&snapshot, "key".to_owned());
        assert_eq!(same, Ok(Some(vec![(1, 0.5)])));
    }

    #[test]
    fn a_key_may_be_renamed_but_not_widened() {
        #[derive(Clone, PartialEq, Eq, Hash, thalweg_derive::Data)]
        #[data(crate = "crate")]
        struct Id {
            n: u32,
        }
        #[derive(Clone, PartialEq, Eq, Hash, thalweg_derive::Data)]
        #[data(crate = "crate", alias = "Id")]
        struct Customer {
            #[data(alias = "n")]
            number: u32,
        }
        let snapshot = stored(Id { n: 3 }, 7u8);
        assert_eq!(restored(&snapshot, Customer { number: 3 }), Ok(Some(7u16)));

        let snapshot = stored(3u32, 7u8);
        let refused = "key: stored as u32, now u64; the bytes of a key say its key group and \
                       cannot change";
        assert_eq!(
            restored::<_, u8>(&snapshot, 3u64),
            Err(format!("state `total`: {refused}"))
        );
        let timers = StateSnapshot {
            tables: snapshot.tables[1..].to_vec(),
            stores: Vec::new(),
        };
        assert_eq!(
            restored::<_, u8>(&timers, 3u64),
            Err(format!("timers `event-time`: {refused}"))
        );
    }

    #[test]
    fn state_is_not_read_as_another_kind_of_state() {
        let mut without = StateRegistry::default();
        let list = without.operator_list::<u8>("total", Redistribution::Split);
        list.get_mut(&mut without).push(1);
        let error = restored::<_, u8>(&snapshot(&mut without, Vec::new()), 3u32).unwrap_err();
        assert_eq!(error, "state `total`: stored without keys, now under keys");

        let keyed = StateSnapshot {
            tables: stored(3u32, 7u8).tables[..1].to_vec(),
            stores: Vec::new(),
        };
        let error = without.restore(&keyed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User);
        assert_eq!(
            error.to_string(),
            "state `total`: stored under keys, now without"
        );
    }

    #[test]
    fn elements_of_operator_lists_are_read_as_their_newer_type() {
        let mut states = StateRegistry::default();
        let list = states.operator_list::<(u64, u32)>("splits", Redistribution::Split);
        list.get_mut(&mut states).push((1, 2));
        let snapshot = snapshot(&mut states, Vec::new());
        let mut states = StateRegistry::default();
        let list = states.operator_list::<(u64, i64)>("splits", Redistribution::Split);
        assert!(states.restore(&snapshot).unwrap().is_empty());
        assert_eq!(list.get(&states), [(1, 2)]);
    }
}
