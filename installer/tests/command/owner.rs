//! `--expected-bucket-owner`: an archive that is somebody else's is not read.

use crate::support::{DIRECT, Stage, line, run};

async fn stage() -> Stage {
    let stage = Stage::set().await;
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &[line("e-1", "one")]);
    stage
}

#[tokio::test]
async fn the_owner_is_sent_with_every_request_to_s3() {
    let stage = stage().await;
    let finished = run(stage
        .replay()
        .args(["--expected-bucket-owner", "123456789012"]))
    .await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(stage.accepted("e-1"), 1);
    let heads = stage.s3.heads();
    assert!(heads.len() >= 2, "a listing and an object: {heads:?}");
    for (_, headers) in heads {
        assert_eq!(headers["x-amz-expected-bucket-owner"], "123456789012");
    }
}

#[tokio::test]
async fn an_archive_of_another_account_is_not_read_and_the_error_names_the_option() {
    let stage = stage().await;
    let finished = run(stage
        .replay()
        .args(["--expected-bucket-owner", "210987654321"]))
    .await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("--expected-bucket-owner"),
        "{finished:?}"
    );
    assert_eq!(stage.intake.record_count(), 0);
}

#[tokio::test]
async fn an_owner_that_is_no_account_is_a_usage_error() {
    let stage = stage().await;
    let finished = run(stage
        .replay()
        .args(["--expected-bucket-owner", "1234-5678-9012"]))
    .await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.stderr.contains("give its 12 digits"),
        "{finished:?}"
    );
    assert!(stage.s3.heads().is_empty());
}
