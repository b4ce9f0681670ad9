//! What the tests of real binaries share: a whole world on loopback around one real extension.
//!
//! A [`World`] is the embedded S3, Firehose and APM; [`World::environment`] prepares a simulated
//! execution environment that knows them. [`Outcome`] reconciles what was emitted with what arrived.

#![expect(
    clippy::missing_panics_doc,
    reason = "an assertion's name says what it panics on"
)]

pub mod browser;
pub mod growth;
pub mod shim;
pub mod throttle;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use backstop_simulator::{
    Dialect, Environment, EnvironmentBuilder, FakeIntake, FirehoseServer, Invocation, S3Server,
    ShutdownReason, ShutdownReport, SimulationError, traffic::Traffic,
};
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

/// The stream, and the prefix both fallbacks write below.
const STREAM: &str = "telemetry";
const PREFIX: &str = "backstop";

/// A result that any failure of the surroundings ends.
pub type Result<T = ()> = std::result::Result<T, SimulationError>;

/// A binary of the workspace, as `cargo build --workspace --bins` leaves it beside the tests.
pub fn binary(name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap_or_default();
    let path = deps.ancestors().nth(2).unwrap_or(&deps).join(name);
    assert!(
        path.exists(),
        "{} is not built: run cargo build --workspace --bins",
        path.display()
    );
    path
}

/// The extension: the one that `BACKSTOP_EXTENSION` names, such as the layer's, or the one beside the tests.
pub fn extension() -> PathBuf {
    std::env::var_os("BACKSTOP_EXTENSION")
        .map_or_else(|| binary("backstop-extension"), PathBuf::from)
}

/// Where the extension's records can go.
#[derive(Debug)]
pub struct World {
    pub intake: FakeIntake,
    /// The archive's bucket.
    pub s3: S3Server,
    pub firehose: FirehoseServer,
}

impl World {
    /// Everything up and well.
    pub async fn start() -> Result<Self> {
        Self::around(FakeIntake::start().await?).await
    }

    /// The same with a vendor's intake as the primary.
    pub async fn start_speaking(dialect: Dialect) -> Result<Self> {
        Self::around(FakeIntake::start_speaking(dialect).await?).await
    }

    async fn around(intake: FakeIntake) -> Result<Self> {
        let s3 = S3Server::start(None).await?;
        let firehose = FirehoseServer::start(&s3, STREAM, PREFIX).await?;
        Ok(Self {
            intake,
            s3,
            firehose,
        })
    }

    /// The same with S3 and Firehose over TLS, as they really are: slower, and able to fail as TLS does.
    pub async fn start_tls() -> Result<Self> {
        let intake = FakeIntake::start().await?;
        let Some(certificates) = intake.certificates() else {
            return Self::start().await;
        };
        let s3 = S3Server::start_tls(None, certificates).await?;
        let firehose = FirehoseServer::start_tls(&s3, STREAM, PREFIX, certificates).await?;
        Ok(Self {
            intake,
            s3,
            firehose,
        })
    }

    /// An environment whose extension has the primary and both fallbacks.
    pub fn environment(&self) -> EnvironmentBuilder {
        let builder = self
            .bare_environment()
            .env("BACKSTOP_PRIMARY_URL", self.intake.url())
            .env("BACKSTOP_FIREHOSE_STREAM", STREAM)
            .env("BACKSTOP_S3_BUCKET", self.s3.bucket());
        match self.intake.dialect() {
            Some(dialect) => builder
                .env("BACKSTOP_PRIMARY_FORMAT", dialect.name())
                .env("BACKSTOP_PRIMARY_TOKEN", dialect.token()),
            None => builder,
        }
    }

    /// An environment that can reach everything and has none of it configured.
    pub fn bare_environment(&self) -> EnvironmentBuilder {
        let ca = self
            .intake
            .ca_pem_path()
            .map(|path| path.display().to_string());
        Environment::builder()
            .extension(extension())
            .function_name("orders")
            .memory_mb(512)
            .timeout(Duration::from_secs(10))
            .env("BACKSTOP_LOG_LEVEL", "info")
            .env("SSL_CERT_FILE", ca.unwrap_or_default())
            .env("AWS_ENDPOINT_URL_S3", self.s3.endpoint())
            .env("AWS_ENDPOINT_URL_FIREHOSE", self.firehose.endpoint())
    }

    /// Shuts the environment down and reconciles.
    pub async fn settle(&self, environment: &Environment, emitted: u64) -> Result<Outcome> {
        self.settle_after(ShutdownReason::Spindown, environment, emitted)
            .await
    }

    /// The same for another reason.
    pub async fn settle_after(
        &self,
        reason: ShutdownReason,
        environment: &Environment,
        emitted: u64,
    ) -> Result<Outcome> {
        let report = environment.shutdown(reason).await?;
        self.firehose.flush().await?;
        let archived = self.s3.archive_lines()?;
        Ok(Outcome {
            emitted,
            report,
            primary: self.intake.records(),
            sequences: self.intake.sequences(),
            archived,
        })
    }
}

