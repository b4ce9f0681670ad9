//! The real extension and the real receivers: what is stored is what was emitted, once, in every format, through
//! an outage and a replay.
//!
//! `VictoriaLogs` and Rotel are in every run. `OpenSearch` and the Collector are where they are installed:
//! `scripts/receivers` says how.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod cases;
mod posted;
mod server;
mod signals;

use std::collections::BTreeMap;
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Invocation};
use backstop_tests::{Outcome, World, binary, invocation};
use cases::{CASES, Case, REQUEST, TRACE};
use serde_json::{Value, json};
use server::{Kind, Server};
use tokio::time::Instant;

const HANDLER: Duration = Duration::from_millis(20);
/// Until what was taken can be read.
const PATIENCE: Duration = Duration::from_secs(20);

fn member<'a>(record: &'a Value, name: &str) -> &'a str {
    let found = if name.starts_with('/') {
        record.pointer(name)
    } else {
        record.get(name)
    };
    found.and_then(Value::as_str).unwrap_or_default()
}

/// What breaks encoders and receivers: each of these has to arrive.
fn odd_lines() -> Vec<String> {
    let large = "x".repeat(200_000);
    vec![
        r#""""#.to_owned(),
        r#""\n""#.to_owned(),
        r#""\u0000\u0001\u001b[31m red \u202e""#.to_owned(),
        r#""cut \ud83d""#.to_owned(),
        r#""naïve 😀 日本""#.to_owned(),
        r#"{"message":"nested","faas":"text","a":{"b":[1,null,{"c":"d"}]}}"#.to_owned(),
        format!(
            r#"{{"level":"error","message":"boom","requestId":"{REQUEST}","trace_id":"{TRACE}"}}"#
        ),
        r#"{"":"empty","a.b":"dots","A":1,"a":2,"@timestamp":"never","type":"mine"}"#.to_owned(),
        r#"{"n":123456789012345678901234567890,"f":1e400,"neg":-9223372036854775808}"#.to_owned(),
        // Text that is an object over several lines, one that would be an action of a bulk request, and names twice.
        r#""{\n  \"pretty\": true,\n  \"n\": 1\n}\n""#.to_owned(),
        r#""{\"a\":\n{\"create\":{\"_index\":\"x\"}}\n}""#.to_owned(),
        r#"{"twice":1,"twice":2,"in":{"a":1,"a":2}}"#.to_owned(),
        "[1,2]".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        format!("\"{large}\""),
    ]
}

/// Logs, which are the default where a receiver takes nothing else.
fn signals(case: &Case) -> &'static str {
    match case.receiver {
        Kind::VictoriaLogs => "",
        Kind::Rotel | Kind::OpenSearch | Kind::Collector => "logs",
    }
}

async fn emit(environment: &Environment, traffic: &mut Traffic, lines: usize) {
    environment
        .invoke(invocation(traffic, lines, HANDLER))
        .await
        .unwrap();
    for record in odd_lines() {
        // They are of today, or receivers refuse them.
        let time = now();
        environment.emit_raw(format!(
            r#"{{"time":"{time}","type":"function","record":{record}}}"#
        ));
    }
    environment
        .invoke(Invocation {
            duration: HANDLER,
            ..Invocation::default()
        })
        .await
        .unwrap();
}

fn now() -> String {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    backstop_delivery::Wall(since).rfc3339()
}

