//! How rows are printed.

mod csv;
mod json;
mod value;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use thalweg::columnar::{ColumnBatch, RowCodec};

use crate::arguments::OutputFormat;
use crate::fold::Fold;

/// Prints the rows of one statement.
pub struct Printer {
    format: OutputFormat,
    schema: SchemaRef,
    with_op: bool,
    fold: Option<Fold>,
    buffered: Vec<(Option<&'static str>, Vec<String>)>,
    rows: usize,
}

// A table is laid out once all its rows are known; longer results should be written to a file.
const TABLE_ROWS_MAX: usize = 10_000;

impl Printer {
    /// A printer of rows with `schema`. `with_op` shows row kinds; `fold` waits for the end and
    /// prints only the rows that are left.
    pub fn new(format: OutputFormat, schema: SchemaRef, with_op: bool, fold: bool) -> Self {
        Printer {
            format,
            schema,
            with_op: with_op && !fold,
            fold: fold.then(Fold::default),
            buffered: Vec::new(),
            rows: 0,
        }
    }

    /// Prints a batch, or keeps it if only the end shall be seen.
    pub fn print(&mut self, batch: &ColumnBatch) -> thalweg::Result<()> {
        match &mut self.fold {
            Some(fold) => fold.apply(batch),
            None => Ok(self.write(batch)?),
        }
    }

    /// Prints what is left. Returns how many rows were printed in all.
    pub fn finish(mut self) -> thalweg::Result<usize> {
        if let Some(fold) = self.fold.take() {
            let types = self
                .schema
                .fields()
                .iter()
                .map(|field| field.data_type().clone())
                .collect();
            let codec = RowCodec::new(types);
            let rows = fold.into_rows();
            for chunk in rows.chunks(4096) {
                let columns = codec.decode(chunk.iter().map(Vec::as_slice))?;
                let records = if columns.is_empty() {
                    continue;
                } else {
                    RecordBatch::try_new(nullable(&self.schema), columns)
                        .map_err(thalweg::columnar::arrow_error)?
                };
                self.write(&ColumnBatch::insertions(records))?;
            }
        }
        if self.format == OutputFormat::Csv && self.rows == 0 {
            self.header(&mut io::stdout().lock())?;
        }
        if self.format == OutputFormat::Table {
            self.write_table()?;
        }
        io::stdout().flush()?;
        Ok(self.rows)
    }

    fn header(&self, out: &mut impl Write) -> io::Result<()> {
        let names = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str());
        let op = self.with_op.then_some("op");
        csv::write_row(op.into_iter().chain(names).map(Some), out)
    }

    fn write(&mut self, batch: &ColumnBatch) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let records = batch.records();
        if self.format == OutputFormat::Csv && self.rows == 0 {
            self.header(&mut out)?;
        }
        for row in 0..batch.num_rows() {
            let op = batch.kind(row).symbol();
            match self.format {
                OutputFormat::Json => {
                    let op = self.with_op.then_some(op);
                    json::write_row(records, row, op, &mut out)?;
                }
                OutputFormat::Csv => {
                    let texts = value::row_texts(records, row);
                    let op = self.with_op.then_some(op);
                    let cells = texts.iter().map(Option::as_deref);
                    csv::write_row(op.map(Some).into_iter().chain(cells), &mut out)?;
                }
                OutputFormat::Changelog => {
                    let texts: Vec<String> = value::row_texts(records, row)
                        .into_iter()
                        .map(|text| text.unwrap_or_else(|| "null".to_owned()))
                        .collect();
                    writeln!(out, "{op}[{}]", texts.join(", "))?;
                }
                OutputFormat::Table if self.buffered.len() < TABLE_ROWS_MAX => {
                    let texts = value::row_texts(records, row)
                        .into_iter()
                        .map(|text| text.unwrap_or_else(|| "NULL".to_owned()));
                    self.buffered
                        .push((self.with_op.then_some(op), texts.collect()));
                }
                OutputFormat::Table => {}
            }
            self.rows += 1;
        }
        out.flush()
    }

    fn write_table(&self) -> io::Result<()> {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
        let names = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone());
        let op = self.with_op.then(|| "op".to_owned());
        table.set_header(op.into_iter().chain(names));
        for (op, row) in &self.buffered {
            let op = op.map(str::to_owned);
            table.add_row(op.into_iter().chain(row.iter().cloned()));
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{table}")?;
        if self.rows > self.buffered.len() {
            let hidden = self.rows - self.buffered.len();
            writeln!(
                out,
                "… and {hidden} more rows: use --output json or csv to see them"
            )?;
        }
        Ok(())
    }
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    std::sync::Arc::new(arrow::datatypes::Schema::new(fields))
}
