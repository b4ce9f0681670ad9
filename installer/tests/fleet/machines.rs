//! Machines that share a bucket for their runs.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use backstop_simulator::S3Server;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::stage::{ACCOUNT, Finished, Stage};

pub(crate) const STATE: &str = "s3://backstop-archive/state/prod";
const RUNS: &str = "state/prod/runs/";

/// A bucket, and machines that share it: each has a home of its own.
pub(crate) struct Shared {
    pub(crate) s3: S3Server,
    others: TempDir,
}

impl Shared {
    pub(crate) async fn set() -> Self {
        let key = backstop_fake_aws::ControlPlane::access_key(ACCOUNT);
        Self {
            s3: S3Server::start_for(&[(&key, "secret")]).await.unwrap(),
            others: TempDir::new().unwrap(),
        }
    }

    /// A command of the stage's own machine.
    pub(crate) fn here(&self, stage: &Stage, arguments: &[&str]) -> Command {
        let mut command = stage.backstop(arguments);
        command
            .env("AWS_ENDPOINT_URL_S3", self.s3.endpoint())
            .env("USER", "alice")
            .env("BACKSTOP_STATE", STATE);
        command
    }

    /// The same on another machine, which has never seen this state.
    pub(crate) fn elsewhere(&self, stage: &Stage, arguments: &[&str]) -> Command {
        let mut command = self.here(stage, arguments);
        command.env("HOME", self.others.path()).env("USER", "bob");
        command
    }

    fn client(&self) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.s3.endpoint())
            .force_path_style(true)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::Credentials::new(
                self.s3.access_key(),
                self.s3.secret_key(),
                None,
                None,
                "test",
            ))
            .build();
        Client::from_conf(config)
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.client()
            .put_object()
            .bucket(self.s3.bucket())
            .key(key)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .unwrap();
    }

    fn lock(&self, run: &str) -> Value {
        let bytes = self.s3.object_bytes(&format!("{RUNS}{run}/lock.json"));
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    }

    /// As if the lock's owner had not renewed it for a minute.
    pub(crate) async fn expire(&self, run: &str) {
        let mut lock = self.lock(run);
        lock["expiresAt"] = "2026-01-31T08:00:00Z".into();
        let bytes = serde_json::to_vec(&lock).unwrap();
        self.put(&format!("{RUNS}{run}/lock.json"), bytes).await;
    }

    /// The lines of a run's journal.
    pub(crate) fn journal(&self, run: &str) -> String {
        let keys = self.s3.object_keys().unwrap();
        let is_segment = |key: &&String| key.starts_with(&format!("{RUNS}{run}/0"));
        let segments = keys.iter().filter(is_segment).map(|key| {
            let bytes = self.s3.object_bytes(key).unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        });
        segments.collect()
    }
}

pub(crate) async fn finished(mut command: Command) -> Finished {
    command.output().await.unwrap().into()
}
