//! The archive's key and owner: what is accepted, and that a mistake never writes without them.

use backstop_config::{Fallback, S3Archive};

use crate::fallbacks::{BUCKET, REGION, STREAM, archive, firehose};
use crate::resolve;

#[test]
fn a_key_is_named_by_id_alias_or_arn_and_an_owner_by_its_account() {
    for key in [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "alias/logs/archive_1",
        "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-central-1:999999999999:alias/logs",
    ] {
        let (settings, errors) = resolve(&[
            REGION,
            BUCKET,
            ("BACKSTOP_S3_KMS_KEY_ID", key),
            ("BACKSTOP_S3_EXPECTED_BUCKET_OWNER", "012345678901"),
        ]);
        assert_eq!(errors, [""; 0], "{key}");
        let expected = S3Archive {
            kms_key_id: Some(key.to_owned()),
            expected_bucket_owner: Some("012345678901".to_owned()),
            ..archive("archive", "backstop")
        };
        assert_eq!(settings.fallbacks, [Fallback::S3(expected)]);
    }
}

#[test]
fn a_key_that_is_none_switches_the_archive_off_instead_of_writing_without_it() {
    for key in [
        "1234abcd-12ab-34cd-56ef-1234567890a",
        "1234abcd12ab34cd56ef1234567890ab",
        "1234abcg-12ab-34cd-56ef-1234567890ab",
        "alias/",
        "alias/a b",
        "arn:aws:kms:eu-central-1:123456789012:key/x",
        "arn:aws:kms:eu-central-1:1234:alias/logs",
        "arn:aws:s3:eu-central-1:123456789012:alias/logs",
    ] {
        let (settings, errors) =
            resolve(&[REGION, STREAM, BUCKET, ("BACKSTOP_S3_KMS_KEY_ID", key)]);
        let expected = format!(
            "BACKSTOP_S3_KMS_KEY_ID is \"{key}\", not a KMS key: use its id, its alias \
             (alias/NAME), or its ARN (arn:aws:kms:REGION:ACCOUNT:key/ID); this fallback is off"
        );
        assert_eq!(errors, [expected]);
        assert_eq!(
            settings.fallbacks,
            [firehose("stream", "eu-central-1")],
            "{key}"
        );
    }
}

#[test]
fn an_owner_that_is_none_switches_the_archive_off_instead_of_trusting_any() {
    for owner in ["1234", "1234567890123", "12345678901a", "1234-5678-9012"] {
        let (settings, errors) = resolve(&[
            REGION,
            STREAM,
            BUCKET,
            ("BACKSTOP_S3_EXPECTED_BUCKET_OWNER", owner),
        ]);
        let expected = format!(
            "BACKSTOP_S3_EXPECTED_BUCKET_OWNER is \"{owner}\", not the id of an account: use its \
             12 digits; this fallback is off"
        );
        assert_eq!(errors, [expected]);
        assert_eq!(
            settings.fallbacks,
            [firehose("stream", "eu-central-1")],
            "{owner}"
        );
    }
}
