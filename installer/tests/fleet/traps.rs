//! What a plan says of functions that would be attached and still not do what was meant.

use backstop_fake_aws::FunctionSpec;
use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Finished, Stage, here};
use backstop_simulator::LittleServer;

const BUCKET: [&str; 2] = ["--set", "BACKSTOP_S3_BUCKET=archive"];

async fn plan(stage: &Stage, arguments: &[&str]) -> Finished {
    let layer = &stage.layers[&here()];
    let all = ["plan", "--all", "--layer", layer, "--rate", "100"];
    stage.run(&[&all[..], arguments].concat()).await
}

async fn traps(stage: &Stage, arguments: &[&str]) -> Value {
    let finished = plan(stage, &[arguments, &["--output", "json"]].concat()).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    finished.json()["functions"][0]["traps"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trap_is_a_note_and_a_member_of_the_json() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        environment: [("BACKSTOP_TAGS".to_owned(), "team=b".to_owned())].into(),
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 1, &spec);
    let lacking = json!({ "trap": "roleMayNot", "permissions": [
        { "action": "s3:PutObject", "resource": "arn:aws:s3:::archive/backstop/v1/*" },
    ]});
    let keep = json!({ "trap": "aliasesKeep", "aliases": ["live"] });
    let primary = ["--set", "BACKSTOP_PRIMARY_URL=https://intake.example.com/"];
    let none = traps(&stage, &[]).await;
    assert_eq!(none, json!([{ "trap": "noSink" }, keep]));
    let alone = traps(&stage, &primary).await;
    assert_eq!(alone, json!([{ "trap": "noFallback" }, keep]));
    let both = traps(&stage, &[primary, BUCKET].concat()).await;
    assert_eq!(both, json!([lacking, keep]));
    // What is asked for besides is no trap.
    let asked = ["--grant", "--move-alias", "live"];
    let asked = traps(&stage, &[&primary[..], &BUCKET, &asked].concat()).await;
    assert_eq!(asked, Value::Null);
    let document = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:PutObject",
          "Resource": format!("arn:aws:s3:::archive/backstop/v1/account={ACCOUNT}/*") },
    ]});
    let document = document.to_string();
    (stage.plane).put_role_policy(ACCOUNT, "orders-000", "theirs", &document);
    assert_eq!(traps(&stage, &BUCKET).await, json!([keep]));

    let tags = ["--set", "BACKSTOP_TAGS=team=a"];
    let finished = plan(&stage, &[&primary[..], &tags].concat()).await;
    insta::assert_snapshot!("traps", stage.masked(&finished));
    let json = plan(&stage, &[&tags[..], &["--output", "json"]].concat()).await;
    assert_eq!(
        json.json()["functions"][0]["kept"],
        json!(["BACKSTOP_TAGS"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_elsewhere_or_nowhere_is_a_trap() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 3, &FunctionSpec::default());
    let missing = json!({ "trap": "bucketMissing", "bucket": "archive" });
    let elsewhere =
        json!({ "trap": "bucketElsewhere", "bucket": "archive", "region": "us-east-1" });
    let region = ["--set", "BACKSTOP_S3_REGION=us-east-1"];
    for (bucket, status, more, expected) in [
        ("archive", 200, &[][..], json!([elsewhere])),
        // It says so to those who may not look into it as well.
        ("archive", 301, &[], json!([elsewhere])),
        ("archive", 403, &[], json!([elsewhere])),
        ("archive", 200, &region, Value::Null),
        ("other", 200, &region, json!([missing])),
    ] {
        let s3 = LittleServer::s3(bucket, status, "us-east-1");
        let layer = &stage.layers[&here()];
        let all = [
            &[
                "plan", "--all", "--layer", layer, "--rate", "100", "--grant",
            ],
            &BUCKET[..],
        ];
        let all = [&all.concat()[..], more, &["--output", "json"]].concat();
        let mut command = stage.backstop(&all);
        command.env("AWS_ENDPOINT_URL_S3", s3.endpoint());
        let finished: Finished = command.output().await.unwrap().into();
        let traps = &finished.json()["functions"][0]["traps"];
        assert_eq!(
            *traps,
            expected,
            "{bucket} {status} {}",
            finished.snapshot()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_attached_already_has_the_same_notes() {
    let stage = Stage::set().await;
    stage.add(&here(), "orders", 2, &FunctionSpec::default());
    let attached = stage.attach(&["--all"]).await;
    assert_eq!(attached.code, Some(0), "{}", attached.snapshot());
    let again = plan(&stage, &[]).await;
    assert!(again.stdout.contains("Unchanged:"), "{}", again.snapshot());
    assert!(
        again.stdout.contains("    ! no fallback: "),
        "{}",
        again.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_is_told_and_asked_once() {
    let stage = Stage::set().await;
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    };
    stage.add(&here(), "orders", 5, &spec);
    for operation in ["ListAliases", "SimulatePrincipalPolicy"] {
        stage.plane.deny(operation);
    }
    let finished = plan(&stage, &BUCKET).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    for note in [
        "! cannot check whether its role may write to the fallback: AccessDenied",
        "! cannot check the aliases: AccessDenied",
    ] {
        assert!(finished.stdout.contains(note), "{}", finished.snapshot());
    }
    assert_eq!(stage.plane.count("SimulatePrincipalPolicy"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_without_versions_are_not_asked_for_their_aliases() {
    let stage = Stage::set().await;
    stage.add(&here(), "plain", 58, &FunctionSpec::default());
    let spec = FunctionSpec {
        aliases: vec!["live".to_owned()],
        ..FunctionSpec::default()
    };
    stage.add(&here(), "released", 2, &spec);
    let finished = plan(&stage, &["--output", "json"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.snapshot());
    assert_eq!(stage.plane.count("ListAliases"), 2);
    let functions = finished.json()["functions"].clone();
    let keep = json!({ "trap": "aliasesKeep", "aliases": ["live"] });
    assert_eq!(functions[57]["traps"], json!([{ "trap": "noSink" }]));
    assert_eq!(functions[59]["traps"], json!([{ "trap": "noSink" }, keep]));
}
