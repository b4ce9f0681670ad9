use backstop_config::ProcessEnvironment;
use backstop_delivery::EnvironmentId;
use serde_json::{Value, json};

use super::*;
use crate::metrics::{Kind, Part};

mod phases;
mod repeats;

const ALL: Derivations = Derivations {
    metrics: true,
    spans: true,
    exceptions: true,
};
const REQUEST: &str = "8286a188-ba32-4475-8077-530cd35c09a9";
const TRACING: &str = "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1";

fn deriver() -> Deriver {
    Deriver::new(ALL, "orders".to_owned(), false)
}

fn event(second: f64, kind: &str, record: &Value) -> Vec<u8> {
    format!(
        r#""time":"2026-01-01T00:00:{second:06.3}Z","type":"platform.{kind}","record":{record}"#
    )
    .into_bytes()
}

const PARENT: RecordId = RecordId {
    environment: EnvironmentId(0xab),
    sequence: 7,
};

/// The derived records as JSON, by their type.
fn of(subject: &mut Deriver, second: f64, kind: &str, record: &Value) -> Vec<(String, Value)> {
    let derived = subject.derive(&event(second, kind, record), Some(PARENT));
    let parse = |derived: Derived| {
        let text = String::from_utf8(derived.fragment.to_vec()).expect("it is text");
        let value: Value = serde_json::from_str(&format!("{{{text}}}")).expect("it is JSON");
        let kind = value["type"].as_str().expect("a type").to_owned();
        let signal = match kind.as_str() {
            METRICS => Signal::Metric,
            SPANS => Signal::Span,
            _ => Signal::Log,
        };
        assert_eq!(derived.signal, signal);
        assert_eq!(value["record"]["derivedFrom"], "00000000000000ab-7");
        (kind, value["record"].clone())
    };
    derived.into_iter().map(parse).collect()
}

fn metrics(derived: &[(String, Value)]) -> Vec<(String, f64)> {
    let all = derived.iter().filter(|(kind, _)| kind == METRICS);
    let all = all.flat_map(|(_, record)| record["metrics"].as_array().expect("metrics"));
    let shown = |metric: &Value| {
        let name = metric["name"].as_str().expect("a name");
        let unit = metric["unit"].as_str().expect("a unit");
        let kind = metric["kind"].as_str().expect("a kind");
        (
            format!("{name} {kind} {unit}"),
            metric["value"].as_f64().expect("a value"),
        )
    };
    all.map(shown).collect()
}

/// Says what is counted of the start.
fn start(subject: &mut Deriver, second: f64) -> Vec<(String, f64)> {
    let tracing =
        json!({"spanId": "54565fb41ac79632", "type": "X-Amzn-Trace-Id", "value": TRACING});
    let record = json!({"requestId": REQUEST, "version": "$LATEST", "tracing": tracing});
    metrics(&of(subject, second, "start", &record))
}

fn cold_start() -> (String, f64) {
    ("faas.coldstarts sum {coldstart}".to_owned(), 1.0)
}

