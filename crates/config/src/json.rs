//! The register and the backends as JSON, for code that is not Rust: the CDK library, the Terraform modules, and
//! the contract tests over them.
//!
//! Invariant: `register.json` and `backends.json` equal [`register_json`] and [`backends_json`]; tests hold it,
//! and `BACKSTOP_BLESS=1 cargo test -p backstop-config` writes them again.
//!
//! Must not: hold a text that Rust and JSON quote in different ways, which is any with a control character.

use crate::backends::{BACKENDS, Backend, BackendOption, Rule};
use crate::format::Format;
use crate::register::{REGISTER, STANDARD};
use crate::variable::{Initial, Kind, Variable};

/// The register as `crates/config/register.json` has it.
pub fn register_json() -> String {
    let variables: Vec<String> = REGISTER.iter().map(variable_json).collect();
    let standard = STANDARD
        .iter()
        .map(|it| format!("  {{\"name\": {:?}, \"doc\": {:?}}}", it.name, it.summary));
    format!(
        "{{\n\"variables\": [\n{}\n],\n\"standard\": [\n{}\n]\n}}\n",
        variables.join(",\n"),
        standard.collect::<Vec<_>>().join(",\n"),
    )
}

/// A member that says nothing of this variable is left out.
fn variable_json(variable: &Variable) -> String {
    let mut members = vec![
        format!("\"name\": {:?}", variable.name),
        format!("\"secret\": {}", variable.secret),
    ];
    let kind = match variable.kind {
        Kind::Url => "address",
        Kind::Text => "text",
        Kind::Pairs => "pairs",
        Kind::OneOf { .. } => "oneOf",
        Kind::ListOf(_) => "someOf",
        Kind::Integer { .. } => "integer",
    };
    members.push(format!("\"kind\": {kind:?}"));
    match variable.kind {
        Kind::OneOf { values, later } => {
            members.push(format!("\"values\": {values:?}"));
            if !later.is_empty() {
                members.push(format!("\"later\": {later:?}"));
            }
        }
        Kind::ListOf(values) => members.push(format!("\"values\": {values:?}")),
        Kind::Integer { min, max, unit } => {
            members.push(format!("\"min\": {min}"));
            members.push(format!("\"max\": {max}"));
            members.push(format!("\"unit\": {unit:?}"));
        }
        Kind::Url | Kind::Text | Kind::Pairs => {}
    }
    match variable.default {
        Initial::Unset => {}
        Initial::Value(text) => members.push(format!("\"default\": {text:?}")),
        Initial::Computed(words) => members.push(format!("\"computed_default\": {words:?}")),
    }
    members.push(format!("\"since\": {:?}", variable.since));
    members.push(format!("\"doc\": {:?}", variable.summary));
    format!("  {{\n    {}\n  }}", members.join(",\n    "))
}

/// What an option of a format may be, as a regular expression that means the same to Terraform and to
/// JavaScript. `FormatOptions` decides; a test puts both to the same cases.
const OPTION_PATTERNS: &[(&str, &str)] = &[
    ("emf", "^(metrics|both)$"),
    ("encoding", "^(protobuf|json)$"),
    ("ids", "^(true|false)$"),
    ("index", "^[a-z0-9.][a-z0-9._-]{0,254}$"),
    ("labels", "^[^+,=\"'` ]+([+][^+,=\"'` ]+)*$"),
    ("max_age_hours", "^[0-9]{1,18}$"),
    ("source", "^[^,\"'` ]([^,]*[^,\"'` ])?$"),
    ("sourcetype", "^[^,\"'` ]([^,]*[^,\"'` ])?$"),
];

/// Formats and backends as `crates/config/backends.json` has them.
pub fn backends_json() -> String {
    let formats: Vec<String> = Format::ALL.iter().copied().map(format_json).collect();
    let backends: Vec<String> = BACKENDS.iter().map(backend_json).collect();
    format!(
        "{{\n\"formats\": {{\n{}\n}},\n\"backends\": {{\n{}\n}}\n}}\n",
        formats.join(",\n"),
        backends.join(",\n")
    )
}

fn format_json(format: Format) -> String {
    let options: Vec<String> = (OPTION_PATTERNS.iter())
        .filter(|(name, _)| format.options().contains(name))
        .map(|(name, pattern)| format!("{name:?}: {pattern:?}"))
        .collect();
    format!(
        "  {:?}: {{\"token_header\": {:?}, \"options\": {{{}}}}}",
        format.as_str(),
        format.header_of_token(),
        options.join(", "),
    )
}

fn backend_json(backend: &Backend) -> String {
    let null_or = |value: Option<&str>| value.map_or("null".to_owned(), |it| format!("{it:?}"));
    let object = |pairs: &[(&str, &str)]| {
        let pairs: Vec<String> = (pairs.iter())
            .map(|(name, value)| format!("{name:?}: {value:?}"))
            .collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let option = |option: &BackendOption| {
        let words = match option.rule {
            Rule::Words(words) => words,
            _ => &[],
        };
        let members = [
            format!("\"required\": {}", option.is_required),
            format!("\"default\": {}", null_or(option.default)),
            format!("\"words\": {}", object(words)),
            format!("\"pattern\": {:?}", option.rule.pattern()),
            format!("\"advice\": {:?}", option.rule.advice()),
            format!("\"meaning\": {:?}", option.meaning),
        ];
        format!("      {:?}: {{{}}}", option.name, members.join(", "))
    };
    let options: Vec<String> = backend.options.iter().map(option).collect();
    let members = [
        format!("\"title\": {:?}", backend.title),
        format!("\"format\": {:?}", backend.format.as_str()),
        format!("\"url\": {:?}", backend.url),
        format!("\"headers\": {}", object(backend.headers)),
        format!("\"token_header\": {}", null_or(backend.token_header)),
        format!("\"token_prefix\": {:?}", backend.token_prefix),
        format!("\"needs_token\": {}", backend.needs_token),
        format!("\"options\": {{\n{}\n    }}", options.join(",\n")),
    ];
    format!(
        "  {:?}: {{\n    {}\n  }}",
        backend.name,
        members.join(",\n    ")
    )
}
