//! `BACKSTOP_METRICS`, with the real extension: what it writes is what AWS specifies, adds up to the ledger
//! line, and does not go round.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod emf;

use std::collections::BTreeMap;
use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault};
use backstop_tests::{Outcome, World, invocation};
use serde_json::Value;

const HANDLER: Duration = Duration::from_millis(15);
/// A publication comes no sooner after another.
const MINUTE: Duration = Duration::from_secs(61);

/// The sums of all values by metric, and by metric and sink or reason.
type Sums = BTreeMap<String, u64>;

/// The lines that the extension wrote to stdout, each as the specification has it.
#[track_caller]
fn documents(lines: &[String]) -> Vec<Value> {
    let document = |line: &String| {
        assert!(line.starts_with("{\"backstop\":"), "{line}");
        emf::document(line).unwrap_or_else(|problem| panic!("{problem}: {line}"))
    };
    lines.iter().map(document).collect()
}

#[track_caller]
fn sums(documents: &[Value]) -> Sums {
    let mut sums = Sums::new();
    for document in documents {
        assert_eq!(document["FunctionName"], "orders");
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Backstop");
        let part = document["Sink"].as_str().or(document["Reason"].as_str());
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let value = document[name].as_u64().unwrap();
            assert!(
                value > 0,
                "a metric that is zero costs as much as any: {document}"
            );
            let key = part.map_or_else(|| name.to_owned(), |part| format!("{name} {part}"));
            *sums.entry(key).or_default() += value;
        }
    }
    sums
}

/// Each count of the ledger line is the sum of its metric.
#[track_caller]
fn assert_is_the_ledger(sums: &Sums, outcome: &Outcome) {
    let sum = |name: &str| sums.get(name).copied().unwrap_or_default();
    for (metric, member) in [
        ("Received", "received"),
        ("Derived", "derived"),
        ("DeadLetters", "dead_letters"),
        ("LostUpstream", "lost_upstream"),
        ("Ambiguous", "ambiguous"),
        ("Recovered", "recovered"),
    ] {
        assert_eq!(sum(metric), outcome.ledger(member), "{metric}: {sums:?}");
    }
    for sink in ["https", "firehose", "s3"] {
        let metric = format!("Delivered {sink}");
        assert_eq!(sum(&metric), outcome.delivered(sink), "{metric}: {sums:?}");
    }
    let mut lost = 0;
    let dropped = outcome.ledger_line()["dropped"].as_object().unwrap();
    for (reason, count) in dropped {
        let count = count.as_u64().unwrap();
        let is_wanted = ["own_log", "not_asked", "filtered", "sampled", "deduped"];
        if is_wanted.contains(&reason.as_str()) {
            let metric = format!("DroppedIntentionally {reason}");
            assert_eq!(sum(&metric), count, "{metric}: {sums:?}");
        } else {
            let metric = format!("Dropped {reason}");
            assert_eq!(sum(&metric), count, "{metric}: {sums:?}");
            lost += count;
        }
    }
    assert_eq!(sum("Dropped"), lost, "{sums:?}");
}

