//! Savepoints: how their directories are called, and how they are deleted.
//!
//! A savepoint is a checkpoint in a directory of its own, `savepoint-<job>-<random>`, with nothing
//! that lies elsewhere: it can be moved and copied. Nobody but its owner deletes it.

use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::id::JobId;
use thalweg_core::key_group::stable_hash_bytes;

use crate::checkpoints::{METADATA, SHARED};
use crate::format::{CheckpointKind, FileKind, Metadata, StateLocation, open, read_metadata};
use crate::storage::CheckpointStorage;

/// The name of a savepoint's directory: the first 6 digits of the job's id, and 12 digits made of
/// `seed`.
pub fn directory_name(job: JobId, seed: &str) -> String {
    let job = job.to_string();
    let text = format!("{job}{seed}");
    let digits = format!("{:016x}", stable_hash_bytes(text.as_bytes()));
    format!("savepoint-{}-{}", &job[..6], &digits[..12])
}

/// Deletes the savepoint at the root of a storage: what belongs to it, and the directory if nothing
/// else is in it. Returns whether the directory is gone.
///
/// # Errors
/// `User` if there is no savepoint, or if it is a checkpoint that a job owns; `Corrupt` or
/// `Unsupported` if its metadata cannot be read; `Retryable` if the storage refuses.
pub fn dispose(storage: &dyn CheckpointStorage) -> Result<bool> {
    let place = storage.display("");
    if !storage.list("")?.iter().any(|name| name == METADATA) {
        return Err(Error::user(format!(
            "`{place}` is no savepoint: there is no file `{METADATA}` in it; nothing was deleted"
        )));
    }
    let metadata = metadata(storage)?;
    if metadata.kind == CheckpointKind::Checkpoint {
        return Err(Error::user(format!(
            "`{place}` is checkpoint {} of job `{}`, not a savepoint: its job may still go back to \
             it. Nothing was deleted; if no job needs it any more, remove the directory itself",
            metadata.checkpoint, metadata.job_name
        )));
    }
    delete(storage, &metadata)
}

/// Deletes a checkpoint or savepoint at the root of a storage that its reader has become the owner
/// of. One that is gone already is no error. Returns whether the directory is gone.
///
/// # Errors
/// As [`dispose`].
pub fn delete_claimed(storage: &dyn CheckpointStorage) -> Result<bool> {
    match metadata(storage) {
        Ok(metadata) => delete(storage, &metadata),
        Err(_) if storage.list("")?.is_empty() => Ok(true),
        Err(error) => Err(error),
    }
}

fn metadata(storage: &dyn CheckpointStorage) -> Result<Metadata> {
    let file = storage.read(METADATA)?;
    let read =
        open(FileKind::Metadata, &file).and_then(|(version, body)| read_metadata(version, body));
    read.map_err(|error| {
        let place = storage.display(METADATA);
        let kept = match error.kind() {
            ErrorKind::Corrupt => "; nothing was deleted: remove the directory itself",
            _ => "",
        };
        error.context(format!("`{place}`{kept}"))
    })
}

fn delete(storage: &dyn CheckpointStorage, metadata: &Metadata) -> Result<bool> {
    // First what makes it one: half of one must not be taken for a whole.
    storage.delete(METADATA)?;
    delete_shared(storage, metadata)?;
    let instances = metadata.operators.iter().flat_map(|o| &o.instances);
    for instance in instances {
        if let StateLocation::File { name, .. } = &instance.location {
            storage.delete(name)?;
        }
    }
    // What a user keeps beside it is not ours.
    let gone = storage.list("")?.is_empty();
    if gone {
        storage.delete("")?;
    }
    Ok(gone)
}

/// Deletes the shared files that a checkpoint has referred to, and none of those beside it does. One
/// of these that cannot be read may refer to any: then all are kept.
fn delete_shared(storage: &dyn CheckpointStorage, metadata: &Metadata) -> Result<()> {
    if metadata.shared.is_empty() {
        return Ok(());
    }
    let mut idle = metadata.shared.clone();
    for name in storage.list("..")? {
        let directory = format!("../{name}");
        let is_checkpoint = name.starts_with("chk-");
        if !is_checkpoint || !storage.list(&directory)?.iter().any(|n| n == METADATA) {
            continue;
        }
        let file = storage.read(&format!("{directory}/{METADATA}"))?;
        let read = open(FileKind::Metadata, &file);
        match read.and_then(|(version, body)| read_metadata(version, body)) {
            Ok(beside) => idle.retain(|name| !beside.shared.contains(name)),
            Err(_) => return Ok(()),
        }
    }
    idle.iter()
        .try_for_each(|name| storage.delete(&format!("../{SHARED}/{name}")))
}

#[cfg(test)]
mod tests;
