//! Every line with which the extension reports a failure is in `docs/troubleshooting.md`, word for word.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::repository;

/// The code of the extension without its tests, each file by itself.
fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let is_test = (path.file_stem()).is_some_and(|stem| stem == "tests" || stem == "model");
        if is_test {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|its| its == "rs") {
            let text = fs::read_to_string(&path).expect("the repository can be read");
            let code = text.split("#[cfg(test)]\nmod tests").next();
            found.push(joined(code.unwrap_or_default()));
        }
    }
}

/// With each text on one line, as the compiler sees it.
fn joined(code: &str) -> String {
    let mut pieces = code.split("\\\n");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + piece.trim_start())
}

/// The texts of a file, without their quotes; none of those looked for holds an escape.
fn texts(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2)
}

/// What is reported as a warning or an error.
fn reported() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&repository().join("extension/src"), &mut files);
    let mut messages = BTreeSet::new();
    for code in &files {
        for call in [".warn(", ".error("] {
            let literal = |(at, _): (usize, &str)| {
                let argument = code[at + call.len()..].trim_start().strip_prefix('"')?;
                argument.split('"').next()
            };
            messages.extend(
                code.match_indices(call)
                    .filter_map(literal)
                    .map(str::to_owned),
            );
        }
    }
    for name in ["advice.rs", "advice/secret.rs"] {
        let advice = repository().join("extension/src/diagnostics").join(name);
        let advice = fs::read_to_string(advice).expect("the repository can be read");
        let code = joined(advice.split("#[cfg(test)]").next().unwrap_or_default());
        messages.extend(
            texts(&code)
                .filter(|it| it.contains(' '))
                .map(str::to_owned),
        );
    }
    messages
}

#[test]
fn every_warning_and_error_of_the_extension_is_in_the_guide() {
    let guide = repository().join("docs/troubleshooting.md");
    let guide = fs::read_to_string(guide).expect("the guide is there");
    let quoted: BTreeSet<String> = (guide.lines())
        .filter_map(|line| line.strip_prefix("> `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect();
    let reported = reported();
    assert!(
        reported.len() > 30,
        "{} messages were found",
        reported.len()
    );
    let missing: Vec<_> = reported.difference(&quoted).collect();
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md lacks what the extension logs:\n{missing:#?}"
    );
    // The others are logged by other ways, or at another level.
    let mut files = Vec::new();
    sources(&repository().join("extension/src"), &mut files);
    let stale: Vec<_> = (quoted.iter())
        .filter(|message| !files.iter().any(|code| code.contains(message.as_str())))
        .collect();
    assert!(
        stale.is_empty(),
        "docs/troubleshooting.md quotes what the extension does not log:\n{stale:#?}"
    );
}
