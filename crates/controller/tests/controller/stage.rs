//! The real binary between a Runtime API, a control plane and a bucket, all on loopback.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, LayerVersionContentInput};
use backstop_fake_aws::{ControlPlane, FunctionSpec, Place};
use backstop_simulator::S3Server;
use backstop_simulator::server::{Answer, FaultServer};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const STATE: &str = "s3://backstop-archive/state/controller";
const PREFIX: &str = "state/controller/";
const WANTED: &str = "wanted/backstop.toml";

pub(crate) fn here() -> Place {
    Place::new(ACCOUNT, REGION)
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// The Runtime API: hands out events, and takes answers.
struct Runtime {
    events: Mutex<mpsc::Receiver<Value>>,
    answers: mpsc::Sender<Result<Value, Value>>,
    /// How long an invocation may take.
    time: Duration,
}

impl Answer for Runtime {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        if path.ends_with("/next") {
            let event = self.events.lock().await.recv().await;
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let deadline = deadline + self.time;
            let event = event.unwrap_or_default().to_string();
            return Response::builder()
                .header("lambda-runtime-aws-request-id", "1")
                .header(
                    "lambda-runtime-deadline-ms",
                    deadline.as_millis().to_string(),
                )
                .header("lambda-runtime-invoked-function-arn", arn("controller"))
                .header("lambda-runtime-trace-id", "Root=1-0-0")
                .body(event.into())
                .unwrap();
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let answer = if path.ends_with("/response") {
            Ok(body)
        } else {
            Err(body)
        };
        self.answers.send(answer).await.ok();
        let mut accepted = Response::new(Bytes::from_static(b"{\"status\":\"OK\"}"));
        *accepted.status_mut() = StatusCode::ACCEPTED;
        accepted
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        response
    }

    fn observe(&self, _: &Parts, _: Option<StatusCode>) {}
}

/// An execution environment of the controller.
pub(crate) struct Environment {
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<Result<Value, Value>>,
    lines: mpsc::Receiver<String>,
    _server: FaultServer,
    child: Child,
}

/// The lines that a process writes, read at once as Lambda does: a full pipe would stop the process.
fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(4096);
    tokio::spawn(async move {
        let mut written = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = written.next_line().await {
            // A test that reads lines reads the first ones: those that nobody wants have no room.
            sender.try_send(line).ok();
        }
    });
    lines
}

impl Environment {
    /// The result of one invocation.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Result<Value, Value> {
        self.start(event).await;
        self.answer().await
    }

    /// The result of one that was started.
    pub(crate) async fn answer(&mut self) -> Result<Value, Value> {
        // Longer than the invocation may take.
        let answer = tokio::time::timeout(Duration::from_mins(12), self.answers.recv()).await;
        answer.expect("it answers in time").expect("it answers")
    }

    /// The result of one that works.
    pub(crate) async fn done(&mut self, event: &Value) -> Value {
        self.invoke(event).await.unwrap_or_else(|it| panic!("{it}"))
    }

    /// A plan over everything.
    pub(crate) async fn plan(&mut self) -> Value {
        self.done(&json!({ "action": "plan" })).await
    }

    /// The next line of its log, as JSON.
    pub(crate) async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(30), self.lines.recv()).await;
        let line = line.expect("it comes in time").expect("it runs");
        serde_json::from_str(&line).unwrap()
    }

    /// Sends an event whose answer nobody waits for yet.
    pub(crate) async fn start(&self, event: &Value) {
        self.events.send(event.clone()).await.unwrap();
    }

    /// As when Lambda takes the environment away.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A control plane with a layer, a bucket with the wanted state.
