//! `docs/configuration.md`, generated from the register; and the backends, as JSON for Terraform and CDK and as
//! the table of `docs/backends.md`.
//!
//! Invariant: the committed files equal [`reference_markdown`], [`backends_json`] and [`backends_markdown`];
//! tests hold it, and `BACKSTOP_BLESS=1 cargo test -p backstop-config` writes them anew.
//!
//! Must not: say anything of a variable or a backend that its table does not say.

use std::fmt::Write as _;

use crate::backends::{BACKENDS, Backend, Rule};
use crate::format::Format;
use crate::register::{LATER, REGISTER, STANDARD};
use crate::variable::{Initial, Kind, Variable};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from crates/config/src/register.rs by `BACKSTOP_BLESS=1 cargo test -p backstop-config`. -->

Backstop is configured by environment variables of the function. Set at least one of
`BACKSTOP_PRIMARY_URL`, `BACKSTOP_FIREHOSE_STREAM` and `BACKSTOP_S3_BUCKET`.

- Space around a value is left out, and an empty value counts as not set.
- Words such as `gzip` and `true` may be written in letters of either case; names of variables may not.
- A mistake never stops the function. All mistakes are reported together in one log line, and
  Backstop runs with what is valid: a tuning variable falls back to its default; a mistake in the
  primary's address, format, headers or token switches the primary off, and records go to the
  fallbacks, from where they can be replayed; a mistake in a fallback's name, key or owner switches
  that fallback off.
- A `BACKSTOP_` name that is not on this page is a mistake too.
- The value of a variable marked *secret* is never shown; of an address, the user name, password
  and query are not.
";

/// The reference page of the configuration, in Markdown.
pub fn reference_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Variables\n");
    page.extend(REGISTER.iter().map(section));
    page.push_str(
        "\n## Not in this version\n\nThese names are reserved for a later version; setting one is reported.\n\n",
    );
    page.extend(
        LATER
            .iter()
            .map(|(name, advice)| format!("- `{name}`: {advice}.\n")),
    );
    page.push_str(
        "\n## Standard variables\n\nLambda or the user sets them, and Backstop honours them.\n\n\
         | variable | what for |\n|---|---|\n",
    );
    page.extend(
        STANDARD
            .iter()
            .map(|each| format!("| `{}` | {} |\n", each.name, each.summary)),
    );
    page
}

fn section(variable: &Variable) -> String {
    let secret = if variable.secret { " · *secret*" } else { "" };
    format!(
        "\n### `{}`\n\n{}\n\n- Values: {}{secret}\n- Default: {}\n- Since: {}\n",
        variable.name,
        variable.summary,
        values(variable.kind),
        default(variable.default),
        variable.since,
    )
}

fn values(kind: Kind) -> String {
    match kind {
        Kind::Url => "an address, `https://host/path`".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Pairs => "`key=value,key=value`".to_owned(),
        Kind::OneOf { values, later: [] } => format!("one of {}", code(values)),
        Kind::OneOf { values, later } => {
            format!(
                "one of {} (in a later version: {})",
                code(values),
                code(later)
            )
        }
        Kind::ListOf(values) => format!("some of {}, separated by commas", code(values)),
        Kind::Integer { min, max, unit } => format!("`{min}` to `{max}` ({unit})"),
    }
}

fn default(initial: Initial) -> String {
    match initial {
        Initial::Unset => "not set".to_owned(),
        Initial::Value(text) => format!("`{text}`"),
        Initial::Computed(words) => words.to_owned(),
    }
}

/// The words as code, separated by commas.
fn code(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What an option of a format may be, as a regular expression that means the same to Terraform and to
/// JavaScript. `FormatOptions` decides; a test puts both to the same cases.
const OPTION_PATTERNS: &[(&str, &str)] = &[
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
    let mut text = String::from("{\n\"formats\": {\n");
    for (index, format) in Format::ALL.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ",\n" });
        let options: Vec<String> = (OPTION_PATTERNS.iter())
            .filter(|(name, _)| format.options().contains(name))
            .map(|(name, pattern)| format!("{name:?}: {pattern:?}"))
            .collect();
        let _ = write!(
            text,
            "  {:?}: {{\"token_header\": {:?}, \"options\": {{{}}}}}",
            format.as_str(),
            format.header_of_token(),
            options.join(", "),
        );
    }
    text.push_str("\n},\n\"backends\": {\n");
    for (index, backend) in BACKENDS.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ",\n" });
        backend_json(&mut text, backend);
    }
    text.push_str("\n}\n}\n");
    text
}

/// No text of a backend has what Rust and JSON quote in different ways.
fn backend_json(text: &mut String, backend: &Backend) {
    let null_or = |value: Option<&str>| value.map_or("null".to_owned(), |it| format!("{it:?}"));
    let object = |pairs: &[(&str, &str)]| {
        let pairs: Vec<String> = (pairs.iter())
            .map(|(name, value)| format!("{name:?}: {value:?}"))
            .collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let options: Vec<String> = (backend.options.iter())
        .map(|option| {
            let words = match option.rule {
                Rule::Words(words) => words,
                _ => &[],
            };
            format!(
                "      {:?}: {{\"required\": {}, \"default\": {}, \"words\": {}, \"pattern\": {:?}, \
                 \"advice\": {:?}, \"meaning\": {:?}}}",
                option.name,
                option.is_required,
                null_or(option.default),
                object(words),
                option.rule.pattern(),
                option.rule.advice(),
                option.meaning,
            )
        })
        .collect();
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "  {:?}: {{\n    \"title\": {:?},\n    \"format\": {:?},\n    \"url\": {:?},\n    \"headers\": {},\n    \
         \"token_header\": {},\n    \"token_prefix\": {:?},\n    \"needs_token\": {},\n    \
         \"options\": {{\n{}\n    }}\n  }}",
        backend.name,
        backend.title,
        backend.format.as_str(),
        backend.url,
        object(backend.headers),
        null_or(backend.token_header),
        backend.token_prefix,
        backend.needs_token,
        options.join(",\n"),
    );
}

/// The backends as a table, for `docs/backends.md`.
pub fn backends_markdown() -> String {
    let mut table =
        "| backend | format | address | options | token |\n|---|---|---|---|---|\n".to_owned();
    for backend in BACKENDS {
        let options: Vec<String> = (backend.options.iter())
            .map(|option| {
                let default = match option.default {
                    Some(text) => format!(" (default `{text}`)"),
                    None if option.is_required => String::new(),
                    None => " (optional)".to_owned(),
                };
                let words = match option.rule {
                    Rule::Words(words) => {
                        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                        format!(": {}", code(&words))
                    }
                    _ => String::new(),
                };
                format!("`{}`{default}: {}{words}", option.name, option.meaning)
            })
            .collect();
        let need = if backend.needs_token {
            "needed"
        } else {
            "if the server asks for one"
        };
        let place = match (backend.token_header, backend.token_prefix) {
            (Some(header), _) => format!(", sent as `{header}`"),
            (None, "") => String::new(),
            (None, _) => ", sent as the password of basic authentication".to_owned(),
        };
        let _ = writeln!(
            table,
            "| `{}` ({}) | `{}` | `{}` | {} | {need}{place} |",
            backend.name,
            backend.title,
            backend.format.as_str(),
            backend.url,
            options.join("; "),
        );
    }
    table
}
