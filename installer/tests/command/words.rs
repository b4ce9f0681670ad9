//! Everything that the command line prints avoids the words that mark a sentence for rewriting.
//!
//! The test reads the help of every command, every snapshot and every string literal of the sources.
//! `docs/STYLE.md` lists the words. Must not: read comments, or the tests inside the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::support::{backstop, run};

/// What the fake of AWS answers, which the command line repeats.
const QUOTED: &str = "told to fail";

/// The words of a text, in lower case, between single spaces.
fn words(text: &str) -> String {
    let text = text.to_lowercase();
    let is_part = |one: char| one.is_alphanumeric() || one == '\'' || one == '_';
    let words = text.split(|one| !is_part(one));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

/// A phrase to avoid, and longer ones that hold it and are fine; each as [`words`] makes it.
#[derive(Debug)]
struct Rule {
    phrase: String,
    exceptions: Vec<String>,
}

/// Both lists of the page about style.
fn rules() -> Vec<Rule> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/STYLE.md");
    let page = fs::read_to_string(page).expect("the page can be read");
    let (_, lists) = page
        .split_once("\n## Words not to use\n")
        .expect("the page lists the words");
    let spans =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(words).collect() };
    let listed = lines_of(lists).filter_map(|line| line.strip_prefix("- ")?.split_once(": "));
    listed
        .flat_map(|(listed, _)| {
            let (phrases, exceptions) = listed.split_once(" except in ").unwrap_or((listed, ""));
            let exceptions = spans(exceptions);
            spans(phrases).into_iter().map(move |phrase| Rule {
                phrase,
                exceptions: exceptions.clone(),
            })
        })
        .collect()
}

/// The lines of the lists, up to the examples.
fn lines_of(lists: &str) -> impl Iterator<Item = &str> {
    lists
        .lines()
        .take_while(|line| *line != "## Before and after")
}

/// The phrases that a text should not have.
fn found(text: &str) -> Vec<&'static str> {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(rules);
    let words = words(text).replace(QUOTED, "");
    let has = |rule: &&Rule| {
        let is_in = |words: &str| words.contains(&rule.phrase);
        let fine = rule.exceptions.iter();
        is_in(&fine.fold(words.clone(), |words, fine| words.replace(fine, "  ")))
    };
    let broken = RULES.iter().filter(has);
    broken.map(|rule| rule.phrase.trim()).collect()
}

fn files(directory: &Path, extension: &str, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            files(&path, extension, all);
        } else if path.extension().is_some_and(|its| its == extension) {
            all.push(path);
        }
    }
}

/// The string literals of Rust code, each in one piece, as the compiler sees it.
fn literals(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        if from.starts_with("//") {
            rest = from.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(text) = from.strip_prefix('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with('r');
            let (literal, next) = if is_raw {
                let end = format!("\"{}", "#".repeat(hashes));
                text.split_once(&end).unwrap_or((text, ""))
            } else {
                escaped(text)
            };
            let mut pieces = literal.split("\\\n");
            let first = pieces.next().unwrap_or_default().to_owned();
            let whole = pieces.fold(first, |whole, piece| whole + piece.trim_start());
            all.push(whole.replace("\\n", " "));
            rest = next;
        } else if let Some(text) = from.strip_prefix('\'') {
            // A quoted character, or a lifetime.
            let length = match text.chars().next() {
                Some('\\') => from[3..].find('\'').map_or(1, |end| end + 4),
                Some(one) if text[one.len_utf8()..].starts_with('\'') => 2 + one.len_utf8(),
                _ => 1,
            };
            rest = &from[length..];
        } else {
            rest = &from[1..];
        }
    }
    all
}

