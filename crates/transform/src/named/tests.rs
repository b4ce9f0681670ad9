use backstop_config::NamedPattern as Named;

use super::find;

fn all(pattern: Named, text: &str) -> Vec<&str> {
    let (mut from, mut all) = (0, Vec::new());
    while let Some(range) = find(pattern, text.as_bytes(), from) {
        from = range.end;
        all.push(&text[range]);
    }
    all
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_pattern_finds_what_it_is_for_and_no_more() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g";
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let session = format!("IQoJb3JpZ2luX2VjEJr{}==", "aB3/+".repeat(20));
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----";
    for (pattern, text, expected) in [
        (
            Named::AwsKeys,
            "id=AKIAIOSFODNN7EXAMPLE, x",
            vec!["AKIAIOSFODNN7EXAMPLE"],
        ),
        (
            Named::AwsKeys,
            "Credential=ASIAIOSFODNN7EXAMPLE/20260131/eu",
            vec!["ASIAIOSFODNN7EXAMPLE"],
        ),
        (
            Named::AwsKeys,
            "AKIAIOSFODNN7EXAMPLES AKIAIOSFODNN7EXAMPL xAKIAIOSFODNN7EXAMPLE",
            vec![],
        ),
        (
            Named::AwsKeys,
            &format!("AWS_SECRET_ACCESS_KEY={secret}"),
            vec![secret],
        ),
        (
            Named::AwsKeys,
            &format!("\"{secret}\" {secret}x"),
            vec![secret],
        ),
        (
            Named::AwsKeys,
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            vec![],
        ),
        (
            Named::AwsKeys,
            "averylongwordwithoutanydigitsinitxxxxxxx",
            vec![],
        ),
        (Named::AwsKeys, &format!("token={session}"), vec![&session]),
        (
            Named::Bearer,
            "Authorization: bearer abc.def-1",
            vec!["abc.def-1"],
        ),
        (
            Named::Bearer,
            "Bearer: \"0123456789\" BEARER=abcdefgh9",
            vec!["0123456789", "abcdefgh9"],
        ),
        (Named::Bearer, "the bearer certificate of bearers", vec![]),
        (Named::Jwt, &format!("a={jwt};"), vec![jwt]),
        (
            Named::Jwt,
            "eyJ.eyJ.eyJ eyJhbGciOiJIUzI1NiJ9.x xeyJhbGciOiJI",
            vec![],
        ),
        (Named::PrivateKeys, &format!("a {pem} b"), vec![pem]),
        (
            Named::PrivateKeys,
            "x-----BEGIN PRIVATE KEY-----\nabc",
            vec!["-----BEGIN PRIVATE KEY-----\nabc"],
        ),
        (
            Named::PrivateKeys,
            "-----BEGIN CERTIFICATE-----\nabc",
            vec![],
        ),
        (
            Named::Email,
            "<a.b+c@ex-ample.co.uk>, to=d@e.io.",
            vec!["a.b+c@ex-ample.co.uk", "d@e.io"],
        ),
        (
            Named::Email,
            "jörg@müller.de x@xn--mller-kva.xn--p1ai",
            vec!["jörg@müller.de", "x@xn--mller-kva.xn--p1ai"],
        ),
        (
            Named::Email,
            "a@b @b.com a@ @ a@.com a@b.c a@1.2.3.4",
            vec![],
        ),
        (
            Named::Card,
            "4111111111111111, 3782-822463-10005 5555 5555 5555 4444!",
            vec![
                "4111111111111111",
                "3782-822463-10005",
                "5555 5555 5555 4444",
            ],
        ),
        (
            Named::Card,
            "2026-01-31 4111 1111 1111 1111",
            vec!["4111 1111 1111 1111"],
        ),
        (
            Named::Card,
            "4111111111111112 1735689600000 0000000000000000 a4111111111111111 41111111111111111111111",
            vec![],
        ),
        (
            Named::Ssn,
            "ssn 123-45-6789, 123 45 6789.",
            vec!["123-45-6789", "123 45 6789"],
        ),
        (
            Named::Ssn,
            "666-45-6789 912-45-6789 123-00-6789 123-45-67890 1123-45-6789 123-45 6789",
            vec![],
        ),
        (
            Named::Ipv4,
            "from 10.0.0.1, (192.168.255.254). 1.2.3.4:80",
            vec!["10.0.0.1", "192.168.255.254", "1.2.3.4"],
        ),
        (
            Named::Ipv4,
            "1.2.3 1.2.3.4.5 256.1.1.1 v1.2.3.4 1.2.3.4a ...",
            vec![],
        ),
        (
            Named::Ipv6,
            "[2001:db8::1]:443 at fe80::1 and ::ffff:10.0.0.1: no",
            vec!["2001:db8::1", "fe80::1", "::ffff:10.0.0.1"],
        ),
        (
            Named::Ipv6,
            "12:34:56 std::vec 00:11:22:33:44:55 :: a::b x::1",
            vec![],
        ),
        (
            Named::Iban,
            "DE89 3704 0044 0532 0130 00 and GB29NWBK60161331926819.",
            vec!["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"],
        ),
        (
            Named::Iban,
            "DE89 3704 0044 0532 0130 01 XX12 GB29NWBK601613319268199 xDE89370400440532013000",
            vec![],
        ),
    ] {
        assert_eq!(all(pattern, text), expected, "{pattern:?} in {text}");
    }
}

#[test]
fn text_made_to_be_slow_is_not() {
    for unit in [
        "a@",
        "@",
        "1.",
        "1-",
        ":",
        "::1",
        "eyJa.",
        "bearer ",
        "bearer=",
        "AKIA",
        "a/",
        "-----BEGIN ",
        "DE89",
        "1 ",
        "\u{e9}@",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        for pattern in Named::ALL {
            // Quadratic time would be an hour.
            all(*pattern, &text);
        }
    }
}

#[test]
fn nothing_shorter_than_the_least_is_found() {
    for (pattern, shortest) in [
        (Named::AwsKeys, "AKIAIOSFODNN7EXAMPLE"),
        (Named::Bearer, "bearer abcdefg1"),
        (Named::Jwt, "eyJabcdefg.abcd."),
        (Named::PrivateKeys, "-----BEGIN PRIVATE KEY-----"),
        (Named::Email, "a@b.co"),
        (Named::Card, "4222222222222"),
        (Named::Ipv4, "1.2.3.4"),
        (Named::Ipv6, "::1"),
        (Named::Ssn, "123-45-6789"),
        (Named::Iban, "NO9386011117947"),
    ] {
        assert!(!all(pattern, shortest).is_empty(), "{shortest}");
        assert!(shortest.len() >= super::least(pattern), "{shortest}");
    }
}
