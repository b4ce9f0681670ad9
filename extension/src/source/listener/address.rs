//! Where the listener listens: at the address by which the platform reaches it, and at no other.
//!
//! The platform posts to the name [`SANDBOX`]. On Lambda the sandbox's hosts file has its address; an
//! emulator without an entry posts over loopback, or to where our requests to it come from. Every
//! candidate is tried, best first: one that cannot be bound must not cost the telemetry. Invariant: the
//! listener is never bound to all interfaces, since anyone who reaches it can post.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::OtherAddress;

/// The name by which Lambda reaches us; an entry of the environment's hosts file.
pub(super) const SANDBOX: &str = "sandbox.localdomain";

/// Addresses to try.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Those of the hosts file.
    named: Vec<IpAddr>,
    /// What is left where none of them can be bound, best first.
    others: Vec<IpAddr>,
    /// Whether it is no surprise that there is no entry: the platform is an emulator on loopback.
    is_local: bool,
}

/// The hosts file, whatever its encoding: a comment may hold anything.
pub(super) fn hosts() -> String {
    let bytes = std::fs::read("/etc/hosts").unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The addresses by which the platform may reach us.
pub(super) fn candidates(hosts: &str, runtime_api: &str) -> Candidates {
    let host = runtime_api
        .rsplit_once(':')
        .map_or(runtime_api, |(host, _)| host)
        .trim_start_matches('[')
        .trim_end_matches(']');
    let api: Option<IpAddr> = host.parse().ok();
    let is_local = host == "localhost" || api.is_some_and(|api| api.to_canonical().is_loopback());
    let own = api.and_then(own_address_towards);
    let mut others: Vec<IpAddr> = own.into_iter().collect();
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if !others.contains(&loopback) {
        others.push(loopback);
    }
    Candidates {
        named: named(hosts),
        others,
        is_local,
    }
}

fn named(hosts: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let entry = line.split('#').next().unwrap_or_default();
        let mut words = entry.split_ascii_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        let is_named = words.any(|name| name.eq_ignore_ascii_case(SANDBOX));
        (is_named && is_of_one_host(address)).then_some(address)
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in hosts.lines().filter_map(address) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Whether somebody can be reached at the address, and nobody at more than it: neither all interfaces nor
/// a group. The kernel binds a socket to each of those, also where it is written as an IPv6 address.
fn is_of_one_host(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

/// The address from which packets to `api` would leave. Nothing is sent.
fn own_address_towards(api: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match api {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((api, 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    is_of_one_host(own).then_some(own)
}

/// The first that can be bound.
pub(super) async fn bind(
    candidates: &Candidates,
) -> io::Result<(TcpListener, Option<OtherAddress>)> {
    let mut refused = Vec::new();
    for address in &candidates.named {
        match TcpListener::bind(SocketAddr::new(*address, 0)).await {
            Ok(listener) => return Ok((listener, None)),
            Err(error) => refused.push((*address, error.kind())),
        }
    }
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in &candidates.others {
        match TcpListener::bind(SocketAddr::new(*address, 0)).await {
            Ok(listener) => {
                let is_expected = candidates.is_local && refused.is_empty();
                let elsewhere = (!is_expected).then_some(OtherAddress {
                    address: *address,
                    refused,
                });
                return Ok((listener, elsewhere));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl OtherAddress {
    /// For the log.
    pub(crate) fn details(&self) -> Value {
        let refused: Vec<String> = self
            .refused
            .iter()
            .map(|(address, kind)| format!("{address}: {kind}"))
            .collect();
        json!({"address": self.address.to_string(), "refused": refused})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| address(text)).collect()
    }

    #[test]
    fn every_address_of_the_hosts_file_is_a_candidate_in_its_order() {
        let cases: [(&str, &[&str]); 13] = [
            (
                "127.0.0.1 localhost\n169.254.79.129 sandbox.localdomain sandbox # Lambda\n",
                &["169.254.79.129"],
            ),
            ("127.0.0.1 localhost", &[]),
            ("# 1.2.3.4 sandbox.localdomain", &[]),
            ("1.2.3.4 other # sandbox.localdomain", &[]),
            (
                "1.2.3.4 sandbox sandbox.localdomain\n::1 Sandbox.LocalDomain",
                &["1.2.3.4", "::1"],
            ),
            (
                "1.2.3.4 sandbox.localdomain\n1.2.3.4 sandbox.localdomain",
                &["1.2.3.4"],
            ),
            ("0.0.0.0 sandbox.localdomain\n:: sandbox.localdomain", &[]),
            ("::ffff:0.0.0.0 sandbox.localdomain", &[]),
            (
                "224.0.0.1 sandbox.localdomain\nff02::1 sandbox.localdomain\n\
                 ::ffff:239.1.2.3 sandbox.localdomain",
                &[],
            ),
            (
                "255.255.255.255 sandbox.localdomain\n::ffff:255.255.255.255 sandbox.localdomain",
                &[],
            ),
            (
                "::ffff:0:0 sandbox.localdomain\n::ffff:127.0.0.1 sandbox.localdomain",
                &["::ffff:127.0.0.1"],
            ),
            (
                "fe80::1%eth0 sandbox.localdomain\nrubbish sandbox.localdomain\n\n",
                &[],
            ),
            (
                "\u{fffd}\u{fffd}\n1.2.3.4\tsandbox.localdomain\r\n",
                &["1.2.3.4"],
            ),
        ];
        for (hosts, expected) in cases {
            assert_eq!(named(hosts), addresses(expected), "{hosts}");
        }
    }

    #[test]
    fn without_an_entry_the_listener_is_where_the_platform_sees_us_and_never_everywhere() {
        for (api, is_local) in [
            ("127.0.0.1:9001", true),
            ("localhost:9001", true),
            ("[::1]:9001", true),
            ("[::ffff:127.0.0.1]:9001", true),
            ("169.254.100.1:9001", false),
            ("runtime.internal:9001", false),
            ("", false),
        ] {
            let candidates = candidates("", api);
            assert_eq!(candidates.is_local, is_local, "{api}");
            assert!(
                candidates.others.iter().all(|it| is_of_one_host(*it)),
                "{candidates:?}"
            );
            assert!(
                candidates.others.contains(&address("127.0.0.1")),
                "{candidates:?}"
            );
        }
        let local = candidates("", "127.0.0.1:9001").others;
        assert_eq!(local, addresses(&["127.0.0.1"]));
    }

    #[tokio::test]
    async fn the_listener_binds_to_the_next_address_where_one_cannot_be_had_and_says_so() {
        // Of TEST-NET-2, which no machine should have.
        let nowhere = address("198.51.100.201");
        let home = address("127.0.0.1");
        let refused = vec![(nowhere, io::ErrorKind::AddrNotAvailable)];
        let cases = [
            (vec![home], true, None),
            (vec![nowhere, home], true, None),
            (vec![], true, None),
            (
                vec![],
                false,
                Some(OtherAddress {
                    address: home,
                    refused: vec![],
                }),
            ),
            (
                vec![nowhere],
                true,
                Some(OtherAddress {
                    address: home,
                    refused,
                }),
            ),
        ];
        for (named, is_local, expected) in cases {
            let candidates = Candidates {
                named,
                others: vec![home],
                is_local,
            };
            let (listener, elsewhere) = bind(&candidates).await.expect("loopback is there");
            assert_eq!(listener.local_addr().expect("it is bound").ip(), home);
            assert_eq!(elsewhere, expected, "{candidates:?}");
        }
    }

    #[tokio::test]
    async fn an_entry_that_names_all_interfaces_or_a_group_is_skipped_with_a_warning() {
        for entry in [
            "0.0.0.0",
            "::",
            "::ffff:0.0.0.0",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            let hosts = format!("{entry} sandbox.localdomain");
            let candidates = candidates(&hosts, "runtime.internal:9001");
            let (listener, elsewhere) = bind(&candidates).await.expect("loopback is there");
            let bound = listener.local_addr().expect("it is bound").ip();
            assert_eq!(bound, address("127.0.0.1"), "{entry}");
            let elsewhere = elsewhere.expect("it is reported");
            assert_eq!(elsewhere.address, bound, "{entry}");
        }
    }

    #[tokio::test]
    async fn where_no_address_can_be_had_that_is_an_error() {
        let candidates = Candidates {
            named: addresses(&["198.51.100.201"]),
            others: addresses(&["198.51.100.202"]),
            is_local: false,
        };
        let error = bind(&candidates)
            .await
            .map(|_| ())
            .expect_err("neither is ours");
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
