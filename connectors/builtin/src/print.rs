//! `print`: rows to standard output, as `[identifier:][instance>] +I[1, text]`.

use std::io::Write;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use thalweg_columnar::connector::{ConnectorOption, TableConnector, TableSpec};
use thalweg_columnar::{ColumnBatch, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::sink::{SinkFactory, SinkWriter};

const OPTIONS: &[ConnectorOption] = &[
    ConnectorOption {
        key: "print-identifier",
        doc: "A text in front of every row.",
        default: "",
    },
    ConnectorOption {
        key: "standard-error",
        doc: "Whether to print to standard error instead of standard output.",
        default: "false",
    },
];

/// The connector.
pub struct Print;

impl TableConnector for Print {
    fn identifier(&self) -> &'static str {
        "print"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        OPTIONS
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn SinkFactory>> {
        let identifier = table
            .options
            .get("print-identifier")
            .cloned()
            .unwrap_or_default();
        let to_error = table
            .options
            .get("standard-error")
            .is_some_and(|value| value == "true");
        let factory = move |setup: &mut Setup<'_>| -> Result<Box<dyn SinkWriter>> {
            let info = setup.info;
            let instance = (info.parallelism > 1).then(|| (info.index + 1).to_string());
            let parts = [
                Some(identifier.clone()).filter(|text| !text.is_empty()),
                instance,
            ];
            let prefix = parts.into_iter().flatten().collect::<Vec<_>>().join(":");
            let prefix = if prefix.is_empty() {
                prefix
            } else {
                format!("{prefix}> ")
            };
            Ok(Box::new(PrintWriter { prefix, to_error }))
        };
        Ok(Arc::new(factory))
    }

    fn accepts_updates(&self) -> bool {
        true
    }
}

struct PrintWriter {
    prefix: String,
    to_error: bool,
}

impl SinkWriter for PrintWriter {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        let batch = downcast::<ColumnBatch>(batch)?;
        let options = FormatOptions::default().with_null("null");
        let columns: std::result::Result<Vec<ArrayFormatter<'_>>, _> = batch
            .records()
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect();
        let columns = columns.map_err(arrow_error)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect();
            text.push_str(&format!(
                "{}{}[{}]\n",
                self.prefix,
                batch.kind(row),
                values.join(", ")
            ));
        }
        if self.to_error {
            std::io::stderr().write_all(text.as_bytes())?;
        } else {
            std::io::stdout().write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(std::io::stdout().flush()?)
    }

    fn finish(&mut self, ctx: &mut Context) -> Result<()> {
        self.flush(ctx)
    }
}
