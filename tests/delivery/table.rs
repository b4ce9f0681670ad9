//! The classification table, row by row, with an outage of a third of the run and one of all of it.

use std::ops::Range;
use std::time::Duration;

use backstop_simulator::Fault;
use backstop_simulator::traffic::Traffic;
use backstop_tests::{Outcome, World, in_parallel, invocation};

const STRATEGIES: [&str; 4] = ["auto", "end", "periodic", "continuous"];
const INVOCATIONS: usize = 9;
const LINES: usize = 10;

/// A run with the primary at fault during some invocations. Function records, and what came of them.
async fn run(fault: Fault, strategy: &str, outage: Range<usize>) -> Outcome {
    let world = World::start().await.unwrap();
    if outage.start == 0 {
        world.intake.set_fault(Some(fault)).await.unwrap();
    }
    let environment = world
        .environment()
        .env("BACKSTOP_FLUSH_STRATEGY", strategy)
        .env("BACKSTOP_FLUSH_INTERVAL_MS", "100")
        .start()
        .await
        .unwrap();
    let mut traffic = Traffic::new(200);
    for index in 0..INVOCATIONS {
        if index == outage.start {
            world.intake.set_fault(Some(fault)).await.unwrap();
        }
        if index == outage.end {
            world.intake.set_fault(None).await.unwrap();
        }
        let duration = Duration::from_millis(15);
        let report = environment
            .invoke(invocation(&mut traffic, LINES, duration))
            .await
            .unwrap();
        assert!(!report.overran, "{fault:?} {strategy}");
    }
    world
        .settle(&environment, (INVOCATIONS * LINES) as u64)
        .await
        .unwrap()
}

/// Runs a row in every strategy, for a third of the run, for all of it, and checks what always holds.
async fn row(fault: Fault, check: impl Fn(&Outcome, &str)) {
    let cases = STRATEGIES
        .iter()
        .flat_map(|strategy| [3..6, 0..INVOCATIONS].map(|outage| (*strategy, outage)));
    let runs = cases.map(|(strategy, outage)| async move {
        let is_total = outage.start == 0;
        (strategy, is_total, run(fault, strategy, outage).await)
    });
    for (strategy, is_total, outcome) in in_parallel(runs).await {
        let name = format!(
            "{fault} {strategy} {}",
            if is_total { "all" } else { "third" }
        );
        outcome.assert_nothing_lost();
        if is_total {
            check(&outcome, &name);
        }
    }
}

