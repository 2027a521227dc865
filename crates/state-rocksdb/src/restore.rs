//! Opening a store from checkpoints, of its own key groups or of others.
//!
//! ```text
//!   checkpoints  [0..40) [40..80) [80..128)        wanted: [30..90)
//!                   │       │        │
//!                import    base    import          base: the one with most bytes to keep
//! ```
//!
//! The files of the base are linked and opened as they are; what lies outside the wanted key
//! groups is deleted by range. The others are read in order of their keys, and their wanted part
//! is written as sorted files that are taken in without being merged.

use std::fs;
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};

use rocksdb::{DB, IngestExternalFileOptions, Options, ReadOptions, SstFileWriter};
use thalweg_core::collections::HashMap;
use thalweg_core::error::{Error, Result};
use thalweg_core::state::KeyGroups;
use thalweg_core::state::store::{
    MAX_KEY_GROUPS, OpenStore, StoreCheckpoint, StoreFile, group_range,
};

use crate::failure::{failed, on_path};
use crate::store::SORTED_FILE;
use crate::{NAME, tuning};

/// What shared files are called in checkpoints, by their local name.
pub(crate) type Inherited = HashMap<String, String>;

/// Which checkpoint is opened as it is, and which are read.
pub(crate) struct Plan<'a> {
    pub(crate) base: Option<&'a StoreCheckpoint>,
    pub(crate) others: Vec<&'a StoreCheckpoint>,
}

pub(crate) fn plan<'a>(open: &OpenStore<'a>) -> Result<Plan<'a>> {
    if let Some(foreign) = open.restore.iter().find(|from| from.backend != NAME) {
        return Err(Error::unsupported(format!(
            "the checkpoint is of the state backend `{}`, which `{NAME}` cannot read: restore it \
             with that one",
            foreign.backend
        )));
    }
    let wanted = |from: &&StoreCheckpoint| !overlap(&from.key_groups, &open.key_groups).is_empty();
    let mut others: Vec<&StoreCheckpoint> = open.restore.iter().filter(wanted).collect();
    let base = (0..others.len()).max_by_key(|at| kept_bytes(others[*at], &open.key_groups));
    let base = base.map(|at| others.remove(at));
    Ok(Plan { base, others })
}

fn overlap(a: &KeyGroups, b: &KeyGroups) -> KeyGroups {
    a.start.max(b.start)..a.end.min(b.end)
}

/// The bytes within `wanted`, as if all groups were of one size.
fn kept_bytes(from: &StoreCheckpoint, wanted: &KeyGroups) -> u64 {
    let kept = overlap(&from.key_groups, wanted).len() as u64;
    from.total_bytes() / (from.key_groups.len() as u64).max(1) * kept
}

/// Puts the files of a checkpoint where a database is opened. Sorted files are linked, since
/// nobody changes them; the others are copied.
pub(crate) fn place_files(from: &StoreCheckpoint, directory: &Path) -> Result<Inherited> {
    let mut inherited = Inherited::default();
    for file in &from.files {
        check(file)?;
        let local = local_name(file);
        let place = directory.join(local);
        if local.ends_with(SORTED_FILE) {
            link(&file.path, &place)?;
            inherited.insert(local.to_owned(), file.name.clone());
        } else {
            on_path(fs::copy(&file.path, &place), "copy", &file.path)?;
        }
    }
    Ok(inherited)
}

/// What a file is called within the database: what stands behind the id of the store, if the file
/// is shared.
fn local_name(file: &StoreFile) -> &str {
    match file.name.rsplit_once('-') {
        Some((_, local)) if local.ends_with(SORTED_FILE) => local,
        _ => &file.name,
    }
}

