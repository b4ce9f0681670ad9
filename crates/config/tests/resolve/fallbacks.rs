//! The fallbacks: names, ARNs, their order, and what is left when one is not valid.

use backstop_config::{Fallback, Routing, S3Archive};

use crate::resolve;

pub(crate) const STREAM: (&str, &str) = ("BACKSTOP_FIREHOSE_STREAM", "stream");
pub(crate) const BUCKET: (&str, &str) = ("BACKSTOP_S3_BUCKET", "archive");
pub(crate) const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");

pub(crate) fn firehose(stream: &str, region: &str) -> Fallback {
    Fallback::Firehose {
        stream: stream.to_owned(),
        region: region.to_owned(),
        account: None,
    }
}

fn s3(bucket: &str, prefix: &str) -> Fallback {
    Fallback::S3(archive(bucket, prefix))
}

pub(crate) fn archive(bucket: &str, prefix: &str) -> S3Archive {
    S3Archive {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        region: "eu-central-1".to_owned(),
        kms_key_id: None,
        expected_bucket_owner: None,
    }
}

#[test]
fn the_order_is_the_one_that_was_said_or_the_default_as_far_as_configured() {
    let of_stream = || firehose("stream", "eu-central-1");
    let of_bucket = || s3("archive", "backstop");
    let not_configured = |name: &str, variable: &str| {
        format!(
            "BACKSTOP_FALLBACK names {name}, which is not configured: set {variable}, or take \
             {name} out"
        )
    };
    let both: &[_] = &[STREAM, BUCKET];
    let cases = [
        (both, None, vec![of_stream(), of_bucket()], vec![]),
        (&[BUCKET], None, vec![of_bucket()], vec![]),
        (&[STREAM], None, vec![of_stream()], vec![]),
        (
            both,
            Some("s3,firehose"),
            vec![of_bucket(), of_stream()],
            vec![],
        ),
        (both, Some(" S3 , "), vec![of_bucket()], vec![]),
        (
            &[BUCKET],
            Some("firehose,s3"),
            vec![of_bucket()],
            vec![not_configured("firehose", "BACKSTOP_FIREHOSE_STREAM")],
        ),
        (
            &[STREAM],
            Some("s3,firehose"),
            vec![of_stream()],
            vec![not_configured("s3", "BACKSTOP_S3_BUCKET")],
        ),
        (
            both,
            Some("sqs,s3"),
            vec![of_stream(), of_bucket()],
            vec![
                "BACKSTOP_FALLBACK names \"sqs\": use firehose or s3, separated by commas; the \
                 fallbacks that are configured are used"
                    .to_owned(),
            ],
        ),
        (
            both,
            Some("s3,s3"),
            vec![of_stream(), of_bucket()],
            vec![
                "BACKSTOP_FALLBACK names s3 twice: name each once; the fallbacks that are \
                 configured are used"
                    .to_owned(),
            ],
        ),
        (
            both,
            Some(","),
            vec![of_stream(), of_bucket()],
            vec![
                "BACKSTOP_FALLBACK names nothing: use firehose or s3, separated by commas; the \
                 fallbacks that are configured are used"
                    .to_owned(),
            ],
        ),
    ];
    for (configured, order, expected, expected_errors) in cases {
        let mut variables = vec![REGION];
        variables.extend_from_slice(configured);
        variables.extend(order.map(|order| ("BACKSTOP_FALLBACK", order)));
        let (settings, errors) = resolve(&variables);
        assert_eq!(settings.fallbacks, expected, "{variables:?}");
        assert_eq!(errors, expected_errors, "{variables:?}");
    }
}

#[test]
fn a_stream_is_named_by_name_or_by_arn() {
    let by_arn = |stream: &str, region: &str| Fallback::Firehose {
        stream: stream.to_owned(),
        region: region.to_owned(),
        account: Some("123456789012".to_owned()),
    };
    let gov = ("AWS_REGION", "us-gov-east-1");
    let cases = [
        (
            REGION,
            "stream-1_a.b",
            firehose("stream-1_a.b", "eu-central-1"),
        ),
        (
            REGION,
            "arn:aws:firehose:us-west-2:123456789012:deliverystream/stream",
            by_arn("stream", "us-west-2"),
        ),
        (
            gov,
            "arn:aws-us-gov:firehose:us-gov-west-1:123456789012:deliverystream/a",
            by_arn("a", "us-gov-west-1"),
        ),
    ];
    for (here, text, expected) in cases {
        let (settings, errors) = resolve(&[here, ("BACKSTOP_FIREHOSE_STREAM", text)]);
        assert_eq!(errors, [""; 0], "{text}");
        assert_eq!(settings.fallbacks, [expected]);
    }
}

