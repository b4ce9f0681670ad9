//! The Terraform modules and the register speak of the same variables, with the same bounds.

use std::collections::BTreeSet;
use std::fs;

use crate::{name, names, register, registered, repository, text, values};

/// A file of the module that knows the extension's variables.
fn source(name: &str) -> String {
    let path = repository().join("terraform/modules/attachment").join(name);
    fs::read_to_string(path).expect("the module is there")
}

#[test]
fn the_module_sets_exactly_the_variables_of_the_register() {
    let registered = registered();
    assert_eq!(names(&source("main.tf")), registered);
    // Each is documented with the argument that sets it.
    assert_eq!(names(&source("variables.tf")), registered);
}

#[test]
fn what_the_module_warns_of_as_unknown_leaves_out_no_secret() {
    let secrets: BTreeSet<String> = register("variables")
        .iter()
        .filter(|variable| variable["secret"] == true)
        .map(name)
        .collect();
    assert_eq!(names(&source("warnings.tf")), secrets);
}

#[test]
fn the_module_knows_every_partition() {
    let policy = source("policy.tf");
    let (_, table) = policy
        .split_once("  partitions = {")
        .expect("it has a table");
    let (table, _) = table.split_once("  }").expect("the table ends");
    let rows: Vec<(&str, &str)> = (table.lines())
        .filter_map(|line| line.split_once(" = "))
        .map(|(prefix, partition)| (prefix.trim(), partition.trim()))
        .map(|(prefix, partition)| (prefix.trim_matches('"'), partition.trim_matches('"')))
        .collect();
    assert_eq!(rows, backstop_config::PARTITIONS);
}

#[test]
fn the_module_accepts_what_the_register_does() {
    let arguments = source("variables.tf");
    for variable in register("variables") {
        let documented = format!("(`{}`)", text(&variable, "name"));
        let line = arguments
            .lines()
            .find(|line| line.contains(&documented))
            .unwrap_or_else(|| panic!("{documented} is not documented"));
        match text(&variable, "kind") {
            "integer" => {
                let (min, max) = (&variable["min"], &variable["max"]);
                assert!(line.contains(&format!("{min} to {max}")), "{line}");
                let bounds = [format!(">= {min} &&"), format!("<= {max} &&")];
                assert!(
                    bounds.iter().all(|bound| arguments.contains(bound)),
                    "{bounds:?}"
                );
            }
            "oneOf" | "someOf" if values(&variable) != ["true", "false"] => {
                let values = values(&variable);
                assert!(
                    arguments.contains(&format!("contains({values:?}")),
                    "{values:?}"
                );
            }
            "oneOf" | "address" | "text" | "pairs" => {}
            kind => panic!("{kind} is not known"),
        }
    }
}

#[test]
fn the_policy_reads_a_variable_that_is_not_set_as_the_extension_does() {
    let policy = source("policy.tf");
    let mut defaults = 0;
    for variable in register("variables") {
        let begin = format!("coalesce(local.in_force.{}, \"", text(&variable, "name"));
        for rest in policy.split(&begin).skip(1) {
            let value = rest.split('"').next();
            assert_eq!(value, variable["default"].as_str(), "{begin}");
            defaults += 1;
        }
    }
    assert_eq!(defaults, 2, "the prefix and the order");
}
