//! Telemetry that is posted while the environment shuts down, and shutdowns that Lambda does not announce
//! as it should: what is acknowledged is in the ledger.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::played::{Platform, Setup, event};

/// Lines that wait when the shutdown begins.
const LINES: u64 = 3;

async fn with_lines(setup: Setup<'_>) -> Platform {
    let mut platform = Platform::start(setup).await;
    platform.invoke().await;
    for _ in 0..LINES {
        assert!(platform.post(&[event("function", &json!("a line"))]).await);
    }
    platform.ready(2).await;
    platform
}

#[tokio::test]
async fn what_is_acknowledged_while_the_last_flush_runs_is_in_the_ledger() {
    for primary_hangs in [true, false] {
        let setup = Setup {
            variables: &[("BACKSTOP_FLUSH_STRATEGY", "periodic")],
            primary_hangs,
            ..Setup::default()
        };
        let mut platform = with_lines(setup).await;
        platform.shut_down(None).await;
        // Until it listens no more.
        let late: Vec<_> = (0..10).map(|_| event("function", &json!("late"))).collect();
        while platform.post(&late).await {
            sleep(Duration::from_millis(50)).await;
        }
        let acknowledged = platform.acknowledged;
        let (output, ledger, stderr) = platform.end().await;
        assert!(output.status.success(), "{stderr}");
        assert_eq!(ledger["received"], acknowledged, "{stderr}");
        let lost = ledger["dropped"]["shutdown"].as_u64().unwrap_or_default();
        let delivered = ledger["delivered"]["https"].as_u64().unwrap();
        assert_eq!(lost + delivered, acknowledged, "{stderr}");
        if !primary_hangs {
            assert_eq!(lost, 0, "{stderr}");
        }
    }
}

/// Missing, past, at once, and by a clock that is an hour behind ours or ahead of it.
#[tokio::test]
async fn an_attempt_is_made_at_shutdown_whatever_the_deadline_says() {
    for deadline in [
        None,
        Some(0),
        Some(1),
        Some(u64::MAX),
        Some(4_102_444_800_000),
    ] {
        let setup = Setup {
            variables: &[("BACKSTOP_FLUSH_STRATEGY", "periodic")],
            ..Setup::default()
        };
        let platform = with_lines(setup).await;
        platform.shut_down(deadline).await;
        let (output, ledger, stderr) = platform.end().await;
        assert!(output.status.success(), "{stderr}");
        assert_eq!(
            ledger["delivered"]["https"], LINES,
            "{deadline:?}: {stderr}"
        );
    }
}

#[tokio::test]
async fn sigterm_ends_it_like_a_shutdown() {
    let platform = with_lines(Setup {
        variables: &[("BACKSTOP_FLUSH_STRATEGY", "periodic")],
        ..Setup::default()
    })
    .await;
    platform.terminate().await;
    let (output, ledger, stderr) = platform.end().await;
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(ledger["delivered"]["https"], LINES, "{stderr}");
}

#[tokio::test]
async fn sigterm_ends_it_while_an_invocation_is_held_or_while_it_idles() {
    let mut platform = Platform::start(Setup {
        variables: &[("BACKSTOP_MAX_ADDED_MS", "10000")],
        ..Setup::default()
    })
    .await;
    platform.invoke().await;
    assert!(platform.post(&[event("function", &json!("a line"))]).await);
    platform.terminate().await;
    let (output, ledger, stderr) = platform.end().await;
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(ledger["delivered"]["https"], 1, "{stderr}");

    let idle = Platform::start(Setup {
        variables: &[("BACKSTOP_PRIMARY_URL", "")],
        ..Setup::default()
    })
    .await;
    idle.terminate().await;
    let (output, _, stderr) = idle.end().await;
    assert_eq!(output.status.code(), Some(0), "{stderr}");
}
