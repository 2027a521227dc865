//! The command as scripts see it: exit codes, standard output, standard error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn thalweg(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn sql(text: &str, options: &[&str]) -> Output {
    thalweg(&[&["sql", "-e", text], options].concat())
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn prints(output: &Output, expected: &str) {
    assert_eq!(
        (
            output.status.code(),
            out(output).as_str(),
            err(output).as_str()
        ),
        (Some(0), expected, "")
    );
}

/// A folder of this test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("thalweg-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn table(&self, options: &str) -> String {
        let path = self.0.display();
        format!(
            "CREATE TABLE t (a INT, b STRING) WITH ('connector' = 'filesystem', \
             'path' = '{path}/data', 'format' = 'csv'{options});"
        )
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn wrong_usage_is_2_and_a_failed_statement_is_1() {
    assert_eq!(thalweg(&["sql", "--no-such"]).status.code(), Some(2));
    assert_eq!(thalweg(&["sqll"]).status.code(), Some(2));
    let failed = sql("SELECT * FROM nowhere", &[]);
    assert_eq!((failed.status.code(), out(&failed).as_str()), (Some(1), ""));
    assert!(err(&failed).starts_with("error: 1:"), "{}", err(&failed));
}

#[test]
fn json_has_op_first_unless_only_final_rows_are_wanted() {
    let query = "SELECT COUNT(*) AS n FROM (VALUES (1), (1)) AS t (a) GROUP BY a";
    let first = out(&sql(query, &[]));
    assert!(first.starts_with("{\"op\":\"+I\",\"n\":"), "{first}");
    prints(&sql(query, &["--final"]), "{\"n\":2}\n");
}

#[test]
fn json_values_keep_scale_and_precision() {
    let query = "SELECT CAST('1.50' AS DECIMAL(8, 2)) AS d, \
                 CAST('2024-03-09 05:58:30.120' AS TIMESTAMP(3)) AS ts, \
                 CAST('NaN' AS DOUBLE) AS x, CAST(NULL AS INT) AS n, 0.1e0 AS f";
    let expected = "{\"op\":\"+I\",\"d\":1.50,\"ts\":\"2024-03-09 05:58:30.120\",\
                    \"x\":\"NaN\",\"n\":null,\"f\":0.1}\n";
    prints(&sql(query, &[]), expected);
}

#[test]
fn csv_has_a_header_and_quotes_where_needed() {
    let query = "SELECT * FROM (VALUES (1, 'a,b'), (2, '')) AS t (i, s)";
    prints(
        &sql(query, &["--output", "csv"]),
        "i,s\n1,\"a,b\"\n2,\"\"\n",
    );
}

#[test]
fn a_malformed_row_is_named_with_file_line_and_column() {
    let folder = Folder::new("malformed");
    folder.file("data", "1,x\n2,y\nthree,z\n4,w\n");
    let output = sql(&format!("{} SELECT a FROM t", folder.table("")), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).starts_with("error: "), "{}", err(&output));
    assert!(err(&output).contains("data:3:1"), "{}", err(&output));
}

#[test]
fn ignored_parse_errors_are_counted() {
    let folder = Folder::new("ignored");
    folder.file("data", "1,x\n2,y,z,z\n4,w\n");
    let table = folder.table(", 'csv.ignore-parse-errors' = 'true'");
    let output = sql(&format!("{table} SELECT a FROM t"), &["--final"]);
    assert_eq!(
        (output.status.code(), out(&output).as_str()),
        (Some(0), "{\"a\":1}\n{\"a\":4}\n")
    );
    assert_eq!(err(&output), "warning: 1 malformed rows were skipped\n");
}

#[test]
fn a_missing_file_is_an_error() {
    let output = thalweg(&["sql", "-f", "/no/such/file.sql"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).starts_with("error: cannot read `/no/such/file.sql`"),
        "{}",
        err(&output)
    );
}

#[test]
fn several_files_share_a_session() {
    let folder = Folder::new("files");
    let first = folder.file("first.sql", "CREATE VIEW v AS SELECT 7 AS seven;");
    let second = folder.file("second.sql", "SELECT seven FROM v;");
    prints(
        &thalweg(&["sql", "-f", &first, "-f", &second]),
        "{\"op\":\"+I\",\"seven\":7}\n",
    );
}

#[test]
fn an_unknown_setting_names_the_nearest() {
    let output = sql("SET 'parallelism.defalt' = '2'", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("did you mean `parallelism.default`?"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let text =
        "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000000');
                SELECT a FROM g";
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    command.args(["sql", "-e", text]).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn what_is_written_to_files_reads_back() {
    let folder = Folder::new("written");
    let text = format!(
        "{} INSERT INTO t SELECT * FROM (VALUES (1, 'x'), (2, CAST(NULL AS STRING))) AS s (a, b); \
         SELECT a FROM t",
        folder.table("")
    );
    prints(&sql(&text, &["--final"]), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn a_partitioned_table_is_written_by_as_many_instances_as_it_says_and_reads_back() {
    let folder = Folder::new("partitioned");
    let path = folder.0.join("t").display().to_string();
    let script = |instances: &str| {
        format!(
            "CREATE TABLE t (a INT, `day` DATE) PARTITIONED BY (`day`) WITH (
               'connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv',
               'sink.parallelism' = '{instances}',
               'sink.partition-commit.policy.kind' = 'success-file');
             INSERT INTO t VALUES (1, DATE '2026-01-01'), (2, DATE '2026-01-02'), (3, NULL);
             SELECT * FROM t"
        )
    };
    let refused = sql(&script("many"), &[]);
    let message = "option `sink.parallelism` is `many`, but must be a number from 1";
    assert!(err(&refused).contains(message), "{}", err(&refused));

    let read = sql(&script("3"), &["--final", "--output", "json"]);
    assert_eq!((read.status.code(), err(&read)), (Some(0), String::new()));
    let read = out(&read);
    let mut rows: Vec<&str> = read.lines().collect();
    rows.sort_unstable();
    assert_eq!(
        rows,
        [
            r#"{"a":1,"day":"2026-01-01"}"#,
            r#"{"a":2,"day":"2026-01-02"}"#,
            r#"{"a":3,"day":null}"#
        ]
    );
    let mut instances = Vec::new();
    for partition in fs::read_dir(&path).unwrap() {
        let partition = partition.unwrap().path();
        assert!(partition.join("_SUCCESS").exists(), "{partition:?}");
        for file in fs::read_dir(&partition).unwrap() {
            let name = file.unwrap().file_name().to_string_lossy().into_owned();
            instances.extend(name.strip_suffix("-0.csv").map(|name| name.chars().last()));
        }
    }
    instances.sort_unstable();
    assert_eq!(instances, [Some('0'), Some('1'), Some('2')]);
}
