use backstop_config::SampleKeep;
use proptest::prelude::*;

use super::*;

const NONE: SampleSettings = SampleSettings {
    millionths: 0,
    keep: SampleKeep {
        error: true,
        timeout: true,
        cold: false,
        slow: Some(Duration::from_secs(1)),
    },
};

fn platform(kind: &str, id: &str, second: u32, more: &str) -> String {
    format!(
        r#""time":"2026-01-01T00:00:{second:02}.000Z","type":"platform.{kind}","record":{{"requestId":"{id}"{more}}}"#
    )
}

fn line(second: u32, text: &str) -> String {
    format!(r#""time":"2026-01-01T00:00:{second:02}.500Z","type":"function","record":"{text}""#)
}

fn done(id: &str, second: u32, status: &str, took: u32) -> String {
    let more = format!(r#","status":"{status}","metrics":{{"durationMs":{took}.5}}"#);
    platform("runtimeDone", id, second, &more)
}

/// An invocation with a line, and whether it was kept.
fn invoked(sampler: &mut Sampler, id: &str, second: u32, text: &str, end: &str) -> bool {
    let start = sampler.place(platform("start", id, second, "").as_bytes());
    let Place::Hold(handle) = start else {
        panic!("{start:?}");
    };
    assert_eq!(sampler.place(line(second, text).as_bytes()), start);
    assert_eq!(
        sampler.place(end.as_bytes()),
        start,
        "the end is part of it"
    );
    let decisions = sampler.take_decisions();
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].handle, handle);
    decisions[0].keep
}