#[test]
fn a_cold_invocation_has_a_span_with_its_init_and_its_phases() {
    let mut subject = deriver();
    let init = json!({"initializationType": "on-demand", "phase": "init"});
    assert_eq!(of(&mut subject, 0.0, "initStart", &init), []);
    let done = json!({"status": "success", "phase": "init"});
    assert_eq!(of(&mut subject, 0.4, "initRuntimeDone", &done), []);
    let report = json!({"status": "success", "phase": "init", "metrics": {"durationMs": 412.5}});
    let derived = of(&mut subject, 0.41, "initReport", &report);
    assert_eq!(
        metrics(&derived),
        [("faas.init_duration histogram s".to_owned(), 0.4125)]
    );
    assert_eq!(start(&mut subject, 0.5), [cold_start()]);
    let done = json!({
        "requestId": REQUEST, "status": "success",
        "metrics": {"durationMs": 250.0, "producedBytes": 17},
        "spans": [
            {"name": "responseLatency", "start": "2026-01-01T00:00:00.500Z", "durationMs": 240.0},
            {"name": "responseDuration", "start": "2026-01-01T00:00:00.740Z", "durationMs": 0.5},
            {"name": "runtimeOverhead", "start": "2026-01-01T00:00:00.741Z", "durationMs": 9.0},
            {"name": "another", "start": "2026-01-01T00:00:00.741Z", "durationMs": 9.0},
        ],
    });
    let derived = of(&mut subject, 0.75, "runtimeDone", &done);
    let expected = [
        ("faas.invocations sum {invocation}", 1.0),
        ("faas.invoke_duration histogram s", 0.25),
        ("aws.lambda.produced_bytes histogram By", 17.0),
        ("aws.lambda.response_latency histogram s", 0.24),
        ("aws.lambda.response_duration histogram s", 0.0005),
    ];
    assert_eq!(
        metrics(&derived),
        expected.map(|(name, value)| (name.to_owned(), value))
    );
    assert_eq!(derived[0].1["start"], "2026-01-01T00:00:00.500Z");
    let (kind, record) = &derived[1];
    assert_eq!(
        (kind.as_str(), derived.len()),
        (SPANS, 2),
        "and no exception"
    );
    let spans = record["spans"].as_array().expect("spans");
    let names: Vec<&str> = spans
        .iter()
        .map(|it| it["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "orders",
            "init",
            "response latency",
            "response",
            "runtime overhead"
        ]
    );
    let own = &spans[0];
    assert_eq!(own["traceId"], "62e900b2710d76f009d6e7785905449a");
    assert_eq!(
        (&own["spanId"], &own["parentSpanId"]),
        (&json!("54565fb41ac79632"), &json!("0efbd19962d95b05"))
    );
    assert_eq!((&own["kind"], &own["status"]), (&json!(2), &Value::Null));
    let lasts = |span: &Value| {
        let at = |name: &str| {
            span[name]
                .as_str()
                .expect("text")
                .parse::<u64>()
                .expect("ns")
        };
        at("endTimeUnixNano") - at("startTimeUnixNano")
    };
    assert_eq!(lasts(own), 250_000_000);
    assert_eq!(lasts(&spans[1]), 400_000_000);
    assert!(
        spans[1..]
            .iter()
            .all(|it| it["parentSpanId"] == "54565fb41ac79632")
    );
    let attributes = own["attributes"].to_string();
    assert!(
        attributes.contains(r#"{"key":"faas.coldstart","value":{"boolValue":true}}"#),
        "{attributes}"
    );
    assert!(attributes.contains(REQUEST), "{attributes}");

    // The next one is warm.
    assert_eq!(start(&mut subject, 1.0), []);
    let derived = of(&mut subject, 1.25, "runtimeDone", &done);
    let spans = derived[1].1["spans"].as_array().expect("spans");
    assert!(spans.iter().all(|span| span["name"] != "init"));
    assert!(
        spans[0]["attributes"]
            .to_string()
            .contains(r#""boolValue":false"#)
    );
}

#[test]
fn each_way_to_fail_is_counted_and_says_why() {
    for (status, error, counted, message) in [
        (
            "error",
            "Runtime.ImportModuleError",
            "faas.errors sum {error}",
            "The invocation failed after 3.00 s: Runtime.ImportModuleError",
        ),
        (
            "failure",
            "",
            "faas.errors sum {error}",
            "The invocation failed after 3.00 s: failure",
        ),
        (
            "failure",
            "Runtime.OutOfMemory",
            "faas.errors sum {error}",
            "The invocation ran out of memory after 3.00 s",
        ),
        (
            "timeout",
            "",
            "faas.timeouts sum {timeout}",
            "The invocation timed out after 3.00 s",
        ),
    ] {
        let mut subject = deriver();
        assert_eq!(start(&mut subject, 1.0), []);
        let done = json!({"requestId": REQUEST, "status": status, "errorType": error, "metrics": {"durationMs": 3000}});
        let derived = of(&mut subject, 4.0, "runtimeDone", &done);
        assert_eq!(
            metrics(&derived)[0],
            (counted.to_owned(), 1.0),
            "{status} {error}"
        );
        let (kind, exception) = derived.last().expect("an event");
        assert_eq!(kind, EXCEPTION);
        let reason = if error.is_empty() { status } else { error };
        assert_eq!(exception["message"], message);
        assert_eq!(exception["exception.type"], reason);
        assert_eq!(
            (&exception["level"], &exception["requestId"]),
            (&json!("ERROR"), &json!(REQUEST))
        );
        let span = &derived[1].1["spans"][0];
        assert_eq!(span["status"], json!({"code": 2, "message": reason}));
    }
}

#[test]
fn a_report_says_what_it_cost_and_whether_memory_ran_out() {
    let report = |status: &str, used: u32| {
        json!({"requestId": REQUEST, "status": status, "metrics": {
            "durationMs": 99.0, "billedDurationMs": 100, "memorySizeMB": 1024, "maxMemoryUsedMB": used,
        }})
    };
    let mut subject = deriver();
    let derived = of(&mut subject, 2.0, "report", &report("success", 512));
    let values = metrics(&derived);
    let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "aws.lambda.duration histogram s",
        "aws.lambda.billed_duration histogram s",
        "faas.mem_usage histogram By",
        "aws.lambda.memory_size histogram By",
        "aws.lambda.estimated_cost histogram {USD}",
    ];
    assert_eq!(names, expected);
    assert!((values[0].1 - 0.099).abs() < 1e-9);
    assert!((values[2].1 - 512.0 * MIB).abs() < 1e-6);
    let cost = REQUEST_USD + 0.1 * GB_SECOND_USD;
    assert!((values[4].1 - cost).abs() < 1e-15);
    let full = of(&mut subject, 3.0, "report", &report("error", 1024));
    let last = metrics(&full).pop();
    assert_eq!(
        last,
        Some(("aws.lambda.out_of_memory sum {error}".to_owned(), 1.0))
    );
    let enough = of(&mut subject, 4.0, "report", &report("success", 1024));
    assert_eq!(metrics(&enough).len(), 5, "all of it was enough");
}

#[test]
fn managed_instances_run_many_at_a_time_and_say_all_in_the_report() {
    let mut subject = Deriver::new(ALL, "orders".to_owned(), true);
    for (at, id) in [(1.0, "a"), (1.5, "b")] {
        assert_eq!(of(&mut subject, at, "start", &json!({"requestId": id})), []);
    }
    for (id, started) in [("a", "00:01.000Z"), ("b", "00:01.500Z")] {
        let report =
            json!({"requestId": id, "status": "success", "metrics": {"durationMs": 125.000}});
        let derived = of(&mut subject, 2.0, "report", &report);
        let first = metrics(&derived)[0].clone();
        assert_eq!(first, ("faas.invocations sum {invocation}".to_owned(), 1.0));
        assert_eq!(derived[0].1["start"], format!("2026-01-01T00:{started}"));
        assert_eq!(derived[1].0, SPANS);
    }
    for at in 0..300 {
        let record = json!({"requestId": format!("r-{at}")});
        assert_eq!(of(&mut subject, 3.0, "start", &record), []);
    }
    assert_eq!(subject.open.len(), MOST_OPEN, "of those that never end");
}

#[test]
fn a_start_that_was_not_heard_follows_from_the_duration() {
    let done = json!({"requestId": REQUEST, "status": "success", "metrics": {"durationMs": 1500}});
    let derived = of(&mut deriver(), 4.0, "runtimeDone", &done);
    assert_eq!(derived[0].1["start"], "2026-01-01T00:00:02.500Z");
    assert_eq!(derived[1].0, SPANS);
    let unknown = json!({"requestId": REQUEST, "status": "success"});
    let derived = of(&mut deriver(), 4.0, "runtimeDone", &unknown);
    let kinds: Vec<&str> = derived.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, [METRICS], "nobody knows when it began");
}

