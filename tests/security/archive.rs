//! The archive: under whose key it lies, and whose bucket it is.

use backstop_simulator::EnvironmentBuilder;
use backstop_tests::World;

use crate::{LINES, run};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn s3_alone(world: &World) -> EnvironmentBuilder {
    let environment = world.bare_environment();
    environment.env("BACKSTOP_S3_BUCKET", world.s3.bucket())
}

#[tokio::test]
async fn objects_are_written_under_the_key_and_for_the_owner_that_are_set_and_both_are_signed() {
    let world = World::start().await.unwrap();
    let environment = s3_alone(&world)
        .env("BACKSTOP_S3_KMS_KEY_ID", KEY)
        .env("BACKSTOP_S3_EXPECTED_BUCKET_OWNER", "123456789012");
    let outcome = run(&world, environment).await;
    outcome.assert_nothing_lost();
    let heads = world.s3.heads();
    assert!(!heads.is_empty());
    for (_, headers) in heads {
        let authorization = headers["authorization"].to_str().unwrap().to_owned();
        let signed = authorization.split("SignedHeaders=").nth(1).unwrap();
        let signed = signed.split(',').next().unwrap();
        for (name, value) in [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", KEY),
            ("x-amz-expected-bucket-owner", "123456789012"),
        ] {
            assert_eq!(headers[name], value);
            assert!(signed.split(';').any(|each| each == name), "{signed}");
        }
    }
}

#[tokio::test]
async fn without_a_key_and_an_owner_the_bucket_decides() {
    let world = World::start().await.unwrap();
    let outcome = run(&world, s3_alone(&world)).await;
    outcome.assert_nothing_lost();
    let heads = world.s3.heads();
    assert!(!heads.is_empty());
    for (_, headers) in heads {
        assert!(!headers.contains_key("x-amz-server-side-encryption"));
        assert!(!headers.contains_key("x-amz-server-side-encryption-aws-kms-key-id"));
        assert!(!headers.contains_key("x-amz-expected-bucket-owner"));
    }
}

#[tokio::test]
async fn a_bucket_of_another_account_gets_nothing_and_one_line_says_what_to_mend() {
    let world = World::start().await.unwrap();
    let environment = s3_alone(&world).env("BACKSTOP_S3_EXPECTED_BUCKET_OWNER", "210987654321");
    let outcome = run(&world, environment).await;
    outcome.assert_adds_up();
    assert_eq!(outcome.archived.len(), 0);
    assert!(outcome.dropped("shutdown") >= LINES, "and it is counted");
    let said = outcome
        .stderr()
        .matches("BACKSTOP_S3_EXPECTED_BUCKET_OWNER, where set, owns the bucket")
        .count();
    assert_eq!(said, 1, "{}", outcome.stderr());
}