async fn invoke(environment: &Environment, traffic: &mut Traffic, lines: usize) -> Duration {
    let report = environment
        .invoke(invocation(traffic, lines, HANDLER))
        .await;
    report.unwrap().added
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_an_outage_add_up_to_the_ledger_line() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_METRICS", "emf")
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .env("BACKSTOP_FILTER", "drop type=platform.start")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    let mut added = Duration::ZERO;
    added += invoke(&environment, &mut traffic, 20).await;
    world
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .unwrap();
    for _ in 0..4 {
        added += invoke(&environment, &mut traffic, 20).await;
    }
    let before = environment.stdout_lines();
    assert!(before.is_empty(), "within a minute: {before:?}");
    let outcome = world.settle(&environment, 100).await.unwrap();
    let sums = sums(&documents(&outcome.report.stdout));
    assert_is_the_ledger(&sums, &outcome);
    // What no ledger line has.
    let archived = outcome.delivered("firehose") + outcome.delivered("s3");
    assert!(archived > 0, "{}", outcome.stderr());
    assert_eq!(sums["Diverted"], archived);
    assert_eq!(sums["BreakerOpen https"], 1);
    assert!(outcome.dropped("filtered") >= 5, "{sums:?}");
    // The simulator also counts the way to it and back.
    let counted = Duration::from_millis(sums["AddedMilliseconds"]);
    assert!(
        counted <= added + Duration::from_millis(10),
        "{counted:?}, {added:?}"
    );
    assert!(counted * 4 >= added, "{counted:?} of {added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_no_sink_takes_are_dropped_in_the_metrics_too() {
    let world = World::start().await.unwrap();
    let refuse = Some(Fault::Refuse);
    world.intake.set_fault(refuse).await.unwrap();
    world.firehose.set_fault(refuse).await.unwrap();
    world.s3.set_fault(refuse).await.unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_METRICS", "emf")
        .start()
        .await
        .unwrap();
    invoke(&environment, &mut Traffic::new(300), 20).await;
    let outcome = world.settle(&environment, 20).await.unwrap();
    let sums = sums(&documents(&outcome.report.stdout));
    assert!(outcome.dropped("shutdown") >= 20, "{}", outcome.stderr());
    assert_is_the_ledger(&sums, &outcome);
    assert_eq!(sums.get("Diverted"), None);
}

/// It waits for that minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_comes_once_a_minute_and_does_not_go_round() {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let environment = world
        .environment()
        .env("BACKSTOP_SIGNALS", "logs,metrics")
        .env("BACKSTOP_METRICS", "both")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    invoke(&environment, &mut traffic, 20).await;
    tokio::time::sleep(MINUTE).await;
    // The thaw finds the minute over; nothing of the last one is lost.
    invoke(&environment, &mut traffic, 20).await;
    invoke(&environment, &mut traffic, 20).await;
    let first = documents(&environment.stdout_lines());
    assert!(sums(&first)["Received"] >= 20, "{first:?}");
    let times = |documents: &[Value]| {
        let mut times: Vec<u64> = (documents.iter())
            .map(|it| it["_aws"]["Timestamp"].as_u64().unwrap())
            .collect();
        times.dedup();
        times
    };
    assert_eq!(times(&first).len(), 1, "{first:?}");
    let outcome = world.settle(&environment, 60).await.unwrap();
    outcome.assert_nothing_lost();
    let all = documents(&outcome.report.stdout);
    assert_eq!(times(&all).len(), 2, "{all:?}");
    assert_is_the_ledger(&sums(&all), &outcome);

    // The simulator sends each line back as the extension's output, as Lambda does.
    let own = first.len() as u64;
    assert!(outcome.dropped("own_log") >= own, "{}", outcome.stderr());
    let lines = world.intake.lines();
    // Functions write such lines, too.
    let emf = lines.iter().filter(|line| line.contains("_aws"));
    for line in emf {
        assert!(
            !line.contains("AddedMilliseconds") && !line.contains("DroppedIntentionally"),
            "{line}"
        );
        assert!(
            !line.contains("\"Backstop\"") && !line.contains("\\\"Backstop\\\""),
            "{line}"
        );
    }
    // The points went the way of derived metrics, before the last flush.
    let mut received = 0;
    for line in &lines {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["type"] != "derived.metrics" {
            continue;
        }
        for metric in line["record"]["metrics"].as_array().unwrap() {
            if metric["name"] == "backstop.received" {
                assert_eq!(
                    (&metric["kind"], &metric["unit"]),
                    (&"sum".into(), &"{record}".into())
                );
                received += metric["value"].as_u64().unwrap();
            }
        }
    }
    assert!(received >= 60, "{received}");
    assert!(received <= outcome.ledger("received"));
}

#[tokio::test(flavor = "multi_thread")]
async fn off_nothing_is_written_and_otlp_without_metrics_is_an_error_that_says_so() {
    let world = World::start().await.unwrap();
    for (value, is_wrong) in [("off", false), ("otlp", true)] {
        let environment = world
            .environment()
            .env("BACKSTOP_METRICS", value)
            .start()
            .await
            .unwrap();
        invoke(&environment, &mut Traffic::new(300), 2).await;
        let outcome = world.settle(&environment, 2).await.unwrap();
        assert_eq!(outcome.report.stdout, Vec::<String>::new());
        assert_eq!(outcome.ledger("derived"), 0);
        let says_so = outcome
            .stderr()
            .contains("BACKSTOP_METRICS sends counts to the primary");
        assert_eq!(says_so, is_wrong, "{}", outcome.stderr());
    }
}

/// The way from an alarm to the replay is read in a hurry.
#[test]
fn the_commands_of_the_runbook_are_those_of_the_command_line() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let commands = docs
        .lines()
        .filter_map(|line| line.trim().strip_prefix("$ backstop "));
    let arn = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
    let mut tried = 0;
    for command in commands {
        let command = command.replace("FUNCTION_ARN", arn);
        // An argument that is not known is an error before the help is shown.
        let done = std::process::Command::new(backstop_tests::binary("backstop"))
            .args(command.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command}: {problem}");
        tried += 1;
    }
    assert_eq!(tried, 4);
}
