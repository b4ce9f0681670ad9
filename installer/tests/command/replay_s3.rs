//! What S3 may answer, by a server of a few lines: archive classes, listings without end, answers that are
//! none.

use backstop_simulator::{Certificates, S3Server, Tls};
use serde_json::json;

use crate::support::{Finished, backstop, line, run};
use backstop_simulator::LittleServer;

const CLOSE: &str = "connection: close\r\n";
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

async fn replay(server: &LittleServer, more: &[&str]) -> Finished {
    let mut command = backstop();
    command
        .env_remove("HOME")
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
    let finished = replay(
        &server,
        &["--request-payer", "requester", "--concurrency", "1"],
    )
    .await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    assert_eq!(summary["objectsToRestore"], 2);
    let problems = summary["problems"].as_array().cloned().unwrap_or_default();
    let reported = |at: usize| {
        problems[at]["problem"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let command = "aws s3api restore-object --bucket b --key";
    let plain = format!("{command} backstop/v1/stream=s/a.gz --restore-request Days=7");
    assert!(reported(0).contains(&plain), "{}", reported(0));
    // What a shell would read otherwise is not in a command that may be pasted into one.
    assert!(
        reported(1).contains(&format!("{command} KEY ")),
        "{}",
        reported(1)
    );
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
    let finished = replay(&server, &["--dry-run"]).await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let summary = finished.json();
    let halted = summary["halted"].as_str().unwrap_or_default();
    assert!(halted.contains("repeats a continuation token"), "{halted}");
    assert_eq!(summary["objectsOutside"], json!(1));
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_quoted() {
    for body in [
        "<ListBucketResult><Key>hunter2\u{4}</Key>",
        "<hunter2",
        "hunter2",
    ] {
        let server = LittleServer::start(move |_| (200, XML.to_owned(), body.to_owned()));
        let finished = replay(&server, &[]).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let reported = [
            "cannot read the answer (status 200)",
            "the answer is not from S3",
        ];
        assert!(
            reported.iter().any(|it| finished.stderr.contains(it)),
            "{finished:?}"
        );
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
    }
}

#[tokio::test]
async fn without_a_region_none_is_taken() {
    let mut command = backstop();
    command.env_remove("HOME");
    command.args([
        "replay",
        "--from",
        "s3://b/backstop",
        "--to",
        "https://primary.invalid",
    ]);
    let finished = run(&mut command).await;
    let reported =
        "error: no region is set: give --region, set AWS_REGION, or set `region` in the profile\n";
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(2), reported)
    );
    let finished = run(command.env("AWS_REGION", "eu-wset-1")).await;
    let reported = "error: there is no region eu-wset-1; did you mean eu-west-1?\n";
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (Some(2), reported)
    );
}

/// The authority of a company's own proxy or store is trusted where the AWS tools would trust it.
#[tokio::test]
async fn the_authorities_of_a_bundle_are_trusted_by_variable_and_by_profile() {
    let certificates = Certificates::make(Tls::default()).expect("they are made");
    let server = S3Server::start_tls(None, &certificates).await;
    let server = server.expect("the S3 server starts");
    let files = tempfile::TempDir::new().expect("there is room for a directory");
    let bundle = certificates.ca_pem_path().display().to_string();
    let config = files.path().join("config");
    let profile = format!("[profile company]\nregion = eu-west-1\nca_bundle = {bundle}\n");
    std::fs::write(&config, profile).expect("the directory is ours");
    let config = config.display().to_string();
    for (variables, code) in [
        (&[][..], 1),
        (&[("AWS_CA_BUNDLE", bundle.as_str())], 0),
        (
            &[("AWS_CONFIG_FILE", &config), ("AWS_PROFILE", "company")],
            0,
        ),
    ] {
        let mut command = backstop();
        command
            .env_remove("HOME")
            .args([
                "replay",
                "--from",
                "s3://backstop-archive/backstop",
                "--dry-run",
            ])
            .args([
                "--to",
                "https://primary.invalid",
                "--endpoint-url",
                &server.endpoint(),
            ])
            .env("AWS_ACCESS_KEY_ID", server.access_key())
            .env("AWS_SECRET_ACCESS_KEY", server.secret_key())
            .env("AWS_MAX_ATTEMPTS", "1")
            .envs(variables.iter().copied());
        let finished = run(&mut command).await;
        assert_eq!(finished.code, Some(code), "{variables:?}: {finished:?}");
    }
}

/// A transfer that breaks off goes on where it was, and only where the object is still that one.
#[tokio::test]
async fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    let lines: Vec<String> = (0..200).map(|id| line(&format!("e-{id}"), "one")).collect();
    let body = lines.join("\n");
    let size = body.len();
    let listed =
        format!("<Contents><Key>backstop/v1/stream=s/a</Key><Size>{size}</Size></Contents>");
    let server = LittleServer::raw(move |head| {
        if head.iter().any(|line| line.contains("list-type=2")) {
            let text = listing(&listed, "");
            return format!(
                "HTTP/1.1 200 \r\n{CLOSE}{XML}content-length: {}\r\n\r\n{text}",
                text.len()
            );
        }
        let from = head.iter().find_map(|line| {
            let line = line.to_lowercase();
            line.strip_prefix("range: bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
        let is_same = head
            .iter()
            .any(|line| line.eq_ignore_ascii_case("if-match: \"one\""));
        let (status, from) = match from {
            Some(from) if is_same => (206, from),
            Some(_) => return format!("HTTP/1.1 412 \r\n{CLOSE}content-length: 0\r\n\r\n"),
            None => (200, 0),
        };
        // A third of it, and no more.
        let left = &body[from..];
        let part = &left[..left.len().min(size / 3)];
        let length = left.len();
        format!(
            "HTTP/1.1 {status} \r\n{CLOSE}etag: \"one\"\r\ncontent-length: {length}\r\n\r\n{part}"
        )
    });
    let finished = replay(&server, &["--dry-run"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.json()["wouldSend"], 200);
}

/// Whatever answers in the place of S3 decides how much it sends, and not how much is held.
#[tokio::test]
async fn an_answer_without_end_is_not_held() {
    let long = format!("<ListBucketResult>{}", " ".repeat(65 << 20));
    let server = LittleServer::start(move |_| (200, XML.to_owned(), long.clone()));
    let finished = replay(&server, &[]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("the answer is longer than 64 MiB"),
        "{finished:?}"
    );
}
