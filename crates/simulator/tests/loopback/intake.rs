//! The fake intake as a client sees it: what it takes, and each fault.

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use backstop_simulator::{FakeIntake, Fault};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Certificate, Client, ClientBuilder};

/// For what must happen but may take a while on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);
/// A client's patience with a server that never answers.
const PATIENCE: Duration = Duration::from_millis(200);

type Outcome = Result<(), Box<dyn Error>>;

#[expect(
    clippy::disallowed_methods,
    reason = "the client is the test's own, not the product's"
)]
fn builder() -> ClientBuilder {
    // Another test of this process may have installed it already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    Client::builder().no_proxy()
}

fn client() -> Result<Client, reqwest::Error> {
    builder().build()
}

async fn post(client: &Client, intake: &FakeIntake, body: String) -> reqwest::Result<u16> {
    let request = client
        .post(intake.url())
        .header("content-type", "application/x-ndjson")
        .header("idempotency-key", "key-1");
    Ok(request.body(body).send().await?.status().as_u16())
}

fn line(id: &str) -> String {
    format!("{{\"id\":\"{id}\",\"record\":\"seq=7 hello\"}}\n")
}

fn is_connection_error(outcome: &reqwest::Result<u16>) -> bool {
    outcome.as_ref().is_err_and(|error| !error.is_timeout())
}

#[tokio::test]
async fn tls_holds_against_the_authoritys_file() -> Outcome {
    let intake = FakeIntake::start().await?;
    let pem = std::fs::read(intake.ca_pem_path().ok_or("no file")?)?;
    let trusting = builder()
        .tls_certs_only([Certificate::from_pem(&pem)?])
        .build()?;
    assert_eq!(post(&trusting, &intake, line("a")).await?, 200);
    let localhost = intake.url().replace("127.0.0.1", "localhost");
    assert_eq!(trusting.get(localhost).send().await?.status(), 405);
    let strict = builder().tls_certs_only([]).build()?;
    assert!(post(&strict, &intake, line("b")).await.is_err());
    assert_eq!(intake.record_count(), 1);
    Ok(())
}

#[tokio::test]
async fn both_media_types_are_counted_with_and_without_gzip() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    intake.keep_lines(true);
    let client = client()?;
    assert_eq!(post(&client, &intake, line("a") + &line("b")).await?, 200);
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    write!(body, "[{},{}]", line("b"), line("c"))?;
    let request = client
        .post(intake.url())
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    assert_eq!(request.body(body.finish()?).send().await?.status(), 200);
    let records = intake.records();
    assert_eq!((records["a"], records["b"], records["c"]), (1, 2, 1));
    assert_eq!(intake.sequences().get(&7), Some(&4));
    assert_eq!(intake.lines().len(), 4);
    assert_eq!(intake.requests().get(&200), Some(&2));
    assert_eq!(intake.deliveries()[0], (Some("key-1".to_owned()), 200));
    Ok(())
}

#[tokio::test]
async fn what_is_not_understood_is_refused_whole() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    assert_eq!(
        post(&client, &intake, line("a") + "{\"no\":\"id\"}\n").await?,
        400
    );
    assert_eq!(post(&client, &intake, line("a") + "{broken").await?, 400);
    let request = client
        .post(intake.url())
        .header("content-type", "text/plain");
    assert_eq!(request.body(line("a")).send().await?.status(), 415);
    assert_eq!(intake.record_count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_status_holds_for_open_connections_until_it_is_cleared() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    assert_eq!(post(&client, &intake, line("a")).await?, 200);
    intake.set_fault(Some(Fault::Status(503))).await?;
    assert_eq!(post(&client, &intake, line("b")).await?, 503);
    intake
        .set_fault(Some(Fault::StatusWithRetryAfter(429, 7)))
        .await?;
    let answer = client.post(intake.url()).body(line("b")).send().await?;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse()?)
    );
    intake.set_fault(None).await?;
    assert_eq!(post(&client, &intake, line("b")).await?, 200);
    assert_eq!(intake.record_count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_refusing_server_comes_back_on_the_same_port() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    assert_eq!(post(&client, &intake, line("a")).await?, 200);
    for round in 0..3 {
        intake.set_fault(Some(Fault::Refuse)).await?;
        let refused = post(&client, &intake, line("b")).await;
        assert!(
            refused.as_ref().is_err_and(reqwest::Error::is_connect),
            "{round}: {refused:?}"
        );
        let raw = tokio::net::TcpStream::connect(intake.address()).await;
        let kind = raw.err().map(|error| error.kind());
        assert_eq!(kind, Some(std::io::ErrorKind::ConnectionRefused), "{round}");
        intake.set_fault(None).await?;
        assert_eq!(post(&client, &intake, line("c")).await?, 200, "{round}");
    }
    assert_eq!(intake.records().get("b"), None);
    Ok(())
}

