//! What every storage must do, and what only a server can do wrong.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use thalweg_core::error::ErrorKind;
use thalweg_object_storage::open_s3;
use thalweg_state::CheckpointStorage;

use super::server::{BUCKET, SECRET, Server, uri};

const MIB: usize = 1 << 20;

/// Bytes that do not repeat within a part.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn what_is_written_is_read_listed_and_deleted() {
    let server = Server::start();
    let storage = server.open("of/team a/");
    storage.write("job/chk-1/a", b"one").unwrap();
    storage.write("job/chk-1/b", b"").unwrap();
    storage.write("job/chk-10/a", b"ten").unwrap();
    storage.write("job/chk-1/a", b"three").unwrap();
    assert_eq!(storage.read("job/chk-1/a").unwrap(), b"three");
    assert_eq!(storage.read("job/chk-1/b").unwrap(), b"");
    assert_eq!(storage.list("job/chk-1").unwrap(), ["a", "b"]);
    assert_eq!(storage.list("job").unwrap(), ["chk-1", "chk-10"]);
    assert!(storage.list("nowhere").unwrap().is_empty());
    assert_eq!(
        server.objects("of"),
        [
            "of/team a/job/chk-1/a",
            "of/team a/job/chk-1/b",
            "of/team a/job/chk-10/a"
        ]
    );
    storage.delete("job/chk-1/b").unwrap();
    storage.delete("job/chk-1/b").unwrap();
    storage.delete("job/chk-1").unwrap();
    storage.delete("nowhere").unwrap();
    assert_eq!(storage.read("job/chk-10/a").unwrap(), b"ten");
    assert_eq!(server.objects("of"), ["of/team a/job/chk-10/a"]);
    let above = server.open("of");
    above.delete("").unwrap();
    assert!(server.objects("").is_empty());
    assert!(storage.list("").unwrap().is_empty());
}

#[test]
fn a_directory_of_more_objects_than_a_request_may_name_is_listed_and_deleted() {
    let server = Server::start();
    let storage = server.open("many");
    // As files, because a thousand requests say nothing more.
    fs::create_dir_all(server.file("many/shared")).unwrap();
    for number in 0..2100 {
        fs::write(server.file(&format!("many/shared/{number:04}")), b"x").unwrap();
    }
    let names = storage.list("shared").unwrap();
    assert_eq!(names.len(), 2100);
    assert!(names.is_sorted());
    storage.delete("shared").unwrap();
    assert!(server.objects("many").is_empty());
}

#[test]
fn files_of_any_size_come_back_byte_for_byte() {
    let server = Server::start();
    let storage = server.open("files");
    let local = server.file("../local");
    for (number, length) in [0, 1, 8 * MIB, 8 * MIB + 1, 37 * MIB + 5]
        .into_iter()
        .enumerate()
    {
        let content = bytes(length);
        fs::write(&local, &content).unwrap();
        let path = format!("chk-1/{number}");
        storage.put_file(&path, &local).unwrap();
        assert!(fs::read(server.file(&format!("files/{path}"))).unwrap() == content);
        let brought = storage.get_file(&path, length as u64).unwrap();
        assert_eq!(brought.file_name(), Path::new(&path).file_name());
        assert!(fs::read(&brought).unwrap() == content, "{length}");
        storage.write(&path, &content).unwrap();
        assert!(storage.read(&path).unwrap() == content, "{length}");
    }
    assert_eq!(server.unfinished_uploads(), 0);
}

#[test]
fn what_was_brought_goes_with_the_storage() {
    let server = Server::start();
    let storage = server.open("x");
    storage.write("shared/1", b"123").unwrap();
    let brought = storage.get_file("shared/1", 3).unwrap();
    assert_eq!(fs::read(&brought).unwrap(), b"123");
    // A checkpoint that is opened by itself refers to files beside it.
    let beside = server.open("x/chk-1");
    let again = beside.get_file("../shared/1", 3).unwrap();
    assert_ne!(brought, again);
    drop(storage);
    assert!(!brought.exists() && again.exists());
}

