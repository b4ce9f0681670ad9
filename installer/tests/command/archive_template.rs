//! What `backstop archive template` refuses; what it prints is deployed in `tests/emulator`.

use crate::support::{backstop, run};

#[tokio::test]
async fn what_could_not_be_deployed_is_a_usage_error_that_says_what_to_write() {
    let long = "a".repeat(40);
    let mut all = Vec::new();
    for arguments in [
        &["--name", "a b"][..],
        &["--name", &long],
        &["--prefix", "/logs/"],
        &["--bucket-name", "My_Archive"],
        &["--kms-key-arn", "alias/logs"],
        &["--infrequent-access-days", "7"],
        &["--glacier-instant-days", "45"],
        &["--expiration-days", "30"],
        &["--log-retention-days", "31"],
        &["--buffer-mb", "0"],
    ] {
        let finished = run(backstop().args(["archive", "template"]).args(arguments)).await;
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        assert_eq!(finished.stdout, "", "{arguments:?}");
        let stderr = finished.stderr.lines().next().unwrap_or_default();
        all.push(format!("{}: {stderr}", arguments.join(" ")));
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn never_is_a_number_of_days_and_a_long_name_takes_a_bucket_of_its_own() {
    let days = [
        "--infrequent-access-days",
        "--expiration-days",
        "--noncurrent-days",
    ];
    let long = "a".repeat(55);
    let mut command = backstop();
    command.args(["archive", "template", "--format", "json"]);
    command.args(["--name", &long, "--bucket-name", "my-archive"]);
    for option in days {
        command.args([option, "0"]);
    }
    let finished = run(&mut command).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let bucket = &finished.json()["Resources"]["Bucket"]["Properties"];
    assert_eq!(bucket["BucketName"], "my-archive");
    let rule = bucket["LifecycleConfiguration"]["Rules"][0].clone();
    let members: Vec<&String> = rule.as_object().expect("it is a rule").keys().collect();
    let kept = ["AbortIncompleteMultipartUpload", "Id", "Prefix", "Status"];
    assert_eq!(members, kept);
}
