//! What is written for people about a role's permissions is what `crates/archive/permissions.json` says.
//!
//! The policies themselves are compared elsewhere: the installer's grants and `doctor` in its own tests,
//! Terraform's in `modules/attachment/tests`, CDK's in `cdk/test/permissions.test.ts`.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::repository;

/// Passages that tell a reader what to grant: the file, and what the passage begins and ends with.
const PASSAGES: [(&str, &str, &str); 4] = [
    ("README.md", "By hand, the function's role needs", "\n\n"),
    (
        "docs/installer.md",
        "`--grant` writes the inline policy",
        "\n\n",
    ),
    ("cdk/README.md", "| role |", "\n"),
    (
        "extension/src/diagnostics/advice.rs",
        "\nfn ",
        "#[cfg(test)]",
    ),
];

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("the repository can be read")
}

/// The actions of the services that fallbacks and the token use.
fn actions(text: &str) -> BTreeSet<&str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == ':';
    text.split(|character| !is_part(character))
        .filter(|word| {
            ["firehose:", "s3:", "kms:", "secretsmanager:", "ssm:"]
                .iter()
                .any(|service| word.strip_prefix(service).is_some_and(|it| !it.is_empty()))
        })
        .filter(|word| !word.ends_with(':') && *word != "kms:ViaService")
        .collect()
}

#[test]
fn the_documentation_names_the_permissions_that_are_needed_and_no_others() {
    let file = read("crates/archive/permissions.json");
    let file: Value = serde_json::from_str(&file).expect("it is JSON");
    let cases = file["cases"].as_array().expect("cases");
    let statements = cases
        .iter()
        .filter_map(|case| case["statements"].as_array());
    let needed: BTreeSet<&str> = (statements.flatten())
        .filter_map(|statement| statement["Action"].as_str())
        .collect();
    assert_eq!(needed.len(), 6, "{needed:?}");
    let of_secrets = read("extension/src/diagnostics/advice/secret.rs");
    let of_secrets = of_secrets.split("#[cfg(test)]").next().unwrap_or_default();
    for (path, begin, end) in PASSAGES {
        let text = read(path);
        let at = text
            .find(begin)
            .unwrap_or_else(|| panic!("{path} has no {begin}"));
        let passage = text[at..].split(end).next().unwrap_or_default();
        let mut found = actions(passage);
        if path.ends_with("advice.rs") {
            found.extend(actions(of_secrets));
        }
        assert_eq!(found, needed, "{path}: {passage}");
    }
}

#[test]
fn actions_are_found_in_prose() {
    let text = "`s3:PutObject`, kms:Decrypt. Not s3://bucket, s3: or `kms:ViaService`.";
    assert_eq!(
        actions(text),
        BTreeSet::from(["kms:Decrypt", "s3:PutObject"])
    );
}
