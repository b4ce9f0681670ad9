//! The messages of OTLP as tables: the numbers of their fields, and their names in JSON
//! (opentelemetry-proto 1.11.0; <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
//!
//! Invariant: a message has at most [`MOST_FIELDS`] fields, so that a reader needs no memory for those that come once.

/// The most fields of a message.
pub(super) const MOST_FIELDS: usize = 16;

/// A message: its fields, in the order in which they are written.
pub(crate) type Message = &'static [Field];

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
}

/// What a field holds, and how JSON has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Bytes, in Base64.
    Base64,
    /// The id of a trace or a span, in hexadecimal.
    Hex,
    Bool,
    /// `uint32`, a number.
    Uint32,
    /// A number of an enumeration.
    Enum,
    /// `sint32`, a number.
    Sint32,
    /// `fixed32`, a number.
    Fixed32,
    /// `int64`, as text.
    Int64,
    /// `uint64`, as text.
    Uint64,
    /// `fixed64`, as text.
    Fixed64,
    /// `sfixed64`, as text.
    Sfixed64,
    /// A number, or `NaN`, `Infinity` or `-Infinity` as text.
    Double,
    Message(Message),
}

/// When a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Where it is not zero or empty; messages where they are written.
    Implicit,
    /// Where it is written.
    Optional,
    /// The same, and the last one of the message's choices counts.
    Choice,
    /// As often as it is written.
    Many,
}

