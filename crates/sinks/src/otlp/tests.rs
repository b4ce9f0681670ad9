//! What is received, against OpenTelemetry's own encoders and decoders.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point as exponential, number_data_point,
    summary_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;

const NOW: Wall = Wall(Duration::from_hours(490_896));
const PLENTY: usize = 1 << 24;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z.]{0,8}",
        "\\PC{0,6}",
        Just("\"\\\n\u{0}\u{2028}".to_owned())
    ]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("NaN equals nothing", |it| !it.is_nan()),
        Just(0.0),
        Just(1.0),
        Just(-0.0),
    ]
    .prop_filter("the other encoder of JSON writes null for it", |it| {
        it.is_finite()
    })
}

/// Also those for which JSON has words.
fn any_real() -> impl Strategy<Value = f64> {
    prop_oneof![real(), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(Any::StringValue),
        any::<bool>().prop_map(Any::BoolValue),
        any::<i64>().prop_map(Any::IntValue),
        real().prop_map(Any::DoubleValue),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Any::BytesValue),
    ];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        let of = |value| AnyValue { value: Some(value) };
        let list = prop::collection::vec(inner.clone().prop_map(of), 0..3);
        let pairs = prop::collection::vec((text(), inner.prop_map(of)), 0..3);
        prop_oneof![
            list.prop_map(|values| Any::ArrayValue(ArrayValue { values })),
            pairs.prop_map(|pairs| {
                let values = pairs.into_iter().map(pair).collect();
                Any::KvlistValue(KeyValueList { values })
            }),
        ]
    });
    prop::option::weighted(0.9, value).prop_map(|value| AnyValue { value })
}

fn pair((key, value): (String, AnyValue)) -> KeyValue {
    KeyValue {
        key,
        value: Some(value),
        ..KeyValue::default()
    }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    prop::collection::vec((text(), any_value()).prop_map(pair), 0..3)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), length..=length),
    ]
}

prop_compose! {
    fn log()(
        times in any::<[u64; 2]>(),
        severity in (0..25_i32, text()),
        body in prop::option::of(any_value()),
        attributes in attributes(),
        numbers in any::<[u32; 2]>(),
        (trace_id, span_id, event_name) in (id(16), id(8), text()),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano: times[0],
            observed_time_unix_nano: times[1],
            severity_number: severity.0,
            severity_text: severity.1,
            body,
            attributes,
            dropped_attributes_count: numbers[0],
            flags: numbers[1],
            trace_id,
            span_id,
            event_name,
        }
    }
}

prop_compose! {
    fn span()(
        ids in (id(16), id(8), id(8)),
        texts in (text(), text(), text()),
        kind in 0..6_i32,
        times in any::<[u64; 3]>(),
        numbers in any::<[u32; 7]>(),
        attributes in prop::collection::vec(attributes(), 3..=3),
        code in prop::option::of(0..3_i32),
    ) -> Span {
        let [own, of_event, of_link] = <[Vec<KeyValue>; 3]>::try_from(attributes).unwrap();
        Span {
            trace_id: ids.0.clone(),
            span_id: ids.1.clone(),
            parent_span_id: ids.2,
            trace_state: texts.0.clone(),
            flags: numbers[0],
            name: texts.1.clone(),
            kind,
            start_time_unix_nano: times[0],
            end_time_unix_nano: times[1],
            attributes: own,
            dropped_attributes_count: numbers[1],
            events: vec![Event {
                time_unix_nano: times[2],
                name: texts.2.clone(),
                attributes: of_event,
                dropped_attributes_count: numbers[2],
            }],
            dropped_events_count: numbers[3],
            links: vec![Link {
                trace_id: ids.0,
                span_id: ids.1,
                trace_state: texts.0,
                attributes: of_link,
                dropped_attributes_count: numbers[4],
                flags: numbers[5],
            }],
            dropped_links_count: numbers[6],
            status: code.map(|code| Status { code, message: texts.2 }),
        }
    }
}

