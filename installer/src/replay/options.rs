//! What the library advises, in the options of this command line.
//!
//! The library knows no options: a function says the same in its log. Must not: change what it says otherwise.

use backstop_replay::{Problem, Summary};

/// What the library says, and what it is here.
const WORDS: [(&str, &str); 19] = [
    (
        "check the token and the headers",
        "check the token (--token-file or BACKSTOP_PRIMARY_TOKEN) and --header-file",
    ),
    ("then replay again", "then run the same command again"),
    (
        "replay again when the primary is healthy",
        "run the same command again when the primary is healthy",
    ),
    ("give its new address", "give its new address with --to"),
    (
        "check the address, the format and the headers",
        "check the address in --to, --format and --header-file",
    ),
    ("check the path of the address", "check the path in --to"),
    (
        "replay with fewer records in one request",
        "run the same command with a smaller --batch-records",
    ),
    (
        "give its own key or prefix",
        "give its own key or prefix with --from",
    ),
    ("leave objects unmarked", "give --after keep"),
    ("the endpoint of S3", "--endpoint-url"),
    ("no record has the function", "no record has --function"),
    ("no record has the reason", "no record has --reason"),
    (
        "name another file for rejected records",
        "give another with --dead-letters-file",
    ),
    (
        "then resume the replay",
        "then run the same command with --resume",
    ),
    ("name another checkpoint", "give another --checkpoint"),
    (
        "begin one, or name",
        "leave out --resume to begin one, or name",
    ),
    (
        "name the checkpoint of the one",
        "give the --checkpoint of the one",
    ),
    (
        "resume it to send what is left",
        "give --resume to send what is left",
    ),
    (
        "restart it to send everything again",
        "--restart to send everything again",
    ),
];

/// What a mistake in a variable is one of, where the address was typed or read from a file.
pub const TYPED: [(&str, &str); 3] = [
    ("BACKSTOP_PRIMARY_URL", "--to"),
    ("BACKSTOP_PRIMARY_HEADERS", "--header-file"),
    ("BACKSTOP_PRIMARY_TOKEN", "the token"),
];
/// The same of an address that is in a file.
pub const FROM_FILE: [(&str, &str); 3] = [
    ("BACKSTOP_PRIMARY_URL", "the address in --url-file"),
    ("BACKSTOP_PRIMARY_HEADERS", "--header-file"),
    ("BACKSTOP_PRIMARY_TOKEN", "the token"),
];

/// A message with the options that it means.
pub fn with_options(text: &str) -> String {
    let mut text = text.to_owned();
    for (said, here) in WORDS {
        if text.contains(said) {
            text = text.replace(said, here);
        }
    }
    text
}

/// The same of all that a summary says.
pub fn summary_with_options(summary: &mut Summary) {
    let Summary {
        problems,
        unmatched,
        halted,
        ..
    } = summary;
    let problems = problems.iter_mut().map(|Problem { problem, .. }| problem);
    for text in problems.chain(unmatched).chain(halted) {
        *text = with_options(text);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sources(directory: &Path, text: &mut String) {
        for entry in std::fs::read_dir(directory).expect("it is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                sources(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(&path).expect("it is a source"));
            }
        }
    }

    #[test]
    fn the_library_says_each_of_these_words_and_no_option() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/replay/src");
        let mut text = String::new();
        sources(Path::new(root), &mut text);
        // A literal may be broken in two lines.
        let mut joined = String::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|it| !it.starts_with("//"))
        {
            joined.push_str(line.strip_suffix('\\').unwrap_or(line));
        }
        for (said, _) in WORDS {
            // The noun comes from a table.
            let said = said.strip_prefix("no record has the ").unwrap_or(said);
            assert!(joined.contains(said), "nothing says: {said}");
        }
        let named: Vec<&str> = joined.split([' ', '"', '`', '(']).collect();
        let is_option = |word: &&&str| {
            let name = word.strip_prefix("--").unwrap_or_default();
            name.len() > 1 && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-')
        };
        let known = ["--bucket", "--key", "--restore-request"];
        let options: Vec<_> = named.iter().filter(is_option).collect();
        let foreign: Vec<_> = options.iter().filter(|it| !known.contains(**it)).collect();
        assert!(foreign.is_empty(), "options in the library: {foreign:?}");
    }
}
