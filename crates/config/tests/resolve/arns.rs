//! ARNs of another account, partition or region: what is refused, and with what reason.

use std::collections::BTreeMap;

use backstop_config::{ConfigError, Fallback, Settings};

use crate::fallbacks::{BUCKET, REGION, STREAM, archive, firehose};
use crate::resolve;

const OTHER_ACCOUNT: &str = "arn:aws:firehose:eu-central-1:999999999999:deliverystream/logs";
const NO_SINK: &str = "BACKSTOP_PRIMARY_URL gives no valid primary, and there is no valid fallback: \
     nothing can be delivered; set it, or set BACKSTOP_FIREHOSE_STREAM or BACKSTOP_S3_BUCKET";

fn in_account(variables: &[(&str, &str)], account: &str) -> (Settings, Vec<String>) {
    let environment: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (mut settings, errors) = Settings::resolve(&environment);
    assert_eq!(errors, []);
    let errors = settings.keep_to_account(account);
    (
        settings,
        errors.iter().map(ConfigError::to_string).collect(),
    )
}

#[test]
fn a_stream_of_another_account_is_refused_and_leaves_the_other_fallback() {
    let foreign = [REGION, BUCKET, ("BACKSTOP_FIREHOSE_STREAM", OTHER_ACCOUNT)];
    let (settings, errors) = in_account(&foreign, "123456789012");
    assert_eq!(
        errors,
        [
            "BACKSTOP_FIREHOSE_STREAM names the stream logs of the account 999999999999, and the \
             function is in 123456789012: Firehose takes records from the stream's own account \
             only; use a stream of this account; this fallback is off"
        ]
    );
    let s3 = Fallback::S3(archive("archive", "backstop"));
    assert_eq!(settings.fallbacks, std::slice::from_ref(&s3));

    let (settings, errors) = in_account(&foreign, "999999999999");
    assert_eq!(errors, [""; 0], "it is the function's own");
    assert_eq!(settings.fallbacks.len(), 2);

    let (settings, errors) = in_account(&[REGION, STREAM, BUCKET], "123456789012");
    assert_eq!(errors, [""; 0], "a name is of the function's account");
    assert_eq!(settings.fallbacks, [firehose("stream", "eu-central-1"), s3]);

    let alone = [REGION, ("BACKSTOP_FIREHOSE_STREAM", OTHER_ACCOUNT)];
    let (settings, errors) = in_account(&alone, "123456789012");
    assert_eq!((settings.fallbacks.len(), errors.len()), (0, 2));
    assert_eq!(errors[1], NO_SINK);
}

#[test]
fn what_is_in_another_partition_is_refused() {
    let own = "and eu-central-1 is a region of the partition aws: use one of aws";
    let cases = [
        (
            "BACKSTOP_FIREHOSE_STREAM",
            "arn:aws-us-gov:firehose:us-gov-west-1:123456789012:deliverystream/a",
            format!("of the partition aws-us-gov, {own}"),
        ),
        (
            "BACKSTOP_S3_BUCKET",
            "arn:aws-cn:s3:::my-bucket",
            format!("of the partition aws-cn, {own}"),
        ),
        (
            "BACKSTOP_S3_KMS_KEY_ID",
            "arn:aws-cn:kms:cn-north-1:123456789012:alias/logs",
            format!("of the partition aws-cn, {own}"),
        ),
        // It does not even agree with itself.
        (
            "BACKSTOP_FIREHOSE_STREAM",
            "arn:aws-cn:firehose:eu-central-1:123456789012:deliverystream/a",
            format!("of the partition aws-cn, {own}"),
        ),
    ];
    for (name, arn, why) in cases {
        let mut variables = vec![REGION, STREAM, BUCKET];
        variables.retain(|(set, _)| *set != name);
        variables.push((name, arn));
        let (settings, errors) = resolve(&variables);
        assert_eq!(
            errors,
            [format!("{name} is \"{arn}\", {why}; this fallback is off")]
        );
        assert_eq!(settings.fallbacks.len(), 1, "{name}");
    }
}

