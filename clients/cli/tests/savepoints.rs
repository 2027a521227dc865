//! The verbs against real processes: a job that runs here is listed, saved, stopped and started
//! again from there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const ROWS: u64 = 60_000;

/// A folder with a runtime directory of its own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("thalweg-cli-savepoints-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
        command
            .args(arguments)
            .current_dir(&self.0)
            .env("THALWEG_RUNTIME_DIR", self.0.join("run"))
            .stdin(Stdio::null());
        command
    }

    fn thalweg(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a verb that succeeds prints.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.thalweg(arguments);
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a verb that fails says.
    #[track_caller]
    fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.thalweg(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }

    /// A script that copies numbers into files.
    fn script(&self, rows_per_second: u64) -> String {
        let path = self.0.join("job.sql");
        let script = format!(
            "CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen',
                 'rows-per-second' = '{rows_per_second}', 'number-of-rows' = '{ROWS}',
                 'fields.id.kind' = 'sequence', 'fields.id.start' = '0',
                 'fields.id.end' = '{}');
             CREATE TABLE copies (id BIGINT, n BIGINT) WITH ('connector' = 'filesystem',
                 'path' = '{}', 'format' = 'csv');
             INSERT INTO copies SELECT id, id * 3 FROM numbers;",
            ROWS - 1,
            self.path("copies")
        );
        fs::write(&path, script).unwrap();
        path.display().to_string()
    }

    /// Hidden files of the output with an ending.
    fn hidden(&self, ending: &str) -> usize {
        let files = fs::read_dir(self.0.join("copies")).into_iter().flatten();
        let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
        names
            .filter(|name| name.starts_with('.') && name.ends_with(ending))
            .count()
    }

    /// The committed numbers, sorted.
    fn copies(&self) -> Vec<u64> {
        let mut copies = Vec::new();
        for entry in fs::read_dir(self.0.join("copies")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with('.') {
                continue;
            }
            for line in fs::read_to_string(path).unwrap().lines() {
                let (id, n) = line.split_once(',').unwrap();
                let id: u64 = id.parse().unwrap();
                assert_eq!(n.parse::<u64>().unwrap(), id * 3);
                copies.push(id);
            }
        }
        copies.sort_unstable();
        copies
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process with a job in it, killed when the test is over.
struct Running {
    child: Child,
    id: String,
}

impl Running {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = folder.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let id = line
            .trim()
            .strip_prefix("Job has been submitted with JobID ");
        let id = id.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        assert!(id.len() == 32 && id.chars().all(|c| "0123456789abcdef".contains(c)));
        Running { child, id }
    }

    fn ends(mut self) -> (Option<i32>, String) {
        let mut err = self.child.stderr.take().unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut err, &mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn path_of(said: &str) -> String {
    let path = said.strip_prefix("Savepoint completed. Path: ").unwrap();
    let path = path.strip_suffix('\n').unwrap();
    assert!(Path::new(path).join("_metadata").exists(), "{path}");
    path.to_owned()
}

#[test]
fn a_job_is_saved_stopped_killed_and_started_again_and_has_every_row_once() {
    let folder = Folder::new("resume");
    let script = folder.script(30_000);
    let first = Running::start(&folder, &["run", "-f", &script]);
    let listed = folder.says(&["list"]);
    assert!(
        listed.contains(&format!("{} : insert-into_copies (RUNNING)", first.id)),
        "{listed}"
    );
    // Relative to the one who asks; the job may be given by the beginning of its id.
    let beside = path_of(&folder.says(&["savepoint", &first.id[..8], "saved"]));
    let within = folder.0.join("saved");
    assert_eq!(Path::new(&beside).parent().unwrap(), within);
    let stopped = path_of(&folder.says(&["stop", "-p", "saved", &first.id]));
    assert_eq!(first.ends(), (Some(0), String::new()));
    let before = folder.copies();
    assert!(!before.is_empty() && (before.len() as u64) < ROWS);

    // What this one writes is never committed.
    let mut second = Running::start(&folder, &["run", "-s", &stopped, "-p", "2", "-f", &script]);
    path_of(&folder.says(&["savepoint", &second.id, "saved"]));
    second.child.kill().unwrap();
    second.child.wait().unwrap();
    assert_eq!(folder.says(&["list", "-r"]), "No running jobs.\n");
    assert_eq!(
        fs::read_dir(folder.0.join("run")).unwrap().count(),
        0,
        "no stale socket"
    );
    assert_eq!(folder.copies(), before);

    let third = Running::start(&folder, &["run", "-s", &stopped, "-f", &script]);
    assert_eq!(third.ends(), (Some(0), String::new()));
    assert_eq!(folder.copies(), (0..ROWS).collect::<Vec<_>>());
    for path in [&beside, &stopped] {
        assert_eq!(
            folder.says(&["savepoint", "-d", path]),
            format!("Savepoint '{path}' disposed.\n")
        );
        assert!(!Path::new(path).exists());
    }
}

#[test]
fn jobs_from_one_savepoint_write_beside_each_other_and_one_is_killed() {
    let folder = Folder::new("beside");
    let script = folder.script(10_000);
    let first = Running::start(&folder, &["run", "-f", &script]);
    let savepoint = path_of(&folder.says(&["savepoint", &first.id, "saved"]));
    let from = ["run", "-s", &savepoint, "-f", &script];
    let mut second = Running::start(&folder, &from);
    while folder.hidden(".inprogress") < 2 {
        assert!(second.child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    let before = folder.copies();
    second.child.kill().unwrap();
    second.child.wait().unwrap();
    let third = Running::start(&folder, &from);
    assert_eq!(first.ends(), (Some(0), String::new()));
    assert_eq!(third.ends(), (Some(0), String::new()));
    // What the savepoint held is there once, what came behind it is of both jobs.
    let saved = before.len() as u64;
    assert_eq!(before, (0..saved).collect::<Vec<_>>());
    let mut expected: Vec<u64> = (0..ROWS).chain(saved..ROWS).collect();
    expected.sort_unstable();
    assert!(folder.copies() == expected, "rows are lost or repeated");
    assert_eq!(folder.hidden(""), 0, "nothing is left over");
}

#[test]
fn a_job_is_drained_cancelled_and_spoken_to_in_sql() {
    let folder = Folder::new("sql");
    let script = folder.script(1000);
    let setting = format!(
        "execution.checkpointing.savepoint-dir={}",
        folder.path("saved")
    );
    let run = ["run", "-f", &script, "-D", &setting];
    let first = Running::start(&folder, &run);
    let shown = folder.says(&["sql", "--output", "csv", "-e", "SHOW JOBS"]);
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("job id,job name,status,start time"));
    let line = lines.next().unwrap();
    assert!(
        line.starts_with(&format!("{},insert-into_copies,RUNNING,2", first.id)),
        "{line}"
    );
    let describe = format!("DESCRIBE JOB '{}'", &first.id[..10]);
    assert_eq!(
        folder.says(&["sql", "--output", "csv", "-e", &describe]),
        shown
    );
    let stop = format!("STOP JOB '{}' WITH SAVEPOINT WITH DRAIN", first.id);
    let stopped = folder.says(&["sql", "--output", "csv", "-e", &stop]);
    let path = stopped.lines().nth(1).unwrap();
    assert!(path.starts_with(&folder.path("saved")), "{stopped}");
    assert_eq!(first.ends(), (Some(0), String::new()));
    assert!(!folder.copies().is_empty());
    // Nothing is left to do for a job that starts from there.
    let drained = Running::start(&folder, &["run", "-s", path, "-f", &script]);
    let (code, err) = drained.ends();
    assert_eq!(code, Some(0));
    assert!(
        err.contains("or was drained: there is nothing left to do"),
        "{err}"
    );

    let second = Running::start(&folder, &run);
    assert_eq!(
        folder.says(&["cancel", &second.id]),
        format!("Cancelled job {}.\n", second.id)
    );
    assert_eq!(
        second.ends(),
        (Some(1), "error: the job was cancelled\n".to_owned())
    );
}

#[test]
fn what_cannot_be_done_is_said_and_the_job_goes_on() {
    let folder = Folder::new("refused");
    let unknown = folder.refuses(&["stop", "abc"]);
    assert_eq!(
        unknown,
        "error: there is no job `abc`; no job of this user is running on this machine\n"
    );
    let script = folder.script(1000);
    let job = Running::start(&folder, &["run", "-f", &script]);
    let unknown = folder.refuses(&["savepoint", "xyz", "saved"]);
    let expected = format!("these are running:\n  {} insert-into_copies\n", job.id);
    assert!(unknown.ends_with(&expected), "{unknown}");
    let nowhere = folder.refuses(&["stop", &job.id]);
    assert!(
        nowhere.contains("set `execution.checkpointing.savepoint-dir`"),
        "{nowhere}"
    );
    let file = folder.path("file");
    fs::write(&file, "").unwrap();
    let unwritable = folder.refuses(&["stop", "-p", &file, &job.id]);
    assert!(
        unwritable.contains(&format!("cannot list `{file}/savepoint-")),
        "{unwritable}"
    );
    let none = folder.refuses(&["checkpoint", &job.id]);
    assert!(
        none.contains("`execution.checkpointing.dir` is not set"),
        "{none}"
    );
    let cluster = folder.refuses(&["list", "-m", "localhost:8081"]);
    assert!(cluster.contains("there are no clusters yet"), "{cluster}");
    let legacy = ["run", "-s", "x", "--claim-mode", "LEGACY", "-f", &script];
    let legacy = folder.refuses(&legacy);
    assert!(legacy.contains("`LEGACY`"), "{legacy}");
    let other = folder.refuses(&["savepoint", "-d", &folder.path("run")]);
    assert!(other.contains("is no savepoint"), "{other}");
    // Only its owner reaches the job.
    let run = fs::metadata(folder.0.join("run")).unwrap();
    assert_eq!(run.permissions().mode() & 0o777, 0o700);
    let socket = folder
        .0
        .join("run")
        .join(format!("{}.sock", job.child.id()));
    let mode = fs::metadata(socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(folder.says(&["list"]).contains("(RUNNING)"));
}

#[test]
fn a_checkpoint_is_taken_on_request_and_is_no_savepoint() {
    let folder = Folder::new("checkpoint");
    let script = folder.script(1000);
    let setting = format!("execution.checkpointing.dir={}", folder.path("checkpoints"));
    let job = Running::start(&folder, &["run", "-D", &setting, "-f", &script]);
    let said = folder.says(&["checkpoint", &job.id]);
    let path = said
        .strip_prefix("Checkpoint completed. Path: ")
        .unwrap()
        .trim();
    assert!(path.ends_with(&format!("{}/chk-1", job.id)), "{path}");
    let kept = folder.refuses(&["savepoint", "-d", path]);
    assert!(
        kept.contains("is checkpoint 1 of job `insert-into_copies`, not a savepoint"),
        "{kept}"
    );
    assert!(Path::new(path).join("_metadata").exists());
}