prop_compose! {
    fn exemplars()(attributes in attributes(), time in any::<u64>(), value in any::<i64>(),
        real in real(), ids in (id(8), id(16))) -> Vec<Exemplar> {
        [exemplar::Value::AsInt(value), exemplar::Value::AsDouble(real)].map(|value| Exemplar {
            filtered_attributes: attributes.clone(),
            time_unix_nano: time,
            span_id: ids.0.clone(),
            trace_id: ids.1.clone(),
            value: Some(value),
        }).into()
    }
}

prop_compose! {
    fn metric()(
        texts in (text(), text(), text()),
        kind in 0..5_u8,
        attributes in attributes(),
        times in any::<[u64; 2]>(),
        whole in any::<(i64, u64, i32, i32, u32)>(),
        reals in (any_real(), prop::option::of(any_real()), prop::collection::vec(any_real(), 0..3)),
        counts in prop::collection::vec(any::<u64>(), 0..4),
        exemplars in exemplars(),
        is_monotonic in any::<bool>(),
    ) -> Metric {
        let [start_time_unix_nano, time_unix_nano] = times;
        let (int, count, scale, offset, flags) = whole;
        let (real, optional, bounds) = reals;
        let point = |value| NumberDataPoint {
            attributes: attributes.clone(), start_time_unix_nano, time_unix_nano, flags,
            exemplars: exemplars.clone(), value: Some(value),
        };
        let numbers = [number_data_point::Value::AsInt(int), number_data_point::Value::AsDouble(real)];
        let data = match kind {
            0 => Data::Gauge(Gauge { data_points: numbers.map(point).into() }),
            1 => Data::Sum(Sum {
                data_points: numbers.map(point).into(), aggregation_temporality: 2, is_monotonic,
            }),
            2 => Data::Histogram(Histogram {
                data_points: vec![HistogramDataPoint {
                    attributes: attributes.clone(), start_time_unix_nano, time_unix_nano, count,
                    sum: optional, bucket_counts: counts.clone(), explicit_bounds: bounds,
                    exemplars: exemplars.clone(), flags, min: optional, max: Some(0.0),
                }],
                aggregation_temporality: 1,
            }),
            3 => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![ExponentialHistogramDataPoint {
                    attributes: attributes.clone(), start_time_unix_nano, time_unix_nano, count,
                    sum: optional, scale, zero_count: count, flags,
                    positive: Some(exponential::Buckets { offset, bucket_counts: counts.clone() }),
                    negative: None, exemplars: exemplars.clone(), min: None, max: optional,
                    zero_threshold: real,
                }],
                aggregation_temporality: 1,
            }),
            _ => Data::Summary(Summary {
                data_points: vec![SummaryDataPoint {
                    attributes: attributes.clone(), start_time_unix_nano, time_unix_nano, count,
                    sum: real, flags,
                    quantile_values: vec![summary_data_point::ValueAtQuantile { quantile: 0.5, value: real }],
                }],
            }),
        };
        Metric { name: texts.0, description: texts.1, unit: texts.2, metadata: attributes.clone(), data: Some(data) }
    }
}

prop_compose! {
    fn around()(attributes in attributes(), texts in (text(), text(), text()), dropped in any::<u32>(),
        has in any::<[bool; 2]>()) -> (Option<Resource>, Option<InstrumentationScope>, String) {
        let scope = InstrumentationScope {
            name: texts.0, version: texts.1, attributes: attributes.clone(),
            dropped_attributes_count: dropped,
        };
        let resource = Resource { attributes, dropped_attributes_count: dropped, entity_refs: Vec::new() };
        (has[0].then_some(resource), has[1].then_some(scope), texts.2)
    }
}

type AroundItems = (Option<Resource>, Option<InstrumentationScope>, String);

fn logs(
    (resource, scope, schema_url): AroundItems,
    items: Vec<LogRecord>,
) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs {
        scope,
        log_records: items,
        schema_url: schema_url.clone(),
    }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource,
            scope_logs,
            schema_url,
        }],
    }
}

fn spans(
    (resource, scope, schema_url): AroundItems,
    items: Vec<Span>,
) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        scope,
        spans: items,
        schema_url: schema_url.clone(),
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        }],
    }
}