/// Refuses a file that is not there or was cut: RocksDB may notice only when it reads there.
fn check(file: &StoreFile) -> Result<()> {
    let path = file.path.display();
    match fs::metadata(&file.path) {
        Ok(found) if found.len() == file.bytes => Ok(()),
        Ok(found) => Err(Error::corrupt(format!(
            "`{path}` of a state store has {} bytes, not {}",
            found.len(),
            file.bytes
        ))),
        Err(error) if error.kind() == IoKind::NotFound => Err(Error::corrupt(format!(
            "`{path}` of a state store does not exist"
        ))),
        Err(error) => on_path(Err(error), "read", &file.path),
    }
}

fn link(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        // Another file system, or one without links.
        Err(_) => on_path(fs::copy(from, to).map(drop), "copy", from),
    }
}

/// Deletes what a base has outside of the wanted key groups: whole files at once, the rest by a
/// mark that merges carry out.
pub(crate) fn clip(db: &DB, has: &KeyGroups, wanted: &KeyGroups) -> Result<()> {
    for outside in [0..wanted.start, wanted.end..MAX_KEY_GROUPS] {
        if overlap(has, &outside).is_empty() {
            continue;
        }
        let (start, end) = group_range(&outside);
        db.delete_file_in_range(start, end)
            .map_err(|error| failed("drop files of other key groups", error))?;
        let mut batch = rocksdb::WriteBatch::default();
        batch.delete_range(start, end);
        db.write_opt(batch, &tuning::writes())
            .map_err(|error| failed("drop other key groups", error))?;
    }
    Ok(())
}

/// The taking over of a part of another instance's checkpoint.
pub(crate) struct Import<'a> {
    pub(crate) from: &'a StoreCheckpoint,
    pub(crate) directory: PathBuf,
    pub(crate) file_bytes: u64,
}

impl Import<'_> {
    pub(crate) fn run(&self, db: &DB, options: &Options, open: &OpenStore<'_>) -> Result<()> {
        let source = self.directory.join("db");
        on_path(fs::create_dir_all(&source), "create", &source)?;
        place_files(self.from, &source)?;
        let reader = DB::open_for_read_only(options, &source, false).map_err(|error| {
            failed("be opened", error).context(format!("directory `{}`", source.display()))
        })?;
        let files = self.write_sorted(&reader, options, open)?;
        drop(reader);
        if !files.is_empty() {
            let mut ingest = IngestExternalFileOptions::default();
            ingest.set_move_files(true);
            db.ingest_external_file_opts(&ingest, files)
                .map_err(|error| failed("take sorted files in", error))?;
        }
        on_path(
            fs::remove_dir_all(&self.directory),
            "delete",
            &self.directory,
        )
    }

    /// Writes the wanted entries that are not expired into new sorted files.
    fn write_sorted(
        &self,
        reader: &DB,
        options: &Options,
        open: &OpenStore<'_>,
    ) -> Result<Vec<PathBuf>> {
        let (start, end) = group_range(&overlap(&self.from.key_groups, &open.key_groups));
        let now_ms = open.clock.now().millis();
        let mut reads = ReadOptions::default();
        reads.set_iterate_lower_bound(start);
        reads.set_iterate_upper_bound(end);
        reads.fill_cache(false);
        let writing = |error| failed("write sorted files", error);
        let mut files = Vec::new();
        let mut writer: Option<SstFileWriter<'_>> = None;
        let mut entries = reader.raw_iterator_opt(reads);
        entries.seek_to_first();
        while let Some((key, value)) = entries.item() {
            if !tuning::is_expired(open.tables, key, value, now_ms) {
                let current = match &mut writer {
                    Some(current) => current,
                    none => {
                        let path = self.directory.join(format!("{}{SORTED_FILE}", files.len()));
                        let created = SstFileWriter::create(options);
                        created.open(&path).map_err(writing)?;
                        files.push(path);
                        none.insert(created)
                    }
                };
                current.put(key, value).map_err(writing)?;
                if current.file_size() >= self.file_bytes {
                    current.finish().map_err(writing)?;
                    writer = None;
                }
            }
            entries.next();
        }
        entries.status().map_err(|error| failed("be read", error))?;
        if let Some(mut last) = writer {
            last.finish().map_err(writing)?;
        }
        Ok(files)
    }
}
