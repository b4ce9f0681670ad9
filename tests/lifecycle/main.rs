//! The execution environment's life, with the real extension: how it registers, what it does where
//! the platform is different, and that no mistake in the configuration ever fails init.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod late;
mod odd_platform;
mod played;
mod posted;
mod unheard;

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{
    EnvironmentBuilder, Fault, InitializationType, Invocation, Outcome as Ending, ShutdownReason,
    TelemetryMode,
};
use backstop_tests::{World, invocation};

const HANDLER: Duration = Duration::from_millis(15);

#[tokio::test]
async fn it_registers_under_its_file_name_and_subscribes_with_explicit_buffering() {
    let world = World::start().await.unwrap();
    let environment = world.environment().start().await.unwrap();
    let registration = environment.registration().unwrap();
    assert_eq!(registration.name, "backstop-extension");
    assert_eq!(registration.events, ["INVOKE", "SHUTDOWN"]);
    let subscription = environment.subscription().unwrap();
    assert_eq!(subscription.schema_version, "2025-01-29");
    assert_eq!(subscription.types, ["platform", "function", "extension"]);
    assert_eq!(
        (
            subscription.max_items,
            subscription.max_bytes,
            subscription.timeout_ms
        ),
        (1000, 262_144, 25)
    );
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
}

#[tokio::test]
async fn an_environment_that_knows_only_the_old_schema_gets_it() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .telemetry(TelemetryMode::OldSchemaOnly)
        .start()
        .await
        .unwrap();
    assert_eq!(
        environment.subscription().unwrap().schema_version,
        "2022-12-13"
    );
    let mut traffic = Traffic::new(200);
    environment
        .invoke(invocation(&mut traffic, 10, HANDLER))
        .await
        .unwrap();
    world
        .settle(&environment, 10)
        .await
        .unwrap()
        .assert_nothing_lost();
}

#[tokio::test]
async fn a_platform_without_the_telemetry_api_is_told_of_once_and_idled_on() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .telemetry(TelemetryMode::NotSupported)
        .start()
        .await
        .unwrap();
    for _ in 0..3 {
        environment.invoke(Invocation::default()).await.unwrap();
    }
    let report = environment
        .shutdown(ShutdownReason::Spindown)
        .await
        .unwrap();
    assert_eq!((report.killed, report.exit_code), (false, Some(0)));
    let said: Vec<_> = report
        .stderr
        .iter()
        .filter(|line| line.contains("no Telemetry API"))
        .collect();
    assert_eq!(said.len(), 1, "{:?}", report.stderr);
}

#[tokio::test]
async fn managed_instances_get_shutdown_only_and_are_sent_from_by_timer() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .initialization_type(InitializationType::ManagedInstances)
        .env("BACKSTOP_FLUSH_INTERVAL_MS", "100")
        .start()
        .await
        .unwrap();
    assert_eq!(environment.registration().unwrap().events, ["SHUTDOWN"]);
    let mut traffic = Traffic::new(200);
    for _ in 0..3 {
        environment
            .invoke(invocation(&mut traffic, 10, HANDLER))
            .await
            .unwrap();
    }
    // Long before any shutdown, and without an INVOKE ever: 30 lines, by the timer.
    assert!(
        world
            .intake
            .wait_for_records(30, Duration::from_secs(10))
            .await
    );
    world
        .settle(&environment, 30)
        .await
        .unwrap()
        .assert_nothing_lost();
}

#[tokio::test]
async fn after_a_snapstart_restore_ids_are_new() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .initialization_type(InitializationType::SnapStart)
        .start()
        .await
        .unwrap();
    world.intake.keep_lines(true);
    let mut traffic = Traffic::new(200);
    environment
        .invoke(invocation(&mut traffic, 10, HANDLER))
        .await
        .unwrap();
    let outcome = world.settle(&environment, 10).await.unwrap();
    outcome.assert_nothing_lost();
    let environment_of = |kind: &str| {
        let lines = world.intake.lines();
        let line = lines.iter().find(|line| line.contains(kind)).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = line["id"]
            .as_str()
            .unwrap()
            .split('-')
            .next()
            .unwrap()
            .to_owned();
        assert_eq!(line["resource"]["faas.instance"], id.as_str());
        id
    };
    assert_ne!(
        environment_of("platform.initStart"),
        environment_of("platform.restoreReport")
    );
    assert_eq!(
        environment_of("platform.restoreStart"),
        environment_of("platform.runtimeDone")
    );
}

#[tokio::test]
async fn an_environment_that_was_never_invoked_shuts_down_with_its_init_delivered() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        .initialization_type(InitializationType::ProvisionedConcurrency)
        .start()
        .await
        .unwrap();
    let outcome = world.settle(&environment, 0).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(outcome.delivered("https") >= 3, "{}", outcome.stderr());
}

