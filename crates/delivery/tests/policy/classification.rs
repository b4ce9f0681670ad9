//! The classification table: what each answer of a primary means, and what the chain does about it.

use std::time::Duration;

use crate::support::{Rig, SinkBehaviour, batch, ms};
use backstop_delivery::{
    Answer, BreakerState, Failure, NoCredentials, PartAnswer, Phase, Role, SinkName, Verdict,
};

use BreakerState::{Closed, Open};
use SinkName::{Https, S3};

/// What an answer leads to: how often the primary is asked for ten records, its breaker after that, and the
/// reason for which they are in the archive.
type Row = (SinkBehaviour, usize, BreakerState, &'static str);

fn table() -> Vec<Row> {
    let statuses = [
        (302, 1, Open, "redirected"),
        (307, 1, Open, "redirected"),
        // Eight of the ten are refused alone, and then the sink is known.
        (400, 13, Closed, "rejected"),
        (401, 1, Open, "unauthorized"),
        (402, 1, Open, "payment_required"),
        (403, 1, Open, "unauthorized"),
        (404, 1, Open, "not_found"),
        (405, 1, Open, "not_accepted"),
        (407, 1, Open, "unauthorized"),
        (408, 3, Open, "timeout"),
        (409, 3, Open, "conflict"),
        (410, 1, Open, "not_found"),
        (415, 1, Open, "not_accepted"),
        (421, 1, Open, "not_accepted"),
        (422, 13, Closed, "rejected"),
        (423, 3, Open, "conflict"),
        (424, 3, Open, "conflict"),
        (425, 3, Open, "throttled"),
        (429, 3, Open, "throttled"),
        (451, 1, Open, "not_accepted"),
        (500, 3, Open, "server_error"),
        (503, 3, Open, "server_error"),
        (599, 3, Open, "server_error"),
        // HTTP does not define these.
        (199, 3, Open, "server_error"),
        (999, 3, Open, "server_error"),
    ];
    let failures = [
        (Failure::Refused, "refused"),
        (Failure::Reset, "reset"),
        (Failure::Dns, "dns"),
        (Failure::Tls, "tls"),
    ];
    let mut table: Vec<Row> = Vec::new();
    for (code, calls, state, reason) in statuses {
        table.push((SinkBehaviour::Status(code), calls, state, reason));
    }
    for (failure, reason) in failures {
        table.push((SinkBehaviour::Nothing(failure), 3, Open, reason));
    }
    table.push((SinkBehaviour::Hang, 1, Open, "timeout"));
    table
}

#[tokio::test(start_paused = true)]
async fn each_row_of_the_table_leads_where_it_says() {
    for (behaviour, calls, state, reason) in table() {
        let name = format!("{behaviour:?}");
        let rig = Rig::new(&[(Https, Role::Primary), (S3, Role::Fallback)]);
        rig.say(Https, behaviour);
        let left = rig
            .flush(vec![batch(1, 10)], Phase::PostRuntime, ms(500))
            .await;
        assert!(left.is_empty(), "{name}: something was left");
        rig.assert_delivered(&[(S3, 10)]);
        assert_eq!(rig.calls(Https), calls, "{name}: attempts at the primary");
        assert_eq!(rig.breaker(Https), state, "{name}: the primary's breaker");
        let diverted = rig.last_diverted(S3).unwrap();
        assert_eq!(
            (diverted.sink, diverted.cause.reason),
            (Https, reason),
            "{name}"
        );
    }
}

/// A dead letter may come of these statuses and of no other: they alone can be about a record.
#[test]
fn only_three_statuses_can_make_a_dead_letter() {
    let verdict = |code: u16, role| Answer::status(code).verdict(role);
    let can = |code: &u16| {
        let verdict = verdict(*code, Role::Primary);
        matches!(verdict, Verdict::Isolate | Verdict::Split)
    };
    let codes: Vec<u16> = (100..=999).filter(can).collect();
    assert_eq!(codes, [400, 413, 422]);
    for code in [400, 422] {
        assert_eq!(verdict(code, Role::Fallback), Verdict::Stop, "{code}");
    }
}

#[test]
fn no_answer_is_always_retried_and_only_an_unsent_request_is_unambiguous() {
    use Failure::{Dns, NotSent, Other, Refused, Reset, Thawed, TimedOut, Tls, Unproven};
    let no_credentials = Failure::NoCredentials(NoCredentials::new("none is set"));
    for (failure, ambiguous) in [
        (Refused, false),
        (Dns, false),
        (Tls, false),
        (NotSent, false),
        (Reset, true),
        (TimedOut, true),
        (Thawed, true),
        (Unproven, true),
        (no_credentials, false),
        (Other, true),
    ] {
        assert_eq!(
            Answer::None(failure).verdict(Role::Primary),
            Verdict::Retry { after: None }
        );
        assert_eq!(failure.is_ambiguous(true), ambiguous, "{failure:?}");
        // A sink that was not reached has nothing, for as long as it was tried.
        let is_silence = matches!(failure, Failure::TimedOut | Failure::Thawed);
        let beforehand = ambiguous && !is_silence;
        assert_eq!(failure.is_ambiguous(false), beforehand, "{failure:?}");
    }
}

#[test]
fn retry_after_is_kept_for_throttling_and_server_errors() {
    let after = Some(Duration::from_secs(7));
    for code in [429, 503] {
        let answer = Answer::Status {
            code,
            retry_after: after,
            detail: None,
        };
        assert_eq!(answer.verdict(Role::Primary), Verdict::Retry { after });
    }
}

#[test]
fn parts_that_were_all_taken_are_a_delivery_and_others_go_their_own_way() {
    use PartAnswer::{Refused, Retry, Taken, Unheard};
    for (parts, verdict, reason) in [
        (vec![], Verdict::Delivered, None),
        (vec![Taken, Taken], Verdict::Delivered, None),
        (vec![Taken, Retry], Verdict::Parts, Some("partial")),
        (vec![Unheard, Refused], Verdict::Parts, Some("partial")),
        (vec![Taken, Refused], Verdict::Parts, Some("rejected")),
    ] {
        let answer = Answer::Parts {
            parts,
            code: 503,
            detail: None,
        };
        assert_eq!(answer.verdict(Role::Fallback), verdict);
        if let Some(reason) = reason {
            assert_eq!(answer.cause().reason, reason);
        }
    }
}
