//! The AWS sinks where AWS, or what answers in its place, is in trouble: where requests go, what counts
//! as taken, and what the log says of it.

use std::time::Duration;

use backstop_simulator::EnvironmentBuilder;
use backstop_simulator::traffic::Traffic;
use backstop_tests::{Outcome, World, in_parallel, invocation};

use crate::scripted::Scripted;

const XML: &str = "content-type: application/xml\r\n";
const JSON: &str = "content-type: application/x-amz-json-1.1\r\n";
const HTML: &str = "content-type: text/html\r\n";

fn xml(code: &str, more: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>of the service</Message>{more}</Error>")
}

async fn run(world: &World, environment: EnvironmentBuilder) -> Outcome {
    let environment = environment
        .env("BACKSTOP_FLUSH_STRATEGY", "end")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(200);
    for _ in 0..3 {
        let lines = invocation(&mut traffic, 10, Duration::from_millis(15));
        environment.invoke(lines).await.unwrap();
    }
    world
        .settle(&environment, traffic.position())
        .await
        .unwrap()
}

/// Whether a line of the log has all of these words.
fn says(outcome: &Outcome, words: &[&str]) -> bool {
    let log = outcome.stderr();
    log.lines()
        .any(|line| words.iter().all(|word| line.contains(word)))
}

#[tokio::test]
async fn a_path_in_the_endpoint_of_s3_is_kept_apart_from_the_bucket() {
    for (suffix, path) in [
        ("", "PUT /archive/backstop/v1/"),
        ("/", "PUT /archive/backstop/v1/"),
        ("/storage/v1/s3", "PUT /storage/v1/s3/archive/backstop/v1/"),
        ("/storage/v1/s3/", "PUT /storage/v1/s3/archive/backstop/v1/"),
    ] {
        let world = World::start().await.unwrap();
        let s3 = Scripted::start(200, "etag: \"0f\"\r\n", "").await;
        let environment = world
            .bare_environment()
            .env("BACKSTOP_S3_BUCKET", "archive")
            .env("AWS_ENDPOINT_URL_S3", format!("{}{suffix}", s3.url()));
        let outcome = run(&world, environment).await;
        outcome.assert_adds_up();
        assert!(outcome.delivered("s3") > 0, "{}", outcome.stderr());
        let asked = s3.asked();
        assert!(
            asked.iter().all(|line| line.starts_with(path)),
            "{suffix}: {asked:?}"
        );
    }
}

