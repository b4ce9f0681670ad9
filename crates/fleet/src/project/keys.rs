//! Every key of `backstop.toml`: the reference in docs/installer.md is made of these, and keys that are none of
//! them are all reported at once.
//!
//! Invariant: a key that is near none of ours is not quoted, since it may be a value without its quotes.

use toml::de::{DeTable, DeValue};

use crate::parsing;

/// A key, and what it says.
#[derive(Debug)]
pub struct Key {
    /// Its table; empty above the first one.
    pub table: &'static str,
    /// Its name; `*` where any will do.
    pub name: &'static str,
    /// What its value is.
    pub value: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn key(
    table: &'static str,
    name: &'static str,
    value: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        table,
        name,
        value,
        meaning,
    }
}

/// In `[primary]`, beside the options.
pub const BACKEND: &str = "backend";

const LIST: &str = "list of strings";

/// In the order of the file.
pub const KEYS: &[Key] = &[
    key(
        "",
        "state",
        "string",
        "where runs are kept: a directory, or `s3://BUCKET/PREFIX`",
    ),
    key(
        "",
        "state_kms_key_id",
        "string",
        "the KMS key that encrypts runs in S3",
    ),
    key(
        "targets",
        "profile",
        "string",
        "profile of the shared AWS configuration",
    ),
    key("targets", "accounts", LIST, "account numbers"),
    key(
        "targets",
        "accounts_file",
        "path",
        "file with one account number a line",
    ),
    key(
        "targets",
        "organization",
        "boolean",
        "every account of the organization",
    ),
    key(
        "targets",
        "include_ous",
        LIST,
        "only accounts below these organizational units",
    ),
    key(
        "targets",
        "exclude_ous",
        LIST,
        "no accounts below these organizational units",
    ),
    key(
        "targets",
        "role",
        "string",
        "name or path of the role to assume in each account",
    ),
    key(
        "targets",
        "external_id",
        "string",
        "external id that the role's trust policy asks for",
    ),
    key(
        "targets",
        "session_tags",
        "table of strings",
        "tags of the role's session",
    ),
    key(
        "targets",
        "regions",
        LIST,
        "regions, or `[\"all\"]` for every enabled one",
    ),
    key(
        "targets",
        "rate",
        "number",
        "writing calls a second in each account and region",
    ),
    key(
        "select",
        "functions",
        LIST,
        "names, ARNs, globs, or regular expressions between slashes",
    ),
    key(
        "select",
        "exclude",
        LIST,
        "the same, for functions to leave out",
    ),
    key(
        "select",
        "tags",
        "table",
        "tags that a function must have: a string, a list of strings, or `\"\"` for any value",
    ),
    key("select", "runtimes", LIST, "globs of runtimes"),
    key("select", "architectures", LIST, "`x86_64`, `arm64`"),
    key("select", "package_types", LIST, "`Zip`, `Image`"),
    key("select", "all", "boolean", "every function"),
    key(
        "layer",
        "manifest",
        "path",
        "manifest that `backstop layer publish` wrote",
    ),
    key("layer", "arns", LIST, "ARNs of layer versions"),
    key(
        "primary",
        BACKEND,
        "string",
        "the primary by the name of its backend: see [backends.md](backends.md)",
    ),
    key(
        "primary",
        "*",
        "string or number",
        "options of the backend, by name",
    ),
    key(
        "settings",
        "*",
        "string, number or boolean",
        "variables of the extension, by name",
    ),
    key(
        "secrets",
        "token_file",
        "path",
        "file with the primary's token",
    ),
    key(
        "secrets",
        "token_reference",
        "string",
        "where the function reads the primary's token: `secret:ARN#KEY`, `ssm:NAME`, `kms:CIPHERTEXT`",
    ),
    key(
        "secrets",
        "token_secret_arn",
        "string",
        "Secrets Manager secret whose present value is set as the primary's token",
    ),
    key(
        "secrets",
        "header_file",
        "path",
        "file with the primary's headers, one `NAME: VALUE` a line",
    ),
    key(
        "secrets",
        "url_file",
        "path",
        "file with the primary's address, if the address holds a key",
    ),
];

