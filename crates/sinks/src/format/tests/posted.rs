//! What the function posted by OTLP: in each format, live and out of the archive.

use backstop_delivery::Unfit;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::{Value, json};

use super::*;
use crate::otlp::{Encoding, receive};

const TRACE: &str = "62e900b2710d76f009d6e7785905449a";

fn fragments(signal: Signal, request: &Value) -> Vec<String> {
    let body = request.to_string();
    let received = receive(signal, Encoding::Json, body.as_bytes(), 1 << 20, now()).unwrap();
    let text = |it: &Bytes| String::from_utf8(it.to_vec()).unwrap();
    received.fragments.iter().map(text).collect()
}

fn resource(name: &str) -> Value {
    json!({"attributes": [
        {"key": "service.name", "value": {"stringValue": name}},
        {"key": "sdk", "value": {"stringValue": "x"}},
    ]})
}

fn log(body: &str) -> Value {
    json!({
        "timeUnixNano": "1767225600123000000", "severityNumber": 17, "severityText": "Error",
        "traceId": TRACE, "spanId": "0efbd19962d95b05", "body": {"stringValue": body},
        "attributes": [
            {"key": "n", "value": {"intValue": "7"}},
            {"key": "level", "value": {"stringValue": "taken"}},
            {"key": "deep", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": true}}]}}},
        ],
    })
}

fn logs() -> Vec<String> {
    let scope = |name: &str, logs: Value| json!({"scope": {"name": name}, "logRecords": logs});
    fragments(
        Signal::Log,
        &json!({"resourceLogs": [
            {"resource": resource("shop"), "scopeLogs": [
                scope("one", json!([log("boom"), log("bang")])), scope("two", json!([log("last")])),
            ]},
            {"resource": resource("unknown_service"), "scopeLogs": [scope("one", json!([{}]))]},
        ]}),
    )
}

/// The same bodies of live records and of the lines of the archive.
fn bodies(format: &dyn Format, fragments: &[String]) -> Vec<u8> {
    let (live, written) = body(format, &items(fragments), Compression::None);
    assert_eq!(written.covers, fragments.len());
    assert_eq!(written.unfit, []);
    let lines = archived(fragments);
    let from_archive: Vec<Item<'_>> = lines.iter().map(|line| Item::archived(line)).collect();
    let (replayed, _) = body(format, &from_archive, Compression::None);
    assert!(live == replayed, "{}", String::from_utf8_lossy(&replayed));
    live
}

#[test]
fn each_format_has_the_text_the_severity_the_trace_and_the_attributes_of_a_log() {
    for (name, is_json, format) in formats() {
        if name == Name::Otlp {
            continue;
        }
        let body = bodies(&*format, &logs());
        let text = String::from_utf8_lossy(&body).to_lowercase();
        for sign in [
            "boom",
            "bang",
            "last",
            "error",
            TRACE,
            "shop",
            "otlp.logs",
            "taken",
        ] {
            assert!(text.contains(sign), "{name:?} {is_json}: {sign} in {text}");
        }
    }
    let elastic = logs_of(&primary(Name::Elastic, FormatOptions::default()));
    let body = bodies(&*elastic, &logs());
    let document: Value =
        serde_json::from_slice(body.split(|it| *it == b'\n').nth(1).unwrap()).unwrap();
    assert_eq!(document["message"], "boom");
    assert_eq!(document["log"]["level"], "error");
    assert_eq!(document["trace"]["id"], TRACE);
    assert_eq!(document["fields"]["n"], 7, "{document}");
    assert_eq!(document["fields"]["deep"]["k"], true, "{document}");
    assert_eq!(
        document["fields"]["attributes.level"], "taken",
        "{document}"
    );
    assert_eq!(document["fields"]["otel.scope.name"], "one", "{document}");
}

#[test]
fn otlp_has_logs_as_they_came_by_their_resource_and_scope_beside_those_of_lambda() {
    for is_json in [false, true] {
        let options = if is_json {
            json()
        } else {
            FormatOptions::default()
        };
        let format = logs_of(&primary(Name::Otlp, options));
        let mut all = logs();
        all.insert(2, event("function", "\"a line\""));
        let body = bodies(&*format, &all);
        let request: ExportLogsServiceRequest = if is_json {
            serde_json::from_slice(&body).unwrap()
        } else {
            ExportLogsServiceRequest::decode(&body[..]).unwrap()
        };
        let mut seen = Vec::new();
        for group in &request.resource_logs {
            let resource = pairs(&group.resource.as_ref().unwrap().attributes);
            assert!(resource.iter().any(|(name, _)| name == "faas.instance"));
            let service = resource
                .iter()
                .find(|(name, _)| name == "service.name")
                .unwrap();
            for scope in &group.scope_logs {
                let name = &scope.scope.as_ref().unwrap().name;
                let records = scope.log_records.len();
                seen.push((service.1.clone(), name.clone(), records));
                for record in &scope.log_records {
                    let attributes = pairs(&record.attributes);
                    assert!(attributes.iter().any(|(name, _)| name == "log.record.uid"));
                }
            }
        }
        let seen: Vec<(&str, &str, usize)> =
            seen.iter().map(|(a, b, c)| (&**a, &**b, *c)).collect();
        let expected = [
            ("shop", "one", 2),
            ("orders", "backstop", 1),
            ("shop", "two", 1),
            // Nobody named it.
            ("orders", "one", 1),
        ];
        assert_eq!(seen, expected, "{is_json}");
        let first = &request.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!(
            (first.severity_number, &*first.severity_text),
            (17, "Error")
        );
        assert_eq!(first.time_unix_nano, 1_767_225_600_123_000_000);
    }
}

fn pairs(list: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> Vec<(String, String)> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    let text = |value: &Any| match value {
        Any::StringValue(text) => text.clone(),
        other => format!("{other:?}"),
    };
    let value = |pair: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        pair.value
            .as_ref()
            .and_then(|it| it.value.as_ref())
            .map(text)
            .unwrap_or_default()
    };
    list.iter()
        .map(|pair| (pair.key.clone(), value(pair)))
        .collect()
}

