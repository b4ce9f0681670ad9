//! The committed reference page is the one that the register gives.

use std::path::Path;
use std::{env, fs};

use backstop_config::docs::reference_markdown;

#[test]
fn the_committed_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let expected = reference_markdown();
    if env::var_os("BACKSTOP_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &expected).expect("docs/configuration.md can be written");
    }
    let committed = fs::read_to_string(&path).expect("docs/configuration.md is there");
    assert!(
        committed == expected,
        "docs/configuration.md differs from the register: run BACKSTOP_BLESS=1 cargo test -p backstop-config"
    );
}
