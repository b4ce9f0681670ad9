//! Checks of the function's settings, by the extension's own rules. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use backstop_config::{ErrorKind, Fallback, Settings};
use url::Url;

use super::{Check, Resolved};
use crate::select::Function;

/// Domains that no public name server knows.
const PRIVATE_DOMAINS: [&str; 7] = [
    "internal", "local", "lan", "corp", "home", "private", "intranet",
];

/// The settings as the extension resolves them in this function, and every mistake.
pub fn resolve(function: &Function, variables: &BTreeMap<String, String>) -> Resolved {
    let mut strings = variables.clone();
    for (name, value) in [
        ("AWS_REGION", function.place.region.clone()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            function.memory_mb.to_string(),
        ),
    ] {
        strings.insert(name.to_owned(), value);
    }
    let (mut settings, mut errors) = Settings::resolve(&strings);
    errors.extend(settings.keep_to_account(&function.place.account));
    (settings, errors)
}

pub(super) fn checks(function: &Function, resolved: Option<&Resolved>) -> Vec<Check> {
    let Some((settings, errors)) = resolved else {
        let next = "grant kms:Decrypt on the function's key to the caller";
        let found = "the environment cannot be read";
        return vec![Check::unknown("settings", found, next)];
    };
    let mut checks = Vec::new();
    if errors.is_empty() {
        checks.push(Check::ok("settings", "valid"));
    }
    let is_elsewhere = is_elsewhere(function, settings);
    for error in errors {
        // Not a mistake for an image, which may set its own sinks.
        if !(is_elsewhere && error.kind() == ErrorKind::NoSink) {
            let next = "the reference is docs/configuration.md";
            checks.push(Check::problem("settings", error.to_string(), next));
        }
    }
    if is_elsewhere {
        let found = "the function's variables configure no sink; the image may set its own";
        let next = "check ENV in its Dockerfile";
        checks.push(Check::unknown("settings", found, next));
        return checks;
    }
    checks.push(buffer(function, settings));
    checks.push(timeout(function, settings));
    checks.push(primary(settings));
    checks.push(network(function, settings));
    checks
}

/// Whether the settings are in an image, where nobody sees them from here.
pub(super) fn is_elsewhere(function: &Function, settings: &Settings) -> bool {
    function.is_image && settings.primary.is_none() && settings.fallbacks.is_empty()
}

/// The buffer's bound against the function's memory.
fn buffer(function: &Function, settings: &Settings) -> Check {
    const MIB: usize = 1024 * 1024;
    let (bytes, memory) = (settings.buffer_max_bytes, function.memory_mb as usize);
    let found = format!("at most {} MiB of {memory}", bytes / MIB);
    if bytes > memory * MIB / 4 {
        let next = "lower BACKSTOP_BUFFER_MAX_BYTES, or give the function more memory: the buffer \
            and the handler share it";
        return Check::warning("buffer", found, next);
    }
    Check::ok("buffer", found)
}

/// What sending may add against the function's timeout, which counts both.
fn timeout(function: &Function, settings: &Settings) -> Check {
    let (added, timeout) = (settings.flush.max_added, function.timeout);
    let found = format!(
        "sending may add {} ms to an invocation; the function's timeout is {} ms",
        added.as_millis(),
        timeout.as_millis()
    );
    if added > timeout / 2 {
        let next = "lower BACKSTOP_MAX_ADDED_MS, or give the function a longer timeout";
        return Check::warning("timeout", found, next);
    }
    Check::ok("timeout", found)
}

fn primary(settings: &Settings) -> Check {
    let Some(primary) = &settings.primary else {
        let next = "set BACKSTOP_PRIMARY_URL";
        return if settings.fallbacks.is_empty() {
            Check::problem("primary", "no valid primary and no fallback", next)
        } else {
            let found = "no valid primary: every record goes to the fallbacks";
            Check::warning("primary", found, next)
        };
    };
    let shown = primary.shown_url();
    let has_secret =
        primary.token.is_some() || !primary.headers.is_empty() || !primary.references.is_empty();
    match Url::parse(&primary.url) {
        Ok(url) if url.scheme() == "http" && host_kind(&url) != HostKind::Loopback => {
            let secrets = if has_secret {
                ", token and headers"
            } else {
                ""
            };
            let found = format!("{shown}: records{secrets} travel unencrypted");
            Check::warning("primary", found, "use https")
        }
        _ => Check::ok("primary", shown),
    }
}