#[tokio::test]
async fn a_hanging_server_takes_the_request_and_never_answers() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    intake.set_fault(Some(Fault::Hang)).await?;
    let client = builder().timeout(PATIENCE).build()?;
    let outcome = post(&client, &intake, line("a")).await;
    assert!(
        outcome.as_ref().is_err_and(reqwest::Error::is_timeout),
        "{outcome:?}"
    );
    assert!(intake.wait_for_requests(1, LIMIT).await);
    assert_eq!(intake.requests().get(&0), Some(&1));
    assert_eq!(intake.record_count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_reset_is_a_reset_and_only_the_late_one_counts() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    intake.set_fault(Some(Fault::Reset)).await?;
    let early = post(&client, &intake, line("a")).await;
    assert!(is_connection_error(&early), "{early:?}");
    assert_eq!(intake.record_count(), 0);
    intake.set_fault(Some(Fault::ResetAfterBody)).await?;
    let late = post(&client, &intake, line("b")).await;
    assert!(is_connection_error(&late), "{late:?}");
    assert!(
        late.err()
            .is_some_and(|error| format!("{error:?}").contains("ConnectionReset"))
    );
    assert_eq!(intake.record_count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_slow_server_records_only_what_was_waited_for() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    intake
        .set_fault(Some(Fault::Slow(Duration::from_millis(20))))
        .await?;
    assert_eq!(post(&client, &intake, line("a")).await?, 200);
    intake.set_fault(Some(Fault::Slow(LIMIT))).await?;
    let hasty = builder().timeout(PATIENCE).build()?;
    assert!(post(&hasty, &intake, line("b")).await.is_err());
    assert!(intake.wait_for_requests(2, LIMIT).await);
    assert_eq!(intake.records().len(), 1);
    Ok(())
}

#[tokio::test]
async fn too_large_is_judged_by_the_body_as_it_was_sent() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    intake
        .set_fault(Some(Fault::TooLarge { limit_bytes: 100 }))
        .await?;
    assert_eq!(post(&client, &intake, line("a")).await?, 200);
    assert_eq!(post(&client, &intake, line("a").repeat(10)).await?, 413);
    assert_eq!(intake.records()["a"], 1);
    Ok(())
}

#[tokio::test]
async fn faults_of_the_handshake_show_on_new_connections_and_end_open_ones() -> Outcome {
    let intake = FakeIntake::start().await?;
    let pem = std::fs::read(intake.ca_pem_path().ok_or("no file")?)?;
    let client = builder()
        .tls_certs_only([Certificate::from_pem(&pem)?])
        .build()?;
    assert_eq!(post(&client, &intake, line("a")).await?, 200);
    for (fault, said) in [
        (Fault::Tls, "HandshakeFailure"),
        (Fault::ExpiredCertificate, "Expired"),
    ] {
        intake.set_fault(Some(fault)).await?;
        let error = post(&client, &intake, line("b")).await.err();
        assert!(format!("{error:?}").contains(said), "{error:?}");
        intake.set_fault(None).await?;
        assert_eq!(post(&client, &intake, line("c")).await?, 200);
    }
    assert!(!intake.records().contains_key("b"));
    Ok(())
}

#[tokio::test]
async fn a_body_can_be_cut_off_endless_or_never_come() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    for status in [200, 500] {
        for fault in [
            Fault::HangAfterHead(status),
            Fault::ShortBody(status),
            Fault::EndlessBody(status),
        ] {
            intake.set_fault(Some(fault)).await?;
            let mut response = client
                .post(intake.url())
                .header("content-type", "application/x-ndjson")
                .body(line(&format!("{fault}")))
                .timeout(LIMIT)
                .send()
                .await?;
            assert_eq!(response.status(), status, "{fault}");
            let mut read = 0;
            let end = loop {
                match tokio::time::timeout(PATIENCE, response.chunk()).await {
                    Err(_) => break "hangs",
                    Ok(Err(_)) => break "fails",
                    Ok(Ok(None)) => break "ends",
                    Ok(Ok(Some(chunk))) => read += chunk.len(),
                }
                if read > 1024 * 1024 {
                    break "goes on";
                }
            };
            let expected = match fault {
                Fault::HangAfterHead(_) => "hangs",
                Fault::ShortBody(_) => "fails",
                _ => "goes on",
            };
            assert_eq!(end, expected, "{fault} after {read} bytes");
        }
    }
    assert_eq!(intake.record_count(), 3, "of the three with 200");
    Ok(())
}

#[tokio::test]
async fn a_dripping_answer_is_whole_and_a_reset_in_the_body_takes_nothing() -> Outcome {
    let intake = FakeIntake::start_plaintext().await?;
    let client = client()?;
    intake.set_fault(Some(Fault::ResetInBody)).await?;
    assert!(is_connection_error(
        &post(&client, &intake, line("a")).await
    ));
    assert_eq!(intake.record_count(), 0);
    intake.set_fault(Some(Fault::Drip)).await?;
    assert_eq!(post(&client, &intake, line("a")).await?, 200);
    assert_eq!(intake.record_count(), 1);
    Ok(())
}
