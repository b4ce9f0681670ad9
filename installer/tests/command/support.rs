//! An archive, a primary, and the command between them.
//!
//! Objects are written as the extension and Firehose write them, by hand: a helper that shares the
//! encoder with the extension would prove less.

use std::path::Path;
use std::process::Output;

use backstop_simulator::{FakeIntake, S3Server};
use backstop_sinks::codec::gzip;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) const DIRECT: &str =
    "backstop/v1/account=123456789012/region=eu-west-1/function=checkout/dt=2026-01-31/hour=08";
pub(crate) const STREAM: &str = "backstop/v1/stream=telemetry/dt=2026-01-31/hour=08";

/// What a command said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The result as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }

    /// The form of a snapshot.
    pub(crate) fn snapshot(&self) -> String {
        format!(
            "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
            self.code.unwrap_or(-1),
            self.stdout,
            self.stderr
        )
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The command with nothing of this machine in its environment.
pub(crate) fn backstop() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command
        .env_clear()
        .env("HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/home"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .kill_on_drop(true);
    command
}

/// Runs the command to its end.
pub(crate) async fn run(command: &mut Command) -> Finished {
    command.output().await.expect("the command runs").into()
}

/// An S3 server and an intake.
pub(crate) struct Stage {
    pub(crate) s3: S3Server,
    pub(crate) intake: FakeIntake,
    directory: TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let directory = TempDir::new().expect("there is room for a directory");
        let s3 = S3Server::start(Some(directory.path().to_owned())).await;
        let intake = FakeIntake::start().await.expect("the intake starts");
        intake.keep_lines(true);
        Self {
            s3: s3.expect("the S3 server starts"),
            intake,
            directory,
        }
    }

    /// Puts an object with these bytes.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        let parent = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).expect("the directory is ours");
        std::fs::write(path, bytes).expect("the directory is ours");
    }

    /// Where the object's bytes are.
    pub(crate) fn path(&self, key: &str) -> std::path::PathBuf {
        self.directory.path().join(self.s3.bucket()).join(key)
    }

    /// Puts a gzip object of these lines.
    pub(crate) fn put_lines(&self, key: &str, lines: &[String]) {
        self.put(key, &gzip((lines.join("\n") + "\n").as_bytes()));
    }

    /// `backstop replay` from the archive to the intake.
    pub(crate) fn replay(&self) -> Command {
        self.replay_as("json")
    }

    /// The same, with its result in this form.
    pub(crate) fn replay_as(&self, output: &str) -> Command {
        self.replay_from("backstop", output)
    }

    /// The same, to another primary.
    pub(crate) fn replay_to(&self, url: &str, output: &str) -> Command {
        self.replay_of("backstop", url, output)
    }

    /// The same, of this prefix.
    pub(crate) fn replay_from(&self, prefix: &str, output: &str) -> Command {
        self.replay_of(prefix, &self.intake.url(), output)
    }

    fn replay_of(&self, prefix: &str, url: &str, output: &str) -> Command {
        let mut command = backstop();
        command
            .args(["replay", "--output", output])
            .arg("--from")
            .arg(format!("s3://{}/{prefix}", self.s3.bucket()))
            .args(["--to", url])
            .args(["--endpoint-url", &self.s3.endpoint()])
            .env("XDG_STATE_HOME", self.state())
            .env("AWS_ACCESS_KEY_ID", self.s3.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.s3.secret_key());
        if let Some(path) = self.intake.ca_pem_path() {
            command.env("SSL_CERT_FILE", path);
        }
        command
    }

    /// Where checkpoints are kept.
    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    /// `backstop archive` of what is below the prefix.
    pub(crate) fn archive(&self, command: &str, prefix: &str) -> Command {
        let mut backstop = backstop();
        backstop
            .args(["archive", command])
            .arg(format!("s3://{}/{prefix}", self.s3.bucket()))
            .args(["--endpoint-url", &self.s3.endpoint()])
            .env("AWS_ACCESS_KEY_ID", self.s3.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.s3.secret_key());
        backstop
    }

    /// How often the record was accepted.
    pub(crate) fn accepted(&self, id: &str) -> u32 {
        self.intake.records().get(id).copied().unwrap_or_default()
    }
}

/// A line as the archive has it.
pub(crate) fn line(id: &str, record: &str) -> String {
    format!(
        "{},{}}}",
        sent(id, record).trim_end_matches('}').to_owned() + "}",
        DIVERTED
    )
}

/// The same as the primary is to get it.
pub(crate) fn sent(id: &str, record: &str) -> String {
    format!(
        r#"{{"id":"{id}","time":"{TIME}","type":"function","record":"{record}","resource":{{"faas.name":"checkout"}}}}"#
    )
}

/// When every record was written.
pub(crate) const TIME: &str = "2026-01-31T08:15:00.000Z";

const DIVERTED: &str = r#""diverted":{"reason":"server_error","sink":"https","status":503}"#;
