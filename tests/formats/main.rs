//! Every format against the intake of its vendor, through the real extension and the real `backstop replay`:
//! the intakes refuse what the vendors' refuse, and answer in their words.
//!
//! `partial` is what becomes of records that are refused, `mistakes` of a configuration that is wrong,
//! `distributions` of metrics at Datadog.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod distributions;
mod mistakes;
mod partial;

use std::time::Duration;

use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Dialect, Invocation};
use backstop_tests::{Outcome, World, binary, in_parallel};
use serde_json::Value;

const HANDLER: Duration = Duration::from_millis(20);

/// A life of the extension with the world's primary: these lines, with these variables beside the usual ones.
async fn live(world: &World, lines: Vec<FunctionRecord>, variables: &[(&str, &str)]) -> Outcome {
    let emitted = lines.len() as u64;
    let mut builder = world
        .environment()
        .env("BACKSTOP_FIREHOSE_STREAM", "")
        // The vendors' intakes here are those of logs; tests/receivers has the other signals.
        .env("BACKSTOP_SIGNALS", "logs")
        .env("BACKSTOP_TAGS", "team=blue,owner=Jos\u{e9} \"x\" \u{200b}")
        .timeout(Duration::from_mins(1))
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
        .env("BACKSTOP_FLUSH_STRATEGY", "end");
    for (name, value) in variables {
        builder = builder.env(*name, *value);
    }
    let environment = builder.start().await.unwrap();
    let invocation = Invocation {
        lines,
        duration: HANDLER,
        ..Invocation::default()
    };
    environment.invoke(invocation).await.unwrap();
    world.settle(&environment, emitted).await.unwrap()
}

/// What `backstop replay` of the whole archive says, and its exit code.
async fn replay(world: &World, dialect: Dialect, token: &str) -> (Value, i32) {
    replay_of(world, dialect, token, "logs").await
}

/// The same of these signals.
async fn replay_of(world: &World, dialect: Dialect, token: &str, signals: &str) -> (Value, i32) {
    let archive = format!("s3://{}/backstop", world.s3.bucket());
    let mut command = tokio::process::Command::new(binary("backstop"));
    command
        .args([
            "replay",
            "--after",
            "keep",
            "--from",
            &archive,
            "--to",
            &world.intake.url(),
        ])
        .args(["--format", dialect.name(), "--output", "json"])
        .env_clear()
        .env("BACKSTOP_PRIMARY_TOKEN", token)
        .env("BACKSTOP_SIGNALS", signals)
        .env("SSL_CERT_FILE", world.intake.ca_pem_path().unwrap())
        .env("AWS_ENDPOINT_URL_S3", world.s3.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", world.s3.access_key())
        .env("AWS_SECRET_ACCESS_KEY", world.s3.secret_key());
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let summary = serde_json::from_slice(&output.stdout);
    let summary = summary.unwrap_or_else(|error| panic!("{dialect:?}: {error}\n{said}"));
    (summary, output.status.code().unwrap())
}

/// Whether every record that is at the primary is there once, and has an id.
fn is_each_once(world: &World) -> bool {
    let records = world.intake.records();
    records.values().all(|count| *count == 1) && !records.contains_key("")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_intake_refuses_nothing_and_stores_each_record_once() {
    let cases = [
        (Dialect::Otlp, ""),
        (Dialect::Otlp, "encoding=json"),
        (Dialect::Elastic, ""),
        (Dialect::Elastic, "ids=false"),
        (Dialect::Loki, "labels=owner"),
        (Dialect::Loki, "labels=owner,encoding=json"),
        (Dialect::Splunk, "index=main"),
        (Dialect::Datadog, ""),
        (Dialect::NewRelic, ""),
    ];
    let runs = cases.map(|(dialect, options)| async move {
        let world = World::start_speaking(dialect).await.unwrap();
        let mut lines = Traffic::new(300).records(1_200);
        for odd in ["", "\n", "\u{0}\u{1b}[31m \u{202e}", "naïve 😀 日本"] {
            lines.push(FunctionRecord::from(odd));
        }
        lines.push(FunctionRecord::from("x".repeat(200_000)));
        for odd in [
            r#"{"message":"nested","faas":"text","a":{"b":[1,null,{"c":"d"}]}}"#,
            r#"{"":"empty","a.b":"dots","A":1,"a":2,"@timestamp":"never","type":"mine"}"#,
            "{}",
            "[1,2]",
            "null",
        ] {
            lines.push(FunctionRecord(serde_json::from_str(odd).unwrap()));
        }
        let options = ("BACKSTOP_PRIMARY_OPTIONS", options);
        let total = lines.len() as u64;
        let outcome = live(&world, lines, &[options]).await;
        (dialect, world, outcome, total)
    });
    for (dialect, world, outcome, total) in Box::pin(in_parallel(runs)).await {
        let name = format!(
            "{dialect:?} {:?}\n{}",
            world.intake.refusals(),
            outcome.stderr()
        );
        assert!(world.intake.refusals().is_empty(), "{name}");
        assert_eq!(outcome.archived.len(), 0, "{:?} {name}", outcome.reasons());
        assert_eq!(
            outcome.primary.len() as u64,
            outcome.delivered("https"),
            "{name}"
        );
        assert!(outcome.primary.len() as u64 > total, "{name}");
        assert!(is_each_once(&world), "{name}");
        outcome.assert_adds_up();
        let missing = outcome.missing();
        // Beyond these are the odd ones, which have no number.
        assert!(
            missing.iter().all(|sequence| *sequence >= 1_200),
            "{missing:?} {name}"
        );
    }
}
