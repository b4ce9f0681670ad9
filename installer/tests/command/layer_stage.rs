//! Zips to publish, a control plane to publish them to, and somebody between the two.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use backstop_fake_aws::ControlPlane;
use backstop_fake_aws::Place;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::support::{Finished, backstop, run};

/// The caller's own account, and two to which there is a role.
pub(crate) const ACCOUNTS: [&str; 3] = ["111122223333", "222233334444", "333344445555"];
pub(crate) const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
pub(crate) const ORGANIZATION: &str = "o-abcde12345";
const X86_64: u8 = 62;
const ARM64: u8 = 183;

/// What is between the command and the control plane does with a request.
pub(crate) enum Fate {
    /// Hands it on.
    Pass,
    /// Hands it on, and breaks off before the answer.
    Lose,
    /// Answers in the control plane's place: status, error code and body.
    Answer(u16, &'static str, String),
}

/// A request: its method, its path with the query, and its headers and body.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

pub(crate) struct LayerStage {
    pub(crate) plane: ControlPlane,
    endpoint: String,
    directory: TempDir,
}

impl LayerStage {
    /// With zips for both architectures in `dist`.
    pub(crate) fn set() -> Self {
        let plane = ControlPlane::start().expect("the control plane starts");
        let stage = Self {
            endpoint: plane.endpoint(),
            plane,
            directory: TempDir::new().expect("there is room for a directory"),
        };
        stage.pack("first");
        stage
    }

    /// The same, with somebody in between.
    pub(crate) async fn intercepted(
        decide: impl Fn(&Asked<'_>) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let mut stage = Self::set();
        let upstream = stage.endpoint.trim_start_matches("http://").to_owned();
        stage.endpoint = intercept(upstream, decide).await;
        stage
    }

    /// Puts zips into `dist`; other bytes for another text.
    pub(crate) fn pack(&self, text: &str) {
        fs::create_dir_all(self.path("dist")).expect("the directory is ours");
        for (name, machine) in [("x86_64", X86_64), ("arm64", ARM64)] {
            let zip = zip(&[(
                "extensions/backstop-extension",
                0o755,
                &executable(machine, text),
            )]);
            fs::write(self.path(&format!("dist/extension-{name}.zip")), zip)
                .expect("the directory is ours");
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `backstop layer …`, as the operator in the first account and `eu-west-1`.
    pub(crate) fn layer(&self, arguments: &[&str]) -> Command {
        let mut command = backstop();
        command
            .arg("layer")
            .args(arguments)
            .args(["--endpoint-url", &self.endpoint, "--rate", "1000"])
            .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNTS[0]))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-west-1")
            .current_dir(self.directory.path());
        command
    }

    pub(crate) async fn finished(&self, arguments: &[&str]) -> Finished {
        run(&mut self.layer(arguments)).await
    }

    /// The same, on a terminal of its own; all that is said is on one stream there.
    pub(crate) async fn on_a_terminal(&self, arguments: &[&str], answer: &str) -> Finished {
        let command = self.layer(arguments);
        let command = command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let mut terminal = Command::new("script");
        terminal
            .args([
                "--quiet",
                "--return",
                "--command",
                &words.join(" "),
                "/dev/null",
            ])
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = terminal.spawn().expect("there is script, of util-linux");
        let mut stdin = running.stdin.take().expect("it is piped");
        stdin
            .write_all(answer.as_bytes())
            .await
            .expect("it listens");
        // The end of the input would end the terminal before the question.
        let output = running.wait_with_output().await.expect("it ends");
        drop(stdin);
        output.into()
    }

    /// The same, in all accounts and regions.
    pub(crate) async fn everywhere(&self, arguments: &[&str]) -> Finished {
        let everywhere = everywhere();
        let everywhere: Vec<&str> = everywhere.iter().map(String::as_str).collect();
        self.finished(&[arguments, &everywhere].concat()).await
    }

    /// What is there, as `layer list` says.
    pub(crate) async fn versions(&self) -> Vec<Value> {
        let finished = self
            .everywhere(&["list", "--permissions", "--output", "json"])
            .await;
        let versions = finished.json()["versions"].as_array().cloned();
        versions.unwrap_or_default()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.path(name)).expect("it was written");
        serde_json::from_str(&text).expect("it is JSON")
    }
}

pub(crate) fn everywhere() -> Vec<String> {
    vec![
        "--accounts".to_owned(),
        ACCOUNTS.join(","),
        "--regions".to_owned(),
        REGIONS.join(","),
        "--role".to_owned(),
        "BackstopInstaller".to_owned(),
    ]
}

pub(crate) fn place(account: usize, region: usize) -> Place {
    Place::new(ACCOUNTS[account], REGIONS[region])
}

/// How many of a result's layers have this outcome.
pub(crate) fn count(layers: &Value, outcome: &str) -> usize {
    let layers = layers.as_array().map(Vec::as_slice).unwrap_or_default();
    layers
        .iter()
        .filter(|layer| layer["outcome"] == outcome)
        .count()
}

/// An ELF header and nothing that could run.
pub(crate) fn executable(machine: u8, text: &str) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (header[16], header[18], header[20]) = (3, machine, 1);
    (header[52], header[54], header[58]) = (64, 56, 64);
    header.extend(text.as_bytes());
    header
}

pub(crate) fn here(text: &str) -> Vec<u8> {
    executable(ARM64, text)
}

/// A zip of these files, each with its mode.
pub(crate) fn zip(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, mode, contents) in files {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(*mode)
            .last_modified_time(zip::DateTime::DEFAULT);
        zip.start_file(*path, options).expect("it is memory");
        zip.write_all(contents).expect("it is memory");
    }
    zip.finish().expect("it is memory").into_inner()
}

pub(crate) fn write(path: &Path, contents: &[u8]) {
    fs::write(path, contents).expect("the directory is ours");
}

/// Listens in the control plane's place; one request for each connection. Where it listens.
async fn intercept(
    upstream: String,
    decide: impl Fn(&Asked<'_>) -> Fate + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a port");
    let address = listener.local_addr().expect("it listens");
    let decide = Arc::new(decide);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (upstream, decide) = (upstream.clone(), Arc::clone(&decide));
            tokio::spawn(async move {
                // Who breaks off has heard enough.
                between(client, &upstream, &*decide).await.ok();
            });
        }
    });
    format!("http://{address}")
}

async fn between(
    mut client: TcpStream,
    upstream: &str,
    decide: &(dyn Fn(&Asked<'_>) -> Fate + Send + Sync),
) -> std::io::Result<()> {
    let (head, body) = request(&mut client).await?;
    let mut words = head.split(' ');
    let text = format!("{head}{}", String::from_utf8_lossy(&body));
    let asked = Asked {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        text: &text,
    };
    let fate = decide(&asked);
    if let Fate::Answer(status, code, body) = fate {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\nx-amzn-errortype: {code}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(upstream).await?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if matches!(fate, Fate::Pass) {
        client.write_all(&answer).await?;
    }
    Ok(())
}

/// A request's head, with the empty line, and its body.
async fn request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head.map(|at| at + 4) {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, length)| length.parse().ok())
                .unwrap_or(0);
            let mut body = bytes.split_off(end);
            while body.len() < length {
                if client.read_buf(&mut body).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok((head, body));
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
