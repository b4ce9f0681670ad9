//! A function of a simulated control plane that runs the real extension with the configuration that it has
//! at the moment, and the command that works on it.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backstop_fake_aws::{ControlPlane, FunctionSpec, Invocation, Invoked, Place};
use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, FakeIntake, FirehoseServer, S3Server, ShutdownReason};
use backstop_tests::{binary, extension};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const SECRET: &str = "hunter2";
/// Lines that an invocation logs.
pub(crate) const LINES: usize = 3;

/// What a command said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let finished = Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        for text in [&finished.stdout, &finished.stderr] {
            assert!(!text.contains(SECRET), "a secret is on the screen: {text}");
        }
        finished
    }
}

impl Finished {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The environment that runs, and what its configuration was when it began.
#[derive(Default)]
struct Running {
    environment: Option<(FunctionSpec, Arc<Environment>)>,
    traffic: Option<Traffic>,
}

pub(crate) struct Stage {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) intake: FakeIntake,
    pub(crate) s3: S3Server,
    pub(crate) firehose: FirehoseServer,
    pub(crate) home: TempDir,
    reaper: tokio::task::JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.reaper.abort();
    }
}

pub(crate) fn here() -> Place {
    Place::new(ACCOUNT, REGION)
}

/// The stream of a function that archives by Firehose.
pub(crate) const STREAM: &str = "telemetry";

impl Stage {
    /// The same, with an archive that a stream delivers to.
    pub(crate) async fn with_stream() -> Self {
        let stage = Self::set().await;
        stage.plane.change(&here(), "orders", |spec| {
            spec.environment.remove("BACKSTOP_S3_BUCKET");
            spec.environment.remove("BACKSTOP_S3_PREFIX");
            let stream = (STREAM.to_owned(), stage.firehose.endpoint());
            let name = "BACKSTOP_FIREHOSE_STREAM".to_owned();
            spec.environment.insert(name, stream.0);
            let endpoint = "AWS_ENDPOINT_URL_FIREHOSE".to_owned();
            spec.environment.insert(endpoint, stream.1);
        });
        stage
    }

