//! Markdown has one form: blocks of code say their language, tables have one style and whole rows, lists one mark.
//!
//! Must not: hold generated text to it, which is `cdk/API.md` and what is between `BEGIN_TF_DOCS` and its end.

use std::fmt::Write as _;

use crate::words::pages;

/// The languages of blocks of code. `console` is for commands with `$` and what they print.
const LANGUAGES: [&str; 9] = [
    "console",
    "dockerfile",
    "hcl",
    "json",
    "sh",
    "sql",
    "text",
    "toml",
    "ts",
];

/// What is wrong with a page: the number of the line, and why.
fn problems(page: &str) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    let mut fence = None;
    let mut is_generated = false;
    // The columns of the table at hand.
    let mut columns = None;
    let mut wrong = |at: usize, why: String| problems.push((at, why));
    for (number, line) in page.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        is_generated |= line.contains("BEGIN_TF_DOCS");
        if line.contains("END_TF_DOCS") {
            is_generated = false;
        }
        if is_generated {
            continue;
        }
        if line.trim_end() != line {
            wrong(number, "a space at the end".to_owned());
        }
        let text = line.trim_start();
        if let Some(language) = text.strip_prefix("```") {
            if fence.take().is_none() {
                fence = Some(number);
                if !LANGUAGES.contains(&language) {
                    wrong(number, format!("`{language}` is not a language"));
                }
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if line.starts_with("* ") || line.starts_with("+ ") {
            wrong(number, "a list has the mark `-`".to_owned());
        }
        let hashes = line.len() - line.trim_start_matches('#').len();
        if hashes > 0 && !line[hashes..].starts_with(' ') {
            wrong(number, "a heading without a space".to_owned());
        }
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let cells = cells(line);
        match columns {
            Some(columns) if columns != cells => {
                wrong(number, format!("{cells} cells of {columns}"));
            }
            _ => columns = Some(cells),
        }
        let is_rule = line.chars().all(|it| "|-: ".contains(it)) && line.contains('-');
        if is_rule && line.contains(' ') {
            wrong(
                number,
                "the line below a table's head is `|---|`".to_owned(),
            );
        }
        if !line.ends_with('|') {
            wrong(number, "a row ends with `|`".to_owned());
        }
    }
    if let Some(number) = fence {
        wrong(number, "the block of code does not end".to_owned());
    }
    problems
}

/// How many cells a row has; `\|` is text.
fn cells(row: &str) -> usize {
    row.replace("\\|", "").matches('|').count() - 1
}

#[test]
fn every_page_has_the_one_form() {
    let pages = pages();
    let mut report = String::new();
    for (name, text) in &pages {
        for (line, why) in problems(text) {
            writeln!(report, "{name}:{line}: {why}").expect("a text takes everything");
        }
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            writeln!(report, "{name}: it ends with one line feed")
                .expect("a text takes everything");
        }
        let titles = text.lines().filter(|line| line.starts_with("# "));
        // Those in code are comments.
        if titles.count() == 0 {
            writeln!(report, "{name}: it has no title").expect("a text takes everything");
        }
    }
    assert!(pages.len() > 50, "{} pages were found", pages.len());
    assert!(report.is_empty(), "{report}");
}

#[test]
fn what_has_another_form_is_found() {
    let found = |page: &str| -> Vec<usize> { problems(page).iter().map(|it| it.0).collect() };
    assert_eq!(found("# A\n\n```\nx\n```\n"), [3]);
    assert_eq!(found("```bash\nx\n```\n"), [1]);
    assert_eq!(found("```sh\n* x \n"), [2, 1]);
    assert_eq!(found("| a | b |\n|---|---|\n| a |\n| a \\| b | c |\n"), [3]);
    assert_eq!(found("| a |\n| --- |\n| a\n"), [2, 3, 3]);
    assert_eq!(found("* a\n#b\n"), [1, 2]);
    assert_eq!(
        found("- a\n\n```text\n* a\n```\n<!-- BEGIN_TF_DOCS -->\n| - |\n<!-- END_TF_DOCS -->\n"),
        [0; 0]
    );
}