/// A proxy sees the name of the host and nothing else.
#[tokio::test]
async fn the_host_that_is_asked_is_the_one_the_sdks_would_ask() {
    let bucket = ("BACKSTOP_S3_BUCKET", "archive");
    let stream = ("BACKSTOP_FIREHOSE_STREAM", "telemetry");
    let fips = ("AWS_USE_FIPS_ENDPOINT", "true");
    let dual_stack = ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE");
    let endpoint = |address| ("AWS_ENDPOINT_URL_S3", address);
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![bucket], "archive.s3.us-east-1.amazonaws.com"),
        (
            vec![bucket, fips],
            "archive.s3-fips.us-east-1.amazonaws.com",
        ),
        (
            vec![bucket, dual_stack],
            "archive.s3.dualstack.us-east-1.amazonaws.com",
        ),
        (
            vec![bucket, fips, dual_stack],
            "archive.s3-fips.dualstack.us-east-1.amazonaws.com",
        ),
        (
            vec![bucket, ("BACKSTOP_S3_REGION", "us-east-2")],
            "archive.s3.us-east-2.amazonaws.com",
        ),
        (
            vec![bucket, endpoint("https://s3-fips.us-west-2.amazonaws.com")],
            "archive.s3-fips.us-west-2.amazonaws.com",
        ),
        (
            vec![
                bucket,
                endpoint("https://s3.dualstack.us-west-2.amazonaws.com/"),
            ],
            "archive.s3.dualstack.us-west-2.amazonaws.com",
        ),
        (
            vec![
                bucket,
                endpoint("https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com"),
            ],
            "archive.bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
        ),
        (
            vec![
                bucket,
                endpoint("https://vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com"),
            ],
            "archive.bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com",
        ),
        (
            vec![bucket, endpoint("https://minio.example.com:9000")],
            "minio.example.com:9000",
        ),
        (
            vec![bucket, ("AWS_ENDPOINT_URL", "https://aws.example.com")],
            "aws.example.com",
        ),
        (
            vec![
                bucket,
                ("AWS_ENDPOINT_URL", "https://aws.example.com"),
                endpoint("https://s3.example.com"),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
                fips,
            ],
            "archive.s3-fips.us-east-1.amazonaws.com",
        ),
        (vec![stream], "firehose.us-east-1.amazonaws.com"),
        (vec![stream, fips], "firehose-fips.us-east-1.amazonaws.com"),
        (vec![stream, dual_stack], "firehose.us-east-1.api.aws"),
    ];
    let runs = cases.into_iter().map(|(variables, host)| async move {
        let world = World::start().await.unwrap();
        let proxy = Scripted::start(502, "", "").await;
        let mut environment = world
            .bare_environment()
            .env("AWS_ENDPOINT_URL_S3", "")
            .env("AWS_ENDPOINT_URL_FIREHOSE", "")
            .env("HTTPS_PROXY", proxy.url());
        for (name, value) in &variables {
            environment = environment.env(*name, *value);
        }
        let outcome = run(&world, environment).await;
        outcome.assert_adds_up();
        let port = if host.contains(':') { "" } else { ":443" };
        let expected = format!("CONNECT {host}{port}");
        let asked = proxy.asked();
        assert!(
            !asked.is_empty() && asked.iter().all(|line| *line == expected),
            "{variables:?}: {asked:?}\n{}",
            outcome.stderr()
        );
    });
    Box::pin(in_parallel(runs)).await;
}

/// What S3 or something in its place says; the words of one line of the log.
#[tokio::test]
async fn what_s3_says_of_a_failure_is_in_the_log() {
    let region = "x-amz-bucket-region: us-east-2\r\n";
    let cases = [
        (
            301,
            format!("{XML}{region}"),
            xml("PermanentRedirect", ""),
            vec!["PermanentRedirect", "us-east-2", "BACKSTOP_S3_REGION"],
        ),
        (
            400,
            XML.to_owned(),
            xml("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>"),
            vec![
                "AuthorizationHeaderMalformed",
                "eu-west-3",
                "BACKSTOP_S3_REGION",
            ],
        ),
        (
            403,
            XML.to_owned(),
            xml("RequestTimeTooSkewed", ""),
            vec!["RequestTimeTooSkewed", "clock"],
        ),
        (
            403,
            XML.to_owned(),
            xml("InvalidAccessKeyId", ""),
            vec!["InvalidAccessKeyId", "access key"],
        ),
        (
            400,
            XML.to_owned(),
            xml("ExpiredToken", ""),
            vec!["ExpiredToken", "expired"],
        ),
        (
            400,
            XML.to_owned(),
            xml("KMS.DisabledException", ""),
            vec!["KMS.DisabledException", "KMS key"],
        ),
        (
            403,
            XML.to_owned(),
            xml("AllAccessDisabled", ""),
            vec!["AllAccessDisabled", "account"],
        ),
        (
            403,
            HTML.to_owned(),
            "<html>".to_owned(),
            vec!["\"status\":403", "s3:PutObject"],
        ),
    ];
    let runs = cases.map(|(status, headers, body, words)| async move {
        let world = World::start().await.unwrap();
        let s3 = Scripted::start(status, &headers, &body).await;
        let environment = world
            .bare_environment()
            .env("BACKSTOP_S3_BUCKET", "archive")
            .env("AWS_ENDPOINT_URL_S3", s3.url());
        let outcome = run(&world, environment).await;
        outcome.assert_adds_up();
        assert!(says(&outcome, &words), "{words:?}\n{}", outcome.stderr());
        assert_eq!(outcome.delivered("s3"), 0);
    });
    Box::pin(in_parallel(runs)).await;
}

