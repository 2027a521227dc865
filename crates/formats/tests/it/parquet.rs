//! Parquet: declared columns by name and cast, row groups, positions.

use std::fs::File;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use thalweg_formats::parquet::{ParquetReader, ParquetWriter, ReadScope, row_groups};

use crate::support::{decode_in_chunks, options, rows, schema};

struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn written(name: &str, with: &str, columns: &str, lines: &str) -> (Temporary, RecordBatch) {
    let columns = schema(columns);
    let (batch, _) = decode_in_chunks(
        "json",
        &options(""),
        &columns,
        None,
        lines.as_bytes(),
        1 << 20,
    )
    .unwrap();
    let name = format!("thalweg-formats-{}-{name}.parquet", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = File::create(&path).unwrap();
    let mut writer = ParquetWriter::new(file, &options(with), columns).unwrap();
    for row in 0..batch.num_rows() {
        writer.write(&batch.slice(row, 1)).unwrap();
    }
    assert!(writer.bytes() > 0);
    writer.finish().unwrap();
    (Temporary(path), batch)
}

fn read(path: &Temporary, columns: &str, projection: Option<&[usize]>, scope: ReadScope) -> String {
    let reader = ParquetReader::open(
        &path.0,
        &options(""),
        &schema(columns),
        projection,
        2,
        &scope,
    );
    let result = reader.and_then(|reader| reader.collect::<Result<Vec<_>, _>>());
    match result {
        Ok(batches) if batches.is_empty() => String::new(),
        Ok(batches) => rows(&concat_batches(&batches[0].schema(), &batches).unwrap()),
        Err(error) => error
            .to_string()
            .replace(&*path.0.to_string_lossy(), "file"),
    }
}

const LINES: &str = "{\"a\":1,\"s\":\"one\",\"r\":{\"x\":5,\"y\":\"q\"},\"l\":[1,null]}\n\
                     {\"a\":null,\"s\":null,\"r\":null,\"l\":null}\n\
                     {\"a\":300,\"s\":\"longer than twelve bytes\",\"r\":{\"x\":null,\"y\":null},\"l\":[]}\n";
const COLUMNS: &str = "a INT, s STRING, r ROW, l INT[]";

#[test]
fn what_is_written_is_read_back_in_every_compression() {
    for compression in ["SNAPPY", "ZSTD", "GZIP", "LZ4_RAW", "UNCOMPRESSED"] {
        let with = format!("parquet.compression={compression}");
        let (path, batch) = written(compression, &with, COLUMNS, LINES);
        assert_eq!(
            read(&path, COLUMNS, None, ReadScope::default()),
            rows(&batch)
        );
    }
}

#[test]
fn columns_are_found_by_name_and_cast_to_their_declared_type() {
    let (path, _) = written("cast", "", COLUMNS, LINES);
    let all = ReadScope::default;
    assert_eq!(
        read(&path, "s VARCHAR, a BIGINT", None, all()),
        "one|1\nNULL|NULL\nlonger than twelve bytes|300"
    );
    assert_eq!(
        read(&path, "s STRING, a DOUBLE", Some(&[1]), all()),
        "1.0\nNULL\n300.0"
    );
    assert_eq!(read(&path, "s STRING, a INT", Some(&[]), all()), "\n\n");
    assert_eq!(
        read(&path, "b INT", None, all()),
        "file: the file has no column `b`; its nearest is `a`"
    );
    let narrow = read(&path, "a TINYINT", None, all());
    assert!(
        narrow.starts_with("file: field `a`: a value of the file's INT is no TINYINT"),
        "{narrow}"
    );
    let null = read(&path, "a INT NOT NULL", None, all());
    assert_eq!(null, "file: field `a`: NULL in a column declared NOT NULL");
}

#[test]
fn a_reader_goes_on_where_another_stopped() {
    let (path, batch) = written("position", "", COLUMNS, LINES);
    let all = ReadScope::default();
    let mut first =
        ParquetReader::open(&path.0, &options(""), &schema(COLUMNS), None, 2, &all).unwrap();
    let head = first.next().unwrap().unwrap();
    let scope = ReadScope {
        skip_rows: first.position(),
        ..all
    };
    assert_eq!(
        format!("{}\n{}", rows(&head), read(&path, COLUMNS, None, scope)),
        rows(&batch)
    );
}

#[test]
fn row_groups_are_read_one_by_one() {
    let (path, batch) = written("groups", "parquet.block.size=1", COLUMNS, LINES);
    let groups = row_groups(&path.0).unwrap();
    assert_eq!(groups.iter().map(|group| group.rows).sum::<u64>(), 3);
    assert!(groups.len() > 1, "{groups:?}");
    let read = (0..groups.len()).map(|group| {
        let scope = ReadScope {
            row_groups: Some(group..group + 1),
            skip_rows: 0,
        };
        read(&path, COLUMNS, None, scope)
    });
    assert_eq!(read.collect::<Vec<_>>().join("\n"), rows(&batch));
}

#[test]
fn wrong_files_and_options_are_named() {
    let missing = Temporary(PathBuf::from("/nowhere/x.parquet"));
    assert_eq!(
        read(&missing, "a INT", None, ReadScope::default()),
        "file: the file cannot be opened"
    );
    let writer = ParquetWriter::new(
        Vec::new(),
        &options("parquet.compresion=ZSTD"),
        schema("a INT"),
    );
    assert_eq!(
        writer.err().unwrap().to_string(),
        "unknown option `parquet.compresion`; did you mean `parquet.compression`?"
    );
}
