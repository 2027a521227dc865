//! Where in which file a decoder is.

use std::sync::Arc;

use crate::Origin;
use crate::columns::Columns;
use crate::error::{Fault, FormatError};

/// The marker some programs put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The file and line of the next record.
#[derive(Debug)]
pub(crate) struct Place {
    file: Option<Arc<str>>,
    pub line: u64,
    /// No byte of the file has been consumed yet.
    pub at_start: bool,
}

impl Place {
    pub fn new() -> Place {
        Place {
            file: None,
            line: 1,
            at_start: true,
        }
    }

    pub fn begin(&mut self, origin: Origin) {
        self.at_start = origin.offset == 0;
        self.line = origin.line;
        self.file = Some(origin.file);
    }

    /// The bytes of a byte order mark at the start of a file; `None` if it may still come.
    pub fn mark_bytes(&mut self, bytes: &[u8], end: bool) -> Option<usize> {
        if !self.at_start {
            return Some(0);
        }
        if bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes) && !end {
            return None;
        }
        self.at_start = false;
        Some(if bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        })
    }

    /// The error of a fault in the record that begins at the start of the current line and whose
    /// bytes are `record`.
    #[cold]
    pub fn error(&self, fault: Fault, record: &[u8], columns: &Columns) -> FormatError {
        let fault = fault.into_inside();
        let before = record.get(..fault.at).unwrap_or(record);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let column = (fault.at - line_start.min(fault.at)) as u64 + 1;
        let error =
            FormatError::corrupt(fault.message).with_position(self.line + lines as u64, column);
        let error = match &self.file {
            Some(file) => error.with_file(Arc::clone(file)),
            None => error,
        };
        match fault.column {
            Some(id) => error.with_field(columns.path(id)),
            None => error,
        }
    }
}

/// The line at `at`: where it ends, without its line feed and a carriage return before it, and
/// where the next one begins. `None` if it may go on.
pub(crate) fn line(bytes: &[u8], at: usize, end: bool) -> Option<(usize, usize)> {
    let (stop, next) = match crate::scan::line_feed(bytes, at) {
        Some(stop) => (stop, stop + 1),
        None if end && at < bytes.len() => (bytes.len(), bytes.len()),
        None => return None,
    };
    let returns = bytes
        .get(at..stop)
        .is_some_and(|line| line.ends_with(b"\r"));
    Some((stop - usize::from(returns), next))
}