fn metrics(
    (resource, scope, schema_url): AroundItems,
    items: Vec<Metric>,
) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics {
        scope,
        metrics: items,
        schema_url: schema_url.clone(),
    }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        }],
    }
}

/// The type and the record of a fragment.
fn parts(fragment: &[u8]) -> (String, Box<RawValue>) {
    #[derive(serde::Deserialize)]
    struct Parts {
        #[serde(rename = "type")]
        kind: String,
        record: Box<RawValue>,
    }
    let text = format!("{{{}}}", std::str::from_utf8(fragment).unwrap());
    let parts: Parts = serde_json::from_str(&text).unwrap();
    (parts.kind, parts.record)
}

/// The records of a request, as they are sent on in protobuf: each a request of its own.
fn sent(received: &Received) -> Vec<Vec<u8>> {
    let request = |fragment: &Bytes| {
        let (kind, record) = parts(fragment);
        let item = ReceivedItem::of(&kind, record.get()).unwrap();
        let (mut items, mut out) = (Vec::new(), Vec::new());
        item.write(&[], false, &mut items);
        wrap(item.shape, &item.around, &[], &items, false, &mut out);
        out
    };
    received.fragments.iter().map(request).collect()
}

/// What is received of a request in either encoding, which must be the same.
fn received(signal: Signal, protobuf: &[u8], json: &[u8]) -> Received {
    let one = receive(signal, Encoding::Protobuf, protobuf, PLENTY, NOW).unwrap();
    let other = receive(signal, Encoding::Json, json, PLENTY, NOW).unwrap();
    assert_eq!(one, other);
    one
}

/// A resource is always there in what is sent: it has what Backstop knows.
fn with_resource((resource, scope, url): AroundItems) -> AroundItems {
    (Some(resource.unwrap_or_default()), scope, url)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn logs_are_sent_on_as_they_came(around in around(), items in prop::collection::vec(log(), 0..3)) {
        let request = logs(around.clone(), items.clone());
        let received = received(Signal::Log, &request.encode_to_vec(), &serde_json::to_vec(&request).unwrap());
        prop_assert_eq!(received.fragments.len(), items.len());
        for (bytes, item) in sent(&received).iter().zip(items) {
            let expected = logs(with_resource(around.clone()), vec![item]);
            prop_assert_eq!(ExportLogsServiceRequest::decode(&bytes[..]).unwrap(), expected);
        }
    }

    #[test]
    fn spans_are_sent_on_as_they_came(around in around(), items in prop::collection::vec(span(), 0..3)) {
        let request = spans(around.clone(), items.clone());
        let received = received(Signal::Span, &request.encode_to_vec(), &serde_json::to_vec(&request).unwrap());
        for (bytes, item) in sent(&received).iter().zip(items) {
            let expected = spans(with_resource(around.clone()), vec![item]);
            prop_assert_eq!(ExportTraceServiceRequest::decode(&bytes[..]).unwrap(), expected);
        }
    }

    #[test]
    fn metrics_are_sent_on_as_they_came(around in around(), items in prop::collection::vec(metric(), 0..3)) {
        let request = metrics(around.clone(), items.clone());
        let received = receive(Signal::Metric, Encoding::Protobuf, &request.encode_to_vec(), PLENTY, NOW).unwrap();
        for (bytes, item) in sent(&received).iter().zip(items) {
            let expected = metrics(with_resource(around.clone()), vec![item]);
            prop_assert_eq!(ExportMetricsServiceRequest::decode(&bytes[..]).unwrap(), expected);
        }
        // What is archived is a request of OTLP's JSON, which can be posted again.
        for fragment in &received.fragments {
            let (_, record) = parts(fragment);
            let again = receive(Signal::Metric, Encoding::Json, record.get().as_bytes(), PLENTY, NOW).unwrap();
            prop_assert_eq!(&again.fragments[..], std::slice::from_ref(fragment));
        }
    }

    #[test]
    fn any_bytes_have_an_answer(body in prop::collection::vec(any::<u8>(), 0..200), signal in 0..3_usize) {
        let signal = Signal::ALL[signal];
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            drop(receive(signal, encoding, &body, PLENTY, NOW));
        }
    }

    #[test]
    fn a_damaged_request_has_an_answer(item in span(), around in around(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut body = spans(around, vec![item]).encode_to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(received) = receive(Signal::Span, Encoding::Protobuf, &body, PLENTY, NOW) {
            for bytes in sent(&received) {
                ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
            }
        }
    }
}

