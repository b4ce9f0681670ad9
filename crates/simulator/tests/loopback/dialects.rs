//! The intakes of vendors as a client sees them: what each takes, what it refuses, and how it answers.

use std::error::Error;
use std::time::SystemTime;

use backstop_simulator::{Dialect, FakeIntake, Fault};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A valid request; each case changes one thing in it.
struct Post {
    path: &'static str,
    header: (&'static str, String),
    media_type: &'static str,
    encoding: Option<&'static str>,
    body: Vec<u8>,
}

struct Sender {
    client: Client,
    intake: FakeIntake,
}

impl Sender {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client is the test's own, not the product's"
    )]
    async fn of(dialect: Dialect) -> Outcome<Self> {
        // Another test of this process may have installed it already.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let intake = FakeIntake::start_speaking(dialect).await?;
        let pem = std::fs::read(intake.ca_pem_path().ok_or("no file")?)?;
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([Certificate::from_pem(&pem)?])
            .build()?;
        Ok(Self { client, intake })
    }

    async fn ask(&self, ask: Post) -> Outcome<(u16, String)> {
        let url = format!("{}{}", self.intake.url(), ask.path);
        let mut request = self.client.post(url).header(ask.header.0, ask.header.1);
        request = request.header("content-type", ask.media_type);
        if let Some(encoding) = ask.encoding {
            request = request.header("content-encoding", encoding);
        }
        let response = request.body(ask.body).send().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs()
}

/// A request with this body that is right in all else.
fn right(dialect: Dialect, body: &str) -> Post {
    let token = dialect.token();
    let (path, header, media_type) = match dialect {
        Dialect::Otlp => (
            "/v1/logs",
            ("authorization", format!("Bearer {token}")),
            "application/json",
        ),
        Dialect::Elastic => (
            "/_bulk",
            ("authorization", format!("ApiKey {token}")),
            "application/x-ndjson",
        ),
        Dialect::Loki => (
            "/loki/api/v1/push",
            ("authorization", "Basic dGVuYW50OmdsY190MGtlbg==".to_owned()),
            "application/json",
        ),
        Dialect::Splunk => (
            "/services/collector/event",
            ("authorization", format!("Splunk {token}")),
            "application/json",
        ),
        Dialect::Datadog => (
            "/api/v2/logs",
            ("dd-api-key", token.to_owned()),
            "application/json",
        ),
        Dialect::NewRelic => ("/log/v1", ("api-key", token.to_owned()), "application/json"),
    };
    Post {
        path,
        header,
        media_type,
        encoding: None,
        body: body.as_bytes().to_vec(),
    }
}

/// A body with one record that is right, and is called `a`.
fn healthy(dialect: Dialect) -> String {
    let seconds = now();
    match dialect {
        Dialect::Otlp => json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{
            "timeUnixNano": format!("{seconds}000000000"), "observedTimeUnixNano": "1",
            "body": { "stringValue": "hello" }, "traceId": "0af7651916cd43dd8448eb211c80319c",
            "attributes": [{ "key": "log.record.uid", "value": { "stringValue": "a" } }],
        }] }] }] })
        .to_string(),
        Dialect::Elastic => bulk("a", &json!({ "@timestamp": "2026-01-01T00:00:00Z" })),
        Dialect::Loki => push(&json!(format!("{seconds}000000000")), "hello"),
        Dialect::Splunk => {
            json!({ "time": 1.5, "event": "hello", "fields": { "log.record.uid": "a" } })
                .to_string()
        }
        Dialect::Datadog => json!([datadog(seconds)]).to_string(),
        Dialect::NewRelic => newrelic(&json!({})).to_string(),
    }
}

fn bulk(id: &str, document: &Value) -> String {
    let mut document = document.clone();
    document["event"] = json!({ "id": id });
    let action = json!({ "create": { "_index": "logs-a-b", "_id": id } });
    format!("{action}\n{document}\n")
}

fn push(time: &Value, line: &str) -> String {
    let value = json!([time, line, { "log_record_uid": "a" }]);
    json!({ "streams": [{ "stream": { "service_name": "orders" }, "values": [value] }] })
        .to_string()
}

fn datadog(seconds: u64) -> Value {
    json!({
        "message": {
            "message": "hello", "lambda": { "arn": "arn" }, "timestamp": seconds * 1000,
            "status": "info", "log.record.uid": "a",
        },
        "hostname": "arn", "service": "orders", "ddsource": "lambda", "ddtags": "a:b",
    })
}

fn newrelic(attributes: &Value) -> Value {
    let log = json!({ "timestamp": now() * 1000, "message": "hello", "attributes": attributes });
    json!([{ "common": { "attributes": { "log.record.uid": "a" } }, "logs": [log] }])
}