#[test]
fn a_restore_is_a_span_of_the_invocation_after_it() {
    let mut subject = deriver();
    let init = json!({"initializationType": "snap-start", "phase": "init"});
    assert_eq!(
        of(&mut subject, 0.0, "initStart", &init),
        [],
        "no cold start of an invocation"
    );
    assert_eq!(of(&mut subject, 10.0, "restoreStart", &json!({})), []);
    assert_eq!(
        of(
            &mut subject,
            10.2,
            "restoreRuntimeDone",
            &json!({"status": "success"})
        ),
        []
    );
    let report = json!({"status": "success", "metrics": {"durationMs": 210}});
    let derived = of(&mut subject, 10.3, "restoreReport", &report);
    let expected = ("aws.lambda.restore_duration histogram s".to_owned(), 0.21);
    assert_eq!(metrics(&derived), [expected]);
    assert_eq!(start(&mut subject, 10.5), []);
    let done = json!({"requestId": REQUEST, "status": "success", "metrics": {"durationMs": 100}});
    let derived = of(&mut subject, 10.6, "runtimeDone", &done);
    let spans = derived[1].1["spans"].as_array().expect("spans");
    assert_eq!((spans.len(), &spans[1]["name"]), (2, &json!("restore")));
}

#[test]
fn odd_events_cost_nothing() {
    let mut subject = deriver();
    for record in [
        json!(null),
        json!(7),
        json!({}),
        json!({"requestId": 7, "metrics": [], "spans": {}, "tracing": "x"}),
    ] {
        for kind in [
            "initStart",
            "initRuntimeDone",
            "initReport",
            "restoreStart",
            "restoreRuntimeDone",
            "restoreReport",
            "start",
            "runtimeDone",
            "report",
            "unknown",
        ] {
            of(&mut subject, 1.0, kind, &record);
        }
    }
    assert_eq!(subject.derive(b"\"no\" fragment", None), []);
}

