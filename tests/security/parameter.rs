//! Transforms in a parameter of Systems Manager: nothing leaves before they are known, whatever the store does.

use std::time::Duration;

use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{EnvironmentBuilder, Fault, Invocation, SecretServer, ShutdownReason};
use backstop_tests::World;
use serde_json::Value;
use tempfile::TempDir;

use crate::secrets::read_all;

const PARAMETER: &str = "/team/backstop";
const HANDLER: Duration = Duration::from_millis(15);
/// What the parameter redacts.
const SECRET: &str = "ann@example.com";
const LINE: &str = "an ordinary line";

fn lines() -> Invocation {
    let lines: Vec<FunctionRecord> = vec![
        format!("{LINE} of {SECRET}\n").into(),
        "[DEBUG] dropped\n".into(),
    ];
    Invocation {
        lines,
        duration: HANDLER,
        ..Invocation::default()
    }
}

fn environment(world: &World, stores: &SecretServer, sandbox: &TempDir) -> EnvironmentBuilder {
    world
        .environment()
        .env("AWS_ENDPOINT_URL_SSM", stores.endpoint())
        .env("BACKSTOP_CONFIG", format!("ssm:{PARAMETER}"))
        .env("BACKSTOP_LOG_LEVEL", "debug")
        .env("BACKSTOP_MAX_ADDED_MS", "2000")
        .env("TMPDIR", sandbox.path().display().to_string())
        .temp_dir(sandbox.path())
}

async fn place() -> (World, SecretServer, TempDir) {
    let world = World::start().await.unwrap();
    world.intake.keep_lines(true);
    let stores = SecretServer::start().await.unwrap();
    let text = "BACKSTOP_REDACT=email\nBACKSTOP_MIN_LEVEL=info\nBACKSTOP_TAGS=a=b\n";
    stores.put(PARAMETER, text);
    (world, stores, TempDir::new().unwrap())
}

#[tokio::test]
async fn a_parameter_is_read_once_after_init_and_applies_to_the_first_record() {
    let (world, stores, sandbox) = place().await;
    let environment = environment(&world, &stores, &sandbox)
        .start()
        .await
        .unwrap();
    assert_eq!(stores.requests(), 0, "asked during init");
    for _ in 0..3 {
        environment.invoke(lines()).await.unwrap();
    }
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_adds_up();
    assert_eq!(stores.requests(), 1);
    let sent = world.intake.lines().join("\n");
    assert_eq!(sent.matches(LINE).count(), 3, "{sent}");
    assert!(!sent.contains(SECRET), "{sent}");
    assert_eq!(outcome.dropped("filtered"), 3);
    assert_eq!(outcome.ledger_line()["redacted"]["email"], 3);
    let stderr = outcome.stderr();
    let early = "sets BACKSTOP_TAGS, which is needed before it is read";
    assert!(stderr.contains(early), "{stderr}");
}

#[tokio::test]
async fn records_wait_for_a_parameter_that_fails_and_are_sent_once_it_is_read() {
    let (world, stores, sandbox) = place().await;
    stores.refuse_with(Some("AccessDeniedException"));
    let environment = environment(&world, &stores, &sandbox)
        .start()
        .await
        .unwrap();
    environment.invoke(lines()).await.unwrap();
    environment.invoke(lines()).await.unwrap();
    let mut left = String::new();
    read_all(sandbox.path(), &mut left);
    left.push_str(&world.intake.lines().join("\n"));
    assert!(!left.contains(LINE), "{left}");
    stores.refuse_with(None);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    environment.invoke(lines()).await.unwrap();
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_adds_up();
    let sent = world.intake.lines().join("\n");
    assert_eq!(sent.matches(LINE).count(), 3, "{sent}");
    assert!(!sent.contains(SECRET), "{sent}");
    let stderr = outcome.stderr();
    let said = "allow the function's role ssm:GetParameter";
    assert_eq!(stderr.matches(said).count(), 1, "{stderr}");
}

#[tokio::test]
async fn without_its_parameter_nothing_leaves_and_each_record_is_counted() {
    for fault in [None, Some(Fault::Status(503)), Some(Fault::Hang)] {
        let (world, stores, sandbox) = place().await;
        match fault {
            None => stores.refuse_with(Some("ParameterNotFound")),
            fault => stores.set_fault(fault).await.unwrap(),
        }
        let environment = environment(&world, &stores, &sandbox)
            .env("BACKSTOP_INSIGHTS", "true")
            .start()
            .await
            .unwrap();
        for _ in 0..2 {
            environment.invoke(lines()).await.unwrap();
        }
        let outcome = world
            .settle_after(ShutdownReason::Failure, &environment, 0)
            .await
            .unwrap();
        outcome.assert_adds_up();
        assert_eq!(outcome.delivered("https"), 0);
        assert_eq!(
            outcome.dropped("shutdown"),
            outcome.ledger("received") - outcome.dropped("own_log")
        );
        let mut left = outcome.stderr();
        read_all(sandbox.path(), &mut left);
        left.push_str(&world.intake.lines().join("\n"));
        left.extend(outcome.archived.iter().map(Value::to_string));
        assert!(!left.contains(SECRET) && !left.contains(LINE), "{left}");
        assert!(left.contains("none may leave"), "{left}");
    }
}

#[tokio::test]
async fn a_text_that_leaves_open_what_to_redact_is_read_again_until_it_is_corrected() {
    for text in [
        "BACKSTOP_REDACT=e-mail",
        "BACKSTOP_REDACT=/ann@(/",
        "BACKSTOP_REDACT=card\nBACKSTOP_REDACT=email",
        "BACKSTOP_REDACT:email",
    ] {
        for is_corrected in [false, true] {
            let (world, stores, sandbox) = place().await;
            stores.put(PARAMETER, text);
            let environment = environment(&world, &stores, &sandbox)
                .start()
                .await
                .unwrap();
            environment.invoke(lines()).await.unwrap();
            environment.invoke(lines()).await.unwrap();
            let mut left = String::new();
            read_all(sandbox.path(), &mut left);
            left.push_str(&world.intake.lines().join("\n"));
            assert!(!left.contains(LINE), "{left}");
            if is_corrected {
                stores.put(PARAMETER, "BACKSTOP_REDACT=email");
            }
            // It asks once more at the end.
            let outcome = world
                .settle_after(ShutdownReason::Failure, &environment, 0)
                .await
                .unwrap();
            outcome.assert_adds_up();
            let stderr = outcome.stderr();
            read_all(sandbox.path(), &mut left);
            left.push_str(&world.intake.lines().join("\n"));
            left.extend(outcome.archived.iter().map(Value::to_string));
            assert_eq!(
                left.matches(LINE).count(),
                if is_corrected { 2 } else { 0 },
                "{left}"
            );
            assert!(
                !left.contains(SECRET) && !stderr.contains(SECRET),
                "{left}{stderr}"
            );
            let said = "nothing is sent until it is corrected";
            assert_eq!(stderr.matches(said).count(), 1, "{stderr}");
            assert_eq!(stderr.contains("none may leave"), !is_corrected, "{stderr}");
        }
    }
}
