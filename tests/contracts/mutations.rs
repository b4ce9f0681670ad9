//! Each mutation can be made: one whose place in the code has moved shows nothing, and only the nightly run would say so.

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
