//! The keys of a table in a store, some at a time.

use std::ops::ControlFlow;

use super::super::declared::Declared;
use super::super::key_index::ErasedKeyIndex;
use super::super::snapshot::KeyGroups;
use super::super::store::{StoredKey, table_range};
use super::Paging;
use crate::error::{Error, Result};

// Keys that are brought into memory together.
const VISITED_AT_ONCE: usize = 256;

/// How far a visit has come.
pub(crate) struct StoredKeys {
    number: u8,
    /// The key groups that are not yet done.
    groups: KeyGroups,
    /// Where it goes on in the first of them; `None` at its beginning.
    from: Option<Vec<u8>>,
}

impl Paging {
    /// Begins a visit of the keys of a declared table.
    pub(in crate::state) fn visit_keys(
        &mut self,
        declared: &mut [Declared],
        keys: &dyn ErasedKeyIndex,
        position: usize,
    ) -> Result<StoredKeys> {
        self.write_changes(declared, keys)?;
        let mut tables = self.tables.iter();
        let table = tables.find(|table| table.declared == position);
        let table = table.ok_or_else(|| Error::internal("a keyed table is not in the store"))?;
        Ok(StoredKeys {
            number: table.number,
            groups: self.spec.key_groups.clone(),
            from: None,
        })
    }

    /// The canonical bytes of the next keys; none at the end. What is written meanwhile at keys that
    /// were visited does not matter.
    pub(in crate::state) fn next_keys(&mut self, visit: &mut StoredKeys) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        while !visit.groups.is_empty() && found.len() < VISITED_AT_ONCE {
            let (start, end) = table_range(visit.groups.start, visit.number);
            let from = visit.from.take().unwrap_or_else(|| start.to_vec());
            let mut last = None;
            self.store.scan(&from, &end, &mut |key, _| {
                found.push(StoredKey::parse(key)?.key.to_vec());
                if found.len() < VISITED_AT_ONCE {
                    return Ok(ControlFlow::Continue(()));
                }
                last = Some(key.to_vec());
                Ok(ControlFlow::Break(()))
            })?;
            match last {
                // The first key behind it.
                Some(mut last) => {
                    last.push(0);
                    visit.from = Some(last);
                }
                None => visit.groups.start += 1,
            }
        }
        Ok(found)
    }
}
