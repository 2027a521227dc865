//! Storage in memory that outlives processes, with the faults of a real one.
//!
//! What [`CheckpointStorage`] promises holds: a file that was reported as written is there after a
//! crash, and a crash inside of a write leaves the old state, the whole file, or a part of it under
//! a hidden name. A failed write may have happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::state::{Entries, LayerView};
use thalweg_state::checkpoints::METADATA;
use thalweg_state::format::{FileKind, open, read_layer, seal, write_layer};
use thalweg_state::storage::{Buffered, CheckpointStorage, StorageFile};

use super::power::Power;
use crate::journal::Journal;
use crate::plant::Plant;
use crate::seed::Dice;

// Where layers of keyed state lie, below a job.
const LAYERS: &str = "/shared/layer-";

/// What the storage does to those who use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageFaults {
    /// Operations that change something fail now and then.
    pub failing: bool,
    /// Writes fail.
    pub full: bool,
}

struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    faults: StorageFaults,
    dice: Dice,
    /// Reported as written, but only of this process: a planted bug.
    forgotten: Vec<String>,
    failed_deletions: u64,
}

/// The storage.
#[derive(Clone)]
pub struct SimStorage {
    disk: Arc<Mutex<Disk>>,
    power: Arc<Power>,
    journal: Journal,
    plant: Option<Plant>,
}

impl SimStorage {
    /// An empty storage.
    pub fn new(dice: Dice, power: Arc<Power>, journal: Journal, plant: Option<Plant>) -> Self {
        let disk = Disk {
            files: BTreeMap::new(),
            faults: StorageFaults::default(),
            dice,
            forgotten: Vec::new(),
            failed_deletions: 0,
        };
        SimStorage {
            disk: Arc::new(Mutex::new(disk)),
            power,
            journal,
            plant,
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: StorageFaults) {
        self.disk().faults = faults;
    }

    /// How many deletions have failed so far.
    pub fn failed_deletions(&self) -> u64 {
        self.disk().failed_deletions
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.disk().files.keys().cloned().collect()
    }

    /// A copy without faults, for checkers: what they do to it changes nothing.
    pub fn copy(&self) -> SimStorage {
        let copy = SimStorage::new(Dice::new(0, 0), Arc::default(), Journal::default(), None);
        copy.disk().files = self.disk().files.clone();
        copy
    }

    /// The process has ended.
    pub fn crash(&self) {
        let mut disk = self.disk();
        for path in std::mem::take(&mut disk.forgotten) {
            disk.files.remove(&path);
        }
    }

    /// Damages a file, or one below a directory: a bit is flipped, or the end is missing.
    pub fn damage(&self, directory: &str) {
        let mut disk = self.disk();
        let below = format!("{directory}/");
        let paths: Vec<String> = disk
            .files
            .keys()
            .filter(|p| *p == directory || p.starts_with(&below))
            .cloned()
            .collect();
        if paths.is_empty() {
            return;
        }
        let at = disk.dice.below(paths.len() as u64) as usize;
        let Disk { files, dice, .. } = &mut *disk;
        if let Some(bytes) = files.get_mut(&paths[at]).filter(|bytes| !bytes.is_empty()) {
            let place = dice.below(bytes.len() as u64) as usize;
            if dice.one_in(2) {
                bytes.truncate(place);
            } else {
                bytes[place] ^= 1 << dice.below(8);
            }
            self.journal
                .note(format_args!("damaged {} at {place}", paths[at]));
        }
    }

    fn failed(&self, what: &str, path: &str) -> Error {
        self.journal.note(format_args!("failed: {what} {path}"));
        Error::new(
            ErrorKind::Retryable,
            format!("cannot {what} `{path}`: planted"),
        )
    }

    /// A layer on its way to a file: counted, and with the planted bug.
    fn layer(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (version, body) = open(FileKind::Layer, bytes)?;
        let mut layer = read_layer(version, body)?;
        self.journal.count(|counts| match layer.whole {
            true => counts.layers.0 += 1,
            false => counts.layers.1 += 1,
        });
        if self.plant == Some(Plant::ForgetRemoved) {
            layer.removed = Entries::default();
        }
        let mut body = Vec::new();
        write_layer(&LayerView::from(&layer), &mut |part| {
            body.extend_from_slice(part);
            Ok(())
        })?;
        Ok(seal(FileKind::Layer, &body))
    }

    /// The last write of a process.
    fn torn(&self, path: &str, bytes: &[u8]) -> Error {
        let mut disk = self.disk();
        match disk.dice.below(3) {
            0 => {}
            1 => drop(disk.files.insert(path.to_owned(), bytes.to_vec())),
            _ => {
                let part = disk.dice.below(bytes.len() as u64 + 1) as usize;
                let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
                let hidden = format!("{directory}/.{name}.writing");
                disk.files.insert(hidden, bytes[..part].to_vec());
            }
        }
        drop(disk);
        self.failed("finish writing", path)
    }
}

impl CheckpointStorage for SimStorage {
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        if self.power.is_off() {
            return Err(self.failed("write", path));
        }
        if !self.power.begin() {
            return Err(self.torn(path, bytes));
        }
        let mut disk = self.disk();
        if disk.faults.full {
            return Err(self.failed("find room for", path));
        }
        let fails = disk.faults.failing && disk.dice.one_in(3);
        if fails && disk.dice.one_in(2) {
            return Err(self.failed("write", path));
        }
        let stored = match path.contains(LAYERS) {
            true => self.layer(bytes)?,
            false => bytes.to_vec(),
        };
        disk.files.insert(path.to_owned(), stored);
        if self.plant == Some(Plant::ForgetMetadata) && path.ends_with(METADATA) {
            disk.forgotten.push(path.to_owned());
        }
        drop(disk);
        let hash = stable_hash_bytes(bytes);
        self.journal
            .note(format_args!("write {path} {} {hash:016x}", bytes.len()));
        if fails {
            return Err(self.failed("hear of the write of", path));
        }
        Ok(())
    }

