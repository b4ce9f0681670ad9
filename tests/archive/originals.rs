//! `BACKSTOP_REDACT_ARCHIVE=false`, with the real extension: the archive has what was redacted, and nobody else.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{Environment, Fault, Invocation, ShutdownReason};
use backstop_tests::World;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{id, json as run};

fn gunzipped(packed: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(packed)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// What must not be found outside the archive.
const CORES: [&str; 3] = ["example.com", "hunter2", "IOSFODNN7"];

fn lines() -> Vec<FunctionRecord> {
    vec![
        "mail to ann@example.com\n".into(),
        json!({"user": {"name": "hunter2"}, "n": [1, 1.50]}).into(),
        "key AKIAIOSFODNN7EXAMPLE\n".into(),
        "an ordinary line\n".into(),
    ]
}

async fn start(world: &World, sandbox: &TempDir, route: &str) -> Environment {
    let environment = world
        .environment()
        .env("BACKSTOP_LOG_LEVEL", "debug")
        .env("BACKSTOP_ROUTE", route)
        .env("BACKSTOP_REDACT", "email,aws-keys,record.user.name")
        .env("BACKSTOP_REDACT_ARCHIVE", "false")
        .env("BACKSTOP_FALLBACK", "s3")
        .env("TMPDIR", sandbox.path().display().to_string())
        .temp_dir(sandbox.path());
    environment.start().await.unwrap()
}

/// The originals of the function's lines in the archive: there, and beside a record that is redacted.
fn originals(archived: &[Value]) -> Vec<Value> {
    let lines = archived.iter().filter(|it| it["type"] == "function");
    let lines: Vec<&Value> = lines.collect();
    for line in &lines {
        let without = line["record"].to_string() + &line["resource"].to_string();
        assert!(CORES.iter().all(|core| !without.contains(core)), "{line}");
        let is_redacted = without.contains("[redacted");
        assert_eq!(line.get("original").is_some(), is_redacted, "{line}");
    }
    let originals = lines.iter().filter_map(|it| it.get("original"));
    originals.cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_alone_has_what_was_redacted() {
    for route in ["failover", "mirror", "sample"] {
        let world = World::start().await.unwrap();
        world.intake.keep_lines(true);
        let sandbox = TempDir::new().unwrap();
        let invocation = || Invocation {
            lines: lines(),
            duration: Duration::from_millis(15),
            ..Invocation::default()
        };
        let environment = start(&world, &sandbox, route).await;
        environment.invoke(invocation()).await.unwrap();
        // All is down: what waits goes through the spool, into the next run.
        let down = Some(Fault::Status(503));
        world.intake.set_fault(down).await.unwrap();
        world.s3.set_fault(down).await.unwrap();
        environment.invoke(invocation()).await.unwrap();
        let outcome = world.settle_after(ShutdownReason::Failure, &environment, 0);
        let outcome = outcome.await.unwrap();
        outcome.assert_adds_up();
        let mut outside = outcome.stderr();
        world.s3.set_fault(None).await.unwrap();
        let environment = start(&world, &sandbox, route).await;
        environment.invoke(Invocation::default()).await.unwrap();
        let outcome = world.settle(&environment, 0).await.unwrap();
        outcome.assert_adds_up();
        assert!(outcome.ledger("recovered") > 0, "{}", outcome.stderr());
        outside += &outcome.stderr();

        let found = originals(&outcome.archived);
        let mut expected: Vec<Value> = vec![
            "mail to ann@example.com\n".into(),
            json!({"user": {"name": "hunter2"}, "n": [1, 1.50]}),
            "key AKIAIOSFODNN7EXAMPLE\n".into(),
        ];
        for original in &expected {
            let count = found.iter().filter(|it| *it == original).count();
            let least = if route == "failover" { 1 } else { 2 };
            assert!(count >= least, "{count} of {original} with {route}");
        }
        expected.retain(|it| !found.contains(it));
        assert!(expected.is_empty(), "{expected:?}");

        world.intake.set_fault(None).await.unwrap();
        let state = tempfile::tempdir().unwrap();
        let from = format!("s3://{}/backstop", world.s3.bucket());
        let to = world.intake.url();
        let replay = ["replay", "--from", &from, "--to", &to, "--include-mirrored"];
        let replayed = run(&world, state.path(), &replay).await;
        assert!(replayed["sent"].as_u64() > Some(0), "{replayed}");
        let archived: BTreeSet<String> = outcome.archived.iter().map(id).collect();
        let taken: BTreeSet<String> = world.intake.records().into_keys().collect();
        assert!(archived.is_subset(&taken), "{route}");
        outside += &world.intake.lines().join("\n");
        let delete = ["--include-replayed", "--after", "delete"];
        run(&world, state.path(), &[&replay[..], &delete].concat()).await;
        let left = world.s3.object_keys().unwrap();
        let texts = left.iter().map(|key| world.s3.object_bytes(key).unwrap());
        let texts = texts.map(|packed| gunzipped(&packed));
        assert!(
            texts.collect::<String>().contains("hunter2"),
            "the only one"
        );
        assert!(outside.contains("an ordinary line"), "{outside}");
        for core in CORES.iter().chain(&["\"original\""]) {
            assert!(!outside.contains(core), "{core} with {route}:\n{outside}");
        }
    }
}
