//! The contracts of the repository: what others rely on, and no single crate can hold alone.
//!
//! - [`backends`]: the backends by their names, in the library, the module and the page about them.
//! - [`cdk`]: the variables that the CDK library sets and the register's.
//! - [`crate_graph`]: which crate may reach which, over `cargo metadata`.
//! - [`environment`]: the names of the environment variables and their reference page.
//! - [`links`]: links between pages.
//! - [`modules`]: no circle among the modules of a crate.
//! - [`permissions`]: the permissions that the documentation names.
//! - [`quoting`]: errors of parsers that quote what they read go nowhere.
//! - [`security`]: the tests that `SECURITY.md` names, and the actions of CI.
//! - [`terraform`]: the variables that the modules set and the register's.
//! - [`troubleshooting`]: the guide has what the extension logs.
//! - [`versions`]: one version, and the changelog in step with it.
//! - [`words`]: plain English and narrow lines in what people read.
//!
//! Must not: start a process other than cargo, or need a network.

mod backends;
mod cdk;
mod crate_graph;
mod environment;
mod links;
mod modules;
mod permissions;
mod quoting;
mod security;
mod terraform;
mod troubleshooting;
mod versions;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The root of the repository.
fn repository() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map(PathBuf::from).unwrap_or(tests)
}

/// Every name of ours in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part =
        |character: char| character.is_ascii_uppercase() || "_0123456789".contains(character);
    text.split(|character| !is_part(character))
        .filter(|word| word.len() > "BACKSTOP_".len() && word.starts_with("BACKSTOP_"))
        .collect()
}
