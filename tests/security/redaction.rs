//! Secrets in what the function writes: in no sink, no archive, no spool and no log line; and the other
//! transforms beside them, with the real extension.

use std::time::Duration;

use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{Fault, Invocation, Outcome, ShutdownReason};
use backstop_tests::World;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::secrets::read_all;

const HANDLER: Duration = Duration::from_millis(15);
const REDACT: &str = r"all,record.user.name,order=/ORD-\d+/";

/// The part of each secret that must not be found.
const CORES: [&str; 7] = [
    "IOSFODNN7",
    "example.com",
    "111111111",
    "MIIEvQIBADANBg",
    "Ann Lee",
    "48151623",
    "fceea167",
];

fn lines() -> Vec<FunctionRecord> {
    let inner = json!({"to": "ann@example.com", "card": 4_111_111_111_111_111_u64}).to_string();
    vec![
        "key AKIAIOSFODNN7EXAMPLE\n".into(),
        json!({"user": {"name": "Ann Lee", "mail": "ann@example.com"}, "n": 4_111_111_111_111_111_u64}).into(),
        json!({"body": inner, "list": ["ORD-48151623", {"ann@example.com": "Bearer 8f14e45fceea167a"}]}).into(),
        json!(["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEF", "-----END PRIVATE KEY-----"]).into(),
        "-----BEGIN PRIVATE KEY-----\n".into(),
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n".into(),
        "-----END PRIVATE KEY-----\n".into(),
        "an ordinary line\n".into(),
    ]
}

fn saying(lines: Vec<FunctionRecord>) -> Invocation {
    Invocation {
        lines,
        duration: HANDLER,
        ..Invocation::default()
    }
}

#[tokio::test]
async fn no_secret_of_the_function_s_leaves_in_any_way() {
    for is_down in [false, true] {
        let world = World::start().await.unwrap();
        world.intake.keep_lines(true);
        let sandbox = TempDir::new().unwrap();
        if is_down {
            for sink in ["https", "firehose", "s3"] {
                let fault = Some(Fault::Status(503));
                match sink {
                    "https" => world.intake.set_fault(fault).await.unwrap(),
                    "firehose" => world.firehose.set_fault(fault).await.unwrap(),
                    _ => world.s3.set_fault(fault).await.unwrap(),
                }
            }
        }
        let start = || {
            world
                .environment()
                .env("BACKSTOP_LOG_LEVEL", "debug")
                .env("BACKSTOP_REDACT", REDACT)
                .env("TMPDIR", sandbox.path().display().to_string())
                .temp_dir(sandbox.path())
                .start()
        };
        let environment = start().await.unwrap();
        environment.invoke(saying(lines())).await.unwrap();
        environment.invoke(saying(lines())).await.unwrap();
        // What waits has a copy while the environment is frozen.
        let mut left = String::new();
        read_all(sandbox.path(), &mut left);
        assert_eq!(left.contains("an ordinary line"), is_down, "{left}");
        let outcome = world
            .settle_after(ShutdownReason::Failure, &environment, 0)
            .await
            .unwrap();
        outcome.assert_adds_up();
        read_all(sandbox.path(), &mut left);
        left.push_str(&outcome.stderr());
        left.push_str(&world.intake.lines().join("\n"));
        if is_down {
            for fault in [
                world.intake.set_fault(None).await,
                world.firehose.set_fault(None).await,
            ] {
                fault.unwrap();
            }
            world
                .intake
                .set_fault(Some(Fault::Status(503)))
                .await
                .unwrap();
            let environment = start().await.unwrap();
            environment.invoke(saying(Vec::new())).await.unwrap();
            let outcome = world.settle(&environment, 0).await.unwrap();
            assert!(outcome.ledger("recovered") > 0, "{}", outcome.stderr());
            left.extend(outcome.archived.iter().map(Value::to_string));
        }
        assert!(left.contains("an ordinary line"), "{left}");
        for core in CORES {
            assert!(!left.contains(core), "{core} with {is_down}:\n{left}");
        }
        let redacted = &outcome.ledger_line()["redacted"];
        for (name, count) in [
            ("aws-keys", 2),
            ("email", 6),
            ("card", 4),
            ("private-keys", 12),
            ("record.user.name", 2),
            ("order", 2),
            ("bearer", 2),
        ] {
            assert_eq!(redacted[name], count, "{name} in {redacted}");
        }
    }
}