pub(crate) struct Stage {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) s3: S3Server,
    pub(crate) layer: String,
    home: TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let plane = Arc::new(ControlPlane::start().unwrap());
        let key = ControlPlane::access_key(ACCOUNT);
        let mut stage = Self {
            plane,
            s3: S3Server::start_for(&[(&key, "secret")]).await.unwrap(),
            layer: String::new(),
            home: TempDir::new().unwrap(),
        };
        stage.layer = stage.publish("first").await;
        stage.want("all = true").await;
        stage
    }

    fn lambda(&self) -> aws_sdk_lambda::Client {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let key = ControlPlane::access_key(ACCOUNT);
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .http_client(http)
            .endpoint_url(self.plane.endpoint())
            .region(aws_sdk_lambda::config::Region::new(REGION))
            .credentials_provider(aws_sdk_lambda::config::Credentials::new(
                key, "secret", None, None, "test",
            ))
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    /// Shares the layer with an account.
    pub(crate) async fn share(&self, account: &str) {
        let (layer, version) = self.layer.rsplit_once(':').unwrap();
        let (_, name) = layer.rsplit_once(':').unwrap();
        let share = self.lambda().add_layer_version_permission();
        share
            .layer_name(name)
            .version_number(version.parse().unwrap())
            .statement_id(format!("account-{account}"))
            .action("lambda:GetLayerVersion")
            .principal(account)
            .send()
            .await
            .unwrap();
    }

    /// Publishes a version of the layer.
    pub(crate) async fn publish(&self, content: &str) -> String {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("extensions/backstop-extension", options)
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let content = LayerVersionContentInput::builder();
        let published = (self.lambda())
            .publish_layer_version()
            .layer_name("backstop-extension-x86_64-0-1-0")
            .content(content.zip_file(Blob::new(zip)).build())
            .compatible_architectures(Architecture::X8664)
            .send()
            .await
            .unwrap();
        published.layer_version_arn().unwrap().to_owned()
    }

    /// Sets the wanted state: the layer and an address, for the functions that `select` says.
    pub(crate) async fn want(&self, select: &str) {
        self.want_at(200, select).await;
    }

    /// The same, with this many calls a second.
    pub(crate) async fn want_at(&self, rate: u32, select: &str) {
        self.want_text(&format!(
            "[select]\n{select}\n[targets]\nrate = {rate}\n[layer]\narns = [\"{}\"]\n[settings]\n\
             BACKSTOP_PRIMARY_URL = \"https://intake.example.com/\"\n",
            self.layer
        ))
        .await;
    }

    pub(crate) async fn want_text(&self, text: &str) {
        self.put(WANTED, text).await;
    }

    fn client(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.s3.endpoint())
            .force_path_style(true)
            .region(aws_sdk_s3::config::Region::new(REGION))
            .credentials_provider(aws_sdk_s3::config::Credentials::new(
                self.s3.access_key(),
                self.s3.secret_key(),
                None,
                None,
                "test",
            ))
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    async fn put(&self, key: &str, text: &str) {
        let body = text.as_bytes().to_vec().into();
        let put = self.client().put_object().bucket(self.s3.bucket());
        put.key(key).body(body).send().await.unwrap();
    }

    /// Sets or clears the switch in the state.
    pub(crate) async fn stop(&self, is_stopped: bool) {
        let key = format!("{PREFIX}controller/stop");
        if is_stopped {
            self.put(&key, "stop").await;
        } else {
            let delete = self.client().delete_object().bucket(self.s3.bucket());
            delete.key(key).send().await.unwrap();
        }
    }

    /// An object of the state.
    pub(crate) fn kept(&self, name: &str) -> Value {
        let bytes = self.s3.object_bytes(&format!("{PREFIX}{name}")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// The function's variables and credentials.
    pub(crate) fn variables(&self, mode: &str) -> Vec<(&'static str, String)> {
        let config = format!("s3://{}/{WANTED}", self.s3.bucket());
        let home = self.home.path().display().to_string();
        vec![
            ("HOME", home),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL", self.plane.endpoint()),
            ("AWS_ENDPOINT_URL_S3", self.s3.endpoint()),
            ("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNT)),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", "controller".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream".to_owned()),
            ("CONTROLLER_CONFIG", config),
            ("CONTROLLER_MODE", mode.to_owned()),
            ("CONTROLLER_STATE", STATE.to_owned()),
        ]
    }

    /// A new execution environment.
    pub(crate) fn environment(&self, mode: &str, extra: &[(&'static str, &str)]) -> Environment {
        self.environment_for(mode, extra, Duration::from_mins(10))
    }

    /// One whose invocations have this much time.
    pub(crate) fn environment_for(
        &self,
        mode: &str,
        extra: &[(&'static str, &str)],
        time: Duration,
    ) -> Environment {
        let (events, queued) = mpsc::channel(16);
        let (outbox, answers) = mpsc::channel(16);
        let runtime = Arc::new(Runtime {
            events: Mutex::new(queued),
            answers: outbox,
            time,
        });
        let server = FaultServer::start("the Runtime API", runtime, None).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_backstop-controller"))
            .env_clear()
            .envs(self.variables(mode))
            .envs(extra.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", server.address().to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Environment {
            events,
            answers,
            lines,
            _server: server,
            child,
        }
    }

    /// Adds functions of this name with a number.
    pub(crate) fn add(&self, name: &str, count: usize, spec: &FunctionSpec) {
        for number in 0..count {
            let name = format!("{name}-{number:04}");
            let spec = FunctionSpec {
                name,
                ..spec.clone()
            };
            self.plane.add_function(&here(), spec);
        }
    }

    /// Every function as it is, by name.
    pub(crate) fn everything(&self) -> BTreeMap<String, Value> {
        let functions = self.plane.snapshot().into_iter();
        functions
            .map(|((_, name), function)| (name, function))
            .collect()
    }

    /// Whether a function has the layer.
    pub(crate) fn is_attached(&self, name: &str) -> bool {
        self.is_attached_at(&here(), name)
    }

    /// The same, of one in another account.
    pub(crate) fn is_attached_at(&self, place: &Place, name: &str) -> bool {
        let function = self.plane.configuration(place, name).unwrap();
        let layers = function["Layers"].as_array();
        layers.is_some_and(|layers| layers.iter().any(|it| it["Arn"] == self.layer.as_str()))
    }

    /// Writes of configurations so far.
    pub(crate) fn writes(&self) -> usize {
        self.plane.writes().values().sum()
    }
}

/// A message of the queue with an event of `CloudTrail`.
pub(crate) fn created(name: &str) -> Value {
    let event = json!({
        "source": "aws.lambda",
        "detail-type": "AWS API Call via CloudTrail",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {
            "eventSource": "lambda.amazonaws.com",
            "eventName": "CreateFunction20150331",
            "awsRegion": REGION,
            "requestParameters": { "functionName": name },
        },
    });
    json!({ "body": event.to_string() })
}

/// A batch of the queue.
pub(crate) fn batch(messages: &[Value]) -> Value {
    json!({ "Records": messages })
}

impl Stage {
    /// `backstop` on the controller's state, on a machine of its own.
    pub(crate) async fn backstop(&self, arguments: &[&str]) -> std::process::Output {
        // Beside the controller: `cargo build --workspace --bins` has made both.
        let controller = std::path::Path::new(env!("CARGO_BIN_EXE_backstop-controller"));
        let backstop = controller.with_file_name("backstop");
        assert!(
            backstop.exists(),
            "build it: cargo build --workspace --bins"
        );
        let variables = self.variables("report").into_iter();
        let variables = variables.filter(|(name, _)| !name.starts_with("CONTROLLER"));
        let command = Command::new(backstop)
            .args(arguments)
            .env_clear()
            .envs(variables)
            .env("BACKSTOP_STATE", STATE)
            .output();
        command.await.unwrap()
    }
}