const fn field(number: u32, name: &'static str, kind: Kind, presence: Presence) -> Field {
    Field {
        number,
        name,
        kind,
        presence,
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    field(number, name, kind, Presence::Implicit)
}

const fn optional(number: u32, name: &'static str, kind: Kind) -> Field {
    field(number, name, kind, Presence::Optional)
}

const fn choice(number: u32, name: &'static str, kind: Kind) -> Field {
    field(number, name, kind, Presence::Choice)
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    field(number, name, kind, Presence::Many)
}

const fn attributes(number: u32) -> Field {
    many(number, "attributes", Kind::Message(&KEY_VALUE))
}

const fn dropped_attributes(number: u32) -> Field {
    one(number, "droppedAttributesCount", Kind::Uint32)
}

static ANY_VALUE: [Field; 7] = [
    choice(1, "stringValue", Kind::Text),
    choice(2, "boolValue", Kind::Bool),
    choice(3, "intValue", Kind::Int64),
    choice(4, "doubleValue", Kind::Double),
    choice(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
    choice(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
    choice(7, "bytesValue", Kind::Base64),
];
static ARRAY_VALUE: [Field; 1] = [many(1, "values", Kind::Message(&ANY_VALUE))];
static KEY_VALUE_LIST: [Field; 1] = [many(1, "values", Kind::Message(&KEY_VALUE))];
static KEY_VALUE: [Field; 2] = [
    one(1, "key", Kind::Text),
    one(2, "value", Kind::Message(&ANY_VALUE)),
];

static ENTITY_REF: [Field; 4] = [
    one(1, "schemaUrl", Kind::Text),
    one(2, "type", Kind::Text),
    many(3, "idKeys", Kind::Text),
    many(4, "descriptionKeys", Kind::Text),
];
pub(crate) static RESOURCE: [Field; 3] = [
    attributes(1),
    dropped_attributes(2),
    many(3, "entityRefs", Kind::Message(&ENTITY_REF)),
];
pub(crate) static SCOPE: [Field; 4] = [
    one(1, "name", Kind::Text),
    one(2, "version", Kind::Text),
    attributes(3),
    dropped_attributes(4),
];

pub(crate) static LOG_RECORD: [Field; 11] = [
    one(1, "timeUnixNano", Kind::Fixed64),
    one(11, "observedTimeUnixNano", Kind::Fixed64),
    one(2, "severityNumber", Kind::Enum),
    one(3, "severityText", Kind::Text),
    one(12, "eventName", Kind::Text),
    one(5, "body", Kind::Message(&ANY_VALUE)),
    attributes(6),
    dropped_attributes(7),
    one(8, "flags", Kind::Fixed32),
    one(9, "traceId", Kind::Hex),
    one(10, "spanId", Kind::Hex),
];

pub(crate) static SPAN: [Field; 16] = [
    one(1, "traceId", Kind::Hex),
    one(2, "spanId", Kind::Hex),
    one(3, "traceState", Kind::Text),
    one(4, "parentSpanId", Kind::Hex),
    one(16, "flags", Kind::Fixed32),
    one(5, "name", Kind::Text),
    one(6, "kind", Kind::Enum),
    one(7, "startTimeUnixNano", Kind::Fixed64),
    one(8, "endTimeUnixNano", Kind::Fixed64),
    attributes(9),
    dropped_attributes(10),
    many(11, "events", Kind::Message(&EVENT)),
    one(12, "droppedEventsCount", Kind::Uint32),
    many(13, "links", Kind::Message(&LINK)),
    one(14, "droppedLinksCount", Kind::Uint32),
    one(15, "status", Kind::Message(&STATUS)),
];
static EVENT: [Field; 4] = [
    one(1, "timeUnixNano", Kind::Fixed64),
    one(2, "name", Kind::Text),
    attributes(3),
    dropped_attributes(4),
];
static LINK: [Field; 6] = [
    one(1, "traceId", Kind::Hex),
    one(2, "spanId", Kind::Hex),
    one(3, "traceState", Kind::Text),
    attributes(4),
    dropped_attributes(5),
    one(6, "flags", Kind::Fixed32),
];
static STATUS: [Field; 2] = [one(2, "message", Kind::Text), one(3, "code", Kind::Enum)];

pub(crate) static METRIC: [Field; 9] = [
    one(1, "name", Kind::Text),
    one(2, "description", Kind::Text),
    one(3, "unit", Kind::Text),
    choice(5, "gauge", Kind::Message(&GAUGE)),
    choice(7, "sum", Kind::Message(&SUM)),
    choice(9, "histogram", Kind::Message(&HISTOGRAM)),
    choice(10, "exponentialHistogram", Kind::Message(&EXPONENTIAL)),
    choice(11, "summary", Kind::Message(&SUMMARY)),
    many(12, "metadata", Kind::Message(&KEY_VALUE)),
];
static GAUGE: [Field; 1] = [many(1, "dataPoints", Kind::Message(&NUMBER_POINT))];
static SUM: [Field; 3] = [
    many(1, "dataPoints", Kind::Message(&NUMBER_POINT)),
    one(2, "aggregationTemporality", Kind::Enum),
    one(3, "isMonotonic", Kind::Bool),
];
static HISTOGRAM: [Field; 2] = [
    many(1, "dataPoints", Kind::Message(&HISTOGRAM_POINT)),
    one(2, "aggregationTemporality", Kind::Enum),
];
static EXPONENTIAL: [Field; 2] = [
    many(1, "dataPoints", Kind::Message(&EXPONENTIAL_POINT)),
    one(2, "aggregationTemporality", Kind::Enum),
];
static SUMMARY: [Field; 1] = [many(1, "dataPoints", Kind::Message(&SUMMARY_POINT))];

const START: Field = one(2, "startTimeUnixNano", Kind::Fixed64);
const TIME: Field = one(3, "timeUnixNano", Kind::Fixed64);

static NUMBER_POINT: [Field; 7] = [
    attributes(7),
    START,
    TIME,
    choice(4, "asDouble", Kind::Double),
    choice(6, "asInt", Kind::Sfixed64),
    many(5, "exemplars", Kind::Message(&EXEMPLAR)),
    one(8, "flags", Kind::Uint32),
];
static HISTOGRAM_POINT: [Field; 11] = [
    attributes(9),
    START,
    TIME,
    one(4, "count", Kind::Fixed64),
    optional(5, "sum", Kind::Double),
    many(6, "bucketCounts", Kind::Fixed64),
    many(7, "explicitBounds", Kind::Double),
    many(8, "exemplars", Kind::Message(&EXEMPLAR)),
    one(10, "flags", Kind::Uint32),
    optional(11, "min", Kind::Double),
    optional(12, "max", Kind::Double),
];
static EXPONENTIAL_POINT: [Field; 14] = [
    attributes(1),
    START,
    TIME,
    one(4, "count", Kind::Fixed64),
    optional(5, "sum", Kind::Double),
    one(6, "scale", Kind::Sint32),
    one(7, "zeroCount", Kind::Fixed64),
    one(8, "positive", Kind::Message(&BUCKETS)),
    one(9, "negative", Kind::Message(&BUCKETS)),
    one(10, "flags", Kind::Uint32),
    many(11, "exemplars", Kind::Message(&EXEMPLAR)),
    optional(12, "min", Kind::Double),
    optional(13, "max", Kind::Double),
    one(14, "zeroThreshold", Kind::Double),
];
static BUCKETS: [Field; 2] = [
    one(1, "offset", Kind::Sint32),
    many(2, "bucketCounts", Kind::Uint64),
];
static SUMMARY_POINT: [Field; 7] = [
    attributes(7),
    START,
    TIME,
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Double),
    many(6, "quantileValues", Kind::Message(&QUANTILE)),
    one(8, "flags", Kind::Uint32),
];
static QUANTILE: [Field; 2] = [
    one(1, "quantile", Kind::Double),
    one(2, "value", Kind::Double),
];
static EXEMPLAR: [Field; 6] = [
    many(7, "filteredAttributes", Kind::Message(&KEY_VALUE)),
    one(2, "timeUnixNano", Kind::Fixed64),
    choice(3, "asDouble", Kind::Double),
    choice(6, "asInt", Kind::Sfixed64),
    one(4, "spanId", Kind::Hex),
    one(5, "traceId", Kind::Hex),
];

pub(super) static LOGS_REQUEST: [Field; 1] =
    [many(1, "resourceLogs", Kind::Message(&RESOURCE_LOGS))];
static RESOURCE_LOGS: [Field; 3] = [
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeLogs", Kind::Message(&SCOPE_LOGS)),
    one(3, "schemaUrl", Kind::Text),
];
static SCOPE_LOGS: [Field; 3] = [
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "logRecords", Kind::Message(&LOG_RECORD)),
    one(3, "schemaUrl", Kind::Text),
];
pub(super) static METRICS_REQUEST: [Field; 1] =
    [many(1, "resourceMetrics", Kind::Message(&RESOURCE_METRICS))];
static RESOURCE_METRICS: [Field; 3] = [
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeMetrics", Kind::Message(&SCOPE_METRICS)),
    one(3, "schemaUrl", Kind::Text),
];
static SCOPE_METRICS: [Field; 3] = [
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "metrics", Kind::Message(&METRIC)),
    one(3, "schemaUrl", Kind::Text),
];
pub(super) static TRACES_REQUEST: [Field; 1] =
    [many(1, "resourceSpans", Kind::Message(&RESOURCE_SPANS))];
static RESOURCE_SPANS: [Field; 3] = [
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scopeSpans", Kind::Message(&SCOPE_SPANS)),
    one(3, "schemaUrl", Kind::Text),
];
static SCOPE_SPANS: [Field; 3] = [
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "spans", Kind::Message(&SPAN)),
    one(3, "schemaUrl", Kind::Text),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_has_more_fields_than_a_reader_has_room_for() {
        fn check(message: Message, seen: &mut Vec<Message>) {
            if seen.iter().any(|known| std::ptr::eq(*known, message)) {
                return;
            }
            seen.push(message);
            assert!(message.len() <= MOST_FIELDS, "{}", message[0].name);
            for field in message {
                if let Kind::Message(inner) = field.kind {
                    check(inner, seen);
                }
            }
        }
        let mut seen = Vec::new();
        check(&LOGS_REQUEST, &mut seen);
        check(&METRICS_REQUEST, &mut seen);
        check(&TRACES_REQUEST, &mut seen);
        assert!(seen.len() > 25);
    }
}
