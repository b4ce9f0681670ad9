//! The CDK library and the register speak of the same variables, with the same bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use backstop_config::{Backend, Kind, REGISTER, Settings};
use serde_json::Value;

use crate::{names, repository};

/// A source of the library.
fn source(name: &str) -> String {
    let path = repository().join("cdk/src").join(name);
    fs::read_to_string(path).expect("the library is there")
}

#[test]
fn the_library_sets_exactly_the_variables_of_the_register() {
    let registered: BTreeSet<&str> = REGISTER.iter().map(|variable| variable.name).collect();
    assert_eq!(names(&source("register.ts")), registered);
    // Each is set, and documented with the property that sets it.
    assert_eq!(names(&source("settings.ts")), registered);
}

#[test]
fn the_library_knows_bounds_and_values_of_the_register() {
    let rows = source("register.ts");
    for variable in REGISTER {
        let begin = format!("{{ name: '{}', secret: {},", variable.name, variable.secret);
        let row = rows
            .lines()
            .find(|line| line.contains(&begin))
            .unwrap_or_else(|| panic!("{begin} is not there"));
        let quoted = |values: &[&str]| format!("values: ['{}']", values.join("', '"));
        let expected = match variable.kind {
            Kind::Integer { min, max, .. } => format!("min: {min}, max: {max} }}"),
            Kind::OneOf { values, .. } | Kind::ListOf(values) => quoted(values),
            Kind::Url => "kind: 'address'".to_owned(),
            Kind::Text => "kind: 'text'".to_owned(),
            Kind::Pairs => "kind: 'pairs'".to_owned(),
        };
        assert!(row.contains(&expected), "{row} is without {expected}");
    }
}

/// What the library was asked for, as it would reach the extension.
fn environment(kind: &str, value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let pair = || format!("{}={}", text(&value[0]), text(&value[1]));
    let (name, value) = match kind {
        "url" => ("BACKSTOP_PRIMARY_URL", text(value)),
        "token" => ("BACKSTOP_PRIMARY_TOKEN", text(value)),
        "header" => ("BACKSTOP_PRIMARY_HEADERS", pair()),
        "tag" => ("BACKSTOP_TAGS", pair()),
        "stream" => ("BACKSTOP_FIREHOSE_STREAM", text(value)),
        "bucket" => ("BACKSTOP_S3_BUCKET", text(value)),
        "prefix" => ("BACKSTOP_S3_PREFIX", text(value)),
        "region" => ("BACKSTOP_S3_REGION", text(value)),
        "key" => ("BACKSTOP_S3_KMS_KEY_ID", text(value)),
        "owner" => ("BACKSTOP_S3_EXPECTED_BUCKET_OWNER", text(value)),
        _ => panic!("{kind} is not known"),
    };
    BTreeMap::from([
        (
            "BACKSTOP_PRIMARY_URL".to_owned(),
            "https://logs.example.com".to_owned(),
        ),
        (name.to_owned(), value),
    ])
}

#[test]
fn the_extension_takes_and_refuses_what_the_library_does() {
    let cases = fs::read_to_string(repository().join("cdk/test/cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    for (kind, cases) in cases.as_object().unwrap() {
        for (verdict, is_accepted) in [("accepted", true), ("refused", false)] {
            for case in cases[verdict].as_array().unwrap() {
                let (_, errors) = Settings::resolve(&environment(kind, case));
                assert_eq!(errors.is_empty(), is_accepted, "{kind} {case}: {errors:?}");
            }
        }
    }
}

/// The cases that Terraform and CDK are put to as well.
fn backends() -> Value {
    let path = repository().join("cdk/test/backends.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn options(case: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(case["options"].clone()).expect("texts by name")
}

#[test]
fn a_backend_becomes_what_the_extension_takes() {
    let backends = backends();
    let accepted = backends["accepted"].as_array().unwrap();
    let named = |name: &str| accepted.iter().any(|case| case["backend"] == name);
    assert!(
        backstop_config::BACKENDS
            .iter()
            .all(|backend| named(backend.name))
    );
    for case in accepted {
        let backend = Backend::named(case["backend"].as_str().unwrap()).unwrap();
        let it = backend.resolve(&options(case)).unwrap();
        let mut headers: Vec<String> = (it.headers.iter())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        headers.extend(it.token_header.map(|name| format!("{name}=t0ken")));
        let token = format!("{}t0ken", it.token_prefix);
        let expected = |name: &str| case[name].as_str();
        assert_eq!(Some(it.url.as_str()), expected("url"));
        assert_eq!(Some(it.format.as_str()), expected("format"));
        let headers = headers.join(",");
        assert_eq!(headers, expected("headers").unwrap_or_default());
        assert_eq!(
            it.token_header.is_none().then_some(&*token),
            expected("token")
        );

        let mut environment = BTreeMap::from([
            ("BACKSTOP_PRIMARY_URL".to_owned(), it.url),
            (
                "BACKSTOP_PRIMARY_FORMAT".to_owned(),
                it.format.as_str().to_owned(),
            ),
            ("BACKSTOP_PRIMARY_HEADERS".to_owned(), headers),
        ]);
        if it.token_header.is_none() {
            environment.insert("BACKSTOP_PRIMARY_TOKEN".to_owned(), token);
        }
        let (settings, errors) = Settings::resolve(&environment);
        assert!(errors.is_empty(), "{case}: {errors:?}");
        let primary = settings.primary.expect("a primary");
        assert_eq!(Some(primary.url.as_str()), expected("sent"));
    }
}

#[test]
fn the_module_is_put_to_the_same_cases() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let module = read("terraform/modules/attachment/tests/backends/cases.json");
    assert!(
        module == read("cdk/test/backends.json"),
        "copy the one over the other"
    );
}

#[test]
fn the_extension_takes_the_options_of_a_format_that_the_library_does() {
    for case in backends()["options"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        let option = format!("{}={}", text("name"), text("value"));
        let environment = BTreeMap::from([
            (
                "BACKSTOP_PRIMARY_URL".to_owned(),
                "https://a.example".to_owned(),
            ),
            ("BACKSTOP_PRIMARY_FORMAT".to_owned(), text("format")),
            ("BACKSTOP_PRIMARY_OPTIONS".to_owned(), option),
        ]);
        let (_, errors) = Settings::resolve(&environment);
        assert_eq!(
            errors.is_empty(),
            case["accepted"] == true,
            "{case}: {errors:?}"
        );
    }
}

#[test]
fn a_backend_is_refused_with_what_to_do_and_without_a_value() {
    for case in backends()["refused"].as_array().unwrap() {
        let name = case["backend"].as_str().unwrap();
        let problems = match Backend::named(name) {
            Ok(backend) => backend.resolve(&options(case)).unwrap_err().join("\n"),
            Err(problem) => problem,
        };
        for words in case["words"].as_array().unwrap() {
            assert!(
                problems.contains(words.as_str().unwrap()),
                "{case}: {problems}"
            );
        }
    }
}
