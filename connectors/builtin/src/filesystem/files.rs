//! Which files a path stands for, and how they are opened.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thalweg_core::error::{Error, Result};

/// The files of a path, in order of their names.
///
/// # Errors
/// `User` if there is no such file, directory or match.
pub fn list(path: &str) -> Result<Vec<PathBuf>> {
    let path = path.strip_prefix("file://").unwrap_or(path);
    let mut files = Vec::new();
    if path.contains(['*', '?', '[']) && !Path::new(path).exists() {
        let matches = glob::glob(path)
            .map_err(|error| Error::user(format!("`{path}` is no glob")).with_source(error))?;
        for found in matches {
            let found = found
                .map_err(|error| Error::user(format!("cannot read `{path}`")).with_source(error))?;
            collect(&found, &mut files)?;
        }
        if files.is_empty() {
            return Err(Error::user(format!("no file matches `{path}`")));
        }
    } else {
        if !Path::new(path).exists() {
            return Err(Error::user(format!(
                "there is no file or directory `{path}`"
            )));
        }
        collect(Path::new(path), &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn hidden(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with(['.', '_']))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let reading =
        |error| Error::user(format!("cannot read `{}`", path.display())).with_source(error);
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(reading)? {
        let inner = entry.map_err(reading)?.path();
        if !hidden(&inner) {
            collect(&inner, files)?;
        }
    }
    Ok(())
}

/// Whether a file's ending says that it is compressed; such a file is read from its start.
pub fn is_compressed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ["gz", "zst"].iter().any(|known| ending == *known))
}

/// Opens a file for reading, decompressing by its ending.
///
/// # Errors
/// `User` if it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>> {
    let opening =
        |error| Error::user(format!("cannot open `{}`", path.display())).with_source(error);
    let file = File::open(path).map_err(opening)?;
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file).map_err(opening)?),
        _ => Box::new(file),
    })
}
