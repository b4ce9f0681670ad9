//! No error of a parser that quotes what it read goes on: what it read may be a secret.
//!
//! The errors of these calls hold values, lines, addresses or whole files. Each call is followed by
//! something that throws the error away, or turns it into words of our own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// What ships: the extension and the command line.
const SOURCES: [&str; 13] = [
    "extension/src",
    "installer/src",
    "crates/archive/src",
    "crates/common/src",
    "crates/config/src",
    "crates/delivery/src",
    "crates/demo/src",
    "crates/output/src",
    "crates/fleet/src",
    "crates/replay/src",
    "crates/replay-function/src",
    "crates/sinks/src",
    "crates/telemetry/src",
];

/// Calls whose error quotes.
const QUOTING: [&str; 15] = [
    "serde_json::from_str",
    "serde_json::from_slice",
    "serde_json::from_reader",
    "serde_json::from_value",
    "toml::from_str",
    "Url::parse(",
    "Uri>()",
    "HeaderValue::from_str(",
    "HeaderValue::from_bytes(",
    "HeaderName::from_bytes(",
    "from_pem_slice(",
    "pem_slice_iter(",
    "BASE64_STANDARD.decode(",
    "ServerName::try_from(",
    "DateTime::from_str(",
];

/// What has no place in what ships at all: it shows whole answers, or whole errors.
const NEVER: [&str; 3] = ["DisplayErrorContext", "reqwest::", "{error:?}"];

/// What becomes of such an error.
const HARMLESS: [&str; 15] = [
    ".ok()",
    ".is_ok",
    ".is_err",
    ".unwrap_or",
    "let Ok(",
    "let (Ok(",
    "map_err(|_|",
    "map_err(json)",
    "map_err(parsing::json)",
    "parsing::toml(",
    "map_err(|error| json(error)",
    "map_err(|error| LineError::of(&error)",
    "Err(_)",
    ".filter_map(",
    "map_or_else(|_|",
];

/// Places where the error goes to our own code, which shows no word of it.
const ELSEWHERE: [(&str, &str, &str); 4] = [
    (
        "extension/src/lifecycle/api.rs",
        "serde_json::from_slice",
        "`ApiError::Event` shows nothing of it",
    ),
    (
        "crates/demo/src/lib.rs",
        "serde_json::from_value",
        "the ledger line holds counts",
    ),
    (
        "installer/src/doctor/settings.rs",
        "Url::parse(",
        "matched on, and not shown",
    ),
    (
        "crates/fleet/src/grants/document.rs",
        "serde_json::from_str",
        "turned into a constant",
    ),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let is_test = path
            .file_stem()
            .is_some_and(|stem| stem == "tests" || stem == "model");
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if path.extension().is_some_and(|its| its == "rs") && !is_test {
            found.push(path);
        }
    }
}

/// The code before the tests, without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("the repository can be read");
    let text = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The statement around a place, and the one after it, for those that end in blocks.
fn statement(code: &str, at: usize) -> &str {
    let begin = code[..at].rfind(';').map_or(0, |end| end + 1);
    let mut ends = code[at..].match_indices(";\n").map(|(end, _)| at + end);
    let end = ends.nth(1).unwrap_or(code.len());
    &code[begin..end]
}

#[test]
fn no_error_that_quotes_what_was_read_goes_on() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for directory in SOURCES {
        let mut files = Vec::new();
        sources(&repository().join(directory), &mut files);
        for file in files {
            let code = code(&file);
            let name = file
                .strip_prefix(repository())
                .unwrap_or(&file)
                .display()
                .to_string();
            for never in NEVER.iter().filter(|never| code.contains(**never)) {
                wrong.push(format!("{name}: {never}"));
            }
            for call in QUOTING {
                for (at, _) in code.match_indices(call) {
                    judged += 1;
                    let statement = statement(&code, at);
                    let is_known = ELSEWHERE
                        .iter()
                        .any(|(path, its, _)| *path == name && *its == call);
                    if !is_known && !HARMLESS.iter().any(|end| statement.contains(end)) {
                        wrong.push(format!("{name}: {}", statement.trim()));
                    }
                }
            }
        }
    }
    assert!(judged > 20, "{judged} calls were found");
    assert!(
        wrong.is_empty(),
        "an error may quote a secret:\n{}",
        wrong.join("\n---\n")
    );
}
