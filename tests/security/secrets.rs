//! Canaries: each secret holds a word that is then looked for in everything the extension leaves
//! behind. The situations are those in which programs like to tell what they were doing.

use std::path::Path;

use backstop_simulator::{EnvironmentBuilder, ShutdownReason};
use backstop_tests::{World, in_parallel};
use tempfile::TempDir;

use crate::echo::{Echo, EchoBehaviour};

/// In every secret, whatever else there is in it.
const CANARY: &str = "c4n4ry";

/// No line of the log is longer.
const MOST_LINE_BYTES: usize = 16 * 1024;

/// Secrets everywhere, and every word of the log.
fn with_secrets(environment: EnvironmentBuilder, temporary: &Path) -> EnvironmentBuilder {
    environment
        .env("BACKSTOP_LOG_LEVEL", "debug")
        .env("BACKSTOP_PRIMARY_TOKEN", "token-c4n4ry")
        .env("BACKSTOP_PRIMARY_HEADERS", "x-api-key=header-c4n4ry")
        .env("TMPDIR", temporary.display().to_string())
}

/// Everything that the extension left: its output, its files, and what it archived.
async fn left_behind(world: &World, environment: EnvironmentBuilder, temporary: &Path) -> String {
    let environment = environment.start().await.unwrap();
    let mut traffic = backstop_simulator::traffic::Traffic::new(200);
    for _ in 0..3 {
        let duration = std::time::Duration::from_millis(15);
        let lines = backstop_tests::invocation(&mut traffic, 10, duration);
        environment.invoke(lines).await.unwrap();
    }
    let report = environment
        .shutdown(ShutdownReason::Spindown)
        .await
        .unwrap();
    world.firehose.flush().await.unwrap();
    for line in &report.stderr {
        assert!(line.len() <= MOST_LINE_BYTES, "{} bytes", line.len());
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line}"
        );
    }
    let mut left = report.stderr.join("\n");
    assert!(!left.is_empty(), "it has said something");
    left.push_str(&environment.stdout_lines().join("\n"));
    for line in world.s3.archive_lines().unwrap() {
        left.push_str(&line.to_string());
    }
    for key in world.s3.object_keys().unwrap() {
        left.push_str(&key);
    }
    read_all(temporary, &mut left);
    left
}

pub(crate) fn read_all(directory: &Path, into: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        into.push_str(&path.display().to_string());
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
}

#[track_caller]
fn assert_no_canary(left: &str, situation: &str) {
    assert!(!left.contains(CANARY), "{situation}\n{left}");
}

#[tokio::test]
async fn a_server_that_sends_the_credentials_back_in_every_way_makes_nobody_repeat_them() {
    let statuses = [400, 401, 403, 404, 413, 429, 500].map(EchoBehaviour::Status);
    let manners = statuses
        .into_iter()
        .chain([EchoBehaviour::Redirect, EchoBehaviour::NoHttp]);
    let runs = manners.map(|manner| async move {
        let world = World::start().await.unwrap();
        let temporary = TempDir::new().unwrap();
        let primary = Echo::start(manner, "token-c4n4ry").await;
        let firehose = Echo::start(manner, "session-c4n4ry").await;
        let s3 = Echo::start(manner, "session-c4n4ry").await;
        let environment = with_secrets(world.environment(), temporary.path())
            .env(
                "BACKSTOP_PRIMARY_URL",
                format!("{}/logs?key=query-c4n4ry", primary.url()),
            )
            .env("AWS_ENDPOINT_URL_FIREHOSE", firehose.url())
            .env("AWS_ENDPOINT_URL_S3", s3.url())
            .env("AWS_SECRET_ACCESS_KEY", "secret-c4n4ry")
            .env("AWS_SESSION_TOKEN", "session-c4n4ry");
        let left = left_behind(&world, environment, temporary.path()).await;
        for echo in [&primary, &firehose, &s3] {
            assert!(echo.echoed() > 0, "{manner:?}: it was sent, and sent back");
        }
        assert_no_canary(&left, &format!("{manner:?}"));
    });
    in_parallel(runs).await;
}

#[tokio::test]
async fn an_address_with_secrets_is_not_shown_where_it_cannot_be_used() {
    let urls = [
        "https://backstop.invalid/logs?key=query-c4n4ry",
        "https://127.0.0.1:1/logs?key=query-c4n4ry",
        "https://user:password-c4n4ry@127.0.0.1/logs",
        "https://user-c4n4ry@127.0.0.1/logs",
        "http://intake.example.com/logs?key=query-c4n4ry",
    ];
    let runs = urls.into_iter().map(|url| async move {
        let world = World::start().await.unwrap();
        let temporary = TempDir::new().unwrap();
        let environment =
            with_secrets(world.environment(), temporary.path()).env("BACKSTOP_PRIMARY_URL", url);
        let left = left_behind(&world, environment, temporary.path()).await;
        assert_no_canary(&left, url);
    });
    in_parallel(runs).await;
}

