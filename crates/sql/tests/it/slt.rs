//! Files of tables, queries and answers.
//!
//! ```text
//! # A comment.
//! table t (k INT, v STRING)          a table with its rows; `table ordered …` keeps their order
//! 1|a
//! 2|NULL
//!
//! statement                          done without a result
//! CREATE VIEW w AS SELECT …
//!
//! query                              `query batch`, `query streaming`: in this mode only;
//!                                    `query once`: one instance; `query whole`: not interrupted;
//! SELECT k FROM t                    `query sorted`: in this order
//! ----
//! 1
//! 2
//!
//! error                              the whole message
//! SELECT x FROM t
//! ----
//! error: 1:8: …
//! ```
//!
//! Entries end at an empty line.

use std::fs;
use std::path::Path;

/// What an entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It must succeed.
    Statement,
    /// Its rows are compared.
    Query {
        /// Whether it is run as a stream.
        streaming: bool,
        /// Whether it is run as a batch.
        batch: bool,
        /// Whether it is run with several instances.
        parallel: bool,
        /// Whether it is stopped and restored.
        interrupted: bool,
        /// Whether the order of the rows counts.
        sorted: bool,
    },
    /// It must fail with this message.
    Error,
}

/// An entry of a file.
pub struct Entry {
    /// Where it begins, for messages.
    pub place: String,
    /// What it asks for.
    pub kind: Kind,
    /// The SQL text.
    pub sql: String,
    /// The lines behind `----`.
    pub expected: Vec<String>,
}

/// The entries of all files of a feature, file by file.
pub fn files(feature: &str) -> Vec<Vec<Entry>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/slt")
        .join(feature);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        entries(
            &format!("{feature}/{name}"),
            &fs::read_to_string(path).unwrap(),
        )
    };
    paths.iter().map(read).collect()
}

fn entries(file: &str, text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lines = (1..).zip(text.lines()).peekable();
    while let Some((number, head)) = lines.next() {
        if head.trim().is_empty() || head.starts_with('#') {
            continue;
        }
        let mut body = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
            body.push(line);
        }
        let place = format!("{file}:{number}");
        entries.push(entry(place, head, &body));
    }
    entries
}

fn entry(place: String, head: &str, body: &[&str]) -> Entry {
    let at = body.iter().position(|line| *line == "----");
    let (sql, expected) = body.split_at(at.unwrap_or(body.len()));
    let (sql, expected) = (sql.join("\n"), expected.iter().skip(1));
    let words: Vec<&str> = head.split_whitespace().collect();
    let (kind, sql) = match words[0] {
        "table" => {
            let ordered = words[1] == "ordered";
            let declared = head
                .trim_start_matches("table ")
                .trim_start_matches("ordered ");
            let rows = sql.replace('\'', "''");
            let options = format!("'connector' = 'memory', 'ordered' = '{ordered}'");
            let sql = format!("CREATE TABLE {declared} WITH ({options}, 'rows' = '{rows}')");
            (Kind::Statement, sql)
        }
        "statement" => (Kind::Statement, sql),
        "error" => (Kind::Error, sql),
        "query" => {
            let kind = Kind::Query {
                streaming: !words.contains(&"batch"),
                batch: !words.contains(&"streaming"),
                parallel: !words.contains(&"once"),
                interrupted: !words.contains(&"once") && !words.contains(&"whole"),
                sorted: words.contains(&"sorted"),
            };
            (kind, sql)
        }
        other => panic!("{place}: no entry begins with `{other}`"),
    };
    Entry {
        place,
        kind,
        sql,
        expected: expected.map(|line| (*line).to_owned()).collect(),
    }
}
