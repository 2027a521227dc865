//! The source.
//!
//! | Contract |                                                                              |
//! |----------|------------------------------------------------------------------------------|
//! | Output   | the records in the order in which they came                                  |
//! | State    | none: a server cannot be asked to send again                                 |
//! | Errors   | a malformed record names server, line and field; a lost connection its server |
//! | Source   | `SocketSource` of Flink's user-defined sources page                          |

use arrow::datatypes::SchemaRef;
use thalweg_columnar::ColumnBatch;
use thalweg_columnar::connector::{ScanRequest, TableSpec};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::host::Waker;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_formats::{Decoder, FormatOptions, Origin};

use super::connection::{Connection, Received};
use crate::options::{format_error, format_options, parsed, required, wrong};

// A record longer than this is taken for a broken stream.
const RECORD_BYTES_MAX: usize = 64 << 20;
// Chunks of a poll, at most, so that few rows in many bytes do not hold up a task.
const CHUNKS_PER_POLL_MAX: usize = 16;

/// The source's factory.
pub struct SocketSource {
    host: String,
    port: u16,
    delimiter: u8,
    format: String,
    options: FormatOptions,
    schema: SchemaRef,
    projection: Vec<usize>,
    batch_rows: usize,
}

impl SocketSource {
    /// A source for a table.
    ///
    /// # Errors
    /// `User` for missing and wrong options.
    pub fn new(table: &TableSpec, scan: &ScanRequest) -> Result<Self> {
        if !scan.metadata.is_empty() {
            return Err(Error::unsupported(
                "metadata columns of the socket connector",
            ));
        }
        let port = required(table, "port")?;
        let what = "a port between 1 and 65535";
        let number: u16 = parsed(table, "port", what)?.unwrap_or(0);
        if number == 0 {
            return Err(wrong(table, "port", &port, what));
        }
        let what = "the number of a byte, 0 to 255";
        let format = required(table, "format")?;
        let source = SocketSource {
            host: required(table, "hostname")?,
            port: number,
            delimiter: parsed(table, "byte-delimiter", what)?.unwrap_or(b'\n'),
            options: format_options(table, &format),
            format,
            schema: table.schema.clone(),
            projection: scan.projection.clone(),
            batch_rows: scan.batch_rows.max(1),
        };
        source
            .decoder()
            .map_err(|error| error.context(format!("table `{}`", table.name)))?;
        Ok(source)
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>> {
        thalweg_formats::decoder(
            &self.format,
            &self.options,
            self.schema.clone(),
            Some(&self.projection),
            self.batch_rows,
        )
        .map_err(format_error)
    }
}

impl SourceFactory for SocketSource {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        if setup.info.index > 0 {
            return Ok(Box::new(NothingToRead));
        }
        let server = format!("{}:{}", self.host, self.port);
        let mut decoder = self.decoder()?;
        decoder.begin(Origin {
            file: server.as_str().into(),
            line: 1,
            offset: 0,
        });
        Ok(Box::new(SocketReader {
            host: self.host.clone(),
            port: self.port,
            server,
            delimiter: self.delimiter,
            waker: setup.waker.clone(),
            connection: None,
            decoder,
            batch_rows: self.batch_rows,
            bytes: Vec::new(),
            ended: false,
            skipped: 0,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }
}

/// All instances but the first.
struct NothingToRead;

impl SourceReader for NothingToRead {
    fn poll(&mut self, _: &mut Context, _: &mut Outputs) -> Result<Poll> {
        Ok(Poll::End)
    }
}

struct SocketReader {
    host: String,
    port: u16,
    server: String,
    delimiter: u8,
    waker: Waker,
    connection: Option<Connection>,
    decoder: Box<dyn Decoder>,
    batch_rows: usize,
    /// Received and not yet decoded.
    bytes: Vec<u8>,
    /// Whether the server has closed the connection.
    ended: bool,
    skipped: u64,
}

impl SourceReader for SocketReader {
    fn open(&mut self, _: &mut Context) -> Result<()> {
        let waker = self.waker.clone();
        self.connection = Some(Connection::open(&self.host, self.port, waker)?);
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let more = self.fill();
        // Rows before a malformed one, or before the connection broke, are still good.
        let some = self.decoder.rows() > 0;
        if some {
            let rows = self.decoder.flush().map_err(format_error)?;
            out.emit(Box::new(ColumnBatch::insertions(rows)));
        }
        let skipped = self.decoder.skipped();
        ctx.metrics().rows_skipped.add(skipped - self.skipped);
        self.skipped = skipped;
        let more = more?;
        Ok(if more {
            Poll::Ready
        } else if self.ended {
            Poll::End
        } else {
            Poll::Idle { until: None }
        })
    }
}

impl SocketReader {
    /// Decodes what has come, up to a batch. Whether there may be more right away.
    fn fill(&mut self) -> Result<bool> {
        for _ in 0..CHUNKS_PER_POLL_MAX {
            let decoded = self.decoder.decode(&self.bytes, self.ended);
            self.bytes.drain(..decoded.map_err(format_error)?);
            if self.decoder.rows() >= self.batch_rows {
                return Ok(true);
            }
            if self.bytes.len() > RECORD_BYTES_MAX {
                return Err(Error::user(format!(
                    "socket `{}`: a record is longer than {RECORD_BYTES_MAX} bytes",
                    self.server
                )));
            }
            // Not before: a batch may be less than a chunk, and what has come must not pile up.
            if !self.receive()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes what the thread has read. False if that is nothing.
    fn receive(&mut self) -> Result<bool> {
        let received = match &mut self.connection {
            Some(connection) if !self.ended => connection.receive(),
            _ => None,
        };
        match received {
            None => return Ok(false),
            Some(Received::Bytes(mut bytes)) => {
                self.end_with_newlines(&mut bytes);
                self.bytes.append(&mut bytes);
            }
            Some(Received::End) => self.ended = true,
            Some(Received::Connected(_)) => {}
            Some(Received::Failed(error)) => {
                return Err(Error::new(ErrorKind::Retryable, "the connection failed")
                    .with_source(error)
                    .context(format!("socket `{}`", self.server)));
            }
        }
        Ok(true)
    }

    /// The formats know records that end with a newline.
    fn end_with_newlines(&self, bytes: &mut [u8]) {
        if self.delimiter == b'\n' {
            return;
        }
        for byte in bytes {
            if *byte == self.delimiter {
                *byte = b'\n';
            } else if *byte == b'\n' {
                *byte = b' ';
            }
        }
    }
}
