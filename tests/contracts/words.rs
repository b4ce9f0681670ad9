//! Everything that people read is in plain English: no word that `docs/STYLE.md` lists, and no line that is too wide.
//!
//! Words are looked for in Markdown outside of code, and in the whole sources of the Terraform modules and of the
//! CDK library, whose texts and comments become documentation.
//!
//! Must not: hold generated pages (`cdk/API.md`) to the rules; their source is held to them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// The widest line of prose.
const COLUMNS: usize = 100;

const STYLE: &str = "docs/STYLE.md";

/// Folders of tools, and of what they make.
const NOT_OURS: [&str; 4] = ["target", "node_modules", "dist", "lib"];

/// Phrases that mark a sentence for rewriting, and longer ones that hold them and are fine.
#[derive(Debug, PartialEq)]
struct Rule {
    phrases: Vec<Vec<String>>,
    exceptions: Vec<Vec<String>>,
}

/// A word with the number of its line; an empty one ends a sentence.
type Word = (usize, String);

/// The rules of the page about style.
fn rules(page: &str) -> Vec<Rule> {
    let spans = |text: &str| -> Vec<Vec<String>> {
        let spans = text.split('`').skip(1).step_by(2);
        spans
            .map(|span| span.split(' ').map(str::to_owned).collect())
            .collect()
    };
    section(page)
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(": "))
        .map(|(words, _)| {
            let (phrases, exceptions) = words.split_once(" except in ").unwrap_or((words, ""));
            Rule {
                phrases: spans(phrases),
                exceptions: spans(exceptions),
            }
        })
        .collect()
}

/// The part of the page that lists the words.
fn section(page: &str) -> &str {
    let rest = page.split_once("\n## Words not to use\n");
    let (_, rest) = rest.expect("the page lists the words");
    rest.split("\n## ").next().unwrap_or_default()
}

/// The words of a text, in lower case. What is in code marks becomes one word that is in no rule.
fn words(text: &str, has_code_marks: bool) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut word = String::new();
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            is_code = false;
            words.push((number + 1, String::new()));
        }
        for character in line.chars().chain(['\n']) {
            let is_mark = has_code_marks && character == '`';
            if !is_code && !is_mark && (character.is_alphanumeric() || "-_'".contains(character)) {
                word.extend(character.to_lowercase());
                continue;
            }
            let plain = word.trim_matches(['-', '_', '\'']);
            if !plain.is_empty() {
                words.push((number + 1, plain.to_owned()));
            }
            word.clear();
            if is_mark {
                is_code = !is_code;
                words.push((number + 1, "`".to_owned()));
            } else if !is_code && ".:;!?|".contains(character) {
                words.push((number + 1, String::new()));
            }
        }
    }
    words
}

/// Every place where the words break a rule: the line, and the phrase.
fn found(rules: &[Rule], words: &[Word]) -> Vec<(usize, String)> {
    let is_at = |at: usize, phrase: &[String]| {
        let here = words.get(at..at + phrase.len());
        here.is_some_and(|here| {
            here.iter()
                .zip(phrase)
                .all(|((_, one), other)| one == other)
        })
    };
    let mut found = Vec::new();
    for rule in rules {
        for phrase in &rule.phrases {
            for (at, (line, _)) in words.iter().enumerate() {
                // A longer phrase may begin before this one.
                let is_fine = rule.exceptions.iter().any(|longer| {
                    let end = at + phrase.len();
                    (at.saturating_sub(longer.len())..=at)
                        .any(|begin| begin + longer.len() >= end && is_at(begin, longer))
                });
                if is_at(at, phrase) && !is_fine {
                    found.push((*line, phrase.join(" ")));
                }
            }
        }
    }
    found
}

