//! The settings that belong to one primary, and change with it.

use std::collections::BTreeMap;

use url::Url;

const ADDRESS: &str = "BACKSTOP_PRIMARY_URL";
const FORMAT: &str = "BACKSTOP_PRIMARY_FORMAT";
/// They authenticate to one host: another vendor must not get its predecessor's key.
const CREDENTIALS: [&str; 2] = ["BACKSTOP_PRIMARY_TOKEN", "BACKSTOP_PRIMARY_HEADERS"];
/// Each format has its own, and the extension refuses a primary with those of another.
const OPTIONS: &str = "BACKSTOP_PRIMARY_OPTIONS";

/// The variables of the primary that was there `before` which the one that is there `after` does not get.
pub(super) fn left_behind(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<&'static str> {
    let host = |variables: &BTreeMap<String, String>| variables.get(ADDRESS).map(|it| host(it));
    let mut names = Vec::new();
    if before.contains_key(ADDRESS) && host(before) != host(after) {
        names.extend(CREDENTIALS);
    }
    if before.get(FORMAT) != after.get(FORMAT) {
        names.push(OPTIONS);
    }
    names.retain(|name| before.contains_key(*name));
    names
}

/// Where an address leads; a site's name is one itself.
fn host(address: &str) -> String {
    let url = Url::parse(address).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.unwrap_or(address).to_ascii_lowercase()
}
