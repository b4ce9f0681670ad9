//! The fallbacks' turn: order, partial failures, what is left when one or all of them are dead.

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Environment, Fault};
use backstop_tests::{Outcome, World, invocation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const DOWN: Option<Fault> = Some(Fault::Status(503));

async fn invocations(environment: &Environment, count: usize) -> u64 {
    let mut traffic = Traffic::new(200);
    for _ in 0..count {
        environment
            .invoke(invocation(&mut traffic, 20, Duration::from_millis(15)))
            .await
            .unwrap();
    }
    traffic.position()
}

async fn run(world: &World, count: usize) -> Outcome {
    let environment = world.environment().start().await.unwrap();
    let emitted = invocations(&environment, count).await;
    world.settle(&environment, emitted).await.unwrap()
}

#[tokio::test]
async fn a_healthy_primary_gets_everything_with_the_headers_it_was_promised() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_PRIMARY_TOKEN", "t0ken-value")
        .env("BACKSTOP_PRIMARY_HEADERS", "x-team=payments")
        .env("BACKSTOP_TAGS", "stage=test")
        .start()
        .await
        .unwrap();
    world.intake.keep_lines(true);
    let emitted = invocations(&environment, 5).await;
    let outcome = world.settle(&environment, emitted).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(outcome.archived.len(), 0);
    assert_eq!(
        outcome.primary.values().copied().max(),
        Some(1),
        "none twice"
    );
    let headers = world.intake.last_headers();
    for (name, value) in [
        ("authorization", "Bearer t0ken-value"),
        ("x-team", "payments"),
        ("content-encoding", "gzip"),
        ("content-type", "application/x-ndjson"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(headers.contains_key("idempotency-key"));
    assert!(!outcome.stderr().contains("t0ken-value"));
    let line = world.intake.lines().swap_remove(0);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["resource"]["faas.name"], "orders");
    assert_eq!(line["resource"]["stage"], "test");
    assert_eq!(line["resource"]["cloud.account.id"], "123456789012");
}

#[tokio::test]
async fn a_json_array_uncompressed_is_the_same_records() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .env("BACKSTOP_PRIMARY_FORMAT", "json")
        .env("BACKSTOP_PRIMARY_COMPRESSION", "none")
        .start()
        .await
        .unwrap();
    let emitted = invocations(&environment, 3).await;
    let outcome = world.settle(&environment, emitted).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(
        world.intake.last_headers()["content-type"],
        "application/json"
    );
    assert!(!world.intake.last_headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn firehose_comes_before_s3_and_both_hold_the_same_lines() {
    let world = World::start().await.unwrap();
    world.intake.set_fault(DOWN).await.unwrap();
    let outcome = run(&world, 4).await;
    outcome.assert_nothing_lost();
    assert_eq!(outcome.delivered("s3"), 0);
    assert!(
        world
            .s3
            .object_keys()
            .unwrap()
            .iter()
            .all(|key| key.starts_with("backstop/v1/stream=telemetry/dt="))
    );
    let line = outcome.archived.first().unwrap();
    assert_eq!(line["diverted"]["sink"], "https");
    assert_eq!(line["resource"]["faas.name"], "orders");
}

#[tokio::test]
async fn s3_takes_what_firehose_does_not() {
    for fault in [
        Fault::Status(503),
        Fault::Status(400),
        Fault::Refuse,
        Fault::Hang,
        Fault::Reset,
    ] {
        let world = World::start().await.unwrap();
        world.intake.set_fault(DOWN).await.unwrap();
        world.firehose.set_fault(Some(fault)).await.unwrap();
        let outcome = run(&world, 4).await;
        outcome.assert_nothing_lost();
        assert_eq!(outcome.delivered("firehose"), 0, "{fault}");
        let folder = "backstop/v1/account=123456789012/region=us-east-1/function=orders/dt=";
        assert!(
            world
                .s3
                .object_keys()
                .unwrap()
                .iter()
                .all(|key| key.starts_with(folder)),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn records_that_firehose_refuses_alone_are_sent_again_alone() {
    let world = World::start().await.unwrap();
    world.intake.set_fault(DOWN).await.unwrap();
    world.firehose.fail_next_records(2);
    let outcome = run(&world, 4).await;
    outcome.assert_nothing_lost();
    assert_eq!(
        outcome.archived.len() as u64,
        outcome.delivered("firehose") + outcome.delivered("s3")
    );
}

#[tokio::test]
async fn without_a_primary_everything_is_archived_and_nothing_is_called_diverted() {
    let world = World::start().await.unwrap();
    let environment = world
        .bare_environment()
        .env("BACKSTOP_S3_BUCKET", world.s3.bucket())
        .env("BACKSTOP_S3_PREFIX", "logs/all")
        .start()
        .await
        .unwrap();
    let emitted = invocations(&environment, 3).await;
    let outcome = world.settle(&environment, emitted).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(
        outcome
            .archived
            .iter()
            .all(|line| line.get("diverted").is_none())
    );
    assert!(
        world
            .s3
            .object_keys()
            .unwrap()
            .iter()
            .all(|key| key.starts_with("logs/all/v1/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_sink_dead_the_ledger_says_what_was_lost_and_why() {
    for fault in [
        Fault::Refuse,
        Fault::Status(503),
        Fault::Status(403),
        Fault::Hang,
    ] {
        let world = World::start().await.unwrap();
        world.intake.set_fault(Some(fault)).await.unwrap();
        world.firehose.set_fault(Some(fault)).await.unwrap();
        world.s3.set_fault(Some(fault)).await.unwrap();
        let outcome = run(&world, 4).await;
        outcome.assert_adds_up();
        assert!(!outcome.report.killed, "{fault}");
        assert_eq!(outcome.report.exit_code, Some(0), "{fault}");
        let lost = outcome.dropped("shutdown");
        assert_eq!(
            lost + outcome.dropped("own_log"),
            outcome.ledger("received"),
            "{fault}"
        );
        assert!(lost >= outcome.emitted, "{fault}");
        assert!(
            outcome.stderr().contains("Lost records"),
            "{fault}\n{}",
            outcome.stderr()
        );
    }
}

#[tokio::test]
async fn a_fallback_that_comes_back_gets_what_waited() {
    let world = World::start().await.unwrap();
    world.intake.set_fault(DOWN).await.unwrap();
    world.firehose.set_fault(DOWN).await.unwrap();
    world.s3.set_fault(DOWN).await.unwrap();
    let environment = world.environment().start().await.unwrap();
    let emitted = invocations(&environment, 3).await;
    world.s3.set_fault(None).await.unwrap();
    let outcome = world.settle(&environment, emitted).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(outcome.delivered("https"), 0);
}

#[tokio::test]
async fn after_a_restore_credentials_come_from_the_container_endpoint() {
    let world = World::start().await.unwrap();
    world.intake.set_fault(DOWN).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/credentials", listener.local_addr().unwrap());
    let body = serde_json::json!({
        "AccessKeyId": world.s3.access_key(),
        "SecretAccessKey": world.s3.secret_key(),
        "Token": "session",
        "Expiration": "2099-01-01T00:00:00Z",
    })
    .to_string();
    let endpoint = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let environment = world
        .environment()
        .env("BACKSTOP_FIREHOSE_STREAM", "")
        .env("AWS_ACCESS_KEY_ID", "")
        .env("AWS_SECRET_ACCESS_KEY", "")
        .env("AWS_SESSION_TOKEN", "")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-t0ken")
        .start()
        .await
        .unwrap();
    let emitted = invocations(&environment, 3).await;
    let outcome = world.settle(&environment, emitted).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(outcome.delivered("s3") > 0, "{}", outcome.stderr());
    assert!(
        endpoint
            .await
            .unwrap()
            .contains("authorization: container-t0ken")
    );
    assert!(!outcome.stderr().contains("container-t0ken"));
}
