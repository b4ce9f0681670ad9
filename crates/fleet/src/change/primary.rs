//! What belongs to one primary: its address, its format, and the key that it takes.
//!
//! Invariant: a key goes to no host but its own, whatever could not be changed.

use std::collections::BTreeMap;

use backstop_config::Settings;
use url::Url;

const ADDRESS: &str = "BACKSTOP_PRIMARY_URL";
const FORMAT: &str = "BACKSTOP_PRIMARY_FORMAT";
/// Where the key goes as well.
const OTLP: &str = "BACKSTOP_OTLP_URL";
/// They name a token, each in its own way; the extension takes one of them.
const TOKENS: [&str; 4] = [
    "BACKSTOP_PRIMARY_TOKEN",
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    "BACKSTOP_PRIMARY_TOKEN_KMS",
];
/// The KMS key of the token.
const KEY_OF_TOKEN: &str = "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID";
/// They authenticate to one host, or say where what does is kept: another vendor must not get its
/// predecessor's key.
const CREDENTIALS: [&str; 6] = [
    TOKENS[0],
    TOKENS[1],
    TOKENS[2],
    TOKENS[3],
    KEY_OF_TOKEN,
    "BACKSTOP_PRIMARY_HEADERS",
];
/// Each format has its own, and the extension refuses a primary with those of another.
const OPTIONS: &str = "BACKSTOP_PRIMARY_OPTIONS";

/// All of them.
fn group() -> impl Iterator<Item = &'static str> {
    let others = [ADDRESS, FORMAT, OTLP, OPTIONS];
    others.into_iter().chain(CREDENTIALS)
}

type Variables = BTreeMap<String, String>;

/// The variables of the primary that is `live` which the one that comes `after` does not get, unless they are
/// `wanted` for it.
pub(super) fn left_behind(
    live: &Variables,
    after: &Variables,
    wanted: &Variables,
) -> Vec<&'static str> {
    let mut names = Vec::new();
    let is_moved = has_moved(live, after);
    if is_moved {
        names.extend(CREDENTIALS);
        names.extend([FORMAT, OTLP]);
    } else if is_named_otherwise(live, wanted) {
        names.extend(TOKENS);
        names.push(KEY_OF_TOKEN);
    }
    let format = match wanted.get(FORMAT) {
        None if is_moved => None,
        None => live.get(FORMAT),
        Some(format) => Some(format),
    };
    if format != live.get(FORMAT) {
        names.push(OPTIONS);
    }
    names.retain(|name| live.contains_key(*name) && !wanted.contains_key(*name));
    names
}

/// Whether a token is wanted that is named in another way than the one that is there, whose place it takes.
fn is_named_otherwise(live: &Variables, wanted: &Variables) -> bool {
    let is_wanted = |name: &&str| wanted.contains_key(*name);
    TOKENS.iter().any(is_wanted)
        && (TOKENS.iter()).any(|name| live.contains_key(*name) && !is_wanted(name))
}

/// Whether a key would go to a host that it is not of: one that stays while the address moves, or a new one while
/// the address stays; or whether two tokens would be named, of which the extension takes neither. `wanted` is what a variable was to become, where it was to become anything.
pub(super) fn is_mixed<'a>(
    live: &Variables,
    after: &Variables,
    wanted: impl Fn(&str) -> Option<Option<&'a str>>,
) -> bool {
    let stays = |name: &&str| {
        let there = live.get(*name).map(String::as_str);
        there.is_some()
            && after.get(*name).map(String::as_str) == there
            && wanted(name) != Some(there)
    };
    let tokens = |variables: &Variables| {
        let named = TOKENS.iter().filter(|name| variables.contains_key(**name));
        named.count()
    };
    if tokens(after) > 1 && tokens(live) < 2 {
        return true;
    }
    if has_moved(live, after) {
        return CREDENTIALS.iter().any(stays);
    }
    let Some(Some(address)) = wanted(ADDRESS) else {
        return false;
    };
    let mut meant = after.clone();
    meant.insert(ADDRESS.to_owned(), address.to_owned());
    has_moved(live, &meant)
        && CREDENTIALS
            .iter()
            .any(|name| live.get(*name) != after.get(*name))
}

/// The keys that neither of two addresses on different hosts has. They belong to the change, so that one that
/// somebody sets later, for the one, does not go to the other when the change is undone.
pub(super) fn absent_keys(live: &Variables, after: &Variables) -> Vec<&'static str> {
    let mut keys = CREDENTIALS.to_vec();
    keys.retain(|name| !live.contains_key(*name) && !after.contains_key(*name));
    if !has_moved(live, after) {
        keys.clear();
    }
    keys
}

/// Leaves every variable of the primary as it is. Says which would have changed.
pub(super) fn hold_back(live: &Variables, after: &mut Variables) -> Vec<String> {
    let mut held = Vec::new();
    for name in group() {
        let there = live.get(name);
        if after.get(name) == there {
            continue;
        }
        held.push(name.to_owned());
        match there {
            Some(value) => after.insert(name.to_owned(), value.clone()),
            None => after.remove(name),
        };
    }
    held
}

/// Whether the address of the one leads to another host than that of the other.
fn has_moved(live: &Variables, after: &Variables) -> bool {
    match (host(live), host(after)) {
        (Some(from), Some(to)) => from != to,
        (Some(_), None) | (None, _) => false,
    }
}

/// Where the address leads, with its port: a site's name is resolved as the extension does.
fn host(variables: &Variables) -> Option<String> {
    let address = variables.get(ADDRESS)?;
    let of_address = |(name, _): &(&String, &String)| [ADDRESS, FORMAT].contains(&name.as_str());
    let only = variables.iter().filter(of_address);
    let only: Variables = only
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let resolved = Settings::resolve(&only).0.primary.map(|it| it.url);
    let url = Url::parse(resolved.as_ref().unwrap_or(address)).ok();
    let host = url.and_then(|url| {
        Some(format!(
            "{}:{}",
            url.host_str()?,
            url.port_or_known_default()?
        ))
    });
    Some(host.unwrap_or_else(|| address.to_ascii_lowercase()))
}
