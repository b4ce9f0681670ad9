//! A primary that is configured wrongly, or that is another server: nothing counts as delivered, one line says
//! what to do, and a replay brings everything once it is right.

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Dialect, Fault};
use backstop_tests::{Outcome, World, in_parallel};

use crate::{is_each_once, live, replay};

const LINES: usize = 60;

/// An intake, its fault, the variable that is set, and the reasons that the archive may give.
type Mistake = (
    Dialect,
    Option<Fault>,
    (&'static str, &'static str),
    &'static [&'static str],
);

async fn run(
    dialect: Dialect,
    fault: Option<Fault>,
    variables: &[(&str, &str)],
) -> (World, Outcome) {
    let world = World::start_speaking(dialect).await.unwrap();
    world.intake.set_fault(fault).await.unwrap();
    let outcome = live(&world, Traffic::new(200).records(LINES), variables).await;
    (world, outcome)
}

/// Everything is in the archive for one of these reasons, and none of it as a dead letter.
#[track_caller]
fn assert_all_diverted(outcome: &Outcome, reasons: &[&str], name: &str) {
    outcome.assert_nothing_lost();
    let name = format!("{name} {:?}\n{}", outcome.reasons(), outcome.stderr());
    assert_eq!(outcome.delivered("https"), 0, "{name}");
    assert_eq!(outcome.primary.len(), 0, "{name}");
    assert_eq!(outcome.ledger("dead_letters"), 0, "{name}");
    let reasons_are = outcome.reasons();
    let mut reasons_are = reasons_are.iter().map(String::as_str);
    assert!(
        reasons_are.all(|reason| reason == "breaker_open" || reasons.contains(&reason)),
        "{name}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_one_warning_and_a_replay_with_the_right_one_brings_everything() {
    let runs = Dialect::ALL.map(|dialect| async move {
        let wrong = ("BACKSTOP_PRIMARY_TOKEN", "hunter2");
        let (world, outcome) = run(dialect, None, &[wrong]).await;
        let refused = replay(&world, dialect, "hunter2").await;
        let right = replay(&world, dialect, dialect.token()).await;
        (dialect, world, outcome, refused, right)
    });
    for (dialect, world, outcome, refused, right) in Box::pin(in_parallel(runs)).await {
        assert_all_diverted(&outcome, &["unauthorized"], dialect.name());
        let stderr = outcome.stderr();
        let name = format!("{dialect:?}\n{stderr}");
        let warnings = stderr.matches("rejected the credentials").count();
        assert_eq!(warnings, 1, "{name}");
        assert!(!stderr.contains("hunter2"), "{name}");

        let (summary, code) = refused;
        assert_eq!(
            (&summary["sent"], code),
            (&0.into(), 3),
            "{dialect:?} {summary}"
        );
        let halted = summary["halted"].as_str().unwrap_or_default();
        assert!(
            halted.contains("the primary rejected the credentials"),
            "{dialect:?} {summary}"
        );
        let (summary, code) = right;
        assert_eq!(
            summary["sent"],
            outcome.archived.len(),
            "{dialect:?} {summary}"
        );
        assert_eq!(code, 0, "{dialect:?} {summary}");
        assert_eq!(
            world.intake.record_count(),
            outcome.archived.len(),
            "{dialect:?}"
        );
        assert!(is_each_once(&world), "{dialect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_page_behind_a_200_is_no_delivery() {
    let runs = Dialect::ALL
        .map(|dialect| async move { (dialect, run(dialect, Some(Fault::Page(200)), &[]).await) });
    for (dialect, (_, outcome)) in Box::pin(in_parallel(runs)).await {
        assert_all_diverted(&outcome, &["unproven"], dialect.name());
        let said = outcome.stderr().matches("proves nothing").count();
        assert_eq!(said, 1, "{dialect:?}\n{}", outcome.stderr());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_about_records_makes_no_dead_letter() {
    let path = |path| ("BACKSTOP_PRIMARY_URL", path);
    let none = ("BACKSTOP_LOG_LEVEL", "info");
    let index = ("BACKSTOP_PRIMARY_OPTIONS", "index=nowhere");
    let status = |status| Some(Fault::Status(status));
    let cases: Vec<Mistake> = vec![
        // Ingestion is blocked for the tenant.
        (Dialect::Loki, status(260), none, &["not_accepted"]),
        (Dialect::Loki, status(429), none, &["throttled"]),
        (Dialect::Datadog, status(408), none, &["timeout"]),
        (Dialect::Datadog, status(429), none, &["throttled"]),
        (
            Dialect::NewRelic,
            Some(Fault::StatusWithRetryDate(429, 60)),
            none,
            &["throttled"],
        ),
        (Dialect::Splunk, status(503), none, &["server_error"]),
        // The token may not write there: code 7, with 400.
        (Dialect::Splunk, None, index, &["rejected", "not_accepted"]),
        (Dialect::Otlp, status(500), none, &["server_error"]),
        (Dialect::Elastic, status(406), none, &["not_accepted"]),
        (Dialect::Elastic, None, path("/elsewhere/a"), &["not_found"]),
        (Dialect::Otlp, None, path("/elsewhere"), &["not_found"]),
    ];
    let runs = cases
        .into_iter()
        .map(|(dialect, fault, variable, reasons)| async move {
            let world = World::start_speaking(dialect).await.unwrap();
            world.intake.set_fault(fault).await.unwrap();
            let url = format!("{}{}", world.intake.url(), variable.1);
            let variable = match variable.0 {
                "BACKSTOP_PRIMARY_URL" => (variable.0, url.as_str()),
                _ => variable,
            };
            let outcome = live(&world, Traffic::new(200).records(LINES), &[variable]).await;
            (
                format!("{dialect:?} {fault:?} {variable:?}"),
                outcome,
                reasons,
            )
        });
    for (name, outcome, reasons) in Box::pin(in_parallel(runs)).await {
        assert_all_diverted(&outcome, reasons, &name);
    }
}