#[tokio::test]
async fn each_takes_its_own_form_and_refuses_another_token_path_type_and_encoding() -> Outcome {
    for dialect in Dialect::ALL {
        let client = Sender::of(dialect).await?;
        let body = healthy(dialect);
        let ask = || right(dialect, &body);
        let (status, said) = client.ask(ask()).await?;
        let name = dialect.name();
        let success = match dialect {
            Dialect::Loki => 204,
            Dialect::Datadog | Dialect::NewRelic => 202,
            _ => 200,
        };
        assert_eq!(status, success, "{name} {said}");
        assert_eq!(client.intake.records().get("a"), Some(&1), "{name}");
        assert_eq!(client.intake.refusals(), [""; 0], "{name}");

        let (header, value) = ask().header;
        let stranger = Post {
            header: (header, format!("{value}x")),
            ..ask()
        };
        let (status, said) = client.ask(stranger).await?;
        let expected = match dialect {
            Dialect::Otlp | Dialect::Elastic | Dialect::Loki => 401,
            _ => 403,
        };
        assert_eq!(status, expected, "{name} {said}");
        let lost = Post {
            path: "/elsewhere",
            ..ask()
        };
        assert_eq!(client.ask(lost).await?.0, 404, "{name}");
        let form = Post {
            media_type: "application/x-www-form-urlencoded",
            ..ask()
        };
        let status = client.ask(form).await?.0;
        assert!([400, 406, 415].contains(&status), "{name} {status}");
        for encoding in ["zstd", "gzip"] {
            let wrong = Post {
                encoding: Some(encoding),
                ..ask()
            };
            assert_eq!(client.ask(wrong).await?.0, 400, "{name} {encoding}");
        }
        assert_eq!(client.intake.record_count(), 1, "{name}");
        assert_eq!(client.intake.refusals().len(), 5, "{name}");
    }
    Ok(())
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
async fn each_refuses_what_its_vendor_refuses() -> Outcome {
    let seconds = now();
    let nanos = format!("{seconds}000000000");
    let time = json!({ "@timestamp": "2026-01-01T00:00:00Z" });
    let many = vec![datadog(seconds); 1001];
    let otlp = |from: &str, to: &str| healthy(Dialect::Otlp).replace(from, to);
    let cases: Vec<(Dialect, String, u16, &str)> = vec![
        (
            Dialect::Otlp,
            otlp("timeUnixNano", "time_unix_nano"),
            400,
            "not known",
        ),
        (
            Dialect::Otlp,
            otlp("8448eb211c80319c", ""),
            400,
            "invalid length",
        ),
        (Dialect::Otlp, otlp("\"1\"", "1"), 400, "is not a text"),
        (
            Dialect::Elastic,
            bulk("a", &time).trim_end().to_owned(),
            400,
            "terminated by a newline",
        ),
        (
            Dialect::Elastic,
            bulk(&"i".repeat(513), &time),
            400,
            "no longer than 512",
        ),
        (
            Dialect::Elastic,
            bulk("b", &time).replace("create", "upsert"),
            400,
            "upsert",
        ),
        (
            Dialect::Elastic,
            bulk("b", &json!({})),
            200,
            r#""status":400"#,
        ),
        (
            Dialect::Elastic,
            bulk("b", &time).replace("create", "index"),
            200,
            r#""status":400"#,
        ),
        (
            Dialect::Elastic,
            bulk("b", &time).replace("logs-a", "Logs-a"),
            200,
            r#""status":400"#,
        ),
        (
            Dialect::Loki,
            push(&json!(seconds), "hello"),
            400,
            "text for the time",
        ),
        (Dialect::Loki, push(&json!("1"), "hello"), 400, "too old"),
        (
            Dialect::Loki,
            push(&json!(nanos), &"x".repeat(262_145)),
            400,
            "Max entry size",
        ),
        (
            Dialect::Loki,
            r#"{"streams":[]}"#.to_owned(),
            422,
            "at least one",
        ),
        (Dialect::Splunk, " ".to_owned(), 400, r#""code":5"#),
        (Dialect::Splunk, "{".to_owned(), 400, r#""code":6"#),
        (
            Dialect::Splunk,
            r#"{"event":"a","index":"b"}"#.to_owned(),
            400,
            r#""code":7"#,
        ),
        (
            Dialect::Splunk,
            r#"{"event":"a"}{"time":1}"#.to_owned(),
            400,
            r#""code":12,"invalid-event-number":1"#,
        ),
        (
            Dialect::Splunk,
            r#"{"event":""}"#.to_owned(),
            400,
            r#""code":13"#,
        ),
        (
            Dialect::Splunk,
            r#"{"event":"a","fields":{"a":{}}}"#.to_owned(),
            400,
            r#""code":15"#,
        ),
        (Dialect::Splunk, " ".repeat(1_000_001), 413, "27"),
        (
            Dialect::Datadog,
            datadog(seconds).to_string(),
            400,
            "errors",
        ),
        (Dialect::Datadog, json!(many).to_string(), 413, "1,000"),
        (Dialect::Datadog, " ".repeat(5_000_001), 413, "5 MB"),
        (Dialect::NewRelic, " ".repeat(1_000_001), 413, "1 MB"),
        (Dialect::NewRelic, "{}".to_owned(), 400, "error"),
        // These succeed, and are refused without a word.
        (
            Dialect::NewRelic,
            newrelic(&json!({ "a": { "b": [1] } })).to_string(),
            202,
            "requestId",
        ),
        (
            Dialect::Datadog,
            json!([datadog(seconds - 19 * 3600)]).to_string(),
            202,
            "{}",
        ),
    ];
    for (dialect, body, status, words) in cases {
        let client = Sender::of(dialect).await?;
        let (given, said) = client.ask(right(dialect, &body)).await?;
        let start = &body[..body.len().min(200)];
        assert_eq!(given, status, "{} {start}\n{said}", dialect.name());
        assert!(said.contains(words), "{} {start}\n{said}", dialect.name());
        assert_eq!(client.intake.record_count(), 0, "{}", dialect.name());
        assert_eq!(client.intake.refusals().len(), 1, "{}", dialect.name());
    }
    Ok(())
}

#[tokio::test]
async fn each_stores_as_much_of_a_request_as_its_vendor_does() -> Outcome {
    let time = json!({ "@timestamp": "2026-01-01T00:00:00Z", "message": "fine" });
    let bad = json!({ "@timestamp": "2026-01-01T00:00:00Z", "message": "marked" });
    let elastic = Sender::of(Dialect::Elastic).await?;
    elastic.intake.refuse_lines_with(Some((429, "marked")));
    let body = bulk("a", &time) + &bulk("b", &bad) + &bulk("a", &time);
    let (status, said) = elastic.ask(right(Dialect::Elastic, &body)).await?;
    let said: Value = serde_json::from_str(&said)?;
    let statuses: Vec<&Value> = (0..3)
        .map(|item| &said["items"][item]["create"]["status"])
        .collect();
    assert_eq!(
        (status, statuses),
        (200, vec![&json!(201), &json!(429), &json!(409)])
    );
    assert_eq!(elastic.intake.records(), [("a".to_owned(), 1)].into());

    let splunk = Sender::of(Dialect::Splunk).await?;
    splunk.intake.refuse_lines_with(Some((400, "marked")));
    let body = r#"{"event":"fine"}{"event":"marked"}"#;
    let (status, said) = splunk.ask(right(Dialect::Splunk, body)).await?;
    assert!(
        status == 400 && said.contains("\"invalid-event-number\":1"),
        "{said}"
    );
    assert_eq!(splunk.intake.record_count(), 0);

    let otlp = Sender::of(Dialect::Otlp).await?;
    otlp.intake.refuse_lines_with(Some((400, "hello")));
    let (status, said) = otlp
        .ask(right(Dialect::Otlp, &healthy(Dialect::Otlp)))
        .await?;
    assert!(
        status == 200 && said.contains(r#""rejectedLogRecords":"1""#),
        "{said}"
    );

    // Another line of the stream is an hour and more ahead.
    let loki = Sender::of(Dialect::Loki).await?;
    let at = |seconds: u64| json!(format!("{seconds}000000000"));
    for (seconds, line, status) in [
        (now(), "new", 204),
        (now() - 3000, "late", 204),
        (now() - 3700, "too late", 400),
    ] {
        let body = push(&at(seconds), line);
        assert_eq!(
            loki.ask(right(Dialect::Loki, &body)).await?.0,
            status,
            "{line}"
        );
    }
    // The same text at the same nanosecond is there already.
    let twice = push(&at(now() - 3000), "twice");
    for _ in 0..2 {
        assert_eq!(loki.ask(right(Dialect::Loki, &twice)).await?.0, 204);
    }
    assert_eq!(loki.intake.records(), [("a".to_owned(), 3)].into());
    Ok(())
}

#[tokio::test]
async fn a_fault_speaks_in_the_dialect_or_as_a_page_that_knows_none() -> Outcome {
    let client = Sender::of(Dialect::Splunk).await?;
    let ask = || right(Dialect::Splunk, r#"{"event":"hello"}"#);
    client.intake.set_fault(Some(Fault::Status(503))).await?;
    let (status, said) = client.ask(ask()).await?;
    assert!(status == 503 && said.contains("Server is busy"), "{said}");
    client.intake.set_fault(Some(Fault::Page(200))).await?;
    let (status, said) = client.ask(ask()).await?;
    assert!(
        status == 200 && said.starts_with("<!DOCTYPE html>"),
        "{said}"
    );
    client
        .intake
        .set_fault(Some(Fault::StatusWithRetryDate(429, 60)))
        .await?;
    let url = format!("{}/services/collector/event", client.intake.url());
    let response = client.client.post(url).send().await?;
    let date = response.headers()["retry-after"].to_str()?;
    assert!(response.status() == 429 && date.ends_with(" GMT"), "{date}");
    assert_eq!(client.intake.record_count(), 0);
    Ok(())
}
