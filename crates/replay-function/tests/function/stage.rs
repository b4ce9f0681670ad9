//! The real binary, between a fake cloud, the embedded S3 and a fake primary.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use backstop_archive::Moment;
use backstop_simulator::{FakeIntake, S3Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::cloud::{Answer, Cloud};

/// An invocation has a minute, unless a test says otherwise.
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const MARKER: &str = "backstop/replay/halted.json";
/// What the ids of the function's own records begin with.
pub(crate) const PROBE: &str = "backstop-probe-";
const PATIENCE: Duration = Duration::from_mins(4);

pub(crate) struct Stage {
    pub(crate) s3: S3Server,
    pub(crate) intake: FakeIntake,
    pub(crate) cloud: Cloud,
    bucket: PathBuf,
    directory: tempfile::TempDir,
    process: Option<Child>,
    variables: BTreeMap<String, String>,
}

impl Stage {
    pub(crate) async fn set(variables: &[(&str, &str)]) -> Self {
        Self::with_receives(5, variables).await
    }

    /// With this many attempts at a message.
    pub(crate) async fn with_receives(most: u32, variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let s3 = S3Server::start(Some(directory.path().to_owned()))
            .await
            .unwrap();
        let intake = FakeIntake::start_plaintext().await.unwrap();
        let cloud = Cloud::start(most).await;
        let endpoint = format!("http://{}", cloud.address);
        let usual = [
            ("AWS_LAMBDA_RUNTIME_API", cloud.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "replay".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", s3.access_key().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", s3.secret_key().to_owned()),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ENDPOINT_URL_S3", s3.endpoint()),
            ("BACKSTOP_PRIMARY_URL", intake.url()),
            ("BACKSTOP_S3_BUCKET", s3.bucket().to_owned()),
            ("BACKSTOP_REPLAY_QUEUE_URL", cloud.queue_url()),
            (
                "BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL",
                cloud.dead_letter_url(),
            ),
            ("BACKSTOP_REPLAY_SETTLE_SECONDS", "0".to_owned()),
            ("BACKSTOP_REPLAY_HALTED_SECONDS", "1".to_owned()),
            ("BACKSTOP_REPLAY_RETRY_SECONDS", "0".to_owned()),
        ];
        let usual = usual
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let given = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut stage = Self {
            bucket: directory.path().join(s3.bucket()),
            s3,
            intake,
            cloud,
            directory,
            process: None,
            variables: usual.chain(given).collect(),
        };
        stage.restart();
        stage
    }

    /// Sets a variable, as a new deployment of the function does.
    pub(crate) async fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
        self.kill().await;
        self.restart();
    }

    /// Another environment of the function.
    pub(crate) fn restart(&mut self) {
        let built = env!("CARGO_BIN_EXE_backstop-replay-function");
        let function = std::env::var("BACKSTOP_REPLAY_FUNCTION");
        let log = std::fs::OpenOptions::new();
        let log = { log }
            .append(true)
            .create(true)
            .open(self.log_path())
            .unwrap();
        let process = Command::new(function.as_deref().unwrap_or(built))
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The lines that it has written.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_path()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Kills it at once, whatever it is doing.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.unwrap();
        }
        self.cloud.forget_running();
    }

    /// The processor time that it has taken, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let id = self.process.as_ref().and_then(Child::id).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // In hundredths of a second, as Linux counts them for every program.
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let id = self.process.as_ref().and_then(Child::id).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Objects of some records each, as the extension writes them; the ids of their records.
    pub(crate) fn archive(
        &self,
        objects: std::ops::Range<usize>,
        records: usize,
    ) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for object in objects {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            for record in 0..records {
                let id = format!("r{object}-{record}");
                writeln!(packed, "{}", line(&id, "a line")).unwrap();
                ids.insert(id);
            }
            self.put(&key(object), &packed.finish().unwrap());
        }
        ids
    }

    /// An object as it is.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.bucket.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Where the objects are.
    pub(crate) fn bucket_path(&self) -> PathBuf {
        self.bucket.clone()
    }

    /// Writes an object as a client does, so that it has another tag.
    pub(crate) async fn write(&self, key: &str, text: &str) {
        let credentials = Credentials::new(
            self.s3.access_key(),
            self.s3.secret_key(),
            None,
            None,
            "test",
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(self.s3.endpoint())
            .force_path_style(true)
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let body = text.as_bytes().to_vec().into();
        let put = client.put_object().bucket(self.s3.bucket()).key(key);
        put.body(body).send().await.unwrap();
    }

    /// The message of an object.
    pub(crate) fn message(&self, key: &str) -> String {
        let bytes = std::fs::metadata(self.bucket.join(key)).map_or(0, |it| it.len());
        json!({ "schemaVersion": 1, "bucket": self.s3.bucket(), "key": key, "bytes": bytes })
            .to_string()
    }

    /// Invokes it in a mode.
    pub(crate) async fn mode(&self, mode: &str) -> Value {
        match self.invoke(json!({ "mode": mode }), MINUTE).await {
            Ok(answer) => answer,
            Err(error) => panic!("{mode}: {error}"),
        }
    }

    pub(crate) async fn invoke(&self, event: Value, timeout: u64) -> Answer {
        let invoked = self.cloud.invoke(event, timeout);
        let answer = tokio::time::timeout(PATIENCE, invoked).await;
        answer
            .expect("the function answers")
            .expect("the function lives")
    }

    /// Lets the mapping work until the queue is empty or it is disabled.
    pub(crate) async fn pump(&self, batch: usize) {
        let pumped = async {
            while self.cloud.is_on() && !self.cloud.waiting().is_empty() {
                if !self.cloud.poll(batch, MINUTE).await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        let pumped = tokio::time::timeout(PATIENCE, pumped).await;
        assert!(pumped.is_ok(), "{} are left", self.cloud.waiting().len());
    }

    /// Every record is at the primary: none is missing, and none is there that was not archived.
    pub(crate) fn assert_all_at_primary(&self, ids: &BTreeSet<String>) {
        let records = self.intake.records();
        // What it asks the primary with is not of the archive.
        let there = records.keys().filter(|id| !id.starts_with(PROBE));
        let there: BTreeSet<String> = there.cloned().collect();
        let missing: Vec<_> = ids.difference(&there).take(5).collect();
        let foreign: Vec<_> = there.difference(ids).take(5).collect();
        assert!(
            missing.is_empty() && foreign.is_empty(),
            "missing {missing:?}, foreign {foreign:?}"
        );
    }

    /// The same, each once.
    pub(crate) fn assert_once(&self, ids: &BTreeSet<String>) {
        self.assert_all_at_primary(ids);
        let records = self.intake.records();
        let twice: Vec<_> = records
            .iter()
            .filter(|(_, count)| **count > 1)
            .take(5)
            .collect();
        assert!(twice.is_empty(), "more than once: {twice:?}");
    }
}

/// The marker that stops the function, where it holds.
pub(crate) fn marker(stage: &Stage) -> Option<Value> {
    let bytes = stage.s3.object_bytes(MARKER).ok()?;
    let marker: Value = serde_json::from_slice(&bytes).unwrap();
    marker["resumedAt"].is_null().then_some(marker)
}

/// The key of an object that was written in the hour in which the test began.
pub(crate) fn key(object: usize) -> String {
    static HOUR: OnceLock<String> = OnceLock::new();
    let hour = HOUR.get_or_init(|| {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let now = Moment(now.as_millis().try_into().unwrap()).to_string();
        format!("dt={}/hour={}", &now[..10], &now[11..13])
    });
    let function = object % 5;
    format!(
        "backstop/v1/account=1/region=eu-west-1/function=fn-{function}/{hour}/b{object:05}.ndjson.gz"
    )
}

pub(crate) fn line(id: &str, text: &str) -> String {
    json!({
        "id": id, "time": "2026-01-31T08:00:00.000Z", "type": "function", "record": text,
        "resource": { "faas.name": "fn" },
    })
    .to_string()
}
