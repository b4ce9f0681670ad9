//! Which requests go through a proxy: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, read
//! as curl reads them.
//!
//! The HTTP client takes its proxies from here and reads no variable of its own, so that what the
//! configuration reports is what happens.
//!
//! Invariants: an accepted proxy is http or https and has a valid host; its user name and password
//! are a [`Secret`]; a host inside the execution environment never has a proxy.
//!
//! Must not: resolve a name, or connect.

mod exceptions;

use std::net::IpAddr;

use crate::secret::Secret;
use crate::url::{UrlProblem, check_host, is_port, split_port};
pub(crate) use exceptions::Exceptions;

/// The proxies of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    pub(crate) https: Option<Proxy>,
    pub(crate) http: Option<Proxy>,
    pub(crate) exceptions: Exceptions,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proxy {
    /// Whether the connection to the proxy itself is TLS.
    pub encrypted: bool,
    /// Its host; an IPv6 address is in brackets.
    pub host: String,
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<Secret>,
}

impl Proxies {
    /// The proxy of requests to any host that is not excepted.
    pub fn of_any(&self, encrypted: bool) -> Option<&Proxy> {
        if encrypted { &self.https } else { &self.http }.as_ref()
    }

    /// The proxy of a request; `host` as it is in the address.
    pub fn of(&self, encrypted: bool, host: &str, port: Option<u16>) -> Option<&Proxy> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.unwrap_or(if encrypted { 443 } else { 80 });
        if is_inside_the_environment(host) || self.exceptions.hold(host, port) {
            return None;
        }
        self.of_any(encrypted)
    }
}

/// No proxy can reach what is inside the execution environment: a collector on loopback, the
/// link-local address that credentials come from.
fn is_inside_the_environment(host: &str) -> bool {
    let is_local = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_local)
}

/// A proxy's address, or how to write one: `http://user:password@host:port`, or `host:port`.
pub(crate) fn parse(text: &str) -> Result<Proxy, &'static str> {
    let (encrypted, rest) = scheme(text)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('@') {
        return Err("percent-encode /, ? and # in the user name and the password");
    }
    let (credentials, server) = match authority.rsplit_once('@') {
        Some((credentials, server)) => (Some(credentials), server),
        None if text.contains("%40") || text.contains('＠') => {
            return Err("write a plain @ between the password and the host");
        }
        None => (None, authority),
    };
    let advice = |problem: UrlProblem| match problem {
        UrlProblem::NoHost => "it names no host; write http://host:port",
        other => other.advice(),
    };
    let (host, port) = split_port(server).map_err(advice)?;
    check_host(host).map_err(advice)?;
    let port = match port {
        None if encrypted => 443,
        None => 80,
        Some(text) => text
            .parse()
            .ok()
            .filter(|_| is_port(text))
            .ok_or_else(|| advice(UrlProblem::Port))?,
    };
    Ok(Proxy {
        encrypted,
        host: host.to_owned(),
        port,
        authorization: credentials.map(authorization).transpose()?,
    })
}

fn scheme(text: &str) -> Result<(bool, &str), &'static str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok((false, text));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok((false, rest)),
        "https" => Ok((true, rest)),
        "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => {
            Err("SOCKS is not supported; give an http:// or https:// proxy")
        }
        _ => Err("begin it with http:// or https://"),
    }
}

/// The header's value; user name and password are percent-encoded in the address.
fn authorization(credentials: &str) -> Result<Secret, &'static str> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decoded = |text| {
        percent_decoded(text)
            .filter(|bytes| !bytes.iter().any(u8::is_ascii_control))
            .ok_or(
                "its user name or password has an incomplete percent-encoding or a control \
                 character; correct it",
            )
    };
    let mut plain = decoded(user)?;
    plain.push(b':');
    plain.extend(decoded(password)?);
    Ok(Secret::new(format!("Basic {}", base64(&plain))))
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        };
        decoded.push(byte);
    }
    Some(decoded)
}

