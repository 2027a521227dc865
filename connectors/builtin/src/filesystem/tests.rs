//! Reading lines: full batches, splits, restores, and the lines that errors name.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type};
use thalweg_core::host::Waker;
use thalweg_core::source::{Poll, SourceFactory};
use thalweg_core::state::{StateSnapshot, redistribute};

use super::FileSystem;
use crate::testing::{Instance, source, table};

/// A file that is gone when the test is.
struct Text(PathBuf);

impl Text {
    fn new(name: &str, text: &str) -> Text {
        let file = format!("thalweg-filesystem-{}-{name}.json", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, text).unwrap();
        Text(path)
    }

    fn source(&self) -> Arc<dyn SourceFactory> {
        let path = self.0.to_string_lossy();
        let fields = vec![Arc::new(Field::new("id", DataType::Int64, true))];
        let options = [("path", &*path), ("format", "json")];
        source(&FileSystem, &table(fields, &options)).unwrap()
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // Left behind it would be in nobody's way.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Lines of `id` and some text, as many bytes as `bytes(id)`.
fn numbered(rows: usize, bytes: impl Fn(usize) -> usize) -> String {
    let mut text = String::new();
    for id in 0..rows {
        writeln!(text, "{{\"id\":{id},\"s\":\"{}\"}}", "x".repeat(bytes(id))).unwrap();
    }
    text
}

fn instance(
    source: &dyn SourceFactory,
    of: (u32, u32),
    snapshot: Option<&StateSnapshot>,
) -> Instance {
    Instance::new(source, of, 4096, snapshot, Waker::none())
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let values = |batch: &RecordBatch| {
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    batches.iter().flat_map(values).collect()
}

#[test]
fn batches_are_full_wherever_the_buffer_ends() {
    let text = numbered(10_000, |id| id * 37 % 500);
    let file = Text::new("full", &text);
    let batches = instance(&*file.source(), (0, 1), None).run(usize::MAX);
    let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [4096, 4096, 1808]);
    assert!(ids(&batches).into_iter().eq(0..10_000));
}

#[test]
fn a_batch_of_long_records_ends_before_it_is_full() {
    let text = numbered(12, |id| if id % 2 == 0 { 3 << 20 } else { 3 });
    let file = Text::new("long", &text);
    let batches = instance(&*file.source(), (0, 1), None).run(usize::MAX);
    assert!(batches.len() > 1);
    assert!(ids(&batches).into_iter().eq(0..12));
}

#[test]
fn splits_and_a_restore_in_their_middle_repeat_and_drop_no_line() {
    let rows = 40_000;
    let text = numbered(rows, |id| 300 + id * 37 % 500);
    let file = Text::new("restore", &text);
    let source = file.source();
    for (before, after, some) in [(1, 1, 5_000), (1, 3, 9_000), (3, 2, 1), (2, 1, 8_000)] {
        let (mut all, mut snapshots) = (Vec::new(), Vec::new());
        for index in 0..before {
            let mut instance = instance(&*source, (index, before), None);
            all.extend(ids(&instance.run(some)));
            snapshots.push(instance.snapshot());
        }
        for (index, snapshot) in (0..after).zip(&redistribute(&snapshots, after, 128)) {
            let mut instance = instance(&*source, (index, after), Some(snapshot));
            all.extend(ids(&instance.run(usize::MAX)));
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..rows as i64), "{before} to {after}");
    }
}

#[test]
fn an_error_after_a_restore_names_the_line_of_the_file() {
    let mut text = numbered(5_000, |id| id % 300).replace("{\"id\":17,", "\n\r\n{\"id\":17,");
    text.push_str("{\"id\":\"seven\"}\n{\"id\":7}\n");
    let file = Text::new("error", &text);
    let source = file.source();
    let mut first = instance(&*source, (0, 1), None);
    assert_eq!(ids(&first.run(1)).len(), 4096);
    let again = instance(&*source, (0, 1), Some(&first.snapshot()));
    for mut instance in [first, again] {
        let (poll, batches) = instance.poll(0).unwrap();
        assert_eq!((poll, ids(&batches).len()), (Poll::Ready, 904));
        let error = instance.poll(0).unwrap_err().to_string();
        let place = format!("{}:5003:7: field `id`: `seven`", file.0.display());
        assert!(error.contains(&place), "{error}");
    }
}