fn empty() -> AroundItems {
    (None, None, String::new())
}

#[test]
fn a_record_is_a_request_of_otlps_json_with_one_item() {
    let log = LogRecord {
        time_unix_nano: 1_767_225_600_123_456_789,
        severity_number: 17,
        body: Some(AnyValue {
            value: Some(Any::StringValue("boom".to_owned())),
        }),
        attributes: vec![pair((
            "n".to_owned(),
            AnyValue {
                value: Some(Any::IntValue(-7)),
            },
        ))],
        trace_id: vec![0xab; 16],
        ..LogRecord::default()
    };
    let resource = Resource {
        attributes: vec![pair((
            "service.name".to_owned(),
            AnyValue {
                value: Some(Any::StringValue("shop".to_owned())),
            },
        ))],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "app".to_owned(),
        ..InstrumentationScope::default()
    };
    let request = logs(
        (
            Some(resource),
            Some(scope),
            "https://example.com/1".to_owned(),
        ),
        vec![log],
    );
    let received = receive(
        Signal::Log,
        Encoding::Protobuf,
        &request.encode_to_vec(),
        PLENTY,
        NOW,
    )
    .unwrap();
    let text = std::str::from_utf8(&received.fragments[0]).unwrap();
    let expected = concat!(
        r#""time":"2026-01-01T00:00:00.123Z","type":"otlp.logs","record":{"resourceLogs":[{"resource":"#,
        r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeLogs":[{"scope":{"name":"app"},"#,
        r#""logRecords":[{"timeUnixNano":"1767225600123456789","severityNumber":17,"body":{"stringValue":"boom"},"#,
        r#""attributes":[{"key":"n","value":{"intValue":"-7"}}],"traceId":"abababababababababababababababab"}],"#,
        r#""schemaUrl":"https://example.com/1"}],"schemaUrl":"https://example.com/1"}]}"#,
    );
    assert_eq!(text, expected);
}

/// A value that is nested in this number of others.
fn nested(levels: usize) -> AnyValue {
    (0..levels).fold(AnyValue::default(), |inner, _| AnyValue {
        value: Some(Any::KvlistValue(KeyValueList {
            values: vec![pair(("k".to_owned(), inner))],
        })),
    })
}

