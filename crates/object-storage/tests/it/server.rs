//! A server of S3 for a test: a process with a port and a directory of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_core::config::FileSystemOptions;
use thalweg_object_storage::{ObjectStorage, open_s3};
use thalweg_state::CheckpointStorage;

pub const BUCKET: &str = "checkpoints";
pub const SECRET: &str = "open-sesame-0123456789";
const ACCESS: &str = "ali-baba";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A server, with one bucket. What is in it are files, so that a test can look at them and damage them.
pub struct Server {
    root: PathBuf,
    port: u16,
    running: Option<Running>,
}

struct Running {
    process: Child,
    // Held open: a process that cannot write its log may end.
    log: BufReader<ChildStdout>,
}

impl Server {
    pub fn start() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("thalweg-s3-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join(BUCKET)).unwrap();
        let mut server = Server {
            root,
            port: 0,
            running: None,
        };
        // Another process may take a free port before the server does.
        while server.running.is_none() {
            server.port = free_port();
            server.running = run(&server.root, server.port);
        }
        server
    }

    /// Kills it. Its directory stays.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.process.kill().unwrap();
            running.process.wait().unwrap();
        }
    }

    /// Starts it again, on the same port.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none());
        self.running = run(&self.root, self.port);
        assert!(self.running.is_some(), "the port was taken meanwhile");
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn options(&self) -> FileSystemOptions {
        FileSystemOptions::default()
            .with("s3.endpoint", self.endpoint())
            .with("s3.access-key", ACCESS)
            .with("s3.secret-key", SECRET)
            .with("s3.retry.max-num-retries", "1")
    }

    pub fn open(&self, prefix: &str) -> ObjectStorage {
        open_s3(&uri(prefix), &self.options()).unwrap()
    }

    pub fn shared(&self, prefix: &str) -> Arc<dyn CheckpointStorage> {
        Arc::new(self.open(prefix))
    }

    /// The file behind an object.
    pub fn file(&self, key: &str) -> PathBuf {
        self.root.join(BUCKET).join(key)
    }

    /// The objects below a prefix, sorted.
    pub fn objects(&self, prefix: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.file(prefix), &self.file(""), &mut found);
        found.sort();
        found
    }

    /// What the server keeps of uploads that have not come to an end.
    pub fn unfinished_uploads(&self) -> usize {
        let entries = fs::read_dir(&self.root).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("upload")).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.root);
    }
}

pub fn uri(prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}")
}

fn walk(directory: &Path, root: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, root, found);
        } else {
            let key = path.strip_prefix(root).unwrap();
            found.push(key.display().to_string());
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts the server and waits until it says that it listens; `None` if it has ended instead.
fn run(root: &Path, port: u16) -> Option<Running> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../services/bin/s3s-fs");
    assert!(
        program.exists(),
        "there is no server to test with: `cargo xtask services` installs it as `{}`",
        program.display()
    );
    let mut process = Command::new(program)
        .args(["--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--access-key", ACCESS, "--secret-key", SECRET])
        .arg(root)
        .env("RUST_LOG", "s3s_fs=info")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = BufReader::new(process.stdout.take().unwrap());
    let mut running = Running { process, log };
    let mut line = String::new();
    while !line.contains("running at") {
        line.clear();
        if running.log.read_line(&mut line).unwrap() == 0 {
            running.process.wait().unwrap();
            return None;
        }
    }
    Some(running)
}
