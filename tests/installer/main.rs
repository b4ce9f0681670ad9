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

/// What is between two marks, each time.
fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> Vec<&'a str> {
    text.split(from)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(to)?.0))
        .collect()
}

#[test]
fn the_page_shows_the_numbers_of_the_json_and_loads_nothing() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("demo.html");
    let path = file.display().to_string();
    // Sent before each invocation ends, so that a short run has an outage to show.
    let (code, summary) = demo(&["--flush-strategy", "end", "--report", &path]);
    assert_eq!(code, Some(0), "{summary}");
    let page = std::fs::read_to_string(&file).unwrap();

    let embedded = between(&page, "id=\"result\">", "</script>");
    let embedded: Value = serde_json::from_str(embedded[0]).unwrap();
    assert_eq!(embedded, summary);

    let cells = between(&page, "data-path=\"", "<");
    assert!(cells.len() > 20, "{cells:?}");
    for cell in cells {
        let (path, shown) = cell.split_once("\">").unwrap();
        let number = summary.pointer(path).and_then(Value::as_f64);
        let shown: f64 = shown.replace(',', "").parse().unwrap();
        assert_eq!(Some(shown), number, "{path}");
    }
    for path in ["/ledger/received", "/replayed", "/atPrimaryAfterReplay"] {
        assert!(page.contains(&format!("data-path=\"{path}\"")), "{path}");
    }

    // A bar for each sample in which a sink took records, one in each chart for each with the primary down.
    let timeline = summary["timeline"].as_array().unwrap();
    assert_eq!(timeline.len(), 12, "{summary}");
    let count = |sink: &str| -> usize {
        let mut before = 0;
        let grows = timeline.iter().filter(|sample| {
            let now = sample[sink].as_u64().unwrap();
            let grows = now > before;
            before = now;
            grows
        });
        grows.count()
    };
    for sink in ["https", "firehose", "s3"] {
        let bars = page.matches(&format!("<rect class=\"{sink}\"")).count();
        assert_eq!(bars, count(sink), "{sink}");
    }
    let down = timeline
        .iter()
        .filter(|sample| sample["primaryDown"] == true);
    assert_eq!(
        page.matches("<rect class=\"down\"").count(),
        2 * down.count()
    );
    let open = timeline
        .iter()
        .filter(|sample| sample["breakerOpen"] == true);
    let open = open.count();
    assert!(open > 0, "{summary}");
    assert_eq!(page.matches("<rect class=\"open\"").count(), open);

    // It is whole: nothing is loaded, and no code runs.
    for part in ["://", " src=", " href=", "@import", "url(", "<link", "{{"] {
        assert!(!page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("prefers-color-scheme: dark"), "{page}");
}

/// At a phone's width and at a desk's, in both schemes.
#[test]
fn a_browser_shows_the_numbers_of_the_json() {
    let Some(chromium) = backstop_tests::browser::chromium() else {
        return;
    };
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("demo.html");
    let path = file.display().to_string();
    let (code, summary) = demo(&["--flush-strategy", "end", "--report", &path]);
    assert_eq!(code, Some(0), "{summary}");
    let page = std::fs::read_to_string(&file).unwrap();
    backstop_tests::browser::assert_shows(&chromium, &page, &summary);
}
