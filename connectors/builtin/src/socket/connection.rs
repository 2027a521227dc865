//! The thread that waits for bytes, so that a source never does.
//!
//! This is a shell: a blocking read needs a thread of its own. It hands over what it reads through
//! a bounded queue and wakes the source's task; a slow job stops it, and TCP stops the server.
//!
//! ```text
//!   connecting ──▶ Connected ──▶ Bytes … ──▶ End
//!        └──────────────┴──────────┴──────▶ Failed
//! ```

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use thalweg_core::error::Result;
use thalweg_core::host::Waker;

const QUEUE_CHUNKS_MAX: usize = 16;
const CHUNK_BYTES: usize = 1 << 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the thread tells.
pub enum Received {
    /// The connection stands. The other handle of it ends a read that waits.
    Connected(TcpStream),
    /// Bytes, at least one.
    Bytes(Vec<u8>),
    /// The server has closed the connection.
    End,
    /// There is no connection, or it broke.
    Failed(io::Error),
}

/// A connection that is read by a thread, which ends when this is dropped.
pub struct Connection {
    queue: Receiver<Received>,
    stream: Option<TcpStream>,
}

impl Connection {
    /// Starts to connect.
    ///
    /// # Errors
    /// `Retryable` if the system gives no thread.
    #[allow(
        clippy::disallowed_methods,
        reason = "a blocking read has to wait on a thread of its own"
    )]
    pub fn open(host: &str, port: u16, waker: Waker) -> Result<Self> {
        let (sender, queue) = sync_channel(QUEUE_CHUNKS_MAX);
        let host = host.to_owned();
        let thread = std::thread::Builder::new().name(format!("socket {host}:{port}"));
        thread.spawn(move || {
            let send = |received| send(&sender, &waker, received);
            let last = match read(&host, port, &send) {
                Ok(()) => Received::End,
                Err(error) => Received::Failed(error),
            };
            send(last);
        })?;
        Ok(Connection {
            queue,
            stream: None,
        })
    }

    /// What the thread has told since, if anything. After the last there is `End` again and again.
    pub fn receive(&mut self) -> Option<Received> {
        match self.queue.try_recv() {
            Ok(Received::Connected(stream)) => {
                self.stream = Some(stream);
                self.receive()
            }
            Ok(received) => Some(received),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Received::End),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The thread may wait in a read, which this ends. If the connection is gone already, so is
        // the thread.
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Hands something over; false when nobody listens any more.
fn send(sender: &SyncSender<Received>, waker: &Waker, received: Received) -> bool {
    let listening = sender.send(received).is_ok();
    waker.wake();
    listening
}

fn read(host: &str, port: u16, send: &impl Fn(Received) -> bool) -> io::Result<()> {
    let mut stream = connect(host, port)?;
    if !send(Received::Connected(stream.try_clone()?)) {
        return Ok(());
    }
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match stream.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 || !send(Received::Bytes(chunk[..read].to_vec())) {
            return Ok(());
        }
    }
}

/// Tries the addresses of a host in turn.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
