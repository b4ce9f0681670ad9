//! Each mutation can be made: one whose place in the code has moved shows nothing, and only the nightly run would say so.
//! And each is on the page about reliability.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::repository;

#[test]
fn every_mutation_applies() {
    let folder = repository().join("tests/mutations");
    let mut count = 0;
    let mut odd = Vec::new();
    for entry in fs::read_dir(folder).expect("the mutations are there") {
        let patch = entry.expect("the mutations can be read").path();
        let tried = Command::new("git")
            .args(["apply", "--check"])
            .arg(&patch)
            .current_dir(repository())
            .output()
            .expect("git runs");
        count += 1;
        if !tried.status.success() {
            odd.push(String::from_utf8_lossy(&tried.stderr).into_owned());
        }
    }
    assert!(count > 20, "only {count} mutations were found");
    assert!(odd.is_empty(), "rewrite these mutations: {odd:#?}");
}

#[test]
fn the_page_about_reliability_has_every_mutation() {
    let folder = repository().join("tests/mutations");
    let patches: BTreeSet<String> = fs::read_dir(folder)
        .expect("the mutations are there")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".patch")?.to_owned())
        })
        .collect();
    let page = repository().join("docs/reliability.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let (_, rest) = page
        .split_once("\n| mutation | ")
        .expect("the page has the table");
    let table = rest.split("\n\n").next().unwrap_or_default();
    let rows: BTreeSet<String> = table
        .lines()
        .filter_map(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(rows, patches);
    let sentence = format!("breaks the code in {} ways", patches.len());
    assert!(
        page.contains(&sentence),
        "the page does not say: {sentence}"
    );
}
