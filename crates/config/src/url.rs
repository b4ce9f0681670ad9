//! The rules of an address: what is accepted as the primary or as an endpoint, and how it is shown.
//!
//! Written by hand because a URL library costs the layer more than these rules do. They are stricter
//! than RFC 3986: what passes here means the same to every HTTP client.
//!
//! Invariants: an accepted address has a host and holds no user name, no password and nothing but the
//! characters of RFC 3986; what is shown of any text holds no userinfo and no query.
//!
//! Must not: resolve a name, or change the address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is known of an accepted address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    /// Whether the scheme is https.
    pub(crate) encrypted: bool,
    /// Whether the host is this machine.
    pub(crate) loopback: bool,
    /// Whether there is a `?`.
    pub(crate) has_query: bool,
}

/// Why an address is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlProblem {
    Scheme,
    Character,
    Userinfo,
    NoHost,
    Host,
    Port,
    Fragment,
}

impl UrlProblem {
    /// What is wrong and what to do; goes on from `is "https://…": `.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Scheme => "begin it with https://",
            Self::Character => {
                "it holds a space, a control character, one that is not ASCII or one of \"<>\\^`{|}; \
                 percent-encode it or remove it, and write a host's name in punycode (xn--…)"
            }
            Self::Userinfo => "remove the user name and the password",
            Self::NoHost => "it names no host; write https://host/path",
            Self::Host => "its host is not a valid name or address",
            Self::Port => "its port is not a number from 1 to 65535",
            Self::Fragment => "remove the part from # on, which is never sent",
        }
    }
}

/// Visible ASCII that RFC 3986 has nowhere in an address. Some clients encode it, others refuse it,
/// and a backslash is a slash to some.
const NOT_IN_ADDRESSES: &[u8] = b"\"<>\\^`{|}";

/// Judges an address.
pub(crate) fn check(text: &str) -> Result<Address, UrlProblem> {
    let (encrypted, rest) = split_scheme(text).ok_or(UrlProblem::Scheme)?;
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !NOT_IN_ADDRESSES.contains(&byte))
    {
        return Err(UrlProblem::Character);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if authority.contains('@') {
        return Err(UrlProblem::Userinfo);
    }
    let (host, port) = split_port(authority)?;
    if port.is_some_and(|port| !is_port(port)) {
        return Err(UrlProblem::Port);
    }
    let loopback = check_host(host)?;
    if tail.contains('#') {
        return Err(UrlProblem::Fragment);
    }
    Ok(Address {
        encrypted,
        loopback,
        has_query: tail.contains('?'),
    })
}

/// The address for a reader: without its query.
pub(crate) fn without_query(address: &str) -> String {
    match address.find(['?', '#']) {
        Some(end) => format!("{}?***", &address[..end]),
        None => address.to_owned(),
    }
}

/// Any text that was meant as an address, for a reader. With an `@` in it nothing tells a password
/// that holds `/` or `?` from a path, so that nothing but the scheme is shown.
pub(crate) fn redacted(text: &str) -> String {
    if !text.contains('@') {
        return without_query(text);
    }
    match split_scheme(text) {
        Some((true, _)) => "https://***".to_owned(),
        Some((false, _)) => "http://***".to_owned(),
        None => "***".to_owned(),
    }
}

/// Whether the scheme is https (or else http), and what follows it.
fn split_scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((true, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((false, rest))
    } else {
        None
    }
}

