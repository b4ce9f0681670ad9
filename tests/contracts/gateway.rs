//! The page about the gateway names what its configuration, its chart and its Terraform module have.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::repository;

fn read(path: &str) -> String {
    let text = fs::read_to_string(repository().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file of the collector's configuration, in one text.
fn configuration(directory: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(directory).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        if path.is_dir() {
            all += &configuration(&path);
        } else if path.extension().is_some_and(|its| its == "yaml") {
            all += &fs::read_to_string(path).expect("the file can be read");
        }
    }
    all
}

/// What follows each mark, as far as it is a name.
fn names<'a>(text: &'a str, mark: &'a str) -> BTreeSet<&'a str> {
    let rest = text.split(mark).skip(1);
    rest.map(|rest| {
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
    .collect()
}

/// The words of a page that are in code marks.
fn marked(page: &str) -> BTreeSet<&str> {
    page.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_variable_of_the_configuration_is_on_the_page() {
    let configuration = configuration(&repository().join("gateway/collector"));
    let variables = names(&configuration, "${env:");
    assert!(variables.len() > 30, "{variables:?}");
    let page = read("docs/gateway.md");
    let marked = marked(&page);
    let missing: Vec<_> = variables.difference(&marked).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    // And none that is gone.
    let named = marked.iter().filter(|it| it.starts_with("GATEWAY_"));
    let stale: Vec<_> = named
        .filter(|it| !variables.contains(it.split('=').next().unwrap_or_default()))
        .collect();
    assert!(stale.is_empty(), "on the page alone: {stale:?}");
}

#[test]
fn every_alarm_of_the_chart_and_of_the_module_is_on_the_page() {
    let chart = read("gateway/chart/templates/monitoring.yaml");
    let alarms = names(&chart, "- alert: ");
    assert!(alarms.len() >= 8, "{alarms:?}");
    let module = read("terraform/modules/gateway/alarms.tf");
    let module: BTreeSet<_> = (module.lines())
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" = {"))
        .filter(|name| !name.starts_with(' '))
        .collect();
    assert!(module.len() >= 5, "{module:?}");
    let page = read("docs/gateway.md");
    let (_, section) = page.split_once("\n## Alarms\n").expect("it has a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let marked = marked(section);
    for alarm in alarms.union(&module) {
        assert!(marked.contains(alarm), "{alarm} is not on the page");
    }
}

#[test]
fn every_preset_is_in_the_chart_in_the_module_and_on_the_page() {
    let presets = repository().join("gateway/collector/presets");
    let presets: BTreeSet<String> = fs::read_dir(presets)
        .expect("the repository can be read")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.split('.').next()?.to_owned())
        })
        .collect();
    let page = read("docs/gateway.md");
    for preset in &presets {
        assert!(page.contains(&format!("\n| `{preset}` | ")), "{preset}");
    }
    let quoted: Vec<String> = presets.iter().map(|it| format!("\"{it}\"")).collect();
    let listed = quoted.join(", ");
    let schema = read("gateway/chart/values.schema.json");
    let variables = read("terraform/modules/gateway/variables.tf");
    // In their own order, which differs from the alphabet's.
    for text in [&schema, &variables] {
        assert!(
            quoted.iter().all(|it| text.contains(it.as_str())),
            "{listed}"
        );
    }
}
