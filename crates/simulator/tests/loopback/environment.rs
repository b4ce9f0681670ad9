//! The simulated execution environment, with the echo extension inside.
//!
//! Each test is one property of the platform that the extension under test will rely on.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use backstop_simulator::environment::EnvironmentBuilder;
use backstop_simulator::traffic::FunctionRecord;
use backstop_simulator::{
    Environment, InitializationType, Invocation, Outcome, ShutdownReason, ShutdownReport,
    SimulationError, TelemetryMode,
};
use serde_json::{Value, json};

/// For what must happen but may take a while on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

fn environment() -> EnvironmentBuilder {
    Environment::builder()
        .extension(env!("CARGO_BIN_EXE_simulator-echo-extension"))
        .timeout(LIMIT)
        .init_timeout(LIMIT)
}

fn numbered(count: u64) -> Vec<FunctionRecord> {
    (0..count)
        .map(|number| json!({ "seq": number, "message": "a line" }).into())
        .collect()
}

fn lines(lines: Vec<FunctionRecord>) -> Invocation {
    Invocation {
        lines,
        ..Invocation::default()
    }
}

fn ledger(report: &ShutdownReport) -> Value {
    report.ledger.clone().unwrap_or_default()
}

fn types(report: &ShutdownReport) -> Vec<String> {
    serde_json::from_value(ledger(report)["types"].clone()).unwrap_or_default()
}

async fn spindown(environment: &Environment) -> Result<ShutdownReport, SimulationError> {
    environment.shutdown(ShutdownReason::Spindown).await
}

#[tokio::test]
async fn a_burst_arrives_whole_and_in_order() -> Result<(), SimulationError> {
    let environment = environment().start().await?;
    environment.invoke(lines(numbered(100_000))).await?;
    let report = spindown(&environment).await?;
    let ledger = ledger(&report);
    assert_eq!(ledger["last_sequence"], 99_999);
    assert_eq!(ledger["in_order"], true);
    assert_eq!(environment.dropped_upstream(), 0);
    assert_eq!(ledger["received"], environment.emitted());
    assert_eq!(environment.telemetry().acknowledged, environment.emitted());
    Ok(())
}