    fn put_file(&self, path: &str, from: &Path) -> Result<()> {
        self.write(path, &std::fs::read(from)?)
    }

    fn get_file(&self, path: &str, _: u64) -> Result<PathBuf> {
        Err(Error::unsupported(format!(
            "`{path}`: simulated files are not files of this machine"
        )))
    }

    fn create<'a>(&'a self, path: &str) -> Result<Box<dyn StorageFile + 'a>> {
        Ok(Box::new(Buffered::new(self, path)))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        if self.power.is_off() {
            return Err(self.failed("read", path));
        }
        let mut disk = self.disk();
        if disk.faults.failing && disk.dice.one_in(8) {
            return Err(self.failed("read", path));
        }
        let file = disk.files.get(path).cloned();
        file.ok_or_else(|| Error::corrupt(format!("`{path}` does not exist")))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        if self.power.is_off() {
            return Err(self.failed("list", directory));
        }
        let prefix = if directory.is_empty() {
            String::new()
        } else {
            format!("{directory}/")
        };
        let disk = self.disk();
        let below = disk
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<String> = below
            .filter_map(|rest| rest.split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<()> {
        if self.plant == Some(Plant::KeepEverything) {
            return Ok(());
        }
        if self.power.is_off() {
            return Err(self.failed("delete", path));
        }
        let lives = self.power.begin();
        let mut disk = self.disk();
        if disk.faults.failing && disk.dice.one_in(3) {
            disk.failed_deletions += 1;
            return Err(self.failed("delete", path));
        }
        let below = format!("{path}/");
        let Disk { files, dice, .. } = &mut *disk;
        if let Some((job, number)) = path.split_once("/chk-")
            && self.plant == Some(Plant::DeleteLayers)
        {
            let layers = format!("{job}{LAYERS}{number}-");
            files.retain(|file, _| !file.starts_with(&layers));
        }
        // A deletion that is cut short has deleted some of the files.
        files.retain(|file, _| {
            let meant = file == path || file.starts_with(&below);
            !meant || (!lives && dice.one_in(2))
        });
        drop(disk);
        if !lives {
            return Err(self.failed("finish deleting", path));
        }
        self.journal.note(format_args!("delete {path}"));
        Ok(())
    }

    fn display(&self, path: &str) -> String {
        format!("simulated:{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(seed: u64) -> SimStorage {
        SimStorage::new(Dice::new(seed, 0), Arc::default(), Journal::default(), None)
    }

    #[test]
    fn what_was_written_survives_a_crash_and_the_last_write_may_have_happened() {
        let mut outcomes = Vec::new();
        for seed in 0..50 {
            let storage = storage(seed);
            storage.write("job/a", b"first").unwrap();
            storage.power.cut_after(0);
            assert!(storage.write("job/b", b"second").is_err());
            assert!(
                storage.write("job/c", b"third").is_err(),
                "the process is gone"
            );
            assert!(storage.read("job/a").is_err());
            storage.crash();
            storage.power.switch_on();
            assert_eq!(storage.read("job/a").unwrap(), b"first");
            if let Ok(bytes) = storage.read("job/b") {
                assert_eq!(bytes, b"second", "never a part under the name itself");
            }
            outcomes.push(storage.paths());
        }
        outcomes.sort_unstable();
        outcomes.dedup();
        let hidden = ["job/.b.writing".to_owned(), "job/a".to_owned()];
        assert_eq!(
            outcomes.len(),
            3,
            "nothing, a part, the whole: {outcomes:?}"
        );
        assert_eq!(outcomes[0], hidden);
    }

    #[test]
    fn a_failed_write_may_have_happened_and_a_full_disk_takes_nothing() {
        let mut happened = 0;
        for seed in 0..200 {
            let storage = storage(seed);
            storage.set_faults(StorageFaults {
                failing: true,
                full: false,
            });
            let failed = storage.write("a", b"bytes").is_err();
            happened += usize::from(failed && !storage.paths().is_empty());
        }
        assert!(happened > 0, "some failed writes have happened");
        let storage = storage(1);
        storage.set_faults(StorageFaults {
            failing: false,
            full: true,
        });
        assert!(storage.write("a", b"bytes").is_err());
        assert!(storage.paths().is_empty());
    }

    #[test]
    fn damage_changes_one_file_below_the_directory() {
        for seed in 0..50 {
            let storage = storage(seed);
            storage.write("job/chk-1/a", b"some bytes").unwrap();
            storage.write("job/chk-2/a", b"some bytes").unwrap();
            storage.damage("job/chk-2");
            assert_eq!(storage.read("job/chk-1/a").unwrap(), b"some bytes");
            assert_ne!(storage.read("job/chk-2/a").unwrap(), b"some bytes");
        }
    }
}
