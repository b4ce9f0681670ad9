//! A token that is kept in a store of secrets: read late, once, and never shown; whatever the store does,
//! the function and the fallbacks go on.

use std::time::Duration;

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{EnvironmentBuilder, Fault, InitializationType, SecretServer};
use backstop_tests::{Outcome, World, in_parallel, invocation};
use tempfile::TempDir;

use crate::secrets::read_all;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:backend/token-AbCdEf";
const PARAMETER: &str = "/backend/token";
/// What KMS is asked to decrypt.
const CIPHERTEXT: &str = "AQICAHhzZWNyZXQ=";
/// In every secret.
const CANARY: &str = "c4n4ry";
const HANDLER: Duration = Duration::from_millis(15);

/// A world with stores of secrets, and what an environment leaves in `/tmp`.
struct Place {
    world: World,
    stores: SecretServer,
    temporary: TempDir,
}

impl Place {
    async fn new() -> Self {
        let world = World::start().await.unwrap();
        let stores = SecretServer::start().await.unwrap();
        stores.put(ARN, r#"{"user":"x","key":"one-c4n4ry"}"#);
        stores.put(PARAMETER, "one-c4n4ry");
        stores.put(CIPHERTEXT, "orders=one-c4n4ry");
        let place = Self {
            world,
            stores,
            temporary: TempDir::new().unwrap(),
        };
        place.require("one-c4n4ry");
        place
    }

    /// The primary takes no other token than this.
    fn require(&self, token: &str) {
        let value = format!("Bearer {token}");
        let rule = Some(("authorization", value.as_str()));
        self.world.intake.require_header(rule);
    }

    fn environment(&self) -> EnvironmentBuilder {
        let endpoint = self.stores.endpoint();
        let stores = ["SECRETS_MANAGER", "SSM", "KMS"];
        let endpoints = stores.map(|store| (format!("AWS_ENDPOINT_URL_{store}"), endpoint.clone()));
        self.world
            .environment()
            .envs(endpoints)
            .env("BACKSTOP_LOG_LEVEL", "debug")
            .temp_dir(self.temporary.path())
    }

    fn by_arn(&self) -> EnvironmentBuilder {
        let reference = format!("{ARN}#key");
        self.environment()
            .env("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", reference)
    }

    /// With time for an answer on a busy machine, where that is not what a test is about.
    fn unhurried(environment: EnvironmentBuilder) -> EnvironmentBuilder {
        environment.env("BACKSTOP_MAX_ADDED_MS", "2000")
    }

    /// Nowhere is a value, in whatever the extension printed, archived or wrote.
    fn assert_no_canary(&self, outcome: &Outcome) {
        let mut left = outcome.stderr();
        for line in &outcome.archived {
            left.push_str(&line.to_string());
        }
        read_all(self.temporary.path(), &mut left);
        assert!(!left.contains(CANARY), "{left}");
    }
}

/// Records that had to go somewhere: without the extension's own lines.
fn kept(outcome: &Outcome) -> u64 {
    outcome.ledger("received") - outcome.dropped("own_log")
}

#[tokio::test]
async fn each_store_gives_the_token_at_the_first_send_and_none_during_init() {
    let header = |reference: &str| {
        let value = format!("authorization=Bearer {{{{{reference}}}}}");
        ("BACKSTOP_PRIMARY_HEADERS", value)
    };
    let runs = [
        (
            "GetSecretValue",
            ("BACKSTOP_PRIMARY_TOKEN_SECRET_ARN", format!("{ARN}#key")),
        ),
        (
            "GetParameter",
            ("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", PARAMETER.to_owned()),
        ),
        (
            "Decrypt",
            ("BACKSTOP_PRIMARY_TOKEN_KMS", CIPHERTEXT.to_owned()),
        ),
        ("GetSecretValue", header(&format!("secret:{ARN}#key"))),
        ("GetParameter", header(&format!("ssm:{PARAMETER}"))),
        ("Decrypt", header(&format!("kms:{CIPHERTEXT}"))),
    ];
    let runs = runs
        .into_iter()
        .map(|(operation, (variable, value))| async move {
            let place = Place::new().await;
            let environment = Place::unhurried(place.environment()).env(variable, value);
            let environment = environment.start().await.unwrap();
            assert_eq!(place.stores.requests(), 0, "{variable}: asked during init");
            let mut traffic = Traffic::new(200);
            for _ in 0..3 {
                environment
                    .invoke(invocation(&mut traffic, 10, HANDLER))
                    .await
                    .unwrap();
            }
            let outcome = place.world.settle(&environment, 30).await.unwrap();
            outcome.assert_nothing_lost();
            assert_eq!(
                outcome.delivered("https"),
                kept(&outcome),
                "{}",
                outcome.stderr()
            );
            let calls = place.stores.calls();
            let asked: Vec<&str> = calls.iter().map(|(it, _)| it.as_str()).collect();
            assert_eq!(asked, [operation], "{variable}: once for all batches");
            place.assert_no_canary(&outcome);
        });
    in_parallel(runs).await;
}

#[tokio::test]
async fn a_store_that_fails_in_any_way_costs_the_function_nothing_and_no_record() {
    #[derive(Debug, Clone, Copy)]
    enum Trouble {
        Code(&'static str),
        Fault(Fault),
    }
    use Trouble::{Code, Fault as Broken};
    let runs = [
        (
            Code("AccessDeniedException"),
            "secretsmanager:GetSecretValue",
        ),
        (Code("ResourceNotFoundException"), "does not exist"),
        (Code("ThrottlingException"), "throttles"),
        (Broken(Fault::Hang), "did not answer"),
        (
            Broken(Fault::Slow(Duration::from_secs(2))),
            "did not answer",
        ),
        (Broken(Fault::Refuse), "did not answer"),
        (Broken(Fault::Reset), "did not answer"),
        (Broken(Fault::HangAfterHead(200)), "did not answer"),
        (Broken(Fault::EndlessBody(200)), "did not answer"),
        (Broken(Fault::Page(200)), "did not answer"),
        (Broken(Fault::Page(502)), "does not answer as AWS does"),
    ];
    let runs = runs.into_iter().map(|(trouble, words)| async move {
        let place = Place::new().await;
        match trouble {
            Code(code) => place.stores.refuse_with(Some(code)),
            Broken(fault) => place.stores.set_fault(Some(fault)).await.unwrap(),
        }
        let environment = place.by_arn().start().await.unwrap();
        assert_eq!(place.stores.requests(), 0, "{trouble:?}: asked during init");
        let mut traffic = Traffic::new(200);
        for _ in 0..4 {
            let report = environment
                .invoke(invocation(&mut traffic, 10, HANDLER))
                .await
                .unwrap();
            // The bound that is set, and what a busy machine needs.
            assert!(
                report.added < Duration::from_millis(1500),
                "{trouble:?}: {report:?}"
            );
        }
        let outcome = place.world.settle(&environment, 40).await.unwrap();
        outcome.assert_nothing_lost();
        assert_eq!(
            place.world.intake.requests().len(),
            0,
            "{trouble:?}: nothing without its token"
        );
        // A fallback on a busy machine may be late; the primary was not asked.
        let is_fallback_late = ["firehose", "s3"].iter().any(|sink| {
            let late = format!(r#""reason":"timeout","sink":"{sink}""#);
            outcome.stderr().contains(&late)
        });
        let is_certain = outcome.ledger("ambiguous") == 0 || is_fallback_late;
        assert!(is_certain, "{trouble:?}\n{}", outcome.stderr());
        let archived = outcome.delivered("firehose") + outcome.delivered("s3");
        assert_eq!(
            archived,
            kept(&outcome),
            "{trouble:?}\n{}",
            outcome.stderr()
        );
        assert!(
            outcome.reasons().contains("no_secret"),
            "{trouble:?}: {:?}",
            outcome.reasons()
        );
        let stderr = outcome.stderr();
        let reported = stderr.lines().filter(|line| line.contains(words)).count();
        assert_eq!(reported, 1, "{trouble:?}\n{stderr}");
        if let Code(code) = trouble {
            assert!(stderr.contains(code), "{code}\n{stderr}");
        }
        place.assert_no_canary(&outcome);
    });
    in_parallel(runs).await;
}

#[tokio::test]
async fn a_token_that_was_rotated_is_read_again_once_and_no_record_is_diverted() {
    let place = Place::new().await;
    let environment = Place::unhurried(place.by_arn()).start().await.unwrap();
    let mut traffic = Traffic::new(200);
    environment
        .invoke(invocation(&mut traffic, 10, HANDLER))
        .await
        .unwrap();
    assert!(
        place
            .world
            .intake
            .wait_for_records(10, Duration::from_secs(5))
            .await
    );

    place.stores.put(ARN, r#"{"key":"two-c4n4ry"}"#);
    place.require("two-c4n4ry");
    for _ in 0..3 {
        environment
            .invoke(invocation(&mut traffic, 10, HANDLER))
            .await
            .unwrap();
    }
    let outcome = place.world.settle(&environment, 40).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(
        outcome.delivered("https"),
        kept(&outcome),
        "{}",
        outcome.stderr()
    );
    assert_eq!(place.stores.calls().len(), 2, "once, and once more");
    place.assert_no_canary(&outcome);
}

#[tokio::test]
async fn a_token_that_stays_wrong_is_not_read_for_each_batch() {
    let place = Place::new().await;
    place.require("another-c4n4ry");
    let environment = Place::unhurried(place.by_arn()).start().await.unwrap();
    let mut traffic = Traffic::new(200);
    for _ in 0..5 {
        environment
            .invoke(invocation(&mut traffic, 10, HANDLER))
            .await
            .unwrap();
    }
    let outcome = place.world.settle(&environment, 50).await.unwrap();
    outcome.assert_nothing_lost();
    assert_eq!(
        outcome.delivered("firehose") + outcome.delivered("s3"),
        kept(&outcome),
        "{}",
        outcome.stderr()
    );
    let calls = place.stores.calls().len();
    assert!(
        calls <= 2,
        "{calls} reads: at the first send, and at shutdown"
    );
    place.assert_no_canary(&outcome);
}

#[tokio::test]
async fn once_the_store_gives_the_token_records_go_to_the_primary_again() {
    let place = Place::new().await;
    place.stores.refuse_with(Some("AccessDeniedException"));
    let environment = place.by_arn().start().await.unwrap();
    let mut traffic = Traffic::new(200);
    environment
        .invoke(invocation(&mut traffic, 10, HANDLER))
        .await
        .unwrap();
    place.stores.refuse_with(None);
    let mut emitted = 10;
    // The breaker's first cooldown is at most 5 s.
    for _ in 0..40 {
        environment
            .invoke(invocation(&mut traffic, 10, Duration::from_millis(200)))
            .await
            .unwrap();
        emitted += 10;
        if place.world.intake.record_count() > 0 {
            break;
        }
    }
    let outcome = place.world.settle(&environment, emitted).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(outcome.delivered("https") > 0, "{}", outcome.stderr());
    place.assert_no_canary(&outcome);
}

#[tokio::test]
async fn a_restored_snapshot_reads_the_token_itself() {
    let place = Place::new().await;
    let environment = place
        .by_arn()
        .initialization_type(InitializationType::SnapStart);
    let environment = environment.start().await.unwrap();
    assert_eq!(
        place.stores.requests(),
        0,
        "nothing is asked before the snapshot"
    );
    let mut traffic = Traffic::new(200);
    environment
        .invoke(invocation(&mut traffic, 10, HANDLER))
        .await
        .unwrap();
    let outcome = place.world.settle(&environment, 10).await.unwrap();
    outcome.assert_nothing_lost();
    assert!(outcome.delivered("https") > 0, "{}", outcome.stderr());
    // What was read before Lambda said that this is a restored environment is read again.
    let reads = place.stores.calls().len();
    assert!((1..=2).contains(&reads), "{reads}");
    place.assert_no_canary(&outcome);
}
