//! Inits and restores: which invocation waits for them, and what is said of those for which none does.

use super::*;

/// The spans that an invocation ends with, each with its parent and the second of the minute it begins at.
fn spans(subject: &mut Deriver, second: f64, request: &str) -> (String, Vec<(String, f64)>) {
    let done = json!({"requestId": request, "status": "success"});
    let derived = of(subject, second, "runtimeDone", &done);
    let (_, record) = derived
        .iter()
        .find(|(kind, _)| kind == SPANS)
        .expect("spans");
    let all = record["spans"].as_array().expect("spans");
    let mut ids: Vec<&str> = all.iter().filter_map(|it| it["spanId"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "each has an id of its own");
    let begins = |span: &Value| {
        let begins = span["startTimeUnixNano"].as_str().expect("text");
        let since = begins.parse::<u64>().expect("ns") - 1_767_225_600_000_000_000;
        #[expect(clippy::cast_precision_loss, reason = "it is within a minute")]
        let seconds = since as f64 / 1e9;
        seconds
    };
    for child in &all[1..] {
        assert_eq!(child["parentSpanId"], all[0]["spanId"]);
    }
    let named = |span: &Value| {
        (
            span["name"].as_str().expect("a name").to_owned(),
            begins(span),
        )
    };
    let coldness = all[0]["attributes"][0]["value"].to_string();
    (coldness, all[1..].iter().map(named).collect())
}

fn begin(subject: &mut Deriver, second: f64, request: &str) -> Vec<(String, f64)> {
    let derived = of(subject, second, "start", &json!({"requestId": request}));
    metrics(&derived)
}

fn init(subject: &mut Deriver, (from, to): (f64, f64), record: &Value) -> Vec<(String, f64)> {
    let mut counted = metrics(&of(subject, from, "initStart", record));
    counted.extend(metrics(&of(subject, to, "initRuntimeDone", record)));
    counted
}

const COLD: &str = r#"{"boolValue":true}"#;
const WARM: &str = r#"{"boolValue":false}"#;

#[test]
fn an_init_within_an_invocation_is_its_own_and_not_the_next_ones() {
    let again = json!({"initializationType": "on-demand", "phase": "invoke"});
    let mut subject = deriver();
    assert_eq!(begin(&mut subject, 1.0, "r-1"), []);
    assert_eq!(init(&mut subject, (1.1, 3.0), &again), [cold_start()]);
    let (coldness, children) = spans(&mut subject, 4.0, "r-1");
    assert_eq!(
        (&*coldness, children),
        (COLD, vec![("init".to_owned(), 1.1)])
    );
    assert_eq!(begin(&mut subject, 29.0, "r-2"), []);
    let (coldness, children) = spans(&mut subject, 30.0, "r-2");
    assert_eq!((&*coldness, children), (WARM, Vec::new()));
}

#[test]
fn an_init_that_failed_and_its_repetition_are_one_cold_start() {
    let first = json!({"initializationType": "on-demand", "phase": "init", "status": "error"});
    let again = json!({"initializationType": "on-demand", "phase": "invoke", "status": "success"});
    let mut subject = deriver();
    assert_eq!(init(&mut subject, (0.0, 0.5), &first), []);
    assert_eq!(begin(&mut subject, 1.0, "r-1"), [cold_start()]);
    for at in 0..4 {
        let at = f64::from(at) / 10.0;
        assert_eq!(init(&mut subject, (1.1 + at, 1.15 + at), &again), []);
    }
    let (coldness, children) = spans(&mut subject, 4.0, "r-1");
    let expected = [("init".to_owned(), 0.0), ("init".to_owned(), 1.4)];
    assert_eq!((&*coldness, &*children), (COLD, &expected[..]));
    assert_eq!(begin(&mut subject, 29.0, "r-2"), []);
    assert_eq!(spans(&mut subject, 30.0, "r-2").0, WARM);
}

#[test]
fn an_init_that_no_invocation_waits_for_is_no_cold_start_and_no_span() {
    for (kind, phase, is_managed) in [
        ("provisioned-concurrency", "init", false),
        ("snap-start", "init", false),
        ("on-demand", "snap-start", false),
        ("lambda-managed-instances", "init", true),
        ("on-demand", "init", true),
        ("", "", false),
    ] {
        let mut subject = Deriver::new(ALL, "orders".to_owned(), is_managed);
        let record = json!({"initializationType": kind, "phase": phase});
        assert_eq!(init(&mut subject, (0.0, 1.0), &record), [], "{kind}");
        assert_eq!(begin(&mut subject, 50.0, "r-1"), [], "{kind}");
        if is_managed {
            let report = json!({"requestId": "r-1", "status": "success"});
            let derived = of(&mut subject, 51.0, "report", &report);
            let spans = derived[1].1["spans"].as_array().expect("spans");
            let coldness = spans[0]["attributes"][0]["value"].to_string();
            assert_eq!((&*coldness, spans.len()), (WARM, 1), "{kind}");
        } else {
            let (coldness, children) = spans(&mut subject, 51.0, "r-1");
            assert_eq!((&*coldness, children), (WARM, Vec::new()), "{kind}");
        }
    }
}

#[test]
fn an_invocation_whose_start_was_lost_keeps_its_cold_start() {
    let record = json!({"initializationType": "on-demand", "phase": "init"});
    let mut subject = deriver();
    assert_eq!(init(&mut subject, (0.0, 1.0), &record), []);
    let done = json!({"requestId": "r-1", "status": "success", "metrics": {"durationMs": 500}});
    let derived = of(&mut subject, 2.0, "runtimeDone", &done);
    assert_eq!(metrics(&derived)[0], cold_start());
    let spans = derived[1].1["spans"].as_array().expect("spans");
    assert_eq!(spans[1]["name"], "init");
    assert_eq!(begin(&mut subject, 3.0, "r-2"), [], "it is warm");
}

#[test]
fn a_restore_that_fails_is_counted_and_says_why() {
    for (status, counted, message) in [
        (
            "error",
            "faas.errors sum {error}",
            "The restore failed after 0.21 s: Runtime.ExitError",
        ),
        (
            "timeout",
            "faas.timeouts sum {timeout}",
            "The restore timed out after 0.21 s",
        ),
    ] {
        let record = json!({
            "status": status, "errorType": "Runtime.ExitError", "metrics": {"durationMs": 210},
        });
        let mut subject = deriver();
        assert_eq!(of(&mut subject, 1.0, "restoreRuntimeDone", &record), []);
        let derived = of(&mut subject, 1.0, "restoreReport", &record);
        assert_eq!(metrics(&derived)[1], (counted.to_owned(), 1.0));
        let (kind, exception) = derived.last().expect("an event");
        assert_eq!((kind.as_str(), derived.len()), (EXCEPTION, 2));
        assert_eq!(exception["message"], message);
        assert_eq!(exception["exception.type"], "Runtime.ExitError");
    }
}