/// The text up to the quote that ends it, and what follows.
fn escaped(text: &str) -> (&str, &str) {
    let mut is_escaped = false;
    for (at, one) in text.char_indices() {
        match one {
            '"' if !is_escaped => return (&text[..at], &text[at + 1..]),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    (text, "")
}

/// The names of the commands below this one, from its short help.
fn below(help: &str) -> Vec<String> {
    let Some((_, listed)) = help.split_once("Commands:\n") else {
        return Vec::new();
    };
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let named = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let is_own = |name: &&str| *name != "help";
    named.filter(is_own).map(str::to_owned).collect()
}

#[tokio::test]
async fn help_of_every_command_is_plain_english() {
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    while let Some(command) = open.pop() {
        for option in ["-h", "--help"] {
            let help = run(backstop().args(&command).arg(option)).await.stdout;
            if option == "-h" {
                for name in below(&help) {
                    open.push([&command[..], &[name]].concat());
                }
            }
            for phrase in found(&help) {
                problems.push(format!("{} {option}: {phrase}", command.join(" ")));
            }
        }
        seen.insert(command.join(" "));
    }
    for expected in ["", "attach", "layer prune", "man"] {
        assert!(seen.contains(expected), "no help of {expected}: {seen:?}");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The help of each option in a short help: its name, and the text without what the parser adds.
fn options(help: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.starts_with('-') && indent < 10 {
            let (name, text) = text.split_once("  ").unwrap_or((text, ""));
            all.push((name.to_owned(), text.trim().to_owned()));
        } else if indent >= 10
            && let Some((_, last)) = all.last_mut()
        {
            last.push(' ');
            last.push_str(text);
        }
    }
    // "[default: …]", "[possible values: …]"
    let plain = |text: &str| {
        let parts = text.split('[').enumerate();
        let rest = parts.map(|(at, part)| match part.split_once(']') {
            Some((_, rest)) if at > 0 => rest,
            _ => part,
        });
        rest.collect::<String>().trim().to_owned()
    };
    (all.into_iter())
        .map(|(name, text)| (name, plain(&text)))
        .collect()
}

/// The commands that a help gives as examples, to be copied.
fn examples(help: &str) -> Vec<&str> {
    let (_, examples) = help.split_once("Examples:\n").unwrap_or_default();
    examples
        .lines()
        .take_while(|line| !line.is_empty())
        .collect()
}

#[tokio::test]
async fn help_of_every_command_fits_a_terminal_and_an_option_takes_two_lines_at_most() {
    const COLUMNS: usize = 80;
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut problems = Vec::new();
    let (mut commands, mut seen) = (0, 0);
    while let Some(command) = open.pop() {
        commands += 1;
        for option in ["-h", "--help"] {
            let mut help = backstop();
            help.args(&command).arg(option);
            let help = run(help.env("COLUMNS", COLUMNS.to_string())).await.stdout;
            if option == "-h" {
                for name in below(&help) {
                    open.push([&command[..], &[name]].concat());
                }
                for (name, text) in options(&help) {
                    seen += 1;
                    if text.chars().count() > 2 * (COLUMNS - 10) {
                        problems.push(format!("{} {name}: {text}", command.join(" ")));
                    }
                }
            }
            let mut wide = backstop();
            wide.args(&command).arg(option).env("COLUMNS", "300");
            let wide = run(&mut wide).await.stdout;
            if examples(&wide) != examples(&help) {
                problems.push(format!("{} {option}: an example wraps", command.join(" ")));
            }
            let is_wide = |line: &&str| line.chars().count() > COLUMNS;
            for line in help.lines().filter(is_wide) {
                problems.push(format!("{} {option}: {line}", command.join(" ")));
            }
        }
    }
    assert!(
        commands > 25 && seen > 200,
        "{commands} commands, {seen} options"
    );
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn explanations_of_reasons_are_plain_english() {
    let explained = run(backstop().args(["plan", "--explain", "all"])).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert_eq!(found(&explained.stdout), [""; 0], "{}", explained.stdout);
}

#[test]
fn snapshots_are_plain_english() {
    let mut snapshots = Vec::new();
    for directory in ["src", "tests"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        files(&root, "snap", &mut snapshots);
    }
    assert!(snapshots.len() > 40, "{} snapshots", snapshots.len());
    let mut problems = Vec::new();
    for path in snapshots {
        let text = fs::read_to_string(&path).expect("a snapshot can be read");
        let (_, shown) = text.split_once("\n---\n").expect("it has a head");
        for line in shown.lines() {
            for phrase in found(line) {
                problems.push(format!("{}: {phrase}: {line}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn messages_in_the_sources_are_plain_english() {
    let mut sources = Vec::new();
    // What the libraries of the command line say, too.
    for directory in [
        "src",
        "../crates/common/src",
        "../crates/controller/src",
        "../crates/fleet/src",
        "../crates/replay/src",
    ] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        files(&root, "rs", &mut sources);
    }
    let mut count = 0;
    let mut problems = Vec::new();
    for path in sources {
        if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs") {
            continue;
        }
        let code = fs::read_to_string(&path).expect("a source can be read");
        let code = code.split("#[cfg(test)]\nmod tests").next();
        for literal in literals(code.unwrap_or_default()) {
            count += 1;
            for phrase in found(&literal) {
                problems.push(format!("{}: {phrase}: {literal}", path.display()));
            }
        }
    }
    assert!(count > 1000, "{count} literals");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_list_finds_whole_words_and_the_literals_of_code() {
    assert_eq!(found("Mend that first: whoever"), ["mend", "whoever"]);
    assert_eq!(
        found("recommended; there is no bucket x; y is no longer known"),
        [""; 0]
    );
    assert_eq!(found("it is no zip"), ["is no"]);
    let code = "let a = '\"'; // \"not this\"\nlet b: &'static str = \"one \\\"two\\\" \\\n    three\"; r#\"a \"b\" c\"#";
    assert_eq!(literals(code), [r#"one \"two\" three"#, r#"a "b" c"#]);
    assert_eq!(
        options(
            "x\n\nOptions:\n  -a, --all\n          One [default: 1] [possible values: 1,\n          2] two\n      --b <B>  Three\n"
        ),
        [
            ("-a, --all".into(), "One   two".into()),
            ("--b <B>".into(), "Three".into())
        ]
    );
    assert_eq!(
        below("x\n\nCommands:\n  plan  Show\n  help  Print\n\nOptions:"),
        ["plan"]
    );
}