/// Every key that is none of ours, each with the nearest one and its line. A text that is not TOML has none.
pub fn unknown(text: &str) -> Vec<String> {
    let Ok(tables) = DeTable::parse(text) else {
        return Vec::new();
    };
    let mut unknown = Vec::new();
    for (name, value) in tables.get_ref() {
        let at = line(text, name.span().start);
        let name = name.get_ref().as_ref();
        let is_table = KEYS
            .iter()
            .any(|key| !key.table.is_empty() && key.table == name);
        match (is_table, value.get_ref()) {
            (true, DeValue::Table(keys)) => {
                let known = |key: &str| is_known(name, key);
                let others = keys
                    .iter()
                    .filter(|(key, _)| !known(key.get_ref().as_ref()));
                unknown.extend(others.map(|(key, _)| {
                    let at = line(text, key.span().start);
                    problem(name, key.get_ref().as_ref(), at)
                }));
            }
            // Of another form than a table: the reader says so.
            (true, _) => {}
            (false, _) if is_known("", name) => {}
            (false, _) => unknown.push(problem("", name, at)),
        }
    }
    unknown.sort();
    unknown
}

fn is_known(table: &str, name: &str) -> bool {
    (KEYS.iter()).any(|key| key.table == table && (key.name == name || key.name == "*"))
}

fn problem(table: &str, name: &str, line: usize) -> String {
    let tables = KEYS
        .iter()
        .map(|key| key.table)
        .filter(|it| table.is_empty() && !it.is_empty());
    let names = KEYS
        .iter()
        .filter(|key| key.table == table && key.name != "*")
        .map(|key| key.name);
    let place = if table.is_empty() {
        String::new()
    } else {
        format!(" in [{table}]")
    };
    match parsing::nearest(name, names.chain(tables)) {
        Some(meant) => format!("line {line}: unknown key `{name}`{place}: did you mean `{meant}`?"),
        None => format!("line {line}: unknown key{place}"),
    }
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;
    use crate::project::Project;

    /// serde's own list of what a table may have, from the error for what it may not.
    fn names_of(table: &str) -> BTreeSet<String> {
        let text = if table.is_empty() {
            "zzzzzzzz = 1\n".to_owned()
        } else {
            format!("[{table}]\nzzzzzzzz = 1\n")
        };
        let error = toml::from_str::<Project>(&text).expect_err("it is unknown");
        let quoted = error.message().split('`').skip(1).step_by(2);
        quoted.skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn the_reference_has_every_key_that_is_read_and_no_other() {
        for table in ["", "targets", "select", "layer", "secrets"] {
            let mut known: BTreeSet<String> = (KEYS.iter())
                .filter(|key| key.table == table)
                .map(|key| key.name.to_owned())
                .collect();
            if table.is_empty() {
                known.extend(KEYS.iter().map(|key| key.table.to_owned()));
                known.remove("");
            }
            assert_eq!(names_of(table), known, "[{table}]");
        }
    }

    #[test]
    fn every_unknown_key_is_reported_with_the_nearest_one_and_its_line() {
        let text = "stat = 'x'\n[targets]\nregion = ['a']\nprofle = 'b'\nhunter2 = \
            1\n[secret]\ntoken_file = 'c'\n[settings]\nANYTHING = 1\n[select]\nall = true\n";
        assert_eq!(
            unknown(text),
            [
                "line 1: unknown key `stat`: did you mean `state`?",
                "line 3: unknown key `region` in [targets]: did you mean `regions`?",
                "line 4: unknown key `profle` in [targets]: did you mean `profile`?",
                "line 5: unknown key in [targets]",
                "line 6: unknown key `secret`: did you mean `secrets`?",
            ]
        );
        // Neither the name of no table nor the one for any key is meant by anybody.
        assert_eq!(unknown("x = 1\n"), ["line 1: unknown key"]);
        assert!(unknown("not toml").is_empty());
    }

    #[test]
    fn the_page_has_the_reference() {
        let mut table = "| key | value | meaning |\n|---|---|---|\n".to_owned();
        for Key {
            table: name,
            name: key,
            value,
            meaning,
        } in KEYS
        {
            let place = if name.is_empty() {
                String::new()
            } else {
                format!("[{name}] ")
            };
            writeln!(table, "| `{place}{key}` | {value} | {meaning} |").expect("it is a string");
        }
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/installer.md");
        let text = std::fs::read_to_string(page).expect("the page can be read");
        assert!(
            text.contains(&table),
            "docs/installer.md should have:\n{table}"
        );
    }
}