/// Where a host is, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostKind {
    Loopback,
    Private,
    Public,
}

fn host_kind(url: &Url) -> HostKind {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    if let Ok(address) = host.parse::<IpAddr>() {
        return match address {
            _ if address.is_loopback() => HostKind::Loopback,
            IpAddr::V4(it) if it.is_private() || it.is_link_local() => HostKind::Private,
            IpAddr::V6(it) if it.is_unique_local() || it.is_unicast_link_local() => {
                HostKind::Private
            }
            _ => HostKind::Public,
        };
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if host == "localhost" || last == "localhost" {
        HostKind::Loopback
    } else if !host.contains('.')
        || PRIVATE_DOMAINS.contains(&last)
        || host.ends_with(".vpce.amazonaws.com")
    {
        HostKind::Private
    } else {
        HostKind::Public
    }
}

/// Whether the function can get there: what its network lets out is EC2's to tell, so this says what to
/// look at.
fn network(function: &Function, settings: &Settings) -> Check {
    let url = settings.primary.as_ref();
    let url = url.and_then(|primary| Url::parse(&primary.url).ok());
    let host = (url.as_ref().and_then(Url::host_str)).unwrap_or_default();
    let endpoints: Vec<&str> = (settings.fallbacks.iter())
        .map(|fallback| match fallback {
            Fallback::Firehose { .. } => "an interface endpoint of Firehose",
            Fallback::S3(_) => "a gateway endpoint of S3",
        })
        .collect();
    match (url.as_ref().map(host_kind), &function.vpc_id) {
        (Some(HostKind::Loopback), _) => Check::warning(
            "network",
            format!("{host} is the function's own environment"),
            "check that another extension or a process of the handler accepts the records there",
        ),
        (Some(HostKind::Private), None) => Check::warning(
            "network",
            format!("{host} is private, but the function is not in a VPC"),
            "put the function into the VPC of the host, or give the host's public address",
        ),
        (_, None) => Check::ok(
            "network",
            "not in a VPC: Lambda's network reaches public addresses",
        ),
        (primary, Some(vpc)) => in_vpc(vpc, (primary, host), &endpoints),
    }
}

fn in_vpc(vpc: &str, (primary, host): (Option<HostKind>, &str), endpoints: &[&str]) -> Check {
    let mut routes = Vec::new();
    if primary == Some(HostKind::Public) {
        routes.push(format!(
            "give each of the function's subnets a route to a NAT gateway for {host} (an internet \
             gateway is not enough) or an endpoint, and allow outbound traffic in the security \
             group"
        ));
    }
    if !endpoints.is_empty() {
        let endpoints = endpoints.join(" and ");
        routes.push(format!(
            "give the fallbacks a route to a NAT gateway, or {endpoints}"
        ));
    }
    if routes.is_empty() {
        return Check::ok("network", format!("in {vpc}, as is the primary"));
    }
    let found = format!("in {vpc}: doctor cannot see what traffic it allows out");
    Check::warning("network", found, routes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_name_tells_where_it_is() {
        for (url, expected) in [
            ("https://intake.example.com/v1", HostKind::Public),
            ("https://8.8.8.8/", HostKind::Public),
            ("http://127.0.0.1:4318/", HostKind::Loopback),
            ("http://localhost:4318/", HostKind::Loopback),
            ("http://[::1]/", HostKind::Loopback),
            ("https://10.1.2.3/", HostKind::Private),
            ("https://172.16.0.1/", HostKind::Private),
            ("https://172.32.0.1/", HostKind::Public),
            ("https://[fd00::1]/", HostKind::Private),
            ("https://collector.internal/", HostKind::Private),
            ("https://collector/", HostKind::Private),
            (
                "https://vpce-1.execute-api.eu-west-1.vpce.amazonaws.com/",
                HostKind::Private,
            ),
        ] {
            let parsed = Url::parse(url).expect("it is an address");
            assert_eq!(host_kind(&parsed), expected, "{url}");
        }
    }
}