/// Nothing is at the primary, everything in the archive for this reason.
fn all_diverted(reasons: &'static [&'static str]) -> impl Fn(&Outcome, &str) {
    move |outcome, name| {
        assert_eq!(
            outcome.delivered("https"),
            0,
            "{name}\n{}",
            outcome.stderr()
        );
        let unknown: Vec<_> = outcome
            .reasons()
            .into_iter()
            .filter(|reason| !reasons.contains(&reason.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        assert!(
            outcome.reasons().contains(reasons[0]),
            "{name}: {:?}",
            outcome.reasons()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_retried_and_diverted() {
    for code in [500, 503] {
        row(
            Fault::Status(code),
            all_diverted(&["server_error", "breaker_open"]),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_retried_and_diverted() {
    row(
        Fault::Status(429),
        all_diverted(&["throttled", "breaker_open"]),
    )
    .await;
    row(
        Fault::Status(425),
        all_diverted(&["throttled", "breaker_open"]),
    )
    .await;
    row(
        Fault::StatusWithRetryAfter(429, 30),
        all_diverted(&["throttled", "breaker_open"]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_outs_are_diverted() {
    row(
        Fault::Status(408),
        all_diverted(&["timeout", "breaker_open"]),
    )
    .await;
    row(
        Fault::Hang,
        all_diverted(&["timeout", "breaker_open", "no_budget"]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_is_retried_and_diverted() {
    row(
        Fault::Refuse,
        all_diverted(&["refused", "breaker_open", "reset"]),
    )
    .await;
    row(Fault::Reset, all_diverted(&["reset", "breaker_open"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_configuration_diverts_at_once_and_says_so_once() {
    for (code, reason) in [
        (401, "unauthorized"),
        (403, "unauthorized"),
        (404, "not_found"),
    ] {
        let expected: &'static [&'static str] = if reason == "not_found" {
            &["not_found", "breaker_open"]
        } else {
            &["unauthorized", "breaker_open"]
        };
        let check = all_diverted(expected);
        row(Fault::Status(code), |outcome, name| {
            check(outcome, name);
            let said = outcome.stderr().matches("are fixed").count()
                + outcome.stderr().matches("is fixed").count();
            assert_eq!(said, 1, "{name}\n{}", outcome.stderr());
        })
        .await;
    }
}

/// The account, the address or the form of the request is meant: no record is condemned for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_not_about_records_makes_no_dead_letter() {
    let cases: [(u16, &'static [&'static str]); 5] = [
        (402, &["payment_required", "breaker_open"]),
        (409, &["conflict", "breaker_open"]),
        (410, &["not_found", "breaker_open"]),
        (415, &["not_accepted", "breaker_open"]),
        (421, &["not_accepted", "breaker_open"]),
    ];
    for (code, reasons) in cases {
        let check = all_diverted(reasons);
        row(Fault::Status(code), |outcome, name| {
            check(outcome, name);
            assert_eq!(outcome.ledger("dead_letters"), 0, "{name}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    row(
        Fault::Status(302),
        all_diverted(&["redirected", "breaker_open"]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_primary_rejects_is_a_dead_letter_with_its_status() {
    for code in [400, 422] {
        row(Fault::Status(code), |outcome, name| {
            all_diverted(&["rejected"])(outcome, name);
            assert_eq!(
                outcome.ledger("dead_letters"),
                outcome.archived.len() as u64,
                "{name}"
            );
            assert!(
                outcome
                    .archived
                    .iter()
                    .all(|line| line["diverted"]["status"] == code),
                "{name}"
            );
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_split_until_it_fits_and_alone_is_a_dead_letter() {
    // Compressed; the batches of this run have some 500 bytes, single records fewer.
    row(Fault::TooLarge { limit_bytes: 350 }, |outcome, name| {
        assert!(
            outcome.delivered("https") > 0,
            "{name}\n{}",
            outcome.stderr()
        );
    })
    .await;
    row(Fault::TooLarge { limit_bytes: 10 }, |outcome, name| {
        all_diverted(&["too_large"])(outcome, name);
        assert_eq!(
            outcome.ledger("dead_letters"),
            outcome.archived.len() as u64,
            "{name}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_primary_loses_nothing() {
    row(Fault::Slow(Duration::from_millis(300)), |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_on_its_way_may_put_a_record_in_two_places_and_the_ledger_says_so() {
    row(Fault::ResetAfterBody, |outcome, name| {
        assert!(outcome.ledger("ambiguous") > 0, "{name}");
        assert!(!outcome.primary.is_empty(), "{name}: it did arrive");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_and_a_certificate_nobody_knows_are_diverted() {
    let cases = [
        ("https://backstop.invalid/logs", "dns", true),
        ("", "tls", false),
    ];
    for (url, reason, knows_the_authority) in cases {
        let world = World::start().await.unwrap();
        let mut builder = world.environment();
        if !url.is_empty() {
            builder = builder.env("BACKSTOP_PRIMARY_URL", url);
        }
        if !knows_the_authority {
            builder = builder.env("SSL_CERT_FILE", "");
        }
        let environment = builder.start().await.unwrap();
        let mut traffic = Traffic::new(200);
        environment
            .invoke(invocation(&mut traffic, LINES, Duration::from_millis(15)))
            .await
            .unwrap();
        let outcome = world.settle(&environment, LINES as u64).await.unwrap();
        outcome.assert_nothing_lost();
        all_diverted(if reason == "dns" {
            &["dns", "breaker_open"]
        } else {
            &["tls", "breaker_open"]
        })(&outcome, reason);
    }
}