#[tokio::test]
async fn a_function_that_times_out_or_fails_keeps_its_last_words() {
    for (ending, reason) in [
        (Ending::Timeout, ShutdownReason::Timeout),
        (Ending::Error, ShutdownReason::Spindown),
    ] {
        let world = World::start().await.unwrap();
        let environment = world
            .environment()
            .timeout(Duration::from_millis(400))
            .start()
            .await
            .unwrap();
        let mut traffic = Traffic::new(200);
        let mut last = invocation(&mut traffic, 20, HANDLER);
        last.outcome = ending;
        environment.invoke(last).await.unwrap();
        let report = environment.shutdown(reason).await.unwrap();
        assert!(!report.killed);
        let arrived = world.intake.sequences();
        assert!(
            (0..20).all(|sequence| arrived.contains_key(&sequence)),
            "{:?}",
            report.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_primary_never_makes_an_invocation_overrun_a_short_timeout() {
    for strategy in ["auto", "end", "periodic", "continuous"] {
        let world = World::start().await.unwrap();
        world.intake.set_fault(Some(Fault::Hang)).await.unwrap();
        let environment = world
            .environment()
            .timeout(Duration::from_secs(3))
            .env("BACKSTOP_FLUSH_STRATEGY", strategy)
            .start()
            .await
            .unwrap();
        let mut traffic = Traffic::new(200);
        for _ in 0..4 {
            let report = environment
                .invoke(invocation(&mut traffic, 10, HANDLER))
                .await
                .unwrap();
            assert!(!report.overran, "{strategy}");
        }
        world
            .settle(&environment, 40)
            .await
            .unwrap()
            .assert_nothing_lost();
    }
}

/// Whatever is wrong, init succeeds, one line names every variable at fault, and what is right works.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn no_mistake_in_the_configuration_fails_init() {
    type Setup = fn(EnvironmentBuilder) -> EnvironmentBuilder;
    let cases: [(&str, Setup, &[&str], bool); 7] = [
        (
            "nothing set",
            |builder| {
                builder
                    .env("BACKSTOP_PRIMARY_URL", "")
                    .env("BACKSTOP_S3_BUCKET", "")
                    .env("BACKSTOP_FIREHOSE_STREAM", "")
            },
            &["BACKSTOP_PRIMARY_URL"],
            false,
        ),
        (
            "a bad URL, a good fallback",
            |builder| builder.env("BACKSTOP_PRIMARY_URL", "htps:/nowhere"),
            &["BACKSTOP_PRIMARY_URL"],
            true,
        ),
        (
            "plain http to the world",
            |builder| builder.env("BACKSTOP_PRIMARY_URL", "http://logs.example.com/"),
            &["BACKSTOP_PRIMARY_URL"],
            true,
        ),
        (
            "bad numbers",
            |builder| {
                builder
                    .env("BACKSTOP_MAX_ADDED_MS", "soon")
                    .env("BACKSTOP_PRIMARY_TIMEOUT_MS", "-1")
                    .env("BACKSTOP_BUFFER_MAX_BYTES", "9e9")
            },
            &[
                "BACKSTOP_MAX_ADDED_MS",
                "BACKSTOP_PRIMARY_TIMEOUT_MS",
                "BACKSTOP_BUFFER_MAX_BYTES",
            ],
            true,
        ),
        (
            "a bad ARN",
            |builder| {
                builder.env(
                    "BACKSTOP_FIREHOSE_STREAM",
                    "arn:aws:firehose:eu-west-1:1:stream/x",
                )
            },
            &["BACKSTOP_FIREHOSE_STREAM"],
            true,
        ),
        (
            "a name misspelt",
            |builder| builder.env("BACKSTOP_PRIMRY_URL", "x"),
            &["BACKSTOP_PRIMRY_URL", "BACKSTOP_PRIMARY_URL"],
            true,
        ),
        (
            "a certificate file that is not there",
            |builder| builder.env("SSL_CERT_FILE", "/nowhere.pem"),
            &["SSL_CERT_FILE"],
            true,
        ),
    ];
    for (name, setup, named, delivers) in cases {
        let world = World::start().await.unwrap();
        let environment = setup(world.environment()).start().await.unwrap();
        let mut traffic = Traffic::new(200);
        environment
            .invoke(invocation(&mut traffic, 10, HANDLER))
            .await
            .unwrap();
        if delivers {
            let outcome = world.settle(&environment, 10).await.unwrap();
            outcome.assert_nothing_lost();
            for variable in named {
                assert!(
                    outcome.stderr().contains(variable),
                    "{name}: {}",
                    outcome.stderr()
                );
            }
        } else {
            let report = environment
                .shutdown(ShutdownReason::Spindown)
                .await
                .unwrap();
            assert_eq!(
                (report.killed, report.exit_code),
                (false, Some(0)),
                "{name}"
            );
            let errors: Vec<_> = report
                .stderr
                .iter()
                .filter(|line| line.contains("ERROR"))
                .collect();
            assert_eq!(errors.len(), 1, "{name}: {errors:?}");
            assert!(errors[0].contains(named[0]), "{name}: {errors:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_that_fills_half_the_buffer_is_held_back_only_while_something_is_being_sent() {
    let world = World::start().await.unwrap();
    let environment = world
        .environment()
        // Less than what being held back for once adds, and twice what may be added.
        .timeout(Duration::from_millis(800))
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .env("BACKSTOP_BUFFER_MAX_BYTES", "1048576")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::plain(2_000);
    for _ in 0..3 {
        let report = environment
            .invoke(invocation(&mut traffic, 320, Duration::from_millis(60)))
            .await
            .unwrap();
        assert!(!report.overran);
    }
    let outcome = world.settle(&environment, 960).await.unwrap();
    outcome.assert_nothing_lost();
}
