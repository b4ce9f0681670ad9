//! Metrics and spans: what other people's decoders make of them, in both encodings.

use std::fmt::Write as _;

use backstop_delivery::Unfit;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use super::*;

const TIME: u64 = 1_767_225_600_123_000_000;

fn otlp(is_json: bool, signal: Signal) -> Box<dyn Format> {
    let options = if is_json {
        json()
    } else {
        FormatOptions::default()
    };
    let primary = primary(Name::Otlp, options);
    let endpoint = backstop_config::Endpoint {
        url: "https://intake.example.com/v1/x".to_owned(),
        format: Name::Otlp,
    };
    of(&primary, &endpoint, signal)
}

pub(super) fn metrics_of(is_json: bool, fragments: &[String]) -> (Vec<Metric>, Written) {
    let format = otlp(is_json, Signal::Metric);
    let (body, written) = body(&*format, &items(fragments), Compression::None);
    let request: ExportMetricsServiceRequest = if is_json {
        serde_json::from_slice(&body).expect("it is OTLP/JSON")
    } else {
        ExportMetricsServiceRequest::decode(&body[..]).expect("it is OTLP")
    };
    let mut metrics = Vec::new();
    for group in request.resource_metrics {
        let resource = group.resource.expect("a resource").attributes;
        assert!(text(&resource, "faas.instance").is_some(), "on every point");
        for scope in group.scope_metrics {
            metrics.extend(scope.metrics);
        }
    }
    (metrics, written)
}

pub(super) fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let pair = attributes.iter().find(|pair| pair.key == name)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

pub(super) fn sums(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().expect("data") {
        Data::Sum(sum) => {
            assert!(
                sum.is_monotonic && sum.aggregation_temporality == 1,
                "delta"
            );
            &sum.data_points
        }
        other => panic!("no sum: {other:?}"),
    }
}

pub(super) fn histograms(metric: &Metric) -> &[HistogramDataPoint] {
    match metric.data.as_ref().expect("data") {
        Data::Histogram(histogram) => {
            assert_eq!(histogram.aggregation_temporality, 1, "delta");
            &histogram.data_points
        }
        other => panic!("no histogram: {other:?}"),
    }
}

pub(super) fn number(point: &NumberDataPoint) -> f64 {
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
    match point.value.expect("a value") {
        Value::AsDouble(value) => value,
        Value::AsInt(value) => panic!("{value} is not written"),
    }
}

fn derived(metrics: &str) -> String {
    event(
        "derived.metrics",
        &format!(r#"{{"start":"2026-01-01T00:00:00.000Z","metrics":[{metrics}]}}"#),
    )
}

#[test]
fn observations_add_up_to_one_point_for_each_metric_and_set_of_attributes() {
    let count = |error: &str| {
        format!(
            r#"{{"name":"faas.errors","kind":"sum","unit":"{{error}}","value":1,"attributes":{{"error.type":"{error}"}}}}"#
        )
    };
    let lasts = |seconds: &str| {
        format!(
            r#"{{"name":"faas.invoke_duration","kind":"histogram","unit":"s","value":{seconds}}}"#
        )
    };
    let fragments = [
        derived(&format!("{},{}", count("A"), lasts("0.02"))),
        derived(&format!("{},{}", count("B"), lasts("0.3"))),
        derived(&format!("{},{}", count("A"), lasts("70"))),
    ];
    for is_json in [false, true] {
        let (metrics, written) = metrics_of(is_json, &fragments);
        assert_eq!(
            written,
            Written {
                covers: 3,
                unfit: Vec::new()
            }
        );
        let names: Vec<(&str, &str)> = (metrics.iter())
            .map(|metric| (metric.name.as_str(), metric.unit.as_str()))
            .collect();
        assert_eq!(
            names,
            [("faas.errors", "{error}"), ("faas.invoke_duration", "s")]
        );
        let errors: Vec<_> = (sums(&metrics[0]).iter())
            .map(|point| (text(&point.attributes, "error.type"), number(point)))
            .collect();
        let expected = [(Some("A".to_owned()), 2.0), (Some("B".to_owned()), 1.0)];
        assert_eq!(errors, expected);
        let [point] = histograms(&metrics[1]) else {
            panic!("one point: {metrics:?}");
        };
        assert_eq!(
            (point.count, point.min, point.max),
            (3, Some(0.02), Some(70.0))
        );
        assert!((point.sum.expect("a sum") - 70.32).abs() < 1e-9);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3);
        assert_eq!(point.bucket_counts[2], 1, "0.01 < 0.02 <= 0.025");
        assert_eq!(
            point.bucket_counts.last(),
            Some(&1),
            "beyond the last bound"
        );
        let times = (point.start_time_unix_nano, point.time_unix_nano);
        assert_eq!(times, (TIME - 123_000_000, TIME));
    }
}

