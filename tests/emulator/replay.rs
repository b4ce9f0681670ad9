//! The replay function on an emulator that runs it as Lambda does: an outage, the probe, the queue and its
//! mapping, a wrong token, a damaged object; and the command line that enqueues and follows.
//!
//! The emulator starts the function's real binary; only the primary is a fake.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Environment, FunctionCode, FunctionResponseType, Runtime, ScalingConfig,
};
use aws_sdk_sqs::types::QueueAttributeName;
use backstop_simulator::{FakeIntake, Fault};
use backstop_tests::binary;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::ministack::{ACCOUNTS, Ministack, REGIONS};

const BUCKET: &str = "replay-archive";
const PATIENCE: Duration = Duration::from_mins(3);

struct Stage {
    emulator: Ministack,
    intake: FakeIntake,
    lambda: aws_sdk_lambda::Client,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    dead_letters: String,
    mapping: String,
}

impl Stage {
    async fn set() -> Self {
        let emulator = Ministack::start().await;
        emulator.add_bucket(BUCKET, REGIONS[0]).await;
        let intake = FakeIntake::start_plaintext().await.unwrap();
        let http = aws_smithy_http_client::Builder::new().build_http();
        let credentials =
            aws_sdk_s3::config::Credentials::new(ACCOUNTS[0], "secret", None, None, "test");
        let region = aws_sdk_s3::config::Region::new(REGIONS[0]);
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .http_client(http.clone())
            .endpoint_url(emulator.endpoint())
            .force_path_style(true)
            .region(region.clone())
            .credentials_provider(credentials.clone());
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version_latest()
            .http_client(http)
            .endpoint_url(emulator.endpoint())
            .region(region)
            .credentials_provider(credentials);
        let sqs = aws_sdk_sqs::Client::from_conf(sqs.build());
        let dead_letters = sqs
            .create_queue()
            .queue_name("replay-dead-letters")
            .send()
            .await;
        let dead_letters = dead_letters.unwrap().queue_url.unwrap();
        let redrive = json!({
            "deadLetterTargetArn": arn(&sqs, &dead_letters).await,
            "maxReceiveCount": 5,
        });
        let queue = sqs
            .create_queue()
            .queue_name("replay")
            .attributes(QueueAttributeName::VisibilityTimeout, "20")
            .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
            .send()
            .await;
        let queue = queue.unwrap().queue_url.unwrap();
        let lambda = emulator.client(ACCOUNTS[0], REGIONS[0]);
        let variables = [
            ("AWS_ENDPOINT_URL", emulator.endpoint().to_owned()),
            ("BACKSTOP_PRIMARY_URL", intake.url()),
            ("BACKSTOP_PRIMARY_TOKEN", "right".to_owned()),
            ("BACKSTOP_S3_BUCKET", BUCKET.to_owned()),
            ("BACKSTOP_REPLAY_QUEUE_URL", queue.clone()),
            (
                "BACKSTOP_REPLAY_DEAD_LETTER_QUEUE_URL",
                dead_letters.clone(),
            ),
            ("BACKSTOP_REPLAY_SETTLE_SECONDS", "0".to_owned()),
            ("BACKSTOP_REPLAY_HALTED_SECONDS", "2".to_owned()),
            ("BACKSTOP_REPLAY_RETRY_SECONDS", "1".to_owned()),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        lambda
            .create_function()
            .function_name("replay")
            .runtime(Runtime::Providedal2023)
            .role(format!("arn:aws:iam::{}:role/replay", ACCOUNTS[0]))
            .handler("bootstrap")
            .timeout(60)
            .code(
                FunctionCode::builder()
                    .zip_file(Blob::new(bootstrap()))
                    .build(),
            )
            .environment(
                Environment::builder()
                    .set_variables(Some(variables))
                    .build(),
            )
            .send()
            .await
            .unwrap();
        let mapping = lambda
            .create_event_source_mapping()
            .function_name("replay")
            .event_source_arn(arn(&sqs, &queue).await)
            .batch_size(5)
            .function_response_types(FunctionResponseType::ReportBatchItemFailures)
            .scaling_config(ScalingConfig::builder().maximum_concurrency(2).build())
            .send()
            .await;
        Self {
            mapping: mapping.unwrap().uuid.unwrap(),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            emulator,
            intake,
            lambda,
            sqs,
            queue,
            dead_letters,
        }
    }

    /// Objects as the extension writes them; the ids of their records.
    async fn archive(&self, objects: std::ops::Range<usize>) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for object in objects.clone() {
            ids.extend((0..10).map(|record| format!("r{object}-{record}")));
        }
        let mut put = stream::iter(objects)
            .map(|object| async move {
                let mut packed =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                for record in 0..10 {
                    let line = json!({
                        "id": format!("r{object}-{record}"), "time": "2026-01-31T08:00:00.000Z",
                        "type": "function", "record": "a line", "resource": { "faas.name": "fn" },
                    });
                    writeln!(packed, "{line}").unwrap();
                }
                self.put(&key(object), packed.finish().unwrap()).await;
            })
            .buffer_unordered(8);
        while put.next().await.is_some() {}
        ids
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        put.body(bytes.into()).send().await.unwrap();
    }

    async fn mode(&self, mode: &str) -> Value {
        let payload = json!({ "mode": mode }).to_string();
        let invoked = self.lambda.invoke().function_name("replay");
        let invoked = invoked.payload(Blob::new(payload)).send().await.unwrap();
        let answer = invoked.payload.unwrap().into_inner();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(invoked.function_error.is_none(), "{mode}: {answer}");
        answer
    }

