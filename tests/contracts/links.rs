//! A link from one page of the repository to another leads somewhere: to a file, and to a heading of it. So does a
//! path that a page names, such as that of a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

/// Folders that hold no pages of ours.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "dist", "lib"];

fn pages(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !NOT_OURS.contains(&&*name) {
                pages(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The text outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|line| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len()).then_some(heading.trim())
    });
    let anchor = |heading: &str| -> String {
        (heading.to_lowercase().chars())
            .filter(|it| it.is_alphanumeric() || " -_".contains(*it))
            .map(|it| if it == ' ' { '-' } else { it })
            .collect()
    };
    headings.map(anchor).collect()
}

/// What the links of a page lead to, but for addresses.
fn targets(text: &str) -> Vec<&str> {
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.contains(' ') && !target.is_empty())
        .collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut all = Vec::new();
    pages(&repository(), &mut all);
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in &all {
        let text = fs::read_to_string(page).expect("the page can be read");
        for target in targets(&text) {
            followed += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap_or(page).join(path)
            };
            let is_there = file.exists()
                && (anchor.is_empty()
                    || fs::read_to_string(&file).is_ok_and(|it| anchors(&it).contains(anchor)));
            if !is_there {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(followed > 50, "{followed} links were found");
    assert!(
        broken.is_empty(),
        "links lead nowhere:\n{}",
        broken.join("\n")
    );
}

/// The paths of the repository that a page names, but for patterns.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const TOP: [&str; 12] = [
        ".github/",
        "cdk/",
        "crates/",
        "docs/",
        "extension/",
        "fuzz/",
        "gateway/",
        "installer/",
        "packaging/",
        "scripts/",
        "terraform/",
        "tests/",
    ];
    let text = text.split('`').skip(1).step_by(2);
    let paths = text.filter(|span| TOP.iter().any(|top| span.starts_with(top)));
    let paths = paths.map(|span| span.split_once("::").map_or(span, |(path, _)| path));
    let is_path = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
    paths.filter(move |span| span.chars().all(is_path))
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let mut all = Vec::new();
    pages(&repository(), &mut all);
    let mut missing = Vec::new();
    let mut seen = 0;
    for page in &all {
        let text = fs::read_to_string(page).expect("the page can be read");
        let text = prose(&text).collect::<Vec<_>>().join("\n");
        for path in paths(&text) {
            seen += 1;
            let here = page.parent().unwrap_or(page).join(path);
            if !repository().join(path).exists() && !here.exists() {
                missing.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert!(seen > 80, "{seen} paths were found");
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
}
