//! Backends by their names: the extension takes what the table makes of them, the library and the module are put to
//! the same cases, and the page about them holds nothing that the extension refuses or would not say.

use std::collections::BTreeMap;
use std::fs;

use backstop_config::{BACKENDS, Backend, Settings};
use serde_json::Value;

use crate::repository;

/// The cases that Terraform and CDK are put to as well.
fn backends() -> Value {
    let path = repository().join("cdk/test/backends.json");
    let text = fs::read_to_string(path).expect("the cases are there");
    serde_json::from_str(&text).expect("they are JSON")
}

fn options(case: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(case["options"].clone()).expect("texts by name")
}

#[test]
fn a_backend_becomes_what_the_extension_takes() {
    let backends = backends();
    let accepted = backends["accepted"].as_array().unwrap();
    let named = |name: &str| accepted.iter().any(|case| case["backend"] == name);
    assert!(BACKENDS.iter().all(|backend| named(backend.name)));
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

fn page() -> String {
    fs::read_to_string(repository().join("docs/backends.md")).expect("the page is there")
}

/// The blocks of code in a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let parts = page.split(begin.as_str()).skip(1);
    parts
        .filter_map(|part| Some(part.split_once("```")?.0))
        .collect()
}

#[test]
fn what_the_page_says_to_set_is_taken() {
    let page = page();
    let blocks = blocks(&page, "sh");
    assert_eq!(blocks.len(), 8, "one for each format, and one for a name");
    for block in blocks {
        let environment: BTreeMap<String, String> = (block.lines())
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let (settings, errors) = Settings::resolve(&environment);
        assert!(
            errors.is_empty() && settings.primary.is_some(),
            "{block}: {errors:?}"
        );
    }
}

#[test]
fn every_backend_that_the_page_uses_is_one() {
    let page = page();
    for (language, before, quote) in [
        ("toml", "backend = \"", '"'),
        ("hcl", "backend = \"", '"'),
        ("ts", "backend: '", '\''),
    ] {
        // Members are aligned.
        let plain = |block: &&str| block.split_whitespace().collect::<Vec<_>>().join(" ");
        let blocks: Vec<String> = blocks(&page, language).iter().map(plain).collect();
        let names: Vec<&str> = (blocks.iter())
            .flat_map(|block| block.split(before).skip(1))
            .filter_map(|rest| Some(rest.split_once(quote)?.0))
            .collect();
        assert!(names.len() >= 5, "{language}: {names:?}");
        for name in names {
            assert!(Backend::named(name).is_ok(), "{name}");
        }
    }
}

#[test]
fn every_message_on_the_page_is_one_that_the_extension_writes() {
    let advice = repository().join("extension/src/diagnostics/advice.rs");
    let log = repository().join("extension/src/diagnostics.rs");
    let source = fs::read_to_string(advice).unwrap() + &fs::read_to_string(log).unwrap();
    // A text that goes on in the next line of the source.
    let parts: Vec<&str> = source.split("\\\n").collect();
    let source = parts
        .iter()
        .map(|part| part.trim_start())
        .collect::<String>();
    let page = page();
    let messages: Vec<&str> = (page.split('`').skip(1).step_by(2))
        .chain(
            page.split("\"message\":\"")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once('"')?.0)),
        )
        .filter(|text| text.starts_with("A sink"))
        .collect();
    assert!(messages.len() > 20);
    for message in messages {
        assert!(source.contains(message), "{message}");
    }
}
