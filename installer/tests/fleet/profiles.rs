//! Where credentials come from: the profiles of the AWS configuration, sign-ins too.

use std::fs;

use backstop_fake_aws::{FunctionSpec, Place};

use crate::stage::{Finished, REGION, Stage, here};
use backstop_simulator::LittleServer;

const OTHER: &str = "444455556666";
/// What the AWS tools call the token of the session `corp`: its SHA-1.
const TOKEN: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

const PROFILES: &str = "\
[profile static]
aws_access_key_id = AKIA444455556666
aws_secret_access_key = secret
region = eu-west-1

[profile process]
credential_process = cat credentials.json

[profile broken]
credential_process = /nonexistent/credentials

[profile chain]
role_arn = arn:aws:iam::444455556666:role/Operator
source_profile = own
region = eu-west-1

[profile own]
aws_access_key_id = AKIA111122223333
aws_secret_access_key = secret

[profile corp]
sso_session = corp
sso_account_id = 444455556666
sso_role_name = Operator
region = eu-west-1

[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
";

/// A function in each of two accounts, and the profiles.
async fn set() -> Stage {
    let stage = Stage::set().await;
    stage.add(&here(), "own", 1, &FunctionSpec::default());
    let theirs = Place::new(OTHER, REGION);
    stage.add(&theirs, "theirs", 1, &FunctionSpec::default());
    let aws = stage.directory.path().join(".aws");
    fs::create_dir(&aws).unwrap();
    fs::write(aws.join("config"), PROFILES).unwrap();
    stage
}

/// `backstop status` with a profile, and keys of the first account in the environment as well.
async fn status(stage: &Stage, profile: &str, environment: &[(&str, &str)]) -> Finished {
    let mut command = stage.backstop(&["status", "--profile", profile]);
    command.envs(environment.iter().copied());
    command.output().await.unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_named_goes_before_keys_in_the_environment() {
    let stage = set().await;
    let reported = status(&stage, "static", &[]).await;
    assert_eq!(reported.code, Some(0), "{}", reported.snapshot());
    assert!(
        reported.stdout.contains("theirs-000"),
        "{}",
        reported.snapshot()
    );
    assert!(
        !reported.stdout.contains("own-000"),
        "{}",
        reported.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_gives_credentials() {
    let stage = set().await;
    let credentials =
        format!(r#"{{"Version":1,"AccessKeyId":"AKIA{OTHER}","SecretAccessKey":"hunter2"}}"#);
    fs::write(stage.directory.path().join("credentials.json"), credentials).unwrap();
    let reported = status(&stage, "process", &[]).await;
    assert_eq!(reported.code, Some(0), "{}", reported.snapshot());
    assert!(
        reported.stdout.contains("theirs-000"),
        "{}",
        reported.snapshot()
    );

    let reported = status(&stage, "broken", &[]).await;
    assert_eq!(reported.code, Some(1));
    assert!(
        reported.stderr.contains("external process exited"),
        "{}",
        reported.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_assumes_a_role_with_another_profiles_keys() {
    let stage = set().await;
    let reported = status(&stage, "chain", &[]).await;
    assert_eq!(reported.code, Some(0), "{}", reported.snapshot());
    assert!(
        reported.stdout.contains("theirs-000"),
        "{}",
        reported.snapshot()
    );
    let assumed = format!("{:?}", stage.plane.assumed());
    assert!(assumed.contains("Operator"), "{assumed}");

    stage.plane.deny_roles(OTHER);
    let reported = status(&stage, "chain", &[]).await;
    assert_eq!(reported.code, Some(1));
    assert!(
        reported.stderr.contains("sts:AssumeRole"),
        "{}",
        reported.snapshot()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_not_there_is_told() {
    let stage = set().await;
    for (name, meant) in [("nobody", ""), ("chian", "; did you mean chain?")] {
        let reported = status(&stage, name, &[]).await;
        let finished = format!(
            "error: --profile is {name}, but the AWS configuration has no such profile{meant}\n"
        );
        assert_eq!((reported.code, reported.stderr), (Some(2), finished));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sign_in_the_command_for_it_is_told() {
    let stage = set().await;
    let reported = status(&stage, "corp", &[]).await;
    insta::assert_snapshot!(
        "profile_not_signed_in",
        reported
            .snapshot()
            .replace(&stage.directory.path().display().to_string(), "HOME",)
    );
    assert_eq!(reported.code, Some(1));
    assert!(
        reported
            .stderr
            .ends_with("sign in: aws sso login --profile corp\n"),
        "{reported:?}"
    );
    // One that has expired, and the profile from the environment.
    keep_token(&stage, "2020-01-31T08:00:00Z");
    let mut command = stage.backstop(&["status"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_PROFILE", "corp");
    let reported: Finished = command.output().await.unwrap().into();
    assert_eq!(reported.code, Some(1));
    assert!(
        reported
            .stderr
            .ends_with("sign in: aws sso login --profile corp\n"),
        "{reported:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_gives_credentials() {
    let stage = set().await;
    keep_token(&stage, "2099-01-31T08:00:00Z");
    let portal = LittleServer::start(|path| {
        let expected = "/federation/credentials?role_name=Operator&account_id=444455556666";
        assert_eq!(path, expected);
        let credentials = serde_json::json!({ "roleCredentials": {
            "accessKeyId": format!("AKIA{OTHER}"), "secretAccessKey": "secret", "sessionToken": "token",
            "expiration": 4_073_529_600_000_u64,
        }});
        (
            200,
            "content-type: application/json\r\n".to_owned(),
            credentials.to_string(),
        )
    });
    let endpoint = portal.endpoint();
    let reported = status(&stage, "corp", &[("AWS_ENDPOINT_URL_SSO", &endpoint)]).await;
    assert_eq!(reported.code, Some(0), "{}", reported.snapshot());
    assert!(
        reported.stdout.contains("theirs-000"),
        "{}",
        reported.snapshot()
    );

    let refusing = LittleServer::start(|_| {
        let headers =
            "x-amzn-errortype: UnauthorizedException\r\ncontent-type: application/json\r\n";
        let body = r#"{"message":"Session token not found or invalid"}"#;
        (401, headers.to_owned(), body.to_owned())
    });
    let endpoint = refusing.endpoint();
    let reported = status(&stage, "corp", &[("AWS_ENDPOINT_URL_SSO", &endpoint)]).await;
    assert_eq!(reported.code, Some(1));
    assert!(
        reported
            .stderr
            .ends_with("sign in: aws sso login --profile corp\n"),
        "{reported:?}"
    );
}

/// What `aws sso login` leaves behind.
fn keep_token(stage: &Stage, expires: &str) {
    let path = stage.directory.path().join(TOKEN);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let token = format!(r#"{{"accessToken":"token","expiresAt":"{expires}"}}"#);
    fs::write(path, token).unwrap();
}