    async fn depth(&self, queue: &str) -> u64 {
        let asked = self.sqs.get_queue_attributes().queue_url(queue);
        let asked = asked
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .unwrap();
        let all = asked.attributes.unwrap();
        let number = |name| all.get(&name).map_or(0, |it| it.parse().unwrap());
        number(QueueAttributeName::ApproximateNumberOfMessages)
            + number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
    }

    async fn is_on(&self) -> bool {
        let mapping = self.lambda.get_event_source_mapping().uuid(&self.mapping);
        let state = mapping.send().await.unwrap().state.unwrap();
        matches!(state.as_str(), "Enabled" | "Enabling")
    }

    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        assert!(waited.await.is_ok(), "{what}: {:?}", self.intake.requests());
    }

    /// Runs the command line.
    async fn backstop(&self, arguments: &[&str], code: i32) -> Value {
        let output = Command::new(binary("backstop"))
            .args(arguments)
            .args(["--output", "json"])
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.emulator.endpoint())
            .env("AWS_ACCESS_KEY_ID", ACCOUNTS[0])
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", REGIONS[0])
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output)
            .await
            .unwrap()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn assert_once(&self, ids: &BTreeSet<String>) {
        let records = self.intake.records();
        let there: BTreeSet<String> = records.keys().cloned().collect();
        assert_eq!(ids.difference(&there).count(), 0, "of {}", ids.len());
        assert_eq!(there.difference(ids).count(), 0);
        let twice = records.values().filter(|count| **count > 1).count();
        assert_eq!(twice, 0, "records came more than once");
    }
}

async fn arn(sqs: &aws_sdk_sqs::Client, queue: &str) -> String {
    let asked = sqs.get_queue_attributes().queue_url(queue);
    let asked = asked
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    asked.attributes.unwrap()[&QueueAttributeName::QueueArn].clone()
}

fn key(object: usize) -> String {
    let folder = "backstop/v1/account=1/region=eu-west-1/function=fn/dt=2026-01-31/hour=08";
    format!("{folder}/b{object:05}.ndjson.gz")
}

/// What Lambda starts: the binary, which is too large to be packed unstripped.
fn bootstrap() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).unwrap();
    let binary = binary("backstop-replay-function");
    writeln!(zip, "#!/bin/sh\nexec '{}'", binary.display()).unwrap();
    zip.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replay_runs_itself_stops_itself_and_buries_what_is_damaged() {
    let stage = Stage::set().await;
    let mut ids = stage.archive(0..200).await;
    stage
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .unwrap();
    let down = stage.mode("probe").await;
    assert_eq!(
        (&down["outcome"], &down["unreplayed"]),
        (&json!("down"), &json!(200)),
        "{down}"
    );
    assert_eq!(stage.depth(&stage.queue).await, 0);

    stage.intake.set_fault(None).await.unwrap();
    let begun = stage.mode("probe").await;
    assert_eq!(begun["objects"], 200, "{begun}");
    stage
        .until("the queue is empty", async || {
            stage.depth(&stage.queue).await == 0
        })
        .await;
    stage.assert_once(&ids);
    let tags = stage
        .s3
        .get_object_tagging()
        .bucket(BUCKET)
        .key(key(7))
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_set[0].key(), "backstop-replayed");
    assert_eq!(stage.mode("probe").await["outcome"], "nothing");
    assert_eq!(stage.depth(&stage.dead_letters).await, 0);

    // A token that is wrong: the mapping is stopped, and nothing is buried.
    stage
        .intake
        .require_header(Some(("authorization", "Bearer other")));
    let more = stage.archive(200..240).await;
    let from = format!("s3://{BUCKET}/backstop");
    let enqueued = stage
        .backstop(&["replay", "--from", &from, "--enqueue", &stage.queue], 0)
        .await;
    assert_eq!(enqueued["objects"], 240, "{enqueued}");
    stage
        .until("the mapping is off", async || !stage.is_on().await)
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.depth(&stage.dead_letters).await, 0);
    assert!(stage.depth(&stage.queue).await >= 40);
    assert_eq!(stage.mode("resume").await["outcome"], "down");

    stage.intake.require_header(None);
    assert_eq!(stage.mode("resume").await["outcome"], "resumed");
    let followed = stage
        .backstop(&["replay", "--follow", &stage.queue], 0)
        .await;
    assert_eq!(
        (&followed["left"], &followed["failed"]),
        (&json!(0), &json!(0)),
        "{followed}"
    );
    ids.extend(more);
    stage.assert_once(&ids);

    // A damaged object: it is in the dead-letter queue, with the reason.
    let damaged = key(900);
    stage.put(&damaged, b"not a line\n".to_vec()).await;
    stage
        .backstop(
            &[
                "replay",
                "--from",
                &format!("s3://{BUCKET}/{damaged}"),
                "--enqueue",
                &stage.queue,
            ],
            0,
        )
        .await;
    stage
        .until("it is buried", async || {
            stage.depth(&stage.dead_letters).await == 1
        })
        .await;
    let buried = stage.sqs.receive_message().queue_url(&stage.dead_letters);
    let buried = buried.message_attribute_names("All").send().await.unwrap();
    let buried = &buried.messages()[0];
    let reason = &buried.message_attributes().unwrap()["backstop-reason"];
    assert!(
        reason.string_value().unwrap().contains("line 1"),
        "{reason:?}"
    );
    assert!(buried.body().unwrap().contains(&damaged));
    assert!(stage.is_on().await);
}
