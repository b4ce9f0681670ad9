//! The command line as a user runs it: the demo, with its sums, and its exit code when records are
//! missing.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;

use backstop_tests::binary;
use serde_json::Value;

/// Runs the demo; its exit code and its summary.
fn demo(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(binary("backstop"))
        .args([
            "demo",
            "--output",
            "json",
            "--quiet",
            "--invocations",
            "12",
            "--lines",
            "10",
        ])
        .arg("--extension")
        .arg(binary("backstop-extension"))
        .args(arguments)
        // It does without AWS, whatever is set for that.
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        .env("AWS_USE_FIPS_ENDPOINT", "true")
        .env("AWS_PROFILE", "nobody")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        stdout
            .trim_end()
            .lines()
            .filter(|line| *line == "{")
            .count()
            .max(1),
        1,
        "one object"
    );
    let summary = serde_json::from_str(&stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {stdout}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    (output.status.code(), summary)
}

#[test]
fn the_demo_loses_nothing_whatever_the_primary_does() {
    for (fault, outage) in [
        ("503", "third"),
        ("hang", "all"),
        ("refuse", "start"),
        ("413", "all"),
    ] {
        let (code, summary) = demo(&["--fault", fault, "--outage", outage]);
        assert_eq!(code, Some(0), "{fault}: {summary:#}");
        assert_eq!(summary["lost"], 0, "{fault}: {summary:#}");
        assert_eq!(summary["emitted"], 120, "{fault}");
        assert_eq!(summary["ledgerAddsUp"], true, "{fault}");
        assert_eq!(summary["killed"], false, "{fault}");
        assert_eq!(
            summary["atPrimaryAfterReplay"],
            summary["ledger"]["delivered"]
                .as_object()
                .unwrap()
                .values()
                .filter_map(Value::as_u64)
                .sum::<u64>(),
            "{fault}"
        );
    }
}

#[test]
fn the_demo_fails_when_records_are_missing() {
    let (code, summary) = demo(&["--fault", "503", "--outage", "all", "--fallback", "none"]);
    assert_eq!(code, Some(1), "{summary:#}");
    assert!(summary["lost"].as_u64().unwrap() > 0, "{summary:#}");
    assert_eq!(
        summary["ledgerAddsUp"], true,
        "and the ledger still adds up"
    );
}

/// What a person sees of it, at the width of the terminal.
#[test]
fn the_demo_fits_the_terminal_and_looks_at_no_endpoint_of_the_environment() {
    for width in [80, 120] {
        let output = Command::new(binary("backstop"))
            .args(["demo", "--quiet", "--invocations", "6", "--lines", "5"])
            .arg("--extension")
            .arg(binary("backstop-extension"))
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            .env("COLUMNS", width.to_string())
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{shown}");
        for part in ["records received", "at the primary", "added, primary down"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.ends_with(" records lost\n"), "{shown}");
        let longest = shown.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{shown}");
    }
}
