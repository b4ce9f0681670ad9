//! A control plane with functions, and the command that works on it.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, LayerVersionContentInput};
use backstop_fake_aws::ControlPlane;
use backstop_fake_aws::{FunctionSpec, Place};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";

pub(crate) fn here() -> Place {
    Place::new(ACCOUNT, REGION)
}

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

    /// The run that was begun.
    pub(crate) fn run(&self) -> String {
        let line = self
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("Run "));
        line.unwrap_or_else(|| panic!("no run: {}", self.stderr))
            .to_owned()
    }

    /// The form of a snapshot.
    pub(crate) fn snapshot(&self) -> String {
        let code = self.code.unwrap_or(-1);
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        format!("exit code: {code}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}")
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

/// What a command says that is interrupted now, as by Ctrl-C.
pub(crate) async fn interrupted(child: Child) -> Finished {
    let pid = child.id().unwrap().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(kill.unwrap().success());
    child.wait_with_output().await.unwrap().into()
}

/// A control plane with a layer, and a directory for runs.
pub(crate) struct Stage {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) directory: TempDir,
    /// The layer version for `x86_64`, by place.
    pub(crate) layers: BTreeMap<Place, String>,
}

impl Stage {
    /// With the layer in one place.
    pub(crate) async fn set() -> Self {
        Self::in_places(&[here()]).await
    }

    /// With the layer in each place, for its own account.
    pub(crate) async fn in_places(places: &[Place]) -> Self {
        let mut stage = Self {
            plane: Arc::new(ControlPlane::start().unwrap()),
            directory: TempDir::new().unwrap(),
            layers: BTreeMap::new(),
        };
        for place in places {
            let arn = stage
                .publish(place, "backstop-extension-x86_64-0-1-0", "first")
                .await;
            stage.layers.insert(place.clone(), arn);
        }
        stage
    }

    /// A client of the official SDK.
    pub(crate) fn client(&self, place: &Place) -> aws_sdk_lambda::Client {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let key = ControlPlane::access_key(&place.account);
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .http_client(http)
            .endpoint_url(self.plane.endpoint())
            .region(aws_sdk_lambda::config::Region::new(place.region.clone()))
            .credentials_provider(aws_sdk_lambda::config::Credentials::new(
                key, "secret", None, None, "test",
            ))
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    /// Publishes a layer version for `x86_64`.
    pub(crate) async fn publish(&self, place: &Place, name: &str, content: &str) -> String {
        self.publish_for(Architecture::X8664, place, name, content)
            .await
    }

    /// Publishes a layer version.
    pub(crate) async fn publish_for(
        &self,
        architecture: Architecture,
        place: &Place,
        name: &str,
        content: &str,
    ) -> String {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("extensions/backstop-extension", options)
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let published = self
            .client(place)
            .publish_layer_version()
            .layer_name(name)
            .content(
                LayerVersionContentInput::builder()
                    .zip_file(Blob::new(zip))
                    .build(),
            )
            .compatible_architectures(architecture)
            .send()
            .await
            .unwrap();
        published.layer_version_arn().unwrap().to_owned()
    }

    /// Every function as it is when nothing is under way, by place and name.
    pub(crate) fn everything(&self) -> BTreeMap<String, Value> {
        let named = self
            .plane
            .snapshot()
            .into_iter()
            .map(|((place, name), function)| {
                (
                    format!("{} {} {name}", place.account, place.region),
                    function,
                )
            });
        named.collect()
    }

    /// The journal of a run.
    pub(crate) fn journal(&self, run: &str) -> PathBuf {
        let runs = self.directory.path().join(".local/state/backstop/runs");
        runs.join(format!("{run}.jsonl"))
    }

    /// What a command said, without what is different each time.
    pub(crate) fn masked(&self, finished: &Finished) -> String {
        let mut text = finished.snapshot();
        text = text.replace(&self.plane.endpoint(), "http://control-plane");
        text = text.replace(&self.directory.path().display().to_string(), "HOME");
        for (pattern, name) in [
            (r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        ] {
            let pattern = regex::Regex::new(pattern).unwrap();
            text = pattern.replace_all(&text, name).into_owned();
        }
        text
    }

    /// Adds functions of this name with a number.
    pub(crate) fn add(&self, place: &Place, name: &str, count: usize, spec: &FunctionSpec) {
        for number in 0..count {
            let name = format!("{name}-{number:03}");
            let spec = FunctionSpec {
                name,
                ..spec.clone()
            };
            self.plane.add_function(place, spec);
        }
    }

    /// `backstop`, as the operator of the first account.
    pub(crate) fn backstop(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.plane.endpoint())
            .env("AWS_ACCESS_KEY_ID", ControlPlane::access_key(ACCOUNT))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", REGION)
            .current_dir(self.directory.path())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.backstop(arguments).output().await.unwrap().into()
    }

    /// `backstop attach` with the layers of all places, and settings.
    pub(crate) async fn attach(&self, arguments: &[&str]) -> Finished {
        let mut all = vec!["attach", "--yes", "--rate", "100", "--read-rate", "500"];
        all.extend([
            "--set",
            "BACKSTOP_PRIMARY_URL=https://intake.example.com/v1",
        ]);
        for arn in self.layers.values() {
            all.extend(["--layer", arn]);
        }
        all.extend(arguments);
        self.run(&all).await
    }
}