/// The text with every block of code emptied, and the same lines.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().map(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The page about style without its list and its table.
fn without_examples(page: &str) -> String {
    let listed = section(page);
    let lines = page.lines().map(|line| {
        let is_example =
            line.starts_with('|') || (line.starts_with("- `") && listed.contains(line));
        if is_example { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a line of Markdown is too wide and has a place to break.
fn is_too_wide(line: &str) -> bool {
    let is_prose = !["|", "#", "<!--"]
        .iter()
        .any(|begin| line.trim_start().starts_with(begin));
    if line.chars().count() <= COLUMNS || !is_prose {
        return false;
    }
    let text = line.trim_start_matches([' ', '>']);
    let text = text.strip_prefix("- ").unwrap_or(text);
    // Without code, and without what links lead to.
    let text: String = text.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |all, part| {
        all + part.split_once(')').map_or("", |(_, rest)| rest)
    });
    text.contains(' ')
}

/// Every file below a folder with one of these endings.
fn files(directory: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !NOT_OURS.contains(&&*name) {
                files(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

/// Every page of Markdown that people write, by its name.
pub(crate) fn pages() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(&repository(), &[".md"], &mut paths);
    named(paths)
        .into_iter()
        .filter(|(name, _)| name != "cdk/API.md")
        .collect()
}

fn named(paths: Vec<PathBuf>) -> Vec<(String, String)> {
    let root = repository();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("the file can be read");
        let name = path
            .strip_prefix(&root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        (name, text)
    };
    paths.into_iter().map(read).collect()
}

fn style() -> String {
    fs::read_to_string(repository().join(STYLE)).expect("the page is there")
}

/// What is wrong with texts, a line for each place.
fn report(rules: &[Rule], texts: &[(String, Vec<Word>)]) -> String {
    let mut report = String::new();
    for (name, words) in texts {
        for (line, phrase) in found(rules, words) {
            writeln!(report, "{name}:{line}: \"{phrase}\"").expect("a text takes everything");
        }
    }
    report
}

#[test]
fn no_page_has_a_word_that_the_style_rules_out() {
    let texts: Vec<_> = (pages().into_iter())
        .map(|(name, text)| {
            let text = if name == STYLE {
                without_examples(&text)
            } else {
                text
            };
            let words = words(&without_code(&text), true);
            (name, words)
        })
        .collect();
    assert!(texts.len() > 30, "{} pages were found", texts.len());
    let report = report(&rules(&style()), &texts);
    assert!(
        report.is_empty(),
        "{STYLE} has other words for these:\n{report}"
    );
}

#[test]
fn no_module_and_no_construct_has_such_a_word() {
    let mut paths = Vec::new();
    files(&repository().join("terraform"), &[".tf"], &mut paths);
    files(&repository().join("cdk/src"), &[".ts"], &mut paths);
    assert!(paths.len() > 50, "{} sources were found", paths.len());
    let texts: Vec<_> = (named(paths).into_iter())
        .map(|(name, text)| (name, words(&text, false)))
        .collect();
    let report = report(&rules(&style()), &texts);
    assert!(
        report.is_empty(),
        "{STYLE} has other words for these:\n{report}"
    );
}

#[test]
fn no_line_of_prose_is_too_wide() {
    let mut report = String::new();
    for (name, text) in pages() {
        for (number, line) in without_code(&text).lines().enumerate() {
            if is_too_wide(line) {
                writeln!(report, "{name}:{}", number + 1).expect("a text takes everything");
            }
        }
    }
    assert!(report.is_empty(), "more than {COLUMNS} columns:\n{report}");
}

#[test]
fn sentences_of_the_past_are_found_and_their_successors_are_not() {
    let page = style();
    let rules = rules(&page);
    assert!(rules.len() > 15, "{rules:?}");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows: Vec<(&str, &str)> = rows
        .filter_map(|row| row.split_once(" | "))
        .skip(1)
        .collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for (before, after) in rows {
        assert!(!found(&rules, &words(before, true)).is_empty(), "{before}");
        assert_eq!(found(&rules, &words(after, true)), [], "{after}");
    }
}

#[test]
fn phrases_are_whole_words_outside_of_code() {
    let rules = rules(&style());
    let places = |text: &str| found(&rules, &words(&without_code(text), true));
    let here = |line: usize, phrase: &str| vec![(line, phrase.to_owned())];
    assert_eq!(places("# Page\n\nStart\nanew, please."), here(4, "anew"));
    assert_eq!(places("A file\nby\nitself"), here(2, "by itself"));
    assert_eq!(places("This is no sink."), here(1, "is no"));
    assert_eq!(
        places("| cell | Whoever reads | cell |"),
        here(1, "whoever")
    );
    for fine in [
        "There is no sink, and it is no longer here.",
        "The service stands by. Itself it does nothing.",
        "`mended`, `is sent and\ntold`, mending_time, amended",
        "```text\ntold anew\n```",
        "['There is no layer', 'it is no longer here']",
        "It is well-formed, and the format is well known.",
    ] {
        assert_eq!(places(fine), [], "{fine}");
    }
}

#[test]
fn lines_that_cannot_break_may_be_wide() {
    let long = "x".repeat(COLUMNS);
    for wide in [
        format!("a {long}"),
        format!("- `code` and {long}"),
        format!("[a link]({long})"),
    ] {
        assert!(is_too_wide(&wide), "{wide}");
    }
    for fine in [
        "a ".repeat(COLUMNS / 2),
        format!("- {long}x"),
        format!("> `a {long}`<br>"),
        format!("[link]({long})"),
        format!("| a {long} |"),
    ] {
        assert!(!is_too_wide(&fine), "{fine}");
    }
}
