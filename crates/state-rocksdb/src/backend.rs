//! The backend: opens a database for each operator instance, within one memory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rocksdb::{DB, DEFAULT_COLUMN_FAMILY_NAME};
use thalweg_core::error::Result;
use thalweg_core::state::store::{OpenStore, StateBackend, StateStore};

use crate::failure::{failed, on_path};
use crate::memory::Memory;
use crate::options::RocksDbOptions;
use crate::restore::{self, Inherited};
use crate::store::{Naming, RocksDbStore};
use crate::{NAME, tuning};

/// Keeps state in databases of RocksDB, which together hold no more memory than they are given.
pub struct RocksDbBackend {
    options: RocksDbOptions,
    memory: Arc<Memory>,
}

impl RocksDbBackend {
    /// A backend whose stores together hold `memory_bytes`, unless the options say otherwise.
    ///
    /// # Errors
    /// `User` if that is too little.
    pub fn new(options: RocksDbOptions, memory_bytes: u64) -> Result<Self> {
        let memory = Arc::new(Memory::new(&options, memory_bytes)?);
        Ok(RocksDbBackend { options, memory })
    }

    /// [`StateBackend::open`], with the store's own type.
    ///
    /// # Errors
    /// As [`StateBackend::open`].
    pub fn open_store(&self, open: OpenStore<'_>) -> Result<RocksDbStore> {
        let directory = open.directory.join("db");
        match fs::remove_dir_all(open.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                on_path(Err(error), "empty", open.directory)?;
            }
            _ => {}
        }
        on_path(fs::create_dir_all(&directory), "create", &directory)?;
        let plan = restore::plan(&open)?;
        let inherited = match plan.base {
            Some(base) => restore::place_files(base, &directory)?,
            None => Inherited::default(),
        };
        let options = tuning::database(&self.options, &self.memory, open.tables, &open.clock);
        // By name: only so are lookups of many keys at once possible.
        let family = (DEFAULT_COLUMN_FAMILY_NAME, options.clone());
        let opened = DB::open_cf_with_opts(&options, &directory, [family]);
        let db = opened.map_err(|error| {
            failed("be opened", error).context(format!("directory `{}`", directory.display()))
        })?;
        if let Some(base) = plan.base {
            restore::clip(&db, &base.key_groups, &open.key_groups)?;
        }
        for (number, other) in plan.others.iter().enumerate() {
            let import = restore::Import {
                from: other,
                directory: open.directory.join(format!("import-{number}")),
                file_bytes: self.options.target_file_bytes,
            };
            import.run(&db, &options, &open)?;
        }
        let naming = Naming {
            id: open.id.to_owned(),
            inherited,
            incremental: self.options.incremental,
        };
        Ok(RocksDbStore::new(
            db,
            Arc::clone(&self.memory),
            open.key_groups,
            naming,
        ))
    }
}

impl StateBackend for RocksDbBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn memory_budget_bytes(&self) -> u64 {
        self.memory.budget_bytes
    }

    fn release(&self, directory: &Path) {
        // What cannot be deleted costs room only.
        let _ = fs::remove_dir_all(directory);
    }

    fn open(&self, open: OpenStore<'_>) -> Result<Box<dyn StateStore>> {
        Ok(Box::new(self.open_store(open)?))
    }
}