fn otlp(signal: Signal, is_json: bool) -> Box<dyn Format> {
    let options = if is_json {
        json()
    } else {
        FormatOptions::default()
    };
    let primary = primary(Name::Otlp, options);
    let url = "https://intake.example.com/v1/x".to_owned();
    let format = Name::Otlp;
    of(&primary, &backstop_config::Endpoint { url, format }, signal)
}

#[test]
fn spans_and_metrics_are_sent_beside_derived_ones() {
    let spans = fragments(
        Signal::Span,
        &json!({"resourceSpans": [{"resource": resource("shop"), "scopeSpans": [{"spans": [
            {"traceId": TRACE, "spanId": "0efbd19962d95b05", "name": "a", "endTimeUnixNano": "5"},
            {"traceId": TRACE, "spanId": "0efbd19962d95b06", "name": "b", "kind": 2},
        ]}]}]}),
    );
    let metrics = fragments(
        Signal::Metric,
        &json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "orders", "sum": {"dataPoints": [{"asInt": "3", "timeUnixNano": "5"}], "aggregationTemporality": 2}},
            {"name": "time", "histogram": {"dataPoints": [{"count": "2", "bucketCounts": ["1", "1"], "explicitBounds": [0.5]}]}},
        ]}]}]}),
    );
    let derived = event(
        "derived.metrics",
        r#"{"metrics":[{"name":"faas.invocations","kind":"sum","unit":"1","value":1,"attributes":{}}]}"#,
    );
    for is_json in [false, true] {
        let body = bodies(&*otlp(Signal::Span, is_json), &spans);
        let request: ExportTraceServiceRequest = if is_json {
            serde_json::from_slice(&body).unwrap()
        } else {
            ExportTraceServiceRequest::decode(&body[..]).unwrap()
        };
        assert_eq!(
            request.resource_spans.len(),
            1,
            "they share resource and scope"
        );
        let names = request.resource_spans[0].scope_spans[0].spans.iter();
        assert_eq!(
            names.map(|span| &*span.name).collect::<Vec<_>>(),
            ["a", "b"]
        );

        let mut all = metrics.clone();
        all.insert(1, derived.clone());
        let body = bodies(&*otlp(Signal::Metric, is_json), &all);
        if is_json {
            let request: Value = serde_json::from_slice(&body).unwrap();
            let point = &request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"]
                [0];
            assert_eq!(point["asInt"], "3");
            continue;
        }
        let request = ExportMetricsServiceRequest::decode(&body[..]).unwrap();
        let groups = request.resource_metrics.iter();
        let names = groups
            .flat_map(|it| &it.scope_metrics[0].metrics)
            .map(|it| &*it.name);
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["orders", "time", "faas.invocations"]
        );
    }
}

#[test]
fn a_forged_record_is_a_dead_letter_and_an_item_too_large_as_well() {
    let forged = event(
        "otlp.traces",
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{},{}]}]}]}"#,
    );
    let large = fragments(
        Signal::Span,
        &json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "x".repeat(900_000)}]}]}]}),
    );
    let small = fragments(
        Signal::Span,
        &json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "s"}]}]}]}),
    );
    let all = [forged, large[0].clone(), small[0].clone()];
    let primary = primary(Name::NewRelic, FormatOptions::default());
    let endpoint = backstop_config::Endpoint {
        url: "https://otlp.nr-data.net/v1/traces".to_owned(),
        format: Name::Otlp,
    };
    let format = of(&primary, &endpoint, Signal::Span);
    let (body, written) = body(&*format, &items(&all), Compression::None);
    let expected = [(0, Unfit::NoIntake), (1, Unfit::TooLarge)];
    assert_eq!((written.covers, &written.unfit[..]), (3, &expected[..]));
    let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
    assert_eq!(request.resource_spans.len(), 1);
}

#[test]
fn an_invocation_is_named_where_the_function_did_not() {
    let line = logs().swap_remove(0);
    let member = format!(r#","request_id":"{REQUEST}""#);
    let id = RecordId {
        environment: EnvironmentId(0xab),
        sequence: 1,
    };
    let item = Item::live(
        id,
        [line.as_bytes(), member.as_bytes()],
        Bytes::from_static(RESOURCE.as_bytes()),
    );
    let format = logs_of(&primary(Name::Otlp, FormatOptions::default()));
    let (body, _) = body(&*format, &[item], Compression::None);
    let request = ExportLogsServiceRequest::decode(&body[..]).unwrap();
    let attributes = pairs(&request.resource_logs[0].scope_logs[0].log_records[0].attributes);
    assert!(attributes.contains(&("faas.invocation_id".to_owned(), REQUEST.to_owned())));
}
