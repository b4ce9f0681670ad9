//! The committed files that are made from the register and from the backends are up to date.

use std::path::Path;
use std::{env, fs};

use backstop_config::backends::{BACKENDS, Rule};
use backstop_config::docs::{backends_markdown, reference_markdown};
use backstop_config::json::{backends_json, register_json};

/// Compares a file with what it should be, and writes it first where `BACKSTOP_BLESS` asks for that.
fn assert_committed(name: &str, expected: impl FnOnce(String) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    let expected = expected(fs::read_to_string(&path).unwrap_or_default());
    if env::var_os("BACKSTOP_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &expected).expect("the file can be written");
    }
    let committed = fs::read_to_string(&path).expect("the file is there");
    assert!(
        committed == expected,
        "{name} is not up to date: run BACKSTOP_BLESS=1 cargo test -p backstop-config"
    );
}

#[test]
fn the_committed_reference_page_is_up_to_date() {
    assert_committed("docs/configuration.md", |_| reference_markdown());
}

#[test]
fn the_committed_register_is_up_to_date() {
    assert_committed("crates/config/register.json", |_| register_json());
}

const TYPESCRIPT: &str = "\
// Generated from crates/config/src/backends.rs by `BACKSTOP_BLESS=1 cargo test -p backstop-config`: do not edit.

/** What a format takes. */
export interface FormatFacts {
  readonly token_header: string;
  readonly options: { readonly [name: string]: string };
}

/** An option of a backend. */
export interface OptionFacts {
  readonly required: boolean;
  readonly default: string | null;
  readonly words: { readonly [word: string]: string };
  readonly pattern: string;
  readonly advice: string;
  readonly meaning: string;
}

/** A backend with a name. */
export interface BackendFacts {
  readonly title: string;
  readonly format: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly token_header: string | null;
  readonly token_prefix: string;
  readonly needs_token: boolean;
  readonly options: { readonly [name: string]: OptionFacts };
}

/** The extension's own table. */
export const FACTS: {
  readonly formats: { readonly [name: string]: FormatFacts };
  readonly backends: { readonly [name: string]: BackendFacts };
} = ";

/// Each copy is where its users are: a module of Terraform holds nothing from outside its folder.
#[test]
fn the_backends_are_the_same_everywhere() {
    for name in [
        "crates/config/backends.json",
        "terraform/modules/attachment/backends.json",
    ] {
        assert_committed(name, |_| backends_json());
    }
    assert_committed("cdk/src/backends.generated.ts", |_| {
        format!("{TYPESCRIPT}{};\n", backends_json().trim_end())
    });
}

#[test]
fn the_page_of_the_backends_has_the_table() {
    assert_committed("docs/backends.md", |page| {
        let (begin, end) = ("<!-- begin: backends -->\n", "<!-- end: backends -->");
        let (before, rest) = page.split_once(begin).expect("the table has a place");
        let (_, after) = rest.split_once(end).expect("the place has an end");
        format!("{before}{begin}{}{end}{after}", backends_markdown())
    });
}

#[test]
fn the_table_of_backends_holds_together() {
    assert!(BACKENDS.is_sorted_by_key(|backend| backend.name));
    for backend in BACKENDS {
        let templates = (backend.headers.iter().map(|(_, value)| *value))
            .chain([backend.url, backend.token_prefix]);
        let named: Vec<&str> = templates
            .flat_map(|template| template.split('{').skip(1))
            .filter_map(|rest| Some(rest.split_once('}')?.0))
            .collect();
        for option in backend.options {
            let is_used = named.contains(&option.name);
            assert!(is_used, "{}: {} is not used", backend.name, option.name);
            assert!(!(option.is_required && option.default.is_some()));
            assert_eq!(
                option.rule.pattern().is_empty(),
                matches!(option.rule, Rule::Words(_))
            );
        }
        for name in named {
            let is_there = backend.options.iter().any(|option| option.name == name);
            assert!(is_there, "{}: there is no {name}", backend.name);
        }
    }
}
