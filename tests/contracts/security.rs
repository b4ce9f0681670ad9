//! `SECURITY.md` claims nothing that no test holds, and CI runs nothing that can change under it.

use std::fs;
use std::path::Path;

use crate::repository;

/// Every file of the repository's own with this extension.
fn files(directory: &Path, extension: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "target" && name != ".git" {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(fs::read_to_string(&path).expect("the repository can be read"));
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let page = fs::read_to_string(repository().join("SECURITY.md")).expect("it is there");
    let is_name = |word: &&str| {
        word.matches('_').count() >= 4
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let names: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(names.len() > 30, "{names:?}");
    let mut code = Vec::new();
    files(&repository(), "rs", &mut code);
    files(&repository().join("tests/gateway"), "py", &mut code);
    for name in names {
        let definitions = [format!("fn {name}("), format!("def {name}(self")];
        let is_there = (code.iter()).any(|text| definitions.iter().any(|it| text.contains(it)));
        assert!(is_there, "{name} is no test");
    }
}

#[test]
fn every_action_is_pinned_by_commit() {
    let mut workflows = Vec::new();
    files(&repository().join(".github"), "yml", &mut workflows);
    let uses: Vec<&str> = workflows
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
        .collect();
    assert!(!uses.is_empty());
    for action in uses {
        let commit = action.split_once('@').map(|(_, rest)| rest);
        let commit = commit.and_then(|rest| rest.split(' ').next());
        let is_commit = |commit: &str| {
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        assert!(commit.is_some_and(is_commit), "{action}");
    }
}
