//! Real receivers: started on loopback, stopped and started again, and read back through their own interface.
//!
//! `scripts/receivers` installs them; each is found by a variable that says where.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::time::Instant;

/// Longer than any of them takes to start, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    VictoriaLogs,
    Rotel,
    OpenSearch,
    Collector,
}

impl Kind {
    /// The variable that says where it is.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::VictoriaLogs => "BACKSTOP_VICTORIALOGS",
            Self::Rotel => "BACKSTOP_ROTEL",
            Self::OpenSearch => "BACKSTOP_OPENSEARCH",
            Self::Collector => "BACKSTOP_OTELCOL",
        }
    }

    /// Where it is, if it is there.
    pub(crate) fn place(self) -> Option<PathBuf> {
        std::env::var_os(self.variable()).map(PathBuf::from)
    }
}

/// A receiver on a port of its own, with a folder of its own.
pub(crate) struct Server {
    kind: Kind,
    place: PathBuf,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    child: Option<Child>,
    /// Also while it is stopped, so that nobody else is given the port.
    _held: TcpSocket,
}

/// A port that the system gives to nobody, and on which a server can listen that asks for it.
fn held_port() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // As servers do: bound in this way and not listening, it is in nobody's way.
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}

#[tokio::test]
async fn a_server_can_listen_on_a_port_that_is_held_again_and_again() {
    let held = held_port();
    let address = held.local_addr().unwrap();
    for _ in 0..2 {
        drop(std::net::TcpListener::bind(address).unwrap());
    }
}

impl Server {
    /// Not started yet.
    pub(crate) fn new(kind: Kind) -> Self {
        let place = kind
            .place()
            .unwrap_or_else(|| panic!("{} is not set: run scripts/receivers", kind.variable()));
        let held = held_port();
        Self {
            kind,
            place,
            port: held.local_addr().unwrap().port(),
            _held: held,
            folder: tempfile::tempdir().unwrap(),
            child: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let port = self.port;
        match self.kind {
            Kind::VictoriaLogs => {
                let mut command = Command::new(&self.place);
                command
                    .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                    .arg(format!("-storageDataPath={}", self.path("data").display()))
                    .args(["-retentionPeriod=100y", "-inmemoryDataFlushInterval=1s"]);
                command
            }
            Kind::Rotel => {
                let mut command = Command::new(&self.place);
                command
                    .args(["start", "--exporter", "blackhole"])
                    .args(["--debug-log", "logs", "--debug-log", "metrics"])
                    .args(["--debug-log", "traces"])
                    .args(["--debug-log-verbosity", "detailed"])
                    .arg("--otlp-http-endpoint")
                    .arg(format!("127.0.0.1:{port}"))
                    .args(["--otlp-grpc-endpoint", "127.0.0.1:0"]);
                command
            }
            Kind::OpenSearch => {
                std::fs::create_dir_all(self.path("config")).unwrap();
                let mut command = Command::new("java");
                let classes = self.place.display();
                command
                    .args(["-Xmx512m", "-cp"])
                    .arg(format!("{classes}:{classes}/lib/*"))
                    .args(["OsMain", &port.to_string()])
                    .arg(self.folder.path());
                command
            }
            Kind::Collector => {
                let config = concat!(env!("CARGO_MANIFEST_DIR"), "/receivers/otelcol/config.yaml");
                let mut command = Command::new(&self.place);
                command
                    .args(["--config", config])
                    .env("PORT", port.to_string());
                command
            }
        }
    }

    /// Starts it, with what it had stored before.
    pub(crate) async fn start(&mut self) {
        let out = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("out"))
            .unwrap();
        let child = self
            .command()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let ready = match self.kind {
            Kind::VictoriaLogs => "/health",
            Kind::OpenSearch => "/_cluster/health?wait_for_status=yellow",
            Kind::Rotel | Kind::Collector => "/v1/logs",
        };
        let deadline = Instant::now() + PATIENCE;
        while get(&self.url(ready)).await.is_none() {
            assert!(
                Instant::now() < deadline,
                "{:?}: {}",
                self.kind,
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if self.kind == Kind::OpenSearch {
            self.put_template().await;
        }
    }

    /// Stops it as a deployment does.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = child.id().to_string();
            drop(Command::new("kill").args(["-TERM", &pid]).status());
            drop(child.wait());
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.path("out")).unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The template of docs/backends.md: a data stream whose own fields no log can break.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test reads a receiver's own interface, over plain http"
    )]
    async fn put_template(&self) {
        let template = include_str!("opensearch/template.json");
        let client = reqwest::Client::new();
        let request = client
            .put(self.url("/_index_template/backstop"))
            .header("content-type", "application/json")
            .body(template);
        let answer = request.send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
        // Else the first request makes it, which takes seconds.
        let request = client.put(self.url("/_data_stream/logs-aws.lambda-default"));
        drop(request.send().await);
    }

    /// What the Collector has stored of a signal, one request a line; what Rotel has printed of everything.
    pub(crate) fn stored_of(&self, signal: &str) -> String {
        match self.kind {
            Kind::Rotel => self.said(),
            _ => std::fs::read_to_string(self.path(&format!("out-{signal}.jsonl")))
                .unwrap_or_default(),
        }
    }

    /// Everything that it has stored, each record as it gives it.
    pub(crate) async fn stored(&self) -> Vec<Value> {
        match self.kind {
            Kind::VictoriaLogs => {
                let query = self.url("/select/logsql/query?query=*&limit=1000000");
                lines(&get(&query).await.unwrap_or_default())
            }
            Kind::OpenSearch => {
                drop(get(&self.url("/_refresh")).await);
                let query = self.url("/logs-aws.lambda-*/_search?size=10000");
                // One of the odd lines has a number that no parser here reads.
                let text = get(&query)
                    .await
                    .unwrap_or_default()
                    .replace("1e400", "1e300");
                let found: Value = serde_json::from_str(&text).unwrap();
                let hits = found["hits"]["hits"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                hits.into_iter().map(|hit| hit["_source"].clone()).collect()
            }
            Kind::Collector => {
                let text = std::fs::read_to_string(self.path("out-logs.jsonl")).unwrap_or_default();
                lines(&text).iter().flat_map(of_request).collect()
            }
            Kind::Rotel => detailed(&self.said()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last line may be in the making.
fn lines(text: &str) -> Vec<Value> {
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Any answer at all, as text.
async fn get(url: &str) -> Option<String> {
    reqwest::get(url).await.ok()?.text().await.ok()
}

/// The records of one `ExportLogsServiceRequest` in JSON.
fn of_request(request: &Value) -> Vec<Value> {
    let mut records = Vec::new();
    for group in request["resourceLogs"].as_array().into_iter().flatten() {
        for scope in group["scopeLogs"].as_array().into_iter().flatten() {
            for record in scope["logRecords"].as_array().into_iter().flatten() {
                let mut flat = json!({"_msg": record["body"]["stringValue"], "severity": record["severityText"]});
                for attribute in record["attributes"].as_array().into_iter().flatten() {
                    let name = attribute["key"].as_str().unwrap_or_default();
                    flat[name] = attribute["value"]["stringValue"].clone();
                }
                records.push(flat);
            }
        }
    }
    records
}

/// The records in what Rotel prints of each.
fn detailed(text: &str) -> Vec<Value> {
    let id = |line: &str| {
        let (_, rest) = line.split_once("log.record.uid: ")?;
        let id = rest.trim_start_matches("Str(").trim_end_matches(')');
        Some(json!({"log.record.uid": id}))
    };
    text.lines().filter_map(id).collect()
}
