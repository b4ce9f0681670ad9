//! What is received, against OpenTelemetry's own encoders and decoders.

mod generated;
mod sent;

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
use crate::codec::{Output, Packing};
use generated::{AroundItems, around, log, logs, metric, metrics, pair, span, spans};

const NOW: Wall = Wall(Duration::from_hours(490_896));
const PLENTY: usize = 1 << 24;

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
        let (mut items, mut out) = (Vec::new(), Output::new(Packing::None, 0));
        item.write(&[], false, &mut items);
        wrap(item.shape, &item.around, &[], &items, false, &mut out);
        out.finish()
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
