//! A real process is killed at random instants and started again from its last checkpoint: what it
//! has committed in the end are the rows of a run that nobody disturbed. Files of two of its tables
//! stay open over all checkpoints, those of the third are many and small.
//!
//! In CI with a few kills. More, of a release build:
//!
//! ```text
//! THALWEG_BIN=target/release/thalweg THALWEG_KILLS=200 THALWEG_ROWS=40000000 \
//!     THALWEG_KILL_MILLIS=250 cargo test -p thalweg-cli --test torture -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use thalweg::core::host::Random;
use thalweg::core::key_group::stable_hash_bytes;

const FILES: u64 = 6;
const KEYS: u64 = 97;
const KILLS_PER_PARALLELISM: u64 = 10;
// So many rows are joined: a join keeps them all, and each checkpoint holds what it keeps.
const JOINED: u64 = 20_000;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

fn value(id: u64) -> u64 {
    id.wrapping_mul(7919) % 1000
}

fn second(id: u64) -> u64 {
    id.wrapping_mul(37) % 3600
}

/// Two tables: what is copied and aggregated, and what some of it is joined with.
fn write_input(folder: &Path, rows: u64) {
    for (side, rows) in [("left", rows), ("right", rows.min(JOINED))] {
        fs::create_dir_all(folder.join(side)).unwrap();
        for file in 0..FILES {
            let path = folder.join(side).join(format!("{file}.csv"));
            let mut out = std::io::BufWriter::new(fs::File::create(path).unwrap());
            for number in (file..rows).step_by(FILES as usize) {
                let id = if side == "left" {
                    number
                } else {
                    rows - 1 - number
                };
                let (minute, second) = (second(id) / 60, second(id) % 60);
                let (key, value) = (id % KEYS, value(id));
                writeln!(
                    out,
                    "{id},{key},{value},2026-01-01 00:{minute:02}:{second:02}"
                )
                .unwrap();
            }
        }
    }
}

/// Rows in any order: how many, and two sums over their hashes.
#[derive(Debug, Default, PartialEq)]
struct Digest {
    rows: u64,
    sum: u64,
    mixed: u64,
}

impl Digest {
    fn add(&mut self, line: &str) {
        let hash = stable_hash_bytes(line.as_bytes());
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
        self.mixed = self
            .mixed
            .wrapping_add(hash.wrapping_mul(hash | 1).rotate_left(17));
    }
}

/// The rows of an undisturbed run of each table.
fn expected(rows: u64) -> [(&'static str, Digest); 3] {
    let (mut copies, mut joined) = (Digest::default(), Digest::default());
    let mut windows: BTreeMap<(u64, u64), (u64, u64)> = BTreeMap::new();
    for id in 0..rows {
        let (key, value) = (id % KEYS, value(id));
        copies.add(&format!("{id},{value}"));
        if id < JOINED {
            joined.add(&format!("{id},{value},{key}"));
        }
        let window = windows.entry((key, second(id) / 600)).or_default();
        window.0 += 1;
        window.1 += value;
    }
    let mut fired = Digest::default();
    for ((key, window), (count, sum)) in windows {
        fired.add(&format!("{key},2026-01-01 00:{window}0:00,{count},{sum}"));
    }
    [("copies", copies), ("joined", joined), ("windows", fired)]
}

fn script(folder: &Path, parallelism: u64, from: Option<&Path>) -> String {
    let place = folder.display();
    let mut sql = format!(
        "SET 'execution.checkpointing.interval' = '60 ms';
         SET 'execution.checkpointing.dir' = '{place}/checkpoints';
         SET 'parallelism.default' = '{parallelism}';
         SET 'pipeline.max-parallelism' = '128';\n"
    );
    if let Some(from) = from {
        let from = from.display();
        writeln!(sql, "SET 'execution.state-recovery.path' = '{from}';").unwrap();
    }
    for side in ["left", "right"] {
        writeln!(
            sql,
            "CREATE TABLE `{side}` (id BIGINT, k BIGINT, v BIGINT, ts TIMESTAMP(3),
               WATERMARK FOR ts AS ts - INTERVAL '2' HOUR)
             WITH ('connector' = 'filesystem', 'path' = '{place}/{side}', 'format' = 'csv');"
        )
        .unwrap();
    }
    writeln!(
        sql,
        "CREATE TABLE copies (id BIGINT, v BIGINT)
         WITH ('connector' = 'filesystem', 'path' = '{place}/copies', 'format' = 'csv');
         CREATE TABLE joined (id BIGINT, v BIGINT, k BIGINT)
         WITH ('connector' = 'filesystem', 'path' = '{place}/joined', 'format' = 'csv',
           'sink.rolling-policy.file-size' = '40 kb',
           'sink.rolling-policy.rollover-interval' = '200 ms',
           'sink.rolling-policy.check-interval' = '20 ms');
         CREATE TABLE windows (k BIGINT, since TIMESTAMP(3), n BIGINT, total BIGINT)
         WITH ('connector' = 'filesystem', 'path' = '{place}/windows', 'format' = 'csv');
         EXECUTE STATEMENT SET BEGIN
           INSERT INTO copies SELECT id, v FROM `left`;
           INSERT INTO joined
             SELECT l.id, l.v, r.k FROM `left` AS l JOIN `right` AS r ON l.id = r.id
             WHERE l.id < {JOINED};
           INSERT INTO windows
             SELECT k, window_start, COUNT(*), SUM(v)
             FROM TABLE(TUMBLE(TABLE `left`, DESCRIPTOR(ts), INTERVAL '10' MINUTE))
             GROUP BY k, window_start, window_end;
         END;"
    )
    .unwrap();
    sql
}