#[test]
fn a_stream_that_is_not_valid_leaves_the_other_fallback() {
    let not_an_arn = [
        "arn:aws:firehose:us-west-2:123456789012:stream/a",
        "arn:aws:kinesis:us-west-2:123456789012:deliverystream/a",
        "arn:aws:firehose:us-west-2:1234:deliverystream/a",
        "arn:aws:firehose::123456789012:deliverystream/a",
        "arn:amazon:firehose:us-west-2:123456789012:deliverystream/a",
        "arn:aws:firehose:us-west-2:123456789012:deliverystream/",
        "arn:aws:firehose",
    ];
    for text in not_an_arn {
        let (settings, errors) = resolve(&[REGION, BUCKET, ("BACKSTOP_FIREHOSE_STREAM", text)]);
        let expected = format!(
            "BACKSTOP_FIREHOSE_STREAM is \"{text}\", not the ARN of a delivery stream: write \
             arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME, or the name alone; this fallback \
             is off"
        );
        assert_eq!(errors, [expected]);
        assert_eq!(settings.fallbacks, [s3("archive", "backstop")], "{text}");
    }
    let too_long = "a".repeat(65);
    for text in ["a stream", "a/b", &too_long] {
        let (settings, errors) = resolve(&[REGION, BUCKET, ("BACKSTOP_FIREHOSE_STREAM", text)]);
        let expected = format!(
            "BACKSTOP_FIREHOSE_STREAM is \"{text}\", not the name of a delivery stream: use 1 to 64 \
             letters, digits, dots, hyphens and underscores; this fallback is off"
        );
        assert_eq!(errors, [expected]);
        assert_eq!(settings.fallbacks, [s3("archive", "backstop")], "{text}");
    }
}

