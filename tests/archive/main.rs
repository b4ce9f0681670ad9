//! What the real extension archived in an outage, through both fallbacks: listed, printed, counted, queried with
//! `DuckDB` as docs/replay.md says, and replayed to the primary.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod insights;
mod originals;
mod routes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use backstop_simulator::Fault;
use backstop_simulator::traffic::Traffic;
use backstop_tests::{Outcome, World, binary, invocation};
use serde_json::Value;
use tokio::process::Command;

const INVOCATIONS: u64 = 6;
const LINES: usize = 20;

/// The primary is down from the start; the records of one environment go to each fallback.
async fn outage() -> (World, u64, Vec<Outcome>) {
    let world = World::start().await.unwrap();
    let down = Fault::Status(503);
    world.intake.set_fault(Some(down)).await.unwrap();
    let mut traffic = Traffic::new(200);
    let mut outcomes = Vec::new();
    for fallback in ["s3", "firehose"] {
        let environment = world
            .environment()
            .env("BACKSTOP_FALLBACK", fallback)
            .env("BACKSTOP_FLUSH_STRATEGY", "end")
            .start()
            .await
            .unwrap();
        for _ in 0..INVOCATIONS {
            let lines = invocation(&mut traffic, LINES, Duration::from_millis(15));
            environment.invoke(lines).await.unwrap();
        }
        outcomes.push(
            world
                .settle(&environment, traffic.position())
                .await
                .unwrap(),
        );
    }
    world.intake.set_fault(None).await.unwrap();
    (world, traffic.position(), outcomes)
}

async fn backstop(
    world: &World,
    state: &Path,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary("backstop"));
    command
        .args(arguments)
        .env_clear()
        .env("XDG_STATE_HOME", state)
        .env("SSL_CERT_FILE", world.intake.ca_pem_path().unwrap())
        .env("AWS_ENDPOINT_URL_S3", world.s3.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", world.s3.access_key())
        .env("AWS_SECRET_ACCESS_KEY", world.s3.secret_key());
    let output = command.output().await.unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

async fn json(world: &World, state: &Path, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--output", "json"]].concat();
    let (code, stdout, stderr) = backstop(world, state, &arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {stdout} {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn id(line: &Value) -> String {
    line["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_left_is_found_by_every_tool_and_replayed() {
    let (world, emitted, outcomes) = outage().await;
    let archived = &outcomes.last().unwrap().archived;
    let ids: BTreeSet<String> = archived.iter().map(id).collect();
    assert!(ids.len() as u64 > emitted, "{} of {emitted}", ids.len());
    let files = tempfile::tempdir().unwrap();
    let state = files.path().join("state");
    let from = format!("s3://{}/backstop", world.s3.bucket());

    let objects = json(&world, &state, &["archive", "ls", &from]).await;
    let keys = world.s3.object_keys().unwrap();
    assert_eq!(objects["count"], keys.len());
    assert!(keys.iter().any(|key| key.contains("/account=")), "{keys:?}");
    assert!(keys.iter().any(|key| key.contains("/stream=")), "{keys:?}");

    let (code, lines, said) = backstop(&world, &state, &["archive", "cat", &from]).await;
    assert_eq!(code, Some(0), "{said}");
    let printed: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(printed.len(), archived.len());
    assert_eq!(printed.iter().map(id).collect::<BTreeSet<_>>(), ids);

    let counted = json(&world, &state, &["archive", "stats", &from]).await;
    assert_eq!(counted["records"], archived.len());
    assert_eq!(counted["functions"]["orders"]["records"], archived.len());
    assert_eq!(counted["types"]["function"]["records"], emitted);

    // As `aws s3 sync` copies it.
    let copy = files.path().join("archive");
    for key in &keys {
        let path = copy.join(key.strip_prefix("backstop/").unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, world.s3.object_bytes(key).unwrap()).unwrap();
    }
    let directory = copy.to_string_lossy().into_owned();
    let same = json(&world, &state, &["archive", "stats", &directory]).await;
    assert_eq!(same["records"], counted["records"]);
    query(&directory, &printed, &ids).await;

    let to = world.intake.url();
    let replay = ["replay", "--from", &from, "--to", &to];
    let first = json(&world, &state, &replay).await;
    assert_eq!(first["sent"], ids.len());
    let taken = world.intake.records();
    assert_eq!(taken.keys().cloned().collect::<BTreeSet<_>>(), ids);
    let sequences: BTreeSet<u64> = world.intake.sequences().into_keys().collect();
    assert!(
        sequences.into_iter().eq(0..emitted),
        "each function record is there"
    );
    let again = json(&world, &state, &replay).await;
    assert_eq!(
        (&again["sent"], &again["objectsReplayed"]),
        (&0.into(), &keys.len().into())
    );
}

/// Runs the statements of the page.
#[expect(
    clippy::print_stderr,
    reason = "who runs the tests is to know what was left out"
)]
async fn query(copied: &str, printed: &[Value], ids: &BTreeSet<String>) {
    let Some(python) = std::env::var_os("BACKSTOP_DUCKDB").filter(|it| !it.is_empty()) else {
        // scripts/test installs it through pip, and says so where that cannot be reached.
        eprintln!("BACKSTOP_DUCKDB names no Python with DuckDB: the queries are left out");
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let invocation = (printed.iter())
        .find_map(|line| line["request_id"].as_str())
        .expect("a line of text says its invocation");
    let output = Command::new(python)
        .arg(here.join("archive/query.py"))
        .arg(here.join("../docs/replay.md"))
        .args([copied, invocation])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let found: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let of = |name: &str| {
        found[name]
            .as_array()
            .unwrap_or_else(|| panic!("{name}: {found}"))
    };
    let known: BTreeSet<String> = (of("ids").iter())
        .map(|it| it.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(&known, ids);
    let total = |name: &str| -> u64 {
        let counts = of(name)
            .iter()
            .map(|row| row.as_array().unwrap().last().unwrap());
        counts
            .map(|count| count.as_str().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(total("hours"), ids.len() as u64);
    assert_eq!(total("reasons"), ids.len() as u64);
    assert!(of("hours").iter().all(|row| row[0] == "orders"), "{found}");
    let is_of = |line: &&Value| {
        line["request_id"] == invocation || line["record"]["requestId"] == invocation
    };
    assert_eq!(of("invocation").len(), printed.iter().filter(is_of).count());
    let direct = printed
        .iter()
        .filter(|line| line["resource"].is_object())
        .count() as u64;
    let partitions = total("partitions");
    assert!(
        0 < partitions && partitions < direct,
        "{partitions} of {direct}"
    );
}
