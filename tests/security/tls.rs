//! Who is believed to be the primary: versions, authorities, names and dates.

use std::io::Write as _;

use backstop_simulator::{EnvironmentBuilder, FakeIntake, Fault, Tls};
use backstop_tests::{Outcome, World};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::run;

/// A record of TLS that says what is wrong, and nothing else.
const ALERT: u8 = 21;

/// The world with this primary instead of its own.
fn with_primary(world: &World, intake: &FakeIntake) -> EnvironmentBuilder {
    let ca = intake.ca_pem_path().unwrap().display().to_string();
    world
        .environment()
        .env("BACKSTOP_PRIMARY_URL", intake.url())
        .env("SSL_CERT_FILE", ca)
}

/// Nothing went there, and everything is in the archive because of TLS.
#[track_caller]
fn assert_not_believed(outcome: &Outcome) {
    outcome.assert_nothing_lost();
    assert_eq!(outcome.delivered("https"), 0);
    let reasons = outcome.reasons();
    assert!(reasons.contains("tls"), "{reasons:?}");
    let others: Vec<_> = reasons
        .iter()
        .filter(|reason| !["tls", "breaker_open"].contains(&reason.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    for tls in [Tls::Only12, Tls::Only13] {
        let world = World::start().await.unwrap();
        let intake = FakeIntake::start_with(tls).await.unwrap();
        let outcome = run(&world, with_primary(&world, &intake)).await;
        assert_eq!(outcome.archived.len(), 0, "{tls:?}\n{}", outcome.stderr());
        assert_eq!(intake.record_count() as u64, outcome.delivered("https"));
        assert!(outcome.delivered("https") >= 10, "{tls:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_only_tls_1_1_gets_nothing() {
    let world = World::start().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1/logs", listener.local_addr().unwrap());
    let (heard, mut alerts) = tokio::sync::mpsc::channel(100);
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = vec![0; 4096];
            drop(stream.read(&mut hello).await);
            drop(stream.write_all(&server_hello(0x0302)).await);
            let mut after = vec![0; 4096];
            let read = stream.read(&mut after).await.unwrap_or_default();
            heard.send(after[..read].first().copied()).await.unwrap();
        }
    });
    let environment = world.environment().env("BACKSTOP_PRIMARY_URL", url);
    let outcome = run(&world, environment).await;
    assert_not_believed(&outcome);
    server.abort();
    // After the hello of an old version only an alert has come.
    assert_eq!(alerts.recv().await, Some(Some(ALERT)));
    while let Some(first) = alerts.recv().await {
        assert_eq!(first, Some(ALERT));
    }
}

/// A handshake record with a `ServerHello` of this version, and the oldest cipher suite that TLS 1.1
/// and 1.2 have in common.
fn server_hello(version: u16) -> Vec<u8> {
    let [major, minor] = version.to_be_bytes();
    let mut hello = vec![major, minor];
    hello.extend([7; 32]);
    // No session id; TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA; no compression.
    hello.extend([0, 0xc0, 0x13, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, major, minor, 0, length + 4, 2, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_certificate_for_another_host_or_of_the_past_is_not_believed() {
    for (tls, fault) in [
        (Tls::OtherHost, None),
        (Tls::Usual, Some(Fault::ExpiredCertificate)),
    ] {
        let world = World::start().await.unwrap();
        let intake = FakeIntake::start_with(tls).await.unwrap();
        intake.set_fault(fault).await.unwrap();
        let outcome = run(&world, with_primary(&world, &intake)).await;
        assert_not_believed(&outcome);
        assert!(
            intake.requests().is_empty(),
            "{tls:?}: {:?}",
            intake.requests()
        );
    }
}

#[tokio::test]
async fn every_authority_in_the_file_is_trusted() {
    let world = World::start().await.unwrap();
    let other = FakeIntake::start().await.unwrap();
    let mut file = NamedTempFile::new().unwrap();
    for intake in [&other, &world.intake] {
        let pem = std::fs::read(intake.ca_pem_path().unwrap()).unwrap();
        writeln!(file, "# an authority").unwrap();
        file.write_all(&pem).unwrap();
    }
    for url in [other.url(), world.intake.url()] {
        let environment = world
            .environment()
            .env("BACKSTOP_PRIMARY_URL", url)
            .env("SSL_CERT_FILE", file.path().display().to_string());
        let outcome = run(&world, environment).await;
        assert_eq!(outcome.archived.len(), 0, "{}", outcome.stderr());
    }
    assert!(other.record_count() > 0 && world.intake.record_count() > 0);
}

#[tokio::test]
async fn a_file_of_garbage_is_told_of_and_adds_nobody() {
    for garbage in [
        "this is no certificate",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    ] {
        let world = World::start().await.unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(garbage.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        let environment = world.environment().env("SSL_CERT_FILE", path);
        let outcome = run(&world, environment).await;
        assert_not_believed(&outcome);
        let said = outcome
            .stderr()
            .matches("Unusable certificate file")
            .count();
        assert_eq!(said, 1, "{}", outcome.stderr());
    }
}
