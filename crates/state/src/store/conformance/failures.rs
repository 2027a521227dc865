//! Damage, and places that cannot be written.

use std::fs;

use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::host::Random;
use thalweg_core::state::store::{StoreCheckpoint, StoreFile, StoreTable, WriteBatch};

use super::kit::{ALL, Entries, GROUPS, Subject, all, key, write_at_random};

fn taken(subject: &Subject<'_>) -> (StoreCheckpoint, Entries) {
    let random = &mut Random::new(11);
    let store = &mut *subject.open(ALL, &[]);
    let mut model = Entries::new();
    for _ in 0..6 {
        write_at_random(store, &mut model, &ALL, random);
    }
    (subject.checkpoint(store), model)
}

/// Opens the store and reads all of it: damage may be found only where one reads.
fn read_all(subject: &Subject<'_>, checkpoint: &StoreCheckpoint) -> Result<Entries> {
    let tables = [StoreTable::default(); 3];
    let restore = std::slice::from_ref(checkpoint);
    let mut store = subject.try_open(&subject.fresh("store"), ALL, &tables, restore)?;
    all(&mut *store)
}

/// The checkpoint with one file replaced by a copy that `damage` was done to.
fn damaged(
    subject: &Subject<'_>,
    checkpoint: &StoreCheckpoint,
    at: usize,
    damage: impl FnOnce(&mut Vec<u8>),
) -> StoreCheckpoint {
    let mut changed = checkpoint.clone();
    let file = &mut changed.files[at];
    let mut bytes = fs::read(&file.path).unwrap();
    damage(&mut bytes);
    file.path = subject.fresh("damaged");
    fs::write(&file.path, bytes).unwrap();
    changed
}

/// The error says which file of the checkpoint it is, by the end of its name.
fn assert_names(error: &Error, file: &StoreFile) {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let text = error.to_string();
    let local = file.name.rsplit('-').next().unwrap();
    let path = file.path.display().to_string();
    assert!(text.contains(local) || text.contains(&path), "{text}");
}

pub fn a_damaged_file_is_an_error_that_names_it(subject: &Subject<'_>) {
    let (checkpoint, model) = taken(subject);
    assert_eq!(read_all(subject, &checkpoint).unwrap(), model);
    let random = &mut Random::new(1);
    let mut refused = 0;
    for (at, file) in checkpoint.files.iter().enumerate() {
        for _ in 0..20 {
            let byte = random.below(file.bytes) as usize;
            let bit = 1 << random.below(8);
            let changed = damaged(subject, &checkpoint, at, |bytes| bytes[byte] ^= bit);
            // A byte that nobody reads may be damaged; a wrong entry may not come of it.
            match read_all(subject, &changed) {
                Ok(read) => assert_eq!(read, model, "byte {byte} of `{}`", file.name),
                Err(error) => {
                    assert_names(&error, &changed.files[at]);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0, "no damage is noticed");
}

pub fn a_missing_or_shortened_file_is_an_error_that_names_it(subject: &Subject<'_>) {
    let (checkpoint, _) = taken(subject);
    for (at, file) in checkpoint.files.iter().enumerate() {
        let short = damaged(subject, &checkpoint, at, |bytes| {
            bytes.truncate(bytes.len() / 2)
        });
        let error = read_all(subject, &short).unwrap_err();
        assert_names(&error, &short.files[at]);
        let mut missing = checkpoint.clone();
        missing.files[at].path = subject.fresh("nothing");
        let error = read_all(subject, &missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "`{}`: {error}", file.name);
        assert!(error.to_string().contains("nothing-"), "{error}");
    }
}

pub fn a_directory_that_cannot_be_written_is_an_error(subject: &Subject<'_>) {
    // Below a file nothing can be created, not even by root.
    let file = subject.fresh("file");
    fs::write(&file, b"").unwrap();
    let tables = [StoreTable::default(); 3];
    let Err(error) = subject.try_open(&file.join("store"), ALL, &tables, &[]) else {
        panic!("a store below a file");
    };
    assert_eq!(error.kind(), ErrorKind::Retryable, "{error}");
    assert!(
        error.to_string().contains(&file.display().to_string()),
        "{error}"
    );

    let store = &mut *subject.open(ALL, &[]);
    let mut batch = WriteBatch::default();
    batch.put(&key(GROUPS - 1, 0, 1), b"v");
    store.write(&batch).unwrap();
    let error = store.checkpoint(&file.join("links")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retryable, "{error}");
    assert!(
        error.to_string().contains(&file.display().to_string()),
        "{error}"
    );
    let taken = subject.checkpoint(store);
    let again = taken.files[0].path.parent().unwrap().to_owned();
    let error = store.checkpoint(&again).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retryable, "{error}");
    assert!(
        error.to_string().contains(&again.display().to_string()),
        "{error}"
    );
}

pub fn another_backends_checkpoint_is_refused(subject: &Subject<'_>) {
    let (checkpoint, _) = taken(subject);
    let foreign = StoreCheckpoint {
        backend: "elephant".to_owned(),
        ..checkpoint
    };
    let error = read_all(subject, &foreign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("`elephant`"), "{error}");
}