#[test]
fn what_is_far_apart_in_time_is_not_added_up() {
    let metric = r#"{"name":"n","kind":"sum","unit":"1","value":1}"#;
    let at = |minute: u32| {
        derived(metric).replace("T00:00:00.123Z", &format!("T00:{minute:02}:00.123Z"))
    };
    let (metrics, _) = metrics_of(false, &[at(0), at(1), at(1)]);
    let values: Vec<f64> = sums(&metrics[0]).iter().map(number).collect();
    assert_eq!(values, [1.0, 2.0]);
}

const SPAN: &str = r#"{"traceId":"62e900b2710d76f009d6e7785905449a","spanId":"54565fb41ac79632","parentSpanId":"0efbd19962d95b05","name":"orders","kind":2,"startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225600123000000","attributes":[{"key":"faas.coldstart","value":{"boolValue":true}},{"key":"error.type","value":{"stringValue":"Runtime.ExitError"}},{"key":"n","value":{"intValue":"7"}}],"status":{"code":2,"message":"Runtime.ExitError"}}"#;

fn spans_of(is_json: bool, fragments: &[String]) -> Vec<Span> {
    let format = otlp(is_json, Signal::Span);
    let (body, _) = body(&*format, &items(fragments), Compression::None);
    let request: ExportTraceServiceRequest = if is_json {
        serde_json::from_slice(&body).expect("it is OTLP/JSON")
    } else {
        ExportTraceServiceRequest::decode(&body[..]).expect("it is OTLP")
    };
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|it| it.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

#[test]
fn spans_are_whole_in_both_encodings_and_one_without_ids_spoils_no_request() {
    let bad = SPAN.replace("54565fb41ac79632", "5456");
    let fragments = [
        event("derived.spans", &format!(r#"{{"spans":[{SPAN},{bad}]}}"#)),
        event("derived.spans", r#"{"spans":7}"#),
    ];
    let [in_protobuf, in_json] = [false, true].map(|it| spans_of(it, &fragments));
    assert_eq!(in_protobuf, in_json);
    let [span] = &in_protobuf[..] else {
        panic!("one span: {in_protobuf:?}");
    };
    assert_eq!(span.trace_id.len(), 16);
    assert_eq!(
        span.span_id,
        [0x54, 0x56, 0x5f, 0xb4, 0x1a, 0xc7, 0x96, 0x32]
    );
    assert_eq!(span.parent_span_id.len(), 8);
    assert_eq!((span.name.as_str(), span.kind), ("orders", 2));
    assert_eq!(
        span.end_time_unix_nano - span.start_time_unix_nano,
        123_000_000
    );
    assert_eq!(span.attributes.len(), 3);
    let status = span.status.as_ref().expect("a status");
    assert_eq!(
        (status.code, status.message.as_str()),
        (2, "Runtime.ExitError")
    );
}

#[test]
fn the_resource_has_the_arn_of_the_version_and_the_id_that_new_relic_looks_for() {
    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
    let of_resource = |is_json: bool, (known, said): (&str, &str)| {
        let resource = RESOURCE.replace(known, said);
        let id = RecordId {
            environment: EnvironmentId(0xab),
            sequence: 1,
        };
        let fragment = event("derived.spans", &format!(r#"{{"spans":[{SPAN}]}}"#));
        let item = Item::live(id, [fragment.as_bytes(), b""], resource.into());
        let (body, _) = body(&*otlp(is_json, Signal::Span), &[item], Compression::None);
        let request: ExportTraceServiceRequest = if is_json {
            serde_json::from_slice(&body).expect("it is OTLP/JSON")
        } else {
            ExportTraceServiceRequest::decode(&body[..]).expect("it is OTLP")
        };
        let resource = request.resource_spans[0].resource.as_ref();
        let attributes = &resource.expect("a resource").attributes;
        let mut names: Vec<&str> = attributes.iter().map(|pair| pair.key.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), attributes.len(), "{names:?}");
        ["cloud.resource_id", "faas.id"].map(|name| text(attributes, name))
    };
    let own = |name: &str| format!(r#""{name}":"own","team""#);
    let (own_resource, own_id) = (own("cloud.resource_id"), own("faas.id"));
    let of_version = format!("{ARN}:7");
    for (replaced, resource, function) in [
        (("", ""), Some(ARN), Some(ARN)),
        (("$LATEST", "7"), Some(&*of_version), Some(ARN)),
        (("$LATEST", ""), Some(ARN), Some(ARN)),
        (("123456789012", ""), None, None),
        (("\"team\"", &*own_resource), Some("own"), Some(ARN)),
        (("\"team\"", &*own_id), Some(ARN), Some("own")),
    ] {
        for is_json in [false, true] {
            let expected = [resource, function].map(|it| it.map(str::to_owned));
            assert_eq!(of_resource(is_json, replaced), expected, "{replaced:?}");
        }
    }
}

proptest! {
    /// Whatever was observed: both encodings say the same, nothing is lost in the sum, and no body is beyond the
    /// bound.
    #[test]
    fn any_observations_add_up_in_both_encodings(
        observations in prop::collection::vec(
            ("[a-c]", any::<bool>(), prop::sample::select(vec!["s", "By", "1"]), (-1_000_000_i32..1_000_000).prop_map(f64::from), "\\PC{0,3}"),
            0..40,
        ),
    ) {
        let mut fragments = Vec::new();
        let mut expected = 0.0;
        for (name, is_sum, unit, value, attribute) in &observations {
            let kind = if *is_sum { "sum" } else { "histogram" };
            let attribute = serde_json::to_string(attribute).expect("a text");
            let mut metric = String::new();
            write!(metric, r#"{{"name":"{name}","kind":"{kind}","unit":"{unit}","value":{value:?},"attributes":{{"a":{attribute}}}}}"#).expect("a string");
            fragments.push(derived(&metric));
            expected += value;
        }
        let (in_protobuf, written) = metrics_of(false, &fragments);
        let (in_json, _) = metrics_of(true, &fragments);
        prop_assert_eq!(&in_protobuf, &in_json);
        prop_assert_eq!(written.covers, fragments.len());
        let mut sum = 0.0;
        let mut count = 0;
        for metric in &in_protobuf {
            match metric.data.as_ref().expect("data") {
                Data::Sum(_) => sum += sums(metric).iter().map(number).sum::<f64>(),
                _ => for point in histograms(metric) {
                    sum += point.sum.expect("a sum");
                    count += point.count;
                    let all: u64 = point.bucket_counts.iter().sum();
                    prop_assert!(point.bucket_counts.is_empty() || all == point.count);
                },
            }
        }
        prop_assert!((sum - expected).abs() <= 1e-6 * expected.abs().max(1e9));
        prop_assert_eq!(count, observations.iter().filter(|it| !it.1).count() as u64);
    }
}

#[test]
fn no_body_is_beyond_the_bound_of_its_receiver() {
    let primary = Primary {
        url: "https://otlp.nr-data.net".to_owned(),
        ..primary(Name::Otlp, FormatOptions::default())
    };
    let endpoint = backstop_config::Endpoint {
        url: "https://otlp.nr-data.net/v1/metrics".to_owned(),
        format: Name::Otlp,
    };
    let format = of(&primary, &endpoint, Signal::Metric);
    let metric = |at: usize| {
        derived(&format!(
            r#"{{"name":"n{at}","kind":"histogram","unit":"s","value":1,"attributes":{{"a":"{}"}}}}"#,
            "x".repeat(1000)
        ))
    };
    let mut fragments: Vec<String> = (0..2000).map(metric).collect();
    let huge = format!(
        r#"{{"name":"n","kind":"sum","unit":"1","value":1,"attributes":{{"a":"{}"}}}}"#,
        "x".repeat(1_000_000)
    );
    fragments.insert(1, derived(&huge));
    let (plain, written) = body(&*format, &items(&fragments), Compression::None);
    assert!(plain.len() <= 900_000, "{} bytes", plain.len());
    assert!(
        written.covers > 10 && written.covers < 2000,
        "{}",
        written.covers
    );
    assert_eq!(written.unfit, [(1, Unfit::TooLarge)]);
}

#[test]
fn what_a_receiver_refused_of_a_signal_is_read_by_its_name() {
    for (signal, name) in [
        (Signal::Log, "rejectedLogRecords"),
        (Signal::Metric, "rejectedDataPoints"),
        (Signal::Span, "rejected_spans"),
    ] {
        let format = otlp(true, signal);
        let body = format!(r#"{{"partialSuccess":{{"{name}":"2"}}}}"#);
        let mut headers = http::HeaderMap::new();
        let json = http::HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, json);
        let reply = Reply {
            status: 200,
            headers: &headers,
            body: body.as_bytes(),
            now: now(),
            records: 3,
        };
        let unnamed = matches!(judge(&*format, &reply), Answer::Unnamed { refused: 2, .. });
        assert!(unnamed, "{name}");
    }
}