#[test]
fn nothing_is_derived_where_nothing_is_wanted() {
    let (settings, _) = backstop_config::Settings::resolve(&ProcessEnvironment);
    let wanted = Derivations::of(settings.primary.as_ref());
    assert!(wanted.are_none(), "there is no primary here");
    let mut subject = Deriver::new(wanted, "orders".to_owned(), false);
    let done = event(
        1.0,
        "runtimeDone",
        &json!({"requestId": REQUEST, "status": "error"}),
    );
    assert_eq!(subject.derive(&done, None), []);
}

#[test]
fn counts_are_sums_and_states_are_histograms_with_their_sink_or_reason() {
    let point = |name, kind, part, value| crate::metrics::Point {
        name,
        kind,
        part,
        value,
    };
    let derived = of_counts(
        "2026-01-01T00:00:00.000Z",
        &[
            point("received", Kind::Count, Part::Whole, 3),
            point("dropped", Kind::Count, Part::Reason("shutdown"), 1),
            point("added_milliseconds", Kind::Milliseconds, Part::Whole, 7),
            point("breaker_open", Kind::Level, Part::Sink("https"), 1),
        ],
    );
    assert_eq!(derived.signal, Signal::Metric);
    let text = String::from_utf8(derived.fragment.to_vec()).expect("it is text");
    let record: Value = serde_json::from_str(&format!("{{{text}}}")).expect("it is JSON");
    assert_eq!(
        record,
        json!({"time": "2026-01-01T00:00:00.000Z", "type": METRICS, "record": {"metrics": [
            {"name": "backstop.received", "kind": "sum", "unit": "{record}", "value": 3},
            {"name": "backstop.dropped", "kind": "sum", "unit": "{record}", "value": 1,
             "attributes": {"reason": "shutdown"}},
            {"name": "backstop.added_milliseconds", "kind": "sum", "unit": "ms", "value": 7},
            {"name": "backstop.breaker_open", "kind": "histogram", "unit": "1", "value": 1,
             "attributes": {"sink": "https"}},
        ]}})
    );
}