#[test]
fn what_is_nested_too_deep_is_rejected_alone_and_the_rest_can_be_read_back() {
    let log = |levels| LogRecord {
        body: Some(nested(levels)),
        ..LogRecord::default()
    };
    let request = logs(empty(), vec![log(1), log(16), log(17), log(30)]);
    let received = receive(
        Signal::Log,
        Encoding::Protobuf,
        &request.encode_to_vec(),
        PLENTY,
        NOW,
    )
    .unwrap();
    assert_eq!((received.fragments.len(), received.rejected), (2, 2));
    for fragment in &received.fragments {
        let line = format!("{{{}}}", std::str::from_utf8(fragment).unwrap());
        serde_json::from_str::<Value>(&line).expect("every reader of JSON takes it");
    }
    // What stands around items is of all of them.
    let around = Resource {
        attributes: vec![KeyValue {
            key: "deep".to_owned(),
            value: Some(nested(30)),
            ..KeyValue::default()
        }],
        ..Resource::default()
    };
    let mut request = logs(empty(), vec![log(1), log(1)]);
    request.resource_logs[0].resource = Some(around);
    let body = request.encode_to_vec();
    let received = receive(Signal::Log, Encoding::Protobuf, &body, PLENTY, NOW).unwrap();
    assert_eq!((received.fragments.len(), received.rejected), (0, 2));
    // An official decoder stops as well; this is a wire that nests without end.
    let mut deep = Vec::new();
    for _ in 0..50_000 {
        let mut outer = vec![0x2a];
        let mut length = deep.len();
        while length >= 0x80 {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        if deep.len() > 60_000 {
            break;
        }
        outer.extend(deep);
        deep = outer;
    }
    drop(receive(Signal::Log, Encoding::Protobuf, &deep, PLENTY, NOW));
}

#[test]
fn a_small_request_with_much_in_common_cannot_become_a_large_one() {
    let resource = Resource {
        attributes: vec![pair((
            "k".to_owned(),
            AnyValue {
                value: Some(Any::StringValue("x".repeat(100_000))),
            },
        ))],
        ..Resource::default()
    };
    let request = logs(
        (Some(resource), None, String::new()),
        vec![LogRecord::default(); 100_000],
    );
    let body = request.encode_to_vec();
    assert!(body.len() < 400_000);
    let refused = receive(Signal::Log, Encoding::Protobuf, &body, 4_000_000, NOW);
    assert_eq!(refused, Err(Refused::TooLarge));
    let items = logs(empty(), vec![LogRecord::default(); 100_000]).encode_to_vec();
    assert_eq!(
        receive(Signal::Log, Encoding::Protobuf, &items, 4_000_000, NOW),
        Err(Refused::TooLarge)
    );
}

#[test]
fn what_is_not_text_is_replaced_and_what_is_not_a_request_refused() {
    // A body of bytes that are not UTF-8.
    let log = [0x2a, 4, 0x0a, 2, 0xff, b'a'];
    let scope = [&[0x12, 6][..], &log].concat();
    let group = [&[0x12, 8][..], &scope].concat();
    let request = [&[0x0a, 10][..], &group].concat();
    let received = receive(Signal::Log, Encoding::Protobuf, &request, PLENTY, NOW).unwrap();
    let text = std::str::from_utf8(&received.fragments[0]).unwrap();
    assert!(text.contains("\"stringValue\":\"\u{fffd}a\""), "{text}");
    assert!(
        text.starts_with("\"time\":\"2026-01-01T00:00:00.000Z\""),
        "no time of its own: {text}"
    );
    for cut in 1..request.len() {
        let cut = receive(
            Signal::Log,
            Encoding::Protobuf,
            &request[..cut],
            PLENTY,
            NOW,
        );
        assert_eq!(cut, Err(Refused::Malformed));
    }
    for json in [
        "",
        "[]",
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"traceId\":\"xy\"}]}]}]}",
        "{\"resourceLogs\":1}",
        "{} {}",
    ] {
        let refused = receive(Signal::Log, Encoding::Json, json.as_bytes(), PLENTY, NOW);
        assert_eq!(refused, Err(Refused::Malformed), "{json}");
    }
    for (encoding, body) in [
        (Encoding::Json, "{\"unknown\":[1]}"),
        (Encoding::Json, "{\"resourceLogs\":null}"),
        (Encoding::Protobuf, ""),
    ] {
        let received = receive(Signal::Log, encoding, body.as_bytes(), PLENTY, NOW).unwrap();
        assert!(received.fragments.is_empty());
    }
}

#[test]
fn a_redacted_number_is_text_where_any_value_may_be_and_left_out_elsewhere() {
    let record = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"[x]","severityNumber":9,"attributes":[{"key":"a","value":{"intValue":"[x]"}},{"key":"b","value":{"doubleValue":"[x]"}}]}]}]}]}"#;
    let record: Box<RawValue> = serde_json::from_str(record).unwrap();
    let item = ReceivedItem::of(OTLP_LOGS, record.get()).unwrap();
    let mut out = Vec::new();
    item.write(
        &[("log.record.uid", "1-2"), ("a", "not added")],
        false,
        &mut out,
    );
    let mut fields = Fields(&out);
    let Some(Ok((2, Field::Bytes(bytes)))) = fields.next() else {
        panic!("one record")
    };
    let log = LogRecord::decode(bytes).unwrap();
    assert_eq!((log.time_unix_nano, log.severity_number), (0, 9));
    let text = |text: &str| AnyValue {
        value: Some(Any::StringValue(text.to_owned())),
    };
    let expected = [("a", "[x]"), ("b", "[x]"), ("log.record.uid", "1-2")];
    let expected = expected.map(|(name, value)| pair((name.to_owned(), text(value))));
    assert_eq!(log.attributes, expected);
    let mut out = Vec::new();
    item.write(&[("log.record.uid", "1-2")], true, &mut out);
    let json: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["attributes"].as_array().unwrap().len(), 3);
}

