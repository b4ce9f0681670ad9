//! The configuration: any text in any variable.
//!
//! Input: one `NAME=value` a line. A value that is not UTF-8 stays so. A `~` stands for a secret
//! where the variable holds one: anywhere in a token or a key, after the first `=` of the headers,
//! in the query or the user name and password of an address.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstop_config::{ConfigError, Primary, Proxies, Settings, Strings};
use backstop_delivery::SystemClock;
use backstop_sinks::{HttpsSink, SharedHttp};
use url::{Host, Url};

use crate::records::encoder;

/// What must never be seen. Not a word of any message.
const SECRET: &str = "hunter2";

/// Variables whose whole value is secret.
const SECRETS: &[&str] = &[
    "BACKSTOP_PRIMARY_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// Variables that hold an address.
const ADDRESSES: &[&str] = &[
    "BACKSTOP_PRIMARY_URL",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_FIREHOSE",
];

/// Whatever is set: settings come of it, the same each time; errors are lines; no secret is shown;
/// and an accepted address means to the HTTP client what it meant to the parser that accepted it.
///
/// # Panics
///
/// Where that does not hold.
pub fn config(input: &[u8]) {
    let environment = Environment::read(input);
    let (settings, errors) = Settings::resolve(&environment);
    assert_eq!(
        Settings::resolve(&environment),
        (settings.clone(), errors.clone())
    );
    assert!(!settings.telemetry_types.is_empty());

    let mut shown = vec![format!("{errors:?}{}", ConfigError::summary(&errors))];
    for error in &errors {
        let line = error.to_string();
        assert!(!line.contains(char::is_control), "not a line: {line:?}");
        shown.push(line);
    }
    let allows_plaintext = environment.says_yes("BACKSTOP_ALLOW_PLAINTEXT");
    let mut settings = settings;
    if let Some(primary) = &mut settings.primary {
        means_the_same_to_the_client(primary, allows_plaintext);
        shown.push(primary.shown_url());
        // A piece of a value that was accepted as a name is one, and sent as one.
        for (name, _) in &mut primary.headers {
            "x-name".clone_into(name);
        }
        let http = SharedHttp::new(
            Vec::new(),
            Proxies::default(),
            Arc::new(SystemClock),
            |_| {},
        );
        let sink = HttpsSink::new(http, primary, encoder("demo"));
        shown.push(format!("{sink:?}"));
    }
    if let Some(endpoint) = &settings.aws.endpoint_s3
        && let Ok(url) = Url::parse(&endpoint.url)
    {
        let is_apart = url.path() == "/" || endpoint.url.ends_with('/');
        assert!(is_apart, "a bucket would be glued to {}", endpoint.url);
    }
    shown.push(format!("{settings:?}"));
    for error in settings.keep_to_account("123456789012") {
        shown.push(error.to_string());
    }
    for text in shown {
        assert!(!text.contains(SECRET), "a secret is shown: {text}");
    }
}

/// The client reads addresses by the URL standard, which is laxer than RFC 3986.
fn means_the_same_to_the_client(primary: &Primary, allows_plaintext: bool) {
    let address = primary.url.as_str();
    let Ok(parsed) = Url::parse(address) else {
        // Only the client knows which of these are names; to it the others are an error.
        assert!(address.to_ascii_lowercase().contains("xn--"), "{address}");
        return;
    };
    assert_eq!((parsed.username(), parsed.password()), ("", None));
    let uri: http::Uri = address.parse().expect("it is an address to everyone");
    let host = uri.host().expect("an accepted address has a host");
    let client_host = parsed.host_str().expect("an accepted address has a host");
    let same_name = host.eq_ignore_ascii_case(client_host);
    let is_ipv6 = matches!(parsed.host(), Some(Host::Ipv6(_)));
    assert!(same_name || is_ipv6, "{host} is not {client_host}");
    if parsed.scheme() == "http" && !allows_plaintext {
        let is_loopback = match parsed.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        assert!(is_loopback, "plain http leaves the machine: {address}");
    }
}

/// Variables with any bytes as their values.
#[derive(Debug, Default)]
struct Environment(BTreeMap<String, Option<String>>);

impl Environment {
    fn read(input: &[u8]) -> Self {
        let entries = input.split(|byte| *byte == b'\n').filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b'=')?;
            let name = String::from_utf8_lossy(&line[..at]).into_owned();
            // A secret that is set elsewhere as well is not one.
            let name = name.replace(SECRET, "");
            let value = String::from_utf8(line[at + 1..].to_vec()).ok();
            let value = value.map(|value| with_secret(&name, &value.replace(SECRET, "")));
            Some((name, value))
        });
        Self(entries.collect())
    }

    fn says_yes(&self, key: &str) -> bool {
        let value = self.0.get(key).and_then(Option::as_deref);
        value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }
}

/// The value, with the secret where `~` asks for one.
fn with_secret(name: &str, value: &str) -> String {
    let after = |at: usize| {
        let (head, tail) = value.split_at(at);
        format!("{head}{}", tail.replace('~', SECRET))
    };
    if SECRETS.contains(&name) {
        after(0)
    } else if name == "BACKSTOP_PRIMARY_HEADERS" {
        value.find('=').map_or_else(|| value.to_owned(), after)
    } else if ADDRESSES.contains(&name) {
        let query = value.find('?').map_or_else(|| value.to_owned(), after);
        // `scheme://user~@host`: what stands before the `@` and cannot be a path.
        match query.split_once("://") {
            Some((scheme, rest)) => match rest.split_once('@') {
                Some((user, host)) if !user.contains(['/', '?', '#']) => {
                    format!("{scheme}://{}@{host}", user.replace('~', SECRET))
                }
                Some(_) | None => query,
            },
            None => query,
        }
    } else {
        value.to_owned()
    }
}

impl Strings for Environment {
    fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).cloned().flatten()
    }

    fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn is_not_unicode(&self, key: &str) -> bool {
        matches!(self.0.get(key), Some(None))
    }
}
