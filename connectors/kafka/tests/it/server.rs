//! A Kafka broker on this machine, of one process that is its own controller.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use thalweg_connector_kafka::client::{ClientConfig, Cluster, IsolationLevel, OffsetSpec};
use thalweg_core::error::{Error, ErrorKind};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A broker, which ends with this.
pub struct Server {
    directory: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// A broker without topics.
    pub fn start() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("thalweg-kafka-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        // Two at once, so that they differ.
        let (a, b) = (free_port(), free_port());
        let (port, controller) = (
            a.local_addr().unwrap().port(),
            b.local_addr().unwrap().port(),
        );
        drop((a, b));
        let mut server = Server {
            directory,
            port,
            process: None,
        };
        server.configure(controller);
        let formatted = server
            .java("kafka.tools.StorageTool")
            .args([
                "format",
                "--cluster-id",
                "MkU3OEVBNTcwNTJENDM2Qk",
                "--config",
            ])
            .arg(server.file("server.properties"))
            .output()
            .unwrap();
        assert!(
            formatted.status.success(),
            "{}",
            String::from_utf8_lossy(&formatted.stderr)
        );
        server.start_again();
        server
    }

    fn configure(&self, controller: u16) {
        let port = self.port;
        let logs = self.file("logs").display().to_string();
        let lines = [
            "process.roles=broker,controller".to_owned(),
            "node.id=1".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
            format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
            "controller.listener.names=CONTROLLER".to_owned(),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
            format!("log.dirs={logs}"),
            "offsets.topic.replication.factor=1".to_owned(),
            "offsets.topic.num.partitions=2".to_owned(),
            "transaction.state.log.replication.factor=1".to_owned(),
            "transaction.state.log.min.isr=1".to_owned(),
            "transaction.state.log.num.partitions=2".to_owned(),
            "auto.create.topics.enable=false".to_owned(),
        ];
        let mut file = File::create(self.file("server.properties")).unwrap();
        file.write_all(lines.join("\n").as_bytes()).unwrap();
    }

    fn java(&self, class: &str) -> Command {
        let libraries = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../services/kafka");
        assert!(
            libraries.exists(),
            "there is no Kafka to test with: `cargo xtask services` installs it in `{}`",
            libraries.display()
        );
        let mut command = Command::new("java");
        command
            .args([
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
            ])
            .arg(libraries.join("*"))
            .arg(class)
            .current_dir(&self.directory);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts the broker on the logs that are there, and waits until it answers.
    pub fn start_again(&mut self) {
        let log = File::create(self.file("server.log")).unwrap();
        let process = self
            .java("kafka.Kafka")
            .arg(self.file("server.properties"))
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        self.process = Some(process);
        let answer = self.cluster().retry(|cluster| cluster.metadata(Some(&[])));
        if let Err(error) = answer {
            let log = fs::read_to_string(self.file("server.log")).unwrap_or_default();
            panic!("{error}: {log}");
        }
    }

    /// Kills the broker.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn config(&self) -> ClientConfig {
        ClientConfig::new(vec![self.address()])
    }

    pub fn cluster(&self) -> Cluster {
        Cluster::new(self.config())
    }

    /// Makes a topic.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let topic = CreatableTopic::default()
            .with_name(TopicName(StrBytes::from_string(name.to_owned())))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(30_000);
        let mut cluster = self.cluster();
        let answer = cluster
            .retry(|cluster| cluster.ask_anybody(&request))
            .unwrap();
        assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0]);
        // It is there when the leaders of its partitions say so.
        for partition in 0..partitions {
            let known = cluster.retry(|cluster| cluster.leader(name, partition).map_err(passing));
            known.unwrap();
            let all = IsolationLevel::ReadUncommitted;
            cluster
                .offset(name, partition, OffsetSpec::Latest, all)
                .unwrap();
        }
    }
}

/// A topic that was just made is not known to everybody at once.
fn passing(error: Error) -> Error {
    Error::new(ErrorKind::Retryable, error.to_string())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}