/// Emits `lines` function records over one invocation.
pub fn invocation(traffic: &mut Traffic, lines: usize, duration: Duration) -> Invocation {
    Invocation {
        lines: traffic.records(lines),
        duration,
        ..Invocation::default()
    }
}

/// Runs futures side by side, as many as the machine bears, and keeps their order.
pub async fn in_parallel<F>(runs: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future,
{
    const AT_ONCE: usize = 6;
    stream::iter(runs).buffered(AT_ONCE).collect().await
}

/// What became of everything.
#[derive(Debug)]
pub struct Outcome {
    /// Function records emitted, numbered from 0.
    pub emitted: u64,
    /// How the environment ended.
    pub report: ShutdownReport,
    /// Records at the primary, by id.
    pub primary: HashMap<String, u32>,
    sequences: HashMap<u64, u32>,
    /// Lines in the archive.
    pub archived: Vec<Value>,
}

impl Outcome {
    /// Nothing is lost, nothing is in two places unless the ledger says so, the ledger adds up, and
    /// the process ended by itself.
    #[track_caller]
    pub fn assert_nothing_lost(&self) {
        let lost = self.missing();
        assert!(
            lost.is_empty(),
            "lost {} of {}: {lost:?}\n{}",
            lost.len(),
            self.emitted,
            self.stderr()
        );
        let mut places: HashMap<&str, u32> = self
            .primary
            .iter()
            .map(|(id, count)| (id.as_str(), *count))
            .collect();
        for line in &self.archived {
            *places
                .entry(line["id"].as_str().unwrap_or_default())
                .or_default() += 1;
        }
        let twice = places.values().filter(|count| **count > 1).count() as u64;
        assert!(
            twice <= self.ledger("ambiguous"),
            "{twice} in two places\n{}",
            self.stderr()
        );
        assert_eq!(
            self.ledger("pending") + self.dropped_unintentionally(),
            0,
            "{}",
            self.stderr()
        );
        self.assert_adds_up();
        assert!(!self.report.killed, "killed at shutdown\n{}", self.stderr());
        assert_eq!(self.report.exit_code, Some(0), "{}", self.stderr());
    }

    /// Sequence numbers of the function records that are neither at the primary nor in the archive.
    pub fn missing(&self) -> Vec<u64> {
        let mut seen: BTreeSet<u64> = self.sequences.keys().copied().collect();
        let archived = self
            .archived
            .iter()
            .filter_map(|line| backstop_simulator::traffic::sequence_of(&line["record"]));
        seen.extend(archived);
        (0..self.emitted)
            .filter(|sequence| !seen.contains(sequence))
            .collect()
    }

    /// `received + derived + mirrored = Σ delivered + Σ dropped + pending`.
    #[track_caller]
    pub fn assert_adds_up(&self) {
        let sum = |member: &str| -> u64 {
            self.ledger_line()[member]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, count)| count.as_u64())
                .sum()
        };
        let settled = sum("delivered") + sum("dropped") + self.ledger("pending");
        assert_eq!(
            self.ledger("received") + self.ledger("derived") + self.ledger("mirrored"),
            settled,
            "the ledger does not add up\n{}",
            self.stderr()
        );
    }

    /// The ledger as the extension wrote it.
    #[track_caller]
    pub fn ledger_line(&self) -> &Value {
        self.report
            .ledger
            .as_ref()
            .unwrap_or_else(|| panic!("no ledger line\n{}", self.stderr()))
    }

    /// A count of the ledger.
    #[track_caller]
    pub fn ledger(&self, member: &str) -> u64 {
        self.ledger_line()[member].as_u64().unwrap_or_default()
    }

    /// Records a sink took, by the ledger.
    #[track_caller]
    pub fn delivered(&self, sink: &str) -> u64 {
        self.ledger_line()["delivered"][sink]
            .as_u64()
            .unwrap_or_default()
    }

    /// Records dropped for a reason, by the ledger.
    #[track_caller]
    pub fn dropped(&self, reason: &str) -> u64 {
        self.ledger_line()["dropped"][reason]
            .as_u64()
            .unwrap_or_default()
    }

    /// The names of the reasons for which archived records were diverted.
    pub fn reasons(&self) -> BTreeSet<String> {
        let reason = |line: &Value| line["diverted"]["reason"].as_str().map(str::to_owned);
        self.archived.iter().filter_map(reason).collect()
    }

    /// What the extension logged.
    pub fn stderr(&self) -> String {
        self.report.stderr.join("\n")
    }

    #[track_caller]
    fn dropped_unintentionally(&self) -> u64 {
        let dropped = self.ledger_line()["dropped"].as_object();
        let lost = dropped
            .into_iter()
            .flatten()
            .filter(|(reason, _)| *reason != "own_log");
        lost.filter_map(|(_, count)| count.as_u64()).sum()
    }
}
