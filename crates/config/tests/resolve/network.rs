//! Proxies, and the hosts that are reached without one.

use backstop_config::{Proxy, Settings};

use crate::resolve;

const PLAIN: &str = "is \"http://***\": its port is not a number from 1 to 65535; requests go out \
                     without this proxy";

fn of<'a>(settings: &'a Settings, scheme: &str, host: &str) -> Option<&'a Proxy> {
    settings.proxies.of(scheme == "https", host, None)
}

/// Bucket and variables; the hosts of the proxies for https and for http, and the errors.
fn proxies(variables: &[(&str, &str)]) -> (Option<String>, Option<String>, Vec<String>) {
    let mut all = vec![("BACKSTOP_S3_BUCKET", "archive")];
    all.extend(variables);
    let (settings, errors) = resolve(&all);
    let name = |scheme| of(&settings, scheme, "example.com").map(|proxy| proxy.host.clone());
    (name("https"), name("http"), errors)
}

#[test]
fn of_the_variables_that_name_a_proxy_the_one_that_curl_would_take_is_taken() {
    // Variables, the proxy for https, the one for http.
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);
    let cases: [Case<'_>; 9] = [
        (&[], None, None),
        (&[("HTTPS_PROXY", "http://a")], Some("a"), None),
        (&[("HTTPS_PROXY", " http://a \n")], Some("a"), None),
        (
            &[("https_proxy", "b"), ("HTTPS_PROXY", "a")],
            Some("b"),
            None,
        ),
        (
            &[("https_proxy", ""), ("HTTPS_PROXY", "a")],
            Some("a"),
            None,
        ),
        (&[("HTTP_PROXY", "a"), ("http_proxy", "b")], None, Some("b")),
        (&[("ALL_PROXY", "a")], Some("a"), Some("a")),
        (
            &[("all_proxy", "b"), ("HTTPS_PROXY", "a")],
            Some("a"),
            Some("b"),
        ),
        (
            &[("HTTPS_PROXY", "a"), ("NO_PROXY", "x, .example.com")],
            None,
            None,
        ),
    ];
    for (variables, https, http) in cases {
        let expected = (
            https.map(str::to_owned),
            http.map(str::to_owned),
            Vec::new(),
        );
        assert_eq!(proxies(variables), expected, "{variables:?}");
    }
}

#[test]
fn a_proxy_that_is_not_valid_is_an_error_that_says_what_happens_instead() {
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        let expected = (None, None, vec![format!("{name} {PLAIN}")]);
        assert_eq!(proxies(&[(name, "http://host:x")]), expected);
    }
    // The one that holds is the one that is judged; the next does not take its place unseen.
    let (https, _, errors) = proxies(&[("https_proxy", "http://host:x"), ("HTTPS_PROXY", "a")]);
    assert_eq!(
        (https, errors),
        (None, vec![format!("https_proxy {PLAIN}")])
    );
}

#[test]
fn of_a_proxy_that_is_not_valid_neither_user_name_nor_password_is_shown() {
    for text in [
        "socks5://user:hunter2@proxy:1080",
        "http://user:hunter2@proxy:x",
        "http://hunter2@pro xy",
        "user:hunter2@proxy:x",
        "http://user:hun/ter2hunter2@proxy:1",
        "http://user:%hunter2@proxy:1",
        "http://user:hunter2@",
        "hunter2://user@proxy",
        "http://user:hunter2%40proxy:3128",
        "http://user:hunter2＠proxy:3128",
        "http://user:hunter2",
        "http://user:hunter2/proxy",
        "user:hunter2",
        "socks5://user:1080/hunter2%40proxy",
        "http://user%3Ahunter2%40proxy",
    ] {
        let (https, _, errors) = proxies(&[("HTTPS_PROXY", text)]);
        assert_eq!((https, errors.len()), (None, 1), "{text}");
        assert!(!errors[0].contains("hunter2"), "{errors:?}");
    }
    let (settings, errors) = resolve(&[
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("HTTPS_PROXY", "http://user:hunter2@proxy:3128"),
    ]);
    assert_eq!(errors, [""; 0]);
    assert!(!format!("{settings:?} {settings:#?}").contains("hunter2"));
    let proxy = of(&settings, "https", "example.com").expect("it is valid");
    let exposed = proxy
        .authorization
        .as_ref()
        .map(backstop_config::Secret::expose);
    assert_eq!(exposed, Some("Basic dXNlcjpodW50ZXIy"));
}

#[test]
fn a_part_of_an_address_and_a_range_are_no_exceptions() {
    for text in ["10.", "10.0.0.1-10.0.0.9"] {
        let (https, _, errors) = proxies(&[("HTTPS_PROXY", "a"), ("NO_PROXY", text)]);
        assert_eq!(https.as_deref(), Some("a"));
        assert_eq!(
            errors,
            [
                "NO_PROXY has no host, address or network in entry 1: write example.com, 10.0.0.1 or \
                 10.0.0.0/8; what cannot be read is left out"
            ],
            "{text}"
        );
    }
}

#[test]
fn an_exception_that_cannot_be_read_is_an_error_and_costs_no_other() {
    let (https, _, errors) = proxies(&[
        ("HTTPS_PROXY", "a"),
        ("NO_PROXY", "https://x, example.com, 10.0.0.0/40"),
    ]);
    assert_eq!(https, None);
    assert_eq!(
        errors,
        [
            "NO_PROXY has no host, address or network in entry 1, and 1 more of its entries: write \
             example.com, 10.0.0.1 or 10.0.0.0/8; what cannot be read is left out"
        ]
    );
}
