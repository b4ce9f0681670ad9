//! The contracts of the repository: what others rely on, and no single crate can hold alone.
//!
//! - [`archive`]: the tables over the archive in Terraform, CDK and the documentation.
//! - [`backends`]: the backends by their names, in the library, the module and the page about them.
//! - [`cdk`]: the variables that the CDK library sets and the register's.
//! - [`constructs`]: the permissions, variables and alarms of a Terraform module and of the construct with its name.
//! - [`crate_graph`]: which crate may reach which, over `cargo metadata`.
//! - [`environment`]: the names of the environment variables and their reference page.
//! - [`gateway`]: the variables, alarms and presets of the gateway and its page.
//! - [`links`]: links between pages.
//! - [`markdown`]: the form of pages: tables, lists, blocks of code.
//! - [`modules`]: no circle among the modules of a crate.
//! - [`monitoring`]: the metrics of the extension, and the alarms and dashboards that watch them.
//! - [`mutations`]: the mutations of the code can still be made.
//! - [`permissions`]: the permissions that the documentation names.
//! - [`quoting`]: errors of parsers that quote what they read go nowhere.
//! - [`security`]: the tests that `SECURITY.md` names, and the actions of CI.
//! - [`terraform`]: the variables that the modules set and the register's.
//! - [`troubleshooting`]: the guide has what the extension logs.
//! - [`versions`]: one version, and the changelog in step with it.
//! - [`words`]: plain English and narrow lines in what people read.
//!
//! Must not: start a process other than cargo and git, or need a network.

mod archive;
mod backends;
mod cdk;
mod constructs;
mod crate_graph;
mod environment;
mod gateway;
mod links;
mod markdown;
mod modules;
mod monitoring;
mod mutations;
mod permissions;
mod quoting;
mod security;
mod terraform;
mod troubleshooting;
mod versions;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// The root of the repository.
fn repository() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map(PathBuf::from).unwrap_or(tests)
}

/// What `crates/config/register.json` has under a key, which other languages read too.
fn register(key: &str) -> Vec<Value> {
    let path = repository().join("crates/config/register.json");
    let text = fs::read_to_string(path).expect("the register is there");
    let register: Value = serde_json::from_str(&text).expect("the register is JSON");
    let rows = register[key].as_array().expect("the key has rows");
    rows.clone()
}

/// The names of the register's variables.
fn registered() -> BTreeSet<String> {
    register("variables").iter().map(name).collect()
}

fn name(row: &Value) -> String {
    text(row, "name").to_owned()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text under {key} in {row}"))
}

/// The values that a variable accepts, as the other languages quote them.
fn values(variable: &Value) -> Vec<&str> {
    let values = variable["values"].as_array().expect("there are values");
    values.iter().filter_map(Value::as_str).collect()
}

/// Every name of ours in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part =
        |character: char| character.is_ascii_uppercase() || "_0123456789".contains(character);
    text.split(|character| !is_part(character))
        .filter(|word| word.len() > "BACKSTOP_".len() && word.starts_with("BACKSTOP_"))
        .map(str::to_owned)
        .collect()
}
