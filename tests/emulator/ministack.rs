//! The emulator, and what is in it.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, LayerVersionContentInput, Runtime};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

pub(crate) const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];
pub(crate) const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-southeast-2"];
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_mins(1);

/// A running emulator. Dropping it ends it.
pub(crate) struct Ministack {
    endpoint: String,
    _process: Child,
    _directory: tempfile::TempDir,
}

impl Ministack {
    pub(crate) async fn start() -> Self {
        let program = std::env::var_os("BACKSTOP_MINISTACK")
            .expect("BACKSTOP_MINISTACK names the emulator: scripts/test installs it");
        // If another process takes the port in between, the test fails.
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let directory = tempfile::TempDir::new().unwrap();
        let process = Command::new(program)
            // By default it listens on every address.
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("TMPDIR", directory.path())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let emulator = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            _process: process,
            _directory: directory,
        };
        // A connection alone tells nothing: to a port without a listener one can be connected to oneself.
        let answer = async {
            let client = emulator.client(ACCOUNTS[0], REGIONS[0]);
            while client.list_layers().send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let answered = tokio::time::timeout(PATIENCE, answer).await;
        answered.expect("the emulator answers");
        emulator
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn client(&self, account: &str, region: &str) -> aws_sdk_lambda::Client {
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&self.endpoint)
            .region(Region::new(region.to_owned()))
            .credentials_provider(Credentials::new(account, "secret", None, None, "test"))
            .build();
        aws_sdk_lambda::Client::from_conf(config)
    }

    /// The archive's bucket, of the first account.
    pub(crate) async fn add_bucket(&self, name: &str, region: &str) {
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
        let (account, length) = (ACCOUNTS[0], body.len());
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nhost: s3.{region}.amazonaws.com\r\nconnection: close\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={account}/20260131/{region}/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// The roles, and functions spread over all places; every third is of the payments team, and has a layer
    /// of its own.
    pub(crate) async fn add_functions(&self, count: usize) {
        for account in ACCOUNTS {
            let config = aws_sdk_iam::Config::builder()
                .behavior_version_latest()
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .endpoint_url(&self.endpoint)
                .region(aws_sdk_iam::config::Region::new("us-east-1"))
                .credentials_provider(aws_sdk_iam::config::Credentials::new(
                    account, "secret", None, None, "test",
                ))
                .build();
            let iam = aws_sdk_iam::Client::from_conf(config);
            let trust = json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" },
            ]});
            for role in ["Operator", "worker"] {
                iam.create_role()
                    .role_name(role)
                    .assume_role_policy_document(trust.to_string())
                    .send()
                    .await
                    .unwrap();
            }
        }
        let places = || {
            ACCOUNTS
                .iter()
                .flat_map(|account| REGIONS.map(|region| (*account, region)))
        };
        let mut theirs = BTreeMap::new();
        for place in places() {
            let published = self
                .client(place.0, place.1)
                .publish_layer_version()
                .layer_name("zeta")
                .content(
                    LayerVersionContentInput::builder()
                        .zip_file(Blob::new(zip("theirs")))
                        .build(),
                )
                .send()
                .await
                .unwrap();
            theirs.insert(place, published.layer_version_arn().unwrap().to_owned());
        }
        let functions = places().cycle().take(count).enumerate();
        let theirs = &theirs;
        let mut created = stream::iter(functions)
            .map(|(number, place)| async move {
                let is_payments = (number / 9).is_multiple_of(3);
                let team = if is_payments { "payments" } else { "search" };
                self.client(place.0, place.1)
                    .create_function()
                    .function_name(format!("{team}-{number:03}"))
                    .runtime(Runtime::Python313)
                    .role(format!("arn:aws:iam::{}:role/worker", place.0))
                    .handler("index.handler")
                    .code(
                        FunctionCode::builder()
                            .zip_file(Blob::new(zip("code")))
                            .build(),
                    )
                    .tags("team", team)
                    .environment(Environment::builder().variables("TABLE", team).build())
                    .set_layers(is_payments.then(|| vec![theirs[&place].clone()]))
                    .send()
                    .await
                    .unwrap();
            })
            .buffer_unordered(AT_ONCE);
        while created.next().await.is_some() {}
    }

    /// Every function's layers, variables and tags, as its own API tells them.
    pub(crate) async fn configurations(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        for account in ACCOUNTS {
            for region in REGIONS {
                let client = self.client(account, region);
                let mut pages = client.list_functions().into_paginator().items().send();
                while let Some(listed) = pages.next().await {
                    let listed = listed.unwrap();
                    let name = listed.function_name().unwrap();
                    let function = client
                        .get_function()
                        .function_name(name)
                        .send()
                        .await
                        .unwrap();
                    let configuration = function.configuration().unwrap();
                    let layers = configuration
                        .layers()
                        .iter()
                        .map(|it| it.arn().unwrap_or_default());
                    let variables = configuration.environment().and_then(|it| it.variables());
                    let variables: BTreeMap<_, _> = variables.into_iter().flatten().collect();
                    let tags: BTreeMap<_, _> = function.tags().into_iter().flatten().collect();
                    all.insert(
                        format!("{account} {region} {name}"),
                        json!({
                            "Layers": layers.collect::<Vec<_>>(),
                            "Variables": variables,
                            "Tags": tags,
                            "Role": configuration.role(),
                            "Handler": configuration.handler(),
                            "CodeSha256": configuration.code_sha256(),
                            "MemorySize": configuration.memory_size(),
                            "Timeout": configuration.timeout(),
                        }),
                    );
                }
            }
        }
        all
    }
}

fn zip(content: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("index.py", options).unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}
