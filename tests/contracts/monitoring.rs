//! The metrics that the extension writes, those that alarms and dashboards watch, and their reference page.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::repository;

const DOCS: &str = "docs/operations.md";
const TERRAFORM: &str = "terraform/modules/monitoring";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("it is there")
}

/// The texts between two others.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    let rest = text.split(before).skip(1);
    rest.filter_map(move |rest| rest.split_once(after).map(|(inner, _)| inner))
}

/// The names of the extension's metrics, as its ledger line writes names: each text in its table of them.
fn written() -> BTreeSet<String> {
    let source = read("extension/src/metrics/mod.rs");
    let texts = source.split('"').skip(1).step_by(2);
    texts.map(str::to_owned).collect()
}

/// As `CloudWatch`'s metrics are named.
fn pascal_case(name: &str) -> String {
    let upper = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(upper).collect()
}

fn alarms() -> serde_json::Map<String, Value> {
    let text = read(&format!("{TERRAFORM}/alarms.json"));
    serde_json::from_str(&text).expect("it is an object")
}

#[test]
fn the_page_has_every_metric_of_the_extensions_and_no_other() {
    let docs = read(DOCS);
    let rows = docs.lines().filter_map(|line| {
        let (name, otlp) = line.strip_prefix("| `")?.split_once("` | `backstop.")?;
        Some((name.to_owned(), otlp.split('`').next()?.to_owned()))
    });
    let expected = written().into_iter().map(|name| (pascal_case(&name), name));
    assert_eq!(
        rows.collect::<BTreeSet<_>>(),
        expected.collect::<BTreeSet<_>>()
    );
}

#[test]
fn alarms_watch_metrics_that_the_extension_writes_in_its_namespace() {
    let namespace = read("extension/src/metrics/emf.rs");
    let namespace = between(&namespace, "const NAMESPACE: &str = \"", "\"").next();
    let written: BTreeSet<String> = written().iter().map(|name| pascal_case(name)).collect();
    let mut watched = 0;
    for (name, alarm) in alarms() {
        let is_ours = alarm["namespace"].as_str() == namespace;
        watched += usize::from(is_ours);
        let metric = alarm["metric"].as_str().unwrap();
        assert_eq!(written.contains(metric), is_ours, "{name}: {metric}");
    }
    assert_eq!(watched, 3);
}

#[test]
fn alarms_are_the_same_in_terraform_in_the_library_and_on_the_page() {
    let library = read("cdk/src/alarms.ts");
    let docs = read(DOCS);
    for (name, alarm) in alarms() {
        let begin = format!("'{name}': {{");
        let row = between(&library, &begin, "},").next();
        let row = row.unwrap_or_else(|| panic!("{name} is not in the library"));
        for member in ["namespace", "metric", "description"] {
            let text = format!("{member}: '{}'", alarm[member].as_str().unwrap());
            assert!(row.contains(&text), "{name} is without {text}");
        }
        let threshold = format!("threshold: {},", alarm["threshold"]);
        assert!(row.contains(&threshold), "{name} is without {threshold}");
        let row = format!("| `{name}` | ");
        assert!(docs.contains(&row), "{DOCS} is without {name}");
    }
    let in_library = between(&library, "  '", "': {").count();
    assert_eq!(in_library, alarms().len());
}

#[test]
fn both_dashboards_draw_the_same_metrics_which_the_extension_writes() {
    let written: BTreeSet<String> = written().iter().map(|name| pascal_case(name)).collect();
    let terraform = read(&format!("{TERRAFORM}/dashboard.tf"));
    let library = read("cdk/src/monitoring.ts");
    let titles: Vec<&str> = between(&terraform, "{ title = \"", "\"").collect();
    let of_library: Vec<&str> = between(&library, "graph('", "'").collect();
    assert_eq!(titles, of_library);
    let drawn = between(&terraform, "{Backstop,", "]").map(|row| {
        // `FunctionName}", "Received", "Sum"`
        let texts: Vec<&str> = row.split("\", \"").collect();
        let [schema, metric, statistic] = texts[..] else {
            panic!("{row}");
        };
        let (schema, statistic) = (
            schema.trim_end_matches('}'),
            statistic.trim_end_matches('"'),
        );
        (schema.to_owned(), metric.to_owned(), statistic.to_owned())
    });
    let drawn: BTreeSet<_> = drawn.collect();
    let of_library = between(&library, "search('", "')").map(|call| {
        let texts: Vec<&str> = call.split("', '").collect();
        let [schema, metric, statistic] = texts[..] else {
            panic!("{call}");
        };
        (schema.to_owned(), metric.to_owned(), statistic.to_owned())
    });
    assert_eq!(drawn, of_library.collect());
    for (_, metric, _) in &drawn {
        assert!(written.contains(metric), "{metric}");
    }
}
