//! Any telemetry, by OpenTelemetry's own types.

use super::*;

pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z.]{0,8}",
        "\\PC{0,6}",
        Just("\"\\\n\u{0}\u{2028}".to_owned())
    ]
}

pub(super) fn real() -> impl Strategy<Value = f64> {
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
pub(super) fn any_real() -> impl Strategy<Value = f64> {
    prop_oneof![real(), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
}

pub(super) fn any_value() -> impl Strategy<Value = AnyValue> {
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

pub(super) fn pair((key, value): (String, AnyValue)) -> KeyValue {
    KeyValue {
        key,
        value: Some(value),
        ..KeyValue::default()
    }
}

pub(super) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    prop::collection::vec((text(), any_value()).prop_map(pair), 0..3)
}

pub(super) fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), length..=length),
    ]
}

prop_compose! {
    pub(super) fn log()(
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
    pub(super) fn span()(
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
    pub(super) fn exemplars()(attributes in attributes(), time in any::<u64>(), value in any::<i64>(),
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
    pub(super) fn metric()(
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
    pub(super) fn around()(attributes in attributes(), texts in (text(), text(), text()), dropped in any::<u32>(),
        has in any::<[bool; 2]>()) -> (Option<Resource>, Option<InstrumentationScope>, String) {
        let scope = InstrumentationScope {
            name: texts.0, version: texts.1, attributes: attributes.clone(),
            dropped_attributes_count: dropped,
        };
        let resource = Resource { attributes, dropped_attributes_count: dropped, entity_refs: Vec::new() };
        (has[0].then_some(resource), has[1].then_some(scope), texts.2)
    }
}

pub(super) type AroundItems = (Option<Resource>, Option<InstrumentationScope>, String);

pub(super) fn logs(
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

pub(super) fn spans(
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

pub(super) fn metrics(
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