/// How often each id is stored, once there are as many as are wanted, or the patience is over.
async fn ids(server: &Server, case: &Case, wanted: u64) -> BTreeMap<String, u32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut ids = BTreeMap::new();
        for (row, record) in server.stored().await.iter().enumerate() {
            let id = match case.id {
                "" => row.to_string(),
                name => member(record, name).to_owned(),
            };
            *ids.entry(id).or_default() += 1;
        }
        if ids.len() as u64 >= wanted || Instant::now() > deadline {
            return ids;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// One environment's life with the receiver as its primary.
async fn live(world: &World, server: &Server, case: &Case, lines: usize) -> Outcome {
    let environment = world
        .environment()
        .env("BACKSTOP_PRIMARY_URL", server.url(case.path))
        .env("BACKSTOP_PRIMARY_FORMAT", case.format)
        .env("BACKSTOP_PRIMARY_OPTIONS", case.options)
        .env("BACKSTOP_SIGNALS", signals(case))
        .env("BACKSTOP_PRIMARY_TOKEN", "t")
        .env("BACKSTOP_FIREHOSE_STREAM", "")
        .env("BACKSTOP_TAGS", "team=blue")
        // A receiver that has just been started takes its time.
        .timeout(Duration::from_mins(1))
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
        .env("BACKSTOP_PRIMARY_TIMEOUT_MS", "10000")
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .start()
        .await
        .unwrap();
    emit(&environment, &mut Traffic::new(300), lines).await;
    world.settle(&environment, lines as u64).await.unwrap()
}

/// `backstop replay` of everything in the archive.
async fn replay(world: &World, server: &Server, case: &Case, signals: &str) -> Value {
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
            &server.url(case.path),
        ])
        .args([
            "--format",
            case.format,
            "--format-options",
            case.options,
            "--output",
            "json",
        ])
        .env_clear()
        .env("BACKSTOP_PRIMARY_TOKEN", "t")
        .env("BACKSTOP_SIGNALS", signals)
        .env("AWS_ENDPOINT_URL_S3", world.s3.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", world.s3.access_key())
        .env("AWS_SECRET_ACCESS_KEY", world.s3.secret_key());
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{case:?}\n{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Healthy, then down so that everything goes to the archive, then replayed. Gives a row of the table.
async fn through_an_outage(case: &Case) -> Value {
    let world = World::start().await.unwrap();
    let mut server = Server::new(case.receiver);
    server.start().await;
    let healthy = live(&world, &server, case, 300).await;
    healthy.assert_adds_up();
    let (taken, kept) = (healthy.delivered("https"), healthy.delivered("s3"));
    assert_eq!(
        kept,
        0,
        "{case:?} {:?}\n{}",
        healthy.reasons(),
        healthy.stderr()
    );
    let stored = ids(&server, case, taken).await;
    assert_eq!(
        stored.len() as u64,
        taken,
        "{case:?} {stored:?}\n{}",
        healthy.stderr()
    );
    assert!(stored.values().all(|count| *count == 1), "{case:?}");
    let mut all = server.stored().await.into_iter();
    let boom = all.rfind(|record| record.to_string().contains("boom"));
    for (name, value) in case.fields {
        let record = boom.as_ref().unwrap_or_else(|| panic!("{case:?}"));
        assert_eq!(member(record, name), *value, "{name} of {record}");
    }

    server.stop();
    let down = live(&world, &server, case, 200).await;
    down.assert_adds_up();
    assert_eq!(down.delivered("https"), 0, "{case:?}\n{}", down.stderr());
    let archived = down.delivered("s3");
    assert!(archived > 200, "{case:?}\n{}", down.stderr());

    server.start().await;
    let replayed = replay(&world, &server, case, signals(case)).await;
    assert_eq!(replayed["sent"], archived, "{case:?} {replayed}");
    let all = ids(&server, case, taken + archived).await;
    assert_eq!(all.len() as u64, taken + archived, "{case:?}");
    let mut twice = all.values().filter(|count| **count > 1).count();
    assert_eq!(twice, 0, "{case:?}");
    if case.dedupes {
        replay(&world, &server, case, signals(case)).await;
        let again = ids(&server, case, taken + archived).await;
        twice = again.values().filter(|count| **count > 1).count();
        assert_eq!(
            (again.len() as u64, twice),
            (taken + archived, 0),
            "{case:?}"
        );
    }
    json!({
        "format": case.format, "options": case.options, "receiver": format!("{:?}", case.receiver),
        "sent": taken, "diverted": archived, "stored": all.len(), "twice": twice,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_stored_once_through_an_outage_and_a_replay() {
    // The client that reads back has none of its own.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut rows = Vec::new();
    for case in CASES {
        let is_optional = matches!(case.receiver, Kind::OpenSearch | Kind::Collector);
        if is_optional && case.receiver.place().is_none() {
            continue;
        }
        rows.push(through_an_outage(case).await);
    }
    println!(
        "{:<9} {:<14} {:<13} {:>5} {:>8} {:>6} {:>5}",
        "format", "options", "receiver", "sent", "diverted", "stored", "twice"
    );
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        println!(
            "{:<9} {:<14} {:<13} {:>5} {:>8} {:>6} {:>5}",
            text("format"),
            text("options"),
            text("receiver"),
            row["sent"],
            row["diverted"],
            row["stored"],
            row["twice"]
        );
    }
}
