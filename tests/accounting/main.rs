//! The ledger and the buffer, with the real extension: bursts, bounds, and input that is not what the
//! documentation promises.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use backstop_simulator::traffic::{FunctionRecord, Traffic};
use backstop_simulator::{Environment, Fault, Invocation, fixtures};
use backstop_tests::{World, invocation};
use serde_json::json;

const MIB: u64 = 1024 * 1024;
const HANDLER: Duration = Duration::from_millis(15);

async fn one_more(environment: &Environment) {
    environment
        .invoke(Invocation {
            duration: HANDLER,
            ..Invocation::default()
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_100_000_lines_is_delivered_whole_in_less_than_40_mib() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .timeout(Duration::from_mins(1))
        // On a machine that runs other tests as well, half a second is not always half a second.
        .env("BACKSTOP_MAX_ADDED_MS", "10000")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    let burst = invocation(&mut traffic, 100_000, Duration::ZERO);
    environment.invoke(burst).await.unwrap();
    let peak = environment.peak_rss_bytes();
    let outcome = world.settle(&environment, 100_000).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(outcome.archived.len(), 0, "{}", outcome.stderr());
    assert!(peak < 40 * MIB, "peak resident memory {} KiB", peak / 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_sink_dead_a_burst_stays_within_the_bound_and_each_drop_is_counted() {
    let world = World::start().await.unwrap();
    let refuse = Some(Fault::Refuse);
    world.intake.set_fault(refuse).await.unwrap();
    world.firehose.set_fault(refuse).await.unwrap();
    world.s3.set_fault(refuse).await.unwrap();
    let environment = world
        .environment()
        .timeout(Duration::from_mins(1))
        .env("BACKSTOP_BUFFER_MAX_BYTES", (8 * MIB).to_string())
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(300);
    environment
        .invoke(invocation(&mut traffic, 100_000, Duration::ZERO))
        .await
        .unwrap();
    one_more(&environment).await;
    let peak = environment.peak_rss_bytes();
    let outcome = world.settle(&environment, 100_000).await.unwrap();
    outcome.assert_adds_up();
    assert!(outcome.dropped("buffer_full") > 0);
    assert!(
        outcome.dropped("shutdown") > 0,
        "what fitted was kept to the end"
    );
    assert!(outcome.ledger("received") >= 100_000);
    assert!(
        outcome.stderr().contains("the buffer is full"),
        "{}",
        outcome.stderr()
    );
    // The bound, one body under way on each side of it, a frame of the spool, and the process itself.
    assert!(peak < 26 * MIB, "peak resident memory {} KiB", peak / 1024);
}

#[tokio::test]
async fn every_documented_event_arrives_as_it_was_sent() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    world.intake.keep_lines(true);
    let events: Vec<_> = fixtures::events()
        .into_iter()
        // These two would be taken for this environment's own.
        .filter(|event| event["type"] != "platform.restoreStart")
        .collect();
    for event in &events {
        environment.emit_raw(event.to_string());
    }
    one_more(&environment).await;
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
    let arrived: Vec<serde_json::Value> = world
        .intake
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for event in events {
        let same = |line: &&serde_json::Value| {
            ["time", "type", "record"]
                .iter()
                .all(|member| line[member] == event[member])
        };
        assert!(arrived.iter().any(|line| same(&line)), "{event}");
    }
    assert_eq!(
        outcome.ledger("lost_upstream"),
        246,
        "as the two logsDropped events say"
    );
}

/// Lambda writes it beside logs in JSON only.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_text_bears_the_request_id_of_its_invocation() {
    let world = World::start().await.unwrap();
    // Half of them go to the archive, in the same words.
    world.intake.keep_lines(true);
    let environment = world.environment().start().await.unwrap();
    // Without the prefix that Lambda's own runtimes write.
    let lines = |from: u64| Invocation {
        lines: (from..from + 4)
            .map(|number| FunctionRecord::from(format!("seq={number:06} hello")))
            .collect(),
        duration: HANDLER,
        ..Invocation::default()
    };
    for number in 0..3 {
        environment.invoke(lines(number * 4)).await.unwrap();
    }
    world
        .intake
        .set_fault(Some(Fault::Status(500)))
        .await
        .unwrap();
    for number in 3..6 {
        environment.invoke(lines(number * 4)).await.unwrap();
    }
    let outcome = world.settle(&environment, 24).await.unwrap();
    outcome.assert_nothing_lost();
    let mut lines: Vec<serde_json::Value> = outcome.archived.clone();
    assert!(!lines.is_empty(), "{}", outcome.stderr());
    let primary = world.intake.lines();
    lines.extend(
        primary
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()),
    );
    let place = |line: &serde_json::Value| -> u64 {
        let id = line["id"].as_str().unwrap();
        id.rsplit_once('-').unwrap().1.parse().unwrap()
    };
    lines.sort_by_key(place);
    lines.dedup_by_key(|line| place(line));
    let mut current = String::new();
    let mut of_function = 0;
    for line in &lines {
        match line["type"].as_str().unwrap() {
            "platform.start" => current = line["record"]["requestId"].as_str().unwrap().to_owned(),
            "function" => {
                of_function += 1;
                assert_eq!(line["request_id"], json!(current), "{line}");
            }
            _ => assert!(line["request_id"].is_null(), "{line}"),
        }
    }
    assert_eq!(of_function, 24);
}

#[tokio::test]
async fn what_is_not_an_event_is_kept_and_costs_nothing_else() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    world.intake.keep_lines(true);
    let bodies: [&[u8]; 4] = [
        br#"[{"time":"t","type":"function","record":"seq=000000 good"},{"time":"t","type":"function","record":"cut"#,
        b"this is not JSON",
        br#"{"no":"array"}"#,
        b"[{\"time\":\"t\",\"type\":\"function\",\"record\":\"seq=000001 \xff\xfe\"}]",
    ];
    for body in bodies {
        assert_eq!(environment.post_raw_body(body.to_vec()).await.unwrap(), 200);
    }
    one_more(&environment).await;
    let outcome = world.settle(&environment, 2).await.unwrap();
    outcome.assert_nothing_lost();
    let text = world
        .intake
        .lines()
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(
            "
",
        );
    for kept in ["cut", "this is not JSON", r#"{"no":"array"}"#] {
        assert!(text.contains(kept), "{kept} is gone");
    }
    assert_eq!(text.matches("backstop.malformed").count(), 3);
    assert!(
        outcome.stderr().contains("kept as text"),
        "{}",
        outcome.stderr()
    );
}