#[tokio::test]
async fn a_secret_that_is_not_valid_is_not_shown_either() {
    let mistakes = [
        ("BACKSTOP_PRIMARY_TOKEN", "two\nlines-c4n4ry"),
        ("BACKSTOP_PRIMARY_TOKEN", "Bearer token-c4n4ry"),
        ("BACKSTOP_PRIMARY_HEADERS", "header-c4n4ry"),
        ("BACKSTOP_PRIMARY_HEADERS", "x-a=1\r\nx-b: header-c4n4ry"),
        ("BACKSTOP_PRIMARY_HEADERS", "content-length=c4n4ry"),
        ("BACKSTOP_PRIMARY_TOKNE", "token-c4n4ry"),
        ("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", "arn-c4n4ry"),
    ];
    let runs = mistakes.into_iter().map(|(name, value)| async move {
        let world = World::start().await.unwrap();
        let temporary = TempDir::new().unwrap();
        let environment = with_secrets(world.environment(), temporary.path()).env(name, value);
        let left = left_behind(&world, environment, temporary.path()).await;
        assert!(left.contains(name), "the mistake is echoed: {left}");
        assert_no_canary(&left, value);
    });
    in_parallel(runs).await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_credentials_makes_nobody_repeat_its_token() {
    for manner in [
        EchoBehaviour::Status(500),
        EchoBehaviour::Redirect,
        EchoBehaviour::NoHttp,
    ] {
        let world = World::start().await.unwrap();
        let temporary = TempDir::new().unwrap();
        let container = Echo::start(manner, "container-c4n4ry").await;
        let environment = with_secrets(world.bare_environment(), temporary.path())
            .env("BACKSTOP_S3_BUCKET", world.s3.bucket())
            .env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("AWS_SESSION_TOKEN", "")
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url())
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-c4n4ry");
        let left = left_behind(&world, environment, temporary.path()).await;
        assert!(container.echoed() > 0, "{manner:?}");
        assert_no_canary(&left, &format!("{manner:?}"));
    }
}

#[tokio::test]
async fn a_proxy_with_a_password_is_not_shown_where_it_cannot_be_reached() {
    let world = World::start().await.unwrap();
    let temporary = TempDir::new().unwrap();
    let environment = with_secrets(world.environment(), temporary.path())
        .env("BACKSTOP_PRIMARY_URL", "https://backstop.invalid/logs")
        .env("HTTPS_PROXY", "http://user:proxy-c4n4ry@127.0.0.1:1");
    let left = left_behind(&world, environment, temporary.path()).await;
    assert_no_canary(&left, "proxy");
}

#[tokio::test]
async fn a_certificate_file_that_cannot_be_used_is_never_quoted() {
    let key = "-----BEGIN PRIVATE KEY-----\nc4n4ryc4n4ryc4n4ry\n-----END PRIVATE KEY-----\n";
    let escaped = key.replace('\n', "\\n");
    let contents = [
        key.to_owned(),
        escaped.clone(),
        format!("\"{escaped}\""),
        escaped.repeat(10_000),
        key.replace("-----END", "----END"),
        key.replace("KEY-----", "KEY---"),
        key.replace("PRIVATE KEY", "CERTIFICATE"),
        "c4n4ry".to_owned(),
    ];
    let runs = contents.into_iter().map(|content| async move {
        let world = World::start().await.unwrap();
        let temporary = TempDir::new().unwrap();
        let file = TempDir::new().unwrap();
        let path = file.path().join("ca.pem");
        std::fs::write(&path, &content).unwrap();
        let environment = with_secrets(world.environment(), temporary.path())
            .env("SSL_CERT_FILE", path.display().to_string());
        let left = left_behind(&world, environment, temporary.path()).await;
        assert!(left.contains("Unusable certificate file"), "{left}");
        assert_no_canary(&left, &content);
        // The first of them, as numbers.
        assert!(!left.contains("99, 52, 110"), "{left}");
    });
    in_parallel(runs).await;
}

#[tokio::test]
async fn a_proxy_that_is_not_valid_is_one_error_and_its_password_is_not_shown() {
    let proxies = [
        ("HTTPS_PROXY", "http://user:proxy-c4n4ry@host:port"),
        ("https_proxy", "socks5://user:proxy-c4n4ry@host:1080"),
        ("ALL_PROXY", "http://user:proxy/c4n4ry@host:1"),
    ];
    let runs = proxies.into_iter().map(|(name, value)| async move {
        let world = World::start().await.unwrap();
        let temporary = TempDir::new().unwrap();
        let environment = with_secrets(world.environment(), temporary.path()).env(name, value);
        let left = left_behind(&world, environment, temporary.path()).await;
        assert_eq!(left.matches("Invalid configuration").count(), 1, "{left}");
        assert!(
            left.contains(&format!("1 configuration error: {name} is")),
            "{left}"
        );
        assert_no_canary(&left, value);
    });
    in_parallel(runs).await;
}
