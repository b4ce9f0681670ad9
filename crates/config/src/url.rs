//! The rules of an address: what is accepted as the primary or as an endpoint, and how it is shown.
//!
//! Written by hand because a URL library costs the layer more than these rules do. They are stricter
//! than RFC 3986: what passes here means the same to every HTTP client.
//!
//! Invariants: an accepted address has a host and holds no user name, no password and nothing but the
//! characters of RFC 3986; what is shown of any text holds no userinfo and no query. Of a text that is
//! not an address nobody can say where a password ends: a scheme and a host are shown, and no more.
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

/// Schemes that are shown: of any other text before `://` nobody knows that it is a scheme.
const SHOWN_SCHEMES: &[&str] = &[
    "https", "http", "socks5h", "socks5", "socks4a", "socks4", "socks", "ftp", "grpc", "s3", "tcp",
    "udp", "ws", "wss",
];

/// Any text that was meant as an address, for a reader.
///
/// A password may hold `/` and `?`, and its `@` may be missing, encoded or of another script. So of a
/// text that is not valid only the scheme is shown, and what has the form of a host and a port.
pub(crate) fn redacted(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    let same = |known: &&&str| scheme.is_some_and(|scheme| known.eq_ignore_ascii_case(scheme));
    let (scheme, rest) = match (scheme, SHOWN_SCHEMES.iter().find(same)) {
        (None, _) => (String::new(), rest),
        (Some(_), Some(known)) => (format!("{known}://"), rest),
        (Some(_), None) => return "***".to_owned(),
    };
    let may_hold_userinfo =
        !text.is_ascii() || text.contains(['@', '%', '\\']) || text.contains("&#");
    let nothing = if split_scheme(text).is_some() {
        format!("{scheme}***")
    } else {
        "***".to_owned()
    };
    if may_hold_userinfo {
        return nothing;
    }
    if check(text).is_ok() {
        return without_query(text);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if !has_form_of_host(authority) {
        return nothing;
    }
    let (separator, hidden) = match tail {
        "" | "/" => (tail, ""),
        // A separator is one byte.
        tail => (&tail[..1], "***"),
    };
    format!("{scheme}{authority}{separator}{hidden}")
}

/// Whether a text is nothing but a host or `host:port`, valid or not. More digits than a port has may
/// be a password.
fn has_form_of_host(authority: &str) -> bool {
    let Ok((host, port)) = split_port(authority) else {
        return false;
    };
    let is_port = |port: &str| {
        (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    let is_host = host.bytes().all(is_name) || host.starts_with('[') && check_host(host).is_ok();
    is_host && port.is_none_or(is_port)
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

pub(crate) fn is_number(label: &str) -> bool {
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
            ("https://host#hunter2", "https://host#***"),
            ("http://host/path?key=hunter2", "http://host/path?***"),
            ("HTTPS://a..b/hunter2", "https://a..b/***"),
            ("https://a..b?hunter2", "https://a..b?***"),
            ("https://a:99999/", "https://a:99999/"),
            ("https:///hunter2", "https:///***"),
            ("https://[::1]:x", "https://***"),
            ("https://[::1]:0", "https://[::1]:0"),
            ("https://[hunter2]", "https://***"),
            ("https://*.vpce-1.example", "https://*.vpce-1.example"),
            ("ftp://host/hunter2", "ftp://host/***"),
            ("intake.example.com:443", "intake.example.com:443"),
            ("https://user:hunter2@host/path", "https://***"),
            // Where the `@` is missing, encoded or another character.
            ("https://user:hunter2", "https://***"),
            ("https://user:hunter2/host", "https://***"),
            ("https://user:48291734", "https://***"),
            ("https://user:hunter2%40host:3128", "https://***"),
            ("https://user:1234/hunter2%40host", "https://***"),
            ("https://user:1234/hunter2@host", "https://***"),
            ("https://user:1234/hunter2&#64;host", "https://***"),
            ("https://user:1234/hunter2\\u0040host", "https://***"),
            ("https://hunter2%2540host", "https://***"),
            ("https://user:hunter2＠host", "https://***"),
            ("https://user:1234/hunter2＠host", "https://***"),
            ("https://user:hunter2 host", "https://***"),
            ("https:/user:hunter2", "***"),
            ("user:hunter2", "***"),
            ("user:hunter2%40host", "***"),
            ("hunter2://host", "***"),
            ("\"http://user:hunter2", "***"),
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