    /// With a function `orders` that has the layer, a primary and an archive.
    pub(crate) async fn set() -> Self {
        let plane = Arc::new(ControlPlane::start().unwrap());
        let key = ControlPlane::access_key(ACCOUNT);
        let s3 = S3Server::start_for(&[(&key, "secret")]).await.unwrap();
        let firehose = FirehoseServer::start(&s3, STREAM, "backstop")
            .await
            .unwrap();
        let intake = FakeIntake::start().await.unwrap();
        let layer = plane.add_layer(
            &here(),
            "backstop-extension-x86_64-0-1-0",
            "extensions/backstop-extension",
        );
        let spec = FunctionSpec {
            name: "orders".to_owned(),
            layers: vec![layer],
            memory_mb: Some(512),
            timeout: Some(10),
            environment: [
                ("TABLE", "orders".to_owned()),
                ("BACKSTOP_PRIMARY_URL", intake.url()),
                ("BACKSTOP_PRIMARY_TOKEN", SECRET.to_owned()),
                ("BACKSTOP_S3_BUCKET", s3.bucket().to_owned()),
                ("BACKSTOP_S3_PREFIX", "backstop".to_owned()),
                ("BACKSTOP_FLUSH_STRATEGY", "end".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
            ..FunctionSpec::default()
        };
        plane.add_function(&here(), spec);

        let running = Arc::new(Mutex::new(Running::default()));
        let variables = [
            ("AWS_ENDPOINT_URL_S3", s3.endpoint()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("SSL_CERT_FILE", ca_file(&intake)),
        ];
        let shared = Arc::clone(&running);
        plane.set_invoker(move |invocation| {
            invoke(Arc::clone(&shared), variables.clone(), invocation)
        });
        let reaper = tokio::spawn(reap(Arc::clone(&plane), running));
        Self {
            plane,
            intake,
            s3,
            firehose,
            home: TempDir::new().unwrap(),
            reaper,
        }
    }

    pub(crate) fn backstop(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("backstop"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.plane.endpoint())
            .env("AWS_ENDPOINT_URL_S3", self.s3.endpoint())
            .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNT))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", REGION)
            .env("SSL_CERT_FILE", ca_file(&self.intake))
            .current_dir(self.home.path())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.backstop(arguments).output().await.unwrap().into()
    }

    /// `backstop drill orders`, at a rate that no test waits for.
    pub(crate) fn drill(&self, more: &[&str]) -> Command {
        let mut all = vec!["drill", "orders", "--rate", "500", "--read-rate", "500"];
        all.extend(more);
        self.backstop(&all)
    }

    /// The same, under way.
    pub(crate) fn begin(&self, more: &[&str]) -> Child {
        let mut drill = self.drill(more);
        let piped = drill
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        piped.spawn().unwrap()
    }

    /// The last run's id.
    pub(crate) async fn last_run(&self) -> Value {
        let runs = self.run(&["runs", "--output", "json"]).await.json();
        runs["runs"][0].clone()
    }
}

fn ca_file(intake: &FakeIntake) -> String {
    intake.ca_pem_path().unwrap().display().to_string()
}

/// In the environment that there is, or in a new one where the configuration is another.
async fn invoke(
    running: Arc<Mutex<Running>>,
    variables: [(&'static str, String); 4],
    invocation: Invocation,
) -> Invoked {
    let mut running = running.lock().await;
    let is_current =
        (running.environment.as_ref()).is_some_and(|(spec, _)| *spec == invocation.function);
    if !is_current {
        end(&mut running).await;
        let spec = invocation.function;
        let environment = Environment::builder()
            .extension(extension())
            .function_name(&spec.name)
            .account_id(ACCOUNT)
            .region(REGION)
            .memory_mb(spec.memory_mb.unwrap_or(128))
            .timeout(Duration::from_secs(spec.timeout.unwrap_or(3).into()))
            .envs(variables)
            .envs(spec.environment.clone())
            .start()
            .await
            .unwrap();
        running.environment = Some((spec, Arc::new(environment)));
    }
    let traffic = running.traffic.get_or_insert_with(|| Traffic::new(200));
    let work = backstop_simulator::Invocation {
        lines: traffic.records(LINES),
        duration: Duration::from_millis(5),
        ..backstop_simulator::Invocation::default()
    };
    let (_, environment) = running.environment.as_ref().unwrap();
    let report = environment.invoke(work).await.unwrap();
    let billed = (report.runtime + report.added).as_millis() + 1;
    let id = &report.request_id;
    let init = if is_current {
        ""
    } else {
        "\tInit Duration: 100.00 ms"
    };
    Invoked {
        log: format!(
            "START RequestId: {id} Version: $LATEST\nEND RequestId: {id}\nREPORT RequestId: {id}\t\
             Duration: {billed}.00 ms\tBilled Duration: {billed} ms\tMemory Size: 512 MB\tMax Memory \
             Used: 70 MB{init}\t\n"
        ),
        request_id: report.request_id,
        failed: false,
    }
}

async fn end(running: &mut Running) {
    if let Some((_, environment)) = running.environment.take() {
        environment
            .shutdown(ShutdownReason::Spindown)
            .await
            .unwrap();
    }
}

/// Ends an environment whose configuration is an old one, as Lambda does.
async fn reap(plane: Arc<ControlPlane>, running: Arc<Mutex<Running>>) {
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = plane.configuration(&here(), "orders").unwrap_or_default();
        let mut running = running.lock().await;
        let is_old = running.environment.as_ref().is_some_and(|(spec, _)| {
            now["Environment"]["Variables"] != serde_json::json!(spec.environment)
        });
        if is_old {
            end(&mut running).await;
        }
    }
}
