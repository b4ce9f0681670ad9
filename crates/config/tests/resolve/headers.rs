//! Headers and the token of the primary.

use crate::{URL, primary_with, resolve};

#[test]
fn headers_that_are_not_valid_switch_the_primary_off() {
    let cases = [
        (
            "X-A=1,hunter2",
            "has no \"=\" in entry 2: write name=value pairs, separated by commas; a value cannot \
             hold a comma",
        ),
        (
            "X A=1",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        (
            "=1",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        (
            "X-Ä=1",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        ("Host=a", "sets Host, which cannot be set here: remove it"),
        (
            "content-LENGTH=1",
            "sets content-LENGTH, which cannot be set here: remove it",
        ),
        (
            "Transfer-Encoding=a",
            "sets Transfer-Encoding, which cannot be set here: remove it",
        ),
        (
            "Connection=a",
            "sets Connection, which cannot be set here: remove it",
        ),
        (
            "Content-Encoding=a",
            "sets Content-Encoding, which cannot be set here: remove it",
        ),
        (
            "Content-Type=a",
            "sets Content-Type, which cannot be set here: remove it",
        ),
        (
            "Idempotency-Key=a",
            "sets Idempotency-Key, which cannot be set here: remove it",
        ),
        ("X-A=", "has no value in entry 1: give one, or remove it"),
        (
            "X-A=a\r\nX-B: b",
            "has a line break, a control character or one that is not ASCII in the value of entry 1: \
             remove it",
        ),
        (
            "X-A=ä",
            "has a line break, a control character or one that is not ASCII in the value of entry 1: \
             remove it",
        ),
    ];
    for (headers, problem) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_HEADERS", headers);
        assert_eq!(
            errors,
            [format!(
                "BACKSTOP_PRIMARY_HEADERS {problem}; the primary is off"
            )]
        );
        assert_eq!(primary, None, "{headers}");
    }
}

#[test]
fn headers_that_were_meant_otherwise_than_they_would_be_sent_switch_the_primary_off() {
    let cases = [
        (
            "X-A=hunter2;X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-Z=z,X-A=hunter2; x-b=b",
            "has more than one header in entry 2: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "api-key=hunter2;tenant-id=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2;Authorization=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2 X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2|X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2&X-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "X-A=hunter2\\nX-B=b",
            "has more than one header in entry 1: separate headers by commas, as in k=v,k2=v2",
        ),
        (
            "'X-A=hunter2",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "X-A='hunter2'",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "X-Z=z,X-A=\"hunter2\"",
            "has a quote at an end of entry 2, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "X-A=hunter2\"",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "`X-A=hunter2`",
            "has a quote at an end of entry 1, which would be sent: write k=v,k2=v2 without quotes",
        ),
        (
            "\"X-A=hunter2,X-B=b\"",
            "has no valid header name in entry 1: use letters, digits and hyphens",
        ),
        (
            "X-A=hunter2,X-A=hunter2",
            "sets the header of entry 1 again in entry 2 (case does not matter): set it once",
        ),
        (
            "X-A=1,X-Z=z,x-a=hunter2",
            "sets the header of entry 1 again in entry 3 (case does not matter): set it once",
        ),
        (
            "Authorization=hunter2,AUTHORIZATION=b",
            "sets the header of entry 1 again in entry 2 (case does not matter): set it once",
        ),
        (
            "X-A=hunter2\nX-B=b",
            "has a line break, a control character or one that is not ASCII in the value of entry 1: remove it",
        ),
        (
            "X-A: hunter2",
            "has no \"=\" in entry 1: write name=value pairs, separated by commas; a value cannot hold a comma",
        ),
    ];
    for (headers, problem) in cases {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_HEADERS", headers);
        assert_eq!(
            errors,
            [format!(
                "BACKSTOP_PRIMARY_HEADERS {problem}; the primary is off"
            )]
        );
        assert_eq!(primary, None, "{headers}");
    }
}

#[test]
fn headers_that_only_look_odd_are_sent_as_they_are() {
    for headers in [
        "Accept=application/json;q=0.8",
        "Accept=text/html; charset=utf-8; level=1",
        "Authorization=Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Authorization=Bearer abc-def-ghi=",
        "Authorization=Splunk 8a5f6a7e-0e6c-4b1c-8a0e-1f2d3c4b5a69",
        "Authorization=SharedAccessSignature sr=a&sig=b%3D&se=1&skn=c",
        "Cookie=A-B=c; Session-Id=d",
        "X-A=a=b=c",
        "X-A=it's",
        "X-A=1,X-B=1",
    ] {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_HEADERS", headers);
        assert_eq!(errors, [""; 0], "{headers}");
        assert!(primary.is_some_and(|primary| !primary.headers.is_empty()));
    }
}

#[test]
fn a_token_that_is_not_bare_switches_the_primary_off() {
    for token in ["Bearer abc", "a\r\nX-B: b", "ä", "a\u{7}"] {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_TOKEN", token);
        let expected = "BACKSTOP_PRIMARY_TOKEN holds a space, a line break or a character that is \
             not ASCII: give the bare token, without a word such as \"Bearer\" before it; the primary is off";
        assert_eq!(errors, [expected]);
        assert_eq!(primary, None, "{token}");
    }
}

#[test]
fn a_token_in_quotes_switches_the_primary_off_and_is_not_shown() {
    for token in [
        "\"hunter2\"",
        "'hunter2'",
        "hunter2\"",
        "“hunter2”",
        "`{{ssm:/hunter2}}`",
        "\"Bearer hunter2\"",
    ] {
        let (primary, errors) = primary_with("BACKSTOP_PRIMARY_TOKEN", token);
        let expected = "BACKSTOP_PRIMARY_TOKEN has a quote at an end, which would be sent: give the \
             bare token, without quotes; the primary is off";
        assert_eq!(errors, [expected]);
        assert_eq!(primary, None, "{token}");
    }
    let (primary, errors) = primary_with("BACKSTOP_PRIMARY_TOKEN", "a\"b'c");
    assert_eq!(errors, [""; 0], "a quote within is the token's own");
    assert!(primary.is_some());
}

#[test]
fn an_authorization_header_beside_a_token_switches_the_primary_off() {
    let (settings, errors) = resolve(&[
        URL,
        ("BACKSTOP_S3_BUCKET", "archive"),
        ("BACKSTOP_PRIMARY_TOKEN", "a"),
        ("BACKSTOP_PRIMARY_HEADERS", "authorization=Basic b"),
    ]);
    let expected = "BACKSTOP_PRIMARY_HEADERS sets authorization, and so does \
         BACKSTOP_PRIMARY_TOKEN: keep one of the two; the primary is off";
    assert_eq!(errors, [expected]);
    assert_eq!(settings.primary, None);
}
