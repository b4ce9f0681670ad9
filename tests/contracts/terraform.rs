//! The Terraform modules and the register speak of the same variables, with the same bounds.

use std::collections::BTreeSet;
use std::fs;

use backstop_config::{Kind, REGISTER};

use crate::{names, repository};

/// A file of the module that knows the extension's variables.
fn source(name: &str) -> String {
    let path = repository().join("terraform/modules/attachment").join(name);
    fs::read_to_string(path).expect("the module is there")
}

#[test]
fn the_module_sets_exactly_the_variables_of_the_register() {
    let registered: BTreeSet<&str> = REGISTER.iter().map(|variable| variable.name).collect();
    assert_eq!(names(&source("main.tf")), registered);
    // Each is documented with the argument that sets it.
    assert_eq!(names(&source("variables.tf")), registered);
}

#[test]
fn what_the_module_warns_of_as_unknown_leaves_out_no_secret() {
    let secrets: BTreeSet<&str> = REGISTER
        .iter()
        .filter(|variable| variable.secret)
        .map(|variable| variable.name)
        .collect();
    assert_eq!(names(&source("warnings.tf")), secrets);
}

#[test]
fn the_module_accepts_what_the_register_does() {
    let arguments = source("variables.tf");
    for variable in REGISTER {
        let documented = format!("(`{}`)", variable.name);
        let line = arguments
            .lines()
            .find(|line| line.contains(&documented))
            .unwrap_or_else(|| panic!("{documented} is not documented"));
        match variable.kind {
            Kind::Integer { min, max, .. } => {
                assert!(line.contains(&format!("{min} to {max}")), "{line}");
                let bounds = [format!(">= {min} &&"), format!("<= {max} &&")];
                assert!(
                    bounds.iter().all(|bound| arguments.contains(bound)),
                    "{bounds:?}"
                );
            }
            Kind::OneOf { values, .. } if values != ["true", "false"] => {
                assert!(
                    arguments.contains(&format!("contains({values:?}")),
                    "{values:?}"
                );
            }
            Kind::ListOf(values) => {
                assert!(
                    arguments.contains(&format!("contains({values:?}")),
                    "{values:?}"
                );
            }
            Kind::OneOf { .. } | Kind::Url | Kind::Text | Kind::Pairs => {}
        }
    }
}
