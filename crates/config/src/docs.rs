//! `docs/configuration.md`, generated from the register, and the table of `docs/backends.md`.
//!
//! Invariant: the committed pages equal [`reference_markdown`] and [`backends_markdown`]; tests hold it, and
//! `BACKSTOP_BLESS=1 cargo test -p backstop-config` writes them again.
//!
//! Must not: say anything of a variable or a backend that its table does not say.

use crate::backends::{BACKENDS, Backend, BackendOption, Rule};
use crate::register::{REGISTER, STANDARD};
use crate::variable::{Initial, Kind, Variable};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from crates/config/src/register.rs by `BACKSTOP_BLESS=1 cargo test -p backstop-config`. -->

Configure Backstop with environment variables of the function. Set at least one of
`BACKSTOP_PRIMARY_URL`, `BACKSTOP_FIREHOSE_STREAM` and `BACKSTOP_S3_BUCKET`.

- Backstop removes space around a value. An empty value counts as not set.
- The case of letters does not matter in words such as `gzip` and `true`; it matters in names of
  variables.
- A mistake never stops the function. Backstop reports all mistakes together in one log line, and
  runs with what is valid. An invalid tuning variable falls back to its default. A mistake in the
  primary's address, format, headers or token switches the primary off: records go to the fallbacks,
  from where you can replay them. A mistake in a fallback's name, key or owner switches that
  fallback off.
- A `BACKSTOP_` name that is not on this page is a mistake too.
- Backstop never shows the value of a variable marked *secret*, nor the user name, password and
  query of an address.
";

/// The reference page of the configuration, in Markdown.
pub fn reference_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Variables\n");
    page.extend(REGISTER.iter().map(section));
    page.push_str(
        "\n## Standard variables\n\nLambda or you set these variables, and Backstop honours them.\n\n\
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
        wrapped(variable.summary),
        values(variable.kind),
        default(variable.default),
        variable.since,
    )
}

/// The widest line of prose in Markdown.
const COLUMNS: usize = 100;

/// The text in lines of at most [`COLUMNS`]; a span of code stays on one line.
fn wrapped(text: &str) -> String {
    const IN_CODE: &str = "\u{a0}";
    let spans = text.split('`').enumerate();
    let spans = spans.map(|(number, span)| {
        let is_code = number % 2 == 1;
        span.replace(' ', if is_code { IN_CODE } else { " " })
    });
    let text = spans.collect::<Vec<_>>().join("`");
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines.replace(IN_CODE, " ")
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

/// The backends as a table, for `docs/backends.md`.
pub fn backends_markdown() -> String {
    let head = "| backend | format | address | options | token |\n|---|---|---|---|---|\n";
    let rows = BACKENDS.iter().map(backend_row);
    std::iter::once(head.to_owned()).chain(rows).collect()
}

fn backend_row(backend: &Backend) -> String {
    let option = |option: &BackendOption| {
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
    };
    let options: Vec<String> = backend.options.iter().map(option).collect();
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
    format!(
        "| `{}` ({}) | `{}` | `{}` | {} | {need}{place} |\n",
        backend.name,
        backend.title,
        backend.format.as_str(),
        backend.url,
        options.join("; "),
    )
}
