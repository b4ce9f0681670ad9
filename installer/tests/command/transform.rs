//! `backstop transform`, over lines of an archive, through the real command.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;

use tempfile::TempDir;

use crate::support::{backstop, run};

fn line(number: u32, kind: &str, record: &str) -> String {
    format!(
        r#"{{"id":"00000000000000e1-{number}","time":"2026-01-31T08:00:{:02}.000Z","type":"{kind}","record":{record},"resource":{{"faas.name":"orders"}},"diverted":{{"reason":"timeout","sink":"https"}}}}"#,
        number % 60
    )
}

/// Two invocations, of which the second fails.
fn archive() -> String {
    let mut text = String::new();
    for (index, id) in ["a", "b"].into_iter().enumerate() {
        let first = u32::try_from(index).unwrap() * 10;
        let done = if id == "b" { "failure" } else { "success" };
        let lines = [
            ("platform.start", format!(r#"{{"requestId":"{id}"}}"#)),
            ("function", r#"{"level":"DEBUG","message":"x"}"#.to_owned()),
            ("function", r#""mail to ann@example.com\n""#.to_owned()),
            ("function", r#""again\n""#.to_owned()),
            ("function", r#""again\n""#.to_owned()),
            (
                "platform.runtimeDone",
                format!(r#"{{"requestId":"{id}","status":"{done}"}}"#),
            ),
        ];
        for (offset, (kind, record)) in (1..).zip(lines) {
            writeln!(text, "{}", line(first + offset, kind, &record)).unwrap();
        }
    }
    text
}

struct Stage {
    directory: TempDir,
}

impl Stage {
    fn new(config: &str, lines: &str) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("config"), config).unwrap();
        std::fs::write(directory.path().join("lines"), lines).unwrap();
        Self { directory }
    }

    async fn run(&self, more: &[&str]) -> crate::support::Finished {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let mut command = backstop();
        command.args(["transform", "--config", &path("config"), &path("lines")]);
        run(command.args(more)).await
    }
}

const ALL: &str = "# A comment.\nBACKSTOP_MIN_LEVEL=info\nBACKSTOP_FILTER=\n  drop record.path=/health\n  drop type=platform.start\nBACKSTOP_REDACT=email,card\nBACKSTOP_SAMPLE=0%\nBACKSTOP_SAMPLE_KEEP=error\nBACKSTOP_DEDUPE=true\n";

#[tokio::test]
async fn what_would_be_dropped_kept_and_redacted_is_counted_by_rule() {
    let stage = Stage::new(ALL, &archive());
    let finished = stage.run(&["--output", "json"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let result: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    for (pointer, expected) in [
        ("/schemaVersion", 1),
        ("/read/records", 12),
        ("/kept/records", 3),
        ("/filtered/BACKSTOP_MIN_LEVEL/records", 2),
        ("/filtered/drop type=platform.start/records", 2),
        ("/filtered/drop record.path=~1health/records", 0),
        ("/sampled/records", 3),
        ("/deduped/records", 2),
        ("/redacted/email", 2),
        ("/redacted/card", 0),
        ("/redactedRecords", 2),
        ("/broken", 0),
    ] {
        assert_eq!(
            result.pointer(pointer).unwrap(),
            expected,
            "{pointer} in {result}"
        );
    }
    insta::assert_snapshot!("transform_table", stage.run(&[]).await.stdout);
}

#[tokio::test]
async fn the_resulting_lines_are_lines_of_the_archive() {
    let stage = Stage::new(ALL, &archive());
    let finished = stage.run(&["--print"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let lines: Vec<serde_json::Value> = (finished.stdout.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["record"], "mail to [redacted:email]\n");
    assert_eq!(lines[0]["diverted"]["reason"], "timeout", "the rest stays");
    let joined = lines[1]["record"].as_str().unwrap();
    assert!(
        joined.starts_with("again [repeated: 2 times, first 2026-01-31T08:00:14"),
        "{joined}"
    );
    assert!(
        finished.stderr.contains("3 of 12 records would be kept"),
        "{}",
        finished.stderr
    );
    assert!(!finished.stdout.contains("ann@example.com"));
}

#[tokio::test]
async fn mistakes_are_all_told_and_lines_that_cannot_be_read_are_counted() {
    let wrong = "BACKSTOP_MIN_LEVEL=loud\nhunter2\nBACKSTOP_REDACT=/hunter2(/\nBACKSTOP_FLTER=x\n";
    let finished = Stage::new(wrong, "").run(&[]).await;
    assert_eq!(finished.code, Some(2));
    for part in [
        "BACKSTOP_MIN_LEVEL is",
        "(line 2)",
        "regular expression",
        "did you mean BACKSTOP_FILTER",
    ] {
        assert!(
            finished.stderr.contains(part),
            "{part}: {}",
            finished.stderr
        );
    }
    assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);

    let lines = format!("{}\nhunter2\n{{\"id\":1}}\n", archive());
    let finished = Stage::new("BACKSTOP_REDACT=email\n", &lines).run(&[]).await;
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stdout.contains("line 14"), "{}", finished.stdout);
    assert!(!finished.stdout.contains("hunter2"), "{}", finished.stdout);
}

/// It is not what the primary gets, and would show what was redacted.
#[tokio::test]
async fn the_original_of_a_redacted_line_is_left_out_and_not_counted() {
    let plain = line(1, "function", r#""mail to [redacted:email]""#);
    let with = plain.replace(
        r#","diverted""#,
        r#","original":"mail to ann@example.com","diverted""#,
    );
    let mut printed = Vec::new();
    for text in [plain, with] {
        let stage = Stage::new("BACKSTOP_REDACT=email", &format!("{text}\n"));
        let finished = stage.run(&["--print"]).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(!finished.stdout.contains("ann@example.com"));
        printed.push((finished.stdout, finished.stderr));
    }
    assert_eq!(printed[0], printed[1]);
}
