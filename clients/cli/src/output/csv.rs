//! Comma-separated values: quoted where needed, NULL as nothing.

use std::io::{self, Write};

/// Writes a line.
pub fn write_row<'a>(
    cells: impl Iterator<Item = Option<&'a str>>,
    out: &mut impl Write,
) -> io::Result<()> {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match cell {
            None => {}
            // An empty text is told from NULL by its quotes.
            Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}