/// RFC 4648, section 4. A crate for it is not worth what the layer would pay.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| usize::from(group.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place <= group.len() {
                text.push(char::from(DIGITS[bits >> (18 - 6 * place) & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_with_its_port_and_its_credentials() {
        let cases = [
            (
                "http://proxy.internal:3128",
                (false, "proxy.internal", 3128),
                None,
            ),
            (
                "HTTP://proxy.internal:3128/",
                (false, "proxy.internal", 3128),
                None,
            ),
            (
                "https://proxy.internal",
                (true, "proxy.internal", 443),
                None,
            ),
            ("http://proxy.internal", (false, "proxy.internal", 80), None),
            ("proxy.internal:3128", (false, "proxy.internal", 3128), None),
            ("10.0.0.7:8080", (false, "10.0.0.7", 8080), None),
            (
                "http://[2001:db8::7]:8080",
                (false, "[2001:db8::7]", 8080),
                None,
            ),
            // RFC 7617's own example.
            (
                "http://Aladdin:open%20sesame@proxy:1",
                (false, "proxy", 1),
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            (
                "http://user@proxy:1",
                (false, "proxy", 1),
                Some("Basic dXNlcjo="),
            ),
            (
                "user:p@ss:w@proxy:1",
                (false, "proxy", 1),
                Some("Basic dXNlcjpwQHNzOnc="),
            ),
            (
                "http://u:%2F%3f%23%C3%A9@proxy:1",
                (false, "proxy", 1),
                Some("Basic dTovPyPDqQ=="),
            ),
        ];
        for (text, (encrypted, host, port), authorization) in cases {
            let proxy = parse(text).expect(text);
            assert_eq!(
                (proxy.encrypted, proxy.host.as_str(), proxy.port),
                (encrypted, host, port)
            );
            let exposed = proxy.authorization.as_ref().map(Secret::expose);
            assert_eq!(exposed, authorization, "{text}");
            assert!(!format!("{proxy:?}").contains("Basic"), "{proxy:?}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_with_what_to_do() {
        let cases = [
            (
                "socks5://proxy:1080",
                "SOCKS is not supported; give an http:// or https:// proxy",
            ),
            (
                "socks5h://u:p@proxy",
                "SOCKS is not supported; give an http:// or https:// proxy",
            ),
            ("ftp://proxy", "begin it with http:// or https://"),
            ("http://", "it names no host; write http://host:port"),
            ("http://u:p@", "it names no host; write http://host:port"),
            ("http://pro xy:1", "its host is not a valid name or address"),
            ("\"http://proxy:1\"", "begin it with http:// or https://"),
            ("http://proxy:0", "its port is not a number from 1 to 65535"),
            (
                "http://proxy:three",
                "its port is not a number from 1 to 65535",
            ),
            ("http://proxy:", "its port is not a number from 1 to 65535"),
            ("http://[::1", "its host is not a valid name or address"),
            (
                "http://u:p/w@proxy:1",
                "percent-encode /, ? and # in the user name and the password",
            ),
            (
                "http://u:p%40proxy:1",
                "write a plain @ between the password and the host",
            ),
            (
                "http://u:p＠proxy:1",
                "write a plain @ between the password and the host",
            ),
            (
                "http://u:%4@proxy:1",
                "its user name or password has an incomplete percent-encoding or a control \
                 character; correct it",
            ),
            (
                "http://u:%0d%0aHost%3a@proxy:1",
                "its user name or password has an incomplete percent-encoding or a control \
                 character; correct it",
            ),
        ];
        for (text, advice) in cases {
            assert_eq!(parse(text), Err(advice), "{text}");
        }
    }

    #[test]
    fn no_proxy_is_asked_for_what_is_inside_the_environment() {
        let proxies = Proxies {
            https: parse("https://proxy").ok(),
            http: parse("http://proxy").ok(),
            exceptions: Exceptions::default(),
        };
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "169.254.170.2",
            "[fe80::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:169.254.170.2]",
        ] {
            assert_eq!(proxies.of(true, host, None), None, "{host}");
            assert_eq!(proxies.of(false, host, Some(80)), None, "{host}");
        }
        for host in [
            "example.com",
            "10.0.0.1",
            "localhost.example.com",
            "[2001:db8::1]",
        ] {
            assert_eq!(
                proxies.of(true, host, None).map(|it| it.port),
                Some(443),
                "{host}"
            );
            assert_eq!(
                proxies.of(false, host, None).map(|it| it.port),
                Some(80),
                "{host}"
            );
        }
    }
}
