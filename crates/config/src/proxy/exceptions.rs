//! The hosts of `NO_PROXY`, which are reached without the proxy.
//!
//! curl's rules (since 7.86): entries are separated by commas or spaces, `*` is every host, a name
//! stands for itself and all names below it, with or without a dot in front. Beyond curl a port
//! narrows an entry, and `*.name` stands for the names below alone, as other tools have both.

use std::net::IpAddr;

use crate::url::is_number;

/// What `NO_PROXY` names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Exceptions(Vec<Exception>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    Name { name: String, is_included: bool },
    Network { address: IpAddr, prefix: u32 },
}

impl Exceptions {
    /// Every entry that can be read, and the positions of those that cannot, from 1.
    pub(crate) fn parse(text: &str) -> (Self, Vec<usize>) {
        let entries = text
            .split([',', ' ', '\t', '\n', '\r'])
            .filter(|entry| !entry.is_empty());
        let mut exceptions = Vec::new();
        let mut unreadable = Vec::new();
        for (index, entry) in entries.enumerate() {
            match Exception::parse(entry) {
                Some(exception) => exceptions.push(exception),
                None => unreadable.push(index + 1),
            }
        }
        (Self(exceptions), unreadable)
    }

    /// Whether the host is reached without the proxy; an IPv6 address without its brackets.
    pub(crate) fn hold(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address = host.parse().ok();
        self.0.iter().any(|exception| {
            exception.port.is_none_or(|its| its == port) && exception.hosts.hold(host, address)
        })
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let whole = |hosts| Self { hosts, port: None };
        if let Some(hosts) = Hosts::address(entry) {
            return Some(whole(hosts));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port > 0)?)),
            None => (entry, None),
        };
        let hosts = Hosts::address(host).or_else(|| Hosts::name(host))?;
        Some(Self { hosts, port })
    }
}

impl Hosts {
    /// An address with or without brackets, or a network.
    fn address(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
            None => (text, None),
        };
        let bare = address
            .strip_prefix('[')
            .map_or(Some(address), |rest| rest.strip_suffix(']'))?;
        let address: IpAddr = bare.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(whole);
        (prefix <= whole).then_some(Self::Network { address, prefix })
    }

    fn name(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let below = text.strip_prefix("*.");
        let name = below.unwrap_or(text).trim_matches('.');
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        // Half an address (`10.`) and a range (`10.0.0.1-10.0.0.9`) are meant as networks, and no host
        // has such a name.
        let is_numeric = name.rsplit('.').next().is_some_and(is_number)
            || name
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
        let is_name = name.split('.').all(is_label) && !is_numeric;
        is_name.then(|| Self::Name {
            name: name.to_owned(),
            is_included: below.is_none(),
        })
    }

    fn hold(&self, host: &str, host_address: Option<IpAddr>) -> bool {
        match self {
            Self::All => true,
            Self::Name { name, is_included } => {
                let Some(split) = host.len().checked_sub(name.len()) else {
                    return false;
                };
                // An address ends in no name, but its text may.
                let ends_in_it = host_address.is_none()
                    && host
                        .get(split..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(name));
                ends_in_it && (split == 0 && *is_included || host[..split].ends_with('.'))
            }
            Self::Network { address, prefix } => match (address, host_address) {
                (IpAddr::V4(network), Some(IpAddr::V4(host))) => {
                    let differs = network.to_bits() ^ host.to_bits();
                    differs.checked_shr(32 - prefix).unwrap_or_default() == 0
                }
                (IpAddr::V6(network), Some(IpAddr::V6(host))) => {
                    let differs = network.to_bits() ^ host.to_bits();
                    differs.checked_shr(128 - prefix).unwrap_or_default() == 0
                }
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exceptions;

    #[test]
    fn exceptions_are_those_that_curl_would_make() {
        // (NO_PROXY, hosts without the proxy, hosts with it)
        let cases: [(&str, &[&str], &[&str]); 16] = [
            ("*", &["example.com", "10.0.0.1", "::1"], &[]),
            (
                "example.com",
                &[
                    "example.com",
                    "EXAMPLE.com",
                    "a.example.com",
                    "example.com.",
                ],
                &["notexample.com", "example.org", "com", "example.com.evil"],
            ),
            (
                ".example.com",
                &["example.com", "a.b.example.com"],
                &["aexample.com"],
            ),
            ("example.com.", &["example.com", "a.example.com"], &[]),
            (
                "*.example.com",
                &["a.example.com"],
                &["example.com", "xexample.com"],
            ),
            ("a.com,b.com", &["a.com", "b.com"], &["c.com"]),
            (" a.com , b.com ", &["a.com", "b.com"], &["c.com"]),
            ("a.com b.com", &["a.com", "b.com"], &["c.com"]),
            ("a.com,,b.com,", &["a.com", "b.com"], &["c.com"]),
            (
                "10.0.0.0/8",
                &["10.0.0.1", "10.255.255.255"],
                &["11.0.0.1", "9.255.255.255"],
            ),
            (
                "192.168.7.9",
                &["192.168.7.9"],
                &["192.168.7.8", "1.192.168.7.9"],
            ),
            ("0.0.0.0/0", &["10.0.0.1"], &["example.com", "2001:db8::1"]),
            (
                "2001:db8::/32",
                &["2001:db8:1::2"],
                &["2001:db9::1", "10.0.0.1"],
            ),
            ("[2001:db8::7]", &["2001:db8::7"], &["2001:db8::8"]),
            ("::/0", &["2001:db8::7"], &["10.0.0.1"]),
            ("10.example.com", &["a.10.example.com"], &["10.0.0.1"]),
        ];
        for (text, without, with) in cases {
            let (exceptions, unreadable) = Exceptions::parse(text);
            assert_eq!(unreadable, [0; 0], "{text}");
            for host in without {
                assert!(exceptions.hold(host, 443), "{text}: {host}");
            }
            for host in with {
                assert!(!exceptions.hold(host, 443), "{text}: {host}");
            }
        }
    }

    #[test]
    fn a_port_narrows_an_exception() {
        for (text, host) in [
            ("example.com:8443", "a.example.com"),
            ("10.0.0.1:8443", "10.0.0.1"),
            ("[2001:db8::7]:8443", "2001:db8::7"),
            ("*:8443", "anything"),
        ] {
            let (exceptions, unreadable) = Exceptions::parse(text);
            assert_eq!(unreadable, [0; 0], "{text}");
            assert!(exceptions.hold(host, 8443), "{text}");
            assert!(!exceptions.hold(host, 443), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_place_and_costs_no_other() {
        let text = "a.com, https://b.com, 10.0.0.0/33, c.com:x, c.com:0, [::1, 2001:db8::/129, ä.com, \
                    ., d.com, 10., 0.1, 10, 10.0.0.1-10.0.0.9, 10.0.0.1-9, 10.0.0.*, 0x7f000001, a..com, \
                    *.10";
        let (exceptions, unreadable) = Exceptions::parse(text);
        assert_eq!(
            unreadable,
            [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19]
        );
        assert!(exceptions.hold("a.com", 443) && exceptions.hold("d.com", 443));
        assert!(!exceptions.hold("b.com", 443) && !exceptions.hold("c.com", 443));
    }
}