#[tokio::test]
async fn a_body_of_6_mb_is_refused_with_a_clear_line_and_nothing_else_is_lost() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    let body = vec![b'x'; 6_000_000];
    assert_eq!(environment.post_raw_body(body).await.unwrap(), 413);
    let mut traffic = Traffic::new(200);
    environment
        .invoke(invocation(&mut traffic, 20, HANDLER))
        .await
        .unwrap();
    let outcome = world.settle(&environment, 20).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(
        outcome
            .stderr()
            .contains("Refused a telemetry request that is too large"),
        "{}",
        outcome.stderr()
    );
}

#[tokio::test]
async fn what_arrives_is_json_that_strict_readers_take() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    world.intake.keep_lines(true);
    let body = r#"[{"time":"t","type":"function","record":"good 1"},
        {"time":"t","type":"function","record":"cut \ud83d"},
        {"time":"t","type":"function","record":{"\ude00":1e999}},
        {"time":"t","type":"function","record":"good 2"}]"#;
    environment.post_raw_body(body).await.unwrap();
    one_more(&environment).await;
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
    let lines = world.intake.lines();
    let lines = lines.iter().map(|line| {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    let records: Vec<_> = lines
        .filter(|line| line["type"] == "function" || line["type"] == "backstop.malformed")
        .map(|line| line["record"].clone())
        .collect();
    let text = r#"{"time":"t","type":"function","record":{"\ude00":1e999}}"#;
    for record in [
        json!("good 1"),
        json!("cut \u{fffd}"),
        json!(text),
        json!("good 2"),
    ] {
        assert!(records.contains(&record), "{record} is not in {records:?}");
    }
}

#[tokio::test]
async fn a_body_of_tiny_elements_costs_no_more_than_a_few_times_its_size() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    let ones = format!("[{}1]", "1,".repeat(2 * 1024 * 1024 - 10));
    assert!(ones.len() as u64 <= 4 * MIB);
    assert_eq!(
        environment.post_raw_body(ones.into_bytes()).await.unwrap(),
        200
    );
    one_more(&environment).await;
    let peak = environment.peak_rss_bytes();
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
    // An event for each of the first 20,000 elements, and one for all the others.
    assert!(outcome.ledger("received") >= 20_001, "{}", outcome.stderr());
    assert!(outcome.ledger("received") < 20_100, "{}", outcome.stderr());
    assert!(peak < 48 * MIB, "peak resident memory {} KiB", peak / 1024);
}

#[tokio::test]
async fn our_own_log_lines_do_not_go_round() {
    let world = World::start().await.unwrap();
    world
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_LOG_LEVEL", "debug")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(200);
    for _ in 0..3 {
        environment
            .invoke(invocation(&mut traffic, 5, HANDLER))
            .await
            .unwrap();
    }
    let outcome = world.settle(&environment, 15).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(outcome.dropped("own_log") > 0, "they did come back to us");
    let round = outcome
        .archived
        .iter()
        .any(|line| line["type"] == "extension");
    assert!(!round, "and were sent on");
}

#[tokio::test]
async fn a_single_record_larger_than_firehose_takes_goes_to_s3() {
    let world = World::start().await.unwrap();
    world
        .intake
        .set_fault(Some(Fault::Status(503)))
        .await
        .unwrap();
    let environment = world.environment().start().await.unwrap();
    let large = FunctionRecord::from(json!({"seq": 0, "text": "x".repeat(1_100_000)}));
    let invocation = Invocation {
        lines: vec![large],
        duration: HANDLER,
        ..Invocation::default()
    };
    environment.invoke(invocation).await.unwrap();
    one_more(&environment).await;
    let outcome = world.settle(&environment, 1).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(outcome.delivered("s3"), 1, "{}", outcome.stderr());
    assert!(outcome.delivered("firehose") > 0);
}