#[test]
fn a_missing_file_and_one_of_another_length_are_damage() {
    let server = Server::start();
    let storage = server.open("x");
    storage.write("chk-1/a", b"123").unwrap();
    let shorter = storage.get_file("chk-1/a", 4).unwrap_err();
    assert_eq!(shorter.kind(), ErrorKind::Corrupt);
    let text = shorter.to_string();
    assert_eq!(
        text,
        "`s3://checkpoints/x/chk-1/a` is not whole: 3 bytes, 4 expected"
    );
    for missing in [
        storage.get_file("chk-1/b", 4).unwrap_err(),
        storage.read("chk-1/b").unwrap_err(),
    ] {
        assert_eq!(missing.kind(), ErrorKind::Corrupt);
        let text = missing.to_string();
        assert_eq!(text, "`s3://checkpoints/x/chk-1/b` does not exist");
    }
}

/// Gives some bytes and then an error.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is broken"));
        }
        let given = buffer.len().min(self.0);
        self.0 -= given;
        Ok(given)
    }
}

#[test]
fn an_upload_whose_source_fails_leaves_nothing_behind() {
    let server = Server::start();
    let storage = server.open("x");
    let cases: [(Box<dyn Read>, &str); 2] = [
        (Box::new(Broken(50 * MIB)), "the disk is broken"),
        (Box::new(&[7; 100][..]), "it has become shorter"),
    ];
    for (mut source, why) in cases {
        let error = storage.write_from("a", 60 * MIB as u64, &mut source);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Retryable);
        let text = error.to_string();
        assert_eq!(text, format!("cannot write `s3://{BUCKET}/x/a`: {why}"));
        assert!(server.objects("").is_empty());
        assert_eq!(server.unfinished_uploads(), 0);
    }
}

#[test]
fn a_refusal_a_missing_bucket_and_a_silent_server_are_told_apart() {
    let mut server = Server::start();
    let write = |uri: &str, options| {
        let storage = open_s3(uri, &options).unwrap();
        let error = storage.write("job/.probe", b"").unwrap_err();
        assert!(!format!("{error:?}").contains(SECRET), "{error}");
        let listed = storage.list("").unwrap_err();
        assert_eq!(listed.kind(), error.kind(), "{listed}");
        let read = storage.read("a").unwrap_err();
        assert_eq!(read.kind(), error.kind(), "{read}");
        let deleted = storage.delete("a").unwrap_err();
        assert_eq!(deleted.kind(), error.kind(), "{deleted}");
        error
    };
    let wrong = server.options().with("s3.secret-key", "open-wheat");
    let refused = write(&uri("x"), wrong);
    assert_eq!(refused.kind(), ErrorKind::User);
    let text = refused.to_string();
    for part in [
        "`s3://checkpoints/x/job/.probe`",
        &server.endpoint(),
        "`s3.secret-key`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let unknown = server.options().with("s3.access-key", "kasim");
    assert_eq!(write(&uri("x"), unknown).kind(), ErrorKind::User);

    // This server makes a bucket for what is written; listing shows that it is missing.
    let nowhere = open_s3("s3://nowhere/x", &server.options()).unwrap();
    let missing = nowhere.list("").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::User);
    let text = missing.to_string();
    assert!(text.contains("there is no bucket `s3://nowhere`"), "{text}");

    server.stop();
    let silent = write(&uri("x"), server.options());
    assert_eq!(silent.kind(), ErrorKind::Retryable);
    let text = silent.to_string();
    for part in ["onnection refused", &server.endpoint(), "`s3.endpoint`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn an_upload_that_loses_its_server_is_an_error_and_succeeds_when_it_is_back() {
    let mut server = Server::start();
    let storage = server.open("x");
    let content = bytes(30 * MIB);
    // The server goes away when half of it has been read.
    let (first, second) = content.split_at(15 * MIB);
    let mut source = first.chain(Stopping(&mut server)).chain(second);
    let error = storage.write_from("a", content.len() as u64, &mut source);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retryable);
    assert!(error.to_string().contains("lifecycle rule"), "{error}");
    assert!(!server.file("x/a").exists());
    server.start_again();
    storage.write("a", &content).unwrap();
    assert!(storage.read("a").unwrap() == content);
}

/// Gives nothing, and stops a server.
struct Stopping<'a>(&'a mut Server);

impl Read for Stopping<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.stop();
        Ok(0)
    }
}
