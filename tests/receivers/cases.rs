//! The formats and the receivers that take them, with what each stores of a record.

use super::server::Kind;

pub(crate) const REQUEST: &str = "8286a188-ba32-4475-8077-530cd35c09a9";
pub(crate) const TRACE: &str = "62e900b2710d76f009d6e7785905449a";
const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

/// A format at a receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) receiver: Kind,
    pub(crate) format: &'static str,
    pub(crate) options: &'static str,
    /// The address below the receiver's own.
    pub(crate) path: &'static str,
    /// The member that has the record's id.
    pub(crate) id: &'static str,
    /// What it stores of the record that says most of itself: see `odd_lines`.
    pub(crate) fields: &'static [(&'static str, &'static str)],
    /// The receiver tells repetitions itself.
    pub(crate) dedupes: bool,
}

impl Case {
    /// OTLP at its usual path, which the tests of signals read in their own way.
    pub(crate) const fn otlp(receiver: Kind, options: &'static str) -> Self {
        Self {
            receiver,
            format: "otlp",
            options,
            path: "",
            id: "",
            fields: &[],
            dedupes: false,
        }
    }
}

const LOKI: &str = "/insert/loki";
pub(crate) const CASES: &[Case] = &[
    Case {
        receiver: Kind::VictoriaLogs,
        format: "ndjson",
        options: "",
        path: "/insert/jsonline?_time_field=time&_msg_field=record,record.message&_stream_fields=resource.faas.name",
        id: "id",
        fields: &[
            ("_msg", "boom"),
            ("record.level", "error"),
            ("type", "function"),
            ("resource.team", "blue"),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::VictoriaLogs,
        format: "otlp",
        options: "",
        path: "/insert/opentelemetry",
        id: "log.record.uid",
        fields: &[
            ("_msg", "boom"),
            ("severity_text", "ERROR"),
            ("trace_id", TRACE),
            ("faas.invocation_id", REQUEST),
            ("cloud.resource_id", ARN),
            ("service.name", "orders"),
            ("team", "blue"),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::VictoriaLogs,
        format: "elastic",
        options: "",
        path: "/insert/elasticsearch/_bulk?_time_field=@timestamp&_msg_field=message&_stream_fields=faas.name",
        id: "event.id",
        fields: &[
            ("_msg", "boom"),
            ("log.level", "error"),
            ("trace.id", TRACE),
            ("faas.execution", REQUEST),
            ("faas.id", ARN),
            ("labels.team", "blue"),
            ("fields.requestId", REQUEST),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::VictoriaLogs,
        format: "loki",
        options: "labels=team",
        path: LOKI,
        id: "log_record_uid",
        fields: &[
            ("message", "boom"),
            ("level", "error"),
            ("trace_id", TRACE),
            ("faas_invocation_id", REQUEST),
            ("service_name", "orders"),
            ("team", "blue"),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::VictoriaLogs,
        format: "loki",
        options: "encoding=json",
        path: LOKI,
        id: "log_record_uid",
        fields: &[
            ("message", "boom"),
            ("level", "error"),
            ("trace_id", TRACE),
            ("faas_invocation_id", REQUEST),
            ("service_name", "orders"),
            ("team", "blue"),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::VictoriaLogs,
        format: "splunk",
        options: "",
        path: "/insert/splunk/services/collector/event?_msg_field=event",
        id: "fields.log.record.uid",
        fields: &[
            ("event.message", "boom"),
            ("fields.level", "error"),
            ("fields.trace_id", TRACE),
            ("fields.faas.invocation_id", REQUEST),
            ("host", "orders"),
            ("fields.team", "blue"),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::VictoriaLogs,
        format: "datadog",
        options: "",
        path: "/insert/datadog/api/v2/logs",
        // It keeps no more of a message than its text: records are counted.
        id: "",
        fields: &[
            ("status", "error"),
            ("function_arn", ARN),
            ("service", "orders"),
            ("team", "blue"),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::Rotel,
        format: "otlp",
        options: "",
        path: "",
        id: "log.record.uid",
        fields: &[],
        dedupes: false,
    },
    Case {
        receiver: Kind::Rotel,
        format: "otlp",
        options: "encoding=json",
        path: "",
        id: "log.record.uid",
        fields: &[],
        dedupes: false,
    },
    Case {
        receiver: Kind::OpenSearch,
        format: "elastic",
        options: "",
        path: "",
        id: "/event/id",
        fields: &[
            ("/message", "boom"),
            ("/log/level", "error"),
            ("/trace/id", TRACE),
            ("/faas/execution", REQUEST),
            ("/faas/id", ARN),
            ("/fields/requestId", REQUEST),
        ],
        dedupes: true,
    },
    Case {
        receiver: Kind::Collector,
        format: "otlp",
        options: "",
        path: "",
        id: "log.record.uid",
        fields: &[
            ("_msg", "boom"),
            ("severity", "ERROR"),
            ("faas.invocation_id", REQUEST),
        ],
        dedupes: false,
    },
    Case {
        receiver: Kind::Collector,
        format: "otlp",
        options: "encoding=json",
        path: "",
        id: "log.record.uid",
        fields: &[
            ("_msg", "boom"),
            ("severity", "ERROR"),
            ("faas.invocation_id", REQUEST),
        ],
        dedupes: false,
    },
];
