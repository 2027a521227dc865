//! The directory of the sockets.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Set by users who want another directory, and by tests.
const VARIABLE: &str = "THALWEG_RUNTIME_DIR";

/// Where the sockets of this user are.
///
/// # Errors
/// If neither variable nor home says it.
pub fn path() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(own) = set(VARIABLE) {
        return Ok(PathBuf::from(own));
    }
    if let Some(runtime) = set("XDG_RUNTIME_DIR") {
        return Ok(Path::new(&runtime).join("thalweg"));
    }
    match set("HOME") {
        Some(home) => Ok(Path::new(&home).join(".thalweg").join("run")),
        None => bail!("none of {VARIABLE}, XDG_RUNTIME_DIR and HOME is set"),
    }
}

/// The same, made if it is not there, and nobody else's.
///
/// # Errors
/// If it cannot be made, or if others may look into it.
pub fn private() -> Result<PathBuf> {
    let directory = path()?;
    let shown = directory.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("cannot make `{shown}`"))?;
    let mode = fs::metadata(&directory)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("others have access to `{shown}`: remove it, or `chmod 700` it");
    }
    Ok(directory)
}

/// Takes all rights but the owner's from a socket.
///
/// # Errors
/// What the system says.
pub fn close_to_others(socket: &Path) -> Result<()> {
    fs::set_permissions(socket, Permissions::from_mode(0o600))?;
    Ok(())
}