#[test]
fn what_is_known_of_the_function_is_added_to_what_its_sdk_says() {
    let record = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"NAME"}},{"key":"faas.name","value":{"stringValue":"own"}}]},"scopeLogs":[{"logRecords":[{}]}]}]}"#;
    for (said, expected) in [("shop", "shop"), ("unknown_service:python", "orders")] {
        let record: Box<RawValue> = serde_json::from_str(&record.replace("NAME", said)).unwrap();
        let item = ReceivedItem::of(OTLP_LOGS, record.get()).unwrap();
        let value = |text: &str| serde_json::json!({"stringValue": text});
        let known = [
            ("service.name", value("orders")),
            ("faas.name", value("orders")),
            ("cloud.provider", value("aws")),
        ];
        let mut out = Vec::new();
        wrap(item.shape, &item.around, &known, &[], false, &mut out);
        let request = ExportLogsServiceRequest::decode(&out[..]).unwrap();
        let resource = request.resource_logs[0].resource.clone().unwrap();
        let mut found: Vec<(String, String)> = resource
            .attributes
            .into_iter()
            .map(|pair| {
                let Some(Any::StringValue(text)) = pair.value.unwrap().value else {
                    panic!()
                };
                (pair.key, text)
            })
            .collect();
        found.sort();
        let expected = [
            ("cloud.provider", "aws"),
            ("faas.name", "own"),
            ("service.name", expected),
        ];
        assert_eq!(found, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}

#[test]
fn answers_are_in_the_encoding_of_the_request() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    let partly = Answer::Partly(Signal::Span, 3);
    let response =
        ExportTraceServiceResponse::decode(&partly.body(Encoding::Protobuf)[..]).unwrap();
    assert_eq!(response.partial_success.unwrap().rejected_spans, 3);
    let json: Value = serde_json::from_slice(&partly.body(Encoding::Json)).unwrap();
    assert_eq!(json["partialSuccess"]["rejectedSpans"], "3");
    let whole = Answer::Taken.body(Encoding::Protobuf);
    assert_eq!(
        ExportTraceServiceResponse::decode(&whole[..]).unwrap(),
        ExportTraceServiceResponse::default()
    );
    assert_eq!(Answer::Taken.body(Encoding::Json), b"{}");
    let refused: Value =
        serde_json::from_slice(&Answer::Refused(8, "full").body(Encoding::Json)).unwrap();
    assert_eq!(refused, serde_json::json!({"code": 8, "message": "full"}));
    assert_eq!(
        Encoding::of("application/json; charset=utf-8"),
        Some(Encoding::Json)
    );
    assert_eq!(Encoding::of("text/plain"), None);
}

/// As a runtime writes a text that was cut in the middle of a character.
#[test]
fn half_a_character_costs_neither_its_record_nor_the_others() {
    let body = |text: &[u8]| {
        let before = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"whole"}},{"body":{"stringValue":"cut "#;
        [&before[..], text, br#""}}]}]}]}"#].concat()
    };
    for half in [&br"\ud83d"[..], br"\uDE00", b"\xf0\x9f"] {
        let received = receive(Signal::Log, Encoding::Json, &body(half), PLENTY, NOW).unwrap();
        assert_eq!((received.fragments.len(), received.rejected), (2, 0));
        let cut = std::str::from_utf8(&received.fragments[1]).unwrap();
        assert!(cut.contains("cut \u{fffd}"), "{cut}");
    }
    let broken = receive(Signal::Log, Encoding::Json, &body(br"\q"), PLENTY, NOW);
    assert_eq!(broken, Err(Refused::Malformed));
}
