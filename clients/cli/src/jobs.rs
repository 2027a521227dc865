//! `SHOW JOBS`, `DESCRIBE JOB` and `STOP JOB`: the verbs of the command line as statements.

use std::sync::Arc;

use anyhow::{Result, bail};
use arrow::array::{RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use thalweg::sql::dialect::JobStatement;

use crate::control::JobEntry;
use crate::control::client;

/// Executes a statement about jobs; the rows that it shows.
///
/// # Errors
/// As the verbs.
pub fn execute(statement: &JobStatement) -> Result<Option<RecordBatch>> {
    match statement {
        JobStatement::Show => {
            let jobs = client::jobs()?.into_iter().map(|found| found.job);
            rows(&jobs.collect::<Vec<_>>()).map(Some)
        }
        JobStatement::Describe(id) => rows(&[client::find(id)?.job]).map(Some),
        JobStatement::Stop {
            with_savepoint: false,
            with_drain: true,
            ..
        } => bail!("`STOP JOB … WITH DRAIN` needs `WITH SAVEPOINT` in front of `WITH DRAIN`"),
        JobStatement::Stop {
            id,
            with_savepoint: false,
            ..
        } => {
            client::find(id)?.cancel()?;
            Ok(None)
        }
        JobStatement::Stop { id, with_drain, .. } => {
            let path = client::find(id)?.stop(None, *with_drain)?;
            let column = Field::new("savepoint path", DataType::Utf8, false);
            let values = StringArray::from(vec![path]);
            let schema = Arc::new(Schema::new(vec![column]));
            Ok(Some(RecordBatch::try_new(schema, vec![Arc::new(values)])?))
        }
    }
}

fn rows(jobs: &[JobEntry]) -> Result<RecordBatch> {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    let schema = Arc::new(Schema::new(vec![
        text("job id"),
        text("job name"),
        text("status"),
        Field::new("start time", time, false),
    ]));
    let column = |value: fn(&JobEntry) -> &String| {
        Arc::new(jobs.iter().map(value).map(Some).collect::<StringArray>())
    };
    let started = jobs.iter().map(|job| job.started);
    Ok(RecordBatch::try_new(
        schema,
        vec![
            column(|job| &job.id),
            column(|job| &job.name),
            column(|job| &job.status),
            Arc::new(started.map(Some).collect::<TimestampMillisecondArray>()),
        ],
    )?)
}