#[tokio::test]
async fn records_that_transforms_remove_are_counted_and_a_failed_invocation_is_whole() {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let environment = world
        .environment()
        .env("BACKSTOP_MIN_LEVEL", "info")
        .env(
            "BACKSTOP_FILTER",
            "drop record.path=/health; drop type=platform.init*",
        )
        .samples_traces(false)
        .env("BACKSTOP_SAMPLE", "0%")
        .env("BACKSTOP_SAMPLE_KEEP", "error,timeout")
        .env("BACKSTOP_DEDUPE", "true")
        .env("BACKSTOP_TELEMETRY_TYPES", "function")
        .start()
        .await
        .unwrap();
    let said = |number: u32| {
        let mut lines: Vec<FunctionRecord> = vec![
            format!("[DEBUG] debug {number}").into(),
            json!({"path": "/health", "number": number}).into(),
            format!("first of {number}").into(),
        ];
        lines.extend((0..5).map(|_| format!("again of {number}").into()));
        lines
    };
    for number in 0..4 {
        let mut invocation = saying(said(number));
        if number == 2 {
            invocation.outcome = Outcome::Error;
        }
        environment.invoke(invocation).await.unwrap();
    }
    let mut invocation = saying(said(4));
    invocation.lines.push("[ERROR] out of stock".into());
    environment.invoke(invocation).await.unwrap();
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_adds_up();
    let left = world.intake.lines().join("\n");
    for number in [2, 4] {
        assert!(left.contains(&format!("first of {number}")), "{left}");
    }
    for number in [0, 1, 3] {
        let is_there = left.contains(&format!(" of {number}"));
        assert!(!is_there, "{left}\n{}", outcome.stderr());
    }
    assert!(left.contains("out of stock"), "{left}");
    assert_eq!(outcome.dropped("filtered"), 10, "{}", outcome.stderr());
    // Where a flush or a copy came between, a line is there again.
    let said_again = left
        .lines()
        .filter(|line| line.contains("again of "))
        .map(|line| {
            let count = line
                .split("[repeated: ")
                .nth(1)
                .and_then(|it| it.split(' ').next());
            count.map_or(1, |count| count.parse::<u64>().unwrap())
        });
    assert_eq!(said_again.sum::<u64>(), 2 * 5, "{left}");
    assert!(left.contains("[repeated: "), "{left}");
    let not_sent = outcome.dropped("sampled") + outcome.dropped("deduped");
    let sent = u64::try_from(left.lines().count()).unwrap();
    assert_eq!(not_sent + sent, 5 * 6 + 1, "{}", outcome.stderr());
    assert!(outcome.dropped("sampled") >= 3 * 2, "{}", outcome.stderr());
}

#[tokio::test]
async fn mistakes_in_the_transforms_are_one_line_and_cost_nothing_else() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_MIN_LEVEL", "loud")
        .env(
            "BACKSTOP_FILTER",
            "drop it; drop record~/hunter2(/; drop record.a=1",
        )
        .env("BACKSTOP_REDACT", "email")
        .env("BACKSTOP_SAMPLE", "10")
        .env("BACKSTOP_REDACT_ARCHIVE", "no")
        .start()
        .await
        .unwrap();
    environment
        .invoke(saying(vec![
            json!({"a": 1}).into(),
            "ann@example.com".into(),
        ]))
        .await
        .unwrap();
    let outcome = world.settle(&environment, 0).await.unwrap();
    let stderr = outcome.stderr();
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|it| it.contains("Invalid configuration"))
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    for part in [
        "5 configuration errors",
        "BACKSTOP_MIN_LEVEL is",
        "(rule 1); this rule is left out",
        "(rule 2); this rule is left out",
        "BACKSTOP_SAMPLE has no percent sign",
        "BACKSTOP_REDACT_ARCHIVE is",
    ] {
        assert!(lines[0].contains(part), "{part}: {stderr}");
    }
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert_eq!(outcome.dropped("filtered"), 1, "the valid rule holds");
    assert_eq!(outcome.ledger_line()["redacted"]["email"], 1);
}

#[tokio::test]
async fn a_file_in_the_package_holds_the_settings_that_the_environment_does_not() {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let package = TempDir::new().unwrap();
    let path = package.path().join("backstop.env");
    let text = "BACKSTOP_REDACT=email\nBACKSTOP_FILTER=\n  drop record~/unwanted/\n";
    std::fs::write(&path, text).unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_CONFIG", path.display().to_string())
        .start()
        .await
        .unwrap();
    let lines = vec!["unwanted".into(), "to ann@example.com".into()];
    environment.invoke(saying(lines)).await.unwrap();
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_adds_up();
    assert_eq!(outcome.dropped("filtered"), 1, "{}", outcome.stderr());
    let left = world.intake.lines().join("\n");
    assert!(left.contains("to [redacted:email]"), "{left}");
    assert!(
        !outcome.stderr().contains("Invalid configuration"),
        "{}",
        outcome.stderr()
    );
}