#[test]
fn what_is_worth_it_is_kept_and_the_rest_dropped() {
    for (text, status, took, expected) in [
        ("hello", "success", 10, false),
        ("hello", "failure", 10, true),
        ("hello", "error", 10, true),
        ("hello", "timeout", 10, true),
        ("hello", "success", 1001, true),
        ("[ERROR] hello", "success", 10, true),
        ("[WARN] hello", "success", 10, false),
    ] {
        let mut sampler = Sampler::new(NONE);
        let end = done("a", 3, status, took);
        let kept = invoked(&mut sampler, "a", 2, text, &end);
        assert_eq!(kept, expected, "{text} {status} {took}");
    }
    let mut sampler = Sampler::new(NONE);
    let report = platform("report", "a", 3, r#","status":"failure""#);
    assert!(
        invoked(&mut sampler, "a", 2, "x", &report),
        "the report alone"
    );
}

#[test]
fn what_comes_later_follows_the_decision_unless_it_tells_of_a_failure() {
    let mut sampler = Sampler::new(NONE);
    assert!(!invoked(
        &mut sampler,
        "a",
        2,
        "x",
        &done("a", 3, "success", 1)
    ));
    let mut place = |fragment: &str| sampler.place(fragment.as_bytes());
    assert_eq!(place(&line(3, "late")), Place::Drop);
    assert_eq!(place(&line(3, "[ERROR] late")), Place::Keep);
    assert_eq!(place(&line(3, "  at its.stack")), Place::Keep);
    assert_eq!(
        place(&platform("report", "a", 4, r#","status":"success""#)),
        Place::Keep,
        "by then an error"
    );
    assert_eq!(place(&line(1, "before")), Place::Keep, "of no invocation");
    assert_eq!(
        place(&platform("report", "b", 4, "")),
        Place::Keep,
        "not known"
    );
    assert_eq!(place(&platform("initStart", "", 1, "")), Place::Keep);
    assert_eq!(
        place(r#""time":"2026-01-01T00:00:09.000Z","type":"otlp.metrics","record":1"#),
        Place::Keep
    );
}

#[test]
fn a_trace_that_is_sampled_and_a_first_invocation_are_kept_at_once() {
    let traced = |value: &str| format!(r#","tracing":{{"value":"{value}"}}"#);
    for (header, expected) in [
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            true,
        ),
        ("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0", false),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            true,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02",
            false,
        ),
        ("", false),
    ] {
        let mut sampler = Sampler::new(NONE);
        let start = sampler.place(platform("start", "a", 1, &traced(header)).as_bytes());
        assert_eq!(start == Place::Keep, expected, "{header}");
    }
    let mut settings = NONE;
    settings.keep.cold = true;
    let mut sampler = Sampler::new(settings);
    assert_eq!(
        sampler.place(platform("start", "a", 1, "").as_bytes()),
        Place::Keep
    );
    assert!(matches!(
        sampler.place(platform("start", "b", 2, "").as_bytes()),
        Place::Hold(_)
    ));
    sampler.finish();
    assert_eq!(
        sampler.place(platform("start", "c", 3, "").as_bytes()),
        Place::Keep,
        "another environment"
    );
}

#[test]
fn an_invocation_whose_end_is_not_reported_is_kept_and_memory_is_bounded() {
    let mut sampler = Sampler::new(NONE);
    for number in 0..100 {
        sampler.place(platform("start", &format!("id-{number}"), number % 60, "").as_bytes());
        assert!(sampler.invocations.len() <= MOST_REMEMBERED);
    }
    let kept = sampler.take_decisions();
    assert_eq!(kept.len(), 100 - MOST_OPEN);
    assert!(kept.iter().all(|decision| decision.keep));
    assert!(sampler.decide_early() && sampler.decide_early() && !sampler.decide_early());
    sampler.place(platform("start", &"x".repeat(1000), 1, "").as_bytes());
    assert!(!sampler.decide_early(), "no id of Lambda's");
}

#[test]
fn the_share_is_stable_and_of_the_right_size() {
    // Other versions and other functions of a trace must agree.
    assert!(is_in_share(
        b"1-5759e988-bd862e3fe1be46a994272793",
        1_000_000
    ));
    let chosen = |share| {
        (0..100_000)
            .filter(|id: &u32| is_in_share(format!("1-{id:08x}").as_bytes(), share))
            .count()
    };
    assert_eq!(chosen(0), 0);
    for share in [10_000, 100_000, 500_000] {
        let expected = share as usize / 10;
        assert!(
            chosen(share).abs_diff(expected) < expected / 10,
            "{share}: {}",
            chosen(share)
        );
    }
    let first: Vec<u32> = (0..2000)
        .filter(|id| is_in_share(format!("1-{id:08x}").as_bytes(), 10_000))
        .take(3)
        .collect();
    assert_eq!(first, STABLE);
}

/// The first of the ids above that are in a share of 1 %: these must never change.
const STABLE: [u32; 3] = [9, 32, 133];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever order the platform's news comes in.
    #[test]
    fn an_invocation_that_failed_is_whole_and_every_held_one_is_decided(
        invocations in prop::collection::vec((0u32..6, 0usize..4, any::<bool>(), any::<bool>(), 0u8..4), 1..12),
        millionths in prop::sample::select(vec![0, 300_000]),
    ) {
        let mut sampler = Sampler::new(SampleSettings { millionths, ..NONE });
        let mut held: Vec<(Handle, u32)> = Vec::new();
        let mut gone: Vec<u32> = Vec::new();
        let mut failed = Vec::new();
        let mut late: Option<(u32, String)> = None;
        let settle = |sampler: &mut Sampler, held: &mut Vec<(Handle, u32)>, gone: &mut Vec<u32>| {
            for decision in sampler.take_decisions() {
                held.retain(|(handle, number)| {
                    let is_meant = *handle == decision.handle;
                    if is_meant && !decision.keep {
                        gone.push(*number);
                    }
                    !is_meant
                });
            }
        };
        for (number, (lines, error_at, fails, is_late, early)) in (0u32..).zip(invocations) {
            let id = format!("id-{number}");
            let has_error = error_at < lines as usize;
            if fails || has_error {
                failed.push(number);
            }
            let end = done(&id, number * 2 + 1, if fails { "failure" } else { "success" }, 1);
            let mut all = vec![(number, platform("start", &id, number * 2, ""))];
            all.extend(late.take());
            all.extend((0..lines).map(|index| {
                let text = if index as usize == error_at { "[ERROR] x" } else { "x" };
                (number, line(number * 2, text))
            }));
            if is_late {
                late = Some((number, end));
            } else {
                all.push((number, end));
            }
            for (number, fragment) in all {
                match sampler.place(fragment.as_bytes()) {
                    Place::Keep => {}
                    Place::Hold(handle) => held.push((handle, number)),
                    Place::Drop => gone.push(number),
                }
                settle(&mut sampler, &mut held, &mut gone);
            }
            if early == 0 {
                sampler.decide_early();
                settle(&mut sampler, &mut held, &mut gone);
            }
        }
        sampler.finish();
        settle(&mut sampler, &mut held, &mut gone);
        prop_assert!(held.is_empty());
        for number in failed {
            prop_assert!(!gone.contains(&number), "{number} is not whole");
        }
    }
}

fn posted(second: u32, severity: u32) -> String {
    let log = format!(r#"{{"severityNumber":{severity},"body":{{"stringValue":"x"}}}}"#);
    format!(
        r#""time":"2026-01-01T00:00:{second:02}.500Z","type":"otlp.logs","record":{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{log}]}}]}}]}}"#
    )
}

#[test]
fn what_the_function_posts_is_of_the_invocation_at_hand_also_before_that_is_known() {
    let mut sampler = Sampler::new(NONE);
    let start = sampler.place(platform("start", "a", 2, "").as_bytes());
    assert_eq!(sampler.place_posted(posted(9, 9).as_bytes(), b"a"), start);
    sampler.place(done("a", 3, "success", 10).as_bytes());
    assert!(!sampler.take_decisions()[0].keep);
    assert_eq!(
        sampler.place_posted(posted(2, 9).as_bytes(), b"a"),
        Place::Drop
    );
    assert_eq!(
        sampler.place_posted(posted(2, 17).as_bytes(), b"a"),
        Place::Keep
    );
    // Of the next one nothing is known yet, and its error is not forgotten.
    assert_eq!(
        sampler.place_posted(posted(1, 17).as_bytes(), b"b"),
        Place::Keep
    );
    sampler.place(platform("start", "b", 4, "").as_bytes());
    sampler.place(done("b", 5, "success", 10).as_bytes());
    assert!(sampler.take_decisions()[0].keep, "it failed");
    // The platform speaks of this one before its INVOKE is here.
    let start = sampler.place(platform("start", "c", 6, "").as_bytes());
    assert_eq!(sampler.place_posted(posted(6, 9).as_bytes(), b"b"), start);
    assert_eq!(
        sampler.place_posted(posted(6, 17).as_bytes(), b""),
        Place::Keep
    );
    sampler.place(done("c", 7, "success", 10).as_bytes());
    assert!(sampler.take_decisions()[0].keep, "it failed");
}

#[test]
fn an_error_of_the_next_invocation_keeps_nothing_of_one_that_was_dropped() {
    let mut sampler = Sampler::new(NONE);
    let end = done("a", 3, "success", 1);
    assert!(!invoked(&mut sampler, "a", 2, "x", &end));
    let error = posted(4, 17);
    assert_eq!(
        sampler.place_posted(error.as_bytes(), b"b"),
        Place::Keep,
        "its start is to come"
    );
    assert_eq!(sampler.place(line(3, "late").as_bytes()), Place::Drop);
}
