//! Events that Lambda sends again.

use super::*;

/// An init that fails, a restore that fails, and an invocation that fails.
fn events() -> Vec<(f64, &'static str, Value)> {
    let failed = |request: &str| {
        json!({
            "requestId": request, "status": "timeout",
            "metrics": {"durationMs": 250, "memorySizeMB": 128, "maxMemoryUsedMB": 128},
        })
    };
    let init = json!({"initializationType": "on-demand", "phase": "init", "status": "error"});
    vec![
        (0.0, "initStart", init.clone()),
        (0.2, "initRuntimeDone", init.clone()),
        (0.3, "initReport", init),
        (0.4, "start", json!({"requestId": "r-1"})),
        (0.5, "restoreStart", json!({})),
        (0.6, "restoreRuntimeDone", json!({"status": "failure"})),
        (0.7, "restoreReport", failed("")),
        (0.8, "runtimeDone", failed("r-1")),
        (0.9, "report", failed("r-1")),
    ]
}

#[test]
fn nothing_is_derived_twice_of_an_event() {
    for is_managed in [false, true] {
        let new = || Deriver::new(ALL, "orders".to_owned(), is_managed);
        let (mut once, mut twice, mut late) = (new(), new(), new());
        for (second, kind, record) in events() {
            let first = of(&mut once, second, kind, &record);
            assert_eq!(of(&mut twice, second, kind, &record), first);
            assert_eq!(of(&mut twice, second, kind, &record), [], "{kind}");
            assert_eq!(of(&mut late, second, kind, &record), first);
        }
        // The whole batch comes again.
        for (second, kind, record) in events() {
            assert_eq!(of(&mut late, second, kind, &record), [], "{kind}");
        }
        let next = json!({"requestId": "r-2"});
        let expected = of(&mut once, 2.0, "start", &next);
        assert_eq!(of(&mut late, 2.0, "start", &next), expected);
        assert_eq!((late.open.len(), once.open.len()), (1, 1));
    }
}

#[test]
fn a_retry_of_an_invocation_is_no_repetition() {
    let mut subject = deriver();
    let done = json!({"requestId": REQUEST, "status": "error", "errorType": "E"});
    for second in [1.0, 2.0] {
        assert_eq!(start(&mut subject, second), []);
        let derived = of(&mut subject, second + 0.5, "runtimeDone", &done);
        assert_eq!(derived.len(), 3, "Lambda retries under the same request id");
    }
}

#[test]
fn a_batch_of_many_invocations_is_known_when_it_comes_again() {
    let mut subject = deriver();
    for batch in 0..50 {
        for derived in [1, 0] {
            for at in 0..40 {
                let record = json!({"requestId": format!("r-{batch}-{at}"), "status": "success"});
                let all = of(&mut subject, 1.0, "runtimeDone", &record);
                assert_eq!(all.len(), derived, "{batch} {at}");
            }
        }
    }
}
