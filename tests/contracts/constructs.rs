//! What a Terraform module makes, the construct of the CDK library with its name makes too: the same permissions, variables
//! and alarms.
//!
//! `permissions.json` of the module has the statements word for word. The module's tests hold its policies to it, and those of
//! the library theirs. Here nobody needs Terraform or Node to see that a name is in the one and not in the other.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::repository;

/// A module, and the sources of its construct.
struct Pair {
    module: &'static str,
    /// The file of the module that has its policies.
    policies: &'static str,
    sources: &'static [&'static str],
    /// Which of them has its policies.
    statements: &'static str,
    /// What the names of its environment variables begin with.
    variables: &'static str,
}

const PAIRS: [Pair; 2] = [
    Pair {
        module: "controller",
        policies: "policy.tf",
        sources: &[
            "controller.ts",
            "controller-policy.ts",
            "controller-settings.ts",
        ],
        statements: "controller-policy.ts",
        variables: "CONTROLLER_",
    },
    Pair {
        module: "gateway",
        policies: "roles.tf",
        sources: &["gateway.ts", "gateway-tasks.ts", "gateway-settings.ts"],
        statements: "gateway-tasks.ts",
        variables: "GATEWAY_",
    },
];

impl Pair {
    fn of_module(&self, file: &str) -> String {
        let path = repository().join("terraform/modules").join(self.module);
        fs::read_to_string(path.join(file)).expect("the module is there")
    }

    /// All files of the module.
    fn module(&self) -> String {
        let path = repository().join("terraform/modules").join(self.module);
        let files = fs::read_dir(path).expect("the module is there");
        let files = files.map(|entry| entry.expect("it can be read").path());
        let files = files.filter(|path| path.extension().is_some_and(|its| its == "tf"));
        files
            .map(|path| fs::read_to_string(path).expect("it can be read"))
            .collect()
    }

    /// The sources of the construct.
    fn construct(&self) -> String {
        self.sources.iter().copied().map(source).collect()
    }
}

/// A source of the CDK library.
fn source(name: &str) -> String {
    fs::read_to_string(repository().join("cdk/src").join(name)).expect("the library is there")
}

/// The actions in a text, which are its words of the form `service:Action`, in small letters but for the first of each word.
fn actions(text: &str) -> BTreeSet<String> {
    let is_part = |one: char| one.is_ascii_alphanumeric() || one == ':' || one == '-';
    let words = text.split(|one| !is_part(one));
    let actions = words.filter(|word| {
        word.split_once(':').is_some_and(|(service, action)| {
            let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            service.bytes().all(is_lower)
                && action.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && action.starts_with(|one: char| one.is_ascii_uppercase())
                && action[1..].starts_with(|one: char| one.is_ascii_lowercase())
        })
    });
    // The key of a condition looks the same.
    let actions = actions.filter(|word| *word != "kms:ViaService");
    actions.map(str::to_owned).collect()
}

/// The actions of statements that a module writes as lists; who may assume a role is written without one.
fn listed(text: &str) -> BTreeSet<String> {
    let lists = text.split("Action").skip(1);
    let lists = lists.filter_map(|rest| rest.trim_start().strip_prefix("= ["));
    lists
        .filter_map(|rest| rest.split_once(']'))
        .flat_map(|(list, _)| actions(list))
        .collect()
}

/// All actions that a value of JSON has under `Action`.
fn golden(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "Action" {
                    found.extend(actions(&member.to_string()));
                } else {
                    golden(member, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| golden(item, found)),
        _ => {}
    }
}

/// A text without what stands in `${…}`, which each language names in its own way.
fn without_names(text: &str) -> String {
    let mut parts = text.split("${");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        all += "{}";
        all += part.split_once('}').map_or("", |(_, rest)| rest);
    }
    all
}

#[test]
fn a_module_and_its_construct_give_the_permissions_of_one_file() {
    for pair in PAIRS {
        let file = pair.of_module("tests/permissions.json");
        let mut expected = BTreeSet::new();
        golden(
            &serde_json::from_str(&file).expect("it is JSON"),
            &mut expected,
        );
        assert!(expected.len() >= 6, "{expected:?}");
        assert_eq!(
            listed(&pair.of_module(pair.policies)),
            expected,
            "{}",
            pair.module
        );
        assert_eq!(
            actions(&source(pair.statements)),
            expected,
            "{}",
            pair.module
        );
    }
}

#[test]
fn a_module_and_its_construct_set_the_same_variables() {
    for pair in PAIRS {
        let names = |text: &str| -> BTreeSet<String> {
            let is_part = |one: char| one.is_ascii_uppercase() || one == '_';
            let words = text.split(|one| !is_part(one));
            let words = words.filter(|word| word.starts_with(pair.variables));
            words.map(str::to_owned).collect()
        };
        let of_module = names(&pair.module());
        assert!(of_module.len() > 5, "{of_module:?}");
        assert_eq!(names(&pair.construct()), of_module, "{}", pair.module);
    }
}

#[test]
fn the_alarms_of_a_module_and_of_its_construct_say_the_same() {
    for pair in PAIRS {
        let construct = without_names(&pair.construct()).replace("\\`", "`");
        // What is refused, each language says in its own names.
        let alarms = pair.of_module("alarms.tf");
        let alarms = alarms
            .lines()
            .filter(|line| !line.contains("error_message"));
        let alarms = without_names(&alarms.collect::<Vec<_>>().join("\n"));
        let texts = alarms.split('"').skip(1).step_by(2);
        let sentences: Vec<&str> = texts
            .filter(|text| text.contains(' ') && text.ends_with('.'))
            .collect();
        assert!(sentences.len() >= 2, "{sentences:?}");
        for sentence in sentences {
            assert!(
                construct.contains(sentence),
                "{} is without: {sentence}",
                pair.module
            );
        }
    }
}

#[test]
fn actions_are_found_in_both_languages() {
    let expected = BTreeSet::from(["ecr:BatchGetImage".to_owned(), "s3:PutObject".to_owned()]);
    let text =
        "Action = [\n \"s3:PutObject\",\n \"ecr:BatchGetImage\"]\nAction = \"sts:AssumeRole\"";
    assert_eq!(listed(text), expected);
    assert_eq!(
        actions("['s3:PutObject', 'ecr:BatchGetImage'], 'kms:ViaService', 'dns:///x:1'"),
        expected
    );
    assert_eq!(
        without_names("log of ${var.name}, or ${this.name}."),
        "log of {}, or {}."
    );
}