#[tokio::test]
async fn what_firehose_says_of_a_failure_is_in_the_log_and_s3_takes_the_records() {
    let code = |code: &str| format!(r#"{{"__type":"{code}","message":"of the service"}}"#);
    let late = r#"{"__type":"InvalidSignatureException","message":"Signature expired: now"}"#;
    let cases = [
        (
            400,
            JSON,
            code("ResourceNotFoundException"),
            vec!["ResourceNotFoundException", "BACKSTOP_FIREHOSE_STREAM"],
        ),
        (
            400,
            JSON,
            late.to_owned(),
            vec!["InvalidSignatureException", "clock"],
        ),
        (
            400,
            JSON,
            code("InvalidKMSResourceException"),
            vec!["InvalidKMSResourceException", "KMS key"],
        ),
        // Not in the service's form, and a status nevertheless.
        (
            403,
            HTML,
            "<html>".to_owned(),
            vec!["firehose", "unauthorized", "\"status\":403"],
        ),
        (
            404,
            HTML,
            "<html>".to_owned(),
            vec!["firehose", "not_found", "\"status\":404"],
        ),
        (
            503,
            HTML,
            "<html>".to_owned(),
            vec!["firehose", "server_error", "\"status\":503"],
        ),
    ];
    let runs = cases.map(|(status, headers, body, words)| async move {
        let world = World::start().await.unwrap();
        let firehose = Scripted::start(status, headers, &body).await;
        let environment = world
            .bare_environment()
            .env("BACKSTOP_FIREHOSE_STREAM", "telemetry")
            .env("BACKSTOP_S3_BUCKET", world.s3.bucket())
            .env("AWS_ENDPOINT_URL_FIREHOSE", firehose.url());
        let outcome = run(&world, environment).await;
        outcome.assert_nothing_lost();
        assert!(says(&outcome, &words), "{words:?}\n{}", outcome.stderr());
        assert_eq!(outcome.delivered("firehose"), 0);
    });
    Box::pin(in_parallel(runs)).await;
}

#[tokio::test]
async fn a_success_without_its_proof_is_not_a_delivery() {
    let tag = "etag: \"0f\"\r\n";
    let weak = "etag: W/\"0f\"\r\n";
    let page_with_tag = format!("{HTML}{tag}");
    let document = xml("InternalError", "");
    let cases = [
        ("s3", "", ""),
        ("s3", HTML, "<html>login</html>"),
        ("s3", page_with_tag.as_str(), "<html>login</html>"),
        ("s3", weak, ""),
        ("s3", XML, document.as_str()),
        ("firehose", HTML, "<html>login</html>"),
        ("firehose", JSON, "{}"),
        (
            "firehose",
            JSON,
            r#"{"FailedPutCount":0,"RequestResponses":[]}"#,
        ),
        ("firehose", "", ""),
    ];
    let runs = cases.map(|(name, headers, body)| async move {
        let world = World::start().await.unwrap();
        let sink = Scripted::start(200, headers, body).await;
        let environment = world.bare_environment();
        let environment = match name {
            "s3" => environment
                .env("BACKSTOP_S3_BUCKET", "archive")
                .env("AWS_ENDPOINT_URL_S3", sink.url()),
            _ => environment
                .env("BACKSTOP_FIREHOSE_STREAM", "telemetry")
                .env("AWS_ENDPOINT_URL_FIREHOSE", sink.url()),
        };
        let outcome = run(&world, environment).await;
        outcome.assert_adds_up();
        assert_eq!(outcome.delivered(name), 0, "{name} {headers}");
        assert!(
            says(&outcome, &[name, "unproven"]),
            "{name} {headers} {body}\n{}",
            outcome.stderr()
        );
    });
    Box::pin(in_parallel(runs)).await;
}

#[tokio::test]
async fn without_credentials_the_log_says_which_source_failed() {
    let refusing = Scripted::start(500, "", "").await;
    let other = Scripted::start(200, JSON, r#"{"Code":"AccessDenied","Message":"no"}"#).await;
    let nobody = "http://127.0.0.1:9/credentials";
    let container = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (
            vec![],
            "no credentials: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
        ),
        (
            vec![("AWS_ACCESS_KEY_ID", "AKIA")],
            "no credentials: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
        ),
        (
            vec![(container, refusing.url())],
            "no credentials: the container endpoint answered 500",
        ),
        (
            vec![(container, other.url())],
            "no credentials: the container endpoint answered with something else",
        ),
        (
            vec![(container, nobody)],
            "no credentials: the container endpoint cannot be reached",
        ),
        (
            vec![
                (container, nobody),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nonexistent"),
            ],
            "no credentials: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read",
        ),
    ];
    for sink in ["s3", "firehose"] {
        let runs = cases.iter().map(|(variables, why)| async move {
            let world = World::start().await.unwrap();
            let mut environment = world
                .bare_environment()
                .env("AWS_ACCESS_KEY_ID", "")
                .env("AWS_SECRET_ACCESS_KEY", "")
                .env("AWS_SESSION_TOKEN", "");
            environment = match sink {
                "s3" => environment.env("BACKSTOP_S3_BUCKET", "archive"),
                _ => environment.env("BACKSTOP_FIREHOSE_STREAM", "telemetry"),
            };
            for (name, value) in variables {
                environment = environment.env(*name, *value);
            }
            let outcome = run(&world, environment).await;
            outcome.assert_adds_up();
            assert!(says(&outcome, &[sink, why]), "{why}\n{}", outcome.stderr());
        });
        Box::pin(in_parallel(runs)).await;
    }
}

#[tokio::test]
async fn what_never_left_is_not_ambiguous_and_what_was_not_proven_is() {
    let credentials = r#"{"AccessKeyId":"AKIA","SecretAccessKey":"s","Token":"t"}"#;
    let tag = "etag: \"0f\"\r\n";
    let late = [(500, "", ""), (200, JSON, credentials)];
    let at_once = [(200, JSON, credentials)];
    let taken = [(200, tag, "")];
    let unproven = [(200, "", ""), (200, tag, "")];
    for (container, s3, is_ambiguous) in
        [(&late[..], &taken[..], false), (&at_once, &unproven, true)]
    {
        let world = World::start().await.unwrap();
        let container = Scripted::in_turn(container).await;
        let s3 = Scripted::in_turn(s3).await;
        let environment = world
            .bare_environment()
            .env("BACKSTOP_S3_BUCKET", "archive")
            .env("AWS_ENDPOINT_URL_S3", s3.url())
            .env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("AWS_SESSION_TOKEN", "")
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.url());
        let outcome = run(&world, environment).await;
        outcome.assert_adds_up();
        assert!(outcome.delivered("s3") > 30, "{}", outcome.stderr());
        let is = outcome.ledger("ambiguous") > 0;
        assert_eq!(is, is_ambiguous, "{}", outcome.stderr());
    }
}

#[tokio::test]
async fn a_stream_of_another_account_is_refused_before_anything_is_sent() {
    let world = World::start().await.unwrap();
    let environment = world
        .bare_environment()
        .env("BACKSTOP_S3_BUCKET", world.s3.bucket())
        .env(
            "BACKSTOP_FIREHOSE_STREAM",
            "arn:aws:firehose:us-east-1:999999999999:deliverystream/telemetry",
        );
    let outcome = run(&world, environment).await;
    outcome.assert_nothing_lost();
    assert_eq!(outcome.delivered("firehose"), 0);
    assert!(
        says(
            &outcome,
            &[
                "Invalid configuration",
                "1 configuration error: BACKSTOP_FIREHOSE_STREAM",
                "999999999999",
                "123456789012",
            ]
        ),
        "{}",
        outcome.stderr()
    );
}
