//! The register and the resolver say the same.

use std::collections::BTreeMap;

use backstop_config::{ErrorKind, Initial, Kind, REGISTER, Settings, Variable};

use crate::resolve;

/// An environment in which every default has an effect.
const BASE: [(&str, &str); 3] = [
    ("BACKSTOP_PRIMARY_URL", "https://intake.example.com"),
    ("BACKSTOP_FIREHOSE_STREAM", "stream"),
    ("BACKSTOP_S3_BUCKET", "archive"),
];

fn resolve_with(variable: &Variable, value: &str) -> (Settings, Vec<String>) {
    let mut variables = BASE.to_vec();
    variables.push((variable.name, value));
    if variable.name == "BACKSTOP_METRICS" && value != "off" {
        // They need a primary that gets metrics.
        variables.push(("BACKSTOP_SIGNALS", "logs,metrics"));
    }
    resolve(&variables)
}

#[test]
fn every_default_of_the_register_is_what_holds_without_the_variable() {
    let (base, errors) = resolve(&BASE);
    assert_eq!(errors, [""; 0]);
    let empty = resolve(&[]).0;
    for variable in REGISTER {
        match variable.default {
            Initial::Value(text) => {
                let set = resolve(&[(variable.name, text)]).0;
                assert_eq!(set, empty, "{}", variable.name);
                assert_eq!(
                    resolve_with(variable, text),
                    (base.clone(), vec![]),
                    "{}",
                    variable.name
                );
            }
            Initial::Computed(_) => assert!(
                [
                    "BACKSTOP_BUFFER_MAX_BYTES",
                    "BACKSTOP_S3_REGION",
                    "BACKSTOP_SIGNALS"
                ]
                .contains(&variable.name)
            ),
            Initial::Unset => {}
        }
    }
}

#[test]
fn every_value_of_the_register_is_accepted_and_every_later_one_refused() {
    for variable in REGISTER {
        let (accepted, refused): (Vec<String>, Vec<String>) = match variable.kind {
            Kind::OneOf { values, later } => (
                values.iter().map(ToString::to_string).collect(),
                later.iter().map(ToString::to_string).collect(),
            ),
            Kind::ListOf(values) => (vec![values.join(",")], vec!["other".to_owned()]),
            Kind::Integer { min, max, .. } => (
                vec![min.to_string(), max.to_string()],
                vec![(max + 1).to_string()],
            ),
            Kind::Url | Kind::Text | Kind::Pairs => continue,
        };
        for value in accepted {
            assert_eq!(
                resolve_with(variable, &value).1,
                [""; 0],
                "{}={value}",
                variable.name
            );
        }
        for value in refused {
            let errors = resolve_with(variable, &value).1;
            assert_eq!(errors.len(), 1, "{}={value}: {errors:?}", variable.name);
            assert!(errors[0].starts_with(variable.name), "{errors:?}");
        }
    }
}

#[test]
fn every_error_has_the_kind_of_its_mistake() {
    let kinds = |variables: &[(&str, &str)]| {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (_, errors) = Settings::resolve(&owned.collect::<BTreeMap<_, _>>());
        let kinds = errors.iter().map(backstop_config::ConfigError::kind);
        kinds.collect::<Vec<_>>()
    };
    let fallback = ("BACKSTOP_FALLBACK", "s3");
    for (variables, expected) in [
        (vec![], vec![ErrorKind::NoSink]),
        (
            vec![BASE[0], ("BACKSTOP_TAG", "x=y")],
            vec![ErrorKind::UnknownName],
        ),
        (
            vec![BASE[0], ("BACKSTOP_REDACT_ARCHIV", "x")],
            vec![ErrorKind::UnknownName],
        ),
        (
            vec![("BACKSTOP_PRIMARY_URL", "ftp://host")],
            vec![ErrorKind::Invalid, ErrorKind::NoSink],
        ),
        (vec![BASE[0], fallback], vec![ErrorKind::Conflict]),
        (
            vec![
                BASE[2],
                ("AWS_ENDPOINT_URL_S3", "http://localhost"),
                ("AWS_USE_FIPS_ENDPOINT", "true"),
            ],
            vec![ErrorKind::Conflict, ErrorKind::NoSink],
        ),
    ] {
        assert_eq!(kinds(&variables), expected, "{variables:?}");
    }
}

#[test]
fn names_are_of_one_form_and_numbers_say_their_unit() {
    for (index, variable) in REGISTER.iter().enumerate() {
        let name = variable.name;
        assert!(name.starts_with("BACKSTOP_"), "{name}");
        assert!(
            name.bytes()
                .all(|each| each.is_ascii_uppercase() || each.is_ascii_digit() || each == b'_'),
            "{name}"
        );
        assert!(
            REGISTER[..index].iter().all(|other| other.name != name),
            "{name} is there twice"
        );
        assert!(variable.summary.ends_with('.'), "{name}");
        if let Kind::Integer { unit, .. } = variable.kind {
            let suffix = if unit == "bytes" { "_BYTES" } else { "_MS" };
            assert!(name.ends_with(suffix), "{name}");
        }
    }
}
