//! Tests of the whole source against a listener of their own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef};
use thalweg_core::error::{ErrorKind, Result};
use thalweg_core::host::Waker;
use thalweg_core::source::{Boundedness, Poll};

use super::Socket;
use crate::testing::{Instance, error, instance, lines, source, table};

const LIMIT: Duration = Duration::from_secs(30);

fn fields() -> Vec<FieldRef> {
    let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
    vec![
        field("id", DataType::Int64),
        field("name", DataType::Utf8View),
    ]
}

/// A source that is connecting, and what its waker says.
struct Client {
    instance: Instance,
    woken: Receiver<()>,
}

impl Client {
    fn new(fields: Vec<FieldRef>, port: u16, options: &[(&str, &str)]) -> Self {
        let port = port.to_string();
        let mut all = vec![("hostname", "127.0.0.1"), ("port", port.as_str())];
        all.extend_from_slice(options);
        let source = source(&Socket, &table(fields, &all)).unwrap();
        assert_eq!(source.boundedness(), Boundedness::Unbounded);
        let (sender, woken) = sync_channel(1);
        let waker = Waker::new(move || {
            let _ = sender.try_send(());
        });
        let instance = Instance::new(source.as_ref(), (0, 1), 4096, None, waker);
        Client { instance, woken }
    }

    /// Polls until the end or until `rows` have come, and sleeps only when told to.
    fn run(&mut self, rows: usize) -> Result<Vec<RecordBatch>> {
        let (mut batches, mut count) = (Vec::new(), 0);
        loop {
            let (poll, some) = self.instance.poll(0)?;
            count += some.iter().map(RecordBatch::num_rows).sum::<usize>();
            batches.extend(some);
            match poll {
                _ if count >= rows => break,
                Poll::Ready => {}
                Poll::Idle { .. } => self.woken.recv_timeout(LIMIT).unwrap(),
                Poll::End => break,
            }
        }
        Ok(batches)
    }
}

fn connect(fields: Vec<FieldRef>, options: &[(&str, &str)]) -> (Client, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Client::new(fields, port, options);
    (client, listener.accept().unwrap().0)
}

#[test]
fn records_come_as_they_are_sent_until_the_server_closes() {
    let (mut client, mut server) = connect(fields(), &[("format", "csv")]);
    server.write_all(b"1,one\n2,tw").unwrap();
    assert_eq!(lines(&client.run(1).unwrap()), ["1 | one"]);
    server.write_all(b"o\n3,three").unwrap();
    assert_eq!(lines(&client.run(1).unwrap()), ["2 | two"]);
    drop(server);
    assert_eq!(lines(&client.run(usize::MAX).unwrap()), ["3 | three"]);
}

#[test]
fn many_records_come_in_order_and_whole() {
    let (mut client, mut server) = connect(fields(), &[("format", "json")]);
    let mut expected = Vec::new();
    let mut batches = Vec::new();
    for part in 0..20 {
        let mut text = String::new();
        for id in part * 1000..(part + 1) * 1000 {
            text.push_str(&format!("{{\"id\": {id}, \"name\": \"n{id}\"}}\n"));
            expected.push(format!("{id} | n{id}"));
        }
        server.write_all(text.as_bytes()).unwrap();
        batches.extend(client.run(500).unwrap());
    }
    drop(server);
    batches.extend(client.run(usize::MAX).unwrap());
    assert_eq!(lines(&batches), expected);
}

#[test]
fn another_byte_may_end_a_record() {
    let line = vec![Arc::new(Field::new("line", DataType::Utf8View, true))];
    let options = [("format", "raw"), ("byte-delimiter", "59")];
    let (mut client, mut server) = connect(line, &options);
    server.write_all(b"a;b\nc;d").unwrap();
    drop(server);
    let batches = client.run(usize::MAX).unwrap();
    assert_eq!(lines(&batches), ["a", "b c", "d"]);
}

#[test]
fn a_malformed_record_names_the_server_and_the_line() {
    let (mut client, mut server) = connect(fields(), &[("format", "csv")]);
    server.write_all(b"1,one\nx,two\n").unwrap();
    let server_name = server.local_addr().unwrap().to_string();
    drop(server);
    let error = client.run(usize::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    let text = error.to_string();
    assert!(text.contains(&format!("{server_name}:2")), "{text}");
    assert!(text.contains("`id`"), "{text}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Client::new(fields(), port, &[("format", "csv")])
        .run(1)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retryable);
    let expected = format!("socket `127.0.0.1:{port}`: the connection failed: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_dropped_source_closes_its_connection() {
    let (mut client, mut server) = connect(fields(), &[("format", "csv")]);
    server.write_all(b"1,one\n").unwrap();
    client.run(1).unwrap();
    drop(client);
    server.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn only_the_first_instance_reads() {
    let options = [
        ("hostname", "no.such.host.invalid"),
        ("port", "1"),
        ("format", "csv"),
    ];
    let source = source(&Socket, &table(fields(), &options)).unwrap();
    let mut second = instance(source.as_ref(), 1, 2);
    assert_eq!(second.poll(0).unwrap().0, Poll::End);
}

#[test]
fn wrong_options_are_named() {
    let of = |options: &[(&str, &str)]| error(&Socket, &table(fields(), options));
    let message = of(&[("port", "70000"), ("hostname", "h"), ("format", "csv")]);
    let expected = "option `port` is `70000`, but must be a port between 1 and 65535";
    assert_eq!(message, format!("table `t`: {expected}"));
    let message = of(&[("port", "9"), ("format", "csv")]);
    assert_eq!(message, "table `t`: option `hostname` is missing");
    let options = [
        ("hostname", "h"),
        ("port", "9"),
        ("format", "csv"),
        ("byte-delimiter", "ab"),
    ];
    let expected = "option `byte-delimiter` is `ab`, but must be the number of a byte, 0 to 255";
    assert_eq!(of(&options), format!("table `t`: {expected}"));
    let message = of(&[("hostname", "h"), ("port", "9"), ("format", "cvs")]);
    assert!(message.contains("did you mean `csv`"), "{message}");
}