#[test]
fn what_contradicts_itself_is_refused_in_every_region() {
    let cases = [
        (
            "cn-north-1",
            "of the partition aws, and its region cn-north-1 is one of the partition aws-cn: correct the \
             region or the partition",
        ),
        (
            "us-gov-west-1",
            "of the partition aws, and its region us-gov-west-1 is one of the partition aws-us-gov: \
             correct the region or the partition",
        ),
        (
            "nowhere",
            "in nowhere, which is not the name of a region, such as us-east-1: correct the region",
        ),
    ];
    let here = ("AWS_REGION", "eu-west-1");
    for (region, why) in cases {
        let arn = format!("arn:aws:firehose:{region}:123456789012:deliverystream/a");
        let (settings, errors) = resolve(&[here, BUCKET, ("BACKSTOP_FIREHOSE_STREAM", &arn)]);
        let expected =
            format!("BACKSTOP_FIREHOSE_STREAM is \"{arn}\", {why}; this fallback is off");
        assert_eq!(errors, [expected]);
        assert_eq!(settings.fallbacks.len(), 1, "{region}");

        let arn = format!("arn:aws:kms:{region}:123456789012:alias/logs");
        let (_, errors) = resolve(&[here, BUCKET, ("BACKSTOP_S3_KMS_KEY_ID", &arn)]);
        assert!(errors[0].contains(why), "{errors:?}");

        let primary = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com");
        let secret = format!("arn:aws:secretsmanager:{region}:123456789012:secret:a");
        let parameter = format!("arn:aws:ssm:{region}:123456789012:parameter/a");
        for (name, value) in [
            ("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", secret.clone()),
            ("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", parameter.clone()),
            ("BACKSTOP_PRIMARY_TOKEN", format!("{{{{secret:{secret}}}}}")),
            (
                "BACKSTOP_PRIMARY_HEADERS",
                format!("x-a={{{{ssm:{parameter}}}}}"),
            ),
        ] {
            let (settings, errors) = resolve(&[here, primary, BUCKET, (name, &value)]);
            assert!(settings.primary.is_none(), "{name}");
            assert!(
                errors[0].contains(&format!("{name} is {why}")),
                "{errors:?}"
            );
        }
        let key = ("BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID", arn.as_str());
        let token = ("BACKSTOP_PRIMARY_TOKEN_KMS", "AQIC");
        let (settings, errors) = resolve(&[here, primary, BUCKET, token, key]);
        assert!(settings.primary.is_none());
        assert!(errors[0].contains(why), "{errors:?}");
    }
}

#[test]
fn without_a_region_only_what_contradicts_itself_is_refused() {
    let gov = "arn:aws-us-gov:firehose:us-gov-west-1:123456789012:deliverystream/a";
    let key = "arn:aws:kms:eu-west-1:123456789012:alias/logs";
    for (name, arn) in [
        ("BACKSTOP_FIREHOSE_STREAM", gov),
        ("BACKSTOP_S3_KMS_KEY_ID", key),
    ] {
        let (_, errors) = resolve(&[BUCKET, (name, arn)]);
        assert_eq!(errors, [""; 0], "{arn}");
    }
    let mixed = "arn:aws:firehose:cn-north-1:123456789012:deliverystream/a";
    let (_, errors) = resolve(&[BUCKET, ("BACKSTOP_FIREHOSE_STREAM", mixed)]);
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn a_key_is_in_the_region_of_the_bucket() {
    let key = (
        "BACKSTOP_S3_KMS_KEY_ID",
        "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    );
    let (settings, errors) = resolve(&[REGION, STREAM, BUCKET, key]);
    assert_eq!(
        errors,
        [format!(
            "BACKSTOP_S3_KMS_KEY_ID is \"{}\", a key in us-west-2, and the bucket is in \
             eu-central-1: use a key in the bucket's region; where the bucket is in another one \
             than the function, set BACKSTOP_S3_REGION; this fallback is off",
            shown(key.1)
        )]
    );
    assert_eq!(settings.fallbacks, [firehose("stream", "eu-central-1")]);

    let (settings, errors) = resolve(&[REGION, BUCKET, key, ("BACKSTOP_S3_REGION", "us-west-2")]);
    assert_eq!(errors, [""; 0]);
    let Some(Fallback::S3(archive)) = settings.fallbacks.first() else {
        panic!("there is an archive");
    };
    assert_eq!(archive.region, "us-west-2");
}

/// What a message shows of a long value.
fn shown(text: &str) -> String {
    match text.get(..80) {
        Some(head) if text.len() > 80 => format!("{head}…"),
        _ => text.to_owned(),
    }
}

#[test]
fn the_region_of_the_bucket_is_its_own_or_the_function_s() {
    let region_of = |value: &str| {
        let (settings, errors) = resolve(&[REGION, BUCKET, ("BACKSTOP_S3_REGION", value)]);
        match settings.fallbacks.as_slice() {
            [Fallback::S3(archive)] => (archive.region.clone(), errors),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(region_of("us-east-2"), ("us-east-2".to_owned(), vec![]));
    assert_eq!(region_of(""), ("eu-central-1".to_owned(), vec![]));
    let (region, errors) = region_of("US East");
    assert_eq!(region, "eu-central-1");
    assert_eq!(
        errors,
        [
            "BACKSTOP_S3_REGION is \"US East\", not the name of a region, such as us-east-1; the \
             function's region is used"
        ]
    );
    let (region, errors) = region_of("cn-north-1");
    assert_eq!(region, "eu-central-1");
    assert_eq!(
        errors,
        [
            "BACKSTOP_S3_REGION is \"cn-north-1\", a region of the partition aws-cn, and \
             eu-central-1 is one of the partition aws: use a bucket there; the function's region \
             is used"
        ]
    );
}
