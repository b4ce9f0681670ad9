//! Endpoints: those that are set, and the switches of the AWS SDKs that choose others.

use backstop_config::S3Endpoint;

use crate::fallbacks::{BUCKET, REGION, STREAM, firehose};
use crate::resolve;

#[test]
fn the_endpoint_of_a_service_is_its_own_or_the_one_for_all() {
    let s3 = ("AWS_ENDPOINT_URL_S3", "http://s3.internal/storage/v1/s3");
    let stream = ("AWS_ENDPOINT_URL_FIREHOSE", "http://firehose.internal/");
    let all = ("AWS_ENDPOINT_URL", "http://emulator:4566");
    let cases: [(&[_], _, _); 4] = [
        (
            &[s3, stream, all],
            Some("http://s3.internal/storage/v1/s3/"),
            Some("http://firehose.internal"),
        ),
        (
            &[all],
            Some("http://emulator:4566"),
            Some("http://emulator:4566"),
        ),
        (&[s3], Some("http://s3.internal/storage/v1/s3/"), None),
        (
            &[
                s3,
                stream,
                all,
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True"),
            ],
            None,
            None,
        ),
    ];
    for (set, expected_s3, expected_firehose) in cases {
        let variables = [&[BUCKET, STREAM], set].concat();
        let (settings, errors) = resolve(&variables);
        assert_eq!(errors, [""; 0], "{set:?}");
        let found = settings.aws.endpoint_s3.as_ref().map(|it| it.url.as_str());
        assert_eq!(found, expected_s3, "{set:?}");
        let found = settings.aws.endpoint_firehose.as_deref();
        assert_eq!(found, expected_firehose, "{set:?}");
    }
}

#[test]
fn an_endpoint_that_is_ignored_is_not_judged() {
    let (settings, errors) = resolve(&[
        BUCKET,
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
    ]);
    assert_eq!(errors, [""; 0]);
    assert_eq!(settings.aws.endpoint_s3, None);
}

#[test]
fn the_switches_are_read_in_either_case_and_anything_else_is_reported() {
    for (text, expected) in [
        ("true", true),
        ("TRUE", true),
        ("false", false),
        ("False", false),
    ] {
        let (settings, errors) = resolve(&[
            BUCKET,
            ("AWS_USE_FIPS_ENDPOINT", text),
            ("AWS_USE_DUALSTACK_ENDPOINT", text),
        ]);
        assert_eq!(errors, [""; 0], "{text}");
        assert_eq!(settings.aws.use_fips, expected);
        assert_eq!(settings.aws.use_dual_stack, expected);
    }
    for name in [
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ] {
        for text in ["1", "yes", "true;false"] {
            let (settings, errors) = resolve(&[BUCKET, (name, text)]);
            let expected =
                format!("{name} is \"{text}\": use true or false; the default false is used");
            assert_eq!(errors, [expected]);
            assert!(!settings.aws.use_fips && !settings.aws.use_dual_stack);
        }
    }
}

/// The SDKs fail each request of such a client: records must not go to an endpoint that is not the
/// one of FIPS that was asked for, nor to AWS in place of the endpoint that was set.
#[test]
fn an_endpoint_and_a_switch_exclude_each_other_for_the_services_concerned() {
    let conflict = |switch: &str, endpoint: &str, name: &str| {
        format!(
            "{switch} is true, which cannot be combined with {endpoint}: remove one of the two, or \
             set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true; the fallback {name} is off"
        )
    };
    for switch in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        let s3 = ("AWS_ENDPOINT_URL_S3", "https://s3.internal");
        let (settings, errors) = resolve(&[REGION, BUCKET, STREAM, s3, (switch, "true")]);
        assert_eq!(errors, [conflict(switch, "AWS_ENDPOINT_URL_S3", "s3")]);
        assert_eq!(settings.fallbacks, [firehose("stream", "eu-central-1")]);

        let all = ("AWS_ENDPOINT_URL", "https://aws.internal");
        let primary = ("BACKSTOP_PRIMARY_URL", "https://logs.example.com");
        let (settings, errors) = resolve(&[REGION, BUCKET, STREAM, primary, all, (switch, "true")]);
        assert_eq!(
            errors,
            [
                conflict(switch, "AWS_ENDPOINT_URL", "firehose"),
                conflict(switch, "AWS_ENDPOINT_URL", "s3"),
            ]
        );
        assert_eq!(settings.fallbacks, []);

        // They may be for the function's own clients.
        let (_, errors) = resolve(&[REGION, primary, all, (switch, "true")]);
        assert_eq!(errors, [""; 0]);
    }
}

#[test]
fn an_endpoint_that_has_the_bucket_in_its_host_is_refused() {
    let address = "https://archive.s3.eu-central-1.amazonaws.com";
    let (settings, errors) = resolve(&[REGION, BUCKET, STREAM, ("AWS_ENDPOINT_URL_S3", address)]);
    assert_eq!(
        errors,
        [
            "AWS_ENDPOINT_URL_S3 has the bucket archive in its host: remove it there; the fallback \
             s3 is off"
        ]
    );
    assert_eq!(settings.fallbacks, [firehose("stream", "eu-central-1")]);
    assert_eq!(
        settings.aws.endpoint_s3,
        Some(S3Endpoint {
            url: address.to_owned(),
            path_style: false,
        })
    );
}

#[test]
fn the_wildcard_of_an_interface_endpoint_is_replaced_by_its_user() {
    let address = "https://*.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com";
    let (_, errors) = resolve(&[BUCKET, ("AWS_ENDPOINT_URL_S3", address)]);
    assert_eq!(
        errors,
        [format!(
            "AWS_ENDPOINT_URL_S3 is \"{address}\": write bucket in place of the *; the endpoint of \
             AWS is used"
        )]
    );
}
