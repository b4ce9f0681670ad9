//! The CDK library and the register speak of the same variables, with the same bounds.

use std::collections::BTreeMap;
use std::fs;

use backstop_config::Settings;
use serde_json::Value;

use crate::{names, register, registered, repository, text, values};

/// A source of the library.
fn source(name: &str) -> String {
    let path = repository().join("cdk/src").join(name);
    fs::read_to_string(path).expect("the library is there")
}

#[test]
fn the_library_sets_exactly_the_variables_of_the_register() {
    let registered = registered();
    assert_eq!(names(&source("register.ts")), registered);
    // Each is set, and documented with the property that sets it.
    assert_eq!(names(&source("settings.ts")), registered);
}

#[test]
fn the_library_knows_bounds_and_values_of_the_register() {
    let rows = source("register.ts");
    for variable in register("variables") {
        let (name, secret) = (text(&variable, "name"), &variable["secret"]);
        let begin = format!("{{ name: '{name}', secret: {secret},");
        let row = rows
            .lines()
            .find(|line| line.contains(&begin))
            .unwrap_or_else(|| panic!("{begin} is not there"));
        let kind = text(&variable, "kind");
        let bounds = match kind {
            "integer" => format!(", min: {}, max: {}", variable["min"], variable["max"]),
            "oneOf" | "someOf" => format!(", values: ['{}']", values(&variable).join("', '")),
            _ => String::new(),
        };
        let default = variable["default"].as_str();
        let default = default.map_or_else(String::new, |text| format!(", default: '{text}'"));
        let expected = format!(" kind: '{kind}'{bounds}{default} }},");
        assert!(row.ends_with(&expected), "{row} is without {expected}");
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
