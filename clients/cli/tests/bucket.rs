//! A real process whose checkpoints lie in a bucket is killed, and others go on from there.

#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const ROWS: usize = 4000;

/// A process that is killed when the test is over.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        // It may have ended by itself; either way it is gone then.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server with the bucket `flink`, and its endpoint.
fn server(folder: &Path) -> (Process, String) {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../services/bin/s3s-fs");
    assert!(
        program.exists(),
        "there is no server to test with: `cargo xtask services` installs it"
    );
    let data = folder.join("data");
    fs::create_dir_all(data.join("flink")).unwrap();
    // Another process may take a free port before the server does.
    loop {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port().to_string();
        drop(free);
        let child = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", &port])
            .args(["--access-key", "minio", "--secret-key", "minio-secret"])
            .arg(&data)
            .env("RUST_LOG", "s3s_fs=info")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = Process(child.unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        if lines.any(|line| line.unwrap().contains("running at")) {
            return (process, format!("http://127.0.0.1:{port}"));
        }
    }
}

/// Starts a job that copies numbers; where its checkpoints are.
fn start(folder: &Path, endpoint: &str, parallelism: u32, from: Option<&str>) -> (Process, String) {
    let script = folder.join("job.sql");
    let copies = folder.join("copies").display().to_string();
    let last = ROWS - 1;
    let text = format!(
        "SET 's3.endpoint' = '{endpoint}';
         SET 's3.access-key' = 'minio';
         SET 's3.secret-key' = 'minio-secret';
         SET 'execution.checkpointing.interval' = '100 ms';
         SET 'execution.checkpointing.dir' = 's3://flink/checkpoints';
         SET 'parallelism.default' = '{parallelism}';
         CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen',
             'rows-per-second' = '1000', 'number-of-rows' = '{ROWS}',
             'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '{last}');
         CREATE TABLE copies (id BIGINT) WITH ('connector' = 'filesystem',
             'path' = '{copies}', 'format' = 'csv',
             'sink.rolling-policy.rollover-interval' = '50 ms');
         INSERT INTO copies SELECT id FROM numbers;"
    );
    fs::write(&script, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    command.args(["sql", "--quiet"]);
    if let Some(from) = from {
        command.args(["--set", &format!("execution.state-recovery.path={from}")]);
    }
    let child = command
        .arg("-f")
        .arg(script)
        .current_dir(folder)
        .env("THALWEG_RUNTIME_DIR", folder.join("run"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = Process(child.unwrap());
    let mut errors = BufReader::new(process.0.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let place = line.trim().strip_prefix("checkpoints of this job: ");
    let place = place.unwrap_or_else(|| panic!("{line}")).to_owned();
    process.0.stderr = Some(errors.into_inner());
    (process, place)
}

/// The committed numbers, sorted.
fn copies(folder: &Path) -> Vec<usize> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder.join("copies")).into_iter().flatten() {
        let path: PathBuf = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with('.') {
            let text = fs::read_to_string(path).unwrap();
            copies.extend(text.lines().map(|line| line.parse::<usize>().unwrap()));
        }
    }
    copies.sort_unstable();
    copies
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_its_bucket_has() {
    let name = format!("thalweg-cli-bucket-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let (server, endpoint) = server(&folder);
    let mut from = None;
    for (parallelism, least) in [(1, 500), (2, 1500)] {
        let (mut job, place) = start(&folder, &endpoint, parallelism, from.as_deref());
        while copies(&folder).len() < least {
            assert!(job.0.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        job.kill();
        assert!(place.starts_with("s3://flink/checkpoints/"), "{place}");
        from = Some(place);
    }
    let (mut last, place) = start(&folder, &endpoint, 1, from.as_deref());
    assert!(last.0.wait().unwrap().success());
    assert_eq!(copies(&folder), Vec::from_iter(0..ROWS));
    // The server keeps the directories of objects that are gone.
    let own = folder.join(place.replace("s3://", "data/"));
    for directory in fs::read_dir(own).unwrap() {
        let mut objects = fs::read_dir(directory.unwrap().path()).unwrap();
        assert!(
            objects.next().is_none(),
            "its checkpoints went with the job"
        );
    }
    drop(server);
    fs::remove_dir_all(&folder).unwrap();
}