#[test]
fn a_fallback_that_is_named_and_not_valid_is_reported_once() {
    let (settings, errors) = resolve(&[
        REGION,
        STREAM,
        ("BACKSTOP_S3_BUCKET", "No"),
        ("BACKSTOP_FALLBACK", "s3,firehose"),
    ]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(settings.fallbacks, [firehose("stream", "eu-central-1")]);
}

#[test]
fn a_bucket_is_named_by_name_or_by_arn() {
    let longest = "a".repeat(63);
    let cases = [
        ("abc", "abc"),
        ("my.bucket-1", "my.bucket-1"),
        (&longest, &longest),
        ("arn:aws:s3:::my-bucket", "my-bucket"),
    ];
    for (text, expected) in cases {
        let (settings, errors) = resolve(&[REGION, ("BACKSTOP_S3_BUCKET", text)]);
        assert_eq!(errors, [""; 0], "{text}");
        assert_eq!(settings.fallbacks, [s3(expected, "backstop")]);
    }
}

#[test]
fn a_bucket_that_is_not_valid_leaves_the_other_fallback() {
    let too_long = "a".repeat(64);
    for text in [
        "ab",
        &too_long,
        "My-Bucket",
        "my_bucket",
        "-abc",
        "abc-",
        ".abc",
        "a..b",
        "192.168.0.1",
        "s3://bucket",
        "bucket/prefix",
        "arn:aws:s3:::bucket/prefix",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint/a",
        "arn:other:s3:::bucket",
    ] {
        let (settings, errors) = resolve(&[REGION, STREAM, ("BACKSTOP_S3_BUCKET", text)]);
        let expected = format!(
            "BACKSTOP_S3_BUCKET is \"{text}\", not the name of a bucket: use 3 to 63 lowercase \
             letters, digits, dots and hyphens, or arn:aws:s3:::NAME; keys begin with \
             BACKSTOP_S3_PREFIX; this fallback is off"
        );
        assert_eq!(errors, [expected]);
        assert_eq!(
            settings.fallbacks,
            [firehose("stream", "eu-central-1")],
            "{text}"
        );
    }
}

#[test]
fn a_name_that_s3_reserves_leaves_the_other_fallback_and_says_why() {
    for (text, why) in [
        ("xn--abc", "reserved"),
        ("sthree-abc", "reserved"),
        ("sthree-configurator", "reserved"),
        ("amzn-s3-demo-bucket", "reserved"),
        ("arn:aws:s3:::xn--abc", "reserved"),
        ("logs--euc1-az1--x-s3", "its API needs sessions"),
        ("logs--table-s3", "takes tables only"),
        ("logs-1a2b--ol-s3", "which is for reading"),
        ("logs1a2b.mrap", "signatures of their own"),
    ] {
        let (settings, errors) = resolve(&[REGION, STREAM, ("BACKSTOP_S3_BUCKET", text)]);
        assert_eq!(errors.len(), 1, "{text}");
        let begin = format!("BACKSTOP_S3_BUCKET is \"{text}\", ");
        assert!(
            errors[0].starts_with(&begin)
                && errors[0].contains(why)
                && errors[0].ends_with("; this fallback is off"),
            "{errors:?}"
        );
        assert_eq!(settings.fallbacks, [firehose("stream", "eu-central-1")]);
    }
    for text in [
        "logs-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias",
        "my-xn--abc",
        "logs-x-s3",
        "mrap",
    ] {
        let (settings, errors) = resolve(&[REGION, ("BACKSTOP_S3_BUCKET", text)]);
        assert_eq!(errors, [""; 0], "{text}");
        assert_eq!(settings.fallbacks, [s3(text, "backstop")]);
    }
}

#[test]
fn a_prefix_keeps_no_slash_at_its_ends() {
    for (text, expected) in [
        ("logs", "logs"),
        ("/logs/", "logs"),
        ("a/b=c/d.e", "a/b=c/d.e"),
        ("//a", "a"),
    ] {
        let (settings, errors) = resolve(&[REGION, BUCKET, ("BACKSTOP_S3_PREFIX", text)]);
        assert_eq!(errors, [""; 0], "{text}");
        assert_eq!(settings.fallbacks, [s3("archive", expected)]);
    }
}

#[test]
fn a_prefix_that_is_not_valid_leaves_the_default() {
    for text in ["/", "a//b", "a/../b", "..", "./a", "a b", "a\\b", "ä"] {
        let (settings, errors) = resolve(&[REGION, BUCKET, ("BACKSTOP_S3_PREFIX", text)]);
        let shown = text.replace('\\', "\\\\");
        let expected = format!(
            "BACKSTOP_S3_PREFIX is \"{shown}\", not a prefix of keys: use at most 512 letters, \
             digits and !-_.*'()=, with single slashes between its parts and no part . or ..; the \
             default backstop is used"
        );
        assert_eq!(errors, [expected]);
        assert_eq!(settings.fallbacks, [s3("archive", "backstop")], "{text}");
    }
}

#[test]
fn without_any_valid_sink_one_error_says_so() {
    let nothing = "BACKSTOP_PRIMARY_URL gives no valid primary, and there is no valid fallback: \
         nothing can be delivered; set it, or set BACKSTOP_FIREHOSE_STREAM or BACKSTOP_S3_BUCKET";
    let (settings, errors) = resolve(&[]);
    assert_eq!(errors, [nothing]);
    assert_eq!((settings.primary, settings.fallbacks), (None, Vec::new()));

    let (_, errors) = resolve(&[("BACKSTOP_PRIMARY_URL", "x"), ("BACKSTOP_S3_BUCKET", "x")]);
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert_eq!(errors[2], nothing);
}

#[test]
fn a_route_that_archives_needs_a_fallback() {
    let primary = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com");
    for (text, expected) in [
        ("failover", Routing::Failover),
        ("mirror", Routing::Mirror),
        ("sample", Routing::Sample),
    ] {
        let route = ("BACKSTOP_ROUTE", text);
        for fallback in [BUCKET, STREAM] {
            let (settings, errors) = resolve(&[primary, fallback, REGION, route]);
            assert_eq!((settings.routing, errors), (expected, Vec::new()));
        }
        let (settings, errors) = resolve(&[primary, route]);
        assert_eq!(settings.routing, Routing::Failover);
        let error = format!(
            "BACKSTOP_ROUTE is \"{text}\", and there is no valid fallback to archive records in: \
             set BACKSTOP_S3_BUCKET or BACKSTOP_FIREHOSE_STREAM, or remove it; the default failover \
             is used"
        );
        let needs_one = expected != Routing::Failover;
        assert_eq!(errors, needs_one.then_some(error).as_slice());
    }
    let (settings, errors) = resolve(&[primary, BUCKET, REGION, ("BACKSTOP_ROUTE", "both")]);
    assert_eq!(settings.routing, Routing::Failover);
    assert_eq!(
        errors,
        [
            "BACKSTOP_ROUTE is \"both\": use failover, mirror or sample; the default failover is used"
        ]
    );
}