pub(crate) fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlProblem> {
    // An IPv6 address holds colons of its own: its port comes after the bracket.
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(UrlProblem::Host)? + 1;
        let (host, port) = authority.split_at(end);
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if port.is_empty() => Ok((host, None)),
            None => Err(UrlProblem::Host),
        };
    }
    Ok(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

pub(crate) fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Judges a host; true for one that is this machine.
pub(crate) fn check_host(host: &str) -> Result<bool, UrlProblem> {
    if host.is_empty() {
        return Err(UrlProblem::NoHost);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(UrlProblem::Host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| UrlProblem::Host)?;
        return Ok(IpAddr::from(address).is_loopback());
    }
    let labels_are_valid = host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
    if !labels_are_valid {
        return Err(UrlProblem::Host);
    }
    // A last label that is a number makes clients read the host as an IPv4 address, in forms such
    // as 127.1 and 0x7f000001 too: only the plain form is accepted.
    if host.rsplit('.').next().is_some_and(is_number) {
        let address: Ipv4Addr = host.parse().map_err(|_| UrlProblem::Host)?;
        return Ok(address.is_loopback());
    }
    Ok(host.eq_ignore_ascii_case("localhost"))
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::{UrlProblem, check, redacted};

    #[test]
    fn addresses_are_judged() {
        use UrlProblem::{Character, Fragment, Host, NoHost, Port, Scheme, Userinfo};
        // (text, encrypted and loopback, or the problem)
        let cases = [
            ("https://intake.example.com", Ok((true, false))),
            (
                "HTTPS://intake.example.com:8443/v1/logs?key=1",
                Ok((true, false)),
            ),
            ("https://a_b.example", Ok((true, false))),
            ("https://203.0.113.7/x", Ok((true, false))),
            ("https://[2001:db8::1]:443/x", Ok((true, false))),
            ("https://host?x", Ok((true, false))),
            ("https://host/@team", Ok((true, false))),
            ("http://localhost:8080/", Ok((false, true))),
            ("http://LocalHost", Ok((false, true))),
            ("http://127.0.0.1:1/x", Ok((false, true))),
            ("http://127.255.255.254", Ok((false, true))),
            ("http://[::1]:8080", Ok((false, true))),
            ("http://[::ffff:127.0.0.1]", Ok((false, false))),
            ("http://localhost.example.com", Ok((false, false))),
            ("http://128.0.0.1", Ok((false, false))),
            ("intake.example.com", Err(Scheme)),
            ("ftp://host", Err(Scheme)),
            ("https:/host", Err(Scheme)),
            ("", Err(Scheme)),
            ("https://ho st", Err(Character)),
            ("https://bücher.example", Err(Character)),
            ("https://xn--bcher-kva.example", Ok((true, false))),
            ("https://host/a b", Err(Character)),
            ("https://host/\n", Err(Character)),
            ("https://good\\@evil", Err(Character)),
            ("https://host/?a>b", Err(Character)),
            ("https://host/{a|b}", Err(Character)),
            ("https://bücher.example", Err(Character)),
            ("https://user@host", Err(Userinfo)),
            ("https://user:password@host:1/x", Err(Userinfo)),
            ("https://@host", Err(Userinfo)),
            ("https://", Err(NoHost)),
            ("https:///path", Err(NoHost)),
            ("https://:443", Err(NoHost)),
            ("https://a..b", Err(Host)),
            ("https://.a", Err(Host)),
            ("https://%31", Err(Host)),
            ("https://127.1", Err(Host)),
            ("https://0x7f000001", Err(Host)),
            ("https://256.0.0.1", Err(Host)),
            ("https://[::1", Err(Host)),
            ("https://[::1]x", Err(Host)),
            ("https://[zz]", Err(Host)),
            ("https://host:", Err(Port)),
            ("https://host:0", Err(Port)),
            ("https://host:65536", Err(Port)),
            ("https://host:+1", Err(Port)),
            ("https://a:b:c", Err(Port)),
            ("https://host/x#part", Err(Fragment)),
        ];
        for (text, expected) in cases {
            let judged = check(text).map(|address| (address.encrypted, address.loopback));
            assert_eq!(judged, expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_userinfo_and_no_query() {
        let cases = [
            ("https://host/path", "https://host/path"),
            ("https://host/path?key=hunter2", "https://host/path?***"),
            ("https://host#hunter2", "https://host?***"),
            ("https://user:hunter2@host/path", "https://***"),
            ("HTTP://user:hun/ter2@host", "http://***"),
            ("https://user:hun?ter2@host", "https://***"),
            ("user:hunter2@host", "***"),
            ("ftp://user:hunter2@host", "***"),
        ];
        for (text, expected) in cases {
            assert_eq!(redacted(text), expected, "{text}");
        }
    }
}
