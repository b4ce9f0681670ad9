//! Everything the extension talks to, and the extension itself in its environment.
//!
//! Invariant: what the archive's owner would see is what is counted: objects are read from the
//! bucket, not from the servers' memories. Must not: outlive the demo, except in `--keep`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use backstop_replay::archive::{Archive, ArchiveOptions, Location};
use backstop_replay::{Target, TargetOptions};
use backstop_simulator::traffic::sequence_of;
use backstop_simulator::{Environment, FakeIntake, FirehoseServer, S3Server};
use serde_json::Value;

use crate::Options;
use crate::http;
use crate::reconcile::Arrivals;

const PREFIX: &str = "backstop";
const STREAM: &str = "backstop-demo";
const REGION: &str = "us-east-1";
const FUNCTION: &str = "demo";
/// What the function's timeout leaves beyond its run and what sending may add.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(3);

/// The servers and the environment.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) s3: S3Server,
    pub(super) firehose: FirehoseServer,
    pub(super) intake: FakeIntake,
    pub(super) environment: Environment,
}

impl Stage {
    /// Starts everything; the extension waits for its first invocation.
    pub(super) async fn set(extension: &Path, options: &Options) -> anyhow::Result<Self> {
        let s3 = S3Server::start(options.keep.as_ref().map(|dir| dir.join("s3"))).await?;
        let firehose = FirehoseServer::start(&s3, STREAM, PREFIX).await?;
        let intake = FakeIntake::start().await?;
        let ca_file = intake.ca_pem_path().context("the intake speaks TLS")?;
        let timeout = options.handler + options.max_added + TIMEOUT_MARGIN;
        // A fallback that is not wanted is not configured.
        let if_wanted = |name: &str, value: &str| {
            let wanted = options
                .fallbacks
                .split(',')
                .any(|fallback| fallback == name);
            if wanted {
                value.to_owned()
            } else {
                String::new()
            }
        };
        let variables = [
            ("BACKSTOP_PRIMARY_URL", intake.url()),
            ("SSL_CERT_FILE", ca_file.display().to_string()),
            ("BACKSTOP_FIREHOSE_STREAM", if_wanted("firehose", STREAM)),
            ("BACKSTOP_S3_BUCKET", if_wanted("s3", s3.bucket())),
            ("BACKSTOP_S3_PREFIX", PREFIX.to_owned()),
            ("BACKSTOP_FALLBACK", options.fallbacks.replace("none", "")),
            ("BACKSTOP_FLUSH_STRATEGY", options.flush_strategy.clone()),
            (
                "BACKSTOP_MAX_ADDED_MS",
                options.max_added.as_millis().to_string(),
            ),
            // The extension logs the breaker's changes at this level.
            ("BACKSTOP_LOG_LEVEL", "info".to_owned()),
            ("AWS_ENDPOINT_URL_S3", s3.endpoint()),
            ("AWS_ENDPOINT_URL_FIREHOSE", firehose.endpoint()),
            ("AWS_ACCESS_KEY_ID", s3.access_key().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", s3.secret_key().to_owned()),
        ];
        let environment = Environment::builder()
            .extension(extension)
            .function_name(FUNCTION)
            .region(REGION)
            .memory_mb(options.memory_mb)
            .timeout(timeout)
            .envs(variables)
            .start()
            .await?;
        Ok(Self {
            s3,
            firehose,
            intake,
            environment,
        })
    }

    /// The archive, as `backstop replay` would be pointed at it. Nothing of the environment holds here: it
    /// is about AWS, and the demo must not reach for that.
    pub(super) fn archive(&self) -> Archive {
        let (key, secret) = (self.s3.access_key(), self.s3.secret_key());
        let credentials = Credentials::new(key, secret, None, None, "demo");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http::client())
            .region(Region::from_static(REGION))
            .credentials_provider(credentials)
            .endpoint_url(self.s3.endpoint())
            .force_path_style(true)
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let location = Location {
            bucket: self.s3.bucket().to_owned(),
            prefix: PREFIX.to_owned(),
        };
        Archive::in_bucket(client, location, ArchiveOptions::default())
    }

    /// The intake, as `backstop replay` would be pointed at it.
    pub(super) fn target(&self) -> anyhow::Result<Target> {
        let ca_file = self
            .intake
            .ca_pem_path()
            .map(|path| path.display().to_string());
        let environment: BTreeMap<String, String> = ca_file
            .into_iter()
            .map(|path| ("SSL_CERT_FILE".to_owned(), path))
            .collect();
        let options = TargetOptions {
            url: &self.intake.url(),
            format: "ndjson",
            ..TargetOptions::default()
        };
        Target::resolve(&options, &environment)
    }

    /// What the primary has.
    pub(super) fn at_primary(&self) -> Arrivals {
        Arrivals {
            records: self.intake.records(),
            sequences: self.intake.sequences(),
        }
    }

    /// What the archive has.
    pub(super) fn in_archive(&self) -> anyhow::Result<Arrivals> {
        let mut arrivals = Arrivals::default();
        for line in self.s3.archive_lines()? {
            let id = line.get("id").and_then(Value::as_str).unwrap_or_default();
            *arrivals.records.entry(id.to_owned()).or_default() += 1;
            if let Some(sequence) = line.get("record").and_then(sequence_of) {
                *arrivals.sequences.entry(sequence).or_default() += 1;
            }
        }
        Ok(arrivals)
    }
}
