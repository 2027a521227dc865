//! One connection to a broker: a request, then its answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange,
};
use thalweg_core::error::{Error, ErrorKind, Result};

use super::config::ClientConfig;
use super::errors::{garbled, lost, refused};

// An answer of more is taken for a peer that does not speak Kafka: `HTTP` as a length is 1.2 GiB.
const ANSWER_BYTES_MAX: usize = 1 << 30;
// The last version of it that brokers without compact forms understand.
const API_VERSIONS_OLDEST: i16 = 0;
const API_VERSIONS: i16 = 3;
const UNSUPPORTED_VERSION: i16 = 35;

/// A connection.
pub struct Connection {
    stream: TcpStream,
    broker: String,
    client_id: StrBytes,
    timeout: Duration,
    correlation: i32,
    /// What the broker understands, by the number of the API.
    versions: BTreeMap<i16, VersionRange>,
    out: BytesMut,
}

impl Connection {
    /// Connects to `host:port` and asks what it understands.
    ///
    /// # Errors
    /// `User` if the address is none; `Retryable` if nobody answers there, or not as a broker does.
    pub fn open(broker: &str, config: &ClientConfig) -> Result<Self> {
        let stream = connect(broker, config.connect_timeout)?;
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_write_timeout(Some(config.request_timeout)));
        prepared.map_err(|error| lost(broker, "cannot set the connection up", error))?;
        let mut connection = Connection {
            stream,
            broker: broker.to_owned(),
            client_id: StrBytes::from_string(config.client_id.clone()),
            timeout: config.request_timeout,
            correlation: 0,
            versions: BTreeMap::new(),
            out: BytesMut::new(),
        };
        let answer = connection.api_versions()?;
        for api in answer.api_keys {
            let range = VersionRange {
                min: api.min_version,
                max: api.max_version,
            };
            connection.versions.insert(api.api_key, range);
        }
        Ok(connection)
    }

    /// The broker, as `host:port`.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// Asks in the newest version that both sides know.
    ///
    /// # Errors
    /// `Unsupported` if there is none; `Retryable` if the connection breaks: it cannot be used again.
    pub fn call<R: Request>(&mut self, request: &R) -> Result<R::Response> {
        self.call_up_to(i16::MAX, Duration::ZERO, request)
    }

    /// Asks in the newest version up to `newest`; the broker may wait for `waits` before it answers.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call_up_to<R: Request>(
        &mut self,
        newest: i16,
        waits: Duration,
        request: &R,
    ) -> Result<R::Response> {
        let ours = VersionRange {
            max: R::VERSIONS.max.min(newest),
            ..R::VERSIONS
        };
        let theirs = self.versions.get(&R::KEY);
        let common = theirs.map(|theirs| ours.intersect(theirs));
        let Some(common) = common.filter(|common| !common.is_empty()) else {
            let message = format!(
                "broker `{}` does not know request {} in versions {ours}",
                self.broker,
                R::KEY
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        self.exchange(common.max, waits, request)
    }

    fn api_versions(&mut self) -> Result<ApiVersionsResponse> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("thalweg"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut answer = self.exchange(API_VERSIONS, Duration::ZERO, &request)?;
        if answer.error_code == UNSUPPORTED_VERSION {
            answer = self.exchange(API_VERSIONS_OLDEST, Duration::ZERO, &request)?;
        }
        match answer.error_code {
            0 => Ok(answer),
            code => Err(refused(&format!("broker `{}`", self.broker), code)),
        }
    }

    fn exchange<R: Request>(
        &mut self,
        version: i16,
        waits: Duration,
        request: &R,
    ) -> Result<R::Response> {
        self.send(version, request)?;
        let mut answer = self.receive(waits)?;
        let garbled = |_| garbled(&self.broker, "answer to a request");
        let header = R::Response::header_version(version);
        let header = ResponseHeader::decode(&mut answer, header).map_err(garbled)?;
        if header.correlation_id != self.correlation {
            return Err(super::errors::garbled(
                &self.broker,
                "answer to this request",
            ));
        }
        // A broker that does not know the version says so in the oldest one.
        let is_refusal =
            R::KEY == API_VERSIONS_KEY && answer.starts_with(&[0, UNSUPPORTED_VERSION as u8]);
        let version = if is_refusal {
            API_VERSIONS_OLDEST
        } else {
            version
        };
        R::Response::decode(&mut answer, version).map_err(garbled)
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client_id.clone()));
        self.out.clear();
        self.out.extend_from_slice(&[0; 4]);
        let encoded = header
            .encode(&mut self.out, R::header_version(version))
            .and_then(|()| request.encode(&mut self.out, version));
        encoded.map_err(|error| {
            Error::internal(format!("request {} in version {version}: {error}", R::KEY))
        })?;
        let length = i32::try_from(self.out.len() - 4)
            .map_err(|_| Error::internal("a request of more than 2 GiB"))?;
        self.out[..4].copy_from_slice(&length.to_be_bytes());
        let sent = self.stream.write_all(&self.out);
        sent.map_err(|error| lost(&self.broker, "the connection broke", error))
    }

    fn receive(&mut self, waits: Duration) -> Result<Bytes> {
        let broke = |error| lost(&self.broker, "no answer came", error);
        self.stream
            .set_read_timeout(Some(self.timeout + waits))
            .map_err(broke)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(broke)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ANSWER_BYTES_MAX {
            return Err(garbled(&self.broker, "answer of a broker"));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).map_err(broke)?;
        Ok(answer.into())
    }
}

const API_VERSIONS_KEY: i16 = ApiVersionsRequest::KEY;

fn connect(broker: &str, timeout: Duration) -> Result<TcpStream> {
    let is_address = broker.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !is_address {
        return Err(Error::user(format!(
            "`{broker}` is no address of a broker: it is `host:port`"
        )));
    }
    let cannot = |error| lost(broker, "cannot connect", error);
    let mut last = None;
    for address in broker.to_socket_addrs().map_err(cannot)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
    Err(cannot(error))
}
