//! What S3 may answer, by a server of a few lines: archive classes, listings without end, answers that are
//! none.

use serde_json::json;

use crate::little_server::LittleServer;
use crate::support::{Said, backstop, run};

const XML: &str = "content-type: application/xml\r\n";

fn listing(objects: &str, token: &str) -> String {
    let more = !token.is_empty();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><IsTruncated>{more}</IsTruncated>\
         <EncodingType>url</EncodingType>{objects}\
         <NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
    )
}

fn object(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><Size>10</Size></Contents>")
}

async fn replay(server: &LittleServer, more: &[&str]) -> Said {
    let mut command = backstop();
    command
        .args(["replay", "--output", "json", "--from", "s3://b/backstop"])
        .args([
            "--to",
            "https://primary.invalid",
            "--endpoint-url",
            &server.endpoint(),
        ])
        .args(more)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_MAX_ATTEMPTS", "1");
    run(&mut command).await
}

#[tokio::test]
async fn what_has_to_be_restored_is_named_with_the_command_for_it() {
    let server = LittleServer::start(|path| {
        if path.contains("list-type=2") {
            let objects =
                object("backstop/v1/stream=s/a.gz") + &object("backstop/v1/stream=s/b+%27.gz");
            return (200, XML.to_owned(), listing(&objects, ""));
        }
        let refusal = "<Error><Code>InvalidObjectState</Code><Message>no</Message></Error>";
        (403, XML.to_owned(), refusal.to_owned())
    });
    let said = replay(
        &server,
        &["--request-payer", "requester", "--concurrency", "1"],
    )
    .await;
    assert_eq!(said.code, Some(3), "{said:?}");
    let summary = said.json();
    assert_eq!(summary["objectsToRestore"], 2);
    let problems = summary["problems"].as_array().cloned().unwrap_or_default();
    let told = |at: usize| {
        problems[at]["problem"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let command = "aws s3api restore-object --bucket b --key";
    let plain = format!("{command} backstop/v1/stream=s/a.gz --restore-request Days=7");
    assert!(told(0).contains(&plain), "{}", told(0));
    // What a shell would read otherwise is not in a command that may be pasted into one.
    assert!(told(1).contains(&format!("{command} KEY ")), "{}", told(1));
    assert_eq!(problems[1]["object"], "backstop/v1/stream=s/b '.gz");
}

#[tokio::test]
async fn a_listing_that_begins_again_is_ended() {
    let server = LittleServer::start(|path| {
        let token = if path.contains("continuation-token=one") {
            "two"
        } else {
            "one"
        };
        (
            200,
            XML.to_owned(),
            listing(&object("backstop/v1/other/x"), token),
        )
    });
    let said = replay(&server, &["--dry-run"]).await;
    assert_eq!(said.code, Some(3), "{said:?}");
    let summary = said.json();
    let halted = summary["halted"].as_str().unwrap_or_default();
    assert!(halted.contains("repeats a continuation token"), "{halted}");
    assert_eq!(summary["objectsOutside"], json!(2));
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_quoted() {
    for body in [
        "<ListBucketResult><Key>hunter2\u{4}</Key>",
        "<hunter2",
        "hunter2",
    ] {
        let server = LittleServer::start(move |_| (200, XML.to_owned(), body.to_owned()));
        let said = replay(&server, &[]).await;
        assert_eq!(said.code, Some(1), "{said:?}");
        let told = [
            "the answer (status 200) cannot be read",
            "the answer is not one of S3",
        ];
        assert!(told.iter().any(|it| said.stderr.contains(it)), "{said:?}");
        assert!(!said.stderr.contains("hunter2"), "{said:?}");
    }
}

#[tokio::test]
async fn without_a_region_none_is_taken() {
    let mut command = backstop();
    command.args([
        "replay",
        "--from",
        "s3://b/backstop",
        "--to",
        "https://primary.invalid",
    ]);
    let said = run(&mut command).await;
    let told =
        "error: no region is set: give --region, set AWS_REGION, or set `region` in the profile\n";
    assert_eq!((said.code, said.stderr.as_str()), (Some(2), told));
    let said = run(command.env("AWS_REGION", "eu-wset-1")).await;
    let told = "error: there is no region eu-wset-1; did you mean eu-west-1?\n";
    assert_eq!((said.code, said.stderr.as_str()), (Some(2), told));
}