#[tokio::test]
async fn the_platform_tells_an_on_demand_life_in_order() -> Result<(), SimulationError> {
    let environment = environment()
        .env("ECHO_TYPES", "platform,function")
        .start()
        .await?;
    environment.invoke(lines(numbered(3))).await?;
    environment
        .invoke(Invocation {
            outcome: Outcome::Error,
            ..lines(Vec::new())
        })
        .await?;
    let report = spindown(&environment).await?;
    let expected = [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.extension",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ];
    assert_eq!(types(&report), expected);
    assert_eq!(ledger(&report)["reason"], "spindown");
    assert_eq!((report.exit_code, report.killed), (Some(0), false));
    Ok(())
}

#[tokio::test]
async fn a_freeze_stops_the_process_until_the_next_invocation() -> Result<(), SimulationError> {
    let environment = environment().start().await?;
    environment.invoke(lines(numbered(1))).await?;
    assert_eq!(environment.process_state(), Some('T'));
    environment.emit("function", &json!("while frozen"));
    environment.idle(Duration::from_millis(100)).await;
    assert!(environment.telemetry().acknowledged < environment.emitted());
    environment.invoke(lines(Vec::new())).await?;
    assert_eq!(environment.process_state(), Some('T'));
    let report = spindown(&environment).await?;
    assert_eq!(ledger(&report)["received"], environment.emitted());
    Ok(())
}

#[tokio::test]
async fn without_freeze_the_process_goes_on() -> Result<(), SimulationError> {
    let environment = environment().freeze(false).start().await?;
    environment.invoke(lines(numbered(1))).await?;
    assert!(!environment.is_frozen());
    assert!(environment.wait_for_telemetry(LIMIT).await);
    assert_eq!(environment.telemetry().acknowledged, environment.emitted());
    Ok(())
}

#[tokio::test]
async fn who_ignores_shutdown_is_killed() -> Result<(), SimulationError> {
    let environment = environment()
        .env("ECHO_IGNORE_SHUTDOWN", "1")
        .start()
        .await?;
    let report = spindown(&environment).await?;
    assert_eq!(
        (report.killed, report.exit_code, report.ledger),
        (true, None, None)
    );
    assert!(report.stderr.iter().any(|line| line == "ignoring SHUTDOWN"));
    assert!(matches!(
        environment.invoke(lines(Vec::new())).await,
        Err(SimulationError::Over(_))
    ));
    Ok(())
}

#[tokio::test]
async fn what_the_extension_adds_is_measured() -> Result<(), SimulationError> {
    let environment = environment().env("ECHO_HOLD_MS", "120").start().await?;
    let short = environment.invoke(lines(Vec::new())).await?;
    assert!(!short.overran && short.added > Duration::ZERO, "{short:?}");
    Ok(())
}

#[tokio::test]
async fn an_extension_that_is_back_first_adds_nothing() -> Result<(), SimulationError> {
    let environment = environment().start().await?;
    let long = Invocation {
        duration: Duration::from_secs(1),
        ..lines(numbered(4))
    };
    let long = environment.invoke(long).await?;
    assert_eq!((long.added, long.overran), (Duration::ZERO, false));
    Ok(())
}

#[tokio::test]
async fn an_extension_beyond_the_timeout_overruns() -> Result<(), SimulationError> {
    let environment = environment()
        .env("ECHO_HOLD_MS", "60000")
        .timeout(Duration::from_millis(200))
        .start()
        .await?;
    let report = environment.invoke(lines(Vec::new())).await?;
    assert!(report.overran);
    let next = environment.invoke(lines(Vec::new())).await;
    assert!(matches!(next, Err(SimulationError::Over(_))));
    let report = environment.shutdown(ShutdownReason::Timeout).await?;
    assert!(report.killed);
    Ok(())
}

#[tokio::test]
async fn a_timeout_of_the_function_ends_the_environment() -> Result<(), SimulationError> {
    let environment = environment()
        .timeout(Duration::from_millis(300))
        .start()
        .await?;
    let timeout = Invocation {
        outcome: Outcome::Timeout,
        ..lines(numbered(2))
    };
    let report = environment.invoke(timeout).await?;
    assert!(!report.overran);
    assert!(environment.invoke(lines(Vec::new())).await.is_err());
    let report = environment.shutdown(ShutdownReason::Timeout).await?;
    assert_eq!(ledger(&report)["reason"], "timeout");
    assert_eq!(ledger(&report)["last_sequence"], 1);
    Ok(())
}

#[tokio::test]
async fn refused_deliveries_are_repeated() -> Result<(), SimulationError> {
    let environment = environment()
        .env("ECHO_FAIL_FIRST", "3")
        .freeze(false)
        .start()
        .await?;
    environment.invoke(lines(numbered(10))).await?;
    assert!(environment.wait_for_telemetry(LIMIT).await);
    assert_eq!(environment.telemetry().retries, 3);
    let report = spindown(&environment).await?;
    assert_eq!(ledger(&report)["received"], environment.emitted());
    assert_eq!(ledger(&report)["in_order"], true);
    Ok(())
}

#[tokio::test]
async fn a_full_queue_drops_the_oldest_and_says_so() -> Result<(), SimulationError> {
    let environment = environment()
        .queue_limit_bytes(20_000)
        .env("ECHO_TYPES", "platform,function")
        .start()
        .await?;
    assert!(environment.wait_for_telemetry(LIMIT).await);
    environment.invoke(lines(numbered(2_000))).await?;
    let report = spindown(&environment).await?;
    let counts = environment.telemetry();
    assert!(counts.dropped > 1_000, "{counts:?}");
    assert_eq!(counts.emitted, counts.acknowledged + counts.dropped);
    assert_eq!(ledger(&report)["last_sequence"], 1_999);
    assert!(
        types(&report)
            .iter()
            .any(|kind| kind == "platform.logsDropped")
    );
    Ok(())
}

#[tokio::test]
async fn injected_text_and_bodies_reach_the_listener_as_they_are() -> Result<(), SimulationError> {
    let environment = environment().freeze(false).start().await?;
    assert!(environment.wait_for_telemetry(LIMIT).await);
    environment.emit_raw("not json");
    assert!(environment.wait_for_telemetry(LIMIT).await);
    let status = environment
        .post_raw_body(vec![b'x'; 6 * 1024 * 1024])
        .await?;
    assert_eq!(status.as_u16(), 200);
    let report = spindown(&environment).await?;
    assert_eq!(ledger(&report)["malformed"], 2);
    Ok(())
}

#[tokio::test]
async fn the_extensions_own_lines_come_back_to_it() -> Result<(), SimulationError> {
    let environment = environment().start().await?;
    let report = spindown(&environment).await?;
    assert!(
        types(&report).iter().any(|kind| kind == "extension"),
        "{report:?}"
    );
    Ok(())
}

#[tokio::test]
async fn managed_instances_have_neither_invoke_nor_freeze() -> Result<(), Box<dyn Error>> {
    let managed = || environment().initialization_type(InitializationType::ManagedInstances);
    let error = managed().start().await.err().map(|error| error.to_string());
    assert!(
        error
            .as_ref()
            .is_some_and(|it| it.contains("Extension.InvalidEventType")),
        "{error:?}"
    );

    let environment = managed()
        .env("ECHO_EVENTS", "SHUTDOWN")
        .env("ECHO_TYPES", "platform,function")
        .start()
        .await?;
    let busy = || Invocation {
        duration: Duration::from_secs(1),
        ..Invocation::default()
    };
    let environment = Arc::new(environment);
    let spawn = || {
        let environment = Arc::clone(&environment);
        tokio::spawn(async move { environment.invoke(busy()).await })
    };
    let (first, second) = (spawn(), spawn());
    assert_ne!(first.await??.request_id, second.await??.request_id);
    assert!(!environment.is_frozen());
    let report = spindown(&environment).await?;
    let types = types(&report);
    assert!(!types.iter().any(|kind| kind == "platform.runtimeDone"));
    assert_eq!(
        &types[types.len() - 4..],
        [
            "platform.start",
            "platform.start",
            "platform.report",
            "platform.report"
        ]
    );
    assert_eq!(
        ledger(&report)["initialization"],
        "lambda-managed-instances"
    );
    Ok(())
}

#[tokio::test]
async fn a_snapshot_is_restored_before_the_first_invocation() -> Result<(), SimulationError> {
    let environment = environment()
        .initialization_type(InitializationType::SnapStart)
        .env("ECHO_TYPES", "platform")
        .start()
        .await?;
    assert_eq!(environment.process_state(), Some('T'));
    environment.invoke(lines(Vec::new())).await?;
    let report = spindown(&environment).await?;
    let types = types(&report);
    let at = types
        .iter()
        .position(|kind| kind == "platform.restoreStart")
        .unwrap_or_default();
    assert_eq!(
        types.get(at..at + 4).unwrap_or_default(),
        [
            "platform.restoreStart",
            "platform.restoreRuntimeDone",
            "platform.restoreReport",
            "platform.start"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn other_telemetry_modes_answer_as_their_platforms_do() -> Result<(), SimulationError> {
    let started = |mode, schema: &'static str| async move {
        let environment = environment()
            .telemetry(mode)
            .env("ECHO_SCHEMA", schema)
            .start()
            .await?;
        let report = spindown(&environment).await?;
        Ok::<_, SimulationError>((
            environment.subscription().is_some(),
            report.stderr[0].clone(),
        ))
    };
    let (subscribed, line) = started(TelemetryMode::OldSchemaOnly, "2025-01-29").await?;
    assert!(
        !subscribed && line.contains("400 ") && line.contains("ValidationError"),
        "{line}"
    );
    let (subscribed, line) = started(TelemetryMode::OldSchemaOnly, "2022-12-13").await?;
    assert!(subscribed && line.contains("200 "), "{line}");
    let (subscribed, line) = started(TelemetryMode::NotSupported, "2025-01-29").await?;
    assert!(
        !subscribed && line.contains("202 Telemetry API is not supported"),
        "{line}"
    );
    Ok(())
}

#[tokio::test]
async fn an_extension_that_leaves_during_init_is_an_error_with_its_last_lines() {
    let error = environment().env("ECHO_EXIT", "1").start().await.err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(
        error.contains("leaving at once") && error.contains("exit status: 1"),
        "{error}"
    );
}

#[tokio::test]
async fn an_extension_registers_under_its_file_name() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let other = directory.path().join("another-name");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_simulator-echo-extension"), &other)?;
    let error = environment()
        .extension(other)
        .start()
        .await
        .err()
        .map(|error| error.to_string());
    let error = error.unwrap_or_default();
    assert!(error.contains("Extension.InvalidExtensionName"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_account_comes_with_its_feature_only() -> Result<(), SimulationError> {
    for (features, account) in [("", Value::Null), ("accountId", json!("123456789012"))] {
        let environment = environment().env("ECHO_FEATURES", features).start().await?;
        let report = spindown(&environment).await?;
        assert_eq!(ledger(&report)["account"], account);
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_extension_is_gone() -> Result<(), SimulationError> {
    let environment = environment().start().await?;
    let registration = environment.registration().unwrap_or_default();
    assert_eq!(registration.name, "simulator-echo-extension");
    assert_eq!(registration.events, ["INVOKE", "SHUTDOWN"]);
    assert!(environment.rss_bytes().is_some_and(|bytes| bytes > 0));
    environment.kill().await;
    assert!(environment.rss_bytes().is_none());
    assert!(environment.invoke(lines(Vec::new())).await.is_err());
    Ok(())
}

#[tokio::test]
async fn an_environment_goes_on_in_the_temporary_directory_of_a_killed_one()
-> Result<(), Box<dyn Error>> {
    let sandbox = tempfile::tempdir()?;
    let first = environment().temp_dir(sandbox.path()).start().await?;
    first.invoke(lines(numbered(1))).await?;
    first.kill().await;
    assert_eq!(first.process_state(), None);
    let second = environment().temp_dir(sandbox.path()).start().await?;
    assert_eq!(ledger(&spindown(&second).await?)["resumed"], true);
    assert!(sandbox.path().exists(), "a given directory stays");
    Ok(())
}

#[tokio::test]
async fn environments_have_a_temporary_directory_each_that_goes_with_them()
-> Result<(), SimulationError> {
    let (first, second) = (environment().start().await?, environment().start().await?);
    assert_ne!(first.temp_dir(), second.temp_dir());
    assert_eq!(ledger(&spindown(&first).await?)["resumed"], false);
    assert_eq!(ledger(&spindown(&second).await?)["resumed"], false);
    let directory = first.temp_dir().to_owned();
    drop(first);
    assert!(!directory.exists());
    Ok(())
}