fn start(folder: &Path, sql: &str) -> Child {
    let path = folder.join("job.sql");
    fs::write(&path, sql).unwrap();
    let built = env!("CARGO_BIN_EXE_thalweg").to_owned();
    Command::new(std::env::var("THALWEG_BIN").unwrap_or(built))
        .args(["sql", "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The directory of the newest checkpoint of all attempts: numbers go on from one to the next.
fn newest(folder: &Path) -> Option<PathBuf> {
    let attempts = fs::read_dir(folder.join("checkpoints")).ok()?;
    let mut found = Vec::new();
    for attempt in attempts {
        for checkpoint in fs::read_dir(attempt.unwrap().path()).unwrap() {
            let path = checkpoint.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // Beside them may lie what the process was killed over.
            let Some(number) = name.strip_prefix("chk-") else {
                continue;
            };
            let number: u64 = number.parse().unwrap();
            if path.join("_metadata").exists() {
                found.push((number, path));
            }
        }
    }
    found.into_iter().max().map(|(_, path)| path)
}

fn remove_pending(table: &Path) {
    for entry in fs::read_dir(table).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "pending") {
            fs::remove_file(path).unwrap();
        }
    }
}

fn committed(folder: &Path, table: &str) -> Digest {
    let mut digest = Digest::default();
    for entry in fs::read_dir(folder.join(table)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with("part-"), "`{table}/{name}` is left over");
        let text = fs::read_to_string(entry.path()).unwrap();
        text.lines().for_each(|line| digest.add(line));
    }
    digest
}

#[test]
fn trap_13_a_process_that_is_killed_again_and_again_commits_every_row_once() {
    let (kills, rows) = (
        number("THALWEG_KILLS", 8),
        number("THALWEG_ROWS", 1_000_000),
    );
    let seed = number("THALWEG_SEED", 7);
    // Long enough for the slowest build to start and to complete a checkpoint now and then.
    let longest = number("THALWEG_KILL_MILLIS", 500);
    let name = format!("thalweg-torture-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let folder = folder.0.as_path();
    write_input(folder, rows);
    let mut random = Random::new(seed);
    let (mut killed, mut finished_before) = (0, 0);
    while killed < kills {
        let parallelism = 1 + killed / KILLS_PER_PARALLELISM.min(kills / 3 + 1) % 3;
        let from = newest(folder);
        if from.is_none() {
            // No checkpoint needs what these files hold, and only a user can know that.
            for table in ["copies", "joined", "windows"] {
                remove_pending(&folder.join(table));
            }
        }
        let mut child = start(folder, &script(folder, parallelism, from.as_deref()));
        std::thread::park_timeout(Duration::from_millis(random.below(longest)));
        if child.try_wait().unwrap().is_some() {
            finished_before += 1;
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    if finished_before == 0 {
        let from = newest(folder);
        let child = start(folder, &script(folder, 2, from.as_deref()));
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "after {killed} kills: {error}");
    }
    println!(
        "{killed} kills, newest checkpoint then: {:?}",
        newest(folder)
    );
    assert!(
        killed > 0,
        "the job ended before it was killed: more rows are needed"
    );
    for (table, expected) in expected(rows) {
        assert_eq!(
            committed(folder, table),
            expected,
            "seed {seed}, table `{table}`"
        );
    }
}
