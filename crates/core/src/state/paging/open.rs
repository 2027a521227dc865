//! How the tables of an operator instance come into a store.

use std::ops::ControlFlow;

use super::super::bits::Bits;
use super::super::declared::Declared;
use super::super::key_index::ErasedKeyIndex;
use super::super::paging_spec::PagingSpec;
use super::super::schemas;
use super::super::snapshot::{KeyGroups, StoreSnapshot, StoredTable};
use super::super::store::{
    ByteRows, OpenStore, StateStore, StoreTable, StoredKey, WriteBatch, table_range,
};
use super::{Numbered, Paging, paged};
use crate::data::Rewrite;
use crate::error::{Error, Result};

// Entries of an older shape are rewritten so many at a time.
const REWRITTEN_MAX: usize = 8192;

impl Paging {
    /// Opens the store of an instance that has declared keyed tables; `None` if it has none.
    pub(in crate::state) fn open(
        spec: PagingSpec,
        declared: &mut [Declared],
        keys: Option<&dyn ErasedKeyIndex>,
        restore: &[StoreSnapshot],
    ) -> Result<Option<Self>> {
        let (Some(keys), true) = (keys, declared.iter_mut().any(|d| d.table.paged().is_some()))
        else {
            return Ok(None);
        };
        let before = restore.first().map_or(&[][..], |first| &first.tables);
        if restore.iter().any(|store| store.tables != before) {
            return Err(Error::corrupt(
                "the instances of an operator have stored different states",
            ));
        }
        let (tables, names) = number(declared, before)?;
        let mut of_store = vec![StoreTable::default(); names.len()];
        for table in &tables {
            of_store[usize::from(table.number)].ttl = paged(&mut declared[table.declared])?.ttl();
        }
        let checkpoints: Vec<_> = restore
            .iter()
            .map(|store| store.checkpoint.clone())
            .collect();
        let mut store = spec.backend.open(OpenStore {
            directory: &spec.store(),
            id: &spec.id,
            key_groups: spec.key_groups.clone(),
            tables: &of_store,
            clock: spec.clock.clone(),
            restore: &checkpoints,
        })?;
        for (number, stored) in before.iter().enumerate() {
            let of = tables
                .iter()
                .find(|table| usize::from(table.number) == number);
            let of = of.map(|table| &declared[table.declared]);
            take_over(
                store.as_mut(),
                &spec.key_groups,
                number as u8,
                stored,
                of,
                keys,
            )
            .map_err(|error| error.context(format!("state `{}`", stored.name)))?;
        }
        spec.cache.enter();
        Ok(Some(Paging {
            store,
            spec,
            tables,
            of_store,
            names,
            checkpoints: 0,
            resident: Bits::default(),
            residents: 0,
            recent: Bits::default(),
            hand: 0,
            absent: Vec::new(),
            behind_pointers: 0.0,
            keys: ByteRows::default(),
            writes: WriteBatch::default(),
            scratch: Vec::new(),
        }))
    }
}

/// Numbers the tables that are kept in a store, and begins to note their changes: those that are
/// stored keep their numbers. Returns the names of all by number.
fn number(
    declared: &mut [Declared],
    stored: &[StoredTable],
) -> Result<(Vec<Numbered>, Vec<String>)> {
    let mut names: Vec<String> = stored.iter().map(|table| table.name.clone()).collect();
    let mut tables = Vec::new();
    for (position, declared) in declared.iter_mut().enumerate() {
        let Some(table) = declared.table.paged() else {
            continue;
        };
        table.track();
        let known = names.iter().position(|name| *name == declared.name);
        let number = known.unwrap_or_else(|| {
            names.push(declared.name.clone());
            names.len() - 1
        });
        let number = u8::try_from(number).map_err(|_| {
            Error::unsupported("an operator has at most 256 keyed states in a store")
        })?;
        tables.push(Numbered {
            declared: position,
            number,
        });
    }
    Ok((tables, names))
}

/// Brings what is stored of a state into today's shape.
fn take_over(
    store: &mut dyn StateStore,
    groups: &KeyGroups,
    number: u8,
    stored: &StoredTable,
    declared: Option<&Declared>,
    keys: &dyn ErasedKeyIndex,
) -> Result<()> {
    let Some(declared) = declared else {
        return refuse_orphans(store, groups, number, &stored.name);
    };
    let rewrite = schemas::rewrite(&stored.schema, declared.table.as_ref(), Some(keys))?;
    match rewrite {
        Some(rewrite) => rewrite_table(store, groups, number, &rewrite),
        None => Ok(()),
    }
}

/// A state that is no longer declared may only be left behind when it is empty.
fn refuse_orphans(
    store: &mut dyn StateStore,
    groups: &KeyGroups,
    number: u8,
    name: &str,
) -> Result<()> {
    let mut found = false;
    for group in groups.clone() {
        let (start, end) = table_range(group, number);
        store.scan(&start, &end, &mut |_, _| {
            found = true;
            Ok(ControlFlow::Break(()))
        })?;
    }
    if found {
        return Err(super::super::registry::undeclared(name));
    }
    Ok(())
}

fn rewrite_table(
    store: &mut dyn StateStore,
    groups: &KeyGroups,
    number: u8,
    rewrite: &Rewrite,
) -> Result<()> {
    let mut writes = WriteBatch::default();
    let mut entry = Vec::new();
    for group in groups.clone() {
        let (start, end) = table_range(group, number);
        let mut from = start.to_vec();
        loop {
            let mut last = Vec::new();
            store.scan(&from, &end, &mut |key, value| {
                let parts = StoredKey::parse(key)?;
                entry.clear();
                entry.extend_from_slice(parts.key);
                entry.extend_from_slice(value);
                let rewritten = rewrite.apply(&entry)?;
                // A key keeps its bytes: another shape of it is refused.
                writes.put(key, &rewritten[parts.key.len()..]);
                if writes.len() < REWRITTEN_MAX {
                    return Ok(ControlFlow::Continue(()));
                }
                last.extend_from_slice(key);
                Ok(ControlFlow::Break(()))
            })?;
            store.write(&writes)?;
            writes.clear();
            if last.is_empty() {
                break;
            }
            // The first key behind it.
            last.push(0);
            from = last;
        }
    }
    Ok(())
}
